"""Operations on marks: flags, properties, what a device has hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.backends.sqlite.rows import SEEN, columns_row
from posthouse.model.batch import OperationResult
from posthouse.model.errors import NotFound
from posthouse.model.ids import ChangeNumber, FolderId

if TYPE_CHECKING:
    from posthouse.backends.sqlite.rows import PlaceRow
    from posthouse.backends.sqlite.work import Work
    from posthouse.model.batch import ChangeFlags, ChangeProperties, HideItems, ShowItems
    from posthouse.model.ids import ItemId, ViewId

_CHANGE_COLUMNS = (
    "UPDATE item SET message_key = ?, sent_at = ?, message_id = ?, subject = ?, sender = ?, "
    "recipients = ?, thread = ?, item_class = ?, importance = ?, has_attachments = ?, start_at = "
    "?, end_at = ?, ical_uid = ?, name = ? WHERE item_id = ?"
)
_SEE_MORE = (
    "INSERT INTO hidden_view (mailbox_id, view_id, version) VALUES (?, ?, 1) "
    "ON CONFLICT (mailbox_id, view_id) DO UPDATE SET version = hidden_view.version + 1"
)


def change_flags(work: Work, operation: ChangeFlags) -> OperationResult:
    """ChangeFlags: a change of SEEN alone is a change of the read state and counts apart."""
    folder = work.folder(operation.folder)
    add, remove = operation.add.value, operation.remove.value
    limit = operation.unchanged_since
    changed: list[PlaceRow] = []
    left: list[ItemId] = []
    for place in work.places(folder.folder_id, operation.item_ids):
        if limit is not None and max(place.changed_cn, place.read_cn) > limit:
            left.append(place.item_id)
            continue
        flags = (place.flags | add) & ~remove
        difference = flags ^ place.flags
        if not difference:
            continue
        cn = ChangeNumber(work.next_cn())
        if difference & SEEN:
            place.read_cn = cn
            folder.unread_count += -1 if flags & SEEN else 1
        if difference & ~SEEN:
            place.changed_cn = cn
        place.flags = flags
        folder.highest_cn = cn
        changed.append(place)
    work.change_places(folder, changed)
    return OperationResult(item_ids=tuple(left))


def change_properties(work: Work, operation: ChangeProperties) -> OperationResult:
    """ChangeProperties. A card shows nothing new, so it alone takes no number."""
    connection = work.books.direct()
    key = operation.item_id
    folder_id = connection.execute(
        "SELECT folder_id FROM item WHERE item_id = ? AND mailbox_id = ?", (key, work.mailbox_id)
    ).get
    if folder_id is None:
        raise NotFound(f"item {operation.item_id} of mailbox {work.mailbox_id}")
    if operation.card is not None:
        connection.execute(
            "INSERT INTO item_card (item_id, card) VALUES (?, ?) ON CONFLICT (item_id) DO UPDATE "
            "SET card = excluded.card",
            (key, operation.card),
        )
    if operation.columns is not None:
        connection.execute(_CHANGE_COLUMNS, (*columns_row(operation.columns), key))
    if operation.bag is not None:
        connection.execute("UPDATE item SET bag = ? WHERE item_id = ?", (operation.bag, key))
    if operation.columns is not None or operation.bag is not None:
        _count_change(work, FolderId(folder_id), operation.item_id)
    return OperationResult()


def _count_change(work: Work, folder_id: FolderId, item_id: ItemId) -> None:
    folder = work.folder(folder_id)
    cn = ChangeNumber(work.next_cn())
    places = work.places(folder_id, (item_id,))
    for place in places:
        place.changed_cn = cn
    work.change_places(folder, places)
    folder.highest_cn = cn
    work.books.direct().execute(
        "UPDATE item SET changed_cn = ? WHERE item_id = ?",
        (cn, item_id),
    )


def hide_items(work: Work, operation: HideItems) -> OperationResult:
    """HideItems. Items that are gone are left out, so that nothing is kept about them."""
    connection = work.books.direct()
    connection.executemany(
        "INSERT INTO hidden (mailbox_id, view_id, item_id) SELECT mailbox_id, ?, item_id "
        "FROM item WHERE item_id = ? AND mailbox_id = ? "
        "ON CONFLICT (mailbox_id, view_id, item_id) DO NOTHING",
        [(operation.view, item_id, work.mailbox_id) for item_id in operation.item_ids],
    )
    _note_view(work, operation.view)
    return OperationResult()


def show_items(work: Work, operation: ShowItems) -> OperationResult:
    """ShowItems."""
    connection = work.books.direct()
    if operation.item_ids:
        connection.executemany(
            "DELETE FROM hidden WHERE mailbox_id = ? AND view_id = ? AND item_id = ?",
            [(work.mailbox_id, operation.view, item_id) for item_id in operation.item_ids],
        )
    else:
        connection.execute(
            "DELETE FROM hidden WHERE mailbox_id = ? AND view_id = ?",
            (work.mailbox_id, operation.view),
        )
    _note_view(work, operation.view)
    return OperationResult()


def _note_view(work: Work, view: ViewId) -> None:
    work.books.direct().execute(_SEE_MORE, (work.mailbox_id, view))
