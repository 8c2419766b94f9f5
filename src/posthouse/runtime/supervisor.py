"""The supervisor: binds, forks, watches, restarts, stops. It reads no mail and parses no input.

Notes:
    Single-threaded and without an event loop, so that forking is safe at any time. Whatever is
    expensive to load or must be the same in all workers (code, TLS context, shared memory) is made
    before ``run``; open databases and threads are not. The parent keeps all listening sockets:
    while a worker is restarted its connections wait in the kernel's queue.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.runtime import binding, metrics_table, notify
from posthouse.runtime.children import ChildContext, Pulses, fork_child
from posthouse.runtime.memory import be_thrifty
from posthouse.runtime.privileges import drop_root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.ports.clock import Clock
    from posthouse.runtime.binding import ListenerSpec
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics

_TURN_MS = 500
_START_ALLOWANCE_S = 90.0
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 30.0
_HEALTHY_AFTER_S = 60.0
_FAILED = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What the supervisor is to run.

    Attributes:
        listeners: where to listen.
        workers: how many workers; each has a socket of every listener.
        worker_main: runs in each worker; see ``children.run_child``.
        jobs_main: runs in the jobs process; None: there is none.
        user: who to become after binding, when started as root; "" nobody else.
        drain_s: how long the children may take to stop.
        hang_s: a child whose loop has not turned for so long is killed and restarted.
    """

    listeners: tuple[ListenerSpec, ...]
    workers: int
    worker_main: Callable[[ChildContext], None]
    jobs_main: Callable[[ChildContext], None] | None = None
    user: str = ""
    drain_s: float = 20.0
    hang_s: float = 30.0

    @property
    def process_count(self) -> int:
        """Children in all; the metrics need one stripe more, for the supervisor itself."""
        return self.workers + (self.jobs_main is not None)


@dataclass(slots=True)
class _Place:
    """The place of one child, filled again whenever it dies."""

    context: ChildContext
    main: Callable[[ChildContext], None]
    pid: int = 0
    ready_fd: int = -1
    started_at_s: float = 0.0
    start_at_s: float = 0.0
    failures: int = 0
    is_ready: bool = False


