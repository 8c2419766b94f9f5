"""Expansion: the instants at which something recurring starts.

Spec: RFC 5545 §3.3.10, §3.3.5 (local times that do not exist or come twice); [MS-OXOCAL] v23
§2.2.1.44.1.

Notes:
    The clock on the wall is kept: a time that a change of the clock leaps over moves on by the
    leap, one that comes twice is the first of the two. Only days of the pattern count; a start
    that is none of them is no occurrence, as with Exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from posthouse.formats.recurrence.pattern import DAY_MS, EPOCH_ORDINAL, NEVER, pattern_from
from posthouse.model.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from posthouse.formats.recurrence.pattern import Pattern
    from posthouse.model.recurrence import Recurrence


@dataclass(frozen=True, slots=True)
class ExpansionLimits:
    """How much of a series is looked at in one go.

    Attributes:
        instances_max: starts in a window.
        steps_max: days of the pattern that a window asks to look at.
    """

    instances_max: int = 3_000
    steps_max: int = 100_000


EXPANSION_LIMITS = ExpansionLimits()

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (civil time)
_MS = timedelta(milliseconds=1)
_DAY_S = DAY_MS // 1000
# A zone is at most a day from UTC, and a leap over a day (Apia, 2011) is one more.
_MARGIN_DAYS = 2


def occurrences(
    recurrence: Recurrence,
    start_local: datetime,
    zone: tzinfo,
    from_at_ms: int,
    to_at_ms: int,
    limits: ExpansionLimits = EXPANSION_LIMITS,
) -> list[int]:
    """The starts in a window, in order, in ms since 1970 UTC.

    Args:
        recurrence: the pattern and its end.
        start_local: the first start, by the clock of ``zone``; without a zone of its own.
        zone: whose clock and calendar the series follows.
        from_at_ms: begin of the window.
        to_at_ms: its end; a start at this very moment lies outside.
        limits: what may be asked for.

    Raises:
        TooLarge: the window has more than the limits allow.
        ValueError: ``start_local`` has a zone, or a field of the recurrence is out of range.
    """
    if start_local.tzinfo is not None:
        raise ValueError("a start by the clock of the zone expected, without a zone of its own")
    pattern = pattern_from(recurrence, start_local.toordinal())
    end_at_ms = min(to_at_ms, recurrence.until_at + 1) if recurrence.until_at else to_at_ms
    indices = _indices(pattern, from_at_ms, end_at_ms, recurrence.count)
    if len(indices) > limits.steps_max:
        raise TooLarge(f"recurrence: {len(indices)} days to look at; at most {limits.steps_max}")
    found: list[int] = []
    last_at = from_at_ms - 1
    for start_at in _starts(pattern, indices, start_local, zone):
        # Two days meet where the zone leaps over one of them.
        if last_at < start_at < end_at_ms:
            found.append(start_at)
            last_at = start_at
            if len(found) > limits.instances_max:
                raise TooLarge(f"recurrence: more than {limits.instances_max} instances")
    return found


def _indices(pattern: Pattern, from_at_ms: int, to_at_ms: int, count: int) -> range:
    """Which days of the pattern may lie in the window, with some to spare at both ends."""
    first = pattern.index_from(_ordinal(from_at_ms) - _MARGIN_DAYS)
    stop = pattern.index_from(min(_ordinal(to_at_ms) + _MARGIN_DAYS + 1, NEVER))
    return range(first, min(stop, count) if count else stop)


def _ordinal(at_ms: int) -> int:
    """The day of an instant, by UTC, kept within the calendar."""
    return min(max(EPOCH_ORDINAL + at_ms // DAY_MS, 1), NEVER)


def _starts(pattern: Pattern, indices: range, start_local: datetime, zone: tzinfo) -> Iterator[int]:
    midnight = start_local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    clock = start_local.replace(fold=0) - midnight
    clock_ms = clock // _MS
    for index in indices:
        ordinal = pattern.day(index)
        offset = zone.utcoffset(datetime.fromordinal(ordinal) + clock)
        offset_s = offset.days * _DAY_S + offset.seconds if offset is not None else 0
        yield (ordinal - EPOCH_ORDINAL) * DAY_MS + clock_ms - offset_s * 1000
