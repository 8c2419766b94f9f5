"""Appointments, contacts, tasks and notes: shown, made and changed as entries.

Spec: [MS-ASCAL] v23 §3.1.4, §3.2.5; [MS-ASCMD] §2.2.3.24 (what absent elements mean), §2.2.3.179.

Notes:
    - In 16.x what is absent of a Change of an appointment is unchanged; of all else a Change says
      the whole, but for bodies and what the client does not support.
    - From 16.0 on the server tells attendees of what a client does to a meeting; before, clients
      send those mails themselves ([MS-ASCAL] v23 §3.2.4.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from posthouse.model.appointment import Appointment
from posthouse.model.contact import Contact
from posthouse.model.errors import NotFound, PosthouseError
from posthouse.model.note import Note
from posthouse.model.task import Task, TaskStatus
from posthouse.protocols.eas.item_views import Made, NoInstances
from posthouse.protocols.eas.owners import actor_of, owner_of
from posthouse.protocols.eas.sync_changes import What
from posthouse.protocols.eas.wire.body import body_element, text_source
from posthouse.protocols.eas.wire.calendar import (
    appointment_from_data,
    client_uid,
    data_from_appointment,
)
from posthouse.protocols.eas.wire.calendar_exceptions import (
    override_from_data,
    without_occurrence,
)
from posthouse.protocols.eas.wire.calendar_values import Reading
from posthouse.protocols.eas.wire.contacts import contact_from_data, data_from_contact
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.notes import data_from_note, note_from_data
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.tasks import data_from_task, task_from_data
from posthouse.protocols.eas.wire.times import ms_from_text
from posthouse.services.meetings.revision import next_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.model.ids import ItemId
    from posthouse.model.item import Item, Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.item_views import Renderer, Wanted
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import CollectionState
    from posthouse.protocols.eas.wire.options import ViewOptions
    from posthouse.protocols.eas.wire.sync import ClientCommand
    from posthouse.services.groupware.entries import Entry

_Entry: TypeAlias = Appointment | Contact | Note | Task
V = TypeVar("V", Appointment, Contact, Note, Task)
_EMPTY = Element("AirSync", "ApplicationData")


class _EntryView(NoInstances, Generic[V]):
    """What the four have in common. Implements ``item_views.ItemView``."""

    value_type: type[V]

    async def renderer(
        self, call: Call, collection: Collection, items: Sequence[Item], wanted: Wanted
    ) -> Renderer:
        """See ItemView."""
        del items
        shown = self.shower(call, collection, wanted)
        entries = call.services.entries

        def render(item: Item, place: Place, what: What) -> list[Element] | None:
            gone: list[Element] | None = None if what is What.ADD else []
            try:
                value = entries.of_item(item, place.folder_id).value
            except NotFound:
                return gone
            if not isinstance(value, self.value_type) or not self.is_wanted(item, value, wanted):
                return gone
            return shown(value)

        return render

    def shower(
        self, call: Call, collection: Collection, wanted: Wanted
    ) -> Callable[[V], list[Element]]:
        """What makes ApplicationData of a value."""
        del call, collection
        options = wanted.options
        return lambda value: self.data_of(value, options, _body(value, options))

    def data_of(self, value: V, options: ViewOptions, body: list[Element]) -> list[Element]:
        """The pure view of a value, where nothing but it and its body is shown."""
        raise NotImplementedError

    def is_wanted(self, item: Item, value: V, wanted: Wanted) -> bool:  # noqa: ARG002
        """Whether the device wants to see it."""
        return True

    def read(self, call: Call, collection: Collection, data: Element, known: V | None) -> V:
        """The value that a client means."""
        raise NotImplementedError

    def revised(
        self, call: Call, collection: Collection, data: Element, known: V, state: CollectionState
    ) -> V:
        """The value after a Change of the whole."""
        del state
        return self.read(call, collection, data, known)

    async def add(
        self, call: Call, collection: Collection, command: ClientCommand, key: bytes
    ) -> Made:
        """See ItemView."""
        value = self.read(call, collection, command.data or _EMPTY, None)
        made = await call.services.entries.add(
            collection.mailbox_id, collection.folder_id, value, key=key
        )
        return Made(made.item.item_id)

    async def change(
        self,
        call: Call,
        collection: Collection,
        item: Item,
        command: ClientCommand,
        state: CollectionState,
    ) -> Made:
        """See ItemView."""
        data = command.data or _EMPTY

        def changed(known: V) -> V:
            if not isinstance(known, self.value_type):
                raise NotFound(f"item {item.item_id} is of another kind")
            return self.revised(call, collection, data, known, state)

        await call.services.entries.change(collection.mailbox_id, item.item_id, changed)
        return Made(item.item_id)


class ContactView(_EntryView[Contact]):
    """Contacts; distribution lists cannot be said and are not shown."""

    value_type = Contact

    def data_of(self, value: Contact, options: ViewOptions, body: list[Element]) -> list[Element]:
        """See _EntryView."""
        return data_from_contact(value, options, body)

    def read(
        self, call: Call, collection: Collection, data: Element, known: Contact | None
    ) -> Contact:
        """See _EntryView."""
        del call, collection
        return contact_from_data(data, known, is_partial=False)

    def revised(
        self,
        call: Call,
        collection: Collection,
        data: Element,
        known: Contact,
        state: CollectionState,
    ) -> Contact:
        """See _EntryView: what the device does not know of is not cleared."""
        del call, collection
        return contact_from_data(data, known, is_partial=False, supported=state.supported)


class TaskView(_EntryView[Task]):
    """Tasks."""

    value_type = Task

    def data_of(self, value: Task, options: ViewOptions, body: list[Element]) -> list[Element]:
        """See _EntryView."""
        return data_from_task(value, options, body)

    def is_wanted(self, item: Item, value: Task, wanted: Wanted) -> bool:  # noqa: ARG002
        """See _EntryView."""
        return not wanted.is_open_only or value.status is not TaskStatus.COMPLETED

    def read(self, call: Call, collection: Collection, data: Element, known: Task | None) -> Task:  # noqa: ARG002
        """See _EntryView."""
        now_ms = call.services.clock.now_ms()
        return task_from_data(data, known, is_partial=False, now_ms=now_ms)


class NoteView(_EntryView[Note]):
    """Notes."""

    value_type = Note

    def data_of(self, value: Note, options: ViewOptions, body: list[Element]) -> list[Element]:
        """See _EntryView."""
        return data_from_note(value, options, body)

    def read(self, call: Call, collection: Collection, data: Element, known: Note | None) -> Note:  # noqa: ARG002
        """See _EntryView."""
        now_ms = call.services.clock.now_ms()
        return note_from_data(data, known, is_partial=False, now_ms=now_ms)


class AppointmentView(_EntryView[Appointment]):
    """Appointments and meetings."""

    value_type = Appointment

    def shower(
        self, call: Call, collection: Collection, wanted: Wanted
    ) -> Callable[[Appointment], list[Element]]:
        """See _EntryView."""
        owner = owner_of(call, collection)

        def bodies(value: Appointment) -> list[Element]:
            return _body(value, wanted.options)

        return lambda value: data_from_appointment(
            value, wanted.options, owner, bodies(value), bodies
        )

    def is_wanted(self, item: Item, value: Appointment, wanted: Wanted) -> bool:  # noqa: ARG002
        """See _EntryView."""
        return item.columns.end_at >= wanted.cutoff_at

    def read(
        self, call: Call, collection: Collection, data: Element, known: Appointment | None
    ) -> Appointment:
        """See _EntryView."""
        return appointment_from_data(
            data, known, _reading(call, collection), call.services.clock.now_ms()
        )

    async def add(
        self, call: Call, collection: Collection, command: ClientCommand, key: bytes
    ) -> Made:
        """See ItemView. In 16.x the uid is ours, or the client's by ClientUid."""
        data = command.data or _EMPTY
        value = next_revision(None, self.read(call, collection, data, None))
        known = client_uid(data)
        entry = await call.services.entries.add(
            collection.mailbox_id, collection.folder_id, value, key=key
        )
        if call.version >= Version.V16_0:
            await _announce(call, collection, None, entry, key)
            uid = Element("Calendar", "UID", entry.value.uid)
            return Made(entry.item.item_id, () if known == entry.value.uid else (uid,))
        return Made(entry.item.item_id)

    async def change(
        self,
        call: Call,
        collection: Collection,
        item: Item,
        command: ClientCommand,
        state: CollectionState,
    ) -> Made:
        """See ItemView."""
        del state
        data = command.data or _EMPTY

        def changed(known: Appointment) -> Appointment:
            if command.instance_id:
                instance_at = ms_from_text(command.instance_id)
                reading = _reading(call, collection)
                now_ms = call.services.clock.now_ms()
                return override_from_data(known, instance_at, data, reading, now_ms)
            return self.read(call, collection, data, known)

        is_as_sent = await _changed(call, collection, item.item_id, changed)
        return Made(item.item_id, is_as_sent=is_as_sent)

    async def remove_instance(
        self, call: Call, collection: Collection, item: Item, command: ClientCommand
    ) -> None:
        """See ItemView."""
        instance_at = ms_from_text(command.instance_id)
        now_ms = call.services.clock.now_ms()
        await _changed(
            call,
            collection,
            item.item_id,
            lambda known: without_occurrence(known, instance_at, now_ms),
        )

    async def removed(self, call: Call, collection: Collection, items: Sequence[Item]) -> None:
        """See ItemView: attendees hear of a meeting that is off."""
        if call.version < Version.V16_0:
            return
        for item in items:
            try:
                entry = call.services.entries.of_item(item, collection.folder_id)
            except NotFound:
                continue
            await _announce(call, collection, entry, None)


