"""A listener: takes connections from one socket and starts their sessions."""

from __future__ import annotations

import asyncio
import errno
import os
import socket as sockets
from contextlib import suppress
from dataclasses import dataclass, field
from select import EPOLLIN
from typing import TYPE_CHECKING

from posthouse.runtime import metrics_table
from posthouse.runtime.entrance import Entrance
from posthouse.runtime.socket_connection import SocketConnection
from posthouse.runtime.switchboard import Switchboard, switchboard_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from posthouse.runtime.budget import Budget
    from posthouse.runtime.connection import Session
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics

_BURST_MAX = 64
_PAUSE_TICKS = 1
_TABLE_FULL = frozenset({errno.EMFILE, errno.ENFILE})
_NO_MEMORY = frozenset({errno.ENOBUFS, errno.ENOMEM})


@dataclass(slots=True)
class Listener:
    """One listening socket of one process.

    Attributes:
        loop: the event loop of this process.
        socket: listening; the listener closes it.
        name: "pop3", "smtp" and so on, for logs, metrics and sessions.
        session_factory: makes the session of a new connection.
        tls_context: for STARTTLS, STLS or implicit TLS; None without.
        implicit_tls: the handshake comes before the first word.
        budget: who may come in; shared by all listeners of the process.
        log: where failures are told.
        metrics: where events are counted.
        refusal: the line for those who may not come in (never sent where TLS is implicit).
        deadline: for the switchboard: when accepting is tried again.
    """

    loop: asyncio.AbstractEventLoop
    socket: sockets.socket
    name: str
    session_factory: Callable[[], Session]
    tls_context: ssl.SSLContext | None
    implicit_tls: bool
    budget: Budget
    log: Log
    metrics: Metrics
    refusal: bytes = b""
    deadline: int = field(default=0, init=False)
    _switchboard: Switchboard = field(init=False)
    _entrance: Entrance = field(init=False)
    _spare_fd: int = field(default=-1, init=False)
    _is_open: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.implicit_tls and self.tls_context is None:
            raise ValueError(f"listener {self.name}: implicit TLS without a context")
        self._switchboard = switchboard_of(self.loop)
        self._entrance = Entrance(
            self.name,
            self._switchboard,
            self.session_factory,
            self.tls_context,
            self.budget,
            (self.log, self.metrics),
        )

    @property
    def open_count(self) -> int:
        """Connections that came by here and are open."""
        return self._entrance.open_count

    def open(self) -> None:
        """Begin to accept."""
        self.socket.settimeout(0)
        # Accepted sockets inherit these: two system calls saved for each of them.
        self.socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1)
        self._spare_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._switchboard.add(self.socket.fileno(), self, EPOLLIN)
        self._is_open = True

    def ready(self, events: int) -> None:  # noqa: ARG002  accepting tells what is true
        """Take what waits, at most a burst: the others have their turn in between."""
        for _ in range(_BURST_MAX):
            try:
                sock, address = self.socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it went away while it waited
            except OSError as error:
                self._on_failure(error)
                return
            self._take(sock, address[:2])

    def _take(self, sock: sockets.socket, peer: tuple[str, int]) -> None:
        admission = self.budget.admit(peer[0])
        sock.settimeout(0)
        if admission is None:
            self.metrics.inc(metrics_table.CONNECTIONS_REFUSED.slot(self.name))
            if self.refusal and not self.implicit_tls:
                with suppress(OSError):
                    sock.send(self.refusal)
            sock.close()
            return
        try:
            connection = SocketConnection(sock, peer, self._entrance, admission)
        except OSError as error:  # epoll's own limits
            self.budget.released(admission)
            self._entrance.open_count -= 1
            sock.close()
            self._on_failure(error)
            return
        connection.open(implicit_tls=self.implicit_tls)

    def _on_failure(self, error: OSError) -> None:
        self.metrics.inc(metrics_table.ACCEPT_FAILURES)
        self.log.warning("accept_failed", listener=self.name, text=str(error))
        if error.errno in _TABLE_FULL and self._spare_fd >= 0:
            # Give up the spare descriptor for a moment, to answer those who wait with a close
            # instead of silence.
            os.close(self._spare_fd)
            self._spare_fd = -1
            with suppress(OSError):
                sock, _ = self.socket.accept()
                sock.close()
            with suppress(OSError):
                self._spare_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        if error.errno in _TABLE_FULL | _NO_MEMORY:
            self._switchboard.change(self.socket.fileno(), 0)
            self.deadline = self._switchboard.tick + _PAUSE_TICKS

    def expired(self) -> None:
        """The pause after a failure is over."""
        if self._spare_fd < 0:
            with suppress(OSError):
                self._spare_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._switchboard.change(self.socket.fileno(), EPOLLIN)

    def stop_accepting(self) -> None:
        """Close the listening socket; the connections go on."""
        if not self._is_open:
            return
        self._is_open = False
        self.deadline = 0
        self._switchboard.unwatch(self.socket.fileno())
        self.socket.close()
        if self._spare_fd >= 0:
            os.close(self._spare_fd)
            self._spare_fd = -1

    async def drain(self, timeout_s: float) -> bool:
        """Accept no more, let every session say goodbye, abort what is left after ``timeout_s``.

        Returns:
            Whether all of them left by themselves.
        """
        self.stop_accepting()
        empty = asyncio.Event()
        self._entrance.on_empty = empty.set
        for connection in self._connections():
            connection.drain()
        if not self._entrance.open_count:
            return True
        try:
            await asyncio.wait_for(empty.wait(), timeout_s)
        except TimeoutError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Accept no more and abort all connections."""
        self.stop_accepting()
        for connection in self._connections():
            connection.abort()

    def _connections(self) -> list[SocketConnection]:
        return [
            handler
            for handler in self._switchboard.handlers()
            if isinstance(handler, SocketConnection) and handler.belongs_to(self._entrance)
        ]
