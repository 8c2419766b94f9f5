"""Work: one batch under way, and the moves that several operations share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.backends.sqlite.rows import (
    FolderRow,
    PlaceRow,
    Row,
    in_list,
    padded,
    rows_of,
)
from posthouse.model.batch import Made
from posthouse.model.errors import Conflict, NotFound, QuotaExceeded, Unavailable
from posthouse.model.folder import FolderRole
from posthouse.model.ids import FolderId, ItemId, Uid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.backends.sqlite.books import Books
    from posthouse.backends.sqlite.rows import MailboxRow
    from posthouse.model.batch import OperationResult
    from posthouse.model.ids import MailboxId

RECOVERABLE = int(FolderRole.RECOVERABLE)
NUMBER_BITS = 48
SLICE = 512
"""Ids per statement."""

_PLACES = (
    "SELECT p.uid, p.item_id, p.created_cn, p.changed_cn, p.read_cn, p.flags, p.size_bytes, "
    "p.received_at FROM item i JOIN place p ON p.mailbox_id = i.mailbox_id "
    "AND p.folder_id = i.folder_id AND p.uid = i.uid WHERE i.mailbox_id = ? AND i.folder_id = ? "
    "AND i.item_id IN (?*)"
)
DELETE_ITEM = (
    "DELETE FROM item WHERE item_id = ?",
    "DELETE FROM item_card WHERE item_id = ?",
    "DELETE FROM recoverable WHERE item_id = ?",
)
_BLOBS_OF = (
    "SELECT blob_hash, count(*) FROM item WHERE blob_hash IS NOT NULL AND item_id IN (?*) "
    "GROUP BY blob_hash"
)
_FOLDER_PLACES = (
    "SELECT uid, item_id, created_cn, changed_cn, read_cn, flags, size_bytes, received_at "
    "FROM place WHERE mailbox_id = ? AND folder_id = ? AND uid > ? ORDER BY uid LIMIT ?"
)
_DELETE_PLACE = "DELETE FROM place WHERE mailbox_id = ? AND folder_id = ? AND uid = ?"
_CHANGE_PLACE = (
    "UPDATE place SET changed_cn = ?, read_cn = ?, mod_cn = ?, flags = ? WHERE mailbox_id = ? "
    "AND folder_id = ? AND uid = ?"
)
_MOVE_ITEM = "UPDATE item SET folder_id = ?, uid = ? WHERE item_id = ?"
_DROP_REFERENCES = (
    "UPDATE blob SET refs = refs - ?, dead_since = CASE WHEN refs > ? THEN 0 ELSE ? END "
    "WHERE blob_hash = ?"
)


class Work:
    """One batch.

    Operations read and change the counters here and add their results to ``results``.
    """

    __slots__ = ("books", "mailbox", "mailbox_id", "results")

    def __init__(self, books: Books, mailbox_id: MailboxId) -> None:
        if not mailbox_id:
            raise NotFound("mailbox 0")
        self.books = books
        self.mailbox_id = mailbox_id
        self.mailbox: MailboxRow = books.mailbox(mailbox_id)
        self.results: list[OperationResult] = []

    # --- numbers and counters

    def next_cn(self) -> int:
        """The next change number of the mailbox."""
        cn = self.mailbox.highest_cn = self.mailbox.highest_cn + 1
        if cn >> NUMBER_BITS:
            raise Unavailable("the change numbers of this mailbox are used up")
        return cn

    def folder(self, folder: FolderId | Made) -> FolderRow:
        """A folder by id, or the one an earlier operation made. Raises NotFound."""
        if isinstance(folder, Made):
            made = (
                self.results[folder.index].folder_id if folder.index < len(self.results) else None
            )
            if made is None:
                raise NotFound(f"operation {folder.index} made no folder")
            folder = made
        return self.books.folder(self.mailbox_id, folder)

    def items(self, item_ids: Sequence[ItemId | Made]) -> list[ItemId]:
        """Items by id, or those that earlier operations made. Raises NotFound."""
        return [self._made(one) if isinstance(one, Made) else one for one in item_ids]

    def _made(self, made: Made) -> ItemId:
        found = self.results[made.index].item_ids if made.index < len(self.results) else ()
        if not found:
            raise NotFound(f"operation {made.index} made no item")
        return found[0]

    def count(self, folder: FolderRow, items: int, unread: int, size_bytes: int) -> None:
        """Add to the counters of folder and mailbox."""
        mailbox = self.mailbox
        if folder.role == RECOVERABLE:
            mailbox.recoverable_bytes += size_bytes
        else:
            mailbox.size_bytes += size_bytes
            mailbox.item_count += items
        folder.item_count += items
        folder.unread_count += unread
        folder.size_bytes += size_bytes

    def require_room(self, folder: FolderRow, size_bytes: int) -> None:
        """Raises QuotaExceeded when so many more bytes in this folder would pass the quota."""
        mailbox = self.mailbox
        if (
            size_bytes > 0
            and 0 < mailbox.quota_bytes < mailbox.size_bytes + size_bytes
            and folder.role != RECOVERABLE
        ):
            raise QuotaExceeded(f"mailbox {self.mailbox_id} has no room for {size_bytes} bytes")

    # --- places

    def places(self, folder_id: FolderId, item_ids: Sequence[ItemId]) -> list[PlaceRow]:
        """Places of the items that lie in the folder, in the order asked for, each once."""
        connection = self.books.direct()
        found: dict[ItemId, PlaceRow] = {}
        for start in range(0, len(item_ids), SLICE):
            wanted = item_ids[start : start + SLICE]
            keys = padded(wanted)
            sql = in_list(_PLACES, len(keys))
            for row in connection.execute(sql, [self.mailbox_id, folder_id, *keys]):
                place = PlaceRow(*row)
                found[place.item_id] = place
        return [found[i] for i in dict.fromkeys(item_ids) if i in found]

    def folder_places(self, folder_id: FolderId, after: int, limit: int) -> list[PlaceRow]:
        """Places of a folder in order of uid."""
        rows = self.books.direct().execute(
            _FOLDER_PLACES, (self.mailbox_id, folder_id, after, limit)
        )
        return [PlaceRow(*row) for row in rows]

    def add_place(self, folder: FolderRow, item_id: ItemId, place: PlaceRow, cn: int) -> Uid:
        """Put an item into a folder at ``cn``, with marks, size and time of ``place``; its uid."""
        uid = folder.uid_next
        folder.uid_next = uid + 1
        self.books.places.append(
            (
                self.mailbox_id,
                folder.folder_id,
                uid,
                item_id,
                cn,
                cn,
                0,
                cn,
                place.flags,
                place.size_bytes,
                place.received_at,
            )
        )
        return Uid(uid)

    def remove_places(
        self, folder: FolderRow, places: Sequence[PlaceRow], cns: Sequence[int]
    ) -> None:
        """Take places out of a folder, leaving tombstones, and out of its counters.

        The items stay.
        """
        books, mailbox_id, folder_id = self.books, self.mailbox_id, folder.folder_id
        books.direct().executemany(
            _DELETE_PLACE, [(mailbox_id, folder_id, place.uid) for place in places]
        )
        for place, cn in zip(places, cns, strict=True):
            books.tombstones.append(
                (mailbox_id, folder_id, cn, place.uid, place.item_id, place.created_cn, books.now)
            )
        self.count(
            folder,
            -len(places),
            -sum(place.is_unread for place in places),
            -sum(place.size_bytes for place in places),
        )
        if places:
            folder.highest_cn = cns[-1]

    def change_places(self, folder: FolderRow, changed: Iterable[PlaceRow]) -> None:
        """Write marks and numbers of places back."""
        self.books.direct().executemany(
            _CHANGE_PLACE,
            [
                (
                    p.changed_cn,
                    p.read_cn,
                    max(p.changed_cn, p.read_cn),
                    p.flags,
                    self.mailbox_id,
                    folder.folder_id,
                    p.uid,
                )
                for p in changed
            ],
        )

    def relocate(
        self, source: FolderRow, places: Sequence[PlaceRow], target: FolderRow
    ) -> list[Uid]:
        """Move items: the same item ids, new uids; vanished here, created there.

        One number serves both ends of a move, except within one folder, where a page must not split
        them.
        """
        is_same = source.folder_id == target.folder_id
        gone: list[int] = []
        uids: list[Uid] = []
        moved: list[Row] = []
        cn = 0
        for place in places:
            cn = self.next_cn()
            gone.append(cn)
            if is_same:
                cn = self.next_cn()
            uid = self.add_place(target, place.item_id, place, cn)
            uids.append(uid)
            moved.append((target.folder_id, uid, place.item_id))
        if not places:
            return uids
        self.remove_places(source, places, gone)
        self.count(
            target,
            len(places),
            sum(place.is_unread for place in places),
            sum(place.size_bytes for place in places),
        )
        target.highest_cn = cn
        self.books.direct().executemany(_MOVE_ITEM, moved)
        return uids

    # --- Recoverable Items

    def recover_folder(self) -> FolderRow:
        """The mailbox's Recoverable Items."""
        return self.books.folder(self.mailbox_id, FolderId(self.mailbox.recoverable_id))

    def make_recoverable(
        self, source: FolderRow, places: Sequence[PlaceRow], deleted_at: int
    ) -> None:
        """Move items to Recoverable Items, remembering when and whence."""
        self.relocate(source, places, self.recover_folder())
        self.books.direct().executemany(
            "INSERT INTO recoverable (item_id, deleted_at, origin_id) VALUES (?, ?, ?) "
            "ON CONFLICT (item_id) DO UPDATE SET deleted_at = excluded.deleted_at, origin_id = "
            "excluded.origin_id",
            [(p.item_id, deleted_at, source.folder_id) for p in places],
        )

    def forget_recoverable(self, places: Sequence[PlaceRow]) -> None:
        """They have left Recoverable Items."""
        self.books.direct().executemany(
            "DELETE FROM recoverable WHERE item_id = ?",
            [(p.item_id,) for p in places],
        )

    def destroy(self, folder: FolderRow, places: Sequence[PlaceRow]) -> None:
        """Delete items for good, with all that hangs on them."""
        if not places:
            return
        self.remove_places(folder, places, [self.next_cn() for _ in places])
        keys = [p.item_id for p in places]
        connection = self.books.direct()
        for start in range(0, len(keys), SLICE):
            portion = padded(keys[start : start + SLICE])
            rows = connection.execute(in_list(_BLOBS_OF, len(portion)), portion)
            drop_references(self.books, [(row[0], row[1]) for row in rows_of(rows)])
        for sql in DELETE_ITEM:
            connection.executemany(sql, [(k,) for k in keys])
        connection.executemany(
            "DELETE FROM hidden WHERE mailbox_id = ? AND item_id = ?",
            [(self.mailbox_id, p.item_id) for p in places],
        )

    def require_ordinary(self, folder: FolderRow) -> None:
        """Raises Conflict for Recoverable Items, which has its own ways in and out."""
        if folder.role == RECOVERABLE:
            raise Conflict("Recoverable Items")


def drop_references(books: Books, counts: Sequence[tuple[bytes, int]]) -> None:
    """So many rows that named these blobs are gone; at zero a blob is dead from now on."""
    books.direct().executemany(
        _DROP_REFERENCES, [(count, count, books.now, blob_hash) for blob_hash, count in counts]
    )
