"""TOP: the header of a message and the first lines of its body.

Spec: RFC 1939 §7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.served import served
from posthouse.protocols.pop3.wire.content import TERMINATOR, top_end
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Top


async def handle(session: Pop3Session, command: Top) -> tuple[bytes | memoryview, ...]:
    """Send the beginning.

    Raises:
        Refused: as for RETR.
    """
    msg_no = command.msg_no
    maildrop = session.check(msg_no)
    item = session.item_at_hand(msg_no) or await session.item(maildrop, msg_no)
    message = served(session, maildrop, msg_no, item)
    beginning = message.wire[: top_end(message.wire, command.lines)]
    session.retrieved_octets += len(message.prefix) + len(beginning)
    return session.ok(Text.TOP_FOLLOWS), message.prefix, beginning, TERMINATOR
