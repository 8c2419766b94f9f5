"""When a task begins and is due, as ActiveSync tells it: twice, in UTC and by the clock there.

Spec: [MS-ASTASK] §2.2.2.32 (UtcStartDate); [MS-OXOTASK] §2.2.2; [MS-ASDTYPE] v20 §2.3.

Notes:
    To Exchange a task has dates, and the local one of a pair counts. Some clients keep a time of
    day nevertheless: it is taken when a zone that we know explains both halves of all pairs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from posthouse.formats.recurrence.pattern import DAY_MS
from posthouse.formats.zones.civil import at_from_local_ms, local_ms, zone_or_utc
from posthouse.protocols.eas.wire.fields import nearest_midnight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.task import Task

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - civil
_MS: Final = timedelta(milliseconds=1)


class Pair(NamedTuple):
    """One start or due date; at least one of the two is told.

    Attributes:
        utc: the instant.
        local: the same by the clock there, as if that were UTC.
    """

    utc: int | None
    local: int | None

    @property
    def civil(self) -> int:
        """The date."""
        if self.local is not None:
            return self.local // DAY_MS * DAY_MS
        return nearest_midnight(self.utc or 0)


class Span(NamedTuple):
    """When it is; the fields are Task's."""

    start_at: int | None
    due_at: int | None
    is_dated: bool
    zone: str
    is_floating: bool = False


def shown_pair(at: int | None, task: Task, zone: str) -> Pair | None:
    """A time of a task as it is told, in the zone of whoever is told it ("" UTC)."""
    if at is None:
        return None
    if task.is_dated or task.is_floating:
        return Pair(at_from_local_ms(at, zone_or_utc(zone)), at)
    return Pair(at, local_ms(at, zone_or_utc(task.zone)))


def span_from_pairs(start: Pair | None, due: Pair | None, zones: Iterable[str]) -> Span:
    """When a task is that is told so.

    Args:
        start: None: none.
        due: the same.
        zones: that may explain a time of day; the first one that does is taken.
    """
    pairs = [pair for pair in (start, due) if pair is not None]
    if any(pair.local is not None and pair.local % DAY_MS for pair in pairs):
        for zone in zones:
            if all(
                pair.utc is not None and local_ms(pair.utc, zone_or_utc(zone)) == pair.local
                for pair in pairs
            ):
                return Span(start and start.utc, due and due.utc, is_dated=False, zone=zone)
    return Span(start and start.civil, due and due.civil, is_dated=True, zone="")
