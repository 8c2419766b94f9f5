"""Many rows at a time: one step of SQLite for what a group has collected."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from posthouse.backends.sqlite.rows import (
    BLOB_COLUMNS,
    ITEM_COLUMNS,
    PLACE_COLUMNS,
    TOMBSTONE_COLUMNS,
    Row,
    in_list,
    marks,
    padded,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

T = TypeVar("T")

# OR ROLLBACK: a conflict ends the whole transaction, so SQLite need not journal each statement.
_INSERTS: Final = {
    "item": (f"INSERT OR ROLLBACK INTO item ({ITEM_COLUMNS}) VALUES ", 25),  # noqa: S608 - of constants
    "place": (f"INSERT OR ROLLBACK INTO place ({PLACE_COLUMNS}) VALUES ", 11),  # noqa: S608 - of constants
    "tombstone": (f"INSERT OR ROLLBACK INTO tombstone ({TOMBSTONE_COLUMNS}) VALUES ", 7),  # noqa: S608 - of constants
    "blob": (f"INSERT OR ROLLBACK INTO blob ({BLOB_COLUMNS}) VALUES ", 9),  # noqa: S608 - of constants
    "receipt": ("INSERT OR IGNORE INTO receipt (receipt, made_at) VALUES ", 2),
}
_RECEIPTS: Final = "SELECT receipt FROM receipt WHERE receipt IN (?*)"
_DROP_RECEIPTS: Final = "DELETE FROM receipt WHERE receipt IN (?*)"
_SIZES: Final = (64, 32, 24, 16, 12, 8, 7, 6, 5, 4, 3, 2, 1)
"""Rows per statement: few distinct statements, few steps."""


def insert_rows(connection: apsw.Connection, table: str, rows: list[Row]) -> None:
    """Insert rows whose columns stand in the table's order."""
    sql, width = _INSERTS[table]
    for portion in _portions(rows):
        connection.execute(sql + marks(len(portion), width), tuple(chain.from_iterable(portion)))


def drop_receipts(connection: apsw.Connection, receipts: list[bytes]) -> None:
    """They are settled."""
    for portion in _portions(receipts):
        connection.execute(in_list(_DROP_RECEIPTS, len(portion)), portion)


def absent_receipts(connection: apsw.Connection, receipts: Sequence[bytes]) -> set[bytes]:
    """Which of the receipts no row holds."""
    if not receipts:
        return set()
    wanted = padded(receipts)
    found = rows_of(connection.execute(in_list(_RECEIPTS, len(wanted)), wanted))
    return set(receipts).difference(row[0] for row in found)


def _portions(rows: list[T]) -> list[list[T]]:
    out: list[list[T]] = []
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            out.append(rows[start : start + size])
            start += size
    return out
