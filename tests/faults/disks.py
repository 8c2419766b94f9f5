"""Disks that remember, refuse, or take less than they are given."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from posthouse.backends.files.operations import FileOperations

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.model.blob import BlobRef


class Recorder(FileOperations):
    """Does everything for real, and writes down what a disk would have to keep."""

    def __init__(self) -> None:
        self.log: list[tuple] = []
        self._inodes: dict[int, int] = {}  # descriptor -> inode
        self._names: dict[Path, int] = {}
        self._count = 0

    def open_new(self, path):
        descriptor = super().open_new(path)
        self._count += 1
        self._inodes[descriptor] = self._names[path] = self._count
        self.log.append(("name", path, self._count))
        return descriptor

    def open_existing(self, path):
        descriptor = super().open_existing(path)
        self._inodes[descriptor] = self._names[path]
        return descriptor

    def write_at(self, descriptor, buffers, offset):
        taken = super().write_at(descriptor, buffers, offset)
        data = b"".join(buffers)[:taken]
        self.log.append(("write", self._inodes[descriptor], offset, data))
        return taken

    def sync_data(self, descriptor):
        super().sync_data(descriptor)
        self.log.append(("sync", self._inodes[descriptor]))

    def sync_directory(self, path):
        super().sync_directory(path)
        self.log.append(("syncdir", path))

    def truncate(self, descriptor, size):
        super().truncate(descriptor, size)
        self.log.append(("truncate", self._inodes[descriptor], size))

    def link(self, source, target):
        super().link(source, target)
        self._names[target] = self._names[source]
        self.log.append(("name", target, self._names[source]))

    def unlink(self, path):
        super().unlink(path)
        self.log.append(("unname", path))

    def make_directory(self, path):
        super().make_directory(path)
        self.log.append(("name", path, 0))

    def acknowledge(self, refs: list[BlobRef], contents: list[bytes]) -> None:
        self.log.append(("ack", list(zip(refs, contents, strict=True))))


def disk_after(log, keeps) -> dict[Path, bytes | None]:
    """Files (None: directories) after a power loss at the end of ``log``.

    ``keeps(index)`` decides about each operation that no sync has confirmed: 0 lost, 1 kept,
    between: torn.
    """
    contents: dict[int, bytearray] = {}
    names: dict[Path, int] = {}
    for index, (kind, *rest) in enumerate(log):
        later = log[index + 1 :]
        if kind in ("write", "truncate"):
            inode = rest[0]
            share = 1.0 if any(e[:2] == ("sync", inode) for e in later) else keeps(index)
            content = contents.setdefault(inode, bytearray())
            if kind == "truncate":
                if share == 1.0:
                    del content[rest[1] :]
                continue
            offset, data = rest[1], rest[2][: int(len(rest[2]) * share)]
            if data:
                content.extend(bytes(max(0, offset + len(data) - len(content))))
                content[offset : offset + len(data)] = data
        elif kind in ("name", "unname"):
            path = rest[0]
            is_sure = any(e == ("syncdir", path.parent) for e in later)
            if is_sure or keeps(index) >= 0.5:
                if kind == "name":
                    names[path] = rest[1]
                else:
                    names.pop(path, None)
    return {
        path: bytes(contents.get(inode, b"")) if inode else None for path, inode in names.items()
    }


def materialise(disk, old: Path, new: Path) -> None:
    """Put a disk under another root; what lies in a directory that was lost is lost."""
    new.mkdir()
    for path in sorted(disk, key=lambda p: len(p.parts)):
        target = new / path.relative_to(old) if path != old else new
        if disk[path] is None:
            if target.parent.exists():
                target.mkdir(exist_ok=True)
        elif target.parent.exists():
            target.write_bytes(disk[path])


class Refusing(FileOperations):
    """Refuses the n-th operation that touches the disk."""

    def __init__(self, code: int = errno.EIO) -> None:
        self.code = code
        self.countdown = -1
        self.names: list[str] = []
        self.failed_syncs: set[int] = set()
        self.retried = 0

    def _count(self, name: str) -> None:
        self.names.append(name)
        self.countdown -= 1
        if self.countdown == 0:
            raise OSError(self.code, "refused by the test")

    def open_new(self, path):
        self._count("open_new")
        return super().open_new(path)

    def open_existing(self, path):
        self._count("open_existing")
        return super().open_existing(path)

    def write_at(self, descriptor, buffers, offset):
        self._count("write_at")
        return super().write_at(descriptor, buffers, offset)

    def sync_data(self, descriptor):
        self.retried += descriptor in self.failed_syncs
        try:
            self._count("sync_data")
        except OSError:
            self.failed_syncs.add(descriptor)
            raise
        super().sync_data(descriptor)

    def sync_directory(self, path):
        self._count("sync_directory")
        super().sync_directory(path)

    def link(self, source, target):
        self._count("link")
        super().link(source, target)

    def make_directory(self, path):
        self._count("make_directory")
        super().make_directory(path)

    def close(self, descriptor):
        self.failed_syncs.discard(descriptor)
        super().close(descriptor)


class ShortWriter(FileOperations):
    """Takes a third of each write."""

    def write_at(self, descriptor, buffers, offset):
        data = b"".join(buffers)
        return super().write_at(descriptor, [data[: len(data) // 3 + 1]], offset)
