"""How much one login may send.

Notes:
    Counted per process, so with several workers a login may get a multiple of the limit at worst;
    what this is for (a stolen password sends thousands) is met all the same.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.ids import PrincipalId
    from posthouse.ports.clock import Clock

_HOUR_MIN = 60
_DAY_MIN = 24 * 60
_LOGINS_MAX = 100_000


class _Sent:
    """One login's recipients by minute, the last day."""

    __slots__ = ("day", "hour", "hour_minutes", "minutes")

    def __init__(self) -> None:
        self.minutes: deque[list[int]] = deque()
        self.hour_minutes: deque[list[int]] = deque()
        self.day = 0
        self.hour = 0

    def forget(self, minute: int) -> None:
        while self.minutes and self.minutes[0][0] <= minute - _DAY_MIN:
            self.day -= self.minutes.popleft()[1]
        while self.hour_minutes and self.hour_minutes[0][0] <= minute - _HOUR_MIN:
            self.hour -= self.hour_minutes.popleft()[1]

    def add(self, minute: int) -> None:
        if not self.minutes or self.minutes[-1][0] != minute:
            entry = [minute, 0]
            self.minutes.append(entry)
            self.hour_minutes.append(entry)
        self.minutes[-1][1] += 1
        self.day += 1
        self.hour += 1

    def take_back(self, count: int) -> None:
        """Undo the latest ``count`` still remembered."""
        for entry in reversed(self.minutes):
            gone = min(entry[1], count)
            entry[1] -= gone
            self.day -= gone
            if self.hour_minutes and entry[0] >= self.hour_minutes[0][0]:
                self.hour -= gone
            count -= gone
            if not count:
                return


class SendingRates:
    """Counts recipients of each login.

    Args:
        clock: for the windows.
        per_hour: 0 is no limit.
        per_day: 0 is no limit.
    """

    __slots__ = ("_clock", "_per_day", "_per_hour", "_sent")

    def __init__(self, clock: Clock, per_hour: int, per_day: int) -> None:
        self._clock = clock
        self._per_hour = per_hour
        self._per_day = per_day
        self._sent: dict[PrincipalId, _Sent] = {}

    def take(self, principal_id: PrincipalId) -> bool:
        """Count one recipient; False (and not counted) when a limit is reached."""
        minute = int(self._clock.monotonic_s() // 60)
        sent = self._sent.get(principal_id)
        if sent is None:
            if len(self._sent) >= _LOGINS_MAX:
                self._sweep(minute)
            sent = self._sent[principal_id] = _Sent()
        sent.forget(minute)
        if (self._per_hour and sent.hour >= self._per_hour) or (
            self._per_day and sent.day >= self._per_day
        ):
            return False
        sent.add(minute)
        return True

    def give_back(self, principal_id: PrincipalId, count: int) -> None:
        """The message did not come about."""
        sent = self._sent.get(principal_id)
        if sent is not None and count:
            sent.take_back(count)

    def _sweep(self, minute: int) -> None:
        """Let go of logins that sent nothing for a day."""
        for principal_id, sent in list(self._sent.items()):
            sent.forget(minute)
            if not sent.minutes:
                del self._sent[principal_id]
