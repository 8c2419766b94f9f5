"""What a device has to be told of a collection: from the change log, and from the first listing.

Spec: [MS-ASCMD] §2.2.1.21, §2.2.3.68 (FilterType), §3.1.5.3.

Notes:
    What is new comes before what is listed still. Items below ``listed_uid`` are not on the device
    yet, so changes of them are passed over: they are listed as they stand then. New content of an
    item is a place that vanishes and one that comes; a device is told of a change. It may be told
    of the end of an item that it never had (too old, gone before it was listed): devices pass over
    names they do not know.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import Enum
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.errors import InvalidSyncPoint, SyncPointExpired
from posthouse.model.ids import ChangeNumber, ItemId, Uid
from posthouse.protocols.eas.collections import ItemClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.changes import ChangePage
    from posthouse.model.item import Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import CollectionState

DAY_MS: Final = 86_400_000
_DAYS: Final = {1: 1, 2: 3, 3: 7, 4: 14, 5: 30, 6: 90, 7: 180}
_ROWS: Final = 2_000
_NEVER_AT: Final = 1 << 62
GONE_BY_DEVICE: Final = 0
"""As an echo: the device itself removed the item."""


class What(Enum):
    """What has become of an item, for a device."""

    ADD = "Add"
    CHANGE = "Change"
    READ = "read"
    """A change of marks alone."""
    DELETE = "Delete"
    SOFT_DELETE = "SoftDelete"


class Event(Struct, frozen=True):
    """One thing to tell.

    Attributes:
        what: see there.
        item_id: of which item.
        state: where the device stands once it knows.
        place: as it stands; None when it is gone.
    """

    what: What
    item_id: ItemId
    state: CollectionState
    place: Place | None = None


class News(Struct, frozen=True):
    """What there is to tell.

    Attributes:
        events: in order.
        state: where the device stands once it knows all of them.
        has_more: whether there is more than was asked for.
    """

    events: tuple[Event, ...]
    state: CollectionState
    has_more: bool


def cutoff_of(item_class: ItemClass, filter_type: int, now_ms: int) -> int:
    """What is older than this is too old, ms; it moves once a day. 0: nothing is."""
    if item_class not in (ItemClass.EMAIL, ItemClass.CALENDAR) or filter_type not in _DAYS:
        return 0
    return (now_ms // DAY_MS - _DAYS[filter_type]) * DAY_MS


async def news_for(call: Call, collection: Collection, state: CollectionState, limit: int) -> News:
    """What there is to tell, at most ``limit`` events.

    Raises:
        InvalidSyncPoint: the device has to begin anew.
        SyncPointExpired: so it has.
    """
    now_ms = call.services.clock.now_ms()
    wanted = cutoff_of(collection.item_class, state.options.filter_type, now_ms)
    events: list[Event] = []
    has_more = False
    if wanted > state.cutoff_at:
        state, has_more = await _outdated(call, collection, state, (wanted, limit), events)
    elif wanted < state.cutoff_at:
        state = _widened(collection, state, wanted)
    if not has_more:
        state, has_more = await _changed(call, collection, state, limit - len(events), events)
    if not has_more and state.listed_uid:
        state, has_more = await _listed(call, collection, state, limit - len(events), events)
    return News(tuple(events), state, has_more)


def _widened(collection: Collection, state: CollectionState, wanted: int) -> CollectionState:
    """Older items than before are wanted: they are listed up to where the device has them."""
    if state.listed_uid:
        raise InvalidSyncPoint("the filter was widened before the first listing was over")
    return replace(
        state,
        cutoff_at=wanted,
        listed_uid=collection.folder.uid_next,
        listed_before_at=state.cutoff_at,
    )


# --- what has become too old


async def _outdated(
    call: Call,
    collection: Collection,
    state: CollectionState,
    window: tuple[int, int],
    events: list[Event],
) -> tuple[CollectionState, bool]:
    wanted, limit = window
    done = replace(state, cutoff_at=wanted)
    if not state.cutoff_at and state.listed_uid == collection.folder.uid_next:
        return done, False  # nothing is on the device
    found = sorted(
        (at, item_id)
        for at, item_id in await _dated(call, collection, state.listed_uid)
        if state.cutoff_at <= at < wanted
    )
    for at, item_id in found[:limit]:
        state = replace(state, cutoff_at=at)
        events.append(Event(What.SOFT_DELETE, ItemId(item_id), state))
    if len(found) > limit:
        return state, True
    return done, False


async def _dated(call: Call, collection: Collection, from_uid: int) -> list[tuple[int, int]]:
    """When each item from a uid on was received, or is over."""
    records = call.services.store.records
    if collection.item_class is ItemClass.EMAIL:
        listing = await call.services.store.listing(collection.mailbox_id, collection.folder_id)
        return [
            (at, item_id)
            for chunk in listing.chunks
            for uid, item_id, at in zip(chunk.uids, chunk.item_ids, chunk.received_at, strict=True)
            if uid >= from_uid
        ]
    out: list[tuple[int, int]] = []
    after = Uid(max(from_uid - 1, 0))
    while places := await records.places(collection.mailbox_id, collection.folder_id, after, _ROWS):
        ids = [place.item_id for place in places]
        items = await records.items(collection.mailbox_id, ids)
        out += [(item.columns.end_at, item.item_id) for item in items]
        after = places[-1].uid
    return out


# --- what has changed


async def _changed(
    call: Call, collection: Collection, state: CollectionState, limit: int, events: list[Event]
) -> tuple[CollectionState, bool]:
    if limit <= 0:
        return state, True
    page = await call.services.store.records.changes_since(
        collection.mailbox_id,
        collection.folder_id,
        ChangeNumber(state.since),
        min(max(limit, 2) + 1, _ROWS),
    )
    found, upto = await _events_of(call, collection, state, page)
    for cn, what, item_id, place in found[:limit]:
        state = replace(state, since=cn)
        events.append(Event(what, item_id, state, place))
    if len(found) > limit:
        return state, True
    has_more = page.has_more or upto < page.upto
    echoes = {item_id: cn for item_id, cn in state.echoes.items() if cn > upto} if has_more else {}
    return replace(state, since=upto, echoes=echoes), has_more


Found = tuple[int, What, ItemId, "Place | None"]


async def _events_of(
    call: Call, collection: Collection, state: CollectionState, page: ChangePage
) -> tuple[list[Found], int]:
    """The events of a page in order of change numbers, and how far they reach."""
    upto = page.upto
    here = {place.item_id for place in page.places}
    known = {gone.item_id for gone in page.vanished if gone.created_cn <= state.since}
    found: list[Found] = []
    for gone in page.vanished:
        if gone.item_id in here or state.echoes.get(gone.item_id) == GONE_BY_DEVICE:
            continue
        if gone.created_cn > state.since or _is_unlisted(state, gone.uid, 0):
            continue
        if page.has_more and await _is_in(call, collection, gone.item_id):
            # Its new place is behind this page: the two are told together.
            upto = min(upto, ChangeNumber(gone.change_number - 1))
            continue
        found.append((gone.change_number, What.DELETE, gone.item_id, None))
    for place in page.places:
        what = _what_of(state, place, is_known=place.item_id in known)
        if what is not None:
            cn = max(place.changed_cn, place.read_cn)
            found.append((cn, what, place.item_id, place))
    found.sort(key=_by_number)
    return [one for one in found if one[0] <= upto], upto


def _by_number(found: Found) -> int:
    return found[0]


def _what_of(state: CollectionState, place: Place, *, is_known: bool) -> What | None:
    cn = max(place.changed_cn, place.read_cn)
    if state.echoes.get(place.item_id) == cn:
        return None
    if place.created_cn > state.since:
        return What.CHANGE if is_known else What.ADD
    if _is_unlisted(state, place.uid, place.received_at):
        return None
    return What.CHANGE if place.changed_cn > state.since else What.READ


def _is_unlisted(state: CollectionState, uid: int, received_at: int) -> bool:
    """Whether an item is still to be listed, so that nothing needs to be told of it before."""
    return uid < state.listed_uid and (
        not state.listed_before_at or 0 < received_at < state.listed_before_at
    )


async def _is_in(call: Call, collection: Collection, item_id: ItemId) -> bool:
    places = await call.services.store.records.item_places(collection.mailbox_id, item_id)
    return any(place.folder_id == collection.folder_id for place in places)


# --- what is listed for the first time


async def _listed(
    call: Call, collection: Collection, state: CollectionState, limit: int, events: list[Event]
) -> tuple[CollectionState, bool]:
    """The next items below ``listed_uid``, from the highest down."""
    if limit <= 0:
        return state, True
    uids = await _unlisted(call, collection, state, limit + 1)
    has_more = len(uids) > limit
    for place in await _places_of(call, collection, uids[:limit]):
        state = replace(state, listed_uid=place.uid)
        events.append(Event(What.ADD, place.item_id, state, place))
    if has_more:
        return state, True
    return replace(state, listed_uid=0, listed_before_at=0), False


async def _unlisted(
    call: Call, collection: Collection, state: CollectionState, limit: int
) -> list[int]:
    """Uids still to be listed, descending; at most ``limit``."""
    listing = await call.services.store.listing(collection.mailbox_id, collection.folder_id)
    is_dated = collection.item_class is ItemClass.EMAIL
    low = state.cutoff_at if is_dated else 0
    high = (state.listed_before_at if is_dated else 0) or _NEVER_AT
    uids: list[int] = []
    for chunk in reversed(listing.chunks):
        end = bisect_left(chunk.uids, state.listed_uid)
        pairs = zip(reversed(chunk.uids[:end]), reversed(chunk.received_at[:end]), strict=True)
        for uid, at in pairs:
            if low <= at < high:
                uids.append(uid)
                if len(uids) >= limit:
                    return uids
    return uids


async def _places_of(call: Call, collection: Collection, uids: Sequence[int]) -> list[Place]:
    """The places of these uids (descending), those that are still there."""
    wanted = set(uids)
    found: list[Place] = []
    after = Uid(uids[-1] - 1) if uids else Uid(0)
    while wanted:
        page = await call.services.store.records.places(
            collection.mailbox_id, collection.folder_id, after, min(_ROWS, 2 * len(wanted) + 8)
        )
        if not page:
            break
        found += [place for place in page if place.uid in wanted]
        wanted.difference_update(place.uid for place in page)
        after = page[-1].uid
        if after >= uids[0]:
            break
    found.reverse()
    return found


async def count_of(call: Call, collection: Collection, state: CollectionState) -> int:
    """About how many items there are to tell of. Raises as ``news_for``."""
    listed = 0
    if state.listed_uid:
        listed = len(await _unlisted(call, collection, state, _NEVER_AT))
    events: list[Event] = []
    await _changed(call, collection, state, _ROWS, events)
    return listed + len(events)


async def has_news(call: Call, collection: Collection, state: CollectionState) -> bool:
    """Whether there is anything to tell; nothing is remembered."""
    if state.listed_uid:
        return True
    if collection.folder.highest_cn <= state.since:
        return False
    try:
        return bool((await news_for(call, collection, state, 1)).events)
    except (InvalidSyncPoint, SyncPointExpired):
        return True
