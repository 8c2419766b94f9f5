"""Hints within one process.

Notes:
    Listeners are called from the event loop, never from inside ``publish``: so code that publishes
    under a lock behaves here as it does on the real bus.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.changes import Hint

_Listener = TypeVar("_Listener")


class MemoryHints:
    """Implements ``ports.hints.Hints``."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """``loop``: where listeners run; by default the one that the first subscriber runs in."""
        self._loop = loop
        self._listeners: list[Callable[[Hint], None]] = []
        self._directory_listeners: list[Callable[[], None]] = []

    def publish(self, hint: Hint) -> None:
        """Tell every listener, soon."""
        self._soon(self._tell, hint)

    def subscribe(self, listener: Callable[[Hint], None]) -> Callable[[], None]:
        """Hear every hint."""
        self._loop = self._loop or asyncio.get_running_loop()
        self._listeners.append(listener)
        return lambda: _forget(self._listeners, listener)

    def publish_directory(self) -> None:
        """Tell every listener, soon."""
        self._soon(self._tell_directory)

    def subscribe_directory(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Hear of directory changes."""
        self._loop = self._loop or asyncio.get_running_loop()
        self._directory_listeners.append(listener)
        return lambda: _forget(self._directory_listeners, listener)

    def close(self) -> None:
        """Forget all listeners."""
        self._listeners.clear()
        self._directory_listeners.clear()

    def _soon(self, tell: Callable[..., None], *args: Hint) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell, *args)

    def _tell(self, hint: Hint) -> None:
        for listener in tuple(self._listeners):
            listener(hint)

    def _tell_directory(self) -> None:
        for listener in tuple(self._directory_listeners):
            listener()


def _forget(listeners: list[_Listener], listener: _Listener) -> None:
    if listener in listeners:
        listeners.remove(listener)
