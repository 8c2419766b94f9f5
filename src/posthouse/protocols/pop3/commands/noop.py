"""NOOP: nothing, which is what keeps a session alive.

Spec: RFC 1939 §5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Noop


def handle(session: Pop3Session, _command: Noop) -> bytes:
    """Say so."""
    session.rest()
    return session.ok(Text.NOOP)
