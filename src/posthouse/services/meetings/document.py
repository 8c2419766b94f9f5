"""Calendar documents of meetings: what a message told, what a calendar holds, and our notes in it.

Spec: RFC 5545 §3.8.4.4 (RECURRENCE-ID), §3.8.7.4 (SEQUENCE), §3.8.7.2 (DTSTAMP); RFC 5546 §2.1.5
(which of two is newer); [MS-OXCICAL] §2.1.3.1.1.20.

Notes:
    - DTSTAMP moves when a client changes its own copy, so what the organizer said last is noted in
      properties of our own: the revision of the whole in the series' component, that of one
      occurrence in its component, that of an occurrence which is gone in the series' component
      with a parameter. They never leave the house, and none that comes from outside counts.
    - An invitation to one occurrence of a series that is not known here lies in the calendar as an
      appointment of its own, an *orphan*, until the series comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from posthouse.formats.ical.appointment import (
    appointment_from_series,
    series_from_document,
    write_appointment,
)
from posthouse.formats.ical.itip import SchedulingMessage, message_from_ical
from posthouse.formats.ical.lines import (
    LIMITS,
    Component,
    IcalLimits,
    Property,
    bytes_from_document,
    document_from_bytes,
)
from posthouse.formats.ical.values import (
    address_from_value,
    integer_from_value,
    ms_from_utc_value,
    utc_value,
    value_from_address,
)
from posthouse.model.appointment import BusyStatus

if TYPE_CHECKING:
    from posthouse.formats.ical.overrides import Series
    from posthouse.model.appointment import Appointment
    from posthouse.model.ids import ItemId

MESSAGE_LIMITS = IcalLimits(
    document_bytes_max=1 << 20,
    lines_max=10_000,
    depth_max=8,
    components_max=600,
    values_max=2_000,
)
"""Of what comes by mail; a calendar that was imported may be larger."""
_OCCURRENCES_MAX = 10
_OWN = "X-POSTHOUSE-"
_REVISION = "X-POSTHOUSE-REVISION"
_OF = "X-POSTHOUSE-OF"
_BROUGHT_BY = "X-POSTHOUSE-BROUGHT-BY"
_INTENDED = "X-MICROSOFT-CDO-INTENDEDSTATUS"
_STATUSES = {
    "FREE": BusyStatus.FREE,
    "TENTATIVE": BusyStatus.TENTATIVE,
    "BUSY": BusyStatus.BUSY,
    "OOF": BusyStatus.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": BusyStatus.WORKING_ELSEWHERE,
}
_STATUS_TEXT = {value: name for name, value in _STATUSES.items()}


class Revision(NamedTuple):
    """Which version of a meeting or occurrence; the greater is the newer.

    Attributes:
        sequence: the organizer's count.
        stamped_at: when the message was made, ms.
    """

    sequence: int = 0
    stamped_at: int = 0


class Told(Struct, frozen=True):
    """One scheduling message.

    Attributes:
        message: what it says.
        data: its document: of this message alone.
    """

    message: SchedulingMessage
    data: bytes

    @property
    def revision(self) -> Revision:
        """Of the meeting or occurrence that it speaks of."""
        return Revision(self.message.sequence, self.message.stamped_at)


class Held(Struct, frozen=True):
    """An entry of a calendar about a meeting.

    Attributes:
        appointment: the view.
        original: its document.
        revision: of what the organizer said of it last.
        revisions: of single occurrences, by original start.
        brought_by: the sender of the first invitation where that was neither organizer nor
            attendee; "" else.
        recurrence_at: of an orphan: which occurrence it is.
        item_id: in the store; None: not there yet.
    """

    appointment: Appointment
    original: bytes
    revision: Revision
    revisions: dict[int, Revision]
    brought_by: str = ""
    recurrence_at: int | None = None
    item_id: ItemId | None = None

    def revision_of(self, original_start_at: int) -> Revision:
        """The newest that is known of one occurrence."""
        return max(self.revision, self.revisions.get(original_start_at, Revision()))


def told_from_ical(data: bytes) -> list[Told]:
    """The messages of a document that came by mail: one, or one for each occurrence it names.

    Raises:
        ParserFailed: no readable VEVENT.
        TooLarge: it passes a limit.
    """
    root = document_from_bytes(data, MESSAGE_LIMITS)
    series = series_from_document(root)
    calendar = series.calendar.tree
    root.children = [calendar]
    uid = series.master.value("UID")
    found = calendar.components("VEVENT")
    ours = [one for one in found if one.value("UID") == uid]
    calendar.remove(*(one for one in found if one.value("UID") != uid))
    for component in ours:
        _make_safe(component)
    if len(ours) == 1 or series.master.first("RECURRENCE-ID") is None:
        return [_told(root)]
    told: list[Told] = []
    calendar.remove(*ours)
    for component in ours[:_OCCURRENCES_MAX]:
        calendar.children.append(component)
        told.append(_told(root))
        calendar.remove(component)
    return told


def _told(root: Component) -> Told:
    data = bytes_from_document(root)
    return Told(message_from_ical(data, MESSAGE_LIMITS), data)


def _make_safe(component: Component) -> None:
    """Take out what is not the sender's to say, and put in the start that answers may leave out."""
    component.remove(*component.components("VALARM"))
    own = [c for c in component.children if isinstance(c, Property) and c.name.startswith(_OWN)]
    component.remove(*own)
    if component.first("DTSTART") is None:
        at = component.first("RECURRENCE-ID") or component.first("DTSTAMP")
        if at is not None:
            parameters: dict[str, str | None] = {
                p.name: p.values[0] for p in at.parameters if p.values
            }
            component.set("DTSTART", at.value, parameters)


