"""Waiting for a change, and what a device last asked to be told of.

Spec: [MS-ASCMD] §2.2.1.13 (Ping), §2.2.1.21 (Sync with Wait), §2.2.2.19 (cached requests).

Notes:
    One task sleeps for each waiting request; the store's hints wake it. Of what it waits for it
    holds numbers only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.batch import Batch, Commit, KeepSyncState
from posthouse.model.errors import InvalidSyncPoint, NotFound
from posthouse.model.ids import ChangeNumber
from posthouse.protocols.eas.collections import collection, folder_named, folders_shown
from posthouse.protocols.eas.synckey import (
    Key,
    WatchState,
    collection_state,
    hierarchy_state,
    octets_from_state,
    watch_state,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from posthouse.model.ids import MailboxId
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call

WATCH = "watch"
FOLDERS = "folders"
_ONLY = 1
"""The generation of what has one state alone."""


class Changed(Struct, frozen=True):
    """What has moved.

    Attributes:
        is_hierarchy: the folders are not those that the device has.
        collections: of those watched.
    """

    is_hierarchy: bool
    collections: tuple[Collection, ...] = ()


async def wait_for_change(
    call: Call, server_ids: tuple[str, ...], wait_s: float
) -> AsyncIterator[Changed]:
    """Tell of each move, until ``wait_s`` are over. Nothing that came before the call is told."""
    clock = call.services.clock
    until = clock.monotonic_s() + wait_s
    device_has = await _hierarchy_of_device(call)
    highest = dict.fromkeys(server_ids, -1)
    mailboxes = {folder_named(call, server_id)[0] for server_id in server_ids} | {call.mailbox_id}
    known: dict[MailboxId, ChangeNumber] = dict.fromkeys(mailboxes, ChangeNumber(0))
    is_first = True
    while True:
        for mailbox_id in known:
            known[mailbox_id] = (await call.services.store.records.mailbox(mailbox_id)).highest_cn
        moved, has_gone = await _moved(call, highest)
        is_other = device_has is not None and hash(await folders_shown(call)) != device_has
        if has_gone or is_other or (moved and not is_first):
            yield Changed(has_gone or is_other, tuple(moved))
        is_first = False
        del moved
        left_s = until - clock.monotonic_s()
        if left_s <= 0 or not await _woken(call, known, left_s):
            return


async def _hierarchy_of_device(call: Call) -> int | None:
    """A number for the folders that the device knows; None: it was never told of any."""
    kept = await call.services.store.records.sync_states(
        call.mailbox_id, call.device_number, FOLDERS
    )
    try:
        return hash(hierarchy_state(kept[0].state).folders) if kept else None
    except InvalidSyncPoint:
        return None


async def _moved(call: Call, highest: dict[str, int]) -> tuple[list[Collection], bool]:
    """Collections that have moved since ``highest``, which is brought up; whether one is gone."""
    moved: list[Collection] = []
    has_gone = False
    for server_id, before in highest.items():
        try:
            found = await collection(call, server_id)
        except NotFound:
            has_gone = True
            continue
        if found.folder.highest_cn > before:
            highest[server_id] = found.folder.highest_cn
            moved.append(found)
    return moved, has_gone


async def _woken(call: Call, known: dict[MailboxId, ChangeNumber], left_s: float) -> bool:
    """Sleep until one of the mailboxes has passed its number; False: the time is over."""
    store = call.services.store
    if len(known) == 1:
        ((mailbox_id, number),) = known.items()
        return await store.wait(mailbox_id, number, left_s)
    waits = [
        asyncio.ensure_future(store.wait(mailbox_id, number, left_s))
        for mailbox_id, number in known.items()
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return any(one.done() and one.result() for one in waits)
    finally:
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


# --- what was asked before


async def watched(call: Call) -> WatchState:
    """What the device last asked for."""
    kept = await call.services.store.records.sync_states(call.mailbox_id, call.device_number, WATCH)
    return watch_state(kept[0].state) if kept else WatchState()


async def keep_watch(call: Call, before: WatchState, now: WatchState) -> None:
    """Remember it, when it is another."""
    if now != before:
        kept = kept_watch(call, now)
        await call.services.store.apply(Commit((Batch(call.mailbox_id, (kept,)),)))


def kept_watch(call: Call, now: WatchState) -> KeepSyncState:
    """How it is remembered."""
    return KeepSyncState(call.device_number, WATCH, _ONLY, octets_from_state(now))


async def newest_key(call: Call, collection_id: str) -> str | None:
    """The newest key the device was given for a collection; None: there is none."""
    kept = await call.services.store.records.sync_states(
        call.mailbox_id, call.device_number, collection_id
    )
    if not kept:
        return None
    try:
        return Key(collection_state(kept[0].state).series, kept[0].key).text
    except InvalidSyncPoint:
        return None
