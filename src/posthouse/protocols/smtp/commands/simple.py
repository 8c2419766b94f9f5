"""The commands that need no thought: RSET, NOOP, QUIT, HELP, VRFY, EXPN.

Spec: RFC 5321 §4.1.1.5 to §4.1.1.10, §3.5.3 (252), §7.3 (why VRFY and EXPN tell nothing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.smtp.wire.replies import BYE, EXPN_REFUSED, HELP, OK, VRFY, Reply

if TYPE_CHECKING:
    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.commands import Expn, Help, Noop, Quit, Rset, Vrfy


async def rset(session: SmtpSession, command: Rset) -> Reply:  # noqa: ARG001 - as all handlers
    """Forget the transaction."""
    session.end_transaction()
    return OK


async def noop(session: SmtpSession, command: Noop) -> Reply:  # noqa: ARG001
    """Say that we are here."""
    return OK


async def quit_(session: SmtpSession, command: Quit) -> Reply:  # noqa: ARG001
    """Say goodbye."""
    session.end_transaction()
    return BYE


async def help_(session: SmtpSession, command: Help) -> Reply:  # noqa: ARG001
    """Point to the specification."""
    return HELP


async def vrfy(session: SmtpSession, command: Vrfy) -> Reply:  # noqa: ARG001
    """Tell nothing about anybody."""
    return VRFY


async def expn(session: SmtpSession, command: Expn) -> Reply:  # noqa: ARG001
    """Tell nothing about any list."""
    return EXPN_REFUSED
