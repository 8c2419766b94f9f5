"""DELE: marks a message; what becomes of it QUIT decides.

Spec: RFC 1939 §5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Dele


def handle(session: Pop3Session, command: Dele) -> bytes:
    """Mark it in this session alone.

    Raises:
        Refused: no such message, or marked already.
    """
    msg_no = command.msg_no
    session.check(msg_no)
    if session.marked is None:
        session.marked = set()
    session.marked.add(msg_no)
    return session.ok(Text.DELETED, msg_no=msg_no)
