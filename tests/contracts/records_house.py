"""A records engine for tests of the contract, with calls that wait."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from posthouse.backends.memory.records import MemoryRecords
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.batch import AddItem, Batch, BatchResult, Commit, OperationResult
from posthouse.model.blob import BlobForm, BlobLocation, BlobRef, StagedBlob
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.ids import BlobHash
from posthouse.model.item import ItemColumns, ItemKind, NewItem

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.model.changes import Hint

GUID = bytes(range(16))
NOW = 1_800_000_000_000


class TestClock:
    """Stands still unless told."""

    __test__ = False

    def __init__(self) -> None:
        self.now = NOW

    def now_ms(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return self.now / 1000


class TestJournal:
    """A blob journal that remembers what was asked of it, and fails when told."""

    __test__ = False

    def __init__(self) -> None:
        self.written: dict[BlobLocation, bytes] = {}
        self.dropped: list[BlobLocation] = []
        self.syncs = 0
        self.fails: dict[str, OSError] = {}

    def write(self, staged: StagedBlob) -> BlobLocation:
        if "write" in self.fails:
            raise self.fails["write"]
        location = BlobLocation(1, len(self.written))
        self.written[location] = staged.data
        return location

    def sync(self) -> None:
        if "sync" in self.fails:
            raise self.fails["sync"]
        self.syncs += 1

    def drop(self, location: BlobLocation, blob_hash: BlobHash, stored_bytes: int) -> None:
        assert hashlib.sha256(self.written[location]).digest() == blob_hash
        assert len(self.written[location]) == stored_bytes
        self.dropped.append(location)


def staged(text: str) -> StagedBlob:
    """A blob in wire form."""
    data = f"{text}\r\n.\r\n".encode()
    blob_hash = BlobHash(hashlib.sha256(data).digest())
    ref = BlobRef(blob_hash, BlobForm.WIRE, len(data) - 3, len(data))
    return StagedBlob(ref, data, None, data[:-3])


class House:
    """An engine with one mailbox, its event loop, and short words for what tests do."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind = kind
        self.path = path
        self.journal = TestJournal()
        self.clock = TestClock()
        self.hints: list[Hint] = []
        self.loop = asyncio.new_event_loop()
        self.records: Any = self.engine()
        self.box = self.create().mailbox_id
        folders = self.run(self.records.folders(self.box))
        self.roles = {f.role: f.folder_id for f in folders if f.role}
        self.inbox = self.roles[FolderRole.INBOX]
        self.trash = self.roles[FolderRole.DELETED]
        self.lost = self.roles[FolderRole.RECOVERABLE]

    def engine(self) -> Any:
        if self.kind == "memory":
            return MemoryRecords(self.journal, self.hints.append, self.clock)
        return SqliteRecords(self.path, self.journal, self.hints.append, self.clock)

    def create(self, **options: Any) -> Any:
        return self.run(self.records.create_mailbox(MailboxKind.USER, GUID, 77, **options))

    def close(self) -> None:
        assert self.run(self.records.check()) == []
        self.records.close()
        self.loop.close()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def commit(self, commit: Commit) -> tuple[BatchResult, ...]:
        return self.run(self.records.apply(commit))

    def do(self, *operations: Any, blobs: Any = (), box: Any = None, **more: Any) -> BatchResult:
        batch = Batch(box or self.box, operations, **more)
        return self.commit(Commit((batch,), tuple(blobs)))[0]

    def one(self, operation: Any, **more: Any) -> OperationResult:
        return self.do(operation, **more).results[0]

    def add(self, text: str = "hello", folder: Any = None, box: Any = None, **item: Any) -> Any:
        """Deliver a message; its item id."""
        blob = staged(text)
        new = NewItem(ItemKind.MESSAGE, blob.ref, NOW, **item)
        return self.one(
            AddItem(self.inbox if folder is None else folder, new), blobs=(blob,), box=box
        ).item_ids[0]

    def add_many(self, count: int, **item: Any) -> list[Any]:
        return [self.add(f"message {n}", **item) for n in range(count)]

    def folder(self, folder_id: Any = None) -> Any:
        return self.run(self.records.folder(self.box, folder_id or self.inbox))

    def mailbox(self) -> Any:
        return self.run(self.records.mailbox(self.box))

    def places(self, folder_id: Any = None, box: Any = None) -> Any:
        return self.run(self.records.places(box or self.box, folder_id or self.inbox, 0, 2000))

    def ids(self, folder_id: Any = None) -> list[Any]:
        return [place.item_id for place in self.places(folder_id)]

    def place(self, item_id: Any) -> Any:
        (place,) = self.run(self.records.item_places(self.box, item_id))
        return place

    def item(self, item_id: Any) -> Any:
        (item,) = self.run(self.records.items(self.box, (item_id,)))
        return item

    def changes(self, since: Any, folder_id: Any = None, limit: int = 2000) -> Any:
        return self.run(self.records.changes_since(self.box, folder_id or self.inbox, since, limit))

    def blob(self, blob_hash: Any) -> Any:
        rows = self.run(self.records.blob_rows(b"", 2000))
        return next((row for row in rows if row.ref.blob_hash == blob_hash), None)


def columns(**values: Any) -> ItemColumns:
    return ItemColumns(**values)
