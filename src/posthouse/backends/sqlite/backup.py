"""Backup of the SQLite files beside a running server, and what a restored copy needs.

Spec: SQLite's online backup API (sqlite.org/backup.html).

Notes:
    The source connection holds one read transaction for the whole copy: a writer elsewhere neither
    waits nor makes the copy start anew. A copy is one file without a journal.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

import apsw

from posthouse.backends.files.layout import HEADER_BYTES, Layout
from posthouse.backends.sqlite.connection import BUSY_MS
from posthouse.model.blob import BlobLocation
from posthouse.model.errors import Unavailable
from posthouse.model.ids import BlobHash
from posthouse.ports.backup import BlobFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAIL_DATABASE: Final = "store/mail.db"
DATABASES: Final = ("directory.db", MAIL_DATABASE)
BLOB_AREA: Final = "store/blobs"
_PAGES_AT_ONCE: Final = 2_000
_PROBLEMS_MAX: Final = 100
_NUMBERS_SKIPPED: Final = 1 << 20
_UIDS_SKIPPED: Final = 1 << 16


class SqliteBackup:
    """Implements ``ports.backup.BackupSource`` for one data directory."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def snapshot_databases(self, target: Path) -> Sequence[str]:
        """See BackupSource."""
        for name in DATABASES:
            copy = target / name
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _copy_database(self._data / name, copy)
            except (apsw.Error, OSError) as e:
                raise Unavailable(f"{self._data / name} cannot be copied: {e}") from e
        return DATABASES

    def is_in_use(self) -> bool:
        """See BackupSource. Every process that has the store open listens in the run directory."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as knock:
            for path in (self._data / "run").glob("hints-*.sock"):
                try:
                    knock.connect(str(path))
                except OSError:
                    continue
                return True
        return False

    def blob_files(self) -> Iterator[BlobFile]:
        """See BackupSource. The packs come in order, so that the one being written to is last."""
        root = self._data / BLOB_AREA
        for path in sorted((root / "packs").glob("*.pack")):
            yield BlobFile(path.relative_to(self._data).as_posix(), is_immutable=False)
        for path in sorted((root / "large").glob("??/*")):
            yield BlobFile(path.relative_to(self._data).as_posix(), is_immutable=True)


class SqliteBackupCheck:
    """Implements ``ports.backup.BackupCheck``."""

    def missing_blobs(self, root: Path) -> Sequence[str]:
        """See BackupCheck. Of each blob the name and the extent are looked at, not the content."""
        problems: list[str] = []
        layout = Layout(root / BLOB_AREA)
        connection = _open_copy(root / MAIL_DATABASE)
        try:
            packs: dict[int, int] = {}
            rows = connection.execute(
                "SELECT blob_hash, stored_bytes, pack, offset FROM blob WHERE refs > 0 "
                "ORDER BY pack, offset"
            )
            for name, stored_bytes, pack, offset in rows:
                location = BlobLocation(pack, offset)
                if not _is_there(layout, packs, BlobHash(name), location, stored_bytes):
                    problems.append(f"content {name.hex()} is missing (pack {pack}, {offset})")
                    if len(problems) == _PROBLEMS_MAX:
                        break
            for fd in packs.values():
                os.close(fd)
        finally:
            connection.close()
        return problems

    def damaged_databases(self, root: Path) -> Sequence[str]:
        """See BackupCheck."""
        problems: list[str] = []
        for name in DATABASES:
            try:
                connection = _open_copy(root / name)
            except apsw.Error as e:
                problems.append(f"{name} cannot be opened: {e}")
                continue
            try:
                rows = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(20)")]
                problems += [f"{name}: {text}" for text in rows if text != "ok"]
            except apsw.Error as e:
                problems.append(f"{name} is damaged: {e}")
            finally:
                connection.close()
        return problems

    def begin_anew(self, root: Path) -> None:
        """See BackupCheck."""
        connection = apsw.Connection(str(root / MAIL_DATABASE))
        try:
            with connection:
                connection.execute(
                    "UPDATE mailbox SET highest_cn = highest_cn + ?", (_NUMBERS_SKIPPED,)
                )
                # Mailbox 0 is the house: it keeps count of items and has no clients.
                connection.execute("UPDATE mailbox SET guid = randomblob(16) WHERE mailbox_id > 0")
                connection.execute(
                    "UPDATE folder SET uid_next = uid_next + ? WHERE uid_next < ?",
                    (_UIDS_SKIPPED, (1 << 32) - 2 * _UIDS_SKIPPED),
                )
        except apsw.Error as e:
            raise Unavailable(f"{root / MAIL_DATABASE} cannot be made ready: {e}") from e
        finally:
            connection.close()


def _copy_database(source: Path, target: Path) -> None:
    reader = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    writer = apsw.Connection(str(target))
    try:
        reader.set_busy_timeout(BUSY_MS)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with writer.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(_PAGES_AT_ONCE)
        reader.execute("COMMIT")
        writer.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        writer.close()
        reader.close()
    target.chmod(0o600)
    fd = os.open(target, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open_copy(path: Path) -> apsw.Connection:
    """A file that nobody writes to; leaves nothing beside it."""
    uri = path.resolve().as_uri() + "?immutable=1"
    return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)


def _is_there(
    layout: Layout,
    packs: dict[int, int],
    name: BlobHash,
    location: BlobLocation,
    stored_bytes: int,
) -> bool:
    """``packs`` keeps the pack that was looked at last open: rows come in order of pack."""
    try:
        if not location.pack:
            return layout.file_of(location, name).stat().st_size == stored_bytes
        if location.pack not in packs:
            for fd in packs.values():
                os.close(fd)
            packs.clear()
            packs[location.pack] = os.open(layout.pack(location.pack), os.O_RDONLY)
        fd = packs[location.pack]
        header = os.pread(fd, HEADER_BYTES, location.offset - HEADER_BYTES)
        return header.endswith(name) and (os.fstat(fd).st_size >= location.offset + stored_bytes)
    except OSError:
        return False
