"""What operations on items do to the memory engine's dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posthouse.backends.memory.state import changed
from posthouse.model.batch import (
    AddItem,
    ChangeContent,
    ChangeFlags,
    ChangeProperties,
    CopyItems,
    EpochIs,
    ExpungeItems,
    FolderUnchanged,
    HideItems,
    ItemUnchanged,
    Made,
    MessageIdAbsent,
    MoveItems,
    OperationResult,
    PolicyUnchanged,
    RestoreItems,
    ShowItems,
)
from posthouse.model.errors import Conflict, NotFound
from posthouse.model.folder import FolderRole
from posthouse.model.ids import ChangeNumber, FolderId, ItemId, Uid
from posthouse.model.item import Flags, Item, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.backends.memory.state import Box, House
    from posthouse.model.batch import Precondition


@dataclass(slots=True)
class Work:
    """One batch under way."""

    house: House
    box: Box
    results: list[OperationResult]
    now: int

    def folder_id(self, folder: FolderId | Made) -> FolderId:
        """The folder meant. Raises NotFound."""
        if isinstance(folder, Made):
            made = (
                self.results[folder.index].folder_id if folder.index < len(self.results) else None
            )
            if made is None:
                raise NotFound(f"operation {folder.index} made no folder")
            return made
        return self.box.folder(folder).folder_id

    def item_id(self, item: ItemId | Made) -> ItemId:
        """The item meant. Raises NotFound."""
        if not isinstance(item, Made):
            return item
        made = self.results[item.index].item_ids if item.index < len(self.results) else ()
        if not made:
            raise NotFound(f"operation {item.index} made no item")
        return made[0]


def require(box: Box, precondition: Precondition) -> None:
    """Raises Conflict when the precondition does not hold."""
    holds = False
    match precondition:
        case ItemUnchanged(item_id, changed_cn):
            item = box.items.get(item_id)
            holds = item is not None and item.changed_cn == changed_cn
        case FolderUnchanged(folder_id, changed_cn):
            holds = box.folder(folder_id).changed_cn == changed_cn
        case EpochIs(epoch):
            holds = box.head.epoch == epoch
        case MessageIdAbsent(folder_id, message_id):
            there = (box.items[p.item_id].columns.message_id for p in box.in_folder(folder_id))
            holds = not message_id or message_id not in there
        case PolicyUnchanged(settings, rules):
            holds = settings in (None, box.head.settings) and rules in (None, box.rules)
    if not holds:
        raise Conflict(f"{precondition} does not hold in mailbox {box.head.mailbox_id}")


def _add_item(work: Work, operation: AddItem) -> OperationResult:
    box, new = work.box, operation.item
    folder_id = work.folder_id(operation.folder)
    box.require_room(folder_id, new.size_bytes)
    if new.blob is not None:
        work.house.add_reference(new.blob)
    item_id, cn = work.house.next_item_id(), box.next_cn()
    box.items[item_id] = Item(
        item_id,
        new.kind,
        cn,
        new.blob,
        new.prefix,
        new.received_at,
        new.columns,
        new.bag,
        b"",
        new.uidl,
    )
    none = ChangeNumber(0)
    place = Place(
        folder_id, Uid(0), item_id, none, none, none, new.flags, new.size_bytes, new.received_at
    )
    if box.folders[folder_id].role is FolderRole.RECOVERABLE:
        box.deleted[item_id] = (work.now, FolderId(0))
    return OperationResult(item_ids=(item_id,), uids=(box.put(folder_id, place, cn),))


def _copy_items(work: Work, operation: CopyItems) -> OperationResult:
    box = work.box
    source, target = work.folder_id(operation.source), work.folder_id(operation.target)
    box.require_ordinary(target)
    places = box.find(source, operation.item_ids)
    if len(places) < len(set(operation.item_ids)):
        raise NotFound(f"items of folder {source}")
    box.require_room(target, sum(place.size_bytes for place in places))
    ids, uids = [], []
    for place in places:
        item_id, cn = work.house.next_item_id(), box.next_cn()
        old = box.items[place.item_id]
        if old.blob is not None:
            work.house.add_reference(old.blob)
        box.items[item_id] = changed(old, item_id=item_id, changed_cn=cn, uidl="")
        ids.append(item_id)
        uids.append(box.put(target, changed(place, item_id=item_id), cn))
    return OperationResult(item_ids=tuple(ids), uids=tuple(uids))


def _move_items(work: Work, operation: MoveItems) -> OperationResult:
    box = work.box
    source, target = work.folder_id(operation.source), work.folder_id(operation.target)
    places = box.find(source, [work.item_id(one) for one in operation.item_ids])
    if box.folders[source].role is FolderRole.RECOVERABLE:
        box.require_room(target, sum(place.size_bytes for place in places))
    uids = tuple(box.move(place, target, work.now) for place in places)
    return OperationResult(item_ids=tuple(p.item_id for p in places), uids=uids)


def _expunge_items(work: Work, operation: ExpungeItems) -> OperationResult:
    box = work.box
    folder_id = work.folder_id(operation.folder)
    if not operation.is_final:
        box.require_ordinary(folder_id)
    for place in box.find(folder_id, operation.item_ids):
        if operation.is_final:
            work.house.drop_reference(box.destroy(place, work.now), work.now)
        else:
            box.move(place, box.role_folder(FolderRole.RECOVERABLE), work.now)
            box.deleted[place.item_id] = (operation.at, folder_id)
    return OperationResult()


def _restore_items(work: Work, operation: RestoreItems) -> OperationResult:
    box = work.box
    box.require_ordinary(operation.target)
    source = box.role_folder(FolderRole.RECOVERABLE)
    places = box.find(source, operation.item_ids)
    origins = {place.item_id: box.deleted[place.item_id][1] for place in places}
    uids: dict[int, Uid] = {}
    for origin in dict.fromkeys(origins.values()):
        target = origin if origin in box.folders and origin != source else operation.target
        group = [place for place in places if origins[place.item_id] == origin]
        box.require_room(target, sum(place.size_bytes for place in group))
        for place in group:
            uids[place.item_id] = box.move(place, target, work.now)
    return OperationResult(
        item_ids=tuple(p.item_id for p in places), uids=tuple(uids[p.item_id] for p in places)
    )


def _change_content(work: Work, operation: ChangeContent) -> OperationResult:
    box, house = work.box, work.house
    folder_id = work.folder_id(operation.folder)
    box.require_ordinary(folder_id)
    places = box.find(folder_id, (operation.item_id,))
    if not places:
        raise NotFound(f"item {operation.item_id} of folder {folder_id}")
    size = len(operation.prefix) + operation.blob.served_bytes
    box.require_room(folder_id, size - places[0].size_bytes)
    house.add_reference(operation.blob)
    old = box.items[operation.item_id]
    box.take(places[0], work.now)
    cn = box.next_cn()
    box.items[operation.item_id] = changed(
        old,
        changed_cn=cn,
        blob=operation.blob,
        prefix=operation.prefix,
        columns=operation.columns,
        bag=operation.bag,
        card=b"",
    )
    house.drop_reference(old.blob, work.now)
    return OperationResult(uids=(box.put(folder_id, changed(places[0], size_bytes=size), cn),))


def _change_flags(work: Work, operation: ChangeFlags) -> OperationResult:
    box = work.box
    folder_id = work.folder_id(operation.folder)
    left = []
    for place in box.find(folder_id, operation.item_ids):
        limit = operation.unchanged_since
        if limit is not None and max(place.changed_cn, place.read_cn) > limit:
            left.append(place.item_id)
            continue
        flags = (place.flags | operation.add) & ~operation.remove
        difference = flags ^ place.flags
        if not difference:
            continue
        cn = box.next_cn()
        box.places[place.item_id] = changed(
            place,
            flags=flags,
            read_cn=cn if Flags.SEEN in difference else place.read_cn,
            changed_cn=cn if difference & ~Flags.SEEN else place.changed_cn,
        )
        box.touch(folder_id, cn)
    return OperationResult(item_ids=tuple(left))


def _change_properties(work: Work, operation: ChangeProperties) -> OperationResult:
    box = work.box
    item = box.items.get(operation.item_id)
    if item is None:
        raise NotFound(f"item {operation.item_id}")
    if operation.card is not None:
        item = changed(item, card=operation.card)
    if operation.columns is not None or operation.bag is not None:
        cn = box.next_cn()
        item = changed(
            item,
            columns=item.columns if operation.columns is None else operation.columns,
            bag=item.bag if operation.bag is None else operation.bag,
            changed_cn=cn,
        )
        place = box.places[operation.item_id]
        box.places[operation.item_id] = changed(place, changed_cn=cn)
        box.touch(place.folder_id, cn)
    box.items[operation.item_id] = item
    return OperationResult()


def _hide_items(work: Work, operation: HideItems) -> OperationResult:
    box, view = work.box, operation.view
    known = box.items.keys() & set(operation.item_ids)
    box.hidden[view] = box.hidden.get(view, frozenset()) | known
    box.hidden_versions[view] = box.hidden_versions.get(view, 0) + 1
    return OperationResult()


def _show_items(work: Work, operation: ShowItems) -> OperationResult:
    box, view = work.box, operation.view
    shown = operation.item_ids or tuple(box.hidden.get(view, ()))
    box.hidden[view] = box.hidden.get(view, frozenset()) - set(shown)
    box.hidden_versions[view] = box.hidden_versions.get(view, 0) + 1
    return OperationResult()


ITEM_OPERATIONS: dict[type, Callable[[Work, Any], OperationResult]] = {
    AddItem: _add_item,
    CopyItems: _copy_items,
    MoveItems: _move_items,
    ExpungeItems: _expunge_items,
    RestoreItems: _restore_items,
    ChangeContent: _change_content,
    ChangeFlags: _change_flags,
    ChangeProperties: _change_properties,
    HideItems: _hide_items,
    ShowItems: _show_items,
}
