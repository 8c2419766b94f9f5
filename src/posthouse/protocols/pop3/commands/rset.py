"""RSET: takes all marks away.

Spec: RFC 1939 §5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Rset


def handle(session: Pop3Session, _command: Rset) -> bytes:
    """Unmark, and tell what there is then."""
    session.rest()
    session.marked = None
    count, octets = session.standing()
    return session.ok(Text.RESET, count=count, octets=octets)
