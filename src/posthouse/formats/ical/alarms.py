"""Reminders.

Spec: RFC 5545 §3.6.6 (VALARM), §3.8.6.3 (TRIGGER).

Notes:
    The first alarm that shows or sounds at or before the start is the reminder; all others (mail,
    procedures, later ones) are the client's own and stay. Apple writes ``ACTION:NONE`` where a
    default alarm is switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.ical.lines import Component, new_component
from posthouse.formats.ical.values import (
    MINUTE_MS,
    civil_from_value,
    duration_from_ms,
    ms_from_duration,
    utc_value,
    value_from_text,
)

if TYPE_CHECKING:
    from posthouse.formats.ical.times import Calendar

_ACTIONS = ("DISPLAY", "AUDIO", "")


def shown_alarms(component: Component) -> list[Component]:
    """Alarms that can be the reminder."""
    alarms = component.components("VALARM")
    return [alarm for alarm in alarms if alarm.value("ACTION").strip().upper() in _ACTIONS]


def alarm_at(
    alarm: Component, calendar: Calendar, start_at: int | None, end_at: int | None
) -> int | None:
    """When it goes off; None when that cannot be said."""
    trigger = alarm.first("TRIGGER")
    if trigger is None:
        return None
    length = ms_from_duration(trigger.value)
    if length is None:
        moment = calendar.moment(trigger)
        return moment.at if moment else None
    base = end_at if trigger.parameter("RELATED").upper() == "END" else start_at
    return base + length if base is not None else None


def reminder_minutes(
    component: Component, calendar: Calendar, start_at: int, end_at: int
) -> int | None:
    """Minutes before the start; None: no reminder."""
    for alarm in shown_alarms(component):
        at = alarm_at(alarm, calendar, start_at, end_at)
        if at is not None and at <= start_at:
            return (start_at - at) // MINUTE_MS
    return None


def set_reminder_minutes(
    component: Component, calendar: Calendar, span: tuple[int, int], minutes: int | None
) -> None:
    """Change the reminder, add one, or take out all that could be it."""
    start_at, end_at = span
    shown = shown_alarms(component)
    timed = [(alarm, alarm_at(alarm, calendar, start_at, end_at)) for alarm in shown]
    before = [alarm for alarm, at in timed if at is not None and at <= start_at]
    if minutes is None:
        component.remove(*before)
        return
    chosen = before[0] if before else _stale(shown) or _new_alarm(component)
    _put_trigger(chosen, duration_from_ms(-minutes * MINUTE_MS), {"RELATED": None, "VALUE": None})


def set_reminder_at(component: Component, alarm: Component | None, at: int) -> None:
    """Let an alarm go off at an instant; None: a new one."""
    chosen = alarm or _new_alarm(component)
    _put_trigger(chosen, utc_value(at), {"VALUE": "DATE-TIME", "RELATED": None})


def _put_trigger(alarm: Component, value: str, parameters: dict[str, str | None]) -> None:
    alarm.set("TRIGGER", value, {**parameters, "TZID": None})
    # It said that the alarm has been seen, which was the old one.
    alarm.drop("ACKNOWLEDGED")


def _stale(shown: list[Component]) -> Component | None:
    """An alarm at an instant that the appointment has been moved before."""
    for alarm in shown:
        if civil_from_value(alarm.value("TRIGGER")):
            return alarm
    return None


def _new_alarm(component: Component) -> Component:
    alarm = new_component("VALARM", component.eol)
    alarm.set("ACTION", "DISPLAY")
    alarm.set("DESCRIPTION", component.value("SUMMARY") or value_from_text("Reminder"))
    component.children.append(alarm)
    return alarm
