"""VTIMEZONE: the rules of a zone, read from a document and written into one.

Spec: RFC 5545 §3.6.5.

Notes:
    Rules are read as far as clients write them: yearly, on a weekday or day of one month, with or
    without an end, and single dates. Where a local time comes twice, the first is meant; where it
    is left out, it is counted by the offset before.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from posthouse.formats.ical.lines import Component, new_component
from posthouse.formats.ical.values import (
    DAY_MS,
    SECOND_MS,
    civil_from_ms,
    civil_from_value,
    items_of_value,
    ms_from_civil,
    value_from_civil,
    value_from_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBSERVANCES_MAX = 100
_DATES_MAX = 20
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)(\d\d)?\Z")
_BY_DAY = re.compile(r"([+-]?[1-5])?(SU|MO|TU|WE|TH|FR|SA)\Z")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_YEARS_SEEN = 6


class _Rule(NamedTuple):
    """Once a year: a weekday (0 Monday; None: any) counted or in a range of days of a month."""

    month: int
    weekday: int | None
    nth: int
    days: tuple[int, ...]
    until_at: int | None


@dataclass(frozen=True, slots=True)
class _Observance:
    """STANDARD or DAYLIGHT; times in milliseconds, civil ones as if UTC."""

    first_civil: int
    before_ms: int
    offset_ms: int
    rule: _Rule | None
    dates: tuple[int, ...]

    def onsets(self, year: int) -> Iterator[int]:
        """Instants of beginning up to the end of this year, at least the last of them."""
        for civil in (self.first_civil, *self.dates):
            yield civil - self.before_ms
        if self.rule is None:
            return
        time_of_day = self.first_civil % DAY_MS
        for each in (year, year - 1):
            day = _day_of_rule(self.rule, each)
            at = day + time_of_day - self.before_ms if day is not None else None
            if at is None or at + self.before_ms < self.first_civil:
                continue
            if self.rule.until_at is None or at <= self.rule.until_at:
                yield at
        if self.rule.until_at is not None:
            last = civil_from_ms(self.rule.until_at).year
            for each in (last, last - 1):
                day = _day_of_rule(self.rule, each) if each < year else None
                if day is not None and day + time_of_day - self.before_ms <= self.rule.until_at:
                    yield day + time_of_day - self.before_ms


class RuledZone:
    """A zone that is known by the rules of a document only.

    Attributes:
        name: always "".
    """

    name = ""

    def __init__(self, component: Component) -> None:
        parts = [*component.components("STANDARD"), *component.components("DAYLIGHT")]
        read = (_observance(part) for part in parts[:_OBSERVANCES_MAX])
        self._observances = tuple(sorted((o for o in read if o), key=lambda o: o.first_civil))
        self._by_year: dict[int, list[tuple[int, int]]] = {}
        self._offsets = sorted(
            {o.offset_ms for o in self._observances} | {o.before_ms for o in self._observances}
        )

    def civil(self, at: int) -> datetime:
        """Time of day there at an instant."""
        return civil_from_ms(at + self._offset(at))

    def at(self, civil: datetime) -> int:
        """The instant of a time of day there."""
        local = ms_from_civil(civil)
        for offset in reversed(self._offsets):
            if self._offset(local - offset) == offset:
                return local - offset
        return local - self._offset(local - DAY_MS)

    def _offset(self, at: int) -> int:
        year = civil_from_ms(at + DAY_MS).year
        if year not in self._by_year:
            self._by_year[year] = sorted(
                (onset, o.offset_ms) for o in self._observances for onset in o.onsets(year)
            )
        table = self._by_year[year]
        index = bisect_right(table, at, key=itemgetter(0))
        if index:
            return table[index - 1][1]
        return self._observances[0].before_ms if self._observances else 0


class NamedZone:
    """A zone of the IANA database.

    Attributes:
        name: its name there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._zone = ZoneInfo(name)

    def civil(self, at: int) -> datetime:
        """Time of day there at an instant."""
        return (
            civil_from_ms(at)
            .replace(tzinfo=UTC)
            .astimezone(self._zone)
            .replace(tzinfo=None, fold=0)
        )

    def at(self, civil: datetime) -> int:
        """The instant of a time of day there."""
        return ms_from_civil(civil) - _ms(civil.replace(tzinfo=self._zone).utcoffset())


