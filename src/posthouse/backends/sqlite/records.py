"""The embedded records engine: one SQLite file for all mailboxes.

Notes:
    Made by ``SqliteRecords(path, journal, publish, clock)`` in the process that uses it (after the
    fork, not before): ``path`` is ``store/mail.db``, ``journal`` the blob area's BlobJournal,
    ``publish`` is called with a Hint from the writer's thread for every folder that advanced. Any
    number of processes may have the file open. Reads run in the caller's thread (``reading``),
    writes in one thread per process (``writer``).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import apsw

from posthouse.backends.sqlite import checking, queue, upkeep
from posthouse.backends.sqlite.applying import apply_commit
from posthouse.backends.sqlite.connection import (
    require_current_sqlite,
    require_local_disk,
)
from posthouse.backends.sqlite.journal_file import JournalFile
from posthouse.backends.sqlite.reading import Readers, Reading
from posthouse.backends.sqlite.reading_blobs import ReadingBlobs
from posthouse.backends.sqlite.reading_items import ReadingItems
from posthouse.backends.sqlite.writer import Writer
from posthouse.model.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from posthouse.backends.sqlite.books import Books
    from posthouse.model.batch import BatchResult, Commit
    from posthouse.model.blob import BlobLocation
    from posthouse.model.changes import Hint
    from posthouse.model.folder import Mailbox, MailboxKind
    from posthouse.model.ids import DeviceId, MailboxId, QueueId
    from posthouse.model.queue import Queued, QueuedRecipient
    from posthouse.ports.blob_rows import BlobRow
    from posthouse.ports.blobs import BlobJournal
    from posthouse.ports.clock import Clock


class SqliteRecords(Reading, ReadingItems, ReadingBlobs):
    """``ports.records.Records`` and ``ports.blob_rows.BlobRows`` over one SQLite file.

    See the module.
    """

    def __init__(
        self, path: Path, journal: BlobJournal, publish: Callable[[Hint], None], clock: Clock
    ) -> None:
        require_current_sqlite()
        path.parent.mkdir(parents=True, exist_ok=True)
        require_local_disk(path.parent)
        self._path = path
        self._journal = JournalFile(path)
        self._writer = Writer(path, journal, publish, clock)
        self._readers = Readers(path)

    # --- life of a mailbox

    async def create_mailbox(
        self, kind: MailboxKind, guid: bytes, uid_validity: int, *, quota_bytes: int = 0
    ) -> Mailbox:
        """See Records."""

        def run(books: Books) -> Mailbox:
            return upkeep.create_mailbox(books, kind, guid, uid_validity, quota_bytes)

        return await self._writer.submit(run)

    async def delete_mailbox(self, mailbox_id: MailboxId) -> None:
        """See Records.

        Out of sight at once; what it held goes in slices, and ``checkpoint`` ends what was cut
        short.
        """
        await self._writer.submit(partial(upkeep.begin_leaving, mailbox_id=mailbox_id))
        await self._finish_leaving(mailbox_id)

    async def _finish_leaving(self, mailbox_id: MailboxId) -> None:
        while await self._writer.submit(partial(upkeep.take_away, mailbox_id=mailbox_id)):
            pass

    # --- writing

    async def apply(self, commit: Commit) -> tuple[BatchResult, ...]:
        """See Records."""
        receipt = commit.receipt if commit.refuses_repeat else b""
        run = partial(apply_commit, commit=commit)
        return await self._writer.submit(run, commit.blobs, receipt)

    async def confirm_sync_state(
        self, mailbox_id: MailboxId, device_id: DeviceId, collection: str, key: int
    ) -> None:
        """See Records."""

        def run(books: Books) -> None:
            upkeep.confirm_sync_state(books, mailbox_id, device_id, collection, key)

        await self._writer.submit(run)

    # --- outbound queue

    async def lease_queued(self, now: int, lease_ms: int, limit: int) -> Sequence[Queued]:
        """See Records. With nothing due it costs a read."""
        if self._readers.get().execute(queue.DUE, (now, now, 1)).get is None:
            return []
        return await self._writer.submit(
            partial(queue.lease, now=now, lease_ms=lease_ms, limit=limit)
        )

    async def settle_queued(
        self, queue_id: QueueId, recipients: Sequence[QueuedRecipient], commit: Commit | None
    ) -> None:
        """See Records."""

        def run(books: Books) -> None:
            queue.settle(books, queue_id, recipients)
            if commit is not None:
                apply_commit(books, commit)

        await self._writer.submit(run, commit.blobs if commit is not None else ())

    async def release_queued(self, queue_id: QueueId) -> None:
        """See Records."""
        await self._writer.submit(partial(queue.release, queue_id=queue_id))

    async def retry_queued(self, queue_id: QueueId | None, now: int) -> int:
        """See Records."""
        return await self._writer.submit(partial(queue.retry, queue_id=queue_id, now=now))

    async def drop_queued(self, queue_id: QueueId) -> None:
        """See Records."""
        await self._writer.submit(partial(queue.remove, queue_id=queue_id))

    # --- housekeeping

    async def expire_recoverable(self, deleted_before: int, limit: int) -> int:
        """See Records."""
        return await self._writer.submit(
            partial(upkeep.expire_recoverable, deleted_before=deleted_before, limit=limit)
        )

    async def raise_horizon(self, before: int, limit: int) -> int:
        """See Records."""
        return await self._writer.submit(partial(upkeep.raise_horizon, before=before, limit=limit))

    async def forget_receipts(self, before: int) -> int:
        """See Records."""
        return await self._writer.submit(partial(upkeep.forget_receipts, before=before))

    async def checkpoint(self) -> None:
        """See Records. Also ends removals of mailboxes that a crash cut short."""
        for mailbox_id in upkeep.leaving(self._readers.get()):
            await self._finish_leaving(mailbox_id)
        try:
            await asyncio.to_thread(self._journal.copy)
        except apsw.Error as error:
            raise Unavailable(f"checkpoint: {error}") from error

    async def check(self) -> Sequence[str]:
        """See Records."""
        return await asyncio.to_thread(self._check)

    def _check(self) -> list[str]:
        with Readers.borrowed(self._path) as connection:
            return checking.check(connection)

    # --- blob rows

    async def forget_blobs(self, rows: Sequence[BlobRow]) -> Sequence[BlobRow]:
        """See BlobRows."""
        return await self._writer.submit(partial(upkeep.forget_blobs, rows=rows))

    async def move_blobs(
        self, moves: Sequence[tuple[BlobRow, BlobLocation]]
    ) -> Sequence[tuple[BlobRow, BlobLocation]]:
        """See BlobRows."""
        return await self._writer.submit(partial(upkeep.move_blobs, moves=moves))

    def close(self) -> None:
        """See Records."""
        self._writer.close()
        self._readers.close()
