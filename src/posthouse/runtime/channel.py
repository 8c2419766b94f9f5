"""A channel: a non-blocking socket, plain or TLS, driven by the switchboard.

Notes:
    Not asyncio's transports: an idle TLS connection there costs 45 to 257 kB, here 15 kB (14 of
    them OpenSSL's own), and half the CPU.
    Everything a session writes while one of its methods runs leaves in one go when the method
    returns (or at 64 KiB): pipelined commands share a system call and a TLS record.
    Large buffers are never copied; the queue keeps views of them until the kernel has taken them,
    and nothing is read from the peer meanwhile. So a slow reader of a large message holds a mapped
    file, not memory.
    The mask of awaited events is corrected lazily: pausing costs nothing unless the peer does send
    something.
"""

from __future__ import annotations

import os
import socket
import ssl
import termios
from contextlib import suppress
from enum import IntEnum
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Any

from posthouse.runtime import metrics_table, sending
from posthouse.runtime.connection import NO_SESSION, Session
from posthouse.runtime.tls_engine import engine_on

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable

    from posthouse.runtime.budget import Admission
    from posthouse.runtime.entrance import Entrance
    from posthouse.runtime.steps import Suspended
    from posthouse.runtime.tls_engine import TlsEngine


class Phase(IntEnum):
    """Where a connection stands, in this order."""

    OPEN = 0
    SHAKING = 1
    CLOSING = 2
    LINGERING = 3
    FAILED = 4
    CLOSED = 5


# IntEnum members cost an attribute look-up each; these run for every event.
_OPEN, _SHAKING, _CLOSING, _LINGERING, _FAILED, _CLOSED = Phase
_BROKEN = EPOLLERR | EPOLLHUP
_RECORD_BYTES = 16_384
_FIRST_DEADLINE_S = 30
_HANDSHAKE_DEADLINE_S = 15
FLUSH_DEADLINE_S = 30
_LINGER_DEADLINE_S = 2


