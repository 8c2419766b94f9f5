"""Opening SQLite files: version, file system, settings, schema steps.

Notes:
    A schema step is a file ``NNNN_<what>.sql`` and is never edited after a release; ``PRAGMA
    user_version`` says how far a file has come. Steps run in one transaction under the write lock,
    so that two processes may open a new file at once.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

import apsw

from posthouse.model.errors import ConfigurationError

SQLITE_MIN: Final = (3, 51, 3)
"""Older ones may corrupt a file when two connections commit and checkpoint at once."""

BUSY_MS: Final = 10_000
_SCHEMA: Final = Path(__file__).parent / "schema"
_NETWORK: Final = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "9p",
        "ceph",
        "lustre",
        "beegfs",
        "gfs2",
        "ocfs2",
        "glusterfs",
    ]
)


def require_current_sqlite(version: str = apsw.sqlite_lib_version()) -> None:
    """Raises ConfigurationError when the SQLite library is older than SQLITE_MIN."""
    if tuple(map(int, version.split("."))) < SQLITE_MIN:
        wanted = ".".join(map(str, SQLITE_MIN))
        raise ConfigurationError(f"SQLite {version} is too old, {wanted} is needed: upgrade apsw")


def require_local_disk(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """Raises ConfigurationError when ``folder`` lies on a network disk, where WAL is unsafe."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2] == wanted:
            kind = after.split()[0]
            if kind in _NETWORK or kind.startswith("fuse."):
                raise ConfigurationError(
                    f"{folder} lies on {kind}: the store needs a local disk, move the data "
                    "directory"
                )


def keep_journal(connection: apsw.Connection) -> None:
    """Let the journal files stay, at their length, when the last connection closes.

    A server that was stopped on a full disk could not make them again, and so not start.
    """
    wanted = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(wanted))


def sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def open_writer(path: Path) -> apsw.Connection:
    """A connection that may write; every commit is synced, nothing checkpoints by itself."""
    connection = apsw.Connection(str(path), statementcachesize=512)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA journal_mode = WAL")
    keep_journal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = -32768")
    connection.execute("PRAGMA temp_store = MEMORY")  # statement journals are small and many
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads. The file must exist and have been opened for writing once."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=128)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA cache_size = -16384")
    return connection


def upgrade(connection: apsw.Connection, what: str) -> None:
    """Bring a file to the newest schema by running the steps ``NNNN_<what>.sql`` it has not seen.

    Raises:
        ConfigurationError: a newer Posthouse has written this file.
    """
    steps = {int(p.name[:4]): p for p in sorted(_SCHEMA.glob(f"[0-9]*_{what}.sql"))}
    newest = max(steps)
    if connection.pragma("user_version") == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.pragma("user_version"))
        if version > newest:
            raise ConfigurationError(  # noqa: TRY301 - the transaction has to end
                f"schema {version} of {connection.filename} is newer than {newest}: upgrade "
                "Posthouse"
            )
        for number, step in steps.items():
            if number > version:
                connection.execute(step.read_text(encoding="utf-8"))
        connection.pragma("user_version", newest)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
