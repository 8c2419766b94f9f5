"""The memory engine: the records port over dictionaries, for tests and for reading how it is meant.

Notes:
    Made by ``MemoryRecords(journal, publish, clock)``. Everything happens in the caller's thread,
    at once; nothing suspends. What the contract says of durability holds as long as the object
    lives.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from posthouse.backends.memory.operations import ITEM_OPERATIONS, Work, require
from posthouse.backends.memory.operations_mailbox import MAILBOX_OPERATIONS, insert_folder
from posthouse.backends.memory.reading import Reading
from posthouse.backends.memory.state import Box, House, changed
from posthouse.model.batch import BatchResult, MakeFolder
from posthouse.model.changes import Hint
from posthouse.model.errors import (
    InsufficientSpace,
    NotFound,
    QuotaExceeded,
    Repeated,
    Unavailable,
)
from posthouse.model.folder import (
    DEFAULT_FOLDERS,
    FolderClass,
    FolderRole,
    Mailbox,
    MailboxKind,
)
from posthouse.model.ids import ChangeNumber, FolderId, MailboxId, QueueId
from posthouse.model.queue import Queued, RecipientState
from posthouse.ports.blob_rows import BlobRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.model.batch import Batch, Commit
    from posthouse.model.blob import BlobLocation, StagedBlob
    from posthouse.model.ids import BlobHash, DeviceId
    from posthouse.model.queue import NewQueued, QueuedRecipient
    from posthouse.ports.blobs import BlobJournal
    from posthouse.ports.clock import Clock


class MemoryRecords(Reading):
    """``ports.records.Records`` and ``ports.blob_rows.BlobRows``. See the module."""

    def __init__(self, journal: BlobJournal, publish: Callable[[Hint], None], clock: Clock) -> None:
        self._journal = journal
        self._publish = publish
        self._clock = clock
        self._house = House()
        self._is_closed = False

    # --- life of a mailbox

    async def create_mailbox(
        self, kind: MailboxKind, guid: bytes, uid_validity: int, *, quota_bytes: int = 0
    ) -> Mailbox:
        """See Records."""
        house = self._begin()
        house.last_mailbox += 1
        mailbox_id = MailboxId(house.last_mailbox)
        box = Box(Mailbox(mailbox_id, guid, kind, ChangeNumber(0), 0, 0, 0, quota_bytes, 1, "{}"))
        house.boxes[mailbox_id] = box
        top = MakeFolder(FolderId(0), "Root", FolderClass.MAIL, FolderRole.ROOT)
        root = insert_folder(box, FolderId(0), top, uid_validity)
        for role, name, folder_class in DEFAULT_FOLDERS:
            insert_folder(box, root, MakeFolder(root, name, folder_class, role), uid_validity)
        self._end(house)
        return box.mailbox()

    async def delete_mailbox(self, mailbox_id: MailboxId) -> None:
        """See Records."""
        house = self._begin()
        now = self._clock.now_ms()
        for item in house.box(mailbox_id).items.values():
            house.drop_reference(item.blob, now)
        del house.boxes[mailbox_id]
        self._end(house)

    # --- writing

    async def apply(self, commit: Commit) -> tuple[BatchResult, ...]:
        """See Records."""
        house = self._begin()
        written = self._write_blobs(house, commit.blobs)
        try:
            results = self._apply(house, commit)
        except BaseException:
            self._drop(written)
            raise
        self._forget_unused(house, written)
        self._end(house)
        return results

    def _apply(self, house: House, commit: Commit) -> tuple[BatchResult, ...]:
        standing = house.receipts.keys() - set(commit.settled)
        if commit.refuses_repeat and commit.receipt in standing:
            raise Repeated("the receipt stands")
        out: list[BatchResult] = []
        now = self._clock.now_ms()
        for index, batch in enumerate(commit.batches):
            try:
                out.append(_apply_batch(house, batch, now))
            except QuotaExceeded as error:
                error.batch_index = index
                raise
        if not (out and all(result.was_replayed for result in out)):
            for message in commit.queued:
                _enqueue(house, message)
        for receipt in commit.settled:
            house.receipts.pop(receipt, None)
        if commit.receipt:
            house.receipts.setdefault(commit.receipt, now)
        return tuple(out)

    def _begin(self) -> House:
        if self._is_closed:
            raise Unavailable("the records are closed")
        return self._house.copy()

    def _end(self, house: House) -> None:
        before, self._house = self._house, house
        for mailbox_id, box in house.boxes.items():
            old = before.boxes.get(mailbox_id)
            if old is box or (old is not None and old.head.highest_cn == box.head.highest_cn):
                continue
            hints = [
                Hint(mailbox_id, folder.folder_id, max(folder.highest_cn, folder.changed_cn))
                for folder in box.folders.values()
                if old is None or folder != old.folders.get(folder.folder_id)
            ]
            for hint in hints or [Hint(mailbox_id, FolderId(0), box.head.highest_cn)]:
                self._publish(hint)

    # --- blobs on their way in

    def _write_blobs(
        self, house: House, blobs: Sequence[StagedBlob]
    ) -> list[tuple[StagedBlob, BlobLocation]]:
        written: list[tuple[StagedBlob, BlobLocation]] = []
        try:
            for blob in blobs:
                if blob.ref.blob_hash not in house.blobs:
                    location = self._journal.write(blob)
                    ref = changed(blob.ref, location=location)
                    house.blobs[ref.blob_hash] = BlobRow(ref, 0, 0)
                    written.append((blob, location))
            if written:
                self._journal.sync()
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            raise (InsufficientSpace if full else Unavailable)(str(error)) from error
        return written

    def _drop(self, written: Sequence[tuple[StagedBlob, BlobLocation]]) -> None:
        for blob, location in written:
            self._journal.drop(location, blob.ref.blob_hash, blob.ref.stored_bytes)

    def _forget_unused(
        self, house: House, written: Sequence[tuple[StagedBlob, BlobLocation]]
    ) -> None:
        unused = [w for w in written if not house.blobs[w[0].ref.blob_hash].references]
        for blob, _ in unused:
            del house.blobs[blob.ref.blob_hash]
        self._drop(unused)

    # --- device states

    async def confirm_sync_state(
        self, mailbox_id: MailboxId, device_id: DeviceId, collection: str, key: int
    ) -> None:
        """See Records."""
        house = self._begin()
        states = house.own_box(mailbox_id).sync_states
        held = states.get((device_id, collection), {})
        if key in held:
            states[device_id, collection] = {k: s for k, s in held.items() if k >= key}
        self._end(house)

    # --- outbound queue

    async def lease_queued(self, now: int, lease_ms: int, limit: int) -> Sequence[Queued]:
        """See Records."""
        house = self._begin()
        due = [q for q in house.queue.values() if q.next_at <= now and q.leased_until <= now]
        due.sort(key=lambda q: (q.next_at, q.queue_id))
        leased = [changed(q, leased_until=now + lease_ms) for q in due[:limit]]
        house.queue.update({q.queue_id: q for q in leased})
        self._end(house)
        return [self._located(q) for q in leased]

    async def settle_queued(
        self, queue_id: QueueId, recipients: Sequence[QueuedRecipient], commit: Commit | None
    ) -> None:
        """See Records."""
        house = self._begin()
        written = self._write_blobs(house, commit.blobs if commit is not None else ())
        try:
            _settle(house, queue_id, recipients, self._clock.now_ms())
            if commit is not None:
                self._apply(house, commit)
        except BaseException:
            self._drop(written)
            raise
        self._forget_unused(house, written)
        self._end(house)

    async def release_queued(self, queue_id: QueueId) -> None:
        """See Records."""
        house = self._begin()
        if queue_id in house.queue:
            house.queue[queue_id] = changed(house.queue[queue_id], leased_until=0)
        self._end(house)

    async def retry_queued(self, queue_id: QueueId | None, now: int) -> int:
        """See Records."""
        house = self._begin()
        chosen = [q for q in house.queue.values() if queue_id in {None, q.queue_id}]
        for entry in chosen:
            recipients = tuple(
                changed(r, next_at=now) if r.state is RecipientState.WAITING else r
                for r in entry.message.recipients
            )
            message = changed(entry.message, recipients=recipients)
            house.queue[entry.queue_id] = changed(entry, message=message, next_at=now)
        self._end(house)
        return len(chosen)

    async def drop_queued(self, queue_id: QueueId) -> None:
        """See Records."""
        house = self._begin()
        _leave(house, queue_id, self._clock.now_ms())
        self._end(house)

    # --- housekeeping

    async def expire_recoverable(self, deleted_before: int, limit: int) -> int:
        """See Records."""
        house = self._begin()
        now = self._clock.now_ms()
        old = sorted(
            (deleted_at, mailbox_id, item_id)
            for mailbox_id, box in house.boxes.items()
            for item_id, (deleted_at, _) in box.deleted.items()
            if deleted_at < deleted_before
        )[:limit]
        for _, mailbox_id, item_id in old:
            box = house.own_box(mailbox_id)
            house.drop_reference(box.destroy(box.places[item_id], now), now)
        self._end(house)
        return len(old)

    async def raise_horizon(self, before: int, limit: int) -> int:
        """See Records."""
        house = self._begin()
        dropped = 0
        for mailbox_id in list(house.boxes):
            box = house.own_box(mailbox_id)
            old = [t for t in box.tombstones if t.made_at < before][: limit - dropped]
            for tombstone in old:
                folder = box.folders[tombstone.folder_id]
                horizon = max(folder.horizon_cn, tombstone.vanished.change_number)
                box.folders[folder.folder_id] = changed(folder, horizon_cn=horizon)
            box.tombstones = tuple(t for t in box.tombstones if t not in old)
            gone = [r for r in box.removed if r[2] < before][: limit - dropped - len(old)]
            box.horizon_cn = max([box.horizon_cn, *(cn for cn, _, _ in gone)])
            box.removed = tuple(r for r in box.removed if r not in gone)
            dropped += len(old) + len(gone)
        self._house = house
        return dropped

    async def forget_receipts(self, before: int) -> int:
        """See Records."""
        house = self._begin()
        kept = {receipt: at for receipt, at in house.receipts.items() if at >= before}
        dropped = len(house.receipts) - len(kept)
        house.receipts = kept
        for mailbox_id in list(house.boxes):
            box = house.own_box(mailbox_id)
            keys = [key for key, (_, at) in box.answers.items() if at < before]
            for key in keys:
                del box.answers[key]
            dropped += len(keys)
        self._end(house)
        return dropped

    async def checkpoint(self) -> None:
        """See Records."""

    async def check(self) -> Sequence[str]:
        """See Records. Counters cannot be wrong here; references can."""
        held: dict[BlobHash, int] = {}
        refs = [i.blob for box in self._house.boxes.values() for i in box.items.values()]
        refs += [q.message.blob for q in self._house.queue.values()]
        for ref in refs:
            if ref is not None:
                held[ref.blob_hash] = held.get(ref.blob_hash, 0) + 1
        return [
            f"blob {blob_hash.hex()} counts {row.references}, named by {held.get(blob_hash, 0)} "
            "rows"
            for blob_hash, row in self._house.blobs.items()
            if row.references != held.get(blob_hash, 0)
        ]

    # --- blob rows

    async def forget_blobs(self, rows: Sequence[BlobRow]) -> Sequence[BlobRow]:
        """See BlobRows."""
        house = self._begin()
        still = [row for row in rows if self._still(house, row)]
        gone = [row for row in still if not house.blobs[row.ref.blob_hash].references]
        for row in gone:
            del house.blobs[row.ref.blob_hash]
        self._end(house)
        return gone

    async def move_blobs(
        self, moves: Sequence[tuple[BlobRow, BlobLocation]]
    ) -> Sequence[tuple[BlobRow, BlobLocation]]:
        """See BlobRows."""
        house = self._begin()
        moved = [(row, to) for row, to in moves if self._still(house, row)]
        for row, to in moved:
            now = house.blobs[row.ref.blob_hash]
            house.blobs[row.ref.blob_hash] = changed(now, ref=changed(now.ref, location=to))
        self._end(house)
        return moved

    @staticmethod
    def _still(house: House, row: BlobRow) -> bool:
        now = house.blobs.get(row.ref.blob_hash)
        return now is not None and now.ref.location == row.ref.location

    def close(self) -> None:
        """See Records."""
        self._is_closed = True


def _apply_batch(house: House, batch: Batch, now: int) -> BatchResult:
    box = house.own_box(batch.mailbox_id)
    if batch.idempotency_key in box.answers:
        return changed(box.answers[batch.idempotency_key][0], was_replayed=True)
    for precondition in batch.preconditions:
        require(box, precondition)
    work = Work(house, box, [], now)
    for operation in batch.operations:
        perform = ITEM_OPERATIONS.get(type(operation)) or MAILBOX_OPERATIONS[type(operation)]
        work.results.append(perform(work, operation))
    result = BatchResult(tuple(work.results), box.head.highest_cn)
    if batch.idempotency_key:
        box.answers[batch.idempotency_key] = (result, now)
    return result


def _enqueue(house: House, message: NewQueued) -> None:
    house.add_reference(message.blob)
    house.last_queue += 1
    queue_id = QueueId(house.last_queue)
    house.queue[queue_id] = Queued(queue_id, message, _next_at(message), 0)


def _next_at(message: NewQueued) -> int:
    waiting = (r.next_at for r in message.recipients if r.state is RecipientState.WAITING)
    return min(waiting, default=0)


def _settle(
    house: House, queue_id: QueueId, recipients: Sequence[QueuedRecipient], now: int
) -> None:
    if queue_id not in house.queue:
        raise NotFound(f"queue entry {queue_id}")
    entry = house.queue[queue_id]
    left = list(recipients)
    standing: list[QueuedRecipient] = []
    for old in entry.message.recipients:
        new = next((r for r in left if r.address == old.address), None)
        if new is not None:
            left.remove(new)
            new = changed(new, notify=old.notify, original=old.original)
        standing.append(new or old)
    if left:
        raise NotFound(f"recipient {left[0].address} of queue entry {queue_id}")
    message = changed(entry.message, recipients=tuple(standing))
    house.queue[queue_id] = changed(
        entry, message=message, next_at=_next_at(message), leased_until=0
    )
    if not any(r.state is RecipientState.WAITING for r in standing):
        _leave(house, queue_id, now)


def _leave(house: House, queue_id: QueueId, now: int) -> None:
    if queue_id not in house.queue:
        raise NotFound(f"queue entry {queue_id}")
    house.drop_reference(house.queue.pop(queue_id).message.blob, now)
