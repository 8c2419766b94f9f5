"""Reading blob rows: see ``ports.blob_rows.BlobRows``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.backends.sqlite.rows import BLOB_COLUMNS, blob_row_from_row, rows_of
from posthouse.model.blob import BlobLocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.backends.sqlite.reading import Readers
    from posthouse.model.ids import BlobHash
    from posthouse.ports.blob_rows import BlobRow

_LIMIT_MAX: Final = 2000
_ROWS: Final = f"SELECT {BLOB_COLUMNS} FROM blob WHERE "  # noqa: S608 - of constants


class ReadingBlobs:
    """Reads of the blob table."""

    _readers: Readers

    def locate(self, blob_hash: BlobHash) -> BlobLocation | None:
        """See BlobRows."""
        rows = self._readers.get().execute(
            "SELECT pack, offset FROM blob WHERE blob_hash = ?", (blob_hash,)
        )
        found = rows_of(rows)
        return BlobLocation(*found[0]) if found else None

    async def blob_rows(self, after: BlobHash, limit: int) -> Sequence[BlobRow]:
        """See BlobRows."""
        rows = self._readers.get().execute(
            f"{_ROWS}blob_hash > ? ORDER BY blob_hash LIMIT ?", (after, min(limit, _LIMIT_MAX))
        )
        return [blob_row_from_row(row) for row in rows.fetchall()]

    async def blob_rows_in_pack(self, pack: int, after: int, limit: int) -> Sequence[BlobRow]:
        """See BlobRows.

        Without an index by pack (deliveries would pay for it): a walk through the table.
        """
        rows = self._readers.get().execute(
            f"{_ROWS}pack = ? AND offset > ? ORDER BY offset LIMIT ?",
            (pack, after, min(limit, _LIMIT_MAX)),
        )
        return [blob_row_from_row(row) for row in rows.fetchall()]

    async def pack_usage(self) -> Sequence[tuple[int, int]]:
        """See BlobRows."""
        rows = self._readers.get().execute(
            "SELECT pack, sum(stored_bytes) FROM blob WHERE pack <> 0 GROUP BY pack ORDER BY pack"
        )
        return [(pack, size) for pack, size in rows_of(rows)]

    async def dead_blobs(self, dead_before: int, limit: int) -> Sequence[BlobRow]:
        """See BlobRows."""
        rows = self._readers.get().execute(
            f"{_ROWS}dead_since <> 0 AND dead_since < ? ORDER BY dead_since LIMIT ?",
            (dead_before, min(limit, _LIMIT_MAX)),
        )
        return [blob_row_from_row(row) for row in rows.fetchall()]
