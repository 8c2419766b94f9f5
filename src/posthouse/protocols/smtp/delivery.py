"""The content is here: refuse it, or hand it to the mailflow and say so.

Spec: RFC 5321 §4.2.5; RFC 2033 §4.2 (a reply for each recipient).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import LocalProtocolError, PosthouseError
from posthouse.protocols.smtp.errors import reply_from_error
from posthouse.protocols.smtp.wire.commands import Chunk, Content, ContentEnd, Fault
from posthouse.protocols.smtp.wire.replies import (
    BARE_EOL_IN_CHUNK,
    BARE_EOL_IN_CONTENT,
    INTERNAL_ERROR,
    MAIL_FIRST,
    TOO_LARGE,
    TOO_LARGE_CLOSING,
    Reply,
)
from posthouse.runtime.metrics_table import (
    SMTP_BYTES_RECEIVED,
    SMTP_MESSAGES_ACCEPTED,
    SMTP_MESSAGES_REJECTED,
    SMTP_REPEATS,
)
from posthouse.services.mailflow.envelope import Received

if TYPE_CHECKING:
    from posthouse.model.blob import StagedBlob
    from posthouse.protocols.smtp.session import SmtpSession, Transaction

_SOUND = Fault.NONE
_FAULT_REPLIES = {
    Fault.BARE_EOL: BARE_EOL_IN_CONTENT,
    Fault.TOO_LARGE: TOO_LARGE,
    Fault.ENDLESS: TOO_LARGE_CLOSING,
}


def take_content(session: SmtpSession, event: Content) -> None:
    """Keep a piece of what follows DATA."""
    transaction = session.transaction
    if transaction is None or transaction.incoming is None:
        raise LocalProtocolError("content without a transaction")
    transaction.incoming.take(event.data)


def take_chunk(session: SmtpSession, event: Chunk) -> None:
    """Keep some octets of a BDAT that is welcome."""
    transaction = session.transaction
    if transaction is None or transaction.incoming is None or transaction.stuffing is None:
        raise LocalProtocolError("chunk without a transaction")
    transaction.incoming.take(transaction.stuffing.take(event.data))


async def deliver(session: SmtpSession, end: ContentEnd | None) -> Reply:
    """Answer a message. When a 250 leaves here, it is durable for every recipient.

    Args:
        session: with a transaction whose content is whole; it is over when this returns.
            ``receipt`` is set for ``server`` to settle.
        end: what is known of the content; None: it came by BDAT.
    """
    transaction = session.transaction
    if transaction is None or transaction.incoming is None:
        return MAIL_FIRST
    closing = b""
    faults = _FAULT_REPLIES
    if end is None:
        stuffing = transaction.stuffing
        if stuffing is None:
            return MAIL_FIRST
        closing, end = stuffing.finish(session.settings.limits.wire.message_bytes)
        faults = {**_FAULT_REPLIES, Fault.BARE_EOL: BARE_EOL_IN_CHUNK}
    session.services.metrics.inc(SMTP_BYTES_RECEIVED, transaction.incoming.stored_bytes)
    if end.fault is not _SOUND:
        return _refused(session, transaction, end.fault.value, faults[end.fault])
    try:
        content = transaction.incoming.finish(end, closing)
        if session.settings.is_lmtp:
            return await _accept_each(session, transaction, content)
        return await _accept(session, transaction, content)
    except PosthouseError as e:
        return _refused(session, transaction, f"{type(e).__name__}: {e}", reply_from_error(e))
    except Exception as e:  # noqa: BLE001  a bug of ours must read as a passing fault, not as silence
        session.services.log.failure("smtp.bug", e, session=session.connection.session_id)
        return _refused(session, transaction, "internal error", INTERNAL_ERROR)


async def _accept(session: SmtpSession, transaction: Transaction, content: StagedBlob) -> Reply:
    """Hand over for all recipients at once."""
    mail = transaction.mail
    services = session.services
    accepted = await services.mailflow.accept(
        Received(
            mail.sender,
            tuple(transaction.recipients.values()),
            content,
            transaction.origin,
            mail.envelope_id,
            mail.wants_headers_only,
            mail.needs_smtputf8,
            mail.is_8bit or (transaction.incoming is not None and transaction.incoming.is_8bit),
        )
    )
    session.receipt = accepted.receipt
    session.messages += 1
    session.end_transaction(was_accepted=True)
    services.metrics.inc(SMTP_MESSAGES_ACCEPTED.slot(session.connection.listener))
    if accepted.was_echo:
        services.metrics.inc(SMTP_REPEATS)
    return Reply(250, f"250 2.0.0 Accepted as {accepted.queue_id}\r\n".encode("ascii"))


async def _accept_each(
    session: SmtpSession, transaction: Transaction, content: StagedBlob
) -> Reply:
    """LMTP: who has no room for this size hears so by itself; the others are served in one go."""
    mailflow = session.services.mailflow
    refusals: dict[str, Reply] = {}
    for key, recipient in tuple(transaction.recipients.items()):
        try:
            await mailflow.check_recipient(
                recipient.address, transaction.origin, content.ref.size_bytes
            )
        except PosthouseError as e:
            refusals[key] = reply_from_error(e)
            del transaction.recipients[key]
    answers = transaction.answers
    if transaction.recipients:
        try:
            reply_for_served = await _accept(session, transaction, content)
        except PosthouseError as e:
            reply_for_served = reply_from_error(e)
            _note(session, transaction, f"{type(e).__name__}: {e}")
            session.end_transaction()
    else:
        reply_for_served = INTERNAL_ERROR
        _note(session, transaction, "no recipient has room")
        session.end_transaction()
    wire = b"".join(refusals.get(key, reply_for_served).wire for key in answers)
    return Reply(reply_for_served.code, wire)


def _refused(session: SmtpSession, transaction: Transaction, why: str, answer: Reply) -> Reply:
    _note(session, transaction, why)
    answers = len(transaction.answers) if session.settings.is_lmtp else 1
    session.end_transaction()
    return answer.times(answers)


def _note(session: SmtpSession, transaction: Transaction, why: str) -> None:
    """The log has the reason; the client hears a fixed text."""
    connection, mail = session.connection, transaction.mail
    session.services.metrics.inc(SMTP_MESSAGES_REJECTED.slot(connection.listener))
    session.services.log.info(
        "smtp.message_refused",
        session=connection.session_id,
        sender="" if mail.sender is None else str(mail.sender),
        recipients=len(transaction.answers),
        why=why,
    )
