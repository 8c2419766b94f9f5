"""The clock and chance, so that tests own both."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        ...


class Chance(Protocol):
    """Randomness fit for secrets."""

    def token_bytes(self, count: int) -> bytes:
        """``count`` random bytes."""
        ...
