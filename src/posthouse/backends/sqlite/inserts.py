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
    values_list,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from posthouse.backends.sqlite.rows import FolderRow, MailboxRow
    from posthouse.model.ids import BlobHash

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
# The columns of VALUES are named column1, column2 and so on. Rows of the same kind change in one
# step: each step gives the interpreter's lock away and has to win it back.
_KEEP_MAILBOXES: Final = (
    "UPDATE mailbox SET highest_cn = column2, item_count = column3, size_bytes = column4, "
    "recoverable_bytes = column5, quota_bytes = column6 FROM (VALUES ?*) "
    "WHERE mailbox_id = column1"
)
_KEEP_FOLDERS: Final = (
    "UPDATE folder SET uid_next = column3, changed_cn = column4, highest_cn = column5, "
    "item_count = column6, unread_count = column7, size_bytes = column8 FROM (VALUES ?*) "
    "WHERE mailbox_id = column1 AND folder_id = column2"
)
_ADD_REFERENCES: Final = "UPDATE blob SET refs = refs + ?, dead_since = 0 WHERE blob_hash IN (?*)"
# One row comes out whatever is found: each row is a step of its own.
_KNOWN_BLOBS: Final = "SELECT group_concat(hex(blob_hash)) FROM blob WHERE blob_hash IN (?*)"
_SIZES: Final = (64, 48, *range(32, 0, -1))
"""Rows per statement: not too many distinct statements, few steps."""


def insert_rows(connection: apsw.Connection, table: str, rows: list[Row]) -> None:
    """Insert rows whose columns stand in the table's order."""
    sql, width = _INSERTS[table]
    for portion in _portions(rows):
        connection.execute(sql + marks(len(portion), width), tuple(chain.from_iterable(portion)))


def keep_mailboxes(connection: apsw.Connection, mailboxes: Sequence[MailboxRow]) -> None:
    """Write counters back."""
    rows: list[Row] = [
        (
            m.mailbox_id,
            m.highest_cn,
            m.item_count,
            m.size_bytes,
            m.recoverable_bytes,
            m.quota_bytes,
        )
        for m in mailboxes
    ]
    _change_rows(connection, _KEEP_MAILBOXES, rows)


def keep_folders(connection: apsw.Connection, folders: Sequence[FolderRow]) -> None:
    """Write counters back."""
    rows: list[Row] = [
        (
            f.mailbox_id,
            f.folder_id,
            f.uid_next,
            f.changed_cn,
            f.highest_cn,
            f.item_count,
            f.unread_count,
            f.size_bytes,
        )
        for f in folders
    ]
    _change_rows(connection, _KEEP_FOLDERS, rows)


def add_references(connection: apsw.Connection, blobs: Sequence[BlobHash], count: int) -> int:
    """``count`` more rows name each of these blobs; says how many of them are there."""
    changed = 0
    for portion in _portions(blobs):
        sql = in_list(_ADD_REFERENCES, len(portion))
        connection.execute(sql, (count, *portion))
        changed += connection.changes()
    return changed


def known_blobs(connection: apsw.Connection, blobs: Sequence[BlobHash]) -> set[bytes]:
    """Which of the blobs have a row."""
    wanted = padded(blobs)
    found = connection.execute(in_list(_KNOWN_BLOBS, len(wanted)), wanted).get
    return {bytes.fromhex(name) for name in found.split(",")} if found else set()


def _change_rows(connection: apsw.Connection, sql: str, rows: Sequence[Row]) -> None:
    for portion in _portions(rows):
        values = tuple(chain.from_iterable(portion))
        connection.execute(values_list(sql, len(portion), len(portion[0])), values)


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


def _portions(rows: Sequence[T]) -> list[Sequence[T]]:
    out: list[Sequence[T]] = []
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            out.append(rows[start : start + size])
            start += size
    return out