def held_from_original(original: bytes, item_id: ItemId | None = None) -> Held:
    """Read an entry.

    Raises:
        ParserFailed: no readable VEVENT.
        TooLarge: it passes a limit.
    """
    series = series_from_document(document_from_bytes(original, LIMITS))
    appointment = appointment_from_series(series)
    master = series.master
    one = series.calendar.moment(master.first("RECURRENCE-ID"))
    revisions = {
        key: _revision(components[0])
        for key, components in series.components_by_start(is_all_day=appointment.is_all_day).items()
    }
    for prop in master.properties(_REVISION):
        at = ms_from_utc_value(prop.parameter(_OF)) if prop.parameter(_OF) else None
        if at is not None:
            revisions[at] = _revision_from_value(prop.value)
    return Held(
        appointment,
        original,
        _revision(master),
        revisions,
        address_from_value(master.value(_BROUGHT_BY)),
        one.at if one else None,
        item_id,
    )


def _revision(component: Component) -> Revision:
    for prop in component.properties(_REVISION):
        if not prop.parameter(_OF):
            return _revision_from_value(prop.value)
    sequence = integer_from_value(component.value("SEQUENCE")) or 0
    return Revision(max(sequence, 0), ms_from_utc_value(component.value("DTSTAMP")) or 0)


def _revision_from_value(value: str) -> Revision:
    sequence, _, stamp = value.partition("/")
    return Revision(integer_from_value(sequence) or 0, ms_from_utc_value(stamp) or 0)


def _revision_value(revision: Revision) -> str:
    return f"{revision.sequence}/{utc_value(revision.stamped_at)}"


def entry_base(told: Told, known: Held | None) -> bytes:
    """The document of a message as it may lie in a calendar, with the owner's own alarms.

    Args:
        told: the message.
        known: the entry whose place it takes.
    """
    root = document_from_bytes(told.data)
    series = series_from_document(root)
    series.calendar.tree.drop("METHOD")
    master = series.master
    if not master.value(_INTENDED):
        master.set(_INTENDED, _STATUS_TEXT[_meant(told.message.appointment.busy)])
    if known is not None:
        before = series_from_document(document_from_bytes(known.original)).master
        master.children += before.components("VALARM")
    return bytes_from_document(root)


def _meant(busy: BusyStatus) -> BusyStatus:
    """What an invitation that only says "tentative" means for those who accept it."""
    return BusyStatus.BUSY if busy is BusyStatus.TENTATIVE else busy


def intended_busy(original: bytes) -> BusyStatus:
    """How the time shall show when the invitation is accepted."""
    master = series_from_document(document_from_bytes(original)).master
    text = master.value(_INTENDED).strip().upper()
    return _meant(_STATUSES.get(text, BusyStatus.BUSY))


def write_held(held: Held, base: bytes | None = None) -> Held:
    """The entry with its document written anew.

    Args:
        held: as it shall be; its ``original`` is what is changed when there is no ``base``.
        base: the document to be changed.

    Raises:
        ValueError: a field of the recurrence is out of range.
    """
    root = document_from_bytes(base or held.original)
    series = series_from_document(root)
    write_appointment(series, held.appointment)
    _write_marks(series, held)
    return replace(held, original=bytes_from_document(root))


def _write_marks(series: Series, held: Held) -> None:
    master = series.master
    master.drop(_REVISION, _BROUGHT_BY)
    master.set(_REVISION, _revision_value(held.revision))
    if held.brought_by:
        master.set(_BROUGHT_BY, value_from_address(held.brought_by))
    is_all_day = held.appointment.is_all_day
    there = _components(series, is_all_day=is_all_day)
    for key, component in there.items():
        component.drop(_REVISION, _BROUGHT_BY)
        component.set(_REVISION, _revision_value(held.revisions.get(key, held.revision)))
    gone = {one.original_start_at for one in held.appointment.overrides if one.is_deleted}
    for key in sorted(gone & held.revisions.keys() - there.keys()):
        value = _revision_value(held.revisions[key])
        master.add(master.new_property(_REVISION, value, {_OF: utc_value(key)}))


def _components(series: Series, *, is_all_day: bool) -> dict[int, Component]:
    """Those of single occurrences, with those just written."""
    fresh = series_of(series.calendar.tree)
    found = fresh.components_by_start(is_all_day=is_all_day)
    return {key: components[0] for key, components in found.items()}


def series_of(calendar: Component) -> Series:
    """The components of the first appointment of a calendar."""
    root = Component("")
    root.children.append(calendar)
    return series_from_document(root)


def without_marks(original: bytes) -> bytes:
    """The document as it may leave the house."""
    root = document_from_bytes(original)
    for calendar in root.components("VCALENDAR"):
        for component in calendar.components("VEVENT"):
            children = component.children
            own = [c for c in children if isinstance(c, Property) and c.name.startswith(_OWN)]
            component.remove(*own)
    return bytes_from_document(root)
