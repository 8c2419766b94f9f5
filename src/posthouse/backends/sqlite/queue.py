"""The outbound queue: entries, leases, how recipients stand.

Notes:
    A lease keeps two runners from sending one message twice; a runner that dies lets its lease run
    out. A message's ``next_at`` is the earliest of its waiting recipients', so that the due ones
    are found by an index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.backends.sqlite.rows import Row, in_list, ref_from_row, rows_of
from posthouse.backends.sqlite.work import drop_references
from posthouse.model.errors import NotFound
from posthouse.model.queue import NewQueued, Notify, Queued, QueuedRecipient, RecipientState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import apsw

    from posthouse.backends.sqlite.books import Books
    from posthouse.model.ids import QueueId

HEADERS_ONLY: Final = 1
SMTPUTF8: Final = 2
EIGHT_BIT: Final = 4
_WAITING: Final = RecipientState.WAITING.value

_INSERT: Final = (
    "INSERT INTO queue (sender, blob_hash, queued_at, prefix, envelope_id, shape, submitted_by, "
    "next_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_RECIPIENT: Final = (
    "INSERT INTO queue_recipient (queue_id, position, address, notify, original, state, "
    "attempts, next_at, last_reply, delay_told_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT: Final = (
    "SELECT q.queue_id, q.sender, q.queued_at, q.prefix, q.envelope_id, q.shape, q.submitted_by, "
    "q.next_at, q.leased_until, b.blob_hash, b.form, b.size_bytes, b.stored_bytes, b.shape, "
    "b.pack, b.offset FROM queue q JOIN blob b ON b.blob_hash = q.blob_hash "
    "WHERE q.queue_id IN (?*)"
)
_SELECT_RECIPIENTS: Final = (
    "SELECT queue_id, address, notify, original, state, attempts, next_at, last_reply, "
    "delay_told_at FROM queue_recipient WHERE queue_id IN (?*) ORDER BY queue_id, position"
)
DUE: Final = (
    "SELECT queue_id FROM queue WHERE next_at <= ? AND leased_until <= ? "
    "ORDER BY next_at, queue_id LIMIT ?"
)
NEXT_DUE: Final = (
    "SELECT min(CASE WHEN leased_until > next_at THEN leased_until ELSE next_at END) FROM queue"
)


def enqueue(books: Books, message: NewQueued) -> None:
    """Add a message; one more row names its blob."""
    books.add_reference(message.blob)
    connection = books.direct()
    shape = (
        HEADERS_ONLY * message.wants_headers_only
        | SMTPUTF8 * message.needs_smtputf8
        | EIGHT_BIT * message.is_8bit
    )
    connection.execute(
        _INSERT,
        (
            message.sender,
            message.blob.blob_hash,
            message.queued_at,
            message.prefix,
            message.envelope_id,
            shape,
            message.submitted_by,
            _next_at(message.recipients),
        ),
    )
    queue_id = connection.last_insert_rowid()
    connection.executemany(
        _INSERT_RECIPIENT,
        [(queue_id, n, *_recipient_row(r)) for n, r in enumerate(message.recipients)],
    )


def _recipient_row(r: QueuedRecipient) -> Row:
    return (
        r.address,
        r.notify.value,
        r.original,
        r.state.value,
        r.attempts,
        r.next_at,
        r.last_reply,
        r.delay_told_at,
    )


def _recipient_from_row(row: Row) -> QueuedRecipient:
    address, notify, original, state, attempts, next_at, last_reply, delay_told_at = row
    return QueuedRecipient(
        address,
        Notify(notify),
        original,
        RecipientState(state),
        attempts,
        next_at,
        last_reply,
        delay_told_at,
    )


def _next_at(recipients: Iterable[QueuedRecipient]) -> int:
    return min((r.next_at for r in recipients if r.state.value == _WAITING), default=0)


def load(connection: apsw.Connection, queue_ids: Sequence[int]) -> list[Queued]:
    """Messages by number, in the order asked for; those gone are left out."""
    if not queue_ids:
        return []
    count = len(queue_ids)
    rows = rows_of(connection.execute(in_list(_SELECT, count), queue_ids))
    recipients: dict[int, list[QueuedRecipient]] = {}
    for row in rows_of(connection.execute(in_list(_SELECT_RECIPIENTS, count), queue_ids)):
        recipients.setdefault(row[0], []).append(_recipient_from_row(row[1:]))
    found = {row[0]: _queued_from_row(row, recipients.get(row[0], [])) for row in rows}
    return [found[i] for i in queue_ids if i in found]


def _queued_from_row(row: Row, recipients: Sequence[QueuedRecipient]) -> Queued:
    queue_id, sender, queued_at, prefix, envelope_id, shape, submitted_by, next_at, leased = row[:9]
    message = NewQueued(
        sender,
        tuple(recipients),
        ref_from_row(row[9:]),
        queued_at,
        prefix,
        envelope_id,
        bool(shape & HEADERS_ONLY),
        bool(shape & SMTPUTF8),
        bool(shape & EIGHT_BIT),
        submitted_by,
    )
    return Queued(queue_id, message, next_at, leased)


def lease(books: Books, now: int, lease_ms: int, limit: int) -> list[Queued]:
    """Take what is due and leased by nobody."""
    connection = books.direct()
    due = [row[0] for row in connection.execute(DUE, (now, now, limit))]
    connection.executemany(
        "UPDATE queue SET leased_until = ? WHERE queue_id = ?", [(now + lease_ms, i) for i in due]
    )
    return load(connection, due)


def settle(books: Books, queue_id: QueueId, recipients: Sequence[QueuedRecipient]) -> None:
    """Store how recipients stand and end the lease; nobody waiting any more, the message goes."""
    connection = books.direct()
    places: dict[str, list[int]] = {}
    for position, address in connection.execute(
        "SELECT position, address FROM queue_recipient WHERE queue_id = ? ORDER BY position",
        (queue_id,),
    ):
        places.setdefault(address, []).append(position)
    if not places:
        raise NotFound(f"queue entry {queue_id}")
    rows: list[Row] = []
    for recipient in recipients:
        if not places.get(recipient.address):
            raise NotFound(f"recipient {recipient.address} of queue entry {queue_id}")
        position = places[recipient.address].pop(0)
        rows.append((*_recipient_row(recipient)[3:], queue_id, position))
    connection.executemany(
        "UPDATE queue_recipient SET state = ?, attempts = ?, next_at = ?, last_reply = ?, "
        "delay_told_at = ? WHERE queue_id = ? AND position = ?",
        rows,
    )
    next_at = connection.execute(
        "SELECT min(next_at) FROM queue_recipient WHERE queue_id = ? AND state = ?",
        (queue_id, _WAITING),
    ).get
    if next_at is None:
        remove(books, queue_id)
    else:
        connection.execute(
            "UPDATE queue SET next_at = ?, leased_until = 0 WHERE queue_id = ?", (next_at, queue_id)
        )


def release(books: Books, queue_id: QueueId) -> None:
    """End a lease without news."""
    books.direct().execute("UPDATE queue SET leased_until = 0 WHERE queue_id = ?", (queue_id,))


def retry(books: Books, queue_id: QueueId | None, now: int) -> int:
    """Make one message or all due now; how many."""
    connection = books.direct()
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT queue_id FROM queue WHERE queue_id = coalesce(?, queue_id)", (queue_id,)
        )
    ]
    connection.executemany(
        "UPDATE queue_recipient SET next_at = ? WHERE queue_id = ? AND state = ?",
        [(now, i, _WAITING) for i in ids],
    )
    connection.executemany(
        "UPDATE queue SET next_at = ? WHERE queue_id = ?", [(now, i) for i in ids]
    )
    return len(ids)


def remove(books: Books, queue_id: QueueId) -> None:
    """The message leaves the queue. Raises NotFound."""
    connection = books.direct()
    blob_hash = connection.execute(
        "SELECT blob_hash FROM queue WHERE queue_id = ?", (queue_id,)
    ).get
    if blob_hash is None:
        raise NotFound(f"queue entry {queue_id}")
    connection.execute("DELETE FROM queue_recipient WHERE queue_id = ?", (queue_id,))
    connection.execute("DELETE FROM queue WHERE queue_id = ?", (queue_id,))
    drop_references(books, [(blob_hash, 1)])
