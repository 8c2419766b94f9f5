"""The audit log: append-only JSON lines, each carrying the SHA-256 of the line before.

Notes:
    - Several processes write one chain: each takes the lock, learns where the chain ends, appends
      in one write and lets go. A cached end is good as long as the file has the size it had.
    - Acts of the operator are synced before they are answered (``record``). Logins are gathered
      for a second (``note``): a crash may cost the last second of them, never the order.
    - The chain shows changed, removed and inserted lines. It has no key: who can write the file can
      write a new chain from some line on, so an installation that fears its own administrator ships
      the lines elsewhere.
    - Rotation renames the file to ``audit.jsonl.000001`` and so on; the chain runs through.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from posthouse.model.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from posthouse.ports.clock import Clock

FIRST = "0" * 64
TEXT_MAX = 1024
LINE_OCTETS_MAX = 64 * 1024
GATHERED_S = 1.0
GATHERED_LINES = 200
LOCKED_RETRY_S = 0.05
WAITING_LINES_MAX = 10_000
SIZE_OCTETS_MAX = 64 * 1024 * 1024

Value = str | int | bool | tuple[str, ...]


class Later(Protocol):
    """Runs something after a while, in the event loop."""

    def __call__(self, seconds: float, work: Callable[[], None], /) -> object:
        """None when nothing will run it."""
        ...


def _later_in_loop(seconds: float, work: Callable[[], None], /) -> object:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # A command of the operator: its lines are written by ``record`` and ``close``.
        return None
    return loop.call_later(seconds, work)


class Audit:
    """Writes the audit log of one installation.

    Args:
        path: the current file; rotated ones and the lock stand beside it.
        clock: time of the lines.
        later: when gathered lines are written.
        size_octets_max: at which the file is rotated.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        later: Later = _later_in_loop,
        size_octets_max: int = SIZE_OCTETS_MAX,
    ) -> None:
        self._path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._clock = clock
        self._later = later
        self._size_octets_max = size_octets_max
        self._waiting: list[tuple[int, str, dict[str, Value]]] = []
        self._lost = 0
        self._is_due = False
        self._lock_fd = -1
        self._fd = -1
        # What the chain's end was when we last wrote: (inode, size) and hash.
        self._end = ((0, 0), FIRST)

    def note(self, event: str, **fields: Value) -> None:
        """Log what happens all the time (logins); never raises, written within about a second."""
        self._waiting.append((self._clock.now_ms(), event, fields))
        if len(self._waiting) > WAITING_LINES_MAX:
            del self._waiting[0]
            self._lost += 1
        if not self._is_due:
            self._is_due = self._later(GATHERED_S, self._write_gathered) is not None
        elif len(self._waiting) == GATHERED_LINES:
            self._try_to_write()

    def record(self, event: str, **fields: Value) -> None:
        """Log an act of the operator; durable on return.

        Raises:
            Unavailable: the act was done, but the log could not be written.
        """
        self._waiting.append((self._clock.now_ms(), event, fields))
        try:
            self._write(wants_sync=True, may_wait=True)
        except OSError as e:
            raise Unavailable(f"done, but the audit log cannot be written: {e.strerror}") from e

    def close(self) -> None:
        """Write what was gathered and let go of the files."""
        try:
            self._write(wants_sync=True, may_wait=True)
        except OSError as e:
            raise Unavailable(f"the audit log cannot be written: {e.strerror}") from e
        finally:
            for fd in (self._fd, self._lock_fd):
                if fd >= 0:
                    os.close(fd)
            self._fd = self._lock_fd = -1

    def _write_gathered(self) -> None:
        self._is_due = False
        if not self._try_to_write() and self._waiting:
            self._is_due = self._later(LOCKED_RETRY_S, self._write_once_more) is not None

    def _write_once_more(self) -> None:
        # Whatever comes of it: the next try is a full period away, so a full disk costs no CPU.
        self._is_due = False
        if not self._try_to_write() and self._waiting:
            self._is_due = self._later(GATHERED_S, self._write_gathered) is not None

    def _try_to_write(self) -> bool:
        """Whether it worked; a held lock or a full disk leaves the lines waiting."""
        try:
            self._write(wants_sync=False, may_wait=False)
        except OSError:
            return False
        return True

    def _write(self, *, wants_sync: bool, may_wait: bool) -> None:
        if not self._waiting:
            return
        with self._locked(may_wait=may_wait):
            size, previous = self._open_at_end()
            if size >= self._size_octets_max:
                self._rotate()
                size, _ = self._open_at_end(previous)
            if self._lost:
                lost: dict[str, Value] = {"count": self._lost}
                self._waiting.insert(0, (self._waiting[0][0], "audit-lines-lost", lost))
                self._lost = 0
            raw_lines: list[bytes] = []
            for at_ms, event, fields in self._waiting:
                raw_line = line_from_event(previous, at_ms, event, fields)
                previous = hashlib.sha256(raw_line).hexdigest()
                raw_lines.append(raw_line)
            raw_lines.append(b"")
            self._append(size, b"\n".join(raw_lines), previous)
            self._waiting.clear()
        if wants_sync:
            os.fsync(self._fd)

    def _append(self, size: int, raw: bytes, end_hash: str) -> None:
        """Append all or nothing (a crash apart)."""
        written = 0
        try:
            written = os.write(self._fd, raw)
        finally:
            if written != len(raw):
                os.ftruncate(self._fd, size)
        if written != len(raw):
            raise OSError(errno.ENOSPC, "no space left on device")
        self._end = ((os.fstat(self._fd).st_ino, size + len(raw)), end_hash)

    @contextmanager
    def _locked(self, *, may_wait: bool) -> Iterator[None]:
        if self._lock_fd < 0:
            self._lock_fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX if may_wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _open_at_end(self, previous_if_new: str = FIRST) -> tuple[int, str]:
        """Open the current file, rotated by whom ever: its size and the chain's end."""
        if self._fd >= 0 and not self._is_current():
            os.close(self._fd)
            self._fd = -1
        if self._fd < 0:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o600)
        stat = os.fstat(self._fd)
        if stat.st_size == 0:
            return 0, previous_if_new if previous_if_new != FIRST else self._end_of_rotated()
        if (stat.st_ino, stat.st_size) == self._end[0]:
            return stat.st_size, self._end[1]
        last, is_torn = _last_line(self._fd, stat.st_size)
        if is_torn:
            os.write(self._fd, b"\n")
        return stat.st_size + is_torn, hashlib.sha256(last).hexdigest()

    def _is_current(self) -> bool:
        try:
            return self._path.stat().st_ino == os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return False

    def _end_of_rotated(self) -> str:
        """Where the chain ends when the current file is new: a crash may have followed a rename."""
        older = rotated_files(self._path)
        if not older:
            return FIRST
        with older[-1].open("rb") as file:
            last, _ = _last_line(file.fileno(), older[-1].stat().st_size)
        return hashlib.sha256(last).hexdigest() if last else FIRST

    def _rotate(self) -> None:
        older = rotated_files(self._path)
        number = int(older[-1].name.rpartition(".")[2]) + 1 if older else 1
        os.fsync(self._fd)
        self._path.rename(self._path.with_name(f"{self._path.name}.{number:06d}"))


def rotated_files(path: Path) -> list[Path]:
    """Older files of a log, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.[0-9][0-9][0-9][0-9][0-9][0-9]"))


def line_from_event(previous: str, at_ms: int, event: str, fields: dict[str, Value]) -> bytes:
    """One line without its end; what came from outside cannot break out of it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    line: dict[str, Value] = {"prev": previous, "at": at, "event": event}
    for name, value in fields.items():
        line[name] = _harmless(value) if isinstance(value, str) else value
    raw_line = msgspec.json.encode(line)
    if len(raw_line) > LINE_OCTETS_MAX:
        return msgspec.json.encode({"prev": previous, "at": at, "event": event, "too_long": True})
    return raw_line


def _harmless(text: str) -> str:
    """Bounded, without controls, surrogates, and what turns the direction of a line."""
    text = text[:TEXT_MAX]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _last_line(fd: int, size: int) -> tuple[bytes, bool]:
    """The last line without its end, and whether it has none (a crash tore it)."""
    start = max(0, size - LINE_OCTETS_MAX - 2)
    raw = os.pread(fd, size - start, start)
    is_torn = not raw.endswith(b"\n")
    return raw.removesuffix(b"\n").rpartition(b"\n")[2], is_torn
