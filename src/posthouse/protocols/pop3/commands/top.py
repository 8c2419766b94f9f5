"""TOP: the header of a message and the first lines of its body.

Spec: RFC 1939 §7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from posthouse.protocols.pop3.served import served
from posthouse.protocols.pop3.wire.content import TERMINATOR, top_end
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from posthouse.model.item import Content
    from posthouse.protocols.pop3.maildrop import Maildrop
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Top

    Pieces = tuple[bytes, memoryview, bytes]


def handle(session: Pop3Session, command: Top) -> Pieces | Coroutine[Any, Any, Pieces]:
    """Send the beginning.

    Raises:
        Refused: as for RETR.
    """
    msg_no = command.msg_no
    maildrop = session.check(msg_no)
    content = session.content_at_hand(msg_no)
    if content is None:
        return _fetched(session, maildrop, command)
    return _reply(session, maildrop, command, content)


async def _fetched(session: Pop3Session, maildrop: Maildrop, command: Top) -> Pieces:
    content = await session.content(maildrop, command.msg_no)
    return _reply(session, maildrop, command, content)


def _reply(session: Pop3Session, maildrop: Maildrop, command: Top, content: Content) -> Pieces:
    _, prefix, wire = served(session, maildrop, command.msg_no, content)
    beginning = wire[: top_end(wire, command.lines)]
    session.retrieved_octets += len(prefix) + len(beginning)
    return session.ok(Text.TOP_FOLLOWS) + prefix, beginning, TERMINATOR
