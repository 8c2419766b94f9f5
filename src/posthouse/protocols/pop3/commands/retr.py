"""RETR: a whole message.

Spec: RFC 1939 §5, RFC 6856 §2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.served import served

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Retr


async def handle(session: Pop3Session, command: Retr) -> tuple[bytes | memoryview, ...]:
    """Send the folder's tag, the recipient's own header lines and the message as it was stored.

    Raises:
        Refused: no such message, marked, gone since login, or not to be sent without UTF8.
    """
    msg_no = command.msg_no
    maildrop = session.check(msg_no)
    item = session.item_at_hand(msg_no) or await session.item(maildrop, msg_no)
    message = served(session, maildrop, msg_no, item)
    session.retrieved += 1
    session.retrieved_octets += message.octets
    return session.language.retr % message.octets, message.prefix, message.wire
