"""Blob rows: what the records know about blobs, for those who read, sweep and compact them.

Notes:
    A row says that the bytes at its location are whole and durable. Rows come and go only in the
    records engine, so the order for whoever tidies the blob area is: first change the row here
    (durable when the call returns), then touch the bytes. A row without references may come back to
    life at any moment before it is forgotten; once ``forget_blobs`` has answered, nobody will name
    that location again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.blob import BlobLocation, BlobRef
    from posthouse.model.ids import BlobHash


@dataclass(frozen=True, slots=True)
class BlobRow:
    """One blob as the records know it.

    Attributes:
        ref: name, shape and location (``ref.location`` is always set here).
        references: how many items and queued messages name it.
        dead_since: when the last reference went, ms; 0 while there is one.
    """

    ref: BlobRef
    references: int
    dead_since: int


class BlobRows(Protocol):
    """The records engine as the blob area sees it.

    Implemented by the same object as ``Records``.
    """

    def locate(self, blob_hash: BlobHash) -> BlobLocation | None:
        """Where a blob lies now; None when there is no such row.

        Synchronous; callable from any thread.
        """
        ...

    async def blob_rows(self, after: BlobHash, limit: int) -> Sequence[BlobRow]:
        """Rows with a greater hash, in order (b"" begins), dead ones included; at most 2 000."""
        ...

    async def blob_rows_in_pack(self, pack: int, after: int, limit: int) -> Sequence[BlobRow]:
        """Rows in a pack (not 0) with a greater offset, in order (-1 begins), the dead included."""
        ...

    async def pack_usage(self) -> Sequence[tuple[int, int]]:
        """(pack, stored bytes its rows name) for every pack that has rows, in order; 0 left out."""
        ...

    async def dead_blobs(self, dead_before: int, limit: int) -> Sequence[BlobRow]:
        """Rows whose last reference went before that time, ms, oldest first."""
        ...

    async def forget_blobs(self, rows: Sequence[BlobRow]) -> Sequence[BlobRow]:
        """Delete those of the rows that still have no reference and still lie there; says which.

        Durable when it returns: only then may the bytes go.
        """
        ...

    async def move_blobs(
        self, moves: Sequence[tuple[BlobRow, BlobLocation]]
    ) -> Sequence[tuple[BlobRow, BlobLocation]]:
        """Point rows at copies of their bytes (already durable); says which.

        Rows that no longer say where the bytes lay are left alone.

        References do not matter: a dead row moves too.
        """
        ...
