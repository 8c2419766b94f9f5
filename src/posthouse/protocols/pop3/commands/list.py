"""LIST: numbers and sizes.

Spec: RFC 1939 §5.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from posthouse.protocols.pop3.maildrop import Maildrop
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import List


def handle(
    session: Pop3Session, command: List
) -> bytes | tuple[bytes, ...] | Coroutine[Any, Any, tuple[bytes, ...]]:
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
    if all(part.is_list_ready for part in maildrop.parts[:-1]):
        return _all(session, maildrop)
    return _rendered(session, maildrop)


async def _rendered(session: Pop3Session, maildrop: Maildrop) -> tuple[bytes, ...]:
    """List all; others have their turn after each part that nobody asked for before."""
    for part in maildrop.parts[:-1]:
        if not part.is_list_ready:
            part.list_text()
            await asyncio.sleep(0)
    return _all(session, maildrop)


def _all(session: Pop3Session, maildrop: Maildrop) -> tuple[bytes, ...]:
    count, octets = session.standing()
    head = session.ok(Text.LIST_FOLLOWS, count=count, octets=octets)
    return (head, *maildrop.list_texts(session.marked or ()), b".\r\n")
