"""Writing packs: one active pack per process, one write and one sync per group.

Notes:
    - Small groups write into zeros prepared ahead: the sync then changes no inode, which halves its
      cost. A group larger than the zeros simply extends the file; zero-filling under large groups
      would cost more than it saves.
    - The active pack is locked (flock) while its process lives. A pack without a lock may be taken
      over, from its end; nothing that was ever written is written again, so no record can be harmed
      by a successor.
    - After a failed write or sync nobody knows what is on the disk: the pack is left where it is
      and never synced again by this process.
    - Order of a sync: the pack's data, then (new pack) its directory. Only then may a location be
      named.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from posthouse.backends.files.layout import (
    HEADER_BYTES,
    PACK_BYTES_MAX,
    PREPARED_BYTES,
    RECORD_ALIGNMENT,
    header_of,
)
from posthouse.backends.files.operations import write_all
from posthouse.model.blob import BlobLocation

if TYPE_CHECKING:
    from posthouse.backends.files.layout import Layout
    from posthouse.backends.files.operations import FileOperations
    from posthouse.model.blob import BlobRef

_ZEROS = bytes(PREPARED_BYTES)
_SMALL_GROUP_BYTES = 256 << 10
"""Up to this size a group is worth prepared zeros."""
_TAKEOVER_CANDIDATES = 8
"""How many of the newest packs are tried before a new one is made."""


class PackWriter:
    """Appends records to this process's active pack. Not thread-safe: one writer thread owns it."""

    __slots__ = (
        "_buffers",
        "_descriptor",
        "_end",
        "_is_new",
        "_layout",
        "_left",
        "_number",
        "_operations",
        "_prepared_end",
        "_start",
        "_takes_over",
        "_unsynced",
    )

    def __init__(
        self, layout: Layout, operations: FileOperations, *, takes_over: bool = True
    ) -> None:
        self._layout = layout
        self._operations = operations
        self._takes_over = takes_over
        self._descriptor = -1
        self._number = 0
        self._is_new = False
        self._buffers: list[bytes] = []
        self._start = 0
        self._end = 0
        self._prepared_end = 0
        self._unsynced: list[int] = []
        self._left: set[int] = set()

    def append(self, ref: BlobRef, data: bytes) -> BlobLocation:
        """Take a record into the group; it reaches the file with ``sync``."""
        need = HEADER_BYTES + len(data)
        if self._descriptor < 0:
            self._open()
        elif self._end + need > PACK_BYTES_MAX:
            self._seal()
            self._open()
        self._buffers.append(header_of(ref))
        self._buffers.append(data)
        location = BlobLocation(self._number, self._end + HEADER_BYTES)
        self._end += need
        return location

    def sync(self) -> None:
        """Write the group and make it durable. Raises OSError; the pack has then been left."""
        if not self._buffers and not self._unsynced:
            return
        try:
            if self._buffers:
                self._flush()
                self._operations.sync_data(self._descriptor)
            for descriptor in self._unsynced:
                self._operations.sync_data(descriptor)
            if self._is_new:
                self._operations.sync_directory(self._layout.packs)
                self._is_new = False
        except OSError:
            self._leave()
            raise
        for descriptor in self._unsynced:
            self._operations.close(descriptor)
        self._unsynced.clear()

    def close(self) -> None:
        """Give back prepared room and the lock. What was not synced is forgotten."""
        if self._descriptor >= 0 and not self._buffers and self._prepared_end > self._end:
            # Readers may have mapped the zeros, but nobody looks at what no row names.
            self._operations.truncate(self._descriptor, self._end)
        self._leave()

    def _flush(self) -> None:
        buffers = self._buffers
        if self._end > self._prepared_end:
            buffers = self._with_zeros(buffers)
        written_end = write_all(self._operations, self._descriptor, buffers, self._start)
        self._start = self._end
        self._prepared_end = max(self._prepared_end, written_end)
        self._buffers = []

    def _with_zeros(self, buffers: list[bytes]) -> list[bytes]:
        if self._end - self._start > _SMALL_GROUP_BYTES:
            return buffers
        room = min(PREPARED_BYTES, PACK_BYTES_MAX - self._end)
        if room < PREPARED_BYTES:
            return buffers
        return [*buffers, _ZEROS]

    def _seal(self) -> None:
        """Finish a full pack; its sync comes with that of the group."""
        if self._buffers:
            try:
                self._flush()
            except OSError:
                self._leave()
                raise
            self._unsynced.append(self._descriptor)
        else:
            self._operations.close(self._descriptor)
        self._descriptor = -1

    def _leave(self) -> None:
        for descriptor in (*self._unsynced, self._descriptor):
            if descriptor >= 0:
                self._operations.close(descriptor)
        self._left.add(self._number)
        self._unsynced.clear()
        self._buffers = []
        self._descriptor = -1
        self._is_new = False

    def _open(self) -> None:
        numbers = self._layout.pack_numbers()
        if self._takes_over:
            for number in reversed(numbers[-_TAKEOVER_CANDIDATES:]):
                if number not in self._left and self._take_over(number):
                    return
        number = numbers[-1] + 1 if numbers else 1
        while True:
            try:
                self._descriptor = self._operations.open_new(self._layout.pack(number))
                break
            except FileExistsError:
                number += 1
        self._operations.try_lock(self._descriptor)
        self._begin(number, 0)
        self._is_new = True

    def _take_over(self, number: int) -> bool:
        """Go on with a pack whose process is gone, if it is free and has room."""
        path = self._layout.pack(number)
        if self._layout.empty_mark(number).exists():
            return False
        try:
            descriptor = self._operations.open_existing(path)
        except FileNotFoundError:
            return False
        state = os.fstat(descriptor)
        end = -(-state.st_size // RECORD_ALIGNMENT) * RECORD_ALIGNMENT
        has_room = end + PREPARED_BYTES * 2 <= PACK_BYTES_MAX
        # Between the lock and the look at the links the collector may have unlinked it.
        if not has_room or not self._operations.try_lock(descriptor) or not _links(descriptor):
            self._operations.close(descriptor)
            return False
        self._descriptor = descriptor
        end = -(-os.fstat(descriptor).st_size // RECORD_ALIGNMENT) * RECORD_ALIGNMENT
        self._begin(number, end)
        # Whoever made it may have died before its directory was synced.
        self._is_new = True
        return True

    def _begin(self, number: int, end: int) -> None:
        self._number = number
        self._start = self._end = self._prepared_end = end


def _links(descriptor: int) -> int:
    return os.fstat(descriptor).st_nlink
