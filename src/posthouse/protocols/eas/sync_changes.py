"""What a device has to be told of a collection: from the change log, and from the first listing.

Spec: [MS-ASCMD] §2.2.1.21, §2.2.3.68 (FilterType), §3.1.5.3.

Notes:
    - First what has become of items that the device has (from the change log), then what has come
      (by uid, for the log forgets when a place that was changed again had come), then what is
      listed still. Items below ``listed_uid`` are not on the device yet, so changes of them are
      passed over: they are listed as they stand then.
    - New content of an item is a place that vanishes and one that comes; a device is told of a
      change when the log comes to the first of them, and passes over the other (``echoes``).
    - A device may be told of the end of an item that it never had (too old, gone before it was
      listed): devices pass over names they do not know.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import Enum
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.changes import Vanished
from posthouse.model.errors import InvalidSyncPoint, SyncPointExpired
from posthouse.model.ids import ChangeNumber, ItemId, Uid
from posthouse.protocols.eas.collections import ItemClass
from posthouse.protocols.eas.sync_filter import cutoff_of, dated, has_nothing, is_unlisted, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.changes import ChangePage
    from posthouse.model.item import Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import CollectionState

_ROWS: Final = 2_000
_NEVER_AT: Final = 1 << 62
_FEW: Final = 200
_ECHOES_MAX: Final = 4_000
"""A state takes 64 KiB at most; a device that far behind begins anew."""
GONE_BY_DEVICE: Final = 0
"""As an echo: the device itself removed the item."""
NOT_AS_SENT: Final = -1
"""As an echo: the device has the item, but not as it stands here."""


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


async def news_for(call: Call, collection: Collection, state: CollectionState, limit: int) -> News:
    """What there is to tell, at most ``limit`` events.

    Raises:
        InvalidSyncPoint: the device has to begin anew.
        SyncPointExpired: so it has.
    """
    now_ms = call.services.clock.now_ms()
    wanted = cutoff_of(collection.item_class, state.options.filter_type, now_ms)
    events: list[Event] = []
    state, has_more = await _changed(call, collection, state, limit, events)
    if has_more:
        return News(tuple(events), state, has_more)
    # Only now: what has left the folder is not found when what is too old is looked for.
    if wanted > state.cutoff_at:
        window = (wanted, limit - len(events))
        state, has_more = await _outdated(call, collection, state, window, events)
    elif wanted < state.cutoff_at:
        state = widened(collection, state, wanted)
    if not has_more:
        state, has_more = await _come(call, collection, state, limit - len(events), events)
    if not has_more and state.listed_uid:
        state, has_more = await _listed(call, collection, state, limit - len(events), events)
    return News(tuple(events), state, has_more)


# --- what has become too old


async def _outdated(
    call: Call,
    collection: Collection,
    state: CollectionState,
    window: tuple[int, int],
    events: list[Event],
) -> tuple[CollectionState, bool]:
    wanted, limit = window
    done = replace(state, cutoff_at=wanted, outdated_id=0)
    if has_nothing(state):
        return done, False
    low, high = (state.cutoff_at, state.outdated_id), (wanted, 0)
    found = sorted(pair for pair in await dated(call, collection, state) if low < pair < high)
    for at, item_id in found[:limit]:
        state = replace(state, cutoff_at=at, outdated_id=item_id)
        events.append(Event(What.SOFT_DELETE, ItemId(item_id), state))
    if len(found) > limit:
        return state, True
    return done, False


# --- what has changed of what the device has


async def _changed(
    call: Call, collection: Collection, state: CollectionState, limit: int, events: list[Event]
) -> tuple[CollectionState, bool]:
    if limit <= 0:
        return state, True
    if collection.folder.highest_cn <= state.since:
        return replace(state, base=state.since), False
    page = await call.services.store.records.changes_since(
        collection.mailbox_id,
        collection.folder_id,
        ChangeNumber(state.since),
        min(max(2 * limit, _FEW), _ROWS),
    )
    here = {place.item_id: place for place in page.places}
    left = limit
    for cn, row in _in_order(page):
        if isinstance(row, Vanished):
            place = here.get(row.item_id)
            if place is None and page.has_more and _has(state, row.item_id, row.uid):
                place = await _place_of(call, collection, row.item_id)
            what, after = _of_vanished(collection, state, row, place)
        else:
            place = row
            what, after = _of_place(collection, state, row)
        if what is not None and not left:
            return state, True
        state = replace(after, since=cn)
        if what is not None:
            left -= 1
            shown = None if what is What.DELETE else place
            events.append(Event(what, row.item_id, state, shown))
    if len(state.echoes) > _ECHOES_MAX:
        raise InvalidSyncPoint("too much has changed to be told one by one")
    base = state.base if page.has_more else page.upto
    return replace(state, since=page.upto, base=base), page.has_more


def _in_order(page: ChangePage) -> list[tuple[int, Vanished | Place]]:
    rows: list[tuple[int, Vanished | Place]] = [
        *((gone.change_number, gone) for gone in page.vanished),
        *((_number(place), place) for place in page.places),
    ]
    rows.sort(key=_first)
    return rows


def _first(row: tuple[int, Vanished | Place]) -> int:
    return row[0]


def _number(place: Place) -> int:
    return max(place.changed_cn, place.read_cn)


def _has(state: CollectionState, item_id: int, uid: int) -> bool:
    """Whether the device has an item, for all that can be told by the uid it has, or had."""
    return uid < state.top_uid or state.echoes.get(item_id, GONE_BY_DEVICE) != GONE_BY_DEVICE


def _of_vanished(
    collection: Collection, state: CollectionState, gone: Vanished, place: Place | None
) -> tuple[What | None, CollectionState]:
    """What a device is told of a place that is no more; ``place``: where in the folder it is now.

    Also where the device stands then.
    """
    echo = state.echoes.get(gone.item_id)
    if echo == GONE_BY_DEVICE or not _has(state, gone.item_id, gone.uid):
        return None, state
    if is_unlisted(state, gone.uid, _NEVER_AT if place is None else place.received_at):
        return None, state
    if place is None or _is_old(collection, state, place):
        return What.DELETE, _without_echo(state, gone.item_id)
    if echo == _number(place):
        return None, state
    return What.CHANGE, replace(state, echoes={**state.echoes, gone.item_id: _number(place)})


def _of_place(
    collection: Collection, state: CollectionState, place: Place
) -> tuple[What | None, CollectionState]:
    """What a device is told of a place that was changed, or has come; and where it stands then."""
    if not _has(state, place.item_id, place.uid):
        return None, state
    cn = _number(place)
    echo = state.echoes.get(place.item_id)
    if place.uid == state.top_uid:
        state = replace(_without_echo(state, place.item_id), top_uid=place.uid + 1)
    if echo == cn or is_unlisted(state, place.uid, place.received_at):
        return None, state
    if _is_old(collection, state, place):
        return None, state
    return What.CHANGE if place.changed_cn > state.base else What.READ, state


def _without_echo(state: CollectionState, item_id: int) -> CollectionState:
    if item_id not in state.echoes:
        return state
    others = {item: cn for item, cn in state.echoes.items() if item != item_id}
    return replace(state, echoes=others)


def _is_old(collection: Collection, state: CollectionState, place: Place) -> bool:
    low = (state.cutoff_at, state.outdated_id)
    return collection.item_class is ItemClass.EMAIL and (place.received_at, place.item_id) <= low


async def _place_of(call: Call, collection: Collection, item_id: ItemId) -> Place | None:
    places = await call.services.store.records.item_places(collection.mailbox_id, item_id)
    return next((place for place in places if place.folder_id == collection.folder_id), None)


# --- what has come


async def _come(
    call: Call, collection: Collection, state: CollectionState, limit: int, events: list[Event]
) -> tuple[CollectionState, bool]:
    """What lies at ``top_uid`` and above, but for what the device has by other ways."""
    folder = collection.folder
    left = limit
    while state.top_uid < folder.uid_next:
        if left <= 0:
            return state, True
        rows = min(left + 1, _ROWS)
        page = await call.services.store.records.places(
            collection.mailbox_id, collection.folder_id, Uid(state.top_uid - 1), rows
        )
        for place in page:
            is_new = not _has(state, place.item_id, place.uid)
            if is_new and not _is_old(collection, state, place):
                if left <= 0:
                    return state, True
                left -= 1
                state = replace(_without_echo(state, place.item_id), top_uid=place.uid + 1)
                events.append(Event(What.ADD, place.item_id, state, place))
            else:
                state = replace(state, top_uid=place.uid + 1)
        if len(page) < rows:
            state = replace(state, top_uid=max(state.top_uid, folder.uid_next))
    return replace(state, echoes={}) if state.echoes else state, False


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
    state, has_more = await _changed(call, collection, state, _ROWS, events)
    if not has_more:
        await _come(call, collection, state, _ROWS, events)
    return listed + len(events)


async def has_news(call: Call, collection: Collection, state: CollectionState) -> bool:
    """Whether there is anything to tell; nothing is remembered."""
    if state.listed_uid:
        return True
    folder = collection.folder
    if folder.highest_cn <= state.since and folder.uid_next <= state.top_uid:
        return False
    try:
        news = await news_for(call, collection, state, 1)
    except (InvalidSyncPoint, SyncPointExpired):
        return True
    return bool(news.events) or news.has_more
