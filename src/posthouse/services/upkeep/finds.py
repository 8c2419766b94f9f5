"""What an import finds on the disk: messages and what is known of them, and unreadable files."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Flags, ItemColumns, ItemKind

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE_BYTES_MAX = 256 << 20


@dataclass(frozen=True, slots=True)
class FoundFolder:
    """Where a message lay.

    Attributes:
        path: names from the top; empty means the inbox.
        role: when the source says it for certain.
        folder_class: what the folder holds.
        is_exact: ``path`` is as it was with us; otherwise usual names of special folders count.
    """

    path: tuple[str, ...] = ()
    role: FolderRole = FolderRole.NONE
    folder_class: FolderClass = FolderClass.MAIL
    is_exact: bool = False


INBOX = FoundFolder(role=FolderRole.INBOX)


@dataclass(frozen=True, slots=True)
class Found:
    """One message (or other item) of a source.

    Attributes:
        where: file, and place in it, for people.
        folder: where it lay.
        content: its bytes.
        flags: marks.
        received_at: ms; 0 not known.
        uidl: of the old server ("" none).
        prefix_bytes: how much of ``content`` is the recipient's own header lines.
        is_exact: the bytes are to be kept as they are, line ends and all.
        kind: what it is.
        columns: when they do not follow from the content.
        bag: other properties.
    """

    where: str
    folder: FoundFolder
    content: bytes
    flags: Flags = Flags.NONE
    received_at: int = 0
    uidl: str = ""
    prefix_bytes: int = 0
    is_exact: bool = False
    kind: ItemKind = ItemKind.MESSAGE
    columns: ItemColumns | None = field(default=None, repr=False)
    bag: bytes = b""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that was passed over.

    Attributes:
        where: file, and place in it.
        why: in plain words.
    """

    where: str
    why: str


def read_file(path: Path, bytes_max: int = MESSAGE_BYTES_MAX) -> tuple[bytes, int] | Unreadable:
    """A regular file's bytes and the time it was changed, ms; symbolic links are not followed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            state = os.fstat(fd)
            if not stat.S_ISREG(state.st_mode):
                return Unreadable(str(path), "not a regular file")
            if state.st_size > bytes_max:
                return Unreadable(str(path), f"larger than {bytes_max >> 20} MiB")
            content = file.read(bytes_max)
    except OSError as e:
        is_link = e.errno == errno.ELOOP
        return Unreadable(str(path), "a symbolic link" if is_link else e.strerror or str(e))
    if not content:
        return Unreadable(str(path), "empty")
    return content, state.st_mtime_ns // 1_000_000
