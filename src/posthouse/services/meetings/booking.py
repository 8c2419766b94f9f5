"""Whether a room takes a booking. Pure.

Spec: RFC 5546 §3.2.3 (REPLY).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from posthouse.model.appointment import BusyStatus, Sensitivity
from posthouse.model.errors import TooLarge
from posthouse.services.groupware.occurrences import last_end, taking_place
from posthouse.services.meetings.keeping import DAY_MS
from posthouse.services.meetings.wording import when_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.appointment import Appointment
    from posthouse.services.meetings.settings import BookingSettings

_MINUTE_MS = 60_000
_HIDDEN = (Sensitivity.PRIVATE, Sensitivity.CONFIDENTIAL)


def horizon(settings: BookingSettings, now_ms: int) -> int:
    """Up to when the room may be booked."""
    return now_ms + settings.window_days * DAY_MS


def refused_for_itself(asked: Appointment, settings: BookingSettings, now_ms: int) -> str:
    """Why nobody may book the room so, in words; "" when it may be booked."""
    recurs = asked.recurrence is not None or asked.has_unmapped_rule
    if recurs and not settings.allow_recurring:
        return "This room takes no series, only single meetings."
    if asked.has_unmapped_rule:
        return "The pattern of this series cannot be checked against other bookings."
    if asked.end_at - asked.start_at > settings.max_minutes * _MINUTE_MS:
        return f"This room can be booked for {settings.max_minutes} minutes at most."
    end_at = last_end(asked)
    if end_at <= now_ms:
        return "This time has passed."
    if end_at > horizon(settings, now_ms):
        return f"This room can be booked for the next {settings.window_days} days only."
    return ""


def refused_for_others(asked: Appointment, others: Sequence[Appointment], now_ms: int) -> str:
    """Whom the time belongs to, in words; "" when it is free.

    Args:
        asked: the meeting, or the series with its overrides.
        others: every other meeting in the room as it takes place, in order of start, from
            ``now_ms`` to the end of what is asked for.
        now_ms: the time; what has passed is nobody's any more.
    """
    taken = [one for one in others if one.busy is not BusyStatus.FREE and not one.is_cancelled]
    starts = [one.start_at for one in taken]
    ends = list(accumulate((one.end_at for one in taken), max))
    try:
        wanted = taking_place(asked, max(now_ms, 0), last_end(asked))
    except TooLarge:
        return "The series has more meetings than can be checked."
    for one in wanted:
        count = bisect_left(starts, one.end_at)
        if not one.is_cancelled and count and ends[count - 1] > one.start_at:
            return _taken_by(next(t for t in taken[:count] if t.end_at > one.start_at))
    return ""


def _taken_by(other: Appointment) -> str:
    whose = "somebody"
    if other.organizer is not None and other.sensitivity not in _HIDDEN:
        whose = other.organizer.name or other.organizer.address
    return f"The room is already booked by {whose}: {when_text(other)}."
