"""Rules of a zone in one year: standard and daylight time as Windows writes them, and back.

Notes:
    Windows knows two offsets in a year and two changes between them, each on the n-th weekday of
    a month. Daylight time is the greater offset, whatever the law calls it (Dublin). A year that
    needs more is told as well as two changes can: where a third offset comes in, the changes
    before it are dropped; where daylight time is interrupted (Cairo 2014), it goes from its first
    start to its last end. A year with one change begins in the time that is left: its other
    change is the first moment of January, as in Windows' own tables.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct

from posthouse.formats.zones.windows_table import IANA_NAMES, WINDOWS_NAME
from posthouse.model.recurrence import LAST

YEARS = range(1900, 2500)
"""Years whose rules are told."""

_DAYS_OF_WEEK = 7
_DAY_S = 86_400
# The shortest stay at an offset since 1900 was four days (Freetown, 1939).
_STEP_DAYS = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Where a month has four of a weekday, the fourth is the last too: the neighbours say which.
_NEIGHBOURS = (-1, 1, -2, 2, -3, 3)
_USUAL = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Europe/Istanbul",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Halifax",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
    "America/Bogota",
    "America/Santiago",
    "Africa/Lagos",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Nairobi",
    "Asia/Jerusalem",
    "Asia/Dubai",
    "Asia/Tehran",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Darwin",
    "Australia/Brisbane",
    "Australia/Sydney",
    "Pacific/Auckland",
)


class Changeover(Struct, frozen=True):
    """When a year changes to standard or daylight time, by the clock that runs until then.

    Attributes:
        month: 1 to 12.
        weekday: 0 Sunday to 6 Saturday.
        nth: which of these weekdays, 1 to 4, or LAST.
        time_ms: since midnight; Windows says 23:59:59.999 for the midnight after the day.
    """

    month: int
    weekday: int
    nth: int
    time_ms: int


class ZoneRules(Struct, frozen=True):
    """What holds in a year. UTC is local time plus bias, in minutes (Windows' sign).

    Attributes:
        bias: of the zone.
        standard: when standard time begins; None, like ``daylight``, in a year without change.
        daylight: when daylight time begins.
        standard_bias: added to ``bias`` in standard time; in use it is 0.
        daylight_bias: added to ``bias`` in daylight time; in use it is mostly -60.
    """

    bias: int
    standard: Changeover | None = None
    daylight: Changeover | None = None
    standard_bias: int = 0
    daylight_bias: int = 0


@lru_cache(maxsize=1024)
def zone_of(iana: str) -> ZoneInfo:
    """The zone, kept: ``ZoneInfo`` itself forgets all but the last eight that nobody holds.

    Raises:
        ZoneInfoNotFoundError: no such zone (a KeyError).
    """
    return ZoneInfo(iana)


class _Change(NamedTuple):
    """At ``at_s`` (seconds since 1970 UTC) the offset (seconds east) becomes another one."""

    at_s: int
    before_s: int
    after_s: int


_Instants: TypeAlias = tuple[int, int, datetime | None, datetime | None]
_Months: TypeAlias = tuple[int, int, int, int]


@lru_cache(maxsize=1024)
def rules_in_year(iana: str, year: int) -> ZoneRules:
    """The rules of a zone in a year.

    Raises:
        ValueError: the year is not one of ``YEARS``.
        ZoneInfoNotFoundError: no such zone (a KeyError).
    """
    changes = _two_offsets(_changes(iana, year))
    if not changes:
        return ZoneRules(_bias(_offset_s(zone_of(iana), _new_year_s(year))))
    low = min(changes[0].before_s, changes[0].after_s)
    high = max(changes[0].before_s, changes[0].after_s)
    rises = [change for change in changes if change.after_s == high]
    falls = [change for change in changes if change.after_s == low]
    return ZoneRules(
        _bias(low),
        _changeover(iana, year, falls[-1]) if falls else _january(year),
        _changeover(iana, year, rises[0]) if rises else _january(year),
        daylight_bias=_bias(high) - _bias(low),
    )


def zone_from_rules(rules: ZoneRules, year: int, hint: str | None = None) -> str | None:
    """The IANA name of a zone that has these rules in this year; None when no usual one has.

    Where no zone has exactly these rules, one with the same offsets that changes in the same
    months is taken: clients send the rules of another year, or simplify.

    Args:
        rules: as a client wrote them.
        year: the one they are meant for.
        hint: an IANA name to be preferred when it fits.

    Raises:
        ValueError: the year is not one of ``YEARS``, or the rules name a month that no year has.
    """
    exact, months = _instants(rules, year), _months(rules)
    if hint in WINDOWS_NAME:
        own = rules_in_year(hint, year)
        if _instants(own, year) == exact or _months(own) == months:
            return hint
    by_instants, by_months = _zones_in_year(year)
    return by_instants.get(exact) or by_months.get(months)


def _check_year(year: int) -> None:
    if year not in YEARS:
        raise ValueError(f"a year from {YEARS.start} to {YEARS.stop - 1} expected, not {year}")


def _bias(offset_s: int) -> int:
    return -round(offset_s / 60)


def _offset_s(zone: ZoneInfo, at_s: int) -> int:
    offset = (_EPOCH + timedelta(seconds=at_s)).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _new_year_s(year: int) -> int:
    return _seconds(datetime(year, 1, 1, tzinfo=UTC))


def _changes(iana: str, year: int) -> list[_Change]:
    """All changes of the offset in a local year, by looking every few days and halving."""
    _check_year(year)
    zone = zone_of(iana)
    begin_s, end_s = _new_year_s(year), _new_year_s(year + 1)
    found: list[_Change] = []
    days = _days(year)
    offsets = [zone.utcoffset(day) for day in days]
    if offsets.count(offsets[0]) == len(offsets):
        return found
    for (low, before), (high, after) in pairwise(zip(days, offsets, strict=True)):
        if before is None or after is None or before == after:
            continue
        # A noon that is leapt over (Apia, 2011) still tells the old offset: look a day before.
        low_s = _seconds(low - before) - _DAY_S
        high_s = _seconds(high - after)
        at_s = _first_second(zone, low_s, high_s)
        change = _Change(at_s, _offset_s(zone, at_s - 1), _offset_s(zone, at_s))
        if begin_s <= change.at_s + change.before_s < end_s:
            found.append(change)
    return found


@lru_cache(maxsize=16)
def _days(year: int) -> list[datetime]:
    """Noons, by any clock, from before to after the year."""
    first = datetime(year, 1, 1, 12) - timedelta(days=_STEP_DAYS)  # noqa: DTZ001 (civil time)
    steps = 366 // _STEP_DAYS + 3
    return [first + timedelta(days=_STEP_DAYS * step) for step in range(steps)]


def _seconds(moment: datetime) -> int:
    return int((moment.replace(tzinfo=UTC) - _EPOCH).total_seconds())


def _first_second(zone: ZoneInfo, low_s: int, high_s: int) -> int:
    """When the offset of ``high_s`` begins; it does not hold at ``low_s``."""
    after_s = _offset_s(zone, high_s)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset_s(zone, middle_s) == after_s:
            high_s = middle_s
        else:
            low_s = middle_s
    return high_s


def _two_offsets(changes: list[_Change]) -> list[_Change]:
    while len({offset for change in changes for offset in change[1:]}) > 2:
        changes = changes[1:]
    return changes


def _local(change: _Change) -> datetime:
    return _EPOCH + timedelta(seconds=change.at_s + change.before_s)


def _changeover(iana: str, year: int, change: _Change) -> Changeover:
    local = _local(change)
    nth = nth_in_month(local)
    if nth == LAST - 1 and _is_last(local) and _neighbours_say_last(iana, year, local):
        nth = LAST
    clock_ms = (local.hour * 3600 + local.minute * 60 + local.second) * 1000
    return Changeover(local.month, weekday_of(local), nth, clock_ms)


def weekday_of(day: date) -> int:
    """0 Sunday to 6 Saturday."""
    return day.isoweekday() % _DAYS_OF_WEEK


def nth_in_month(day: date) -> int:
    """Which of its weekday in the month it is: 1 to 5."""
    return (day.day - 1) // _DAYS_OF_WEEK + 1


def _is_last(day: date) -> bool:
    return (day + timedelta(days=_DAYS_OF_WEEK)).month != day.month


def _neighbours_say_last(iana: str, year: int, local: datetime) -> bool:
    """Whether the nearest year that can tell has its change after the fourth such weekday."""
    for distance in _NEIGHBOURS:
        changes = _changes(iana, year + distance) if year + distance in YEARS else []
        for other in map(_local, changes):
            if (other.month, other.weekday()) == (local.month, local.weekday()):
                if not _is_last(other):
                    return False
                if other.day > 4 * _DAYS_OF_WEEK:
                    return True
    return True


def _january(year: int) -> Changeover:
    return Changeover(1, weekday_of(date(year, 1, 1)), 1, 0)


def _months(rules: ZoneRules) -> _Months:
    """The offsets and the months that change to them."""
    has_changes = rules.standard is not None and rules.daylight is not None
    return (
        rules.bias + rules.standard_bias,
        rules.bias + rules.daylight_bias if has_changes else 0,
        rules.standard.month if rules.standard and has_changes else 0,
        rules.daylight.month if rules.daylight and has_changes else 0,
    )


def _instants(rules: ZoneRules, year: int) -> _Instants:
    """The offsets and when they begin, free of the ways to write it."""
    _check_year(year)
    standard, daylight, _, _ = _months(rules)
    if rules.standard is None or rules.daylight is None:
        return standard, daylight, None, None
    return standard, daylight, begins(rules.standard, year), begins(rules.daylight, year)


def begins(changeover: Changeover, year: int) -> datetime:
    """The local moment of a changeover, up to the full second; without a zone.

    Raises:
        ValueError: no such month.
    """
    first = datetime(year, changeover.month, 1)  # noqa: DTZ001 (civil time)
    days = (changeover.weekday - weekday_of(first)) % _DAYS_OF_WEEK
    day = first + timedelta(days=days + (changeover.nth - 1) * _DAYS_OF_WEEK)
    if changeover.nth == LAST and day.month != first.month:
        day -= timedelta(days=_DAYS_OF_WEEK)
    return day + timedelta(seconds=-(-changeover.time_ms // 1000))


@lru_cache(maxsize=8)
def _zones_in_year(year: int) -> tuple[dict[_Instants, str], dict[_Months, str]]:
    """The zones by their rules: usual ones first, then the usual one of each Windows zone."""
    by_instants: dict[_Instants, str] = {}
    by_months: dict[_Months, str] = {}
    fixed = [iana for iana in WINDOWS_NAME if iana.startswith("Etc/GMT")]
    for iana in (*_USUAL, *(names[0] for names in IANA_NAMES.values()), *sorted(fixed)):
        rules = rules_in_year(iana, year)
        by_instants.setdefault(_instants(rules, year), iana)
        by_months.setdefault(_months(rules), iana)
    return by_instants, by_months
