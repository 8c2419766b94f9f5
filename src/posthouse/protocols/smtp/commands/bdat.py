"""BDAT: the content in chunks of a size told before.

Spec: RFC 3030 §2, §4.2.
Departs: RFC 3030 §2, because after a chunk is refused the transaction is over; later chunks that
    the client had sent already are refused, too, as is the whole message.

Notes:
    The octets of a chunk follow the command whatever we think of it. So a refusal is found here,
    but said only when they have passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.smtp.wire.content import Stuffing
from posthouse.protocols.smtp.wire.replies import LOGIN_REQUIRED, MAIL_FIRST, TOO_LARGE, Reply

if TYPE_CHECKING:
    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.commands import Bdat


def begin(session: SmtpSession, command: Bdat) -> Reply | None:
    """Prepare for a chunk.

    Returns:
        None when it is welcome, else what to answer once its octets are through.
    """
    transaction = session.transaction
    refusal = session.refusal_of_content(by_chunks=True)
    if refusal is not None or transaction is None:
        return LOGIN_REQUIRED if session.is_barred else refusal or MAIL_FIRST
    if transaction.stuffing is None:
        transaction.stuffing = Stuffing()
        session.begin_content(transaction)
    size = transaction.stuffing.size_bytes + command.size_bytes
    if size > session.settings.limits.wire.message_bytes:
        session.end_transaction()
        return TOO_LARGE
    return None
