"""CAPA: what this server can do, here and now.

Spec: RFC 2449 §5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.capabilities import Circumstances, capability_lines
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Capa


def handle(session: Pop3Session, _command: Capa) -> bytes:
    """List them."""
    settings = session.services.settings
    now = Circumstances(
        can_start_tls=session.connection.can_start_tls and session.login is None,
        allows_plain=session.allows_plain,
        is_logged_in=session.login is not None,
        login_delay_s=settings.login_delay_s,
        version=settings.version,
    )
    return session.ok(Text.CAPA_FOLLOWS) + capability_lines(now) + b".\r\n"
