"""What a client has done, done here: its commands in a Sync request.

Spec: [MS-ASCMD] §2.2.3.31 (Commands), §2.2.3.155 (Responses), §2.2.3.177.17 (Status), §3.1.5.4.

Notes:
    - Each command succeeds or fails alone. An Add is known by the key of its request and its
      ClientId, so that a repeated one makes no second item.
    - What the device itself has brought about is not told to it again (``echoes``).
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
from posthouse.protocols.eas.sync_changes import GONE_BY_DEVICE
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
    call: Call, collection: Collection, state: CollectionState, asked: CollectionAsked
) -> Applied:
    """Do all of them, in order; removals are one commit at the end."""
    run = _Run(call, collection, state, asked)
    for command in asked.commands:
        await run.take(command)
    await run.remove()
    return run.done


class _Run:
    """One collection's commands."""

    __slots__ = ("_asked", "_call", "_collection", "_removals", "_state", "done")

    def __init__(
        self, call: Call, collection: Collection, state: CollectionState, asked: CollectionAsked
    ) -> None:
        self._call = call
        self._collection = collection
        self._state = state
        self._asked = asked
        self._removals: list[tuple[ClientCommand, Item]] = []
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
            await self._echo(made.item_id)
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
        await self._echo(made.item_id)

    def _is_in_conflict(self, place: Place) -> bool:
        """Both sides changed it since the device last heard, and ours counts. Marks never clash."""
        if self._collection.item_class is ItemClass.EMAIL:
            return False
        if self._state.options.conflict is Conflict.CLIENT_WINS:
            return False
        known = self.done.echoes.get(place.item_id) or self._state.echoes.get(place.item_id)
        return place.changed_cn > self._state.since and place.changed_cn != known

    async def _delete(self, command: ClientCommand) -> None:
        item, _ = await self._found(command)
        self._require(Rights.DELETE_ANY)
        if command.instance_id:
            view = VIEWS[self._collection.item_class]
            await view.remove_instance(self._call, self._collection, item, command)
            await self._echo(item.item_id)
            return
        self._removals.append((command, item))

    async def remove(self) -> None:
        """Remove what was put aside, in one commit."""
        if not self._removals:
            return
        collection, call = self._collection, self._call
        ids = tuple(item.item_id for _, item in self._removals)
        try:
            operation = await self._removal(ids)
            await call.services.store.apply(Commit((Batch(collection.mailbox_id, (operation,)),)))
        except errors.PosthouseError as e:
            for command, _ in self._removals:
                await self._failed(command, status_of(e, _OWN))
            return
        self.done.echoes.update(dict.fromkeys(ids, GONE_BY_DEVICE))
        view = VIEWS[collection.item_class]
        await view.removed(call, collection, [item for _, item in self._removals])

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
        records = self._call.services.store.records
        if name == collection.server_id:
            for place in await records.item_places(collection.mailbox_id, item_id):
                if place.folder_id == collection.folder_id:
                    (item,) = await records.items(collection.mailbox_id, (item_id,))
                    return item, place
        raise errors.NotFound(f"no item {command.server_id}")

    async def _echo(self, item_id: ItemId) -> None:
        records = self._call.services.store.records
        for place in await records.item_places(self._collection.mailbox_id, item_id):
            if place.folder_id == self._collection.folder_id:
                self.done.echoes[item_id] = max(place.changed_cn, place.read_cn)

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
