"""What a client has done, done here: its commands in a Sync request.

Spec: [MS-ASCMD] §2.2.3.31 (Commands), §2.2.3.155 (Responses), §2.2.3.177.17 (Status), §3.1.5.4.

Notes:
    - Each command succeeds or fails alone. An Add is known by the key of its request and its
      ClientId, so that a repeated one makes no second item.
    - What the device itself has brought about is not told to it again (``echoes``). A repeated
      request is known by what it brought about when it came first (``own``): it does not clash
      with itself, and what was changed here since is told all the same.
    - An item that the device may not change or remove is told to it as it is, since the device has
      changed it on its side already.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from posthouse.model import errors
from posthouse.model.batch import Batch, Commit, ExpungeItems, MoveItems
from posthouse.model.folder import FolderRole
from posthouse.model.rights import Rights
from posthouse.protocols.eas.collections import ItemClass, item_named
from posthouse.protocols.eas.errors import status_of
from posthouse.protocols.eas.items import VIEWS, shown_items
from posthouse.protocols.eas.sync_changes import GONE_BY_DEVICE, NOT_AS_SENT
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import ViewOptions
from posthouse.protocols.eas.wire.sync import Conflict, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from posthouse.model.ids import ItemId
    from posthouse.model.item import Item, Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import CollectionState
    from posthouse.protocols.eas.wire.sync import ClientCommand, CollectionAsked

_SUCCESS: Final = "1"
_OWN: Final[Mapping[type[errors.PosthouseError], int]] = {
    errors.RemoteProtocolError: 6,
    errors.ParserFailed: 6,
    errors.TooLarge: 6,
    errors.AccessDenied: 6,
    errors.Conflict: 7,
    errors.NotFound: 8,
    errors.QuotaExceeded: 9,
    errors.Unavailable: 16,
}
_CONVERSION_FAILED: Final = 6


class Applied(Struct):
    """What has become of a collection's commands.

    Attributes:
        responses: for the answer; what went well is told only where the client must hear.
        echoes: see CollectionState.
        restored: Change commands that put right what the device may not do.
    """

    responses: list[Element] = field(default_factory=list)
    echoes: dict[int, int] = field(default_factory=dict)
    restored: list[Element] = field(default_factory=list)


async def applied(
    call: Call,
    collection: Collection,
    state: CollectionState,
    asked: CollectionAsked,
    own: Mapping[int, int],
) -> Applied:
    """Do all of them, in order; removals are one commit at the end.

    Args:
        call: the request.
        collection: whose.
        state: where the device stands.
        asked: with its commands.
        own: echoes of the same request when it came before.
    """
    run = _Run(call, collection, state, asked, own)
    for command in asked.commands:
        await run.take(command)
    await run.remove()
    return run.done


class _Run:
    """One collection's commands."""

    __slots__ = ("_asked", "_call", "_collection", "_own", "_removals", "_state", "done")

    def __init__(
        self,
        call: Call,
        collection: Collection,
        state: CollectionState,
        asked: CollectionAsked,
        own: Mapping[int, int],
    ) -> None:
        self._own = own
        self._call = call
        self._collection = collection
        self._state = state
        self._asked = asked
        self._removals: dict[ItemId, tuple[ClientCommand, Item]] = {}
        self.done = Applied()

    async def take(self, command: ClientCommand) -> None:
        """Do one; a removal is put aside."""
        try:
            match command.verb:
                case Verb.ADD:
                    await self._add(command)
                case Verb.CHANGE:
                    await self._change(command)
                case Verb.DELETE:
                    await self._delete(command)
                case Verb.FETCH:
                    await self._fetch(command)
        except errors.PosthouseError as e:
            await self._failed(command, status_of(e, _OWN))
            self._log(command, e)
        except ValueError as e:
            await self._failed(command, _CONVERSION_FAILED)
            self._log(command, e)

    async def _add(self, command: ClientCommand) -> None:
        self._require(Rights.CREATE)
        view = VIEWS[self._collection.item_class]
        made = await view.add(self._call, self._collection, command, self._key(command))
        children = [_of("ClientId", command.client_id)]
        if made.item_id is not None:
            children.append(_of("ServerId", self._collection.item_server_id(made.item_id)))
            await self._echo_of_add(made.item_id)
        children.append(_of("Status", _SUCCESS))
        if made.data:
            children.append(Element("AirSync", "ApplicationData", list(made.data)))
        self.done.responses.append(Element("AirSync", "Add", children))

    async def _change(self, command: ClientCommand) -> None:
        item, place = await self._found(command)
        self._require(Rights.EDIT_ANY)
        if self._is_in_conflict(place):
            raise errors.Conflict(f"item {item.item_id} was changed here as well")
        view = VIEWS[self._collection.item_class]
        made = await view.change(self._call, self._collection, item, command, self._state)
        if made.item_id is None:
            self.done.echoes[item.item_id] = GONE_BY_DEVICE
            gone = [_of("ServerId", command.server_id)]
            self.done.restored.append(Element("AirSync", "Delete", gone))
            return
        if made.is_as_sent:
            await self._echo(place)
        else:
            self.done.echoes[item.item_id] = NOT_AS_SENT

    def _is_in_conflict(self, place: Place) -> bool:
        """Both sides changed it since the device last heard, and ours counts. Marks never clash."""
        if self._collection.item_class is ItemClass.EMAIL:
            return False
        if self._state.options.conflict is Conflict.CLIENT_WINS:
            return False
        return place.changed_cn > self._state.since and not self._is_known(place)

    def _is_known(self, place: Place) -> bool:
        """Whether the device knows it as it stands, by what it did itself."""
        held = (self.done.echoes, self._own, self._state.echoes)
        return max(place.changed_cn, place.read_cn) in (one.get(place.item_id) for one in held)

    async def _delete(self, command: ClientCommand) -> None:
        if self._was_removed(command):
            return
        try:
            item, place = await self._found(command)
        except errors.NotFound:
            name, item_id = item_named(command.server_id)
            if name == self._collection.server_id and not command.instance_id:
                # Should it come back it is new to the device.
                self.done.echoes[item_id] = GONE_BY_DEVICE
            raise
        self._require(Rights.DELETE_ANY)
        if command.instance_id:
            view = VIEWS[self._collection.item_class]
            await view.remove_instance(self._call, self._collection, item, command)
            await self._echo(place)
            return
        self._removals[item.item_id] = (command, item)

    def _was_removed(self, command: ClientCommand) -> bool:
        """Whether the same request removed it when it came first."""
        name, item_id = item_named(command.server_id)
        is_gone = name == self._collection.server_id and self._own.get(item_id) == GONE_BY_DEVICE
        if is_gone:
            self.done.echoes[item_id] = GONE_BY_DEVICE
        return is_gone

    async def remove(self) -> None:
        """Remove what was put aside, in one commit."""
        if not self._removals:
            return
        collection, call = self._collection, self._call
        ids = tuple(self._removals)
        try:
            operation = await self._removal(ids)
            await call.services.store.apply(Commit((Batch(collection.mailbox_id, (operation,)),)))
        except errors.PosthouseError as e:
            for command, _ in self._removals.values():
                await self._failed(command, status_of(e, _OWN))
            return
        self.done.echoes.update(dict.fromkeys(ids, GONE_BY_DEVICE))
        view = VIEWS[collection.item_class]
        await view.removed(call, collection, [item for _, item in self._removals.values()])

    async def _removal(self, ids: tuple[ItemId, ...]) -> MoveItems | ExpungeItems:
        collection, call = self._collection, self._call
        is_deleted_already = collection.folder.role is FolderRole.DELETED
        if not is_deleted_already and (
            self._asked.deletes_as_moves or collection.item_class is not ItemClass.EMAIL
        ):
            store = call.services.store
            target = await store.role_folder(collection.mailbox_id, FolderRole.DELETED)
            return MoveItems(collection.folder_id, ids, target.folder_id)
        return ExpungeItems(collection.folder_id, ids, call.services.clock.now_ms())

    async def _fetch(self, command: ClientCommand) -> None:
        item, _ = await self._found(command)
        options = self._state.options
        wanted = ViewOptions(
            self._call.version, options.bodies, options.mime_support, options.body_part
        )
        shown = await shown_items(self._call, self._collection, (item.item_id,), wanted)
        if item.item_id not in shown:
            raise errors.NotFound(f"item {command.server_id} cannot be shown")
        data = Element("AirSync", "ApplicationData", shown[item.item_id])
        children = [_of("ServerId", command.server_id), _of("Status", _SUCCESS), data]
        self.done.responses.append(Element("AirSync", "Fetch", children))

    # --- what they have in common

    def _require(self, rights: Rights) -> None:
        if self._collection.rights & rights != rights:
            raise errors.AccessDenied(f"no right {rights!r} on {self._collection.server_id}")

    async def _found(self, command: ClientCommand) -> tuple[Item, Place]:
        name, item_id = item_named(command.server_id)
        collection = self._collection
        place = await self._place(item_id) if name == collection.server_id else None
        if place is not None:
            records = self._call.services.store.records
            for item in await records.items(collection.mailbox_id, (item_id,)):
                return item, place
        raise errors.NotFound(f"no item {command.server_id}")

    async def _echo(self, before: Place) -> None:
        """An item was changed; what had been done here as well is to be told."""
        is_told = max(before.changed_cn, before.read_cn) <= self._state.since
        is_known = is_told or self._is_known(before)
        place = await self._place(before.item_id)
        if place is not None:
            number = max(place.changed_cn, place.read_cn)
            self.done.echoes[before.item_id] = number if is_known else NOT_AS_SENT

    async def _echo_of_add(self, item_id: ItemId) -> None:
        """An item was made, perhaps when the request came first: then it may be gone by now."""
        number = self._own.get(item_id, NOT_AS_SENT)
        if item_id not in self._own:
            place = await self._place(item_id)
            if place is not None and place.read_cn <= place.created_cn == place.changed_cn:
                number = place.changed_cn
        self.done.echoes[item_id] = number

    async def _place(self, item_id: ItemId) -> Place | None:
        records = self._call.services.store.records
        for place in await records.item_places(self._collection.mailbox_id, item_id):
            if place.folder_id == self._collection.folder_id:
                return place
        return None

    def _key(self, command: ClientCommand) -> bytes:
        text = "\0".join(
            (
                str(self._call.device_number),
                self._collection.server_id,
                self._asked.sync_key,
                command.client_id,
            )
        )
        return hashlib.sha256(text.encode("utf-8", "replace")).digest()

    async def _failed(self, command: ClientCommand, status: int) -> None:
        if command.verb is Verb.ADD:
            children = [_of("ClientId", command.client_id)]
        else:
            children = [_of("ServerId", command.server_id)]
            if command.instance_id:
                children.append(Element("AirSyncBase", "InstanceId", command.instance_id))
        children.append(_of("Status", str(status)))
        self.done.responses.append(Element("AirSync", command.verb.value, children))
        if status == _CONVERSION_FAILED and command.verb in (Verb.CHANGE, Verb.DELETE):
            await self._restore(command)

    async def _restore(self, command: ClientCommand) -> None:
        """Tell the device how the item is."""
        try:
            item, _ = await self._found(command)
        except errors.PosthouseError:
            return
        options = ViewOptions(self._call.version, self._state.options.bodies)
        shown = await shown_items(self._call, self._collection, (item.item_id,), options)
        for data in shown.values():
            tag = "Add" if command.verb is Verb.DELETE else "Change"
            told = Element("AirSync", "ApplicationData", data)
            children = [_of("ServerId", command.server_id), told]
            self.done.restored.append(Element("AirSync", tag, children))

    def _log(self, command: ClientCommand, error: Exception) -> None:
        self._call.services.log.info(
            "eas.command_refused",
            session=self._call.head.session_id,
            device=self._call.line.device_id,
            collection=self._collection.server_id,
            verb=command.verb.value,
            reason=f"{type(error).__name__}: {error}"[:200],
        )


def _of(tag: str, text: str) -> Element:
    return Element("AirSync", tag, text)
