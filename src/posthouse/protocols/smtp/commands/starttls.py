"""STARTTLS: from here on in private.

Spec: RFC 3207 §4.

Notes:
    The machine has refused whatever was sent behind the command; what was said before is forgotten
    when the handshake is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.smtp.wire.replies import (
    READY_FOR_TLS,
    TLS_ACTIVE,
    TLS_MISSING,
    Reply,
)

if TYPE_CHECKING:
    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.commands import Starttls


async def handle(session: SmtpSession, command: Starttls) -> Reply:  # noqa: ARG001 - as all handlers
    """Agree to it. ``server`` begins the handshake once the reply is on its way."""
    if session.connection.is_tls:
        return TLS_ACTIVE
    if not session.connection.can_start_tls:
        return TLS_MISSING
    return READY_FOR_TLS
