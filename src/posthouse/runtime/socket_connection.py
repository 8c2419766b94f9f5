"""The connection of a real socket: the half of a channel that sessions see."""

from __future__ import annotations

import asyncio
from select import EPOLLIN
from typing import TYPE_CHECKING, Any

from posthouse.runtime import steps
from posthouse.runtime.channel import FLUSH_DEADLINE_S, Channel, Phase

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from posthouse.runtime.entrance import Entrance
    from posthouse.runtime.steps import Errand, Suspended

_OPEN, _SHAKING, _CLOSING, _LINGERING, _FAILED, _CLOSED = Phase
_CORK_BYTES = 65_536


class SocketConnection(Channel):
    """Implements ``connection.Connection``; what is documented there is not repeated here."""

    __slots__ = ()

    def open(self, *, implicit_tls: bool) -> None:
        """Begin: with the TLS handshake, or with the session at once."""
        if implicit_tls:
            self._shake_hands()
        else:
            self._begin_session()

    def _begin_session(self) -> None:
        self._session = self._entrance.session_factory()
        self._call(self._session.connected, self)

    def belongs_to(self, entrance: Entrance) -> bool:
        """Whether it came by this listener."""
        return self._entrance is entrance

    # --- what a session may ask and do: see connection.Connection
    @property
    def listener(self) -> str:
        """See the interface."""
        return self._entrance.name

    @property
    def session_id(self) -> str:
        """See the interface."""
        return f"{self._entrance.switchboard.prefix}{self._serial:06x}"

    @property
    def tls_version(self) -> str:
        """See the interface."""
        return (self._tls is not None and self._tls.version()) or ""

    @property
    def tls_cipher(self) -> str:
        """See the interface."""
        cipher = self._tls.cipher() if self._tls is not None else None
        return cipher[0] if cipher else ""

    @property
    def can_start_tls(self) -> bool:
        """See the interface."""
        return not self.is_tls and self._entrance.tls_context is not None

    @property
    def is_congested(self) -> bool:
        """See the interface."""
        return self._congested

    @property
    def is_closing(self) -> bool:
        """See the interface."""
        return self._phase >= _CLOSING

    def write(self, *buffers: bytes | memoryview) -> None:
        """See the interface."""
        if self._phase >= _CLOSING:
            return
        if self._queue is None:
            self._queue = list(buffers)
        else:
            self._queue.extend(buffers)
        if self._congested:
            return
        if self._corked:
            for buffer in buffers:
                self._held_bytes += len(buffer)
            if self._held_bytes < _CORK_BYTES:
                return
        self._flush()

    def start_tls(self) -> None:
        """See the interface."""
        if not self.can_start_tls:
            raise ValueError("TLS is not possible here")
        self._tls_wanted = True
        self._settle()

    def pause_reading(self) -> None:
        """See the interface."""
        self._paused = True

    def resume_reading(self) -> None:
        """See the interface."""
        self._paused = False
        if not self._mask & EPOLLIN and not self._congested:
            self._adjust()

    def set_deadline(self, seconds: float | None) -> None:
        """See the interface."""
        if self._phase == _OPEN:
            board = self._entrance.switchboard
            self.deadline = 0 if seconds is None else board.tick + int(seconds) + 1

    def logged_in(self) -> None:
        """See the interface."""
        if self._phase != _CLOSED:
            self._entrance.budget.logged_in(self._admission)

    def close(self) -> None:
        """See the interface."""
        if self._phase == _OPEN:
            self._phase = _CLOSING
            self.deadline = self._entrance.switchboard.tick + FLUSH_DEADLINE_S
            self._settle()
        elif self._phase == _SHAKING:
            self.abort()

    def abort(self) -> None:
        """See the interface."""
        if self._corked:
            self._fail_soon()
        else:
            self._lose(was_clean=False)

    def drain(self) -> None:
        """The server is stopping."""
        if self._phase == _OPEN:
            self._call(self._session.drain)
        elif self._phase == _SHAKING:
            self.abort()

    def run(self, coroutine: Coroutine[Any, Any, Any], done: steps.Done) -> None:
        """See the interface."""
        if self._phase >= _LINGERING:
            coroutine.close()
            done(None, asyncio.CancelledError())
            return
        suspended = steps.start(coroutine, self, done)
        if suspended is not None:
            if self._tasks is None:
                self._tasks = {}
            self._tasks[suspended] = self._entrance.switchboard.loop.create_task(suspended)

    def run_shielded(self, coroutine: Coroutine[Any, Any, Any], done: steps.Done) -> None:
        """See the interface."""
        steps.run_errand(coroutine, self, done)

    # --- called by steps and the switchboard
    def concluded(
        self,
        suspended: Suspended | Errand,
        value: Any,  # noqa: ANN401  whatever the coroutine returns
        error: BaseException | None,
    ) -> None:
        """A coroutine that had to wait has ended."""
        if self._tasks is not None and isinstance(suspended, steps.Suspended):
            self._tasks.pop(suspended, None)
            if not self._tasks:
                self._tasks = None
        self._call(suspended.done, value, error)
