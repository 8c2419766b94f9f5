"""Parts of a VEVENT: times, busy status, sequence, reminder, links.

Spec: RFC 5545 §3.6.1, §3.8.1.11 (STATUS), §3.8.2 (times), §3.8.7.4 (SEQUENCE); RFC 7986 §5.11
(CONFERENCE); [MS-OXCICAL] §2.1.3.1.1.20.

Notes:
    Outlook says "all day" beside times at midnight, too. An end before the start counts as none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.ical.alarms import reminder_minutes, set_reminder_minutes
from posthouse.formats.ical.parts import DESCRIBING, Part, Shared, Values, flag_of, text_part
from posthouse.formats.ical.people import ATTENDEES, ORGANIZER
from posthouse.formats.ical.times import Calendar, Form, Moment, length_of_day
from posthouse.formats.ical.values import (
    DAY_MS,
    civil_from_value,
    integer_from_value,
    ms_from_civil,
    ms_from_duration,
)
from posthouse.model.appointment import Appointment, BusyStatus
from posthouse.model.errors import ParserFailed

if TYPE_CHECKING:
    from posthouse.formats.ical.lines import Component, Property

_CDO_SEQUENCE = "X-MICROSOFT-CDO-APPT-SEQUENCE"
_CDO_ALL_DAY = "X-MICROSOFT-CDO-ALLDAYEVENT"
_CDO_BUSY = "X-MICROSOFT-CDO-BUSYSTATUS"
_DISALLOW = "X-MICROSOFT-DISALLOW-COUNTER"
_LINKS = (
    "CONFERENCE",
    "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK",
    "X-MICROSOFT-ONLINEMEETINGCONFLINK",
    "X-GOOGLE-CONFERENCE",
)


def _read_sequence(component: Component, _calendar: Calendar) -> Values:
    return {"sequence": max(integer_from_value(component.value("SEQUENCE")) or 0, 0)}


def _write_sequence(component: Component, _calendar: Calendar, wanted: Appointment) -> None:
    component.set("SEQUENCE", str(wanted.sequence))
    if component.first(_CDO_SEQUENCE):
        component.set(_CDO_SEQUENCE, str(wanted.sequence))


def _read_span(component: Component, calendar: Calendar) -> Values:
    start_prop = component.first("DTSTART")
    start = calendar.moment(start_prop)
    if start is None or start_prop is None:
        raise ParserFailed("an appointment without a readable DTSTART")
    form = start.form
    end_at = _end_at(component, calendar, start_prop, start)
    if not form.is_date and flag_of(component, _CDO_ALL_DAY):
        days = _midnights(component)
        if days is not None:
            start, end_at = Moment(days[0], Form(is_date=True)), max(days)
    if start.form.is_date:
        end_at = max(end_at, start.at + DAY_MS)
    return {
        "start_at": start.at,
        "end_at": max(end_at, start.at),
        "is_all_day": start.form.is_date,
        "zone": start.form.zone,
        "is_floating": start.form.is_floating,
    }


def _end_at(component: Component, calendar: Calendar, start_prop: Property, start: Moment) -> int:
    """As written, which may be before the start."""
    prop = component.first("DTEND")
    if prop is not None:
        read = civil_from_value(prop.value)
        if read is not None and read.is_date == start.form.is_date:
            end = calendar.moment(prop)
            return end.at if end else start.at
        if read is not None and read.is_date:
            return calendar.instant(start_prop, read.civil).at
        if read is not None:
            return ms_from_civil(read.civil) // DAY_MS * DAY_MS
    length = ms_from_duration(component.value("DURATION"))
    return start.at + (length_of_day(start.form) if length is None else length)


def _midnights(component: Component) -> tuple[int, ...] | None:
    """Start and end as dates; None when one of them is no midnight."""
    read = [civil_from_value(component.value(name)) for name in ("DTSTART", "DTEND")]
    times = [ms_from_civil(r.civil) for r in read if r is not None]
    return tuple(times) if times and not any(at % DAY_MS for at in times) else None


def form_of(wanted: Appointment) -> Form:
    """How the times of an appointment are meant."""
    if wanted.is_all_day:
        return Form(is_date=True)
    if wanted.is_floating:
        return Form(is_floating=True)
    return Form(zone=wanted.zone)


def _write_span(component: Component, calendar: Calendar, wanted: Appointment) -> None:
    form = form_of(wanted)
    start = Moment(wanted.start_at, form)
    has_form = False
    if there := calendar.moment(component.first("DTSTART")):
        has_form = there.form == form
    if there != start:
        calendar.put(component, "DTSTART", start, None)
    if (flag_of(component, _CDO_ALL_DAY) is not None) != wanted.is_all_day and component.first(
        _CDO_ALL_DAY
    ):
        component.set(_CDO_ALL_DAY, "TRUE" if wanted.is_all_day else "FALSE")
    end = calendar.moment(component.first("DTEND"))
    has_end = end is not None or (has_form and component.first("DURATION") is not None)
    is_form_kept = end is None or end.form.is_date == form.is_date
    if has_end and is_form_kept and _read_span(component, calendar)["end_at"] == wanted.end_at:
        return
    component.drop("DURATION")
    if wanted.end_at <= wanted.start_at:
        component.drop("DTEND")
        return
    if end is not None and has_form and is_form_kept:
        form = end.form
    calendar.put(component, "DTEND", Moment(wanted.end_at, form), component.first("DTSTART"))


_BUSY = {
    "FREE": BusyStatus.FREE,
    "TENTATIVE": BusyStatus.TENTATIVE,
    "BUSY": BusyStatus.BUSY,
    "OOF": BusyStatus.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": BusyStatus.WORKING_ELSEWHERE,
}
_BUSY_TEXT = {value: name for name, value in _BUSY.items()}


def _status(component: Component) -> str:
    return component.value("STATUS").strip().upper()


def _is_transparent(component: Component) -> bool:
    return component.value("TRANSP").strip().upper() == "TRANSPARENT"


def _read_busy(component: Component, _calendar: Calendar) -> Values:
    said = _BUSY.get(component.value(_CDO_BUSY).strip().upper())
    if said is None and _is_transparent(component):
        said = BusyStatus.FREE
    if said is None and _status(component) == "TENTATIVE":
        said = BusyStatus.TENTATIVE
    return {"busy": BusyStatus.BUSY if said is None else said}


def _write_busy(component: Component, calendar: Calendar, wanted: Appointment) -> None:
    is_free = wanted.busy == BusyStatus.FREE
    if _is_transparent(component) != is_free:
        component.set("TRANSP", "TRANSPARENT" if is_free else "OPAQUE")
    if component.first(_CDO_BUSY) or _read_busy(component, calendar)["busy"] != wanted.busy:
        component.set(_CDO_BUSY, _BUSY_TEXT[wanted.busy])


def _read_cancelled(component: Component, _calendar: Calendar) -> Values:
    return {"is_cancelled": _status(component) == "CANCELLED"}


def _write_cancelled(component: Component, _calendar: Calendar, wanted: Appointment) -> None:
    component.set("STATUS", "CANCELLED" if wanted.is_cancelled else "CONFIRMED")


def _read_reminder(component: Component, calendar: Calendar) -> Values:
    span = _read_span(component, calendar)
    minutes = reminder_minutes(component, calendar, span["start_at"], span["end_at"])
    return {"reminder_minutes": minutes}


def _write_reminder(component: Component, calendar: Calendar, wanted: Appointment) -> None:
    span = (wanted.start_at, wanted.end_at)
    set_reminder_minutes(component, calendar, span, wanted.reminder_minutes)


def _read_disallow(component: Component, _calendar: Calendar) -> Values:
    return {"disallow_new_time_proposal": flag_of(component, _DISALLOW) is not None}


def _write_disallow(component: Component, _calendar: Calendar, wanted: Appointment) -> None:
    component.set(_DISALLOW, "TRUE" if wanted.disallow_new_time_proposal else "FALSE")


def _read_link(component: Component, _calendar: Calendar) -> Values:
    found = (component.value(name).strip() for name in _LINKS)
    return {"online_meeting_link": next((link for link in found if link), "")}


def _write_link(component: Component, _calendar: Calendar, wanted: Appointment) -> None:
    name = next((name for name in _LINKS if component.value(name).strip()), _LINKS[0])
    component.drop(*(other for other in _LINKS if other != name))
    if not wanted.online_meeting_link:
        component.drop(name)
    elif name == "CONFERENCE":
        component.set(name, wanted.online_meeting_link, {"VALUE": "URI"})
    else:
        component.set(name, wanted.online_meeting_link)


LOCATION: Part[Shared] = text_part("location", "LOCATION")
SPAN: Part[Appointment] = Part(_read_span, _write_span)

# The times stand first, since a reminder is counted from them; cancelling takes away what else
# STATUS says of the busy status.
OCCURRENCE_PARTS: tuple[Part[Appointment], ...] = (
    SPAN,
    Part(_read_sequence, _write_sequence),
    *DESCRIBING,
    LOCATION,
    Part(_read_cancelled, _write_cancelled),
    Part(_read_busy, _write_busy),
    ORGANIZER,
    ATTENDEES,
    Part(_read_reminder, _write_reminder),
    Part(_read_disallow, _write_disallow),
    Part(_read_link, _write_link),
)
