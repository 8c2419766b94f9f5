"""The folders that a device has been told of, and how its key goes on.

Spec: [MS-ASCMD] §2.2.1.5 (FolderSync), §3.1.5.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.batch import Batch, Commit, DropSyncStates, KeepSyncState
from posthouse.model.errors import InvalidSyncPoint
from posthouse.protocols.eas.synckey import (
    FolderShown,
    HierarchyState,
    Key,
    hierarchy_state,
    key_from_text,
    octets_from_hierarchy,
)
from posthouse.protocols.eas.waiting import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.protocols.eas.session import Call


class Standing(Struct, frozen=True):
    """What a device has.

    Attributes:
        key: of its request.
        state: behind the key.
    """

    key: Key
    state: HierarchyState


async def standing_of(call: Call, sync_key: str) -> Standing:
    """What lies behind a key. Raises InvalidSyncPoint."""
    key = key_from_text(sync_key)
    kept = await call.services.store.records.sync_states(
        call.mailbox_id, call.device_number, FOLDERS
    )
    for one in kept:
        if one.key == key.generation:
            state = hierarchy_state(one.state)
            if state.series == key.series:
                return Standing(key, state)
    raise InvalidSyncPoint("the key of the folders is not known")


async def begun(call: Call, folders: tuple[FolderShown, ...]) -> Key:
    """A device begins anew: it has nothing, of no collection; then it is told of these."""
    series = int.from_bytes(call.services.chance.token_bytes(4), "big")
    key = Key(series, 1)
    drop = DropSyncStates(call.device_number)
    keep = _keep(call, key, HierarchyState(series, folders))
    await call.services.store.apply(Commit((Batch(call.mailbox_id, (drop, keep)),)))
    return key


async def told(call: Call, standing: Standing, folders: Iterable[FolderShown]) -> Key:
    """The device is told of these, or told us: the next key stands for them."""
    key = standing.key.next
    shown = tuple(sorted(folders, key=_by_length))
    keep = _keep(call, key, HierarchyState(key.series, shown))
    await call.services.store.apply(Commit((Batch(call.mailbox_id, (keep,)),)))
    return key


def _by_length(shown: FolderShown) -> tuple[int, str]:
    return len(shown.server_id), shown.server_id


def _keep(call: Call, key: Key, state: HierarchyState) -> KeepSyncState:
    octets = octets_from_hierarchy(state)
    return KeepSyncState(call.device_number, FOLDERS, key.generation, octets)
