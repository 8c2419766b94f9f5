"""An HTTP connection: requests are answered one after the other, in order.

Spec: RFC 9112 §9 (connections), §9.3.2 (pipelining), §9.6 (tear-down); RFC 9110 §10.1.1 (Expect).

Notes:
    Not an ASGI server: on our own connections a request that waits for an hour costs a task and a
    few hundred bytes, and the limits, deadlines and TLS of all doors are the same (ADR 6).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from posthouse.model.errors import PosthouseError
from posthouse.runtime import http
from posthouse.runtime.http import Admission, Answer, Head
from posthouse.runtime.http_answer import CONTINUE, octets
from posthouse.runtime.http_reading import Incoming, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.ports.clock import Clock
    from posthouse.runtime.connection import Connection, Session
    from posthouse.runtime.http import HttpDoor, HttpLimits
    from posthouse.runtime.logs import Log

_UNADMITTED_BYTES = 64 << 10
"""Of a body, before its door has admitted it; then reading pauses."""
_GONE_S = 60.0
_LINGER_S = 2.0
"""Time for a peer to see our answer while it is still sending (RFC 9112 §9.6)."""
_WAITING_MAX = 8
"""Requests sent ahead, before reading pauses."""


class HttpServices:
    """What the sessions of a listener share.

    Attributes:
        held_bytes: what all of them hold of bodies.
    """

    __slots__ = ("clock", "door", "held_bytes", "limits", "log")

    def __init__(self, door: HttpDoor, limits: HttpLimits, clock: Clock, log: Log) -> None:
        self.door = door
        self.limits = limits
        self.clock = clock
        self.log = log
        self.held_bytes = 0


def http_session_factory(services: HttpServices) -> Callable[[], Session]:
    """What a listener calls for each connection."""
    return lambda: HttpSession(services)


class HttpSession:
    """One connection. Implements ``connection.Session``."""

    __slots__ = (
        "_admission",
        "_at_eof",
        "_connection",
        "_counted",
        "_head",
        "_is_busy",
        "_is_draining",
        "_is_leaving",
        "_is_lost",
        "_is_paused",
        "_progress",
        "_reader",
        "_services",
    )

    _connection: Connection

    def __init__(self, services: HttpServices) -> None:
        self._services = services
        self._reader = Reader(services.limits)
        self._head: Head | None = None
        self._admission: Admission | None = None
        self._counted = 0
        self._progress = 0
        self._is_busy = self._is_paused = self._is_lost = False
        self._at_eof = self._is_draining = self._is_leaving = False

    # --- called by the runtime

    def connected(self, connection: Connection) -> None:
        """Wait for a request."""
        self._connection = connection
        connection.set_deadline(self._services.limits.head_s)

    def data_received(self, data: bytes) -> None:
        """Read it, and answer what can be answered now."""
        if self._is_leaving:
            return
        reader = self._reader
        was_in_head = reader.in_head
        reader.feed(data)
        if reader.in_head and not was_in_head and not self._is_busy:
            self._connection.set_deadline(self._services.limits.head_s)
        self._proceed()

    def writable(self) -> None:
        """The peer reads again."""
        self._proceed()

    def tls_started(self) -> None:
        """Never: TLS is there from the start or not at all."""

    def timed_out(self) -> None:
        """Nothing came: say so if a request had begun."""
        if self._is_busy:
            if self._at_eof:
                self._connection.abort()
        elif not self._is_leaving and (self._reader.in_head or self._reader.arrived):
            self._say_last(http.TIMED_OUT)
        else:
            self._connection.close()

    def eof_received(self) -> None:
        """The peer has sent all, or has gone: what is under way has a minute to be answered."""
        self._at_eof = True
        if self._is_busy:
            self._connection.set_deadline(_GONE_S)
        else:
            self._connection.close()

    def connection_lost(self, *, was_clean: bool) -> None:  # noqa: ARG002  HTTP has no goodbye
        """Let go of what was received."""
        self._is_lost = True
        self._count(0)
        self._reader.arrived.clear()

    def drain(self) -> None:
        """Leave after the answer under way."""
        self._is_draining = True
        if self._is_leaving or (
            not self._is_busy and not self._reader.arrived and not self._reader.in_head
        ):
            self._connection.close()

    # --- requests, one after the other

    def _proceed(self) -> None:
        reader = self._reader
        while not (self._is_busy or self._is_lost or self._is_leaving):
            if self._connection.is_closing:
                break
            if self._connection.is_congested:
                return
            if not reader.arrived:
                if reader.failure is not None:
                    self._say_last(reader.failure)
                break
            if not self._step(reader.arrived[0]):
                break
        self._regulate()

    def _step(self, request: Incoming) -> bool:
        """Do what is next for the oldest request; False: more has to come first."""
        admission = self._admission
        if admission is None:
            self._head = self._head_of(request)
            self._run(self._services.door.admit(self._head), self._admitted)
            return True
        if request.body_bytes > admission.body_bytes_max:
            self._say_last(http.TOO_LARGE, is_peer_sending=True)
            return False
        if not self._count(request.body_bytes):
            self._say_last(http.BUSY, is_peer_sending=True)
            return False
        if not request.is_whole:
            if self._reader.failure is not None:
                self._say_last(self._reader.failure)
                return False
            if request.expects and not request.body_bytes:
                request.expects = False
                self._connection.write(CONTINUE)
            self._note_progress(request.body_bytes)
            return False
        head = self._head
        if head is None:
            return False
        body = request.body[0] if len(request.body) == 1 else b"".join(request.body)
        request.body.clear()
        self._connection.set_deadline(None)
        self._run(self._services.door.answer(head, admission, body), self._answered)
        return True

    def _run(self, coroutine: object, done: Callable[[object, BaseException | None], None]) -> None:
        self._is_busy = True
        self._connection.run(coroutine, done)  # type: ignore[arg-type] # both are coroutines

    def _admitted(self, outcome: object, error: BaseException | None) -> None:
        self._is_busy = False
        if self._is_over(error):
            return
        if isinstance(outcome, Admission):
            self._admission = outcome
            if outcome.is_known:
                self._connection.logged_in()
            announced = self._reader.arrived[0].headers.get("content-length", "0")
            if len(announced) > 15 or int(announced) > outcome.body_bytes_max:
                self._say_last(http.TOO_LARGE, is_peer_sending=True)
        else:
            self._say(outcome if isinstance(outcome, Answer) else self._failed(error))
        self._proceed()

    def _answered(self, outcome: object, error: BaseException | None) -> None:
        self._is_busy = False
        if self._is_over(error):
            return
        self._say(outcome if isinstance(outcome, Answer) else self._failed(error))
        self._proceed()

    def _is_over(self, error: BaseException | None) -> bool:
        return self._is_lost or isinstance(error, asyncio.CancelledError)

    def _failed(self, error: BaseException | None) -> Answer:
        if error is not None:
            kind = "http.failed" if isinstance(error, PosthouseError) else "http.bug"
            session = self._connection.session_id
            path = self._head.path if self._head else ""
            self._services.log.failure(kind, error, session=session, path=path)
        return http.INTERNAL_ERROR

    # --- answers

    def _say(self, answer: Answer) -> None:
        """The oldest request is answered. A body that is still to come cannot be stepped over."""
        request = self._reader.arrived.pop(0)
        is_last = (
            not (request.keeps_alive and request.is_whole)
            or self._is_draining
            or (self._at_eof and not self._reader.arrived)
        )
        self._admission = self._head = None
        self._progress = 0
        self._count(0)
        self._write(answer, is_head=request.method == "HEAD", is_last=is_last)
        self._connection.set_deadline(self._services.limits.idle_s)
        if is_last:
            self._leave(is_peer_sending=not request.is_whole)

    def _say_last(self, answer: Answer, *, is_peer_sending: bool = False) -> None:
        """The request cannot be read on: answer it and close."""
        self._write(answer, is_head=False, is_last=True)
        self._reader.arrived.clear()
        self._count(0)
        self._leave(is_peer_sending=is_peer_sending)

    def _leave(self, *, is_peer_sending: bool) -> None:
        """Close; at once that would reset a peer that has not read our answer yet."""
        if is_peer_sending and not self._at_eof:
            self._is_leaving = True
            self._connection.set_deadline(_LINGER_S)
        else:
            self._connection.close()

    def _write(self, answer: Answer, *, is_head: bool, is_last: bool) -> None:
        now_ms = self._services.clock.now_ms()
        self._connection.write(*octets(answer, now_ms, is_head=is_head, is_last=is_last))

    # --- limits

    def _head_of(self, request: Incoming) -> Head:
        connection = self._connection
        path, _, query = request.target.decode("latin-1").partition("?")
        return Head(
            request.method,
            path,
            query,
            request.headers,
            connection.peer_host,
            connection.is_tls,
            connection.listener,
            connection.session_id,
        )

    def _note_progress(self, body_bytes: int) -> None:
        limits = self._services.limits
        if not self._progress or body_bytes - self._progress >= limits.body_progress_bytes:
            self._progress = max(body_bytes, 1)
            self._connection.set_deadline(limits.body_idle_s)

    def _count(self, held_bytes: int) -> bool:
        """Book what this connection holds; False when all of them hold too much."""
        services = self._services
        services.held_bytes += held_bytes - self._counted
        self._counted = held_bytes
        return services.held_bytes <= services.limits.bodies_bytes

    def _regulate(self) -> None:
        """Read no faster than requests are answered."""
        arrived = self._reader.arrived
        is_ahead = len(arrived) > _WAITING_MAX or (
            self._is_busy and sum(one.body_bytes for one in arrived) > _UNADMITTED_BYTES
        )
        if is_ahead and not self._is_paused:
            self._is_paused = True
            self._connection.pause_reading()
        elif self._is_paused and not is_ahead:
            self._is_paused = False
            self._connection.resume_reading()
