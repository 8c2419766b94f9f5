"""Recurrences as calendars, tasks and meeting requests say them.

Spec: [MS-ASCAL] v23 §2.2.2.37 (Recurrence), §2.2.2.37.1 (Recurrence Patterns), §3.2.5.3;
[MS-ASTASK] §2.2.2.20; [MS-ASEMAIL] §2.2.2.60.

Notes:
    The three namespaces have the same elements and write times differently. An end is taken and
    given as it stands on the wire: which moment of the last day it means is for the caller to say.
    Calendars other than the Gregorian (Hijri, Hebrew, lunar) have no counterpart and are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from posthouse.formats.recurrence.pattern import (
    DAY_MS,
    EPOCH_ORDINAL,
    UNTIL_AT_MAX,
    check_recurrence,
    pattern_from,
)
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.times import compact_from_ms, long_from_ms, ms_from_text

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL_MAX: Final = 999
"""Longer ones cannot be said."""

_GREGORIAN = 1
# Those whose months and days are the Gregorian ones, whatever they call the year.
_GREGORIAN_TYPES = frozenset([0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12])
_OCCURRENCES_MAX = 65_535
_OF_TYPE: Final = {
    Frequency.DAILY: frozenset({"DayOfWeek"}),
    Frequency.WEEKLY: frozenset({"DayOfWeek"}),
    Frequency.MONTHLY: frozenset({"DayOfMonth"}),
    Frequency.MONTHLY_NTH: frozenset({"WeekOfMonth", "DayOfWeek"}),
    Frequency.YEARLY: frozenset({"DayOfMonth", "MonthOfYear"}),
    Frequency.YEARLY_NTH: frozenset({"WeekOfMonth", "DayOfWeek", "MonthOfYear"}),
}
_PATTERN_TAGS = frozenset({"DayOfWeek", "DayOfMonth", "WeekOfMonth", "MonthOfYear"})


class Dialect(NamedTuple):
    """How one namespace says a recurrence.

    Attributes:
        namespace: of most of its elements.
        other: of CalendarType, IsLeapMonth and FirstDayOfWeek.
        occurrences_max: more cannot be said.
        written: ms since 1970 as text.
    """

    namespace: str
    other: str
    occurrences_max: int
    written: Callable[[int], str]


CALENDAR: Final = Dialect("Calendar", "Calendar", 999, compact_from_ms)
EMAIL: Final = Dialect("Email", "Email2", 999, compact_from_ms)
TASKS: Final = Dialect("Tasks", "Tasks", 255, long_from_ms)


class TaskRecurrence(Struct, frozen=True):
    """What Tasks:Recurrence says.

    Attributes:
        recurrence: None: an empty element, the task is to be done once.
        start_at: the civil date from which it goes on; None: not said.
        regenerates: see Task.
        is_dead_occurrence: see Task.
    """

    recurrence: Recurrence | None
    start_at: int | None = None
    regenerates: bool = False
    is_dead_occurrence: bool = False


def recurrence_element(recurrence: Recurrence, dialect: Dialect = CALENDAR) -> Element:
    """The element Recurrence, of a recurrence for which ``can_be_said`` holds."""
    namespace, other, _, written = dialect
    kind = recurrence.frequency
    numbers = {
        "WeekOfMonth": recurrence.nth,
        "DayOfMonth": recurrence.day,
        "DayOfWeek": int(recurrence.weekdays),
        "MonthOfYear": recurrence.month,
    }
    told = _OF_TYPE[kind] if kind != Frequency.DAILY else ()
    children = [
        Element(namespace, "Type", str(int(kind))),
        Element(namespace, "Interval", str(recurrence.interval)),
    ]
    if recurrence.until_at:
        children.append(Element(namespace, "Until", written(recurrence.until_at)))
    if recurrence.count:
        children.append(Element(namespace, "Occurrences", str(recurrence.count)))
    children += [Element(namespace, tag, str(numbers[tag])) for tag in numbers if tag in told]
    if kind == Frequency.WEEKLY:
        children.append(Element(other, "FirstDayOfWeek", str(recurrence.first_weekday)))
    elif kind != Frequency.DAILY:
        children.append(Element(other, "CalendarType", str(_GREGORIAN)))
    return Element(namespace, "Recurrence", children)


def can_be_said(recurrence: Recurrence, dialect: Dialect = CALENDAR) -> bool:
    """Whether the namespace has room for its numbers; ``with_last_day`` may help."""
    return recurrence.interval <= INTERVAL_MAX and recurrence.count <= dialect.occurrences_max


def with_last_day(recurrence: Recurrence, first_at: int) -> Recurrence:
    """The same with an end by date, where it has one by number.

    Args:
        recurrence: valid.
        first_at: its first start by the clock of its zone, in ms as if that were UTC.

    Returns:
        ``until_at`` is the last start by that clock; 0 when that lies beyond the calendar.
    """
    if not recurrence.count:
        return recurrence
    day, clock = divmod(first_at, DAY_MS)
    last = pattern_from(recurrence, day + EPOCH_ORDINAL).day(recurrence.count - 1)
    last_at = (last - EPOCH_ORDINAL) * DAY_MS + clock
    return replace(recurrence, count=0, until_at=last_at if last_at <= UNTIL_AT_MAX else 0)


def recurrence_from_element(
    element: Element, dialect: Dialect = CALENDAR, known: Recurrence | None = None
) -> Recurrence | None:
    """Read a recurrence; ``until_at`` is what Until says.

    Args:
        element: Recurrence.
        dialect: of its children.
        known: the one that is changed, if only some of its elements are told (16.x).

    Returns:
        None when the element is empty: it recurs no more.

    Raises:
        RemoteProtocolError: it is none, or none that we can keep (hint ``content``).
    """
    if not element.children:
        return None
    numbers = _numbers(element, dialect)
    base = _base(numbers.pop("Type", None), known)
    wrong = (numbers.keys() & _PATTERN_TAGS) - _OF_TYPE[base.frequency]
    if wrong:
        raise RemoteProtocolError(f"Recurrence of this Type with {min(wrong)}", "content")
    made = _ended(_patterned(base, numbers), element, numbers)
    try:
        check_recurrence(made)
    except ValueError as e:
        raise RemoteProtocolError(f"Recurrence: {e}", "content") from e
    return made


def task_recurrence_element(
    recurrence: Recurrence, start_at: int, *, regenerates: bool, is_dead_occurrence: bool
) -> Element | None:
    """Tasks:Recurrence; None when it cannot be said.

    Args:
        recurrence: its end a civil date, if it is a date.
        start_at: civil date of the first.
        regenerates: see Task.
        is_dead_occurrence: see Task.
    """
    if recurrence.count > TASKS.occurrences_max:
        recurrence = with_last_day(recurrence, start_at)
    if not can_be_said(recurrence, TASKS):
        return None
    element = recurrence_element(recurrence, TASKS)
    element.children.insert(1, Element("Tasks", "Start", long_from_ms(start_at)))
    if regenerates:
        element.add("Regenerate", "1")
    if is_dead_occurrence:
        element.add("DeadOccur", "1")
    return element


def task_recurrence_from_element(
    element: Element, known: Recurrence | None = None
) -> TaskRecurrence:
    """Read Tasks:Recurrence.

    Raises:
        RemoteProtocolError: as ``recurrence_from_element``.
    """
    start = element.text_of("Tasks:Start")
    return TaskRecurrence(
        recurrence_from_element(element, TASKS, known),
        ms_from_text(start) if start else None,
        regenerates=element.number_of("Tasks:Regenerate") != 0,
        is_dead_occurrence=element.number_of("Tasks:DeadOccur") != 0,
    )


def _numbers(element: Element, dialect: Dialect) -> dict[str, int]:
    """What is told in numbers; nothing twice, everything in its range."""
    ranges = {
        f"{dialect.namespace}:Type": (0, 6),
        f"{dialect.namespace}:Interval": (0, INTERVAL_MAX),
        f"{dialect.namespace}:Occurrences": (0, _OCCURRENCES_MAX),
        f"{dialect.namespace}:WeekOfMonth": (1, 5),
        f"{dialect.namespace}:DayOfMonth": (1, 31),
        f"{dialect.namespace}:DayOfWeek": (1, 127),
        f"{dialect.namespace}:MonthOfYear": (1, 12),
        f"{dialect.other}:FirstDayOfWeek": (0, 6),
        f"{dialect.other}:CalendarType": (0, 23),
    }
    numbers: dict[str, int] = {}
    for name, (least, most) in ranges.items():
        count = sum(1 for _ in element.each(name))
        if count == 0:
            continue
        number = element.number_of(name)
        if count > 1 or not least <= number <= most:
            raise RemoteProtocolError(f"{name} stands twice or is out of range", "content")
        numbers[name.partition(":")[2]] = number
    if numbers.pop("CalendarType", _GREGORIAN) not in _GREGORIAN_TYPES:
        raise RemoteProtocolError("Recurrence by a calendar that we do not know", "content")
    return numbers


def _base(kind: int | None, known: Recurrence | None) -> Recurrence:
    """What the told elements are put over: a bare pattern, or the one that is known."""
    if kind is None and known is not None:
        return known
    if kind is None or kind not in set(Frequency):
        raise RemoteProtocolError("Recurrence without a known Type", "content")
    return Recurrence(Frequency(kind), first_weekday=known.first_weekday if known else 0)


def _patterned(base: Recurrence, numbers: dict[str, int]) -> Recurrence:
    kind = base.frequency
    interval = max(numbers.get("Interval", base.interval), 1)
    weekdays = Weekdays(numbers.get("DayOfWeek", base.weekdays))
    if kind == Frequency.DAILY and weekdays == Weekdays.EVERY and interval == 1:
        weekdays = Weekdays.NONE
    elif kind == Frequency.DAILY and weekdays:
        kind = Frequency.WEEKLY
    elif kind == Frequency.YEARLY_NTH:
        weekdays = weekdays or Weekdays.EVERY
    first_weekday = numbers.get("FirstDayOfWeek", base.first_weekday)
    return replace(
        base,
        frequency=kind,
        interval=interval,
        weekdays=weekdays,
        day=numbers.get("DayOfMonth", base.day),
        nth=numbers.get("WeekOfMonth", base.nth),
        month=numbers.get("MonthOfYear", base.month),
        first_weekday=first_weekday if kind == Frequency.WEEKLY else 0,
    )


def _ended(made: Recurrence, element: Element, numbers: dict[str, int]) -> Recurrence:
    """With the end that is told; a number counts more than a date."""
    until = element.text_of("Until")
    if numbers.get("Occurrences"):
        return replace(made, count=numbers["Occurrences"], until_at=0)
    if until:
        return replace(made, count=0, until_at=ms_from_text(until))
    return made
