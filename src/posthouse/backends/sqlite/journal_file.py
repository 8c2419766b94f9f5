"""The journal file (SQLite's WAL): copied into the database, and begun anew.

Spec: SQLite, "PRAGMA wal_checkpoint"; "The Checkpoint Algorithm" of its WAL format.

Notes:
    A commit that lengthens the file has to write its inode too and to wait for that: with four
    senders a delivery then costs a tenth more CPU and a sixth more time. So the file keeps its
    length, at the end of a process too, and is overwritten from its beginning as soon as all of it
    has been copied. Under steady load that moment never comes by itself: writers have to be held up
    for the milliseconds that the rest takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.backends.sqlite.connection import open_writer

if TYPE_CHECKING:
    from pathlib import Path

_ANEW_BYTES: Final = 24 << 20
"""A journal with so much in it is begun anew."""
_LENGTH_MAX: Final = 256 << 20
"""A file that grew longer is cut off."""
_FRAME_BYTES: Final = 4096 + 24
_PATIENCE_MS: Final = 100
"""Writers stand still while readers are waited for."""


class JournalFile:
    """The journal beside the database ``path``."""

    __slots__ = ("_copied", "_path", "_wal")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._copied = (0, 0)

    def copy(self) -> None:
        """Copy what is new into the database. Raises apsw.Error."""
        try:
            state = self._wal.stat()
        except FileNotFoundError:
            return
        now = (state.st_size, state.st_mtime_ns)
        if now == self._copied:
            return
        connection = open_writer(self._path)
        try:
            row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            _, frames, done = row or (1, 0, 0)
            if state.st_size > _LENGTH_MAX:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            elif frames * _FRAME_BYTES > _ANEW_BYTES:
                connection.set_busy_timeout(_PATIENCE_MS)
                connection.execute("PRAGMA wal_checkpoint(RESTART)")
            elif frames == done:
                self._copied = now
        finally:
            connection.close()
