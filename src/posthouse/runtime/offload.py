"""Offload: threads for blocking work we trust, child processes for parsing we do not."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from posthouse.model.errors import ParserFailed, Unavailable
from posthouse.runtime import metrics_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics

_P = ParamSpec("_P")
_T = TypeVar("_T")

_REQUEST = struct.Struct(">HI")
_ANSWER = struct.Struct(">BI")
_ANSWER_MAX_BYTES = 64 * 1024 * 1024
_WAITING_MAX = 256


class Offload:
    """A few threads for hashing passwords and for blocking file work."""

    __slots__ = ("_executor", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: int = 4) -> None:
        self._loop = loop
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="offload")

    async def in_thread(
        self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run ``function`` in a thread. It runs to its end even if the waiting is cancelled."""
        return await self._loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Let running work finish, start no more."""
        self._executor.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one parser may use.

    Attributes:
        memory_bytes: address space of the process.
        cpu_s: CPU seconds of one call, to the second.
    """

    memory_bytes: int = 512 * 1024 * 1024
    cpu_s: int = 5


class _Parser:
    """One child process."""

    __slots__ = ("process", "sock")

    def __init__(self, table: Mapping[str, str], limits: ParseLimits) -> None:
        ours, theirs = socket.socketpair()
        settings = json.dumps({"table": dict(table), "limits": asdict(limits)})
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [sys.executable, "-m", "posthouse.runtime.parse_child", settings],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
            )
        ours.settimeout(0)
        self.sock = ours

    def end(self) -> int:
        """Kill and reap it; answers how it ended."""
        self.sock.close()
        with suppress(ProcessLookupError):
            self.process.kill()
        return self.process.wait()


class ParsePool:
    """Runs named functions on untrusted bytes in child processes with limits, started lazily.

    A parser that dies, hangs or eats too much costs the call that did it; the next call gets a new
    one.
    """

    def __init__(
        self,
        table: Mapping[str, str],
        log: Log,
        metrics: Metrics,
        *,
        size: int = 1,
        limits: ParseLimits | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            table: name to ``module:function`` (bytes -> bytes); nothing else can be called.
            log: hears of dead parsers.
            metrics: counts calls and deaths.
            size: parsers at most.
            limits: of each parser.
        """
        self._table = dict(table)
        self._log = log
        self._metrics = metrics
        self._limits = limits or ParseLimits()
        self._idle: list[_Parser] = []
        self._places = asyncio.Semaphore(size)
        self._waiting = 0

    async def call(self, name: str, payload: bytes, timeout_s: float) -> bytes:
        """Run the function ``name`` on ``payload``.

        Raises:
            ParserFailed: it raised, died, hung or used too much; the payload is to blame.
            Unavailable: too many calls wait already.
            KeyError: ``name`` is not in the table.
        """
        if name not in self._table:
            raise KeyError(name)
        if self._waiting >= _WAITING_MAX:
            raise Unavailable("the parse pool is overloaded", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._places:
                return await self._call(name, payload, timeout_s)
        finally:
            self._waiting -= 1

    async def _call(self, name: str, payload: bytes, timeout_s: float) -> bytes:
        self._metrics.inc(metrics_table.PARSE_CALLS)
        parser = self._idle.pop() if self._idle else _Parser(self._table, self._limits)
        is_well = False
        try:
            status, answer = await asyncio.wait_for(_asked(parser.sock, name, payload), timeout_s)
            is_well = True
        except (OSError, EOFError, TimeoutError) as error:
            raise ParserFailed(f"{name}: {type(error).__name__}") from error
        finally:
            if is_well:
                self._idle.append(parser)
            else:
                self._metrics.inc(metrics_table.PARSE_DEATHS)
                self._log.warning(
                    "parser_died", function=name, status=parser.end(), size=len(payload)
                )
        if status:
            raise ParserFailed(f"{name}: {answer.decode('utf-8', 'replace')}")
        return answer

    def close(self) -> None:
        """End all parsers; no call is under way."""
        while self._idle:
            self._idle.pop().end()


async def _asked(sock: socket.socket, name: str, payload: bytes) -> tuple[int, bytes]:
    loop = asyncio.get_running_loop()
    raw_name = name.encode()
    await loop.sock_sendall(sock, _REQUEST.pack(len(raw_name), len(payload)) + raw_name)
    await loop.sock_sendall(sock, payload)
    status, size = _ANSWER.unpack(await _exactly(sock, _ANSWER.size))
    if size > _ANSWER_MAX_BYTES:
        raise OSError("answer too long")
    return status, await _exactly(sock, size)


async def _exactly(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    parts = []
    while size:
        part = await loop.sock_recv(sock, min(size, 262_144))
        if not part:
            raise EOFError("the parser is gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
