"""EHLO, HELO, LHLO: who is there.

Spec: RFC 5321 §4.1.1.1; RFC 2033 §4.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.smtp.wire.capabilities import Terms, hello_reply
from posthouse.protocols.smtp.wire.replies import WRONG_HELLO, Reply, reply

if TYPE_CHECKING:
    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.commands import Hello


async def handle(session: SmtpSession, command: Hello) -> Reply:
    """Answer with what we can do. LMTP wants LHLO and nothing else, SMTP the other two."""
    settings = session.settings
    if (command.verb == "LHLO") is not settings.is_lmtp:
        return WRONG_HELLO
    session.said_hello(command.verb, command.name)
    if command.verb == "HELO":
        return reply(250, "", settings.hostname)
    terms = Terms(
        settings.hostname,
        settings.limits.wire.message_bytes,
        session.connection.can_start_tls,
        session.can_log_in,
    )
    return hello_reply(terms)
