"""Meetings in words: the readable part of a meeting mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfoNotFoundError

from posthouse.formats.zones.rules import zone_of
from posthouse.model.recurrence import Frequency

if TYPE_CHECKING:
    from datetime import tzinfo

    from posthouse.model.appointment import Appointment
    from posthouse.model.recurrence import Recurrence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_UNITS = {
    Frequency.DAILY: "day",
    Frequency.WEEKLY: "week",
    Frequency.MONTHLY: "month",
    Frequency.MONTHLY_NTH: "month",
    Frequency.YEARLY: "year",
    Frequency.YEARLY_NTH: "year",
}
_TEXT_MAX = 64 << 10
_RULE = "*~*~*~*~*~*~*~*~*~*"


def when_text(meeting: Appointment) -> str:
    """Begin and end by the clock of where it is planned."""
    zone, name = _zone(meeting)
    start, end = _civil(meeting.start_at, zone), _civil(meeting.end_at, zone)
    if meeting.is_all_day:
        last = max(start, end - _DAY)
        return _day(start) if last == start else f"{_day(start)} to {_day(last)}"
    until = _clock(end) if start.date() == end.date() else f"{_day(end)}, {_clock(end)}"
    return f"{_day(start)}, {_clock(start)} to {until}{name}"


def words_of(meeting: Appointment, comment: str = "") -> str:
    """When, where and how often; then the comment and what the organizer wrote. Lines end in LF."""
    lines = [f"When: {when_text(meeting)}"]
    if meeting.recurrence is not None:
        lines.append(f"Repeats: {_often(meeting.recurrence)}")
    if meeting.location:
        lines.append(f"Where: {meeting.location}")
    if meeting.online_meeting_link:
        lines.append(f"Join: {meeting.online_meeting_link}")
    if comment:
        lines = [comment, "", *lines]
    if meeting.body.strip():
        lines += ["", _RULE, "", meeting.body]
    return "\n".join(lines)[:_TEXT_MAX] + "\n"


def _often(recurrence: Recurrence) -> str:
    unit = _UNITS[recurrence.frequency]
    text = f"every {unit}" if recurrence.interval == 1 else f"every {recurrence.interval} {unit}s"
    if recurrence.count:
        return f"{text}, {recurrence.count} times"
    if recurrence.until_at:
        return f"{text}, until {_day(_civil(recurrence.until_at, UTC))}"
    return text


def _zone(meeting: Appointment) -> tuple[tzinfo, str]:
    if meeting.is_all_day or meeting.is_floating:
        return UTC, ""
    try:
        return (zone_of(meeting.zone), f" ({meeting.zone})") if meeting.zone else (UTC, " (UTC)")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC, " (UTC)"


def _civil(at: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)


def _day(at: datetime) -> str:
    return f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year}"


def _clock(at: datetime) -> str:
    return f"{at.hour:02}:{at.minute:02}"
