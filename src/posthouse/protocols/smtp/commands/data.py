"""DATA: the content follows, up to a line with a single dot.

Spec: RFC 5321 §4.1.1.4; RFC 3030 §3 (not to be mixed with BDAT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.smtp.wire.replies import CONTINUE, LOGIN_REQUIRED, MAIL_FIRST, Reply

if TYPE_CHECKING:
    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.commands import Data


async def handle(session: SmtpSession, command: Data) -> Reply:  # noqa: ARG001 - as all handlers
    """Ask for the content."""
    transaction = session.transaction
    refusal = session.refusal_of_content(by_chunks=False)
    if refusal is not None or transaction is None:
        return LOGIN_REQUIRED if session.is_barred else refusal or MAIL_FIRST
    session.begin_content(transaction)
    return CONTINUE
