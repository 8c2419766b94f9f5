"""UTF8: the client reads international mail.

Spec: RFC 6856 §2.1.

Notes:
    Names and passwords may be UTF-8 before it, too (capability argument USER).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Utf8


def handle(session: Pop3Session, _command: Utf8) -> bytes:
    """Remember it."""
    session.is_utf8 = True
    return session.ok(Text.UTF8_ON)