async def _changed(
    call: Call,
    collection: Collection,
    item_id: ItemId,
    change: Callable[[Appointment], Appointment],
) -> bool:
    """Change an appointment, raise its revision, and tell whom it concerns.

    Returns:
        Whether it is as the device meant it: answers to a meeting that was moved are void.
    """
    is_as_meant = True

    def revised(known: Appointment) -> Appointment:
        if not isinstance(known, Appointment):
            raise NotFound(f"item {item_id} is no appointment")
        nonlocal is_as_meant
        meant = change(known)
        value = next_revision(known, meant)
        is_as_meant = value.attendees == meant.attendees
        return value

    entries = call.services.entries
    before = await entries.read(collection.mailbox_id, item_id)
    after = await entries.change(collection.mailbox_id, item_id, revised)
    if call.version >= Version.V16_0 and after.item.changed_cn != before.item.changed_cn:
        await _announce(call, collection, before, after)
    return is_as_meant


async def _announce(
    call: Call,
    collection: Collection,
    before: Entry[Any] | None,
    after: Entry[Any] | None,
    key: bytes = b"",
) -> None:
    """Mails about a meeting. What cannot be sent does not undo what is stored: it is logged."""
    told = after or before
    if told is None:
        return
    try:
        await call.services.meetings.announce(
            actor_of(call, collection),
            before.value if before else None,
            after.value if after else None,
            told.original,
            key=key,
        )
    except (PosthouseError, ValueError) as e:
        # Clients bring it about: with attendees who do not exist, or with no right to write mail.
        call.services.log.warning(
            "eas.not_announced",
            session=call.head.session_id,
            device=call.line.device_id,
            collection=collection.server_id,
            reason=f"{type(e).__name__}: {e}"[:200],
        )


def _reading(call: Call, collection: Collection) -> Reading:
    is_partial = call.version >= Version.V16_0
    return Reading(call.version, owner_of(call, collection), is_partial)


def _body(value: _Entry, options: ViewOptions) -> list[Element]:
    html = "" if isinstance(value, Contact) else value.html
    return body_element(text_source(value.body, html), options)
