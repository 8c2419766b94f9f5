"""SYNC: what has changed on either side, at once or as soon as something does.

Spec: [MS-ASCMD] §2.2.1.21.

Notes:
    A request that waits is one task asleep until the store wakes it; nothing is polled. An answer
    that says nothing is empty. A collection that is gone is left out of the answer: FolderSync
    tells of it. All states of a request are kept in one commit, before the answer.

    A request that says nothing of a collection means it as the request before did, with its key:
    the answer to that one may have been lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.batch import Batch, Commit, KeepSyncState
from posthouse.model.errors import NotFound
from posthouse.protocols.eas.errors import refused
from posthouse.protocols.eas.sync_changes import has_news
from posthouse.protocols.eas.sync_turn import Turn, turn_of
from posthouse.protocols.eas.synckey import START
from posthouse.protocols.eas.waiting import kept_watch, newest_key, wait_for_change, watched
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.sync import WINDOW_MAX, CollectionAsked, SyncAsked, sync_asked

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import WatchState

_KEY_MAX = 32
_ITEMS_MAX = 1_000
"""Of all collections of an answer together."""
_SYNTAX = 4
_INCOMPLETE = 13
_BAD_WAIT = 14
_HIERARCHY_CHANGED = 12
_TOO_MUCH = 15


async def handle(call: Call, request: Element | None) -> Element | None:
    """Take each collection's turn; when none has anything to say, wait if that was asked for."""
    before = await watched(call)
    asked = await _asked(call, request, before)
    if isinstance(asked, Element):
        return asked
    wait_s = asked.wait_s
    limits = call.services.limits
    if wait_s is not None and not limits.heartbeat_min_s <= wait_s <= limits.heartbeat_max_s:
        return _bad_wait(asked, wait_s, call)
    if sum(len(one.commands) for one in asked.collections) > limits.commands:
        return refused("Sync", _TOO_MUCH)
    turns = await _turns(call, asked)
    await _keep(call, turns, _watch(call, asked, before))
    if not turns:
        return refused("Sync", _HIERARCHY_CHANGED)
    told = [turn.element for turn in turns if turn.element is not None]
    if told or wait_s is None:
        return _answer(told)
    return await _waited(call, asked, turns, wait_s)


async def _asked(call: Call, request: Element | None, before: WatchState) -> SyncAsked | Element:
    """The request, completed by the one before it; an element is the refusal."""
    limits = call.services.limits
    said = None if request is None else sync_asked(request, limits.collections)
    if said is None or said.is_partial:
        if not before.collections:
            return refused("Sync", _INCOMPLETE)
        asked = _completed(said, before)
        return refused("Sync", _SYNTAX) if len(asked.collections) > limits.collections else asked
    return said if said.collections else refused("Sync", _SYNTAX)


def _completed(asked: SyncAsked | None, before: WatchState) -> SyncAsked:
    """Partial, or empty: the collections of the request before, by their keys."""
    named = asked.collections if asked else ()
    names = {one.collection_id for one in named}
    others = tuple(
        CollectionAsked(key, name, wants_changes=key != START)
        for name, key in before.collections
        if name not in names
    )
    if asked is None:
        return SyncAsked(others, window=before.window, wait_s=before.wait_s)
    wait_s = before.wait_s if asked.wait_s is None else asked.wait_s
    return replace(asked, collections=named + others, wait_s=wait_s)


def _watch(call: Call, asked: SyncAsked, before: WatchState) -> KeepSyncState | None:
    """The request as the next one may leave it out; None: as it was."""
    keys = {one.collection_id: one.sync_key[:_KEY_MAX] for one in asked.collections}
    now = replace(before, collections=tuple(keys.items()), wait_s=asked.wait_s, window=asked.window)
    return None if now == before else kept_watch(call, now)


async def _turns(call: Call, asked: SyncAsked) -> list[Turn]:
    """Collections that are there take their turns, within what one answer may hold."""
    left = min(asked.window or _ITEMS_MAX, max(_ITEMS_MAX, WINDOW_MAX))
    turns: list[Turn] = []
    for one in asked.collections:
        try:
            turn = await turn_of(call, one, left)
        except NotFound:
            continue
        left = max(left - turn.items, 0)
        turns.append(turn)
    return turns


async def _keep(call: Call, turns: list[Turn], watch: KeepSyncState | None = None) -> None:
    states = tuple(turn.keep for turn in turns if turn.keep is not None)
    if watch is not None:
        states = (*states, watch)
    if states:
        await call.services.store.apply(Commit((Batch(call.mailbox_id, states),)))


async def _waited(call: Call, asked: SyncAsked, turns: list[Turn], wait_s: int) -> Element | None:
    """Sleep until there is something to say, or the time is over."""
    by_id = {one.collection_id: one for one in asked.collections}
    watch = {
        turn.collection.server_id: turn.position.state
        for turn in turns
        if turn.collection is not None and turn.position is not None
    }
    quiet = {one.collection_id: replace(one, commands=(), options=None) for one in by_id.values()}
    async for changed in wait_for_change(call, tuple(watch), wait_s):
        if changed.is_hierarchy:
            return refused("Sync", _HIERARCHY_CHANGED)
        news = [
            one for one in changed.collections if await has_news(call, one, watch[one.server_id])
        ]
        if not news:
            continue
        again = tuple(quiet[one.server_id] for one in news if one.server_id in quiet)
        if [one for one in again if await newest_key(call, one.collection_id) != one.sync_key]:
            return None  # the device has given up this request, and made another
        told = await _turns(call, SyncAsked(again, window=asked.window))
        await _keep(call, told)
        elements = [turn.element for turn in told if turn.element is not None]
        if elements:
            return _answer(elements)
    return None


def _answer(collections: list[Element]) -> Element | None:
    if not collections:
        return None
    return Element("AirSync", "Sync", [Element("AirSync", "Collections", collections)])


def _bad_wait(asked: SyncAsked, wait_s: int, call: Call) -> Element:
    limits = call.services.limits
    nearest = limits.heartbeat_min_s if wait_s < limits.heartbeat_min_s else limits.heartbeat_max_s
    answer = refused("Sync", _BAD_WAIT)
    answer.add("Limit", str(nearest if asked.heartbeat else nearest // 60))
    return answer
