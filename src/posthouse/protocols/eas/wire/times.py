"""Points in time as ActiveSync writes them: two forms, both UTC.

Spec: [MS-ASDTYPE] v20 §2.3 (dateTime), §2.7.2 (Compact DateTime).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from posthouse.model.errors import RemoteProtocolError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_LATEST_AT = 253_402_300_799_999
_FORM: Final = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})(?:T(\d{2}):?(\d{2}):?(\d{2})(?:\.(\d{1,7}))?Z?)?", re.ASCII
)


def long_from_ms(at: int) -> str:
    """``2026-11-24T02:03:04.000Z``: mail, tasks, contacts, notes. Clamped to years 1 to 9999."""
    moment = _moment(at)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z".rjust(24, "0")


def compact_from_ms(at: int) -> str:
    """``20261124T020304Z``: calendars. Clamped to years 1 to 9999."""
    return f"{_moment(at):%Y%m%dT%H%M%SZ}".rjust(16, "0")


def ms_from_text(text: str) -> int:
    """Either form, with or without fraction; a date alone is its midnight.

    Raises:
        RemoteProtocolError: it is neither (hint ``content``).
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise RemoteProtocolError("a time is not in either form", "content")
    year, month, day, hour, minute, second = (int(one or 0) for one in match.groups()[:6])
    fraction = (match[7] or "").ljust(3, "0")[:3]
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as e:
        raise RemoteProtocolError(f"no such time: {e}", "content") from e
    return (moment - _EPOCH) // _MS + int(fraction)


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=max(-62_135_596_800_000, min(at, _LATEST_AT)))
