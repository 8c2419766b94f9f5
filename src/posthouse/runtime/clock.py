"""The system's clock and chance: the one place that asks the operating system for either."""

from __future__ import annotations

import secrets
import time


class SystemClock:
    """Real time."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds that never go back; the same zero for all processes since boot."""
        return time.monotonic()


class SystemChance:
    """Randomness of the operating system."""

    __slots__ = ()

    def token_bytes(self, count: int) -> bytes:
        """``count`` random bytes."""
        return secrets.token_bytes(count)
