"""Books: what one write transaction has read and is about to write.

Notes:
    Deliveries are the hot path, and every statement gives the interpreter lock away and has to win
    it back. So counters are read once, kept here, and written once per group; new items, places and
    tombstones are collected and inserted many at a time. An operation that needs more than that
    asks for ``direct()``: what is collected so far is then written, and a savepoint is opened for
    the commit under way. A commit that fails is taken back by ``undo``. Counters of mailboxes and
    folders are read and changed through the books only. The books stay valid from one transaction
    to the next as long as nobody else has written to the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import apsw

from posthouse.backends.sqlite.inserts import (
    absent_receipts,
    add_references,
    drop_receipts,
    insert_rows,
    keep_folders,
    keep_mailboxes,
)
from posthouse.backends.sqlite.rows import (
    FolderRow,
    MailboxRow,
    Row,
    row_from_ref,
    rows_of,
)
from posthouse.model.errors import NotFound
from posthouse.model.ids import FolderId, ItemId, MailboxId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.blob import BlobLocation, BlobRef
    from posthouse.model.ids import BlobHash

HOUSE: Final = MailboxId(0)
"""The row that counts for the whole file."""

_MAILBOX: Final = (
    "SELECT mailbox_id, epoch, highest_cn, item_count, size_bytes, recoverable_bytes, "
    "quota_bytes, recoverable_id FROM mailbox WHERE mailbox_id = ? AND is_leaving = 0"
)
_FOLDER: Final = (
    "SELECT mailbox_id, folder_id, role, uid_validity, uid_next, changed_cn, highest_cn, "
    "item_count, unread_count, size_bytes FROM folder WHERE mailbox_id = ? AND folder_id = ?"
)
_CACHE_MAX: Final = 4096


Marks = tuple[int, int, int, int, int, int]
"""How much of each kind had been collected when the commit began."""

Pending = tuple[list[Row], list[Row], list[Row], list[Row], list[bytes], "list[BlobRef]"]
"""items, places, tombstones, receipts, settled, references."""


class BlobsChangedError(Exception):
    """Since the writer looked, another process has made or forgotten a row: look again."""


class Books:
    """See the module. One per writer; used by its thread only."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._mailboxes: dict[MailboxId, MailboxRow] = {}
        self._folders: dict[tuple[MailboxId, FolderId], FolderRow] = {}
        self._version = -1
        self.now = 0
        """Time of this transaction, ms."""
        self.advanced: dict[tuple[MailboxId, FolderId], int] = {}
        """What hints will say: (mailbox, folder) -> number; folder 0 for the mailbox itself."""
        self.staged: dict[BlobHash, BlobLocation | None] = {}
        """Blobs this group has brought: where written, or None when a row existed before."""
        self.used: set[BlobHash] = set()
        """Of these, the ones whose new location a row now names."""
        self.items: list[Row] = []
        self.places: list[Row] = []
        self.tombstones: list[Row] = []
        self.receipts: list[Row] = []
        self.settled: list[bytes] = []
        self._absent: set[bytes] = set()
        self._references: list[BlobRef] = []
        self._saved_mailboxes: dict[MailboxId, MailboxRow | None] = {}
        self._saved_folders: dict[tuple[MailboxId, FolderId], FolderRow | None] = {}
        self._dirty_mailboxes: set[MailboxId] = set()
        self._dirty_folders: set[tuple[MailboxId, FolderId]] = set()
        self._marks = (0, 0, 0, 0, 0, 0)
        self._used_before: set[BlobHash] = set()
        self._has_savepoint = False

    # --- a transaction

    def open(
        self,
        now: int,
        staged: dict[BlobHash, BlobLocation | None],
        receipts: Sequence[bytes],
    ) -> None:
        """The transaction has begun (the write lock is held)."""
        version = self._connection.execute("PRAGMA data_version").get
        if version != self._version or len(self._folders) > _CACHE_MAX:
            self._mailboxes.clear()
            self._folders.clear()
            self._version = version
        self.now = now
        self.staged = staged
        self.used = set()
        self._absent = absent_receipts(self._connection, receipts)
        self.advanced = {}
        self._dirty_mailboxes.clear()
        self._dirty_folders.clear()
        self._drop_pending()

    def forget(self) -> None:
        """The transaction was rolled back: nothing read in it may be believed."""
        self._version = -1
        self._mailboxes.clear()
        self._folders.clear()
        self._drop_pending()

    def _drop_pending(self) -> None:
        self._pending_from((0, 0, 0, 0, 0, 0))
        self._saved_mailboxes, self._saved_folders = {}, {}
        self._has_savepoint = False

    def finish(self) -> None:
        """Write everything that is still only here. The caller commits."""
        self._write_pending()
        mailboxes = [self._mailboxes.get(key) for key in self._dirty_mailboxes]
        folders = [self._folders.get(key) for key in self._dirty_folders]
        keep_mailboxes(self._connection, [m for m in mailboxes if m is not None])
        keep_folders(self._connection, [f for f in folders if f is not None])

    # --- a commit within it

    def begin(self) -> None:
        """A commit begins."""
        self._saved_mailboxes = {}
        self._saved_folders = {}
        self._marks = (
            len(self.items),
            len(self.places),
            len(self.tombstones),
            len(self.receipts),
            len(self.settled),
            len(self._references),
        )

    def succeed(self) -> None:
        """The commit is through."""
        self._dirty_mailboxes.update(self._saved_mailboxes)
        self._dirty_folders.update(self._saved_folders)
        self._note_advances()
        if self._has_savepoint:
            self._connection.execute("RELEASE one_commit")
            self._has_savepoint = False

    def undo(self) -> None:
        """The commit failed: as if it had never begun."""
        if self._has_savepoint:
            self._connection.execute("ROLLBACK TO one_commit")
            self._connection.execute("RELEASE one_commit")
            self._has_savepoint = False
            self.used = self._used_before
        self._pending_from(self._marks)
        for mailbox_id, mailbox in self._saved_mailboxes.items():
            if mailbox is None:
                self._mailboxes.pop(mailbox_id, None)
            else:
                self._mailboxes[mailbox_id] = mailbox
        for key, folder in self._saved_folders.items():
            if folder is None:
                self._folders.pop(key, None)
            else:
                self._folders[key] = folder

    def stands(self, receipt: bytes) -> bool:
        """Whether the receipt was committed and not settled, as this group knows it."""
        if any(receipt == row[0] for row in self.receipts):
            return True
        if receipt in self.settled or receipt in self._absent:
            return False
        found = self._connection.execute("SELECT 1 FROM receipt WHERE receipt = ?", (receipt,))
        return found.get is not None

    def direct(self) -> apsw.Connection:
        """For statements of one's own: what is collected is written, a savepoint stands."""
        if not self._has_savepoint:
            own = self._pending_from(self._marks)
            self._write_pending()
            self._connection.execute("SAVEPOINT one_commit")
            self._used_before = set(self.used)
            self._has_savepoint = True
            self.items, self.places, self.tombstones, self.receipts, self.settled = own[:5]
            self._references = own[5]
            self._marks = (0, 0, 0, 0, 0, 0)
        self._write_pending()
        return self._connection

    def _pending_from(self, begin: Marks) -> Pending:
        """Cut off what was collected since ``begin`` and give it."""
        items, places, tombstones, receipts, settled, references = begin
        own = (
            self.items[items:],
            self.places[places:],
            self.tombstones[tombstones:],
            self.receipts[receipts:],
            self.settled[settled:],
            self._references[references:],
        )
        del self.items[items:]
        del self.places[places:]
        del self.tombstones[tombstones:]
        del self.receipts[receipts:]
        del self.settled[settled:]
        del self._references[references:]
        return own

    # --- counters

    def mailbox(self, mailbox_id: MailboxId) -> MailboxRow:
        """Counters of a mailbox, to be changed. Raises NotFound."""
        row = self._mailboxes.get(mailbox_id)
        if row is None:
            found = rows_of(self._connection.execute(_MAILBOX, (mailbox_id,)))
            if not found:
                raise NotFound(f"mailbox {mailbox_id}")
            row = self._mailboxes[mailbox_id] = MailboxRow(*found[0])
        if mailbox_id not in self._saved_mailboxes:
            self._saved_mailboxes[mailbox_id] = row.copy()
        return row

    def folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> FolderRow:
        """Counters of a folder, to be changed. Raises NotFound."""
        key = (mailbox_id, folder_id)
        row = self._folders.get(key)
        if row is None:
            found = rows_of(self._connection.execute(_FOLDER, key))
            if not found:
                raise NotFound(f"folder {folder_id} of mailbox {mailbox_id}")
            row = self._folders[key] = FolderRow(*found[0])
        if key not in self._saved_folders:
            self._saved_folders[key] = row.copy()
        return row

    def next_item_id(self) -> ItemId:
        """The next number of an item: one sequence for the file."""
        house = self.mailbox(HOUSE)
        house.highest_cn += 1
        return ItemId(house.highest_cn)

    def enter_mailbox(self, row: MailboxRow) -> None:
        """A row inserted just now."""
        self._saved_mailboxes.setdefault(row.mailbox_id, None)
        self._mailboxes[row.mailbox_id] = row

    def enter_folder(self, row: FolderRow) -> None:
        """A row inserted just now."""
        key = (row.mailbox_id, row.folder_id)
        self._saved_folders.setdefault(key, None)
        self._folders[key] = row

    def strike_mailbox(self, mailbox_id: MailboxId) -> None:
        """A mailbox is no more."""
        self.mailbox(mailbox_id)
        del self._mailboxes[mailbox_id]

    def strike_folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> None:
        """A row deleted just now."""
        key = (mailbox_id, folder_id)
        self.folder(mailbox_id, folder_id)
        del self._folders[key]

    def _note_advances(self) -> None:
        """What there is to hint at: folders, or else the mailbox itself (folder 0)."""
        hinted: set[int] = set()
        for key, before in self._saved_folders.items():
            now = self._folders.get(key)
            if now is None:
                continue
            cn = max(now.highest_cn, now.changed_cn)
            if before is None or cn != max(before.highest_cn, before.changed_cn):
                self.advanced[key] = cn
                hinted.add(key[0])
        for mailbox_id, saved in self._saved_mailboxes.items():
            mailbox = self._mailboxes.get(mailbox_id)
            if mailbox is None or mailbox_id in hinted or mailbox_id == HOUSE:
                continue
            if saved is None or saved.highest_cn != mailbox.highest_cn:
                self.advanced[mailbox_id, FolderId(0)] = mailbox.highest_cn

    def strike_folders(self, mailbox_id: MailboxId) -> None:
        """All rows of a mailbox were deleted just now."""
        for key in [key for key in self._folders if key[0] == mailbox_id]:
            self.strike_folder(mailbox_id, key[1])

    # --- blobs

    def add_reference(self, ref: BlobRef) -> None:
        """One more row names the blob. Raises NotFound when it is neither staged nor known."""
        if ref.blob_hash in self.staged:
            self._references.append(ref)
            return
        if not add_references(self.direct(), [ref.blob_hash], 1):
            raise NotFound(f"blob {ref.blob_hash.hex()}")

    def _write_references(self) -> None:
        counts: dict[BlobHash, int] = {}
        fresh: list[Row] = []
        for ref in self._references:
            counts[ref.blob_hash] = counts.get(ref.blob_hash, 0) + 1
        if not counts:
            return
        known: dict[int, list[BlobHash]] = {}
        refs = {ref.blob_hash: ref for ref in self._references}
        for blob_hash, count in counts.items():
            location = self.staged[blob_hash]
            if location is None or blob_hash in self.used:
                known.setdefault(count, []).append(blob_hash)
            else:
                fresh.append(row_from_ref(refs[blob_hash], location, count))
        self._references = []
        try:
            insert_rows(self._connection, "blob", fresh)
        except apsw.ConstraintError as error:
            raise BlobsChangedError from error
        self.used.update(row[0] for row in fresh)
        for count, blobs in known.items():
            if add_references(self._connection, blobs, count) < len(blobs):
                raise BlobsChangedError

    # --- collected rows

    def _write_pending(self) -> None:
        if self._references:
            self._write_references()
        if self.items:
            rows, self.items = self.items, []
            insert_rows(self._connection, "item", rows)
        if self.places:
            rows, self.places = self.places, []
            insert_rows(self._connection, "place", rows)
        if self.tombstones:
            rows, self.tombstones = self.tombstones, []
            insert_rows(self._connection, "tombstone", rows)
        if self.settled:
            settled, self.settled = self.settled, []
            drop_receipts(self._connection, settled)
        if self.receipts:
            rows, self.receipts = self.receipts, []
            self._absent.difference_update(row[0] for row in rows)
            insert_rows(self._connection, "receipt", rows)
