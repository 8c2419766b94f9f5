"""Patterns as sequences of days: the n-th day of a pattern, and the first one from a day on.

Spec: [MS-OXOCAL] v23 §2.2.1.44.1 (RecurrencePattern).

Notes:
    Days are ordinals as ``date.toordinal`` counts them. Every pattern has one day per interval,
    month or year, or as many as the week has marks; so the n-th day is computed, not stepped to.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from posthouse.model.recurrence import LAST, Frequency, Weekdays

if TYPE_CHECKING:
    from posthouse.model.recurrence import Recurrence

DAYS_OF_WEEK = 7
MONTHS_OF_YEAR = 12
MONTH_DAYS_MAX = 31
MONTH_DAYS_MIN = 28
"""No month is shorter: up to here a day of the month needs no clamping."""

NEVER = date.max.toordinal() + 1
"""The day of whatever lies beyond the calendar."""

DAY_MS = 86_400_000
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
UNTIL_AT_MAX = (NEVER - 1 - EPOCH_ORDINAL) * DAY_MS - 1000
"""The last end that has a date in every zone: a second before the last day of the calendar."""

_NTH = (Frequency.MONTHLY_NTH, Frequency.YEARLY_NTH)
_DAY = (Frequency.MONTHLY, Frequency.YEARLY)
_YEARLY = (Frequency.YEARLY, Frequency.YEARLY_NTH)
COUNTED_DAYS = frozenset(
    [Weekdays.WORKDAYS, Weekdays.WEEKEND, Weekdays.EVERY]
    + [Weekdays(1 << number) for number in range(DAYS_OF_WEEK)]
)


class Pattern(Protocol):
    """The days of a recurrence from its start, numbered from 0, without regard to its end."""

    def day(self, index: int) -> int:
        """The ordinal of this day; NEVER, or more, beyond the calendar."""

    def index_from(self, ordinal: int) -> int:
        """The least index whose day is this one or a later one."""


def check_recurrence(recurrence: Recurrence) -> None:
    """See that every field its pattern needs is in range.

    Raises:
        ValueError: the text names the field.
    """
    kind = recurrence.frequency
    faults = {
        "interval": recurrence.interval < 1,
        "first_weekday": not 0 <= recurrence.first_weekday < DAYS_OF_WEEK,
        "weekdays": (kind == Frequency.WEEKLY and not Weekdays.EVERY & recurrence.weekdays)
        or (kind in _NTH and recurrence.weekdays not in COUNTED_DAYS),
        "nth": kind in _NTH and not 1 <= recurrence.nth <= LAST,
        "day": kind in _DAY and not 1 <= recurrence.day <= MONTH_DAYS_MAX,
        "month": kind in _YEARLY and not 1 <= recurrence.month <= MONTHS_OF_YEAR,
        "count": recurrence.count < 0,
        "until_at": not 0 <= recurrence.until_at <= UNTIL_AT_MAX
        or bool(recurrence.until_at and recurrence.count),
    }
    for name, is_faulty in faults.items():
        if is_faulty:
            raise ValueError(f"recurrence: {name} is out of range")


def pattern_from(recurrence: Recurrence, start: int) -> Pattern:
    """The days of a recurrence that begins on this ordinal at the earliest.

    Raises:
        ValueError: a field is out of range.
    """
    check_recurrence(recurrence)
    match recurrence.frequency:
        case Frequency.DAILY:
            return _Days(recurrence, start)
        case Frequency.WEEKLY:
            return _Weeks(recurrence, start)
        case _:
            return _Months(recurrence, start)


class _Days:
    def __init__(self, recurrence: Recurrence, start: int) -> None:
        self._start = start
        self._interval = recurrence.interval

    def day(self, index: int) -> int:
        return self._start + index * self._interval

    def index_from(self, ordinal: int) -> int:
        return max(0, -((self._start - ordinal) // self._interval))


class _Weeks:
    def __init__(self, recurrence: Recurrence, start: int) -> None:
        first = recurrence.first_weekday
        self._week = start - (start - first) % DAYS_OF_WEEK
        self._step = DAYS_OF_WEEK * recurrence.interval
        self._offsets = [
            offset
            for offset in range(DAYS_OF_WEEK)
            if recurrence.weekdays >> (first + offset) % DAYS_OF_WEEK & 1
        ]
        self._skipped = sum(self._week + offset < start for offset in self._offsets)

    def day(self, index: int) -> int:
        week, place = divmod(index + self._skipped, len(self._offsets))
        return self._week + week * self._step + self._offsets[place]

    def index_from(self, ordinal: int) -> int:
        week = (ordinal - self._week) // self._step
        index = max(0, week * len(self._offsets) - self._skipped)
        while self.day(index) < ordinal:
            index += 1
        return index


class _Months:
    """Monthly and yearly: one day in each month, or in the same month of each year."""

    def __init__(self, recurrence: Recurrence, start: int) -> None:
        begin = date.fromordinal(start)
        self._day_of_month = recurrence.day
        self._weekdays = recurrence.weekdays if recurrence.frequency in _NTH else None
        self._nth = recurrence.nth
        self._month = begin.year * MONTHS_OF_YEAR + begin.month - 1
        self._step = recurrence.interval
        if recurrence.frequency in _YEARLY:
            self._month = begin.year * MONTHS_OF_YEAR + recurrence.month - 1
            self._step *= MONTHS_OF_YEAR
        self._skipped = 0
        self._skipped = int(self.day(0) < start)

    def day(self, index: int) -> int:
        month = self._month + (index + self._skipped) * self._step
        year, month = divmod(month, MONTHS_OF_YEAR)
        if year > date.max.year:
            return NEVER
        first = date(year, month + 1, 1).toordinal()
        length = month_length(year, month + 1)
        if self._weekdays is None:
            return first - 1 + min(self._day_of_month, length)
        weekday = first % DAYS_OF_WEEK
        return first - 1 + _nth_day(self._weekdays, self._nth, weekday, length)

    def index_from(self, ordinal: int) -> int:
        if ordinal >= NEVER:
            month = (date.max.year + 1) * MONTHS_OF_YEAR
        else:
            day = date.fromordinal(max(ordinal, 1))
            month = day.year * MONTHS_OF_YEAR + day.month - 1
        index = max(0, (month - self._month) // self._step - self._skipped)
        while self.day(index) < ordinal:
            index += 1
        return index


def month_length(year: int, month: int) -> int:
    """Its number of days; month is 1 to 12."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@lru_cache(maxsize=2048)
def _nth_day(weekdays: Weekdays, nth: int, weekday: int, length: int) -> int:
    """The day of the month that is the nth of these.

    Args:
        weekdays: any of these count.
        nth: 1 to 4, or LAST.
        weekday: of the first of the month, 0 Sunday to 6 Saturday.
        length: of the month.
    """
    days = [
        day for day in range(1, length + 1) if weekdays >> (weekday + day - 1) % DAYS_OF_WEEK & 1
    ]
    return days[-1] if nth == LAST else days[nth - 1]
