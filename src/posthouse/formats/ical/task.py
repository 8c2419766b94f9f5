"""Tasks as a view of an iCalendar document, and changes written back into it.

Spec: RFC 5545 §3.6.2 (VTODO), §3.8.1.8 (PERCENT-COMPLETE), §3.8.2.1 (COMPLETED), §3.8.2.3 (DUE);
[MS-ASTASK] §2.2.2.

Notes:
    What Exchange clients know of a task and iCalendar has no word for is written as properties of
    our own. A cancelled task shows as deferred. A start of another kind than the due date (a date
    beside a time) is read as of the due date's kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.formats.ical.alarms import alarm_at, set_reminder_at, shown_alarms
from posthouse.formats.ical.appointment import new_document, series_from_document
from posthouse.formats.ical.lines import (
    LIMITS,
    Component,
    IcalLimits,
    bytes_from_document,
    document_from_bytes,
)
from posthouse.formats.ical.parts import (
    CHANGED,
    CREATED,
    DESCRIBING,
    UID,
    Part,
    Values,
    flag_of,
    read_parts,
    text_part,
    write_parts,
)
from posthouse.formats.ical.rules import drop_unmapped, is_unmapped, read_rule, write_rule
from posthouse.formats.ical.times import Calendar, Form, Moment
from posthouse.formats.ical.values import (
    DAY_MS,
    integer_from_value,
    ms_from_duration,
    ms_from_utc_value,
    utc_value,
)
from posthouse.model.task import Task, TaskStatus

if TYPE_CHECKING:
    from posthouse.model.recurrence import Recurrence

_OWN_STATUS = "X-POSTHOUSE-TASK-STATUS"
_REGENERATES = "X-POSTHOUSE-REGENERATES"
_DEAD = "X-POSTHOUSE-DEAD-OCCURRENCE"
_ORDINAL = "X-POSTHOUSE-ORDINAL"
_SUB_ORDINAL = "X-POSTHOUSE-SUB-ORDINAL"


def task_from_ical(data: bytes, limits: IcalLimits = LIMITS) -> Task:
    """Read a task.

    Raises:
        ParserFailed: no VTODO, or vCalendar 1.0.
        TooLarge: the document passes a limit.
    """
    series = series_from_document(document_from_bytes(data, limits), "VTODO")
    task = Task(**read_parts(_PARTS, series.master, series.calendar))
    rule = _rule(series.master, task)
    unmapped = series.goes_on or is_unmapped(series.master, rule)
    return replace(task, recurrence=rule, has_unmapped_rule=unmapped)


def ical_from_task(task: Task, original: bytes | None = None, limits: IcalLimits = LIMITS) -> bytes:
    """Write a task.

    Args:
        task: as it shall be; it recurs only with a start or a due date.
        original: the document that it is a view of; None: a new one is made.
        limits: of the original.

    Returns:
        The original with those properties changed that said something else.

    Raises:
        ParserFailed: as for reading.
        TooLarge: the same.
        ValueError: a field of the recurrence is out of range.
    """
    root = document_from_bytes(original, limits) if original else new_document("VTODO")
    series = series_from_document(root, "VTODO")
    master = series.master
    if master.first("DTSTAMP") is None and not original:
        master.set("DTSTAMP", utc_value(task.changed_at))
    write_parts(_PARTS, master, series.calendar, task)
    rule = _rule(master, task)
    if is_unmapped(master, rule) and not task.has_unmapped_rule:
        drop_unmapped(master)
        if rule is None or len(master.properties("RRULE")) > 1:
            write_rule(master, task.recurrence, _form(task))
    if rule != task.recurrence and (task.recurrence or not task.has_unmapped_rule):
        write_rule(master, task.recurrence, _form(task))
    return bytes_from_document(root)


def _rule(master: Component, task: Task) -> Recurrence | None:
    return read_rule(master, master.value("DTSTART") or master.value("DUE"), _form(task))


def _form(task: Task) -> Form:
    if task.is_dated:
        return Form(is_date=True)
    return Form(is_floating=True) if task.is_floating else Form(zone=task.zone)


def _read_span(component: Component, calendar: Calendar) -> Values:
    start = calendar.moment(component.first("DTSTART"))
    due = calendar.moment(component.first("DUE"))
    length = ms_from_duration(component.value("DURATION"))
    if due is None and start is not None and length is not None:
        due = Moment(start.at + length, start.form)
        if due.form.is_date:
            due = Moment(max(due.at - DAY_MS, start.at) // DAY_MS * DAY_MS, due.form)
    leading = due or start
    form = leading.form if leading else Form(is_date=True)
    if start is not None and start.form.is_date != form.is_date:
        start = Moment(start.at // DAY_MS * DAY_MS, form)
    return {
        "start_at": start.at if start else None,
        "due_at": due.at if due else None,
        "is_dated": form.is_date,
        "zone": form.zone,
        "is_floating": form.is_floating,
    }


def _write_span(component: Component, calendar: Calendar, wanted: Task) -> None:
    component.drop("DURATION")
    form = _form(wanted)
    for name, at in (("DTSTART", wanted.start_at), ("DUE", wanted.due_at)):
        if at is None:
            component.drop(name)
        elif calendar.moment(component.first(name)) != Moment(at, form):
            calendar.put(component, name, Moment(at, form), None)


_STATUSES = {
    "IN-PROCESS": TaskStatus.IN_PROGRESS,
    "COMPLETED": TaskStatus.COMPLETED,
    "CANCELLED": TaskStatus.DEFERRED,
}
_STATUS_TEXT = {
    TaskStatus.IN_PROGRESS: "IN-PROCESS",
    TaskStatus.COMPLETED: "COMPLETED",
}


def _read_status(component: Component, _calendar: Calendar) -> Values:
    text = component.value("STATUS").strip().upper()
    own = component.value(_OWN_STATUS).strip().upper()
    if text in ("", "NEEDS-ACTION") and own in ("WAITING", "DEFERRED"):
        return {"status": TaskStatus[own]}
    if not text and component.first("COMPLETED"):
        return {"status": TaskStatus.COMPLETED}
    return {"status": _STATUSES.get(text, TaskStatus.NOT_STARTED)}


def _write_status(component: Component, _calendar: Calendar, wanted: Task) -> None:
    component.set("STATUS", _STATUS_TEXT.get(wanted.status, "NEEDS-ACTION"))
    if wanted.status in (TaskStatus.WAITING, TaskStatus.DEFERRED):
        component.set(_OWN_STATUS, wanted.status.name)
    else:
        component.drop(_OWN_STATUS)


def _read_progress(component: Component, _calendar: Calendar) -> Values:
    percent = integer_from_value(component.value("PERCENT-COMPLETE")) or 0
    return {
        "completed_at": ms_from_utc_value(component.value("COMPLETED")),
        "percent": min(max(percent, 0), 100),
    }


def _write_progress(component: Component, calendar: Calendar, wanted: Task) -> None:
    there = _read_progress(component, calendar)
    if wanted.completed_at is None:
        component.drop("COMPLETED")
    elif there["completed_at"] != wanted.completed_at:
        component.set("COMPLETED", utc_value(wanted.completed_at))
    if there["percent"] != wanted.percent:
        component.set("PERCENT-COMPLETE", str(wanted.percent))


def _reminder(component: Component, calendar: Calendar) -> tuple[Component | None, int | None]:
    """The alarm that is the reminder, and when it goes off."""
    span = _read_span(component, calendar)
    start_at = span["due_at"] if span["start_at"] is None else span["start_at"]
    for alarm in shown_alarms(component):
        at = alarm_at(alarm, calendar, start_at, span["due_at"])
        if at is not None:
            return alarm, at
    return None, None


def _read_reminder(component: Component, calendar: Calendar) -> Values:
    return {"reminder_at": _reminder(component, calendar)[1]}


def _write_reminder(component: Component, calendar: Calendar, wanted: Task) -> None:
    alarm, _ = _reminder(component, calendar)
    if wanted.reminder_at is not None:
        set_reminder_at(component, alarm, wanted.reminder_at)
        return
    while alarm is not None:
        component.remove(alarm)
        alarm, _ = _reminder(component, calendar)


def _read_ordinal(component: Component, _calendar: Calendar) -> Values:
    return {"ordinal_at": ms_from_utc_value(component.value(_ORDINAL))}


def _write_ordinal(component: Component, _calendar: Calendar, wanted: Task) -> None:
    if wanted.ordinal_at is None:
        component.drop(_ORDINAL)
    else:
        component.set(_ORDINAL, utc_value(wanted.ordinal_at))


def _flag_part(field: str, name: str) -> Part[Task]:
    def write(component: Component, _calendar: Calendar, wanted: Task) -> None:
        component.drop(name)
        if getattr(wanted, field):
            component.set(name, "TRUE")

    return Part(lambda c, _: {field: flag_of(c, name) is not None}, write)


_PARTS: tuple[Part[Task], ...] = (
    UID,
    CREATED,
    CHANGED,
    Part(_read_span, _write_span),
    *DESCRIBING,
    # What is completed has no other status where none is told.
    Part(_read_progress, _write_progress),
    Part(_read_status, _write_status),
    Part(_read_reminder, _write_reminder),
    Part(_read_ordinal, _write_ordinal),
    text_part("sub_ordinal", _SUB_ORDINAL),
    _flag_part("regenerates", _REGENERATES),
    _flag_part("is_dead_occurrence", _DEAD),
)
