"""Appointments as a view of an iCalendar document, and changes written back into it.

Spec: RFC 5545 §3.6.1 (VEVENT), §3.8.5; [MS-OXCICAL] §2.1.3.1.1.20.

Notes:
    Of a calendar with several UIDs the first is the appointment; the others are left alone. What is
    not known stays byte for byte, and so does every property that still says what is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.formats.ical.event_parts import OCCURRENCE_PARTS, form_of
from posthouse.formats.ical.lines import (
    LIMITS,
    Component,
    IcalLimits,
    bytes_from_document,
    document_from_bytes,
    new_component,
)
from posthouse.formats.ical.overrides import Series, read_overrides, write_overrides
from posthouse.formats.ical.parts import (
    CHANGED,
    CREATED,
    UID,
    Part,
    Shared,
    put_text,
    read_parts,
    write_parts,
)
from posthouse.formats.ical.rules import drop_unmapped, is_unmapped, read_rule, write_rule
from posthouse.formats.ical.times import Calendar, Moment
from posthouse.formats.ical.values import utc_value
from posthouse.model.appointment import Appointment

if TYPE_CHECKING:
    from posthouse.model.recurrence import Recurrence

PRODID = "-//Posthouse//Posthouse//EN"
_OWN_PARTS: tuple[Part[Shared], ...] = (UID, CREATED, CHANGED)


def appointment_from_ical(data: bytes, limits: IcalLimits = LIMITS) -> Appointment:
    """Read an appointment.

    Raises:
        ParserFailed: no VEVENT, one without a readable DTSTART, or vCalendar 1.0.
        TooLarge: the document passes a limit.
    """
    return appointment_from_series(series_from_document(document_from_bytes(data, limits)))


def ical_from_appointment(
    appointment: Appointment, original: bytes | None = None, limits: IcalLimits = LIMITS
) -> bytes:
    """Write an appointment.

    Args:
        appointment: as it shall be.
        original: the document that it is a view of; None: a new one is made.
        limits: of the original.

    Returns:
        The original with those properties changed that said something else. Reading it gives the
        appointment again, but for ``has_unmapped_rule``, which cannot be brought in.

    Raises:
        ParserFailed: as for reading.
        TooLarge: the same.
        ValueError: a field of the recurrence is out of range.
    """
    root = document_from_bytes(original, limits) if original else new_document("VEVENT")
    series = series_from_document(root)
    write_appointment(series, appointment)
    return bytes_from_document(root)


def series_from_document(root: Component, kind: str = "VEVENT") -> Series:
    """The components of the first calendar that has such.

    Raises:
        ParserFailed: none has.
    """
    calendars = root.components("VCALENDAR")
    tree = next((c for c in calendars if c.components(kind)), calendars[0])
    return Series(Calendar(tree), kind)


def new_document(kind: str) -> Component:
    """A calendar with an empty component of this kind."""
    root, calendar = Component(""), new_component("VCALENDAR")
    calendar.set("VERSION", "2.0")
    calendar.set("PRODID", PRODID)
    calendar.children.append(new_component(kind))
    root.children.append(calendar)
    return root


def appointment_from_series(series: Series) -> Appointment:
    """The view of its components."""
    regular = _regular(series)
    rule = _rule(series)
    return replace(
        regular,
        recurrence=rule,
        has_unmapped_rule=_has_unmapped_rule(series, rule),
        overrides=read_overrides(series, regular),
    )


def write_appointment(series: Series, wanted: Appointment) -> None:
    """Change the components so that their view is the appointment."""
    master, calendar = series.master, series.calendar
    did_recur = series.recurs
    write_parts(_OWN_PARTS, master, calendar, wanted)
    for _, component in series.others:
        if component.value("UID") != master.value("UID"):
            put_text(component, "UID", wanted.uid)
    if master.first("DTSTART") is None:
        # A DTSTAMP there must be, even when nobody knows the time.
        master.set("DTSTAMP", utc_value(wanted.changed_at))
        calendar.put(master, "DTSTART", Moment(wanted.start_at, form_of(wanted)), None)
    write_parts(OCCURRENCE_PARTS, master, calendar, wanted)
    _write_rule(series, wanted)
    # Exceptions without a rule mean nothing, and are left alone.
    if did_recur or series.recurs:
        write_overrides(series, wanted)


def _regular(series: Series) -> Appointment:
    values = read_parts(OCCURRENCE_PARTS, series.master, series.calendar)
    values.update(read_parts(_OWN_PARTS, series.master, series.calendar))
    return Appointment(**values)


def _rule(series: Series) -> Recurrence | None:
    start = series.master.first("DTSTART")
    moment = series.calendar.moment(start)
    if start is None or moment is None:
        return None
    return read_rule(series.master, start.value, moment.form)


def _has_unmapped_rule(series: Series, rule: Recurrence | None) -> bool:
    return series.goes_on or is_unmapped(series.master, rule)


def _write_rule(series: Series, wanted: Appointment) -> None:
    rule = _rule(series)
    if _has_unmapped_rule(series, rule) and not wanted.has_unmapped_rule:
        drop_unmapped(series.master)
        series.drop_going_on()
        if rule is None or len(series.master.properties("RRULE")) > 1:
            write_rule(series.master, wanted.recurrence, form_of(wanted))
    if rule != wanted.recurrence and (wanted.recurrence or not wanted.has_unmapped_rule):
        write_rule(series.master, wanted.recurrence, form_of(wanted))
