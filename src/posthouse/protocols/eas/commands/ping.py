"""PING: tell me when something changes in these folders.

Spec: [MS-ASCMD] §2.2.1.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.model.errors import InvalidSyncPoint, NotFound, RemoteProtocolError
from posthouse.protocols.eas.collections import collection
from posthouse.protocols.eas.errors import refused
from posthouse.protocols.eas.sync_changes import has_news
from posthouse.protocols.eas.synckey import CollectionState, collection_state
from posthouse.protocols.eas.waiting import keep_watch, wait_for_change, watched
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import WatchState

_EXPIRED: Final = 1
_CHANGES: Final = 2
_MISSING: Final = 3
_OUT_OF_RANGE: Final = 5
_TOO_MANY: Final = 6
_HIERARCHY_CHANGED: Final = 7
_ID_MAX: Final = 64


async def handle(call: Call, request: Element | None) -> Element:
    """Answer at once when there is something already, else when something comes."""
    watch = await _asked(call, request)
    del request
    limits = call.services.limits
    if not watch.folders or not watch.heartbeat_s:
        return refused("Ping", _MISSING)
    if len(watch.folders) > limits.collections:
        answer = refused("Ping", _TOO_MANY)
        answer.add("MaxFolders", str(limits.collections))
        return answer
    seconds = min(max(watch.heartbeat_s, limits.heartbeat_min_s), limits.heartbeat_max_s)
    if seconds != watch.heartbeat_s:
        answer = refused("Ping", _OUT_OF_RANGE)
        answer.add("HeartbeatInterval", str(seconds))
        return answer
    return await _watched(call, tuple(name for name, _ in watch.folders), seconds)


async def _asked(call: Call, request: Element | None) -> WatchState:
    """The request, completed by the one before it."""
    before = now = await watched(call)
    if request is not None:
        heartbeat_s = request.number_of("HeartbeatInterval") or before.heartbeat_s
        folders = request.child("Folders")
        names = _folders(folders) if folders is not None else before.folders
        now = replace(before, heartbeat_s=heartbeat_s, folders=names)
    if len(now.folders) <= call.services.limits.collections:
        await keep_watch(call, before, now)
    return now


def _folders(element: Element) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for folder in element.each("Folder"):
        name = folder.text_of("Id")
        if not 0 < len(name) <= _ID_MAX:
            raise RemoteProtocolError("a folder without Id", "content")
        found[name] = folder.text_of("Class")[:_ID_MAX]
    return tuple(found.items())


async def _watched(call: Call, server_ids: tuple[str, ...], seconds: int) -> Element:
    try:
        found = [await collection(call, server_id) for server_id in server_ids]
        states = {one.server_id: await _state(call, one) for one in found}
    except (NotFound, InvalidSyncPoint):
        return refused("Ping", _HIERARCHY_CHANGED)
    if names := await _with_news(call, found, states):
        return _told(names)
    del found
    async for changed in wait_for_change(call, tuple(states), seconds):
        if changed.is_hierarchy:
            return refused("Ping", _HIERARCHY_CHANGED)
        if names := await _with_news(call, changed.collections, states):
            return _told(names)
    return refused("Ping", _EXPIRED)


async def _state(call: Call, one: Collection) -> CollectionState:
    """Where the device stands; one that never synchronised the folder watches from now on."""
    kept = await call.services.store.records.sync_states(
        call.mailbox_id, call.device_number, one.server_id
    )
    guid = await call.services.store.guid(one.mailbox_id)
    if kept:
        state = collection_state(kept[0].state)
        # A mailbox that was restored is news: Sync tells the device to begin anew.
        listed_uid = 0 if state.guid == guid else state.top_uid
        return replace(state, listed_uid=listed_uid)
    return CollectionState(0, guid, since=one.folder.highest_cn, top_uid=one.folder.uid_next)


async def _with_news(
    call: Call, found: Sequence[Collection], states: dict[str, CollectionState]
) -> list[str]:
    return [
        one.server_id
        for one in found
        if one.server_id in states and await has_news(call, one, states[one.server_id])
    ]


def _told(names: list[str]) -> Element:
    folders = Element("Ping", "Folders", [Element("Ping", "Folder", name) for name in names])
    return Element("Ping", "Ping", [Element("Ping", "Status", str(_CHANGES)), folders])