@dataclass(slots=True)
class Supervisor:
    """Runs a plan until SIGTERM or SIGINT.

    Attributes:
        plan: what to run.
        log: unbuffered (no loop attached).
        metrics: made before, with ``plan.process_count + 1`` stripes.
        clock: for back-off and pulses.
        on_ready: called once when all children serve, with name, host and port of each listener.
    """

    plan: Plan
    log: Log
    metrics: Metrics
    clock: Clock
    on_ready: Callable[[Sequence[tuple[str, str, int]]], None]
    _places: list[_Place] = field(default_factory=list)
    _rows: list[list[tuple[ListenerSpec, socket.socket]]] = field(default_factory=list)
    _pulses: Pulses = field(init=False)
    _wake: tuple[socket.socket, socket.socket] = field(init=False)
    _is_serving: bool = False
    _stop_by_s: float = 0.0
    _exit_code: int = 0
    _watchdog_at_s: float = 0.0

    def run(self) -> int:
        """Serve; answers the exit code.

        Raises:
            ConfigurationError: an address cannot be bound, or the user does not exist. Nothing was
                started.
        """
        plan = self.plan
        self._rows = binding.bind_all(plan.listeners, plan.workers)
        try:
            drop_root(plan.user)
            self.metrics.bind(plan.process_count)
            self._pulses = Pulses(plan.process_count, self.clock)
            self._places = [
                _Place(ChildContext("worker", index, row, self._pulses), plan.worker_main)
                for index, row in enumerate(self._rows)
            ]
            if plan.jobs_main is not None:
                jobs = ChildContext("jobs", plan.workers, [], self._pulses)
                self._places.append(_Place(jobs, plan.jobs_main))
            self._wake = socket.socketpair()
            return self._run()
        finally:
            binding.close_all(self._rows)

    def _run(self) -> int:
        old = self._take_signals()
        try:
            be_thrifty()
            gc.collect()
            gc.freeze()
            while not self._is_over():
                self._turn()
            return self._exit_code
        finally:
            for place in self._places:
                if place.pid:
                    with suppress(ProcessLookupError):
                        os.kill(place.pid, signal.SIGKILL)
                    os.waitpid(place.pid, 0)
            signal.set_wakeup_fd(-1)
            for number, handler in old.items():
                signal.signal(number, handler)
            for sock in self._wake:
                sock.close()

    def _take_signals(self) -> dict[int, signal.Handlers]:
        for sock in self._wake:
            sock.settimeout(0)
        signal.set_wakeup_fd(self._wake[1].fileno(), warn_on_full_buffer=False)
        old = {}
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            # The handler does nothing: the wake-up descriptor carries the number into the loop
            # below.
            old[int(number)] = signal.signal(number, lambda _number, _frame: None)
        return old  # type: ignore[return-value]  # only ever given back to signal.signal

    def _turn(self) -> None:
        """Wait for something to happen, at most half a second, and see to everything."""
        now = self.clock.monotonic_s()
        for place in self._places:
            if not place.pid and not self._stop_by_s and place.start_at_s <= now:
                self._start(place)
        poll = select.poll()
        poll.register(self._wake[0], select.POLLIN)
        by_fd = {place.ready_fd: place for place in self._places if place.ready_fd >= 0}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(_TURN_MS):
            if fd in by_fd:
                self._hear_ready(by_fd[fd])
        with suppress(BlockingIOError):
            for number in self._wake[0].recv(4096):
                self._on_signal(number)
        self._reap()
        self._check()

    def _start(self, place: _Place) -> None:
        foreign = [sock.fileno() for sock in self._wake]
        foreign += [other.ready_fd for other in self._places if other.ready_fd >= 0]
        for row in self._rows:
            if row is not place.context.sockets:
                foreign += [sock.fileno() for _, sock in row]
        place.is_ready = False
        place.started_at_s = self.clock.monotonic_s()
        self._pulses.beat(place.context.index, _START_ALLOWANCE_S)
        place.pid, place.ready_fd = fork_child(place.context, place.main, foreign, self.log)
        self.metrics.inc(metrics_table.WORKER_STARTS)

    def _hear_ready(self, place: _Place) -> None:
        place.is_ready = bool(os.read(place.ready_fd, 1))
        os.close(place.ready_fd)
        place.ready_fd = -1
        if self._is_serving or self._stop_by_s or not all(one.is_ready for one in self._places):
            return
        self._is_serving = True
        self.on_ready(
            [(spec.name, spec.host, sock.getsockname()[1]) for spec, sock in self._rows[0]]
        )
        notify.notify(notify.READY, f"MAINPID={os.getpid()}")

    def _on_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            if self._stop_by_s:
                self._stop_by_s = self.clock.monotonic_s()
            else:
                self._stop(0)
        elif number == signal.SIGHUP:
            self.log.info("reload")
            self._tell(signal.SIGHUP)

    def _stop(self, exit_code: int) -> None:
        self.log.info("stopping", exit_code=exit_code)
        notify.notify(notify.STOPPING)
        self._exit_code = exit_code
        # A little more than the children take for themselves: they abort what is left.
        self._stop_by_s = self.clock.monotonic_s() + self.plan.drain_s + 2.0
        # Our copies go first: as long as one is open the kernel takes connections that nobody will
        # serve.
        binding.close_all(self._rows)
        self._tell(signal.SIGTERM)

    def _tell(self, number: signal.Signals) -> None:
        for place in self._places:
            if place.pid:
                with suppress(ProcessLookupError):
                    os.kill(place.pid, number)

    def _reap(self) -> None:
        for place in self._places:
            if place.pid:
                pid, status = os.waitpid(place.pid, os.WNOHANG)
                if pid:
                    self._on_death(place, os.waitstatus_to_exitcode(status))

    def _on_death(self, place: _Place, code: int) -> None:
        context, pid, place.pid = place.context, place.pid, 0
        if place.ready_fd >= 0:
            os.close(place.ready_fd)
            place.ready_fd = -1
        if self._stop_by_s:
            return
        now = self.clock.monotonic_s()
        self.metrics.inc(metrics_table.WORKER_DEATHS)
        if not self._is_serving:
            self.log.error("child_did_not_start", role=context.role, index=context.index, code=code)
            self._stop(_FAILED)
            return
        if now - place.started_at_s > _HEALTHY_AFTER_S:
            place.failures = 0
        delay = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2**place.failures)
        place.failures = min(place.failures + 1, 16)
        place.start_at_s = now + delay
        self.log.error(
            "child_died",
            role=context.role,
            index=context.index,
            child=pid,
            code=code,
            restart_in_s=delay,
        )

    def _check(self) -> None:
        now = self.clock.monotonic_s()
        is_well = True
        for place in self._places:
            if not place.pid:
                continue
            is_hung = self._pulses.silence_s(place.context.index) > self.plan.hang_s
            if is_hung and not self._stop_by_s:
                is_well = False
                self.log.error("child_hung", role=place.context.role, index=place.context.index)
                os.kill(place.pid, signal.SIGKILL)
            elif self._stop_by_s and now >= self._stop_by_s:
                self.log.error("child_killed", role=place.context.role, index=place.context.index)
                os.kill(place.pid, signal.SIGKILL)
        interval_s = notify.watchdog_interval_s()
        if interval_s and is_well and now >= self._watchdog_at_s:
            self._watchdog_at_s = now + interval_s
            notify.notify(notify.WATCHDOG)

    def _is_over(self) -> bool:
        return bool(self._stop_by_s) and not any(place.pid for place in self._places)
