"""UIDL: unique ids.

Spec: RFC 1939 §7.

Notes:
    How ids are made: ``wire/uidl.py``. The lines are rendered once for all sessions:
    ``maildrop.py``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from posthouse.protocols.pop3.maildrop import Maildrop
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Uidl


def handle(
    session: Pop3Session, command: Uidl
) -> bytes | tuple[bytes, ...] | Coroutine[Any, Any, tuple[bytes, ...]]:
    """Tell the id of one message, or of all that are not marked.

    Raises:
        Refused: no such message, or marked.
    """
    session.rest()
    msg_no = command.msg_no
    if msg_no is not None:
        return f"+OK {msg_no} {session.check(msg_no).uidl(msg_no)}\r\n".encode()
    maildrop = session.drop()
    if all(part.is_uidl_ready for part in maildrop.parts[:-1]):
        return _all(session, maildrop)
    return _rendered(session, maildrop)


async def _rendered(session: Pop3Session, maildrop: Maildrop) -> tuple[bytes, ...]:
    """Tell all; others have their turn after each part that nobody asked for before."""
    for part in maildrop.parts[:-1]:
        if not part.is_uidl_ready:
            part.uidl_text()
            await asyncio.sleep(0)
    return _all(session, maildrop)


def _all(session: Pop3Session, maildrop: Maildrop) -> tuple[bytes, ...]:
    head = session.ok(Text.UIDL_FOLLOWS)
    return (head, *maildrop.uidl_texts(session.marked or ()), b".\r\n")
