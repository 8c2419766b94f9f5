"""Hints across the processes of one machine: a Unix datagram socket for each.

Notes:
    - A process is a member while its socket ``hints-<pid>.sock`` (by what it hears: ``Hears``) lies
      in the run directory; a socket nobody listens at any more is unlinked by whoever notices.
    - ``publish`` only appends to a queue and wakes the loop once: hints that arrive together leave
      as one datagram per member.
    - Nothing ever blocks: what does not fit (own queue, peer's queue) is dropped, and the sweep in
      ``Store.wait`` repairs it.
    - The jobs process lets others gather: being woken for every delivery would cost it a tenth of
      what delivering costs.
    - A datagram is a kind byte, then for hints 24 bytes each: mailbox, folder, change number.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from posthouse.model.changes import Hint
from posthouse.model.ids import ChangeNumber, FolderId, MailboxId
from posthouse.ports.hints import Hears

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

_HINT = struct.Struct("<QQQ")
_KIND_HINTS = b"h"
_KIND_DIRECTORY = b"d"
_HINTS_PER_DATAGRAM = 256
_QUEUE_MAX = 8192
"""Hints waiting for the loop; beyond it the oldest are dropped."""
_DATAGRAM_BYTES_MAX = 1 + _HINTS_PER_DATAGRAM * _HINT.size
_READ_DATAGRAMS_MAX = 64
"""Datagrams taken before the loop gets its turn again."""
_SETTLING_S = 1.0
_LOOK_S = 0.05
"""A process that joins may miss hints for so long; the sweep in ``Store.wait`` repairs that."""
_GATHERING_S = 0.05
"""How late those hear of a mailbox who let us gather."""
_SOCKET_PATH_MAX = 107
_Listener = TypeVar("_Listener")


class DatagramHints:
    """Implements ``ports.hints.Hints``. Make it after the fork, one per process."""

    def __init__(
        self,
        run_directory: Path,
        loop: asyncio.AbstractEventLoop,
        *,
        hears: Hears = Hears.EVERYTHING,
    ) -> None:
        """Join.

        Args:
            run_directory: where the members' sockets are.
            loop: of this process.
            hears: what we want to be woken for.
        """
        self._directory = run_directory
        self._loop = loop
        self._queue: deque[Hint] = deque(maxlen=_QUEUE_MAX)
        self._directory_changed = False
        self._is_waking = False
        self._listeners: list[Callable[[Hint], None]] = []
        self._directory_listeners: list[Callable[[], None]] = []
        self._peers: tuple[str, ...] = ()
        self._callees: tuple[str, ...] = ()
        self._patient: tuple[str, ...] = ()
        self._gathered: dict[tuple[MailboxId, FolderId], Hint] = {}
        self._looked_at = -_LOOK_S
        self._peers_seen_at = -1
        self._settles_at = 0.0
        self._is_settled = False
        self._is_closed = False
        run_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = run_directory / f"{hears.value}-{os.getpid()}.sock"
        self._path.unlink(missing_ok=True)  # of an earlier process of our number
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._directory_descriptor = -1
        self._base = str(run_directory)
        if len(os.fsencode(self._path)) > _SOCKET_PATH_MAX - 4:  # a peer's number may be longer
            self._directory_descriptor = os.open(run_directory, os.O_PATH | os.O_DIRECTORY)
            self._base = f"/proc/self/fd/{self._directory_descriptor}"
        self._socket.bind(f"{self._base}/{self._path.name}")
        loop.add_reader(self._socket.fileno(), self._receive)

    def publish(self, hint: Hint) -> None:
        """Tell everyone; from any thread."""
        self._queue.append(hint)
        self._wake()

    def publish_directory(self) -> None:
        """Tell everyone that the directory changed; from any thread."""
        self._directory_changed = True
        self._wake()

    def subscribe(self, listener: Callable[[Hint], None]) -> Callable[[], None]:
        """Hear every hint."""
        self._listeners.append(listener)
        return lambda: _forget(self._listeners, listener)

    def subscribe_directory(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Hear of directory changes."""
        self._directory_listeners.append(listener)
        return lambda: _forget(self._directory_listeners, listener)

    def close(self) -> None:
        """Send what waits, then leave the bus."""
        if self._is_closed:
            return
        self._flush()
        self._send_gathered()
        self._is_closed = True
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._directory_descriptor >= 0:
            os.close(self._directory_descriptor)
        self._path.unlink(missing_ok=True)

    def _wake(self) -> None:
        # Two threads may both see False: a flush too many does no harm.
        if self._is_waking or self._is_closed:
            return
        self._is_waking = True
        try:
            self._loop.call_soon_threadsafe(self._flush)
        except RuntimeError:
            self._is_waking = False  # the loop has ended; close() sends what is left

    def _flush(self) -> None:
        """Tell our own listeners, then the peers; in the loop's thread."""
        self._is_waking = False
        if self._is_closed:
            return
        hints = []
        queue = self._queue
        while queue:
            hints.append(queue.popleft())
        directory_changed, self._directory_changed = self._directory_changed, False
        for hint in hints:
            self._tell(hint)
        if directory_changed:
            self._tell_directory()
        self._look_around(at_once=directory_changed)
        if directory_changed:
            self._send(_KIND_DIRECTORY, self._peers + self._callees + self._patient)
        if self._peers:
            self._send_hints(hints, self._peers)
        if not self._callees and not self._patient:
            return
        calls = [hint for hint in hints if not hint.mailbox_id]
        if calls:
            self._send_hints(calls, self._callees + self._patient)
        if self._patient and len(calls) < len(hints):
            self._gather(hints)

    def _gather(self, hints: list[Hint]) -> None:
        """Keep the last hint of each folder."""
        gathered = self._gathered
        if not gathered:
            self._loop.call_later(_GATHERING_S, self._send_gathered)
        for hint in hints:
            if hint.mailbox_id:
                gathered[hint.mailbox_id, hint.folder_id] = hint

    def _send_gathered(self) -> None:
        if self._gathered and not self._is_closed:
            hints = list(self._gathered.values())
            self._gathered.clear()
            self._send_hints(hints, self._patient)

    def _send_hints(self, hints: list[Hint], peers: tuple[str, ...]) -> None:
        for start in range(0, len(hints), _HINTS_PER_DATAGRAM):
            self._send(_datagram(hints[start : start + _HINTS_PER_DATAGRAM]), peers)

    def _look_around(self, *, at_once: bool) -> None:
        """Find the other sockets; looked up again when the directory changed, at times.

        The file system's clock is coarse: for a second after a change another one may hide behind
        the same time stamp, so it is looked up at every call.
        """
        now = self._loop.time()
        if now - self._looked_at < _LOOK_S and not at_once:
            return
        self._looked_at = now
        try:
            seen_at = self._directory.stat().st_mtime_ns
            if seen_at != self._peers_seen_at:
                self._peers_seen_at = seen_at
                self._settles_at = now + _SETTLING_S
                self._is_settled = False
            if not self._is_settled:
                self._is_settled = now > self._settles_at
                self._peers = self._others(Hears.EVERYTHING)
                self._callees = self._others(Hears.HOUSE)
                self._patient = self._others(Hears.GATHERED)
        except OSError:
            self._peers = self._callees = self._patient = ()

    def _others(self, hears: Hears) -> tuple[str, ...]:
        names = [path.name for path in self._directory.glob(f"{hears.value}-*.sock")]
        return tuple(f"{self._base}/{name}" for name in names if name != self._path.name)

    def _send(self, datagram: bytes, peers: tuple[str, ...]) -> None:
        for peer in peers:
            try:
                self._socket.sendto(datagram, peer)
            except ConnectionRefusedError:
                self._bury(peer)
            except OSError:
                continue  # full, or just gone: a hint may be lost

    def _bury(self, peer: str) -> None:
        """Unlink the socket of a process that is no more."""
        try:
            os.unlink(peer)  # noqa: PTH108 - a string is what sendto takes
        except OSError:
            return

    def _receive(self) -> None:
        for _ in range(_READ_DATAGRAMS_MAX):
            try:
                data = self._socket.recv(_DATAGRAM_BYTES_MAX)
            except OSError:
                return
            if data[:1] == _KIND_DIRECTORY:
                self._tell_directory()
                continue
            for hint in _hints(data):
                self._tell(hint)

    def _tell(self, hint: Hint) -> None:
        for listener in tuple(self._listeners):
            listener(hint)

    def _tell_directory(self) -> None:
        for listener in tuple(self._directory_listeners):
            listener()


def _datagram(hints: list[Hint]) -> bytes:
    parts = [_KIND_HINTS]
    parts += [_HINT.pack(h.mailbox_id, h.folder_id, h.change_number) for h in hints]
    return b"".join(parts)


def _hints(data: bytes) -> list[Hint]:
    """The hints of a datagram; none of one that nobody of us wrote."""
    if data[:1] != _KIND_HINTS or (len(data) - 1) % _HINT.size:
        return []
    return [
        Hint(MailboxId(mailbox), FolderId(folder), ChangeNumber(number))
        for mailbox, folder, number in _HINT.iter_unpack(memoryview(data)[1:])
    ]


def _forget(listeners: list[_Listener], listener: _Listener) -> None:
    if listener in listeners:
        listeners.remove(listener)
