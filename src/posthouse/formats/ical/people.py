"""Organizer and attendees.

Spec: RFC 5545 §3.8.4.1 (ATTENDEE), §3.8.4.3 (ORGANIZER), §3.2.12 (PARTSTAT), §3.2.16 (ROLE);
[MS-OXCICAL] §2.1.3.1.1.20.2, §2.1.3.1.1.20.2.6 (X-MS-OLK-RESPTIME).

Notes:
    Apple names people by URNs and says the address in a parameter EMAIL. A PARTSTAT that the model
    does not know (DELEGATED) reads as unknown and stays until the answer changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.ical.lines import LIMITS, Component, Property
from posthouse.formats.ical.parts import Part, Values
from posthouse.formats.ical.values import (
    address_from_value,
    boolean_from_value,
    ms_from_utc_value,
    utc_value,
    value_from_address,
)
from posthouse.model.appointment import (
    Appointment,
    Attendee,
    AttendeeRole,
    Organizer,
    Response,
)

if TYPE_CHECKING:
    from posthouse.formats.ical.times import Calendar

_RESPONSES = {
    "NEEDS-ACTION": Response.NONE,
    "ACCEPTED": Response.ACCEPTED,
    "DECLINED": Response.DECLINED,
    "TENTATIVE": Response.TENTATIVE,
}
RESPONSE_TEXT = {value: name for name, value in _RESPONSES.items()}
_RESPONDED = "X-MS-OLK-RESPTIME"
_RESOURCES = ("RESOURCE", "ROOM")
_ROLE_TEXT = {
    AttendeeRole.REQUIRED: "REQ-PARTICIPANT",
    AttendeeRole.OPTIONAL: "OPT-PARTICIPANT",
    AttendeeRole.RESOURCE: "NON-PARTICIPANT",
}


def attendee_from_property(prop: Property) -> Attendee:
    """Read an ATTENDEE."""
    kind = prop.parameter("CUTYPE").upper()
    role = prop.parameter("ROLE").upper()
    if kind in _RESOURCES:
        part = AttendeeRole.RESOURCE
    elif role in ("OPT-PARTICIPANT", "NON-PARTICIPANT"):
        part = AttendeeRole.OPTIONAL
    else:
        part = AttendeeRole.REQUIRED
    return Attendee(
        address=_address(prop),
        name=prop.parameter("CN").strip(),
        role=part,
        response=_RESPONSES.get(prop.parameter("PARTSTAT").upper(), Response.UNKNOWN),
        responded_at=ms_from_utc_value(prop.parameter(_RESPONDED)) or 0,
    )


def changed_attendee(prop: Property, wanted: Attendee, *, is_asked: bool) -> Property:
    """An ATTENDEE with what differs written anew.

    Args:
        prop: as it is.
        wanted: as it shall be.
        is_asked: whether an answer is wanted, where the property has to change anyway.
    """
    there = attendee_from_property(prop)
    if there == wanted:
        return prop
    told: dict[str, str | None] = {}
    if there.role != wanted.role:
        told["CUTYPE"] = "RESOURCE" if wanted.role == AttendeeRole.RESOURCE else None
        told["ROLE"] = _ROLE_TEXT[wanted.role]
    if there.response != wanted.response:
        told["PARTSTAT"] = RESPONSE_TEXT.get(wanted.response)
    if there.responded_at != wanted.responded_at:
        told[_RESPONDED] = utc_value(wanted.responded_at) if wanted.responded_at else None
    if there.name != wanted.name:
        told["CN"] = wanted.name
    if not there.address and is_asked:
        told["RSVP"] = "TRUE"
    value = None
    if there.address != wanted.address:
        value = value_from_address(wanted.address)
        told["EMAIL"] = None
    return prop.changed(value, told)


def _address(prop: Property) -> str:
    address = address_from_value(prop.value)
    if "@" not in address or prop.value.strip()[:7].lower() != "mailto:":
        return prop.parameter("EMAIL").strip() or address
    return address


def _read_organizer(component: Component, _calendar: Calendar) -> Values:
    prop = component.first("ORGANIZER")
    if prop is None:
        return {"organizer": None}
    return {"organizer": Organizer(_address(prop), prop.parameter("CN").strip())}


def _write_organizer(component: Component, calendar: Calendar, wanted: Appointment) -> None:
    there: Organizer | None = _read_organizer(component, calendar)["organizer"]
    if wanted.organizer is None:
        component.drop("ORGANIZER")
        return
    if there is not None and there.address == wanted.organizer.address:
        component.set("ORGANIZER", component.value("ORGANIZER"), {"CN": wanted.organizer.name})
        return
    # Whatever else was said (SENT-BY, SCHEDULE-STATUS) was said of somebody else.
    component.drop("ORGANIZER")
    component.set(
        "ORGANIZER", value_from_address(wanted.organizer.address), {"CN": wanted.organizer.name}
    )


def _read_attendees(component: Component, _calendar: Calendar) -> Values:
    props = component.properties("ATTENDEE")[: LIMITS.values_max]
    return {
        "attendees": tuple(map(attendee_from_property, props)),
        "response_requested": any(boolean_from_value(p.parameter("RSVP")) for p in props),
    }


def _write_attendees(component: Component, _calendar: Calendar, wanted: Appointment) -> None:
    """Those who stay keep their properties, in the wanted order; the others go or come."""
    there: dict[str, list[Property]] = {}
    slots = component.properties("ATTENDEE")[: LIMITS.values_max]
    for prop in slots:
        there.setdefault(_address(prop).lower(), []).append(prop)
    new: list[Property] = []
    for attendee in wanted.attendees:
        kept = there.get(attendee.address.lower())
        prop = kept.pop(0) if kept else component.new_property("ATTENDEE", "")
        new.append(changed_attendee(prop, attendee, is_asked=wanted.response_requested))
    if any(boolean_from_value(p.parameter("RSVP")) for p in new) != wanted.response_requested:
        asked = "TRUE" if wanted.response_requested else None
        new = [prop.changed(parameters={"RSVP": asked}) for prop in new]
    component.replace_all(slots, new)


ORGANIZER: Part[Appointment] = Part(_read_organizer, _write_organizer)
ATTENDEES: Part[Appointment] = Part(_read_attendees, _write_attendees)
