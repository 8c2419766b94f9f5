"""ITEMOPERATIONS: fetches items and attachments, empties folders, moves conversations.

Spec: [MS-ASCMD] §2.2.1.10, §2.2.3.177.8 (Status); [MS-ASCON] §2.2.2.7 (Move).
Departs: [MS-ASCON] §2.2.2.8 (MoveAlways), because nothing here watches for what comes later: only
    what is there is moved, and what is in Deleted Items and Junk Email stays there.

Notes:
    What is emptied goes to Recoverable Items. A conversation is moved out of the folders of the
    person's own mailbox; the newest messages of each are looked through, since nothing keeps
    conversations together.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from posthouse.model.batch import Batch, Commit, ExpungeItems, MoveItems, RemoveFolder
from posthouse.model.errors import (
    Conflict,
    NotFound,
    PosthouseError,
    RemoteProtocolError,
    StoreError,
    Unavailable,
)
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import Uid
from posthouse.model.message_bag import bag_of
from posthouse.model.rights import Rights
from posthouse.protocols.eas.collections import collection
from posthouse.protocols.eas.fetching import Fetcher, FetchRefused
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.email import conversation_id
from posthouse.protocols.eas.wire.item_operations import (
    MULTIPART_TYPE,
    conversation_asked,
    fetch_asked,
    multipart,
)
from posthouse.protocols.eas.wire.wbxml import encode
from posthouse.runtime.http import Answer

if TYPE_CHECKING:
    from posthouse.model.folder import Folder
    from posthouse.model.ids import FolderId, ItemId
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call

_SPACE: Final = "ItemOperations"
_SUCCESS: Final = 1
_PROTOCOL: Final = 2
_SERVER: Final = 3
_NOT_FOUND: Final = 6
_FAILED: Final = 14
_DENIED: Final = 16
_PARTLY: Final = 17
_NOT_ALWAYS: Final = 155
_BAD_TARGET: Final = 156
_PAGE: Final = 1_000
_LOOKED_THROUGH_MAX: Final = 20_000
_LEFT_ALONE: Final = frozenset(
    {
        FolderRole.SENT,
        FolderRole.DRAFTS,
        FolderRole.OUTBOX,
        FolderRole.DELETED,
        FolderRole.JUNK,
        FolderRole.RECOVERABLE,
    }
)


async def handle(call: Call, request: Element | None) -> Element | Answer:
    """Each operation has its own answer; an Answer when the device takes several parts.

    Raises:
        RemoteProtocolError: there is no operation, or there are too many.
    """
    asked = request.children if request is not None else []
    if not asked or len(asked) > call.services.limits.commands:
        raise RemoteProtocolError("no operation, or too many", "content")
    moves: list[Element] = []
    emptied: list[Element] = []
    fetches: list[Element] = []
    fetcher = Fetcher(call, 2 * call.services.limits.message_bytes)
    for one in asked:
        await asyncio.sleep(0)
        if one.name == "ItemOperations:Fetch":
            fetches.append(await _fetch(fetcher, one))
        elif one.name == "ItemOperations:EmptyFolderContents":
            emptied.append(await _empty(call, one))
        elif one.name == "ItemOperations:Move":
            moves.append(await _move(call, one))
        else:
            raise RemoteProtocolError(f"no operation {one.name}", "content")
    answer = Element(_SPACE, "ItemOperations", [_status(_SUCCESS)])
    answer.add("Response", [*moves, *emptied, *fetches])
    if not call.line.accepts_multipart:
        return answer
    parts = [encode(answer), *fetcher.parts]
    return Answer(200, multipart(parts), MULTIPART_TYPE)


def _status(number: int) -> Element:
    return Element(_SPACE, "Status", str(number))


# --- Fetch


async def _fetch(fetcher: Fetcher, element: Element) -> Element:
    try:
        children = await fetcher.fetched(fetch_asked(element))
    except RemoteProtocolError:
        return _not_fetched(element, _PROTOCOL)
    except FetchRefused as refusal:
        return _not_fetched(element, refusal.status)
    except Unavailable:
        return _not_fetched(element, _SERVER)
    except PosthouseError:
        return _not_fetched(element, _FAILED)
    return Element(_SPACE, "Fetch", [_status(_SUCCESS), *children])


def _not_fetched(element: Element, status: int) -> Element:
    """The names come back, so that the device knows what is meant."""
    names = ("AirSync:CollectionId", "AirSync:ServerId", "Search:LongId")
    found = [element.child(name) for name in (*names, "AirSyncBase:FileReference")]
    return Element(_SPACE, "Fetch", [_status(status), *(one for one in found if one is not None)])


# --- EmptyFolderContents


async def _empty(call: Call, element: Element) -> Element:
    name = element.text_of("AirSync:CollectionId")
    status = _PROTOCOL if not name else await _emptied(call, name, element)
    children = [_status(status), Element("AirSync", "CollectionId", name)]
    return Element(_SPACE, "EmptyFolderContents", children)


async def _emptied(call: Call, name: str, element: Element) -> int:
    try:
        found = await collection(call, name)
    except NotFound:
        return _NOT_FOUND
    if not found.rights & Rights.DELETE_ANY:
        return _DENIED
    try:
        await _without_items(call, found)
        if element.find("Options", "DeleteSubFolders") is None:
            return _SUCCESS
        return await _without_folders(call, found)
    except Unavailable:
        return _SERVER
    except StoreError:
        return _PARTLY


async def _without_items(call: Call, found: Collection) -> None:
    """What comes in meanwhile stays."""
    store, mailbox_id, folder_id = call.services.store, found.mailbox_id, found.folder_id
    after = Uid(0)
    while True:
        page = await store.records.places(mailbox_id, folder_id, after, _PAGE)
        item_ids = tuple(one.item_id for one in page if one.uid < found.folder.uid_next)
        if not item_ids:
            return
        gone = ExpungeItems(folder_id, item_ids, call.services.clock.now_ms())
        await store.apply(Commit((Batch(mailbox_id, (gone,)),)))
        after = page[-1].uid


async def _without_folders(call: Call, found: Collection) -> int:
    """Folders of special roles stay."""
    if not found.is_own:
        return _DENIED
    status = _SUCCESS
    for folder in await call.services.store.records.folders(found.mailbox_id):
        if folder.parent_id != found.folder_id:
            continue
        gone = Batch(found.mailbox_id, (RemoveFolder(folder.folder_id),))
        try:
            await call.services.store.apply(Commit((gone,)))
        except NotFound:
            continue
        except Conflict:
            status = _PARTLY
    return status


# --- Move


async def _move(call: Call, element: Element) -> Element:
    held = element.child("ConversationId")
    try:
        conversation = conversation_asked(element)
        status = _NOT_ALWAYS
        if element.find("Options", "MoveAlways") is not None:
            status = await _moved(call, conversation, element.text_of("DstFldId"))
    except RemoteProtocolError:
        status = _PROTOCOL
    except StoreError:
        status = _SERVER
    echo = Element(_SPACE, "ConversationId", b"" if held is None else held.content)
    return Element(_SPACE, "Move", [_status(status), echo])


async def _moved(call: Call, conversation: bytes, target_name: str) -> int:
    try:
        target = await collection(call, target_name)
    except NotFound:
        return _NOT_FOUND
    if target.folder.folder_class is not FolderClass.MAIL or not target.is_own:
        return _BAD_TARGET
    store = call.services.store
    is_found = False
    for folder in await store.records.folders(call.mailbox_id):
        if folder.folder_class is not FolderClass.MAIL or folder.role in _LEFT_ALONE:
            continue
        item_ids = await _of_conversation(call, folder, conversation)
        is_found = is_found or bool(item_ids)
        if item_ids and folder.folder_id != target.folder_id:
            move = MoveItems(folder.folder_id, item_ids, target.folder_id)
            await store.apply(Commit((Batch(call.mailbox_id, (move,)),)))
    return _SUCCESS if is_found else _NOT_FOUND


async def _of_conversation(call: Call, folder: Folder, conversation: bytes) -> tuple[ItemId, ...]:
    """The messages of a conversation among the newest of a folder."""
    records = call.services.store.records
    found: list[ItemId] = []
    after = await _newest_after(call, folder.folder_id)
    while True:
        page = await records.places(call.mailbox_id, folder.folder_id, after, _PAGE)
        if not page:
            return tuple(found)
        found += [
            item.item_id
            for item in await records.items(call.mailbox_id, [one.item_id for one in page])
            if conversation_id(bag_of(item.bag), item.columns.thread) == conversation
        ]
        after = page[-1].uid
        await asyncio.sleep(0)


async def _newest_after(call: Call, folder_id: FolderId) -> Uid:
    """The uid behind which only so many are left as are looked through."""
    listing = await call.services.store.listing(call.mailbox_id, folder_id)
    if len(listing) <= _LOOKED_THROUGH_MAX:
        return Uid(0)
    chunk, position = listing.locate(len(listing) - _LOOKED_THROUGH_MAX - 1)
    return Uid(chunk.uids[position])
