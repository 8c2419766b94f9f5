"""STAT: how many messages, how many octets.

Spec: RFC 1939 §5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Stat


def handle(session: Pop3Session, _command: Stat) -> bytes:
    """Count what is not marked."""
    session.rest()
    count, octets = session.standing()
    return session.ok(Text.STAT_FOLLOWS, count=count, octets=octets)
