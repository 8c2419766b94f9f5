"""MAIL: a message begins.

Spec: RFC 5321 §4.1.1.2; RFC 1870 §6.1; RFC 4954 §6 (530); RFC 6531 §3.4, §3.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.smtp.wire.replies import (
    HELLO_FIRST,
    LOGIN_GONE,
    LOGIN_REQUIRED,
    MAIL_NESTED,
    NEEDS_SMTPUTF8_SENDER,
    SENDER_OK,
    TLS_REQUIRED,
    TOO_LARGE,
    Reply,
)

if TYPE_CHECKING:
    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.commands import Mail


async def handle(session: SmtpSession, command: Mail) -> Reply:
    """Begin a transaction.

    Raises:
        AccessDenied: the login may not send as this address.
        InsufficientSpace: the disk is too full to take anything in.
    """
    if not session.verb:
        return HELLO_FIRST
    if session.is_barred:
        return LOGIN_REQUIRED if session.can_log_in else TLS_REQUIRED
    if session.transaction is not None:
        return MAIL_NESTED
    services, login = session.services, session.login
    if login is not None and not services.logins.is_still_good(login):
        return LOGIN_GONE
    sender = command.sender
    if sender is not None and not command.needs_smtputf8 and not sender.is_ascii:
        return NEEDS_SMTPUTF8_SENDER
    if command.size_bytes > session.settings.limits.wire.message_bytes:
        return TOO_LARGE
    await services.mailflow.check_sender(sender, session.origin(command), command.size_bytes)
    session.begin_transaction(command)
    return SENDER_OK
