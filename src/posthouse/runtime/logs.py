"""Logs: one JSON object a line, safe to show on a terminal, never a secret.

Notes:
    Lines are collected and written every 200 ms, at 64 KiB, at once for warnings and errors, and at
    exit. A write to a pipe is at most ``PIPE_BUF`` bytes of whole lines and only when the pipe has
    room: it neither blocks nor mixes with the lines of other processes. When nobody reads the log,
    lines past 1 MiB are dropped and counted.
"""

from __future__ import annotations

import os
import re
import select
import stat
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from posthouse.runtime.metrics_table import LOG_LINES_DROPPED

if TYPE_CHECKING:
    import asyncio

    from posthouse.ports.clock import Clock
    from posthouse.runtime.metrics import Metrics

_FLUSH_AT_BYTES = 65_536
_HELD_MAX_BYTES = 1_048_576
_FLUSH_EVERY_S = 0.2
_TEXT_MAX_CHARS = 500
_LINE_MAX_BYTES = 4_000
_SECRET_NAMES = ("password", "secret", "authorization")

# DEL, C1 controls, line separators and the marks that turn the direction of text: legal in JSON,
# not harmless on a terminal.
_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

# Names come from our own code: a few hundred, each looked at once.
_NAMES_MAX = 1_000
_harmless_names: set[str] = set()

_encode = msgspec.json.Encoder(enc_hook=str).encode


class LogWriter:
    """Where the lines of one process go; shared by all its ``Log`` values."""

    __slots__ = (
        "_fd",
        "_held_bytes",
        "_lines",
        "_loop",
        "_poll",
        "_step_bytes",
        "_timer",
        "metrics",
    )

    def __init__(self, fd: int = 2, metrics: Metrics | None = None) -> None:
        self._fd = fd
        self.metrics = metrics
        self._lines: list[bytes] = []
        self._held_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._step_bytes = _FLUSH_AT_BYTES
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            self._step_bytes = select.PIPE_BUF

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Write from ``loop`` from now on; None: write each line at once, as without a loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop = loop
        self.flush()

    def add(self, line: bytes, *, is_urgent: bool) -> None:
        """Take one line, newline included."""
        if self._held_bytes > _HELD_MAX_BYTES:
            if self.metrics is not None:
                self.metrics.inc(LOG_LINES_DROPPED)
            return
        self._lines.append(line)
        self._held_bytes += len(line)
        if is_urgent or self._held_bytes > _FLUSH_AT_BYTES or self._loop is None:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_EVERY_S, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.flush()
        if self._lines and self._loop is not None:
            self._timer = self._loop.call_later(_FLUSH_EVERY_S, self._on_timer)

    def flush(self) -> None:
        """Write what there is, as far as it does not block."""
        while self._lines and self._poll.poll(0):
            count, size = 1, len(self._lines[0])
            while count < len(self._lines) and size + len(self._lines[count]) <= self._step_bytes:
                size += len(self._lines[count])
                count += 1
            chunk = b"".join(self._lines[:count])
            del self._lines[:count]
            self._held_bytes -= size
            try:
                written = os.write(self._fd, chunk)
            except OSError:
                # A log that cannot be written must not take the mail down with it.
                continue
            if written < size:
                self._lines.insert(0, chunk[written:])
                self._held_bytes += size - written

    def close(self) -> None:
        """Write what is left; waits at most a second for a slow reader."""
        for _ in range(10):
            self.flush()
            if not self._lines:
                break
            with suppress(OSError):
                self._poll.poll(100)


class Log:
    """Writes events. ``child`` gives one that adds fixed fields to each line."""

    __slots__ = ("_clock", "_fixed", "_second", "_second_text", "_writer")

    def __init__(self, writer: LogWriter, clock: Clock, _fixed: bytes = b"") -> None:
        self._writer = writer
        self._clock = clock
        self._fixed = _fixed
        self._second = -1
        self._second_text = ""

    def child(self, **fields: object) -> Log:
        """A log whose lines carry these fields too."""
        return Log(self._writer, self._clock, self._fixed + _members(fields))

    def info(self, event: str, **fields: object) -> None:
        """Something happened as it should."""
        self._writer.add(self._line("info", event, fields), is_urgent=False)

    def warning(self, event: str, **fields: object) -> None:
        """Somebody should look at this some day."""
        self._writer.add(self._line("warning", event, fields), is_urgent=True)

    def error(self, event: str, **fields: object) -> None:
        """Somebody should look at this now."""
        self._writer.add(self._line("error", event, fields), is_urgent=True)

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """An exception nobody expected: its kind, text and last places, without any values."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        trail = " < ".join(
            f"{os.path.basename(frame.filename)}:{frame.lineno}:{frame.name}"  # noqa: PTH119  hot enough, no Path object
            for frame in reversed(frames)
        )
        self.error(event, kind=type(error).__name__, text=str(error), trail=trail, **fields)

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """See ``LogWriter.attach``."""
        self._writer.attach(loop)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

    def _line(self, level: str, event: str, fields: dict[str, object]) -> bytes:
        now = self._clock.now_ms()
        second, millis = divmod(now, 1000)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        head = f'{{"ts":"{self._second_text}.{millis:03d}Z","level":"{level}","event":"{event}"'
        tail = _members(fields) if fields else b""
        if len(tail) > _LINE_MAX_BYTES:
            tail = _members(_shortened(fields))
        return b"".join((head.encode(), self._fixed, tail, b"}\n"))


def _members(fields: dict[str, object]) -> bytes:
    """``,"name":value`` for each field."""
    plain = fields
    for name, value in fields.items():
        if name not in _harmless_names:
            _check_name(name)
        if type(value) is str:
            if len(value) <= _TEXT_MAX_CHARS and value.isascii() and "\x7f" not in value:
                continue
        elif type(value) is int:
            continue
        if plain is fields:
            plain = dict(fields)
        plain[name] = _plain(value)
    if not plain:
        return b""
    return b"," + _encode(plain)[1:-1]


def _check_name(name: str) -> None:
    if any(word in name for word in _SECRET_NAMES):
        raise ValueError(f"a field named {name!r} must not be logged")
    if len(_harmless_names) < _NAMES_MAX:
        _harmless_names.add(name)


def _plain(value: object) -> object:
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value[:_TEXT_MAX_CHARS]).decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        value = value[:_TEXT_MAX_CHARS]
        if not value.isascii() or "\x7f" in value:
            value = value.encode("utf-8", "backslashreplace").decode("utf-8")
            value = _UNSAFE.sub(_escaped, value)
    elif isinstance(value, float):
        value = round(value, 6)
    elif isinstance(value, (list, tuple, set, frozenset)):
        value = [_plain(part) for part in list(value)[:50]]
    return value


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _shortened(fields: dict[str, object]) -> dict[str, object]:
    room = max(16, _LINE_MAX_BYTES // (8 * len(fields)))
    return {
        name: value if isinstance(value, (int, float, bool)) else str(value)[:room]
        for name, value in list(fields.items())[:40]
    }
