"""What calendars on phones know of an appointment beside its times: words and marks.

Spec: [MS-ASCAL] v23 §2.2.2; [MS-ASAIRS] §2.2.2.28 (Location).

Notes:
    A series and each of its exceptions have these elements. A client that sends back what it was
    shown changes nothing, even where it was shown less than is known (a busy status 14.1 lacks, a
    name that is only an address, the plain words of an HTML body).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.formats.vcard.values import clean
from posthouse.model.appointment import BusyStatus, Sensitivity
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.calendar_values import enumerated, number_in
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.fields import names_elements
from posthouse.protocols.eas.wire.incoming_body import body_from_data, texts_from_body
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.times import compact_from_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from posthouse.model.appointment import Appointment
    from posthouse.protocols.eas.wire.calendar_values import Changes, Reading
    from posthouse.protocols.eas.wire.fields import Told

_REMINDER_MAX = 0x7FFF_FFFF
_ADDRESS_PARTS: Final = ("Street", "City", "State", "PostalCode", "Country")


def field_elements(value: Appointment, version: Version) -> list[Element]:
    """All that a series and an exception may have, but times, body and people."""
    out = [
        _text("Subject", clean(value.subject)),
        _text("BusyStatus", str(int(shown_busy(value.busy, version)))),
        _text("Sensitivity", str(int(value.sensitivity))),
        _text("DtStamp", compact_from_ms(value.changed_at or value.created_at)),
    ]
    if location := clean(value.location):
        out.append(location_element(location, version, "Calendar"))
    if value.reminder_minutes is not None:
        out.append(_text("Reminder", str(max(value.reminder_minutes, 0))))
    out += names_elements("Calendar:Categories", "Category", value.categories)
    return out + list(_link_elements(value))


def location_element(location: str, version: Version, namespace: str) -> Element:
    """A place; before 16.0 in the namespace of what is there."""
    if version < Version.V16_0:
        return Element(namespace, "Location", location)
    return Element("AirSyncBase", "Location", [Element("AirSyncBase", "DisplayName", location)])


def _text(tag: str, text: str) -> Element:
    return Element("Calendar", tag, text)


def _link_elements(value: Appointment) -> Iterator[Element]:
    link = clean(value.online_meeting_link)
    if link:
        is_web = link.lower().startswith(("http:", "https:"))
        yield _text("OnlineMeetingExternalLink" if is_web else "OnlineMeetingConfLink", link)


def shown_busy(busy: BusyStatus, version: Version) -> BusyStatus:
    """A busy status as it is told: 14.1 does not know who works elsewhere."""
    if busy == BusyStatus.WORKING_ELSEWHERE and version < Version.V16_0:
        return BusyStatus.FREE
    return busy


def with_fields(value: Appointment, told: Told, reading: Reading) -> Appointment:
    """The appointment with what is told of all this, but for its body.

    Args:
        value: as it is; its own values stand for what is not told.
        told: what an ApplicationData or an Exception says.
        reading: how it is meant.

    Raises:
        RemoteProtocolError: a value is out of range (hint ``content``).
    """
    names = told.names("Calendar:Categories", "Category", value.categories)
    changes: Changes = {"categories": names}
    for tags, read, cleared in _FIELDS:
        found = [element for tag in tags if (element := told.element(tag)) is not None]
        if found:
            changes.update(read(found[0], value, reading))
        elif told.is_taken_away(tags[0]):
            changes.update(cleared)
    return replace(value, **changes)


def with_body(value: Appointment, data: Element) -> Appointment:
    """The appointment with the body that an ApplicationData or an Exception has.

    Raises:
        RemoteProtocolError: one in a form in which none is ever shown (hint ``content``).
    """
    body, html = texts_from_body(body_from_data(data), value.body, value.html)
    return replace(value, body=body, html=html)


def _read_subject(element: Element, value: Appointment, _reading: Reading) -> Changes:
    text = clean(element.text)
    return {} if text == clean(value.subject) else {"subject": " ".join(text.splitlines())}


def _read_location(element: Element, value: Appointment, _reading: Reading) -> Changes:
    text = element.text if element.namespace == "Calendar" else _place(element)
    text = clean(text)
    return {} if text == clean(value.location) else {"location": text}


def _place(element: Element) -> str:
    parts = (element.text_of(tag).strip() for tag in _ADDRESS_PARTS)
    return element.text_of("DisplayName") or ", ".join(part for part in parts if part)


def _read_busy(element: Element, value: Appointment, reading: Reading) -> Changes:
    told = enumerated(BusyStatus, element, BusyStatus.BUSY)
    return {} if told == shown_busy(value.busy, reading.version) else {"busy": told}


def _read_sensitivity(element: Element, _value: Appointment, _reading: Reading) -> Changes:
    return {"sensitivity": enumerated(Sensitivity, element, Sensitivity.NORMAL)}


def _read_reminder(element: Element, value: Appointment, _reading: Reading) -> Changes:
    text = element.text.strip()
    if not text:
        return {"reminder_minutes": None}
    minutes = number_in(element)
    if minutes > _REMINDER_MAX:
        raise RemoteProtocolError("a reminder before there were calendars", "content")
    known = value.reminder_minutes
    is_shown = known is not None and max(known, 0) == minutes
    return {} if is_shown else {"reminder_minutes": minutes}


_FIELDS: Final[
    tuple[tuple[tuple[str, ...], Callable[[Element, Appointment, Reading], Changes], Changes], ...]
] = (
    (("Calendar:Subject",), _read_subject, {"subject": ""}),
    (("Calendar:Location", "AirSyncBase:Location"), _read_location, {"location": ""}),
    (("Calendar:BusyStatus",), _read_busy, {"busy": BusyStatus.BUSY}),
    (("Calendar:Sensitivity",), _read_sensitivity, {"sensitivity": Sensitivity.NORMAL}),
    (("Calendar:Reminder",), _read_reminder, {"reminder_minutes": None}),
)
"""Names of the element, how it is read, and what its absence means."""
