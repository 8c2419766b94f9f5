"""Upkeep as jobs of the writer: life of mailboxes, retention, horizons, receipts, blob rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from posthouse.backends.sqlite.operations_folders import insert_folder
from posthouse.backends.sqlite.rows import (
    MailboxRow,
    PlaceRow,
    rows_of,
)
from posthouse.backends.sqlite.work import DELETE_ITEM, RECOVERABLE, Work, drop_references
from posthouse.model.batch import MakeFolder
from posthouse.model.errors import NotFound
from posthouse.model.folder import DEFAULT_FOLDERS, FolderClass, FolderRole, Mailbox, MailboxKind
from posthouse.model.ids import ChangeNumber, FolderId, MailboxId

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from posthouse.backends.sqlite.books import Books
    from posthouse.model.blob import BlobLocation
    from posthouse.ports.blob_rows import BlobRow

SLICE: Final = 1000
"""Items a job takes away at once, so that no write transaction is long."""

_DELETE_MAILBOX: Final = (
    "DELETE FROM folder_tombstone WHERE mailbox_id = ?",
    "DELETE FROM tombstone WHERE mailbox_id = ?",
    "DELETE FROM hidden WHERE mailbox_id = ?",
    "DELETE FROM hidden_view WHERE mailbox_id = ?",
    "DELETE FROM folder_grant WHERE mailbox_id = ?",
    "DELETE FROM sync_state WHERE mailbox_id = ?",
    "DELETE FROM property_name WHERE mailbox_id = ?",
    "DELETE FROM idempotency WHERE mailbox_id = ?",
    "DELETE FROM place WHERE mailbox_id = ?",
    "DELETE FROM folder WHERE mailbox_id = ?",
    "DELETE FROM mailbox_policy WHERE mailbox_id = ?",
    "DELETE FROM mailbox WHERE mailbox_id = ?",
)
_OF_MAILBOX: Final = (
    "SELECT p.item_id, i.blob_hash, p.folder_id, p.uid FROM place p "
    "LEFT JOIN item i ON i.item_id = p.item_id WHERE p.mailbox_id = ? "
    "ORDER BY p.folder_id, p.uid LIMIT ?"
)
_EXPIRED: Final = (
    "SELECT i.mailbox_id, p.uid, r.item_id, p.created_cn, p.changed_cn, p.read_cn, p.flags, "
    "p.size_bytes, p.received_at FROM recoverable r JOIN item i ON i.item_id = r.item_id "
    "JOIN place p ON p.mailbox_id = i.mailbox_id AND p.folder_id = i.folder_id AND p.uid = i.uid "
    "WHERE r.deleted_at < ? ORDER BY r.deleted_at LIMIT ?"
)


def create_mailbox(
    books: Books, kind: MailboxKind, guid: bytes, uid_validity: int, quota_bytes: int
) -> Mailbox:
    """A mailbox with root and default folders, each under its own number."""
    connection = books.direct()
    connection.execute(
        "INSERT INTO mailbox (guid, kind, quota_bytes) VALUES (?, ?, ?)",
        (guid, kind.value, quota_bytes),
    )
    mailbox_id = MailboxId(connection.last_insert_rowid())
    connection.execute("INSERT INTO mailbox_policy (mailbox_id) VALUES (?)", (mailbox_id,))
    books.enter_mailbox(MailboxRow(mailbox_id, 1, 0, 0, 0, 0, quota_bytes, 0))
    work = Work(books, mailbox_id)
    root = insert_folder(
        work,
        FolderId(0),
        MakeFolder(FolderId(0), "Root", FolderClass.MAIL, FolderRole.ROOT),
        uid_validity,
    )
    for role, name, folder_class in DEFAULT_FOLDERS:
        row = insert_folder(
            work, root.folder_id, MakeFolder(root.folder_id, name, folder_class, role), uid_validity
        )
        if row.role == RECOVERABLE:
            work.mailbox.recoverable_id = row.folder_id
    connection.execute(
        "UPDATE mailbox SET recoverable_id = ? WHERE mailbox_id = ?",
        (work.mailbox.recoverable_id, mailbox_id),
    )
    highest = ChangeNumber(work.mailbox.highest_cn)
    return Mailbox(mailbox_id, guid, kind, highest, 0, 0, 0, quota_bytes, 1, "{}")


def begin_leaving(books: Books, mailbox_id: MailboxId) -> None:
    """The mailbox is out of sight from now on. Raises NotFound."""
    books.mailbox(mailbox_id)
    books.direct().execute("UPDATE mailbox SET is_leaving = 1 WHERE mailbox_id = ?", (mailbox_id,))
    books.strike_mailbox(mailbox_id)


def leaving(connection: apsw.Connection) -> list[MailboxId]:
    """Mailboxes whose removal has begun and not ended."""
    return [
        MailboxId(row[0])
        for row in connection.execute("SELECT mailbox_id FROM mailbox WHERE is_leaving <> 0")
    ]


def take_away(books: Books, mailbox_id: MailboxId) -> bool:
    """Remove a slice of a leaving mailbox; True while there is more."""
    connection = books.direct()
    rows = rows_of(connection.execute(_OF_MAILBOX, (mailbox_id, SLICE)))
    if rows:
        counts = Counter(row[1] for row in rows if row[1] is not None)
        drop_references(books, list(counts.items()))
        items = [(row[0],) for row in rows]
        for sql in DELETE_ITEM:
            connection.executemany(sql, items)
        connection.executemany(
            "DELETE FROM place WHERE mailbox_id = ? AND folder_id = ? AND uid = ?",
            [(mailbox_id, folder_id, uid) for _, _, folder_id, uid in rows],
        )
        return True
    for sql in _DELETE_MAILBOX:
        connection.execute(sql, (mailbox_id,))
    books.strike_folders(mailbox_id)
    return False


def expire_recoverable(books: Books, deleted_before: int, limit: int) -> int:
    """Delete for good what went to Recoverable Items before that time."""
    rows = rows_of(books.direct().execute(_EXPIRED, (deleted_before, limit)))
    mailboxes: dict[MailboxId, list[PlaceRow]] = {}
    for mailbox_id, *rest in rows:
        mailboxes.setdefault(mailbox_id, []).append(PlaceRow(*rest))
    done = 0
    for mailbox_id, places in mailboxes.items():
        try:
            work = Work(books, mailbox_id)
        except NotFound:  # it is leaving, and takes them along
            continue
        work.destroy(work.recover_folder(), places)
        done += len(places)
    return done


def raise_horizon(books: Books, before: int, limit: int) -> int:
    """Drop old tombstones, oldest first; points below the highest number dropped have expired."""
    connection = books.direct()
    old = connection.execute(
        "SELECT mailbox_id, folder_id, cn FROM tombstone WHERE made_at < ? ORDER BY made_at "
        "LIMIT ?",
        (before, limit),
    ).fetchall()
    connection.executemany(
        "UPDATE folder SET horizon_cn = ? WHERE mailbox_id = ? AND folder_id = ? "
        "AND horizon_cn < ?",
        [(cn, mailbox_id, folder_id, cn) for mailbox_id, folder_id, cn in old],
    )
    connection.executemany(
        "DELETE FROM tombstone WHERE mailbox_id = ? AND folder_id = ? AND cn = ?", old
    )
    old_folders = connection.execute(
        "SELECT mailbox_id, cn FROM folder_tombstone WHERE made_at < ? ORDER BY made_at LIMIT ?",
        (before, limit - len(old)),
    ).fetchall()
    connection.executemany(
        "UPDATE mailbox SET horizon_cn = ? WHERE mailbox_id = ? AND horizon_cn < ?",
        [(cn, mailbox_id, cn) for mailbox_id, cn in old_folders],
    )
    connection.executemany(
        "DELETE FROM folder_tombstone WHERE mailbox_id = ? AND cn = ?", old_folders
    )
    return len(old) + len(old_folders)


def forget_receipts(books: Books, before: int) -> int:
    """Drop old receipts and idempotency keys."""
    connection = books.direct()
    connection.execute("DELETE FROM receipt WHERE made_at < ?", (before,))
    dropped = connection.changes()
    connection.execute("DELETE FROM idempotency WHERE made_at < ?", (before,))
    return dropped + connection.changes()


def confirm_sync_state(
    books: Books, mailbox_id: MailboxId, device_id: int, collection: str, key: int
) -> None:
    """Forget the generations before ``key``."""
    books.direct().execute(
        "DELETE FROM sync_state WHERE mailbox_id = ? AND device_id = ? AND collection = ? "
        "AND sync_key < ? AND EXISTS (SELECT 1 FROM sync_state s WHERE s.mailbox_id = ? "
        "AND s.device_id = ? AND s.collection = ? AND s.sync_key = ?)",
        (mailbox_id, device_id, collection, key) * 2,
    )


# --- blob rows


def forget_blobs(books: Books, rows: Sequence[BlobRow]) -> list[BlobRow]:
    """See BlobRows."""
    connection = books.direct()
    gone: list[BlobRow] = []
    for row in rows:
        if row.ref.location is None:
            continue
        connection.execute(
            "DELETE FROM blob WHERE blob_hash = ? AND refs = 0 AND pack = ? AND offset = ?",
            (row.ref.blob_hash, row.ref.location.pack, row.ref.location.offset),
        )
        if connection.changes():
            gone.append(row)
    return gone


def move_blobs(
    books: Books, moves: Sequence[tuple[BlobRow, BlobLocation]]
) -> list[tuple[BlobRow, BlobLocation]]:
    """See BlobRows."""
    connection = books.direct()
    moved: list[tuple[BlobRow, BlobLocation]] = []
    for row, to in moves:
        if row.ref.location is None:
            continue
        connection.execute(
            "UPDATE blob SET pack = ?, offset = ? WHERE blob_hash = ? AND pack = ? AND offset = ?",
            (to.pack, to.offset, row.ref.blob_hash, row.ref.location.pack, row.ref.location.offset),
        )
        if connection.changes():
            moved.append((row, to))
    return moved
