"""Phones in the directory's file."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import apsw
import msgspec

from posthouse.backends.sqlite.directory_file import BUSY_MS, DirectoryFile
from posthouse.model.errors import Conflict, NotFound, Unavailable
from posthouse.model.partnership import Partnership

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from posthouse.backends.sqlite.directory_rows import Row
    from posthouse.model.ids import PrincipalId

# Noting a visit happens in the event loop: better forgotten than waited for.
_BUSY_NOTE_MS = 20

_FIXED = ("principal_id", "eas_id", "device_number", "revision", "first_seen_at")
_CHANGED = tuple(name for name in Partnership.__struct_fields__ if name not in _FIXED)
_COLUMNS = (*_FIXED, *_CHANGED)
_READ = f"SELECT {', '.join(_COLUMNS)} FROM partnership"  # noqa: S608  names of ours
_MADE = ("principal_id", "eas_id", "first_seen_at", *_CHANGED)
_INSERT = (
    f"INSERT INTO partnership (revision, {', '.join(_MADE)})"  # noqa: S608  names of ours
    f" VALUES (1{', ?' * len(_MADE)}) RETURNING {', '.join(_COLUMNS)}"
)
_UPDATE = (
    f"UPDATE partnership SET {', '.join(f'{name} = ?' for name in _CHANGED)},"  # noqa: S608  the same
    f" revision = revision + 1 WHERE device_number = ? AND revision = ?"
    f" RETURNING {', '.join(_COLUMNS)}"
)


class DirectoryPartnerships(DirectoryFile):
    """Implements ``PartnershipRecords``."""

    def partnership(self, principal_id: PrincipalId, eas_id: str) -> Partnership | None:
        """One of them."""
        where = " WHERE principal_id = ? AND eas_id = ?"
        row = self._first(_READ + where, principal_id, eas_id)
        return _partnership_from_row(row) if row else None

    def partnerships(self, principal_id: PrincipalId | None) -> Sequence[Partnership]:
        """Those of one person or of all, in order of first sight."""
        if principal_id is None:
            rows = self._all(_READ + " ORDER BY device_number")
        else:
            rows = self._all(_READ + " WHERE principal_id = ? ORDER BY device_number", principal_id)
        return [_partnership_from_row(row) for row in rows]

    def keep_partnership(self, partnership: Partnership) -> Partnership:
        """Make it or change it; raises Conflict, NotFound."""
        number, revision = partnership.device_number, partnership.revision
        with self._phone_change(), self._transaction():
            if revision:
                row = self._row(_UPDATE, *_values(partnership, _CHANGED), number, revision)
            else:
                owner = partnership.principal_id
                if self._row("SELECT 1 FROM principal WHERE principal_id = ?", owner) is None:
                    raise NotFound(f"no principal {owner}")
                row = self._row(_INSERT, *_values(partnership, _MADE))
            if row is None:
                raise Conflict("the partnership was changed or removed meanwhile")
        return _partnership_from_row(row)

    def note_partnership(self, partnership: Partnership) -> None:
        """Remember its visit; given up when another one writes."""
        noted = ("user_agent", "version", "password_device_id", "last_seen_at", "last_host")
        with suppress(apsw.Error):
            self._db.set_busy_timeout(_BUSY_NOTE_MS)
            # Not worth a sync: a lost note is made again within the quarter of an hour.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._run(
                "UPDATE partnership SET user_agent = ?, version = ?, password_device_id = ?,"
                " last_seen_at = ?, last_host = ? WHERE device_number = ?",
                *_values(partnership, noted),
                partnership.device_number,
            )
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.set_busy_timeout(BUSY_MS)

    def forget_partnership(self, principal_id: PrincipalId, eas_id: str) -> None:
        """Raises NotFound."""
        with self._phone_change(), self._transaction():
            self._run(
                "DELETE FROM partnership WHERE principal_id = ? AND eas_id = ?",
                *(principal_id, eas_id),
            )
            self._must_have_changed(f"no phone {eas_id}")

    def _row(self, sql: str, *bindings: int | str | bytes) -> Row | None:
        """As ``_first``, but SQLite's own errors pass."""
        row: Row | None = self._db.execute(sql, bindings).fetchone()
        return row

    @contextmanager
    def _phone_change(self) -> Iterator[None]:
        """Without moving the version: nobody caches phones."""
        try:
            yield
        except apsw.ConstraintError as e:
            raise Conflict("the partnership was made meanwhile") from e
        except apsw.Error as e:
            raise Unavailable(f"directory.db: {e}") from e


def _values(partnership: Partnership, names: Sequence[str]) -> tuple[int | str, ...]:
    return tuple(
        int(value) if isinstance(value, int) else value
        for value in (getattr(partnership, name) for name in names)
    )


def _partnership_from_row(row: Row) -> Partnership:
    """``row``: ``_COLUMNS``."""
    values = dict(zip(_COLUMNS, row, strict=True))
    # Numbers become the enumerations and truth values that the fields say.
    return msgspec.convert(values, Partnership, strict=False)
