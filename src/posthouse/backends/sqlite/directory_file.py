"""The file ``directory.db``: opening it, changing it all or nothing, and its version.

Notes:
    - WAL with ``synchronous=FULL``: a change is on disk when the call returns. Any process may
      write; the others learn of it by ``PRAGMA data_version``, which costs a few microseconds.
    - The version is a row, not ``data_version`` itself: noting a last use moves the latter, but
      must not empty anybody's caches.
    - Nothing is cached here; services do that by the version.
    - A connection must not cross a fork: open the file in the process that uses it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from posthouse.backends.sqlite.connection import keep_journal, sync_folder
from posthouse.backends.sqlite.directory_schema import STEPS
from posthouse.model.errors import AlreadyExists, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from posthouse.backends.sqlite.directory_rows import Row
    from posthouse.model.ids import PrincipalId
    from posthouse.ports.clock import Chance

BUSY_MS = 5000


class DirectoryFile:
    """How the parts of the directory speak with SQLite.

    Args:
        path: the file; made when it is not there.
        chance: for salts and the installation's secrets.
    """

    def __init__(self, path: Path, chance: Chance) -> None:
        self._chance = chance
        is_new = not path.exists()
        try:
            # Before SQLite does it: its journal files take the mode over.
            path.touch(mode=0o600)
            self._db = apsw.Connection(str(path))
            self._db.set_busy_timeout(BUSY_MS)
            self._db.execute("PRAGMA journal_mode=WAL")
            keep_journal(self._db)
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._take_steps()
            if is_new:
                sync_folder(path.parent)
        except (apsw.Error, OSError) as e:
            raise Unavailable(f"cannot open {path}: {e}") from e
        self._data_version = -1
        self._version = 0

    def _take_steps(self) -> None:
        with self._transaction():
            taken = self._db.pragma("user_version")
            if taken > len(STEPS):
                raise Unavailable("directory.db was written by a newer version of Posthouse")
            for step in STEPS[taken:]:
                self._db.execute(step)
            if taken < len(STEPS):
                self._db.pragma("user_version", len(STEPS))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def version(self) -> int:
        """Changes whenever anything in the directory did, by any process."""
        try:
            data_version = self._db.execute("PRAGMA data_version").get
            if data_version != self._data_version:
                self._version = self._db.execute("SELECT version FROM state").get
                self._data_version = data_version
        except apsw.Error as e:
            raise _unavailable(e) from e
        return self._version

    def _first(self, sql: str, *bindings: int | str | bytes) -> Row | None:
        try:
            row: Row | None = self._db.execute(sql, bindings).fetchone()
        except apsw.Error as e:
            raise _unavailable(e) from e
        return row

    def _all(self, sql: str, *bindings: int | str | bytes) -> list[Row]:
        try:
            return self._db.execute(sql, bindings).fetchall()
        except apsw.Error as e:
            raise _unavailable(e) from e

    def _run(self, sql: str, *bindings: int | str | bytes) -> None:
        self._db.execute(sql, bindings)

    @contextmanager
    def _change(self, taken: str = "") -> Iterator[None]:
        """Do it all or nothing, durably, and move the version.

        Raises:
            AlreadyExists: with the text ``taken``, when a name that must be new is not.
            Unavailable: SQLite could not.
        """
        try:
            with self._transaction():
                yield
                self._db.execute("UPDATE state SET version = version + 1")
        except apsw.ConstraintError as e:
            raise AlreadyExists(taken or "taken already") from e
        except apsw.Error as e:
            raise _unavailable(e) from e
        finally:
            # Our own changes do not move data_version.
            self._data_version = -1

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _touch(self, principal_id: PrincipalId) -> None:
        sql = "UPDATE principal SET version = version + 1 WHERE principal_id = ?"
        self._run(sql, principal_id)
        self._must_have_changed(f"no principal {principal_id}")

    def _must_have_changed(self, otherwise: str) -> None:
        if not self._db.changes():
            raise NotFound(otherwise)


def _unavailable(error: apsw.Error) -> Unavailable:
    """What a fault of SQLite is to everybody else."""
    return Unavailable(f"directory.db: {error}")
