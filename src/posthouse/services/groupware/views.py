"""Which model is a view of which item: the one table.

Notes:
    An item's original (iCalendar, vCard) is what is kept; a model is read from it and written back
    into it, so what no door knows survives every change. The typed columns are what is listed and
    searched without opening the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from posthouse.formats.ical.appointment import appointment_from_ical, ical_from_appointment
from posthouse.formats.ical.journal import ical_from_note, note_from_ical
from posthouse.formats.ical.task import ical_from_task, task_from_ical
from posthouse.formats.vcard.contact import contact_from_vcard, vcard_from_contact
from posthouse.formats.vcard.group import group_from_vcard, is_group, vcard_from_group
from posthouse.model.appointment import Appointment
from posthouse.model.contact import Contact, DistributionList
from posthouse.model.errors import ParserFailed
from posthouse.model.item import ItemColumns, ItemKind
from posthouse.model.note import Note
from posthouse.model.task import Task
from posthouse.services.groupware.occurrences import last_end

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT_MAX = 255
_UID_MAX = 255

Value = Appointment | Task | Contact | DistributionList | Note


class View(Struct, frozen=True):
    """One kind of value.

    Attributes:
        kind: of the item.
        item_class: Exchange's message class.
        media_type: of the original.
        read: original -> value; raises ValueError for what is none.
        write: value and the original it changes (None: a new one) -> original.
        columns: what of the value is listed.
    """

    kind: ItemKind
    item_class: str
    media_type: str
    read: Callable[[bytes], Any]
    write: Callable[[Any, bytes | None], bytes]
    columns: Callable[[Any], ItemColumns]


def _columns_of_appointment(value: Appointment) -> ItemColumns:
    organizer = value.organizer
    return ItemColumns(
        subject=_short(value.subject),
        sender=_short(organizer.name or organizer.address) if organizer else "",
        recipients=_short(", ".join(one.name or one.address for one in value.attendees)),
        item_class="IPM.Appointment",
        importance=int(value.importance),
        start_at=value.start_at,
        end_at=last_end(value),
        ical_uid=value.uid[:_UID_MAX],
    )


def _columns_of_task(value: Task) -> ItemColumns:
    return ItemColumns(
        subject=_short(value.subject),
        item_class="IPM.Task",
        importance=int(value.importance),
        start_at=value.start_at or 0,
        end_at=value.due_at or 0,
        ical_uid=value.uid[:_UID_MAX],
    )


def _columns_of_contact(value: Contact) -> ItemColumns:
    addresses = value.email1, value.email2, value.email3
    return ItemColumns(
        subject=_short(value.file_as or value.shown_name),
        sender=_short(next((one.address for one in addresses if one.address), "")),
        item_class="IPM.Contact",
        ical_uid=value.uid[:_UID_MAX],
    )


def _columns_of_list(value: DistributionList) -> ItemColumns:
    return ItemColumns(
        subject=_short(value.name),
        recipients=_short(", ".join(one.name or one.address for one in value.members)),
        item_class="IPM.DistList",
        ical_uid=value.uid[:_UID_MAX],
    )


def _columns_of_note(value: Note) -> ItemColumns:
    return ItemColumns(
        subject=_short(value.subject or value.body.strip().partition("\n")[0]),
        item_class="IPM.StickyNote",
        ical_uid=value.uid[:_UID_MAX],
    )


def _short(text: str) -> str:
    return text[:_TEXT_MAX]


VIEWS: dict[type, View] = {
    Appointment: View(
        ItemKind.APPOINTMENT,
        "IPM.Appointment",
        "text/calendar",
        appointment_from_ical,
        ical_from_appointment,
        _columns_of_appointment,
    ),
    Task: View(
        ItemKind.TASK,
        "IPM.Task",
        "text/calendar",
        task_from_ical,
        ical_from_task,
        _columns_of_task,
    ),
    Contact: View(
        ItemKind.CONTACT,
        "IPM.Contact",
        "text/vcard",
        contact_from_vcard,
        vcard_from_contact,
        _columns_of_contact,
    ),
    DistributionList: View(
        ItemKind.CONTACT,
        "IPM.DistList",
        "text/vcard",
        group_from_vcard,
        vcard_from_group,
        _columns_of_list,
    ),
    Note: View(
        ItemKind.NOTE,
        "IPM.StickyNote",
        "text/calendar",
        note_from_ical,
        ical_from_note,
        _columns_of_note,
    ),
}
"""Model -> how it lies in the store."""

_BY_CLASS = {(view.kind, view.item_class): view for view in VIEWS.values()}
_BY_KIND = {view.kind: view for view in reversed(VIEWS.values())}


def view_of_item(kind: ItemKind, item_class: str) -> View | None:
    """How to read an item; an unknown class of a known kind is read as its first."""
    return _BY_CLASS.get((kind, item_class)) or _BY_KIND.get(kind)


def view_of_original(kind: ItemKind, original: bytes) -> View:
    """How to read an original that came from outside. Raises ParserFailed when nobody can."""
    view = _BY_KIND.get(kind)
    if view is None:
        raise ParserFailed(f"no original is kept of kind {kind.name}")
    if kind is not ItemKind.CONTACT:
        return view
    try:
        return VIEWS[DistributionList if is_group(original) else Contact]
    except ValueError as e:
        raise ParserFailed(str(e)) from e
