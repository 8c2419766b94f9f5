"""RETR: a whole message.

Spec: RFC 1939 §5, RFC 6856 §2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from posthouse.protocols.pop3.served import served

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from posthouse.model.item import Content
    from posthouse.protocols.pop3.maildrop import Maildrop
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Retr


def handle(
    session: Pop3Session, command: Retr
) -> tuple[bytes, memoryview] | Coroutine[Any, Any, tuple[bytes, memoryview]]:
    """Send the folder's tag, the recipient's own header lines and the message as it was stored.

    Raises:
        Refused: no such message, marked, gone since login, or not to be sent without UTF8.
    """
    msg_no = command.msg_no
    maildrop = session.check(msg_no)
    content = session.content_at_hand(msg_no)
    if content is None:
        return _fetched(session, maildrop, msg_no)
    return _reply(session, maildrop, msg_no, content)


async def _fetched(
    session: Pop3Session, maildrop: Maildrop, msg_no: int
) -> tuple[bytes, memoryview]:
    return _reply(session, maildrop, msg_no, await session.content(maildrop, msg_no))


def _reply(
    session: Pop3Session, maildrop: Maildrop, msg_no: int, content: Content
) -> tuple[bytes, memoryview]:
    octets, prefix, wire = served(session, maildrop, msg_no, content)
    session.retrieved += 1
    session.retrieved_octets += octets
    return session.language.retr % octets + prefix, wire
