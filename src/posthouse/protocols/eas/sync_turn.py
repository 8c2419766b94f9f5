"""One collection's turn in a Sync request: from its key to its answer and its next state.

Spec: [MS-ASCMD] §2.2.1.21, §2.2.3.177.17 (Status), §3.1.5.3.

Notes:
    - Two generations of each state are kept. A request with the older key is one whose answer was
      lost: it is answered anew from there. Its Adds carry the same names and are not doubled.
    - A device that asks again and again with the same key chokes on something we send: from the
      third time it gets one item at a time, and in the end that item is left out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.batch import KeepSyncState
from posthouse.model.errors import InvalidSyncPoint, SyncPointExpired
from posthouse.protocols.eas.collections import ItemClass
from posthouse.protocols.eas.collections import collection as collection_named
from posthouse.protocols.eas.item_views import Wanted
from posthouse.protocols.eas.items import VIEWS
from posthouse.protocols.eas.sync_changes import What, has_news, news_for
from posthouse.protocols.eas.sync_commands import applied
from posthouse.protocols.eas.sync_filter import OPEN_TASKS, cutoff_of, require_going_on
from posthouse.protocols.eas.synckey import (
    START,
    CollectionState,
    Key,
    collection_state,
    key_after,
    key_from_text,
    octets_from_state,
)
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import ViewOptions
from posthouse.protocols.eas.wire.sync import WINDOW_DEFAULT, WINDOW_MAX, SyncOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.sync_changes import Event
    from posthouse.protocols.eas.sync_commands import Applied
    from posthouse.protocols.eas.wire.sync import CollectionAsked

ONE_BY_ONE_TRIES: Final = 2
LEFT_OUT_TRIES: Final = 4
_ROUNDS_MAX: Final = 20
"""Pages looked through for something that the device wants."""
_SKIPPED_MAX: Final = 50
_ECHOES_MAX: Final = 3_000
_UNSEEN: Final = 100
"""Events looked at together once those before were not for this device."""
_INVALID_KEY: Final = "3"


class Position(Struct, frozen=True):
    """Where a request begins.

    Attributes:
        key: of the request.
        state: behind it.
        tries: how often the answer to it was given already.
        own: what the same request brought about when it came before; see CollectionState.
    """

    key: Key
    state: CollectionState
    tries: int = 0
    own: dict[int, int] = {}


class Turn(Struct, frozen=True):
    """What has become of a turn.

    Attributes:
        element: Collection of the answer; None: there is nothing to say of it.
        keep: the state to be kept with it.
        collection: None: there is no such collection any more, or its key is void.
        position: from which it went on; None as before.
        items: told of.
    """

    element: Element | None = None
    keep: KeepSyncState | None = None
    collection: Collection | None = None
    position: Position | None = None
    items: int = 0


async def turn_of(call: Call, asked: CollectionAsked, items_left: int) -> Turn:
    """Take a turn. Raises NotFound when there is no such collection."""
    collection = await collection_named(call, asked.collection_id)
    if asked.sync_key == START:
        return await _begun(call, collection, asked)
    try:
        position = await position_of(call, collection, asked.sync_key)
        return await _continued(call, collection, position, asked, items_left)
    except (InvalidSyncPoint, SyncPointExpired):
        children = [_of("SyncKey", START), _of("CollectionId", asked.collection_id)]
        return Turn(Element("AirSync", "Collection", [*children, _of("Status", _INVALID_KEY)]))


async def position_of(call: Call, collection: Collection, sync_key: str) -> Position:
    """What lies behind a key. Raises InvalidSyncPoint."""
    key = key_from_text(sync_key)
    kept = await call.services.store.records.sync_states(
        call.mailbox_id, call.device_number, collection.server_id
    )
    states = {one.key: collection_state(one.state) for one in kept}
    state = states.get(key.generation)
    if state is None or state.series != key.series:
        raise InvalidSyncPoint("the key is not known")
    if state.guid != await call.services.store.guid(collection.mailbox_id):
        raise InvalidSyncPoint("the mailbox was restored")
    newer = states.get(key.generation + 1)
    if newer is None:
        return Position(key, state)
    return Position(key, state, newer.tries + 1, newer.own)


async def _begun(call: Call, collection: Collection, asked: CollectionAsked) -> Turn:
    """SyncKey 0. Two such requests at once get the same key."""
    records = call.services.store.records
    mailbox = await records.mailbox(collection.mailbox_id)
    kept = await records.sync_states(call.mailbox_id, call.device_number, collection.server_id)
    series = int.from_bytes(call.services.chance.token_bytes(4), "big")
    if kept and kept[0].key == 1:
        with suppress(InvalidSyncPoint):
            series = collection_state(kept[0].state).series
    options = asked.options or SyncOptions()
    now_ms = call.services.clock.now_ms()
    state = CollectionState(
        series,
        mailbox.guid,
        since=collection.folder.highest_cn,
        base=collection.folder.highest_cn,
        top_uid=collection.folder.uid_next,
        listed_uid=collection.folder.uid_next,
        cutoff_at=cutoff_of(collection.item_class, options.filter_type, now_ms),
        options=options,
        window=asked.window,
        supported=asked.supported,
    )
    key = Key(series, 1)
    element = _collection(collection, key, [])
    return Turn(element, _keep(call, collection, key, state), collection)


async def _continued(
    call: Call,
    collection: Collection,
    position: Position,
    asked: CollectionAsked,
    items_left: int,
) -> Turn:
    state = position.state
    if asked.commands or (asked.options is not None and asked.options != state.options):
        await require_going_on(call, collection, state, asked.options or state.options)
    if asked.options is not None and asked.options != state.options:
        state = replace(state, options=asked.options)
    if asked.window and asked.window != state.window:
        state = replace(state, window=asked.window)
    done = await applied(call, collection, state, asked, position.own)
    if done.echoes:
        echoes = list({**state.echoes, **done.echoes}.items())
        state = replace(state, echoes=dict(echoes[-_ECHOES_MAX:]))
    if asked.commands:
        collection = await collection_named(call, asked.collection_id)
    told = _Told(call, collection, position, state)
    if asked.wants_changes:
        window = min(state.window or WINDOW_DEFAULT, WINDOW_MAX, items_left)
        await told.fill(window)
    return _turn(told, done, had_commands=bool(asked.commands))


def _turn(told: _Told, done: Applied, *, had_commands: bool) -> Turn:
    call, collection, position = told.call, told.collection, told.position
    commands = [*done.restored, *told.elements]
    is_new = bool(commands or done.responses or had_commands or told.has_more)
    if not is_new:
        # Something else was asked for, or what came is not for this device: the key stays.
        keep = None
        if told.state != position.state or position.tries:
            keep = _keep(call, collection, position.key, told.state)
        return Turn(None, keep, collection, replace(position, state=told.state))
    children: list[Element] = []
    if told.has_more:
        children.append(_of("MoreAvailable"))
    if done.responses:
        children.append(Element("AirSync", "Responses", done.responses))
    if commands:
        children.append(Element("AirSync", "Commands", commands))
    state = replace(
        told.state,
        tries=position.tries,
        own=done.echoes,
        skipped=told.state.skipped[-_SKIPPED_MAX:],
    )
    key, state = key_after(position.key, state)
    element = _collection(collection, key, children)
    keep = _keep(call, collection, key, state)
    return Turn(element, keep, collection, position, len(told.elements))


class _Told:
    """What a device is told in one turn."""

    __slots__ = ("call", "collection", "elements", "has_more", "octets", "position", "state")

    def __init__(
        self, call: Call, collection: Collection, position: Position, state: CollectionState
    ) -> None:
        self.call = call
        self.collection = collection
        self.position = position
        self.state = state
        self.elements: list[Element] = []
        self.has_more = False
        self.octets = 0

    async def fill(self, window: int) -> None:
        """Tell what is new, until the window or the answer is full."""
        if window <= 0:
            self.has_more = await has_news(self.call, self.collection, self.state)
            return
        if self.position.tries >= ONE_BY_ONE_TRIES:
            window = 1
        limit = window
        for _ in range(_ROUNDS_MAX):
            news = await news_for(self.call, self.collection, self.state, limit)
            if news.events and await self._take(news.events, window):
                self.has_more = True
                return
            self.state = replace(news.state, skipped=self.state.skipped)
            self.has_more = news.has_more
            if not news.has_more or len(self.elements) >= window:
                return
            limit = max(window - len(self.elements), min(_UNSEEN, WINDOW_MAX))

    async def _take(self, events: Sequence[Event], window: int) -> bool:
        """Whether the answer is full before the last of them."""
        present = [event for event in events if event.place is not None]
        view = VIEWS[self.collection.item_class]
        items = await self.call.services.store.records.items(
            self.collection.mailbox_id, [event.item_id for event in present]
        )
        render = await view.renderer(self.call, self.collection, items, self._wanted())
        by_id = {item.item_id: item for item in items}
        for event in events:
            is_full = self.octets >= self.call.services.limits.answer_bytes
            if is_full or len(self.elements) >= window:
                return True
            element = None
            if event.place is None:
                element = self._named(event.what.value, event, None)
            elif event.item_id in by_id and event.item_id not in self.state.skipped:
                data = render(by_id[event.item_id], event.place, event.what)
                if data is not None and not self._leaves_out(event):
                    element = self._shown(event, data)
            if element is not None:
                self.elements.append(element)
            self.state = replace(event.state, skipped=self.state.skipped)
        return False

    def _wanted(self) -> Wanted:
        state = self.state
        is_calendar = self.collection.item_class is ItemClass.CALENDAR
        return Wanted(
            view_options(self.call, state.options),
            state.cutoff_at if is_calendar else 0,
            state.options.filter_type == OPEN_TASKS,
        )

    def _shown(self, event: Event, data: list[Element]) -> Element:
        if not data:
            return self._named(What.SOFT_DELETE.value, event, None)
        self.octets += _octets_of(data)
        name = "Add" if event.what is What.ADD else "Change"
        return self._named(name, event, data)

    def _named(self, name: str, event: Event, data: list[Element] | None) -> Element:
        children = [_of("ServerId", self.collection.item_server_id(event.item_id))]
        if data is not None:
            children.append(Element("AirSync", "ApplicationData", data))
        return Element("AirSync", name, children)

    def _leaves_out(self, event: Event) -> bool:
        """Whether the device has choked on it: the first one, later the first two, and so on."""
        new = len(self.state.skipped) - len(self.position.state.skipped)
        if self.elements or new >= self.position.tries // LEFT_OUT_TRIES:
            return False
        skipped = (*self.state.skipped, int(event.item_id))
        self.state = replace(self.state, skipped=skipped)
        self.call.services.log.warning(
            "eas.item_left_out",
            session=self.call.head.session_id,
            device=self.call.line.device_id,
            item=self.collection.item_server_id(event.item_id),
        )
        return True


def view_options(call: Call, options: SyncOptions) -> ViewOptions:
    """How items are shown to this device."""
    return ViewOptions(call.version, options.bodies, options.mime_support, options.body_part)


def _octets_of(data: list[Element]) -> int:
    """About how much they take in the answer; what lies deeper than texts can is not counted."""
    octets = 200
    for element in data:
        content = element.content
        octets += len(content)
        if isinstance(content, list):
            for child in content:
                octets += len(child.content)
    return octets


def _collection(collection: Collection, key: Key, rest: list[Element]) -> Element:
    children = [_of("SyncKey", key.text), _of("CollectionId", collection.server_id)]
    return Element("AirSync", "Collection", [*children, _of("Status", "1"), *rest])


def _keep(call: Call, collection: Collection, key: Key, state: CollectionState) -> KeepSyncState:
    return KeepSyncState(
        call.device_number, collection.server_id, key.generation, octets_from_state(state)
    )


def _of(tag: str, text: str = "") -> Element:
    return Element("AirSync", tag, text)
