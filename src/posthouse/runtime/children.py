"""Children: a process of ours, from the fork to its end, seen from both sides."""

from __future__ import annotations

import asyncio
import gc
import mmap
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvloop

from posthouse.runtime.privileges import die_with

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable

    from posthouse.ports.clock import Clock
    from posthouse.runtime.binding import ListenerSpec
    from posthouse.runtime.logs import Log

_PULSE_S = 1.0
_FAILED = 70
_GC_THRESHOLDS = (20_000, 20, 20)
_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Pulses:
    """When each child was last seen turning its loop, in shared memory."""

    __slots__ = ("_clock", "_memory", "_times")

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._memory = mmap.mmap(-1, max(mmap.PAGESIZE, count * 8))
        self._times = memoryview(self._memory).cast("d")

    def beat(self, index: int, allowance_s: float = 0.0) -> None:
        """Child ``index`` is alive; with an allowance: it may be silent for longer once."""
        self._times[index] = self._clock.monotonic_s() + allowance_s

    def silence_s(self, index: int) -> float:
        """How long child ``index`` has not been seen."""
        return self._clock.monotonic_s() - self._times[index]


@dataclass(slots=True)
class ChildContext:
    """What a child is given.

    Attributes:
        role: "worker" or "jobs".
        index: its stripe of the metrics; workers count from 0, jobs comes last.
        sockets: what it listens on; it closes them.
        ready_fd: end of a pipe to the supervisor.
        pulses: where it shows that it is alive.
    """

    role: str
    index: int
    sockets: list[tuple[ListenerSpec, socket.socket]]
    pulses: Pulses
    ready_fd: int = -1

    def ready(self) -> None:
        """Tell the supervisor that this child serves now."""
        if self.ready_fd >= 0:
            with suppress(OSError):
                os.write(self.ready_fd, b"+")
            os.close(self.ready_fd)
            self.ready_fd = -1


@dataclass(slots=True)
class ChildLife:
    """A child's own view of its run.

    Attributes:
        context: what it was given.
        loop: its event loop.
        stopping: set when it should drain and return.
        on_reload: called on SIGHUP.
    """

    context: ChildContext
    loop: asyncio.AbstractEventLoop
    stopping: asyncio.Event
    on_reload: list[Callable[[], None]] = field(default_factory=list)

    def beat(self) -> None:
        """Show that the loop turns, and again in a second."""
        self.context.pulses.beat(self.context.index)
        self.loop.call_later(_PULSE_S, self.beat)

    def reload(self) -> None:
        """Read again what can change while we run."""
        for callback in self.on_reload:
            callback()


def run_child(context: ChildContext, main: Callable[[ChildLife], Awaitable[None]]) -> None:
    """Run ``main`` on a loop of its own, with pulse, ``stopping`` and ``on_reload`` set up.

    ``main`` calls ``life.context.ready()`` once it serves, waits for ``life.stopping``, drains and
    returns.
    """

    async def run() -> None:
        loop = asyncio.get_running_loop()
        life = ChildLife(context, loop, asyncio.Event())
        loop.add_signal_handler(signal.SIGTERM, life.stopping.set)
        loop.add_signal_handler(signal.SIGHUP, life.reload)
        # The terminal's Ctrl-C reaches all of us; the supervisor speaks for it.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        life.beat()
        await main(life)

    # What the parent loaded stays shared: the collector must not touch it.
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def fork_child(
    context: ChildContext,
    main: Callable[[ChildContext], None],
    inherited: Iterable[int],
    log: Log,
) -> tuple[int, int]:
    """Start a child that runs ``main`` and exits.

    Args:
        context: its ``ready_fd`` is set in the child.
        main: runs in the child with our signals blocked (``run_child`` opens them).
        inherited: descriptors that are none of the child's business.
        log: hears of a ``main`` that raised.

    Returns:
        Its pid and the descriptor on which a byte says that it is ready (the end of file: that it
        will never be).
    """
    parent = os.getpid()
    ready_fd, context.ready_fd = os.pipe()
    # A signal between the fork and the child's own handlers would run, or end, the wrong code.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
    try:
        pid = os.fork()
        if pid == 0:
            _live(context, main, parent, (ready_fd, *inherited), log)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(context.ready_fd)
    context.ready_fd = -1
    return pid, ready_fd


def _live(
    context: ChildContext,
    main: Callable[[ChildContext], None],
    parent: int,
    foreign: Iterable[int],
    log: Log,
) -> None:
    """The child's whole life; does not return."""
    code = _FAILED
    try:
        die_with(parent)
        signal.set_wakeup_fd(-1)
        for number in _OURS:
            signal.signal(number, signal.SIG_DFL)
        for fd in foreign:
            os.close(fd)
        main(context)
        code = 0
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else _FAILED
    except BaseException as error:  # noqa: BLE001  nothing may climb into the supervisor's code
        log.failure("child_failed", error, role=context.role, index=context.index)
    finally:
        log.close()
        os._exit(code)
