"""Recurrence rules as iCalendar writes them.

Spec: RFC 5545 §3.3.10 (RECUR).

Notes:
    Only what the six patterns say without loss is read; for every other rule the caller keeps the
    original. A rule passes over a month that lacks its day, Exchange takes the month's last: so
    BYMONTHDAY=31 alone has no counterpart, and day 30 of each month is written as the last one
    there is of 28, 29 and 30. Where the rule is silent, the start says day, weekday and month.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from posthouse.formats.recurrence.pattern import (
    COUNTED_DAYS,
    DAYS_OF_WEEK,
    MONTH_DAYS_MAX,
    MONTH_DAYS_MIN,
    MONTHS_OF_YEAR,
    UNTIL_AT_MAX,
    check_recurrence,
    month_length,
)
from posthouse.formats.zones.civil import at_from_local
from posthouse.model.errors import RemoteProtocolError, TooLarge
from posthouse.model.recurrence import LAST, Frequency, Recurrence, Weekdays

if TYPE_CHECKING:
    from datetime import tzinfo

RULE_CHARACTERS_MAX = 2_048

_DAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_MONDAY = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP_YEAR = 2024
_POSITION_MAX = 366
_WEEKS_OF_YEAR_MAX = 53
_REFUSED = frozenset(["SECONDLY", "MINUTELY", "HOURLY"])
_READ = frozenset(
    ["FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"]
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}\Z")
_NUMBERED_DAY = re.compile(r"([+-]?[0-9]{1,2})?(SU|MO|TU|WE|TH|FR|SA)\Z")
_UNTIL = re.compile(r"[0-9]{8}(?:T([0-9]{6})(Z?))?\Z")
_LEAP_SECOND = 60
_FREQUENCY_NAME = {
    Frequency.DAILY: "DAILY",
    Frequency.WEEKLY: "WEEKLY",
    Frequency.MONTHLY: "MONTHLY",
    Frequency.MONTHLY_NTH: "MONTHLY",
    Frequency.YEARLY: "YEARLY",
    Frequency.YEARLY_NTH: "YEARLY",
}


class _Rule(NamedTuple):
    """The parts of a rule that a pattern may come of; lists sorted, without doubles."""

    base: Recurrence
    """Interval and end; every day as yet."""
    first_weekday: int
    days: list[tuple[int, Weekdays]]
    month_days: list[int]
    months: list[int]
    positions: list[int]


def rule_from_recurrence(recurrence: Recurrence, day_zone: tzinfo | None = None) -> str:
    """The value of RRULE; fields that the pattern does not use are not told.

    Args:
        recurrence: what to write; its end to the full second.
        day_zone: for what lasts whole days: the zone by which its end is a date.

    Raises:
        ValueError: a field of the recurrence is out of range.
    """
    check_recurrence(recurrence)
    parts = [f"FREQ={_FREQUENCY_NAME[recurrence.frequency]}"]
    if recurrence.until_at:
        parts.append(f"UNTIL={_until_text(recurrence.until_at, day_zone)}")
    if recurrence.count:
        parts.append(f"COUNT={recurrence.count}")
    if recurrence.interval > 1:
        parts.append(f"INTERVAL={recurrence.interval}")
    parts += _by_parts(recurrence)
    return ";".join(parts)


def recurrence_from_rule(text: str, start_local: datetime, zone: tzinfo) -> Recurrence | None:
    """The pattern that a value of RRULE says; None when none of the six says the same.

    Args:
        text: the value, in any letter case.
        start_local: DTSTART by the clock of ``zone``, without a zone of its own.
        zone: that of DTSTART; an end without a zone is meant by its clock, and an end that is a
            date lets that day's start in.

    Raises:
        RemoteProtocolError: not of the grammar, or more than once a day.
        TooLarge: longer than ``RULE_CHARACTERS_MAX``.
    """
    parts = _parts(text)
    frequency = parts.get("FREQ", "")
    if frequency in _REFUSED:
        raise RemoteProtocolError("RRULE: more than once a day is not kept here")
    if frequency not in _FREQUENCY_NAME.values():
        raise RemoteProtocolError("RRULE: FREQ expected")
    rule = _rule(parts, start_local.replace(microsecond=0), zone)
    if not _READ.issuperset(parts) or ("UNTIL" in parts and rule.base.until_at <= 0):
        return None
    match frequency:
        case "DAILY":
            return _daily(rule)
        case "WEEKLY":
            return _weekly(rule, start_local)
        case "MONTHLY":
            return _monthly(rule, start_local)
        case _:
            return _yearly(rule, start_local)


def _until_text(until_at: int, day_zone: tzinfo | None) -> str:
    until = _EPOCH + timedelta(seconds=until_at // 1000)
    if day_zone is None:
        return f"{until:%Y%m%dT%H%M%SZ}"
    return f"{until.astimezone(day_zone):%Y%m%d}"


def _by_parts(recurrence: Recurrence) -> list[str]:
    match recurrence.frequency:
        case Frequency.DAILY:
            return []
        case Frequency.WEEKLY:
            parts = [f"BYDAY={_day_list(recurrence.weekdays)}"]
            if recurrence.first_weekday != _MONDAY:
                parts.append(f"WKST={_DAYS[recurrence.first_weekday]}")
            return parts
        case Frequency.MONTHLY:
            return _month_day_parts(recurrence.day, MONTH_DAYS_MIN, MONTH_DAYS_MAX)
        case Frequency.MONTHLY_NTH:
            return _nth_parts(recurrence)
        case Frequency.YEARLY:
            lengths = _lengths(recurrence.month)
            return [f"BYMONTH={recurrence.month}", *_month_day_parts(recurrence.day, *lengths)]
        case Frequency.YEARLY_NTH:
            return [f"BYMONTH={recurrence.month}", *_nth_parts(recurrence)]


def _day_list(weekdays: Weekdays) -> str:
    """From Monday, as most programs write it."""
    order = [(_MONDAY + place) % DAYS_OF_WEEK for place in range(DAYS_OF_WEEK)]
    return ",".join(_DAYS[number] for number in order if weekdays >> number & 1)


def _month_day_parts(day: int, shortest: int, longest: int) -> list[str]:
    if day <= shortest:
        return [f"BYMONTHDAY={day}"]
    if day == longest:
        return ["BYMONTHDAY=-1"]
    days = ",".join(str(number) for number in _clamped_days(day))
    return [f"BYMONTHDAY={days}", "BYSETPOS=-1"]


def _clamped_days(day: int) -> list[int]:
    return list(range(MONTH_DAYS_MIN, day + 1))


def _nth_parts(recurrence: Recurrence) -> list[str]:
    position = -1 if recurrence.nth == LAST else recurrence.nth
    days = _day_list(recurrence.weekdays)
    if "," in days:
        return [f"BYDAY={days}", f"BYSETPOS={position}"]
    return [f"BYDAY={position}{days}"]


def _lengths(month: int) -> tuple[int, int]:
    """The shortest and the longest this month gets."""
    return month_length(_LEAP_YEAR + 1, month), month_length(_LEAP_YEAR, month)


def _parts(text: str) -> dict[str, str]:
    if len(text) > RULE_CHARACTERS_MAX:
        raise TooLarge(f"RRULE: more than {RULE_CHARACTERS_MAX} characters")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removesuffix(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts:
            raise RemoteProtocolError("RRULE: distinct parts of the form NAME=VALUE expected")
        parts[name] = value
    if "COUNT" in parts and "UNTIL" in parts:
        raise RemoteProtocolError("RRULE: COUNT and UNTIL exclude each other")
    return parts


def _rule(parts: dict[str, str], start_local: datetime, zone: tzinfo) -> _Rule:
    week_begin = parts.get("WKST", _DAYS[_MONDAY])
    if week_begin not in _DAYS:
        raise RemoteProtocolError("RRULE: WKST is a weekday")
    return _Rule(
        Recurrence(
            Frequency.DAILY,
            interval=_count(parts.get("INTERVAL", "1")),
            count=_count(parts["COUNT"]) if "COUNT" in parts else 0,
            until_at=_until_at(parts["UNTIL"], start_local, zone) if "UNTIL" in parts else 0,
        ),
        first_weekday=_DAYS.index(week_begin),
        days=_days(parts.get("BYDAY", "")),
        month_days=_numbers(parts.get("BYMONTHDAY", ""), -MONTH_DAYS_MAX, MONTH_DAYS_MAX),
        months=_numbers(parts.get("BYMONTH", ""), 1, MONTHS_OF_YEAR),
        positions=_numbers(parts.get("BYSETPOS", ""), -_POSITION_MAX, _POSITION_MAX),
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not _NUMBER.match(text) or int(text) < 1:
        raise RemoteProtocolError("RRULE: a number from 1 to 999999999 expected")
    return int(text)


def _numbers(text: str, least: int, most: int) -> list[int]:
    """Sorted; 0 is no number of a day, month or position."""
    found = set()
    for word in text.split(",") if text else ():
        if not _NUMBER.match(word) or not least <= int(word) <= most or int(word) == 0:
            raise RemoteProtocolError(f"RRULE: numbers from {least} to {most} expected")
        found.add(int(word))
    return sorted(found)


def _days(text: str) -> list[tuple[int, Weekdays]]:
    found = set()
    for word in text.split(",") if text else ():
        match = _NUMBERED_DAY.match(word)
        if match is None or (match[1] and not 1 <= abs(int(match[1])) <= _WEEKS_OF_YEAR_MAX):
            raise RemoteProtocolError("RRULE: weekdays expected")
        found.add((int(match[1] or 0), Weekdays(1 << _DAYS.index(match[2]))))
    return sorted(found)


def _until_at(text: str, start_local: datetime, zone: tzinfo) -> int:
    match = _UNTIL.match(text)
    if match is None:
        raise RemoteProtocolError("RRULE: UNTIL is a date or a time")
    clock = match[1] or f"{start_local:%H%M%S}"
    try:
        local = datetime(  # noqa: DTZ001 (civil time)
            int(text[:4]), int(text[4:6]), int(text[6:8]), int(clock[:2]), int(clock[2:4])
        )
        local += timedelta(seconds=min(int(clock[4:]), _LEAP_SECOND))
    except (ValueError, OverflowError) as e:
        raise RemoteProtocolError("RRULE: UNTIL is no moment of the calendar") from e
    return min(at_from_local(local, UTC if match[2] else zone), UNTIL_AT_MAX)


def _daily(rule: _Rule) -> Recurrence | None:
    """Every day, or each of some weekdays, which is a weekly pattern."""
    if rule.month_days or rule.months or rule.positions:
        return None
    if not rule.days:
        return rule.base
    weekdays = _plain_days(rule)
    if rule.base.interval > 1 or not weekdays:
        return None
    return _weeks(rule, weekdays)


def _weekly(rule: _Rule, start_local: datetime) -> Recurrence | None:
    if rule.month_days or rule.months or rule.positions:
        return None
    weekdays = Weekdays(1 << start_local.isoweekday() % DAYS_OF_WEEK)
    if rule.days:
        weekdays = _plain_days(rule)
    if not weekdays:
        return None
    return _weeks(rule, weekdays)


def _weeks(rule: _Rule, weekdays: Weekdays) -> Recurrence:
    return replace(
        rule.base,
        frequency=Frequency.WEEKLY,
        weekdays=weekdays,
        first_weekday=rule.first_weekday,
    )


def _monthly(rule: _Rule, start_local: datetime) -> Recurrence | None:
    if rule.months:
        return None
    if rule.days:
        return _nth(Frequency.MONTHLY_NTH, rule)
    day = _month_day(rule, start_local.day, MONTH_DAYS_MIN, MONTH_DAYS_MAX)
    return replace(rule.base, frequency=Frequency.MONTHLY, day=day) if day else None


def _yearly(rule: _Rule, start_local: datetime) -> Recurrence | None:
    if len(rule.months) > 1 or (not rule.months and (rule.days or rule.month_days)):
        return None
    month = rule.months[0] if rule.months else start_local.month
    if rule.days:
        return _nth(Frequency.YEARLY_NTH, rule, month)
    day = _month_day(rule, start_local.day, *_lengths(month))
    return replace(rule.base, frequency=Frequency.YEARLY, day=day, month=month) if day else None


def _plain_days(rule: _Rule) -> Weekdays:
    """All weekdays of BYDAY; NONE when any has a number."""
    weekdays = Weekdays.NONE
    for nth, day in rule.days:
        if nth:
            return Weekdays.NONE
        weekdays |= day
    return weekdays


def _nth(frequency: Frequency, rule: _Rule, month: int = 0) -> Recurrence | None:
    """``2TU``, or days of which BYSETPOS takes one."""
    if rule.month_days:
        return None
    weekdays, positions = _plain_days(rule), rule.positions
    if not weekdays and not positions:
        weekdays, positions = rule.days[0][1], [nth for nth, _ in rule.days]
    if len(positions) != 1 or weekdays not in COUNTED_DAYS:
        return None
    nth = LAST if positions[0] == -1 else positions[0]
    if not 1 <= nth <= LAST or positions[0] == LAST:
        return None
    return replace(rule.base, frequency=frequency, weekdays=weekdays, nth=nth, month=month)


def _month_day(rule: _Rule, start_day: int, shortest: int, longest: int) -> int:
    """The day of the month as Exchange counts it; 0 when it has no such pattern."""
    days = rule.month_days or [start_day]
    if rule.positions:
        is_clamped = rule.positions == [-1] and days == _clamped_days(days[-1])
        return days[-1] if is_clamped else 0
    if days == [-1]:
        return longest
    return days[0] if len(days) == 1 and 1 <= days[0] <= shortest else 0
