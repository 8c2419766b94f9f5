"""Appointments as calendars on phones have them.

Spec: [MS-ASCAL] v23 §2.2.2, §3.2.4.4, §3.2.5.3.

Notes:
    What ActiveSync has no element for (importance, sequence, links of our own) stays as it is
    known. A series whose pattern cannot be said is shown as its first occurrence, and stays a
    series when such a client changes it. From 16.0 on the server makes the UID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.formats.vcard.values import clean
from posthouse.model.appointment import Appointment, Organizer
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.calendar_exceptions import exceptions_element, with_exceptions
from posthouse.protocols.eas.wire.calendar_fields import field_elements, with_body, with_fields
from posthouse.protocols.eas.wire.calendar_people import (
    meeting_elements,
    shown_attendees,
    with_people,
)
from posthouse.protocols.eas.wire.calendar_times import (
    shown_recurrence,
    shown_times,
    span_from_data,
    span_of,
    told_zone,
    with_moved_end,
    with_told_end,
    zone_text,
)
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version, ViewOptions
from posthouse.protocols.eas.wire.recurrence import recurrence_element, recurrence_from_element
from posthouse.protocols.eas.wire.times import compact_from_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.protocols.eas.wire.calendar_times import Span
    from posthouse.protocols.eas.wire.calendar_values import Owner, Reading

_UID_MAX: Final = 300


def data_from_appointment(
    value: Appointment,
    options: ViewOptions,
    owner: Owner,
    body: list[Element],
    body_of: Callable[[Appointment], list[Element]] | None = None,
) -> list[Element]:
    """The children of ApplicationData.

    Args:
        value: any.
        options: of which the version counts.
        owner: of the mailbox.
        body: Body, and what belongs to it, as the client wants it.
        body_of: the same of an occurrence that has a body of its own; None: those are not told.
    """
    version = options.version
    start_at, end_at = shown_times(value, "", version)
    organizer = value.organizer if value.organizer and value.organizer.address else None
    organizer = organizer or Organizer(owner.address, owner.name)
    texts = {
        "AllDayEvent": str(int(value.is_all_day)),
        "StartTime": compact_from_ms(start_at),
        "EndTime": compact_from_ms(end_at),
        "OrganizerName": clean(organizer.name or organizer.address),
        "OrganizerEmail": clean(organizer.address),
        "DisallowNewTimeProposal": str(int(value.disallow_new_time_proposal)),
    }
    if not (value.is_all_day and version >= Version.V16_0):
        texts["Timezone"] = zone_text(value)
    if value.uid:
        texts["UID"] = clean(value.uid)[:_UID_MAX]
    if shown_attendees(value):
        texts["ResponseRequested"] = str(int(value.response_requested))
    out = [Element("Calendar", tag, text) for tag, text in texts.items()]
    out += field_elements(value, version)
    out += meeting_elements(value, owner)
    recurrence = shown_recurrence(value)
    if recurrence is not None:
        out.append(recurrence_element(recurrence))
        exceptions = exceptions_element(value, version, owner, body_of)
        out += [exceptions] if exceptions is not None else []
    return out + body


def appointment_from_data(
    data: Element, known: Appointment | None, reading: Reading, now_ms: int
) -> Appointment:
    """The appointment as a client wants it.

    Args:
        data: ApplicationData of an Add, or of a Change of the whole.
        known: what is changed; None: it is new.
        reading: how it is meant. Times, body, UID and exceptions are never cleared by absence.
        now_ms: the present.

    Returns:
        The ``uid`` of a new one is "" where the client told none.

    Raises:
        RemoteProtocolError: it is no appointment that we can keep (hint ``content``).
    """
    present = now_ms - now_ms % 1000
    base = known or Appointment(
        uid=_told_uid(data, "UID"), start_at=0, end_at=0, created_at=present
    )
    zone = told_zone(data, known, present)
    span = span_from_data(data, known, zone, reading.version, present)
    told = reading.told(data)
    value = with_body(with_people(with_fields(base, told, reading), told, reading), data)
    value = replace(value, changed_at=present, **span._asdict())
    value = _with_recurrence(value, known, data, zone, reading)
    return with_exceptions(value, data, zone, reading, present)


def client_uid(data: Element) -> str:
    """What a client of 16.x calls a new appointment, to know a repeated Add by; "" none.

    Raises:
        RemoteProtocolError: it is too long (hint ``content``).
    """
    return _told_uid(data, "ClientUid")


def _told_uid(data: Element, tag: str) -> str:
    uid = clean(data.text_of(f"Calendar:{tag}")).strip()
    if len(uid) > _UID_MAX:
        raise RemoteProtocolError(f"{tag} of more than {_UID_MAX} characters", "content")
    return uid


def _with_recurrence(
    value: Appointment,
    known: Appointment | None,
    data: Element,
    zone: str | None,
    reading: Reading,
) -> Appointment:
    """With the recurrence that is told; its exceptions end with what they were exceptions of.

    A client that was shown no recurrence does not end one by telling none.
    """
    element = data.child("Calendar:Recurrence")
    span = span_of(value)
    shown = shown_recurrence(known) if known is not None else None
    told = None
    if element is not None:
        told = recurrence_from_element(element, known=shown)
        told = with_told_end(told, span, zone or "") if told else None
        is_same = told is not None and told == shown
    else:
        is_same = shown is None or not reading.told(data).is_taken_away("Calendar:Recurrence")
    if known is None or not is_same:
        return replace(value, recurrence=told, overrides=(), has_unmapped_rule=False)
    if _is_where_it_was(span, span_of(known), reading.version):
        return value
    moved = with_moved_end(known.recurrence, known, span) if known.recurrence else None
    return replace(value, recurrence=moved, overrides=())


def _is_where_it_was(span: Span, known: Span, version: Version) -> bool:
    """Whether exceptions stay: from 16.0 on a new length ends them too."""
    if version < Version.V16_0:
        span = span._replace(end_at=known.end_at)
    return span == known
