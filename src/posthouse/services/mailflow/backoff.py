"""Hosts that did not answer are left alone for a while, so that a dead one holds up nobody."""

from __future__ import annotations

_FIRST_MS = 15_000
_MOST_MS = 120_000
_REMEMBERED_MAX = 10_000


class BackOff:
    """Which hosts to leave alone, and until when.

    The time is short against the pauses of the queue: it spares the other messages for the same
    host, and an operator who makes messages due does not wait long.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[int, int]] = {}

    def until(self, host: str, now_ms: int) -> int:
        """When the host may be tried again, ms; 0 when at once."""
        known = self._hosts.get(host)
        return known[1] if known is not None and known[1] > now_ms else 0

    def note_down(self, host: str, now_ms: int) -> None:
        """It did not answer: twice as long as the last time."""
        if len(self._hosts) >= _REMEMBERED_MAX:
            self._hosts.clear()
        pause = min(2 * self._hosts[host][0], _MOST_MS) if host in self._hosts else _FIRST_MS
        self._hosts[host] = (pause, now_ms + pause)

    def note_up(self, host: str) -> None:
        """It answered."""
        self._hosts.pop(host, None)