def vtimezone(tzid: str, name: str, year: int, eol: bytes) -> Component:
    """A VTIMEZONE as it is from about this year on.

    Args:
        tzid: what it shall be called.
        name: in the IANA database.
        year: first of the appointments that use it.
        eol: how lines end.
    """
    component = new_component("VTIMEZONE", eol)
    component.set("TZID", value_from_text(tzid))
    component.set("X-LIC-LOCATION", name)
    for kind, rows in _observance_rows(name, year):
        part = new_component(kind, eol)
        for row, value in rows:
            part.set(row, value)
        component.children.append(part)
    return component


class _Change(NamedTuple):
    civil: datetime
    before: timedelta
    after: timedelta
    is_daylight: bool
    label: str


@lru_cache(maxsize=256)
def _observance_rows(name: str, year: int) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Kind and rows of each STANDARD and DAYLIGHT."""
    changes = _changes(ZoneInfo(name), max(year - 1, 1970))
    if not changes:
        start = datetime(max(year - 1, 1970), 1, 1, tzinfo=UTC).astimezone(ZoneInfo(name))
        offset = start.utcoffset() or timedelta()
        civil = datetime(1970, 1, 1)  # noqa: DTZ001 - civil
        still = _Change(civil, offset, offset, is_daylight=False, label=start.tzname() or name)
        return (_rows(still, ""),)
    per_year = len(changes) // _YEARS_SEEN
    groups = [changes[n::per_year] for n in range(per_year)] if per_year else []
    rules = [_rule_text(group) for group in groups]
    if len(changes) == per_year * _YEARS_SEEN and all(rules):
        return tuple(_rows(group[0], rule) for group, rule in zip(groups, rules, strict=True))
    return tuple(_rows(change, "") for change in changes)


def _rows(change: _Change, rule: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    rows = [
        ("DTSTART", value_from_civil(change.civil)),
        ("TZOFFSETFROM", _offset_text(change.before)),
        ("TZOFFSETTO", _offset_text(change.after)),
        ("TZNAME", change.label),
    ]
    if rule:
        rows.append(("RRULE", rule))
    return ("DAYLIGHT" if change.is_daylight else "STANDARD"), tuple(rows)


def _changes(zone: ZoneInfo, first_year: int) -> list[_Change]:
    """Changes of offset in the years seen, found by halving the days on which they happen."""
    start = datetime(first_year, 1, 1, tzinfo=UTC)
    instants = [start + timedelta(days=n) for n in range(366 * _YEARS_SEEN)]
    instants = [at for at in instants if at.year < first_year + _YEARS_SEEN]
    out = []
    before = start.astimezone(zone).utcoffset() or timedelta()
    for day in instants:
        after = day.astimezone(zone).utcoffset() or timedelta()
        if after != before:
            onset = _onset(zone, day, before)
            local = onset.astimezone(zone)
            out.append(
                _Change(
                    (onset + before).replace(tzinfo=None, fold=0),
                    before,
                    after,
                    bool(local.dst()),
                    local.tzname() or "",
                )
            )
        before = after
    return out


def _onset(zone: ZoneInfo, day: datetime, before: timedelta) -> datetime:
    """The second of the day before ``day`` from which the offset is another one."""
    low, high = 0, 86_400
    while low < high:
        middle = (low + high) // 2
        at = day - timedelta(seconds=86_400 - middle)
        if at.astimezone(zone).utcoffset() == before:
            low = middle + 1
        else:
            high = middle
    return day - timedelta(seconds=86_400 - low)


def _rule_text(group: list[_Change]) -> str:
    """The yearly rule that all of them follow; "" none."""
    first = group[0]
    alike = {(c.civil.month, c.civil.weekday(), c.civil.time(), c.before, c.after) for c in group}
    nths = [_nths(c.civil) for c in group]
    common = set.intersection(*nths)
    if (
        len(alike) != 1
        or not common
        or [c.civil.year for c in group]
        != list(range(first.civil.year, first.civil.year + _YEARS_SEEN))
    ):
        return ""
    weekday = _DAYS[first.civil.weekday()]
    return f"FREQ=YEARLY;BYMONTH={first.civil.month};BYDAY={min(common)}{weekday}"


def _nths(civil: datetime) -> set[int]:
    is_last = civil.day + 7 > calendar.monthrange(civil.year, civil.month)[1]
    return {(civil.day - 1) // 7 + 1} | ({-1} if is_last else set())


def _observance(part: Component) -> _Observance | None:
    start = civil_from_value(part.value("DTSTART"))
    before = _offset_ms(part.value("TZOFFSETFROM"))
    offset = _offset_ms(part.value("TZOFFSETTO"))
    if start is None or offset is None:
        return None
    dates = [
        read.civil
        for row in part.properties("RDATE")[:_DATES_MAX]
        for item in items_of_value(row.value, _DATES_MAX)
        if (read := civil_from_value(item.partition("/")[0]))
    ]
    return _Observance(
        ms_from_civil(start.civil),
        offset if before is None else before,
        offset,
        _rule(part.value("RRULE"), start.civil),
        tuple(ms_from_civil(civil) for civil in dates[:_DATES_MAX]),
    )


def _rule(text: str, start: datetime) -> _Rule | None:
    parts = dict(piece.partition("=")[::2] for piece in text.strip().upper().split(";")[:20])
    if parts.get("FREQ") != "YEARLY":
        return None
    month = parts.get("BYMONTH", str(start.month))
    if not (month.isascii() and month.isdigit() and 1 <= int(month[:3]) <= 12):
        return None
    by_day = _BY_DAY.match(parts.get("BYDAY", ""))
    days = [
        int(d) for d in parts.get("BYMONTHDAY", "").split(",")[:31] if re.fullmatch("[0-9]{1,2}", d)
    ]
    if not by_day and not days:
        days = [start.day]
    until = civil_from_value(parts.get("UNTIL", ""))
    return _Rule(
        int(month),
        _DAYS.index(by_day[2]) if by_day else None,
        int(by_day[1] or 0) if by_day else 0,
        tuple(days),
        ms_from_civil(until.civil) if until else None,
    )


def _day_of_rule(rule: _Rule, year: int) -> int | None:
    """Midnight of the rule's day in a year, as if UTC."""
    if not 1601 <= year <= 4500:
        return None
    first_weekday, length = calendar.monthrange(year, rule.month)
    days = [d for d in range(1, length + 1) if not rule.days or d in rule.days]
    if rule.weekday is not None:
        days = [d for d in days if (first_weekday + d - 1) % 7 == rule.weekday]
    index = rule.nth - 1 if rule.nth > 0 else rule.nth
    if not days or not -len(days) <= index < len(days):
        return None
    return ms_from_civil(datetime(year, rule.month, days[index]))  # noqa: DTZ001 - civil


def _offset_ms(value: str) -> int | None:
    match = _OFFSET.match(value.strip())
    if match is None or not match[0].isascii():
        return None
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 + int(match[4] or 0)
    return (-seconds if match[1] == "-" else seconds) * SECOND_MS


def _offset_text(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    return f"{sign}{hours:02}{rest // 60:02}{f'{rest % 60:02}' if rest % 60 else ''}"


def _ms(offset: timedelta | None) -> int:
    return (offset or timedelta()) // timedelta(milliseconds=1)
