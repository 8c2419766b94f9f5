"""When to try again, when to tell of a delay, when to give up.

Spec: RFC 5321 §4.5.4.1 (retry interval, at least 4 to 5 days).
"""

from __future__ import annotations

from dataclasses import dataclass

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of the queue.

    Attributes:
        pauses_ms: after the first, second ... attempt; the last one holds for all further.
        warn_after_ms: the sender hears of a delay after this time in the queue.
        give_up_after_ms: the message goes back after this time in the queue.
        jitter: pauses are stretched by up to this share, so that messages do not come in crowds.
    """

    pauses_ms: tuple[int, ...] = (
        5 * _MINUTE_MS,
        15 * _MINUTE_MS,
        30 * _MINUTE_MS,
        1 * _HOUR_MS,
        2 * _HOUR_MS,
        4 * _HOUR_MS,
    )
    warn_after_ms: int = 4 * _HOUR_MS
    give_up_after_ms: int = 120 * _HOUR_MS
    jitter: float = 0.2

    def next_at(self, attempts: int, now_ms: int, chance: float) -> int:
        """When to try again.

        Args:
            attempts: made so far, at least 1.
            now_ms: the time.
            chance: from 0 up to 1.
        """
        pause = self.pauses_ms[min(attempts, len(self.pauses_ms)) - 1]
        return now_ms + pause + int(pause * self.jitter * chance)

    def is_over(self, queued_at: int, now_ms: int) -> bool:
        """Whether it has been tried long enough."""
        return now_ms - queued_at >= self.give_up_after_ms

    def is_late(self, queued_at: int, now_ms: int) -> bool:
        """Whether the sender should know."""
        return now_ms - queued_at >= self.warn_after_ms

    def bounded(self, next_at: int, queued_at: int, now_ms: int, *, may_warn: bool) -> int:
        """Bring an attempt forward so that neither the warning nor the end comes late."""
        for deadline in (self.warn_after_ms if may_warn else 0, self.give_up_after_ms):
            at = queued_at + deadline
            if now_ms < at < next_at:
                return at
        return next_at
