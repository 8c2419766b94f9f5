"""What a device wants to see of a collection, and what it takes when it wants something else.

Spec: [MS-ASCMD] §2.2.3.68 (FilterType).

Notes:
    Mail is cut off by when it was received, which never changes; appointments by when they are
    over. So of mail it is known what is on the device, and older mail can be added to it; for
    all else a device begins anew when it wants more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.model.errors import InvalidSyncPoint
from posthouse.model.ids import ChangeNumber, Uid
from posthouse.protocols.eas.collections import ItemClass

if TYPE_CHECKING:
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import CollectionState
    from posthouse.protocols.eas.wire.sync import SyncOptions

DAY_MS: Final = 86_400_000
OPEN_TASKS: Final = 8
"""The FilterType that says: tasks that are not done."""
_DAYS: Final = {1: 1, 2: 3, 3: 7, 4: 14, 5: 30, 6: 90, 7: 180}
_ROWS: Final = 2_000


def cutoff_of(item_class: ItemClass, filter_type: int, now_ms: int) -> int:
    """What is older than this is too old, ms; it moves once a day. 0: nothing is."""
    if item_class not in (ItemClass.EMAIL, ItemClass.CALENDAR) or filter_type not in _DAYS:
        return 0
    return (now_ms // DAY_MS - _DAYS[filter_type]) * DAY_MS


async def require_going_on(
    call: Call, collection: Collection, state: CollectionState, options: SyncOptions
) -> None:
    """See that a device can go on from here, before anything is done for it.

    Raises:
        InvalidSyncPoint, SyncPointExpired: it has to begin anew.
    """
    is_open_only = options.filter_type == OPEN_TASKS
    was_open_only = state.options.filter_type == OPEN_TASKS
    if collection.item_class is ItemClass.TASKS and is_open_only != was_open_only:
        _require_empty(state)
    now_ms = call.services.clock.now_ms()
    wanted = cutoff_of(collection.item_class, options.filter_type, now_ms)
    if wanted < state.cutoff_at:
        widened(collection, state, wanted)
    await call.services.store.records.changes_since(
        collection.mailbox_id, collection.folder_id, ChangeNumber(state.since), 1
    )


def has_nothing(state: CollectionState) -> bool:
    """Whether nothing is on the device."""
    return 0 < state.top_uid == state.listed_uid and not state.listed_before_at


def _require_empty(state: CollectionState) -> None:
    if not has_nothing(state):
        raise InvalidSyncPoint("what is on the device under the new filter cannot be told")


def widened(collection: Collection, state: CollectionState, wanted: int) -> CollectionState:
    """Older items than before are wanted: they are listed up to where the device has them."""
    is_between = state.listed_uid or state.outdated_id
    if is_between or collection.item_class is not ItemClass.EMAIL:
        _require_empty(state)
        return replace(state, cutoff_at=wanted)
    return replace(
        state, cutoff_at=wanted, listed_uid=state.top_uid, listed_before_at=state.cutoff_at
    )


async def dated(
    call: Call, collection: Collection, state: CollectionState
) -> list[tuple[int, int]]:
    """When each item on the device was received, or is over."""
    records = call.services.store.records
    if collection.item_class is ItemClass.EMAIL:
        listing = await call.services.store.listing(collection.mailbox_id, collection.folder_id)
        return [
            (at, item_id)
            for chunk in listing.chunks
            for uid, item_id, at in zip(chunk.uids, chunk.item_ids, chunk.received_at, strict=True)
            if not is_unlisted(state, uid, at)
        ]
    out: list[tuple[int, int]] = []
    after = Uid(max(state.listed_uid - 1, 0))
    while places := await records.places(collection.mailbox_id, collection.folder_id, after, _ROWS):
        ids = [place.item_id for place in places]
        items = await records.items(collection.mailbox_id, ids)
        out += [(item.columns.end_at, item.item_id) for item in items]
        after = places[-1].uid
    return out


def is_unlisted(state: CollectionState, uid: int, received_at: int) -> bool:
    """Whether an item is still to be listed, so that nothing needs to be told of it before."""
    return uid < state.listed_uid and (
        not state.listed_before_at or received_at < state.listed_before_at
    )
