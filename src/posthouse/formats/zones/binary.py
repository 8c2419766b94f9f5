"""The TimeZone structure of 172 octets: a zone as ActiveSync tells it (base64 is the caller's).

Spec: [MS-ASDTYPE] v20 §2.7.6.

Notes:
    It is Windows' ``TIME_ZONE_INFORMATION``: little-endian, names of 32 UTF-16 code units, dates
    as SYSTEMTIME. What follows the first NUL of a name is not kept: the document wants NULs there.
"""

from __future__ import annotations

import struct
from datetime import date
from typing import NamedTuple

from msgspec import Struct

from posthouse.formats.zones.rules import Changeover, ZoneRules, nth_in_month, weekday_of
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import LAST

STRUCTURE_OCTETS = 172

_LAYOUT = struct.Struct("<i64s8Hi64s8Hi")
_NAME_OCTETS = 64
_BIAS_MAX = 24 * 60
# The greatest value of each field; the months and days of a real date are checked apart.
_SYSTEM_TIME_MAX = (30_827, 12, 6, 31, 23, 59, 59, 999)


class SystemTime(NamedTuple):
    """SYSTEMTIME. Month 0: no such change. Year 0: each year, on the day-th weekday (5: last).

    Attributes:
        year: 0, or the only year of this change; ``day`` is then the day of the month.
        month: 1 to 12, or 0.
        weekday: 0 Sunday to 6 Saturday.
        day: 1 to 5 without a year, else 1 to 31.
        hour: 0 to 23.
        minute: 0 to 59.
        second: 0 to 59.
        millisecond: 0 to 999.
    """

    year: int = 0
    month: int = 0
    weekday: int = 0
    day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    millisecond: int = 0


class TimeZoneStructure(Struct, frozen=True):
    """The fields in their order; biases in minutes, UTC being local time plus bias.

    Attributes:
        bias: of the zone.
        standard_name: free text, at most 32 UTF-16 code units.
        standard_date: when standard time begins.
        standard_bias: added to ``bias`` in standard time.
        daylight_name: free text, at most 32 UTF-16 code units.
        daylight_date: when daylight time begins.
        daylight_bias: added to ``bias`` in daylight time.
    """

    bias: int = 0
    standard_name: str = ""
    standard_date: SystemTime = SystemTime()
    standard_bias: int = 0
    daylight_name: str = ""
    daylight_date: SystemTime = SystemTime()
    daylight_bias: int = 0


def read(data: bytes) -> TimeZoneStructure:
    """The fields of a structure that a client sent.

    Raises:
        RemoteProtocolError: not 172 octets, a bias of more than a day, a date that no calendar
            has, or only one of the two dates.
    """
    if len(data) != STRUCTURE_OCTETS:
        raise RemoteProtocolError(f"TimeZone: {STRUCTURE_OCTETS} octets expected, not {len(data)}")
    fields = _LAYOUT.unpack(data)
    zone = TimeZoneStructure(
        bias=fields[0],
        standard_name=_text(fields[1]),
        standard_date=SystemTime(*fields[2:10]),
        standard_bias=fields[10],
        daylight_name=_text(fields[11]),
        daylight_date=SystemTime(*fields[12:20]),
        daylight_bias=fields[20],
    )
    if max(abs(zone.bias), abs(zone.standard_bias), abs(zone.daylight_bias)) > _BIAS_MAX:
        raise RemoteProtocolError("TimeZone: a bias of more than a day")
    _check_date(zone.standard_date)
    _check_date(zone.daylight_date)
    if (zone.standard_date.month == 0) != (zone.daylight_date.month == 0):
        raise RemoteProtocolError("TimeZone: one date without the other")
    return zone


def write(zone: TimeZoneStructure) -> bytes:
    """The 172 octets; names are cut to what fits."""
    return _LAYOUT.pack(
        zone.bias,
        _octets(zone.standard_name),
        *zone.standard_date,
        zone.standard_bias,
        _octets(zone.daylight_name),
        *zone.daylight_date,
        zone.daylight_bias,
    )


def rules_from_structure(zone: TimeZoneStructure) -> ZoneRules:
    """The rules that a structure tells. A change of one year only counts as one of each year."""
    if zone.standard_date.month == 0 or zone.daylight_date.month == 0:
        return ZoneRules(zone.bias + zone.standard_bias)
    return ZoneRules(
        zone.bias,
        _changeover(zone.standard_date),
        _changeover(zone.daylight_date),
        zone.standard_bias,
        zone.daylight_bias,
    )


def structure_from_rules(
    rules: ZoneRules, standard_name: str = "", daylight_name: str = ""
) -> TimeZoneStructure:
    """The structure that tells these rules."""
    return TimeZoneStructure(
        rules.bias,
        standard_name,
        _date(rules.standard),
        rules.standard_bias,
        daylight_name,
        _date(rules.daylight),
        rules.daylight_bias,
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-16-le", "replace").partition("\0")[0]


def _octets(name: str) -> bytes:
    """Padded to length by ``struct``; a character of two code units is not cut in half."""
    raw = name.encode("utf-16-le", "replace")[:_NAME_OCTETS]
    return raw.decode("utf-16-le", "ignore").encode("utf-16-le")


def _check_date(when: SystemTime) -> None:
    if any(value > most for value, most in zip(when, _SYSTEM_TIME_MAX, strict=True)):
        raise RemoteProtocolError("TimeZone: a date that no calendar has")
    if when.month == 0:
        return
    if when.year == 0 and not 1 <= when.day <= LAST:
        raise RemoteProtocolError("TimeZone: which weekday of the month? 1 to 5 expected")
    if when.year:
        try:
            date(when.year, when.month, when.day)
        except ValueError as e:
            raise RemoteProtocolError("TimeZone: a date that no calendar has") from e


def _changeover(when: SystemTime) -> Changeover:
    clock_s = (when.hour * 60 + when.minute) * 60 + when.second
    time_ms = clock_s * 1000 + when.millisecond
    if when.year == 0:
        return Changeover(when.month, when.weekday, when.day, time_ms)
    day = date(when.year, when.month, when.day)
    return Changeover(when.month, weekday_of(day), nth_in_month(day), time_ms)


def _date(changeover: Changeover | None) -> SystemTime:
    if changeover is None:
        return SystemTime()
    seconds, millisecond = divmod(changeover.time_ms, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return SystemTime(
        0, changeover.month, changeover.weekday, changeover.nth, hour, minute, second, millisecond
    )
