"""MOVEITEMS: puts items into other folders.

Spec: [MS-ASCMD] §2.2.1.12, §2.2.3.177.10 (Status).

Notes:
    - Success is 3. A move whose answer was lost comes again: what lies in the target already has
      been moved, and its name there is told.
    - Within a mailbox an item keeps its number. Into another mailbox it goes as a copy, and is
      deleted where it was, in one commit; the owner of that mailbox can still recover it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model import batch
from posthouse.model.batch import AddItem, Batch, Commit, ExpungeItems
from posthouse.model.errors import NotFound, RemoteProtocolError, StoreError, Unavailable
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Item, ItemKind, NewItem, Place
from posthouse.model.rights import Rights
from posthouse.protocols.eas.collections import Collection, collection, item_named
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from posthouse.protocols.eas.session import Call

_BAD_SOURCE: Final = 1
_BAD_TARGET: Final = 2
_MOVED: Final = 3
_SAME_FOLDER: Final = 4
_FAILED: Final = 5
_ID_MAX: Final = 64
_AT_ONCE: Final = 200
_COPIES_MAX: Final = 20
_CLASSES: Final[Mapping[ItemKind, FolderClass]] = {
    ItemKind.MESSAGE: FolderClass.MAIL,
    ItemKind.APPOINTMENT: FolderClass.CALENDAR,
    ItemKind.CONTACT: FolderClass.CONTACTS,
    ItemKind.TASK: FolderClass.TASKS,
    ItemKind.NOTE: FolderClass.NOTES,
}


class _Refused(Exception):
    """This one move cannot be."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class _Told(Struct, frozen=True):
    """What is answered to one move."""

    status: int
    server_id: str = ""


class _Work(Struct, frozen=True):
    """A move that can be made.

    Attributes:
        source: where the item is.
        target: where it goes.
        item: as it stands.
        place: of it in the source.
    """

    source: Collection
    target: Collection
    item: Item
    place: Place


async def handle(call: Call, request: Element | None) -> Element:
    """Each move has its own answer, in the order of the request.

    Raises:
        RemoteProtocolError: there is no move, or there are too many.
        Unavailable: not now; some may have been moved.
    """
    asked = list(request.each("Move")) if request is not None else []
    if not asked or len(asked) > call.services.limits.commands:
        raise RemoteProtocolError("no move, or too many", "content")
    answers: dict[int, _Told] = {}
    groups: dict[tuple[str, str], dict[int, _Work]] = {}
    seen = _Seen(call)
    for index, one in enumerate(asked):
        try:
            work = await _work(seen, one)
        except _Refused as refusal:
            answers[index] = _Told(refusal.status)
            continue
        if isinstance(work, _Told):
            answers[index] = work
        else:
            key = (work.source.server_id, work.target.server_id)
            groups.setdefault(key, {})[index] = work
    for works in groups.values():
        indexes = list(works)
        for start in range(0, len(indexes), _AT_ONCE):
            some = indexes[start : start + _AT_ONCE]
            told = await _moved(call, [works[index] for index in some])
            answers.update(zip(some, told, strict=True))
    told_all = [_answer(one, answers[index]) for index, one in enumerate(asked)]
    return Element("Move", "MoveItems", told_all)


def _answer(asked: Element, told: _Told) -> Element:
    children = [
        Element("Move", "SrcMsgId", asked.text_of("SrcMsgId")[:_ID_MAX]),
        Element("Move", "Status", str(told.status)),
    ]
    if told.server_id:
        children.append(Element("Move", "DstMsgId", told.server_id))
    return Element("Move", "Response", children)


