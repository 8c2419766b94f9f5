"""LIST: numbers and sizes.

Spec: RFC 1939 §5.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import List


async def handle(session: Pop3Session, command: List) -> bytes | tuple[bytes, ...]:
    """List one message, or all that are not marked.

    Raises:
        Refused: no such message, or marked.
    """
    session.rest()
    msg_no = command.msg_no
    if msg_no is not None:
        octets = session.check(msg_no).message(msg_no).octets
        return b"+OK %d %d\r\n" % (msg_no, octets)
    maildrop = session.drop()
    for part in maildrop.parts[:-1]:
        if not part.is_list_ready:
            part.list_text()
            await asyncio.sleep(0)
    count, octets = session.standing()
    head = session.ok(Text.LIST_FOLLOWS, count=count, octets=octets)
    return (head, *maildrop.list_texts(session.marked or ()), b".\r\n")
