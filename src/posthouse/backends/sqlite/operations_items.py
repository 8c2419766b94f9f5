"""Operations on items: add, copy, move, expunge, restore, new content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.backends.sqlite.rows import (
    ITEM_COLUMNS,
    SEEN,
    columns_row,
    in_list,
    padded,
)
from posthouse.backends.sqlite.work import RECOVERABLE, SLICE, drop_references
from posthouse.model.batch import OperationResult
from posthouse.model.errors import NotFound
from posthouse.model.ids import ChangeNumber, FolderId, ItemId, Uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.backends.sqlite.rows import FolderRow, PlaceRow, Row
    from posthouse.backends.sqlite.work import Work
    from posthouse.model.batch import (
        AddItem,
        ChangeContent,
        CopyItems,
        ExpungeItems,
        MoveItems,
        RestoreItems,
    )

_ITEMS = f"SELECT {ITEM_COLUMNS} FROM item WHERE item_id IN (?*)"  # noqa: S608 - constants
_CHANGE_CONTENT = (
    "UPDATE item SET uid = ?, changed_cn = ?, blob_hash = ?, prefix = ?, bag = ?, message_key = "
    "?, sent_at = ?, message_id = ?, subject = ?, sender = ?, recipients = ?, thread = ?, "
    "item_class = ?, importance = ?, has_attachments = ?, start_at = ?, end_at = ?, ical_uid = "
    "?, name = ? WHERE item_id = ?"
)


def add_item(work: Work, operation: AddItem) -> OperationResult:
    """AddItem. The hot path: it runs no statement of its own."""
    item = operation.item
    blob = item.blob
    books, mailbox_id = work.books, work.mailbox_id
    folder = work.folder(operation.folder)
    size = item.size_bytes
    work.require_room(folder, size)
    if blob is not None:
        books.add_reference(blob)
    cn = work.next_cn()
    item_id = books.next_item_id()
    uid = folder.uid_next
    folder.uid_next = uid + 1
    folder.highest_cn = cn
    flags = int(item.flags)
    work.count(folder, 1, 0 if flags & SEEN else 1, size)
    books.items.append(
        (
            item_id,
            mailbox_id,
            folder.folder_id,
            uid,
            cn,
            int(item.kind),
            blob.blob_hash if blob is not None else None,
            item.prefix,
            item.received_at,
            *columns_row(item.columns),
            item.bag,
            item.uidl,
        )
    )
    books.places.append(
        (mailbox_id, folder.folder_id, uid, item_id, cn, cn, 0, cn, flags, size, item.received_at)
    )
    if folder.role == RECOVERABLE:
        books.direct().execute(
            "INSERT INTO recoverable (item_id, deleted_at, origin_id) VALUES (?, ?, 0)",
            (item_id, books.now),
        )
    return OperationResult(item_ids=(item_id,), uids=(Uid(uid),))


def copy_items(work: Work, operation: CopyItems) -> OperationResult:
    """CopyItems: all of them, or NotFound.

    The copies share the blob; an imported UIDL stays with the original.
    """
    source, target = work.folder(operation.source), work.folder(operation.target)
    work.require_ordinary(target)
    places = work.places(source.folder_id, operation.item_ids)
    if len(places) < len(set(operation.item_ids)):
        raise NotFound(f"items of folder {source.folder_id} of mailbox {work.mailbox_id}")
    work.require_room(target, sum(p.size_bytes for p in places))
    ids: list[ItemId] = []
    uids: list[Uid] = []
    for start in range(0, len(places), SLICE):
        _copy_slice(work, places[start : start + SLICE], target, (ids, uids))
    return OperationResult(item_ids=tuple(ids), uids=tuple(uids))


def _copy_slice(
    work: Work,
    places: Sequence[PlaceRow],
    target: FolderRow,
    made: tuple[list[ItemId], list[Uid]],
) -> None:
    books, mailbox_id = work.books, work.mailbox_id
    connection = books.direct()
    keys = padded([p.item_id for p in places])
    rows: dict[int, Row] = {
        row[0]: row for row in connection.execute(in_list(_ITEMS, len(keys)), keys)
    }
    cards: list[tuple[int, int]] = []
    references: dict[bytes, int] = {}
    for place in places:
        old = rows[place.item_id]
        cn = work.next_cn()
        item_id = books.next_item_id()
        uid = work.add_place(target, item_id, place, cn)
        books.items.append((item_id, mailbox_id, target.folder_id, uid, cn, *old[5:-1], ""))
        cards.append((item_id, old[0]))
        if old[6] is not None:
            references[old[6]] = references.get(old[6], 0) + 1
        made[0].append(item_id)
        made[1].append(uid)
        target.highest_cn = cn
        work.count(target, 1, int(place.is_unread), place.size_bytes)
    connection.executemany(
        "INSERT INTO item_card (item_id, card) SELECT ?, card FROM item_card WHERE item_id = ?",
        cards,
    )
    connection.executemany(
        "UPDATE blob SET refs = refs + ? WHERE blob_hash = ?",
        [(count, blob_hash) for blob_hash, count in references.items()],
    )


def move_items(work: Work, operation: MoveItems) -> OperationResult:
    """MoveItems. Into Recoverable Items it is a deletion, out of it a restoration."""
    source, target = work.folder(operation.source), work.folder(operation.target)
    places = work.places(source.folder_id, work.items(operation.item_ids))
    uids = _move(work, source, places, target)
    return OperationResult(item_ids=tuple(p.item_id for p in places), uids=tuple(uids))


def _move(
    work: Work, source: FolderRow, places: Sequence[PlaceRow], target: FolderRow
) -> list[Uid]:
    if source.role == RECOVERABLE and target.role != RECOVERABLE:
        work.require_room(target, sum(p.size_bytes for p in places))
        work.forget_recoverable(places)
    elif target.role == RECOVERABLE and source.role != RECOVERABLE:
        first = target.uid_next
        work.make_recoverable(source, places, work.books.now)
        return [Uid(uid) for uid in range(first, target.uid_next)]
    return work.relocate(source, places, target)


def expunge_items(work: Work, operation: ExpungeItems) -> OperationResult:
    """ExpungeItems."""
    folder = work.folder(operation.folder)
    places = work.places(folder.folder_id, operation.item_ids)
    if operation.is_final:
        work.destroy(folder, places)
    else:
        work.require_ordinary(folder)
        work.make_recoverable(folder, places, operation.at)
    return OperationResult()


def restore_items(work: Work, operation: RestoreItems) -> OperationResult:
    """RestoreItems: to the folder each was deleted from while that stands, else to the target."""
    source, fallback = work.recover_folder(), work.folder(operation.target)
    work.require_ordinary(fallback)
    places = work.places(source.folder_id, operation.item_ids)
    origins = _origins(work, places)
    groups: dict[FolderId, list[PlaceRow]] = {}
    for place in places:
        groups.setdefault(origins.get(place.item_id, fallback.folder_id), []).append(place)
    uids: dict[ItemId, Uid] = {}
    for folder_id, group in groups.items():
        moved = _move(work, source, group, _standing(work, folder_id) or fallback)
        uids.update(zip((p.item_id for p in group), moved, strict=True))
    return OperationResult(
        item_ids=tuple(p.item_id for p in places), uids=tuple(uids[p.item_id] for p in places)
    )


def _standing(work: Work, folder_id: FolderId) -> FolderRow | None:
    try:
        folder = work.folder(folder_id)
    except NotFound:
        return None
    return None if folder.role == RECOVERABLE else folder


def _origins(work: Work, places: Sequence[PlaceRow]) -> dict[ItemId, FolderId]:
    connection = work.books.direct()
    out: dict[ItemId, FolderId] = {}
    for place in places:
        found = connection.execute(
            "SELECT origin_id FROM recoverable WHERE item_id = ? AND origin_id <> 0",
            (place.item_id,),
        ).get
        if found is not None:
            out[place.item_id] = FolderId(found)
    return out


def change_content(work: Work, operation: ChangeContent) -> OperationResult:
    """ChangeContent. The old place vanishes under one number, the new one comes under the next."""
    folder = work.folder(operation.folder)
    work.require_ordinary(folder)
    places = work.places(folder.folder_id, (operation.item_id,))
    if not places:
        raise NotFound(f"item {operation.item_id} of folder {folder.folder_id}")
    books, place = work.books, places[0]
    key = place.item_id
    size = len(operation.prefix) + operation.blob.served_bytes
    work.require_room(folder, size - place.size_bytes)
    books.add_reference(operation.blob)
    connection = books.direct()
    old = connection.execute("SELECT blob_hash FROM item WHERE item_id = ?", (key,)).get
    work.remove_places(folder, places, [work.next_cn()])
    cn = ChangeNumber(work.next_cn())
    place.size_bytes = size
    uid = work.add_place(folder, place.item_id, place, cn)
    folder.highest_cn = cn
    work.count(folder, 1, int(place.is_unread), size)
    connection.execute(
        _CHANGE_CONTENT,
        (
            uid,
            cn,
            operation.blob.blob_hash,
            operation.prefix,
            operation.bag,
            *columns_row(operation.columns),
            key,
        ),
    )
    connection.execute("DELETE FROM item_card WHERE item_id = ?", (key,))
    if old is not None:
        drop_references(books, [(old, 1)])
    return OperationResult(uids=(uid,))
