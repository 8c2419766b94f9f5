"""What backups are made of: the list of their files with hashes, and copying with a hash.

Notes:
    A backup is a directory or a tar file with the files of a data directory at their own paths and
    ``backup.json`` (the last to be written: without it a backup is not whole).
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import msgspec

from posthouse.model.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

LIST_NAME = "backup.json"
FORMAT = "posthouse-backup"
VERSION = 1
LIST_BYTES_MAX = 1 << 30
_CHUNK_BYTES = 1 << 20
_ROOMS = ("store/", "tls/", "log/")


class BackupEntry(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        path: below the data directory, with slashes.
        size_bytes: of the copy.
        sha256: of the copy, hexadecimal.
        changed_ns: when the original was last changed.
    """

    path: str
    size_bytes: int
    sha256: str
    changed_ns: int


class BackupList(msgspec.Struct, frozen=True):
    """What a backup holds.

    Attributes:
        format: always "posthouse-backup".
        version: of this form.
        program: version of the Posthouse that made it.
        made_at: ms; the databases are as of then.
        files: all but the list itself.
    """

    format: str
    version: int
    program: str
    made_at: int
    files: list[BackupEntry]


def encode_list(backup: BackupList) -> bytes:
    """The list as a file."""
    return msgspec.json.format(msgspec.json.encode(backup), indent=1) + b"\n"


def decode_list(raw: bytes, where: str) -> BackupList:
    """Read a list.

    Raises:
        ConfigurationError: it is none, of a newer version, or leads outside.
    """
    try:
        backup = msgspec.json.decode(raw, type=BackupList)
    except msgspec.MsgspecError as e:
        raise ConfigurationError(f"{where} is no list of a backup: {e}") from e
    if backup.format != FORMAT or backup.version > VERSION:
        raise ConfigurationError(f"{where} is of another program or a newer version")
    for entry in backup.files:
        if not is_safe_path(entry.path):
            raise ConfigurationError(f"{where} names a file outside a data directory: {entry.path}")
    return backup


def is_safe_path(path: str) -> bool:
    """Whether a restore may write there: inside, and to a place that a backup has."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or not path.isprintable():
        return False
    return len(parts) == 1 or path.startswith(_ROOMS)


def copy_hashed(source: IO[bytes], target: IO[bytes] | None, size_bytes: int) -> tuple[int, str]:
    """Copy at most ``size_bytes``; says how many there were and their SHA-256."""
    digest = hashlib.sha256()
    done = 0
    while done < size_bytes and (chunk := source.read(min(_CHUNK_BYTES, size_bytes - done))):
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
        done += len(chunk)
    return done, digest.hexdigest()


def copy_file(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file as long as it is now, durably, readable by its owner only."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source.open("rb") as reading:
        size_bytes = os.fstat(reading.fileno()).st_size
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as writing:
            answer = copy_hashed(reading, writing, size_bytes)
            writing.flush()
            os.fsync(fd)
    return answer


def hash_file(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as reading:
        return copy_hashed(reading, None, 1 << 62)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and make its name durable."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as writing:
        writing.write(content)
        writing.flush()
        os.fsync(fd)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
