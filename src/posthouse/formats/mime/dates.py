"""Dates of mail: reading them from header fields, and writing them.

Spec: RFC 5322 §3.3, §4.3 (obsolete forms).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBER = {name.lower().encode(): n for n, name in enumerate(_MONTHS, 1)}
_ZONE_HOURS = {b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6}
_ZONE_HOURS |= {b"pst": -8, b"pdt": -7, b"cet": 1, b"cest": 2, b"met": 1, b"mest": 2}
_USUAL = re.compile(
    rb"[ \t]*(?:[A-Za-z]{3}, ?)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) "
    rb"(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
)
_CLOCK = re.compile(rb"(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?(?:[.,]\d{1,6})?\Z")
_OCTETS_MAX = 128
_EPOCH_DAYS = date(1970, 1, 1).toordinal()


def ms_from_date(raw: bytes) -> int:
    """The instant a Date field names, in ms; 0 when it cannot be read or lies before 1970."""
    match = _USUAL.match(raw)
    if match is None:
        return _ms_from_odd_date(raw[:_OCTETS_MAX])
    day, month, year, hour, minute, second, sign, zone_h, zone_m = match.groups()
    offset = int(zone_h) * 60 + int(zone_m)
    return _ms(
        (int(year), _MONTH_NUMBER.get(month.lower(), 0), int(day)),
        (int(hour), int(minute), int(second)),
        -offset if sign == b"-" else offset,
    )


def _ms(day: tuple[int, int, int], clock: tuple[int, int, int], offset_minutes: int) -> int:
    """0 for what no calendar has. A leap second counts as the next second."""
    hour, minute, second = clock
    if hour > 23 or minute > 59 or second > 60 or abs(offset_minutes) > 24 * 60:
        return 0
    try:
        days = date(*day).toordinal() - _EPOCH_DAYS
    except ValueError:
        return 0
    ms = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60_000 + second * 1_000
    return max(ms, 0)


def _ms_from_odd_date(raw: bytes) -> int:
    """Other orders, two-digit years, zone names, comments, no seconds, no zone (then UTC)."""
    year = month = day = 0
    clock: tuple[int, int, int] | None = None
    offset = 0
    for word in raw.partition(b"(")[0].replace(b",", b" ").replace(b"-", b" -").split()[:16]:
        bare = word.lstrip(b"-")
        if clock is None and (match := _CLOCK.match(bare)):
            clock = (int(match[1]), int(match[2]), int(match[3] or 0))
        elif clock is not None and word[:1] in b"+-" and word[1:5].isdigit() and len(word) == 5:
            minutes = int(word[1:3]) * 60 + int(word[3:5])
            offset = -minutes if word[:1] == b"-" else minutes
        elif bare.isdigit() and len(bare) <= 4:
            number = int(bare)
            if not day and number <= 31 and len(bare) <= 2:
                day = number
            elif not year:
                year = _full_year(number, len(bare))
        elif bare[:3].lower() in _MONTH_NUMBER and not month:
            month = _MONTH_NUMBER[bare[:3].lower()]
        elif clock is not None:
            offset = _ZONE_HOURS.get(bare.lower(), 0) * 60 or offset
    return _ms((year, month, day), clock or (0, 0, 0), offset)


def _full_year(number: int, digits: int) -> int:
    """RFC 5322 §4.3: two digits 00 to 49 are this century's, other short ones count from 1900."""
    if digits == 4:
        return number
    return number + (2000 if number < 50 and digits == 2 else 1900)


def ms_from_from_line(raw: bytes) -> int:
    """The instant of an mbox From line's ``Mon Nov 23 20:12:01 2026`` (UTC without a zone)."""
    return _ms_from_odd_date(raw[:_OCTETS_MAX])


@lru_cache(maxsize=64)
def _date_text_of_second(second: int) -> str:
    at = _moment(second)
    return (
        f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year:04} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} +0000"
    )


def date_text(at_ms: int) -> str:
    """A date for a header field, in UTC."""
    return _date_text_of_second(at_ms // 1000)


def from_line_date_text(at_ms: int) -> str:
    """A date for an mbox From line (asctime form, UTC)."""
    at = _moment(at_ms // 1000)
    return (
        f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day:2} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} {at.year:04}"
    )


def _moment(second: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(max(second, 0), 253402300799))