class _Seen:
    """Collections that were looked up in this request."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._known: dict[str, Collection] = {}

    async def collection(self, server_id: str, status: int) -> Collection:
        known = self._known.get(server_id)
        if known is None:
            try:
                known = await collection(self.call, server_id)
            except NotFound:
                raise _Refused(status) from None
            self._known[server_id] = known
        return known


async def _work(seen: _Seen, asked: Element) -> _Work | _Told:
    """What is to be done, or what is known already."""
    name = asked.text_of("SrcMsgId")
    source = await seen.collection(asked.text_of("SrcFldId"), _BAD_SOURCE)
    target = await seen.collection(asked.text_of("DstFldId"), _BAD_TARGET)
    if source.server_id == target.server_id:
        return _Told(_SAME_FOLDER)
    try:
        _, item_id = item_named(name)
    except NotFound:
        return _Told(_BAD_SOURCE)
    records = seen.call.services.store.records
    found = await records.items(source.mailbox_id, (item_id,))
    places = await records.item_places(source.mailbox_id, item_id)
    if not found:
        return _Told(_BAD_SOURCE)
    place = next((one for one in places if one.folder_id == source.folder_id), None)
    if place is None:
        there = await _moved_before(seen.call, found[0], places, source, target)
        return _Told(_BAD_SOURCE if there is None else _MOVED, there or "")
    may = source.rights & Rights.DELETE_ANY and target.rights & Rights.CREATE
    if not may or not _fits(found[0], target):
        return _Told(_FAILED)
    return _Work(source, target, found[0], place)


def _fits(item: Item, target: Collection) -> bool:
    if target.folder.role is FolderRole.DELETED:
        return True
    return _CLASSES.get(item.kind) is target.folder.folder_class


async def _moved_before(
    call: Call, item: Item, places: Sequence[Place], source: Collection, target: Collection
) -> str | None:
    """What an item that is not in its source any more is called in the target."""
    if source.mailbox_id == target.mailbox_id:
        is_there = any(place.folder_id == target.folder_id for place in places)
        return target.item_server_id(item.item_id) if is_there else None
    records, mailbox_id = call.services.store.records, target.mailbox_id
    columns = item.columns
    if columns.message_id:
        found = await records.by_message_id(mailbox_id, target.folder_id, columns.message_id)
    else:
        found = await records.by_ical_uid(mailbox_id, columns.ical_uid)
    for copy in await records.items(mailbox_id, list(found)[-_COPIES_MAX:]):
        if copy.blob is None or item.blob is None or copy.blob.blob_hash != item.blob.blob_hash:
            continue
        for place in await records.item_places(mailbox_id, copy.item_id):
            if place.folder_id == target.folder_id:
                return target.item_server_id(copy.item_id)
    return None


async def _moved(call: Call, works: Sequence[_Work]) -> list[_Told]:
    """Move some from one folder to another, together if that can be."""
    source, target = works[0].source, works[0].target
    move = _within if source.mailbox_id == target.mailbox_id else _across
    try:
        return await move(call, works)
    except Unavailable:
        raise
    except StoreError:
        if len(works) == 1:
            return [_Told(_FAILED)]
    told: list[_Told] = []
    for work in works:
        told += await _moved(call, [work])
    return told


async def _within(call: Call, works: Sequence[_Work]) -> list[_Told]:
    source, target = works[0].source, works[0].target
    item_ids = tuple(dict.fromkeys(work.item.item_id for work in works))
    operation = batch.MoveItems(source.folder_id, item_ids, target.folder_id)
    commit = Commit((Batch(source.mailbox_id, (operation,)),))
    (result,) = await call.services.store.apply(commit)
    moved = frozenset(result.results[0].item_ids)
    return [
        _Told(_MOVED, target.item_server_id(work.item.item_id))
        if work.item.item_id in moved
        else _Told(_BAD_SOURCE)
        for work in works
    ]


async def _across(call: Call, works: Sequence[_Work]) -> list[_Told]:
    source, target = works[0].source, works[0].target
    unique = {work.item.item_id: work for work in works}
    adds = tuple(AddItem(target.folder_id, _copy(work)) for work in unique.values())
    gone = ExpungeItems(source.folder_id, tuple(unique), call.services.clock.now_ms())
    unchanged = tuple(
        batch.ItemUnchanged(work.item.item_id, work.item.changed_cn) for work in unique.values()
    )
    batches = (Batch(target.mailbox_id, adds), Batch(source.mailbox_id, (gone,), unchanged))
    # Writers never wait in a circle.
    ordered = tuple(sorted(batches, key=lambda one: one.mailbox_id))
    results = await call.services.store.apply(Commit(ordered))
    added = results[ordered.index(batches[0])].results
    names = {
        item_id: target.item_server_id(one.item_ids[0])
        for item_id, one in zip(unique, added, strict=True)
    }
    return [_Told(_MOVED, names[work.item.item_id]) for work in works]


def _copy(work: _Work) -> NewItem:
    item = work.item
    return NewItem(
        item.kind,
        item.blob,
        work.place.received_at,
        item.prefix,
        work.place.flags,
        item.columns,
        item.bag,
    )
