"""Who takes part in an appointment, as calendars on phones have it.

Spec: [MS-ASCAL] v23 §2.2.2.3 to §2.2.2.6, §2.2.2.28 (MeetingStatus), §2.2.2.35, §2.2.2.36,
§2.2.2.40 (ResponseType).

Notes:
    The organizer is not shown among the attendees, as Exchange has it; who is there stays there.
    Who attends a meeting of somebody else is not changed by its copies, nor is whether it is
    cancelled. An answer that is known counts more than what a copy of the list says.
    iOS sends meetings without an organizer, and no client of 16.x may tell one: it is the owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.formats.vcard.values import clean
from posthouse.model.appointment import Attendee, AttendeeRole, Organizer, Response
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.calendar_values import enumerated, flag_in, number_in
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.times import compact_from_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from posthouse.model.appointment import Appointment
    from posthouse.protocols.eas.wire.calendar_values import Changes, Owner, Reading
    from posthouse.protocols.eas.wire.fields import Told

ATTENDEES_MAX: Final = 1_000
"""Of a meeting; more are not shown, and not taken."""

_MEETING = 1
_RECEIVED = 2
_CANCELLED = 4
_RESPONSE_ORGANIZER = 1
_UNANSWERED = (Response.UNKNOWN, Response.NONE)


def is_received(value: Appointment, owner: Owner) -> bool:
    """Whether it is somebody else's meeting."""
    organizer = value.organizer
    return organizer is not None and bool(organizer.address) and not owner.is_at(organizer.address)


def shown_attendees(value: Appointment) -> list[Attendee]:
    """All but the organizer and those without an address."""
    organizer = value.organizer.address.lower() if value.organizer else ""
    shown = (a for a in value.attendees if a.address and a.address.lower() != organizer)
    return list(shown)[:ATTENDEES_MAX]


def meeting_elements(value: Appointment, owner: Owner) -> Iterator[Element]:
    """What is told of it; nothing but two zeros of what is no meeting."""
    attendees = shown_attendees(value)
    received = is_received(value, owner)
    status = 0
    if attendees or received:
        status = _MEETING | (_RECEIVED * received) | (_CANCELLED * value.is_cancelled)
    yield _text("MeetingStatus", str(status))
    if attendees:
        yield Element("Calendar", "Attendees", [_attendee_element(one) for one in attendees])
    if not received:
        yield _text("ResponseType", str(_RESPONSE_ORGANIZER if status else 0))
        return
    own = next((one for one in value.attendees if owner.is_at(one.address)), Attendee(""))
    response = own.response or Response.NONE
    yield _text("ResponseType", str(int(response)))
    if own.responded_at and response != Response.NONE:
        yield _text("AppointmentReplyTime", compact_from_ms(own.responded_at))


def _attendee_element(attendee: Attendee) -> Element:
    return Element(
        "Calendar",
        "Attendee",
        [
            _text("Email", clean(attendee.address)),
            _text("Name", _shown_name(attendee)),
            _text("AttendeeStatus", str(int(attendee.response))),
            _text("AttendeeType", str(int(attendee.role))),
        ],
    )


def _shown_name(attendee: Attendee) -> str:
    return clean(attendee.name or attendee.address)


def with_people(value: Appointment, told: Told, reading: Reading) -> Appointment:
    """The appointment with what is told of who takes part, and of what they may do.

    Args:
        value: as it is; see ``with_fields``.
        told: what an ApplicationData or an Exception says.
        reading: how it is meant.

    Raises:
        RemoteProtocolError: a value is out of range (hint ``content``).
    """
    if is_received(value, reading.owner):
        return value
    attendees = value.attendees
    element = told.element("Calendar:Attendees")
    if element is not None:
        attendees = _attendees(element, value, reading)
    elif told.is_taken_away("Calendar:Attendees"):
        attendees = _not_shown(value)
    organizer = value.organizer
    if organizer is None and (attendees != value.attendees or not attendees):
        organizer = _told_organizer(told, reading, is_meeting=bool(attendees))
    changes: Changes = {"attendees": attendees, "organizer": organizer}
    status = _status(told)
    if status & _MEETING:
        changes["is_cancelled"] = bool(status & _CANCELLED)
    disallow = told.element("Calendar:DisallowNewTimeProposal")
    if disallow is not None or told.is_taken_away("Calendar:DisallowNewTimeProposal"):
        changes["disallow_new_time_proposal"] = disallow is not None and flag_in(disallow)
    requested = told.element("Calendar:ResponseRequested")
    if requested is not None:
        changes["response_requested"] = flag_in(requested)
    elif not value.attendees:
        changes["response_requested"] = True
    if not attendees:
        changes["response_requested"] = False
    return replace(value, **changes)


def _told_organizer(told: Told, reading: Reading, *, is_meeting: bool) -> Organizer | None:
    """Who calls a meeting of which nobody was known to; clients of 16.x do not say."""
    owner = reading.owner
    address = (told.text("Calendar:OrganizerEmail") or "").strip()
    may_be_others = is_meeting or bool(_status(told) & _RECEIVED)
    if address and not owner.is_at(address) and may_be_others and reading.version < Version.V16_0:
        name = (told.text("Calendar:OrganizerName") or "").strip()
        return Organizer(address, name if name != address else "")
    return Organizer(owner.address, owner.name) if is_meeting else None


def _status(told: Told) -> int:
    element = told.element("Calendar:MeetingStatus")
    return number_in(element) if element is not None and element.text else 0


def _attendees(element: Element, value: Appointment, reading: Reading) -> tuple[Attendee, ...]:
    told = list(element.each("Attendee"))
    if len(told) > ATTENDEES_MAX:
        raise RemoteProtocolError("more attendees than a meeting may have", "content")
    known = {attendee.address.lower(): attendee for attendee in value.attendees}
    found: dict[str, Attendee] = {}
    for one in told:
        attendee = _attendee(one, known, reading)
        found.setdefault(attendee.address.lower(), attendee)
    hidden = set(_not_shown(value))
    there = (one if one in hidden else found.get(one.address.lower()) for one in value.attendees)
    new = (one for address, one in found.items() if address not in known)
    return (*(one for one in there if one is not None), *new)


def _not_shown(value: Appointment) -> tuple[Attendee, ...]:
    shown = set(shown_attendees(value))
    return tuple(one for one in value.attendees if one not in shown)


def _attendee(element: Element, known: dict[str, Attendee], reading: Reading) -> Attendee:
    address = clean(element.text_of("Email")).strip()
    if not address:
        raise RemoteProtocolError("an attendee without an address", "content")
    told = Response.NONE
    if reading.version < Version.V16_0:
        told = enumerated(Response, element.child("AttendeeStatus"), Response.NONE)
    old = known.get(address.lower(), Attendee(address, response=told))
    name = clean(element.text_of("Name")).strip()
    role = enumerated(AttendeeRole, element.child("AttendeeType"), old.role)
    is_news = old.response in _UNANSWERED and told not in _UNANSWERED
    return replace(
        old,
        name=old.name if name in ("", address, _shown_name(old)) else name,
        role=role,
        response=told if is_news else old.response,
    )


def _text(tag: str, text: str) -> Element:
    return Element("Calendar", tag, text)
