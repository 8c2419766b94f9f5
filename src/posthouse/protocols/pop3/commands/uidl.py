"""UIDL: unique ids.

Spec: RFC 1939 §7.

Notes:
    How ids are made: ``wire/uidl.py``. The lines are rendered once for all sessions:
    ``maildrop.py``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Uidl


async def handle(session: Pop3Session, command: Uidl) -> bytes | tuple[bytes, ...]:
    """Tell the id of one message, or of all that are not marked.

    Raises:
        Refused: no such message, or marked.
    """
    session.rest()
    msg_no = command.msg_no
    if msg_no is not None:
        return f"+OK {msg_no} {session.check(msg_no).uidl(msg_no)}\r\n".encode()
    maildrop = session.drop()
    for part in maildrop.parts[:-1]:
        if not part.is_uidl_ready:
            part.uidl_text()
            await asyncio.sleep(0)
    head = session.ok(Text.UIDL_FOLLOWS)
    return (head, *maildrop.uidl_texts(session.marked or ()), b".\r\n")