class Channel:
    """The lower half of a connection; ``SocketConnection`` is the half that sessions see.

    Attributes:
        peer_host: the peer's IP address.
        peer_port: the peer's port.
        is_tls: what is said now is encrypted.
        deadline: the tick at which the deadline passes; 0 none.
    """

    __slots__ = (
        "_admission",
        "_at_eof",
        "_congested",
        "_corked",
        "_entrance",
        "_eof_clean",
        "_fd",
        "_held_bytes",
        "_mask",
        "_paused",
        "_phase",
        "_queue",
        "_serial",
        "_session",
        "_sock",
        "_tasks",
        "_tls",
        "_tls_wanted",
        "deadline",
        "is_tls",
        "peer_host",
        "peer_port",
    )

    def __init__(
        self, sock: socket.socket, peer: tuple[str, int], entrance: Entrance, admission: Admission
    ) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self.peer_host, self.peer_port = peer
        self._entrance = entrance
        self._admission = admission
        self._session: Session = NO_SESSION
        self._serial = entrance.switchboard.next_serial()
        self._queue: list[bytes | memoryview] | None = None
        self._tasks: dict[Suspended, Task[None]] | None = None
        self._tls: TlsEngine | None = None
        self._held_bytes = 0
        self._mask = EPOLLIN
        self._phase = _OPEN
        self._at_eof = self._eof_clean = self._paused = False
        self._corked = self._congested = self._tls_wanted = self.is_tls = False
        self.deadline = entrance.switchboard.tick + _FIRST_DEADLINE_S
        entrance.opened()
        entrance.switchboard.add(self._fd, self, EPOLLIN)

    def ready(self, events: int) -> None:
        """Something happened at the socket."""
        phase = self._phase
        if self._congested:
            if events & _BROKEN:
                self._lose(was_clean=False)
            else:
                self._flush()
        elif phase == _OPEN:
            if self._paused or self._at_eof:
                if events & _BROKEN:
                    self._lose(was_clean=False)
                else:
                    self._adjust()
            elif self.is_tls:
                if events & EPOLLOUT:
                    self._adjust()
                self._read_tls()
            else:
                self._read_plain()
        elif phase == _SHAKING:
            self._handshake()
        elif phase == _LINGERING:
            self._linger()

    def expired(self) -> None:
        """The deadline has passed."""
        if self._phase == _OPEN:
            # Whoever does not even take our goodbye is cut off.
            self.deadline = self._entrance.switchboard.tick + FLUSH_DEADLINE_S
            self._call(self._session.timed_out)
        else:
            self._lose(was_clean=False)

    def name_in_logs(self) -> str:
        """Short, and unique on this machine."""
        return f"{self._entrance.switchboard.prefix}{self._serial:06x}"

    def _begin_session(self) -> None:
        """Make the session and tell it who it talks to."""
        raise NotImplementedError

    def _call(self, method: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        """Let the session act; what it writes meanwhile leaves together."""
        if self._corked:
            method(*arguments)
            return
        self._corked = True
        try:
            method(*arguments)
        except Exception as error:  # noqa: BLE001  the top of every session: its bugs end it, not the process
            self._corked = False
            self._entrance.session_failed(error, self.name_in_logs())
            self._lose(was_clean=False)
            return
        self._corked = False
        if self._queue is not None or self._phase == _CLOSING or self._tls_wanted:
            self._settle()

    def _settle(self) -> None:
        """Outside of the session's methods: send what waits, then do what was asked for next."""
        if self._corked or self._congested or self._phase > _CLOSING:
            return
        if self._queue is not None:
            self._flush()
        elif self._phase == _CLOSING:
            self._say_goodbye()
        elif self._tls_wanted:
            self._shake_hands()

    # --- reading
    def _read_plain(self) -> None:
        view = self._entrance.switchboard.view
        try:
            count = self._sock.recv_into(view)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose(was_clean=False)
            return
        if count:
            self._call(self._session.data_received, bytes(view[:count]))
        else:
            self._end_of_input()

    def _read_tls(self) -> None:
        tls = self._tls
        if tls is None:
            return
        view = self._entrance.switchboard.view
        total = 0
        is_over = False
        try:
            while True:
                # Always room for a whole record: OpenSSL keeps nothing that epoll does not know of.
                count = tls.read(len(view) - total, view[total:] if total else view)
                total += count
                is_over = not count
                # A record that is not full is the last for now, or epoll will tell.
                if count < _RECORD_BYTES or total + _RECORD_BYTES > len(view):
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            self._adjust(EPOLLOUT)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            # Many clients close without close_notify: no less an end.
            is_over = True
        except OSError:
            self._lose(was_clean=False)
            return
        if total:
            self._call(self._session.data_received, bytes(view[:total]))
        if is_over and self._phase == _OPEN:
            self._end_of_input()

    def _end_of_input(self) -> None:
        self._at_eof = True
        self._eof_clean = not self._queue and not sending.bytes_in(self._fd, termios.TIOCOUTQ)
        self._call(self._session.eof_received)

    # --- writing
    def _flush(self) -> None:
        queue = self._queue or []
        self._held_bytes = 0
        try:
            if self._tls is not None:
                wants = sending.send_tls(self._sock, self._tls, queue)
            else:
                wants = sending.send_plain(self._sock, queue)
        except OSError:
            self._fail_soon()
            return
        if wants:
            if self._phase == _CLOSING:
                self.deadline = self._entrance.switchboard.tick + FLUSH_DEADLINE_S
            self._congested = True
            if self._mask != wants:
                self._adjust(wants)
            return
        self._queue = None
        if self._congested:
            self._congested = False
            if self._phase == _OPEN:
                self._call(self._session.writable)
                if not self._congested:
                    self._adjust()
        self._settle()

    def _fail_soon(self) -> None:
        """Broken, or aborted by the session: it must not hear of it within its own methods."""
        if self._phase < _FAILED:
            self._phase = _FAILED
            self._queue = None
            self._congested = False
            self._entrance.switchboard.loop.call_soon(self._lose_broken)

    def _lose_broken(self) -> None:
        self._lose(was_clean=False)

    def _adjust(self, wants: int = 0) -> None:
        """Await what makes sense now, and ``wants``."""
        if self._phase >= _FAILED:
            return
        mask = wants
        if not (self._paused or self._congested or self._at_eof) or self._phase in (
            _SHAKING,
            _LINGERING,
        ):
            mask |= EPOLLIN
        if mask != self._mask:
            self._mask = mask
            self._entrance.switchboard.change(self._fd, mask)

    # --- TLS
    def _shake_hands(self) -> None:
        context = self._entrance.tls_context
        if context is None:
            raise ValueError("no TLS context")
        self._tls_wanted = False
        self._phase = _SHAKING
        self.deadline = self._entrance.switchboard.tick + _HANDSHAKE_DEADLINE_S
        try:
            self._sock, self._tls = engine_on(self._sock, context)
        except (OSError, ValueError):
            self._fail_soon()
            return
        self._adjust()

    def _handshake(self) -> None:
        tls = self._tls
        if tls is None:
            return
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._adjust()
            return
        except ssl.SSLWantWriteError:
            self._adjust(EPOLLOUT)
            return
        except (OSError, ValueError):
            self._entrance.count(metrics_table.TLS_FAILURES)
            self._lose(was_clean=False)
            return
        self._entrance.count(metrics_table.TLS_HANDSHAKES)
        if tls.session_reused:
            self._entrance.count(metrics_table.TLS_RESUMPTIONS)
        self._phase = _OPEN
        self.is_tls = True
        self.deadline = self._entrance.switchboard.tick + _FIRST_DEADLINE_S
        self._adjust()
        if self._session is NO_SESSION:
            self._begin_session()
        else:
            self._call(self._session.tls_started)

    # --- the end
    def _say_goodbye(self) -> None:
        was_clean = self._eof_clean if self._at_eof else True
        if self._tls is not None:
            # Sends close_notify; that the peer's has not come yet is no reason to wait.
            with suppress(OSError, ValueError):
                self._tls.shutdown()
            self._tls = None
        if self._at_eof or not sending.bytes_in(self._fd, termios.FIONREAD):
            self._lose(was_clean=was_clean)
            return
        # Closing on unread input would reset the connection and could destroy our last words on
        # their way.
        self._phase = _LINGERING
        self.deadline = self._entrance.switchboard.tick + _LINGER_DEADLINE_S
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._adjust()
        self._part(was_clean=was_clean)

    def _linger(self) -> None:
        try:
            if os.readv(self._fd, [self._entrance.switchboard.view]):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._lose(was_clean=False)

    def _lose(self, *, was_clean: bool) -> None:
        if self._phase == _CLOSED:
            return
        self._phase = _CLOSED
        self.deadline = 0
        self._queue = None
        self._congested = False
        self._tls = None
        self._entrance.switchboard.remove(self._fd)
        with suppress(OSError):
            self._sock.close()
        self._entrance.closed(self._admission)
        self._part(was_clean=was_clean)

    def _part(self, *, was_clean: bool) -> None:
        """Tell the session that it is over; let go of it and of its tasks."""
        session, self._session = self._session, NO_SESSION
        if session is not NO_SESSION:
            if not was_clean:
                self._entrance.count(metrics_table.CONNECTIONS_RESET)
            try:
                session.connection_lost(was_clean=was_clean)
            except Exception as error:  # noqa: BLE001  as in _call
                self._entrance.session_failed(error, self.name_in_logs())
        for task in tuple(self._tasks.values()) if self._tasks else ():
            task.cancel()
