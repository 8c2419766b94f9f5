"""The few file operations that durability rests on; tests record and fail them.

Notes:
    Everything that changes the disk goes through here: writing, syncing, linking, unlinking.
    Reading (maps) does not. A caller may rely on nothing before the matching sync returned.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class FileOperations:
    """The real ones; a test derives from it."""

    def open_new(self, path: Path) -> int:
        """Make a file for writing; FileExistsError when it is there."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    def open_existing(self, path: Path) -> int:
        """Open for writing what is there."""
        return os.open(path, os.O_RDWR)

    def write_at(self, descriptor: int, buffers: Sequence[bytes], offset: int) -> int:
        """Write buffers at an offset; says how many bytes were taken, which may be fewer."""
        return os.pwritev(descriptor, buffers, offset)

    def sync_data(self, descriptor: int) -> None:
        """Content and size are on the disk when this returns."""
        os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Names made in the directory are on the disk when this returns."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file off."""
        os.ftruncate(descriptor, size)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; FileExistsError when the name is taken."""
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        """Take a name away; a name that is not there is no error."""
        path.unlink(missing_ok=True)

    def make_directory(self, path: Path) -> None:
        """Make a directory; one that is there is no error."""
        path.mkdir(mode=0o700, exist_ok=True)

    def try_lock(self, descriptor: int) -> bool:
        """Take the file for this process alone, without waiting; given back when it is closed."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self, descriptor: int) -> None:
        """Let go of a file."""
        os.close(descriptor)


_BUFFERS_MAX = 1000
"""The kernel takes 1 024 buffers in one call."""


def write_all(
    operations: FileOperations, descriptor: int, buffers: Sequence[bytes], offset: int
) -> int:
    """Write all buffers, in one call where the kernel lets us; says where they end."""
    rest = buffers
    while rest:
        taken = operations.write_at(descriptor, rest[:_BUFFERS_MAX], offset)
        offset += taken
        rest = _beyond(rest, taken)
    return offset


def _beyond(buffers: Sequence[bytes], taken: int) -> Sequence[bytes]:
    """What a write that took ``taken`` bytes left over."""
    for index, buffer in enumerate(buffers):
        if taken < len(buffer):
            return [buffer[taken:], *buffers[index + 1 :]]
        taken -= len(buffer)
    return ()
