"""Recurrence: the pattern by which an appointment or task comes again.

Spec: [MS-OXOCAL] v23 §2.2.1.44 (RecurrencePattern); [MS-ASCAL] v23 §2.2.2.37; RFC 5545 §3.3.10.

Notes:
    The six patterns are Exchange's; what a rule of iCalendar says beyond them stays in the
    original.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from msgspec import Struct


class Frequency(IntEnum):
    """Exchange's patterns; the numbers are [MS-ASCAL]'s Type (4 is unused there)."""

    DAILY = 0
    WEEKLY = 1
    MONTHLY = 2
    """On a day of the month."""
    MONTHLY_NTH = 3
    """On the n-th weekday, weekend day or named day of the month."""
    YEARLY = 5
    """On a day of a month."""
    YEARLY_NTH = 6
    """On the n-th weekday, weekend day or named day of a month."""


class Weekdays(IntFlag):
    """Days of the week as a mask; the numbers are [MS-ASCAL]'s DayOfWeek."""

    NONE = 0
    SUNDAY = 1
    MONDAY = 2
    TUESDAY = 4
    WEDNESDAY = 8
    THURSDAY = 16
    FRIDAY = 32
    SATURDAY = 64
    WORKDAYS = 62
    WEEKEND = 65
    EVERY = 127


LAST = 5
"""``nth`` of the last such day of a month."""


class Recurrence(Struct, frozen=True):
    """A pattern and how long it goes on.

    Attributes:
        frequency: which pattern.
        interval: every so many days, weeks, months or years; from 1.
        weekdays: WEEKLY: on these; the NTH patterns: which day is counted (one day, WORKDAYS,
            WEEKEND or EVERY).
        day: MONTHLY and YEARLY: day of the month, 1 to 31; a shorter month takes its last day.
        nth: the NTH patterns: 1 to 4, or LAST.
        month: the YEARLY patterns: 1 to 12.
        first_weekday: 0 Sunday to 6 Saturday: where a week begins (WEEKLY, interval above 1).
        count: occurrences in all; 0: no such end.
        until_at: last possible start, ms since 1970 UTC; 0: no such end. At most one of the two
            ends is set.
    """

    frequency: Frequency
    interval: int = 1
    weekdays: Weekdays = Weekdays.NONE
    day: int = 0
    nth: int = 0
    month: int = 0
    first_weekday: int = 0
    count: int = 0
    until_at: int = 0
