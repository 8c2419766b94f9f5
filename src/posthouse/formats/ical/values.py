"""Values of properties: text, dates, times, durations, addresses, integers.

Spec: RFC 5545 §3.3 (value types).

Notes:
    What cannot be read is None, never an error: one odd property does not lose an appointment.
    Years outside of Exchange's (1601 to 4500) count as not readable. A time of day of some place
    is a datetime without zone, called ``civil`` here; as milliseconds it is counted as if it were
    UTC.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote

SECOND_MS = 1_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - civil
_YEARS = range(1601, 4501)
_MS_MIN = -11_644_473_600_000
_MS_MAX = 79_870_751_999_000
_DATE_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?\Z")
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?\Z"
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LIST_ITEM = re.compile(r"(?:[^,\\]++|\\.|\\\Z)*+", re.DOTALL)


class CivilTime(NamedTuple):
    """A DATE or DATE-TIME as written.

    Attributes:
        civil: date and time of day; midnight of a DATE.
        is_date: it is a DATE.
        is_utc: it ends in Z.
    """

    civil: datetime
    is_date: bool
    is_utc: bool


def text_from_value(value: str) -> str:
    """TEXT for people; its lines end in LF."""
    if "\\" in value:
        value = _ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], value)
    return value.replace("\r", "")


def value_from_text(text: str) -> str:
    """The same as it stands in a line."""
    text = text.replace("\r\n", "\n").replace("\\", "\\\\")
    return text.replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def items_of_value(value: str, items_max: int) -> list[str]:
    """The pieces of a list, still escaped, without the empty ones."""
    out: list[str] = []
    pos = 0
    while pos < len(value) and len(out) < items_max:
        match = _LIST_ITEM.match(value, pos)
        end = match.end() if match else len(value)
        if item := value[pos:end].strip():
            out.append(item)
        pos = end + 1
    return out


def civil_from_value(value: str) -> CivilTime | None:
    """Read a DATE or DATE-TIME."""
    match = _DATE_TIME.match(value.strip().upper())
    if match is None or not match[0].isascii() or int(match[1]) not in _YEARS:
        return None
    hour, minute, second = (int(match[n] or 0) for n in (4, 5, 6))
    try:
        # Leap seconds are written, and no clock here has them.
        day = datetime(int(match[1]), int(match[2]), int(match[3]), hour, minute, min(second, 59))  # noqa: DTZ001
    except ValueError:
        return None
    return CivilTime(day, match[4] is None, bool(match[7]))


def value_from_civil(civil: datetime, *, is_date: bool = False, is_utc: bool = False) -> str:
    """Write a DATE or DATE-TIME."""
    day = f"{civil.year:04}{civil.month:02}{civil.day:02}"
    if is_date:
        return day
    return f"{day}T{civil.hour:02}{civil.minute:02}{civil.second:02}{'Z' if is_utc else ''}"


def ms_from_civil(civil: datetime) -> int:
    """Milliseconds as if it were UTC."""
    return (civil - _EPOCH) // timedelta(milliseconds=1)


def civil_from_ms(at: int) -> datetime:
    """The way back, kept within the years that can be written; whole seconds."""
    at = min(max(at, _MS_MIN), _MS_MAX)
    return _EPOCH + timedelta(seconds=at // SECOND_MS)


def ms_from_utc_value(value: str) -> int | None:
    """An instant of a property that must be UTC; without Z it is taken for UTC, too."""
    read = civil_from_value(value)
    return ms_from_civil(read.civil) if read else None


def utc_value(at: int) -> str:
    """An instant in UTC."""
    return value_from_civil(civil_from_ms(at), is_utc=True)


def ms_from_duration(value: str) -> int | None:
    """A DURATION in milliseconds; days and weeks are of 24 hours."""
    match = _DURATION.match(value.strip().upper())
    if match is None or not match[0].isascii():
        return None
    weeks, days, hours, minutes, seconds = (int(match[n] or 0) for n in range(2, 7))
    total = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
    return -total * SECOND_MS if match[1] == "-" else total * SECOND_MS


def duration_from_ms(length_ms: int) -> str:
    """A DURATION of whole seconds."""
    sign = "-" if length_ms < 0 else ""
    seconds = abs(length_ms) // SECOND_MS
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    if not days and not clock:
        clock = "0M" if not length_ms else "0S"
    return f"{sign}P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


def integer_from_value(value: str) -> int | None:
    """An INTEGER of at most nine digits."""
    match = re.fullmatch(r"[+-]?\d{1,9}", value.strip(), re.ASCII)
    return int(match[0]) if match else None


def boolean_from_value(value: str) -> bool:
    """Whether it says TRUE, as Microsoft's properties do."""
    return value.strip().upper() == "TRUE"


def address_from_value(value: str) -> str:
    """A CAL-ADDRESS without ``mailto:``; another URI as it is."""
    value = value.strip()
    if value[:7].lower() != "mailto:":
        return value
    address = value[7:].strip()
    return unquote(address) if "%" in address else address


def value_from_address(address: str) -> str:
    """The way back: what has an at sign and no scheme is an address of mail."""
    address = "".join(address.split())
    if "@" in address and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", address):
        return "mailto:" + address.replace("%", "%25")
    return address
