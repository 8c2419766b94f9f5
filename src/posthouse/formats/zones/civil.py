"""The clock on the wall: instants as local times, and back.

Spec: RFC 5545 §3.3.5 (local times that do not exist or come twice).

Notes:
    A local time in ms is written as if it were UTC. One that a change of the clock leaps over moves
    on by the leap; one that comes twice is the first of the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfoNotFoundError

from posthouse.formats.zones.rules import zone_of

if TYPE_CHECKING:
    from datetime import tzinfo

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (civil time)
_MS: Final = timedelta(milliseconds=1)


def zone_or_utc(name: str) -> tzinfo:
    """The zone of an IANA name; UTC for "" and for one that nobody knows."""
    if not name:
        return UTC
    try:
        return zone_of(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local_at(at: int, zone: tzinfo) -> datetime:
    """The local time of an instant (ms UTC), without zone."""
    moment = (_EPOCH + at * _MS).replace(tzinfo=UTC)
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def local_ms(at: int, zone: tzinfo) -> int:
    """The same in ms."""
    return (local_at(at, zone) - _EPOCH) // _MS


def at_from_local(local: datetime, zone: tzinfo) -> int:
    """The instant of a local time, in ms UTC."""
    since = local.replace(fold=0) - _EPOCH
    offset = zone.utcoffset(local.replace(fold=0)) or timedelta()
    return (since - offset) // _MS


def at_from_local_ms(local: int, zone: tzinfo) -> int:
    """The same of a local time in ms."""
    return at_from_local(_EPOCH + local * _MS, zone)
