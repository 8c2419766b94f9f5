"""A connection in memory: what ``runtime.connection.Connection`` is to a session, without a socket.

Notes:
    ``run`` goes by ``runtime.steps`` as the real one does. Input that comes
    while reading is paused is held back, as the kernel would. ``congest`` plays a peer that does
    not read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from posthouse.runtime import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class MemoryConnection:
    """See the module. Everything the session wrote is in ``sent``."""

    def __init__(
        self,
        session: Any,
        *,
        is_tls: bool = False,
        peer_host: str = "192.0.2.1",
        session_id: str = "s1",
        listener: str = "test",
        can_start_tls: bool = True,
    ) -> None:
        self.session = session
        self.peer_host = peer_host
        self.peer_port = 40000
        self.listener = listener
        self.session_id = session_id
        self.is_tls = is_tls
        self.has_certificate = can_start_tls
        self.is_logged_in = False
        self.tls_version = "TLSv1.3" if is_tls else ""
        self.tls_cipher = "TLS_AES_128_GCM_SHA256" if is_tls else ""
        self.is_congested = False
        self.is_closed = False
        self.is_handshaking = False
        self.is_paused = False
        self.was_aborted = False
        self.deadline_s: float | None = None
        self.sent = bytearray()
        self.writes = 0
        self._read = 0
        self._held: list[bytes] = []
        self._tasks: dict[steps.Suspended, asyncio.Task[Any]] = {}
        self._shielded: dict[steps.Suspended, asyncio.Task[Any]] = {}
        self._told_lost = False

    # --- what the session calls

    @property
    def can_start_tls(self) -> bool:
        return self.has_certificate and not self.is_tls

    @property
    def is_closing(self) -> bool:
        return self.is_closed

    def logged_in(self) -> None:
        self.is_logged_in = True

    def write(self, *buffers: bytes | memoryview) -> None:
        if self.is_closed:
            return
        self.writes += 1
        for buffer in buffers:
            self.sent += buffer

    def start_tls(self) -> None:
        self.is_handshaking = True
        self._held.clear()

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
        asyncio.get_running_loop().call_soon(self._release)

    def set_deadline(self, seconds: float | None) -> None:
        self.deadline_s = seconds

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self._tell_lost, True)

    def abort(self) -> None:
        self.was_aborted = True
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self._tell_lost, False)

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        self._run(coroutine, done, self._tasks)

    def run_shielded(
        self,
        coroutine: Coroutine[Any, Any, Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        self._run(coroutine, done, self._shielded)

    def _run(self, coroutine: Any, done: Any, tasks: dict[steps.Suspended, Any]) -> None:
        suspended = steps.start(coroutine, self, done)
        if suspended is not None:
            tasks[suspended] = asyncio.get_running_loop().create_task(suspended)

    def concluded(
        self, suspended: steps.Suspended, value: Any, error: BaseException | None
    ) -> None:
        self._tasks.pop(suspended, None)
        self._shielded.pop(suspended, None)
        suspended.done(value, error)

    # --- what the test calls

    async def feed(self, data: bytes, piece: int = 0) -> None:
        """Data from the peer, whole or in pieces of that many octets."""
        step = piece or max(len(data), 1)
        for start in range(0, len(data), step):
            self._deliver(data[start : start + step])
            if piece:
                await asyncio.sleep(0)

    def _deliver(self, data: bytes) -> None:
        if self.is_handshaking:
            self.abort()  # clear text where a handshake was awaited
        elif self.is_paused or self._held:
            self._held.append(data)
        elif not self.is_closed:
            self.session.data_received(data)

    def _release(self) -> None:
        while self._held and not self.is_paused and not self.is_closed:
            self.session.data_received(self._held.pop(0))

    def finish_handshake(self) -> None:
        assert self.is_handshaking, "the server did not begin a handshake"
        self.is_handshaking = False
        self.is_tls = True
        self.tls_version, self.tls_cipher = "TLSv1.3", "TLS_AES_128_GCM_SHA256"
        self.session.tls_started()

    def time_passed(self, seconds: float) -> None:
        if self.deadline_s is not None and not self.is_closed:
            self.deadline_s -= seconds
            if self.deadline_s <= 0:
                self.deadline_s = None
                self.session.timed_out()

    def decongest(self) -> None:
        self.is_congested = False
        self.session.writable()

    def lose(self, *, was_clean: bool) -> None:
        """The peer is gone."""
        self.is_closed = True
        self._tell_lost(was_clean)

    def _tell_lost(self, was_clean: bool) -> None:
        if not self._told_lost:
            self._told_lost = True
            self.session.connection_lost(was_clean=was_clean)
            for task in tuple(self._tasks.values()):
                task.cancel()

    def unread(self) -> bytes:
        return bytes(self.sent[self._read :])

    async def line(self, patience_s: float) -> bytes | None:
        """The next line without its CRLF; None when nothing more is coming."""
        until = asyncio.get_running_loop().time() + patience_s
        while True:
            end = self.sent.find(b"\r\n", self._read)
            if end >= 0:
                line = bytes(self.sent[self._read : end])
                self._read = end + 2
                return line
            if self.is_idle and (self.is_closed or not self._held):
                await asyncio.sleep(0)
                if self.is_idle and self.sent.find(b"\r\n", self._read) < 0 and not self._pending():
                    return None
            if asyncio.get_running_loop().time() > until:
                return None
            await self._breathe()

    def _pending(self) -> bool:
        return bool(self._held) and not self.is_paused and not self.is_closed

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way that could still make the session speak."""
        return not self._tasks and not self._shielded

    async def _breathe(self) -> None:
        waiting = {*self._tasks.values(), *self._shielded.values()}
        if waiting:
            await asyncio.wait(waiting, timeout=0.05)
        else:
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        for _ in range(1000):
            await asyncio.sleep(0)
            if self.is_idle and not self._pending():
                return
            await self._breathe()

    async def closes(self, patience_s: float) -> bool:
        until = asyncio.get_running_loop().time() + patience_s
        while not self.is_closed and asyncio.get_running_loop().time() < until:
            if self.is_idle and not self._pending():
                await asyncio.sleep(0)
                return self.is_closed
            await self._breathe()
        return self.is_closed
