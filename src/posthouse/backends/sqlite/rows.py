"""Rows and values: the columns of the records' tables, and how values go in and come out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from posthouse.model.blob import BlobForm, BlobLocation, BlobRef
from posthouse.model.folder import Folder, FolderClass, FolderRole, Mailbox, MailboxKind
from posthouse.model.item import Content, Flags, Item, ItemColumns, ItemKind, Place
from posthouse.ports.blob_rows import BlobRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId, Uid

Row = tuple[Any, ...]
"""A row as SQLite gives or takes it. The one place where ``Any`` enters this package."""

SEEN: Final = int(Flags.SEEN)

DOT_LINES: Final = 1
NO_FINAL_EOL: Final = 2

# Looking a member up by calling its Enum costs as much as the rest of a row.
_FORMS: Final = tuple(sorted(BlobForm))
_KINDS: Final = {kind.value: kind for kind in ItemKind}

ITEM_COLUMNS: Final = (
    "item_id, mailbox_id, folder_id, uid, changed_cn, kind, blob_hash, prefix, received_at, "
    "message_key, sent_at, "
    "message_id, subject, sender, recipients, thread, item_class, importance, has_attachments, "
    "start_at, end_at, "
    "ical_uid, name, bag, uidl"
)
PLACE_COLUMNS: Final = (
    "mailbox_id, folder_id, uid, item_id, created_cn, changed_cn, read_cn, mod_cn, flags, "
    "size_bytes, received_at"
)
PLACE_SHOWN: Final = (
    "folder_id, uid, item_id, created_cn, changed_cn, read_cn, flags, size_bytes, received_at"
)
TOMBSTONE_COLUMNS: Final = "mailbox_id, folder_id, cn, uid, item_id, created_cn, made_at"
BLOB_COLUMNS: Final = (
    "blob_hash, form, size_bytes, stored_bytes, shape, pack, offset, refs, dead_since"
)
FOLDER_COLUMNS: Final = (
    "mailbox_id, folder_id, parent_id, role, folder_class, name, uid_validity, uid_next, "
    "changed_cn, highest_cn, "
    "horizon_cn, item_count, unread_count, size_bytes, bag"
)


def rows_of(cursor: apsw.Cursor) -> list[Row]:
    """All rows at once, as what they are to us."""
    return cursor.fetchall()


@lru_cache(maxsize=1024)
def in_list(sql: str, count: int) -> str:
    """A statement whose ``(?*)`` stands for so many values."""
    return sql.replace("(?*)", f"({marks(count)})")


@lru_cache(maxsize=1024)
def values_list(sql: str, count: int, width: int) -> str:
    """A statement whose ``VALUES ?*`` stands for so many rows of so many values."""
    return sql.replace("?*", marks(count, width))


def message_key(message_id: str) -> int:
    """63 bits of a Message-ID for a narrow index; 0 for none."""
    if not message_id:
        return 0
    digest = blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 or 1


@lru_cache(maxsize=1024)
def flags_from_int(value: int) -> Flags:
    """IntFlag's own constructor is slow; a folder shows few different values."""
    return Flags(value)


@lru_cache(maxsize=4096)
def marks(count: int, width: int = 0) -> str:
    """``?, ?`` for IN, or ``(?, ?), (?, ?)`` for VALUES when ``width`` is given."""
    if not width:
        return ", ".join(["?"] * count)
    return ", ".join([f"({marks(width)})"] * count)


def padded(values: Sequence[int] | Sequence[bytes]) -> list[Any]:
    """Values for an IN list, the last repeated up to a power of two: few distinct statements."""
    out: list[Any] = list(values)
    size = 1 << (len(out) - 1).bit_length() if out else 0
    return out + out[-1:] * (size - len(out))


@dataclass(slots=True)
class MailboxRow:
    """Counters of a mailbox while a transaction works on them."""

    mailbox_id: MailboxId
    epoch: int
    highest_cn: int
    item_count: int
    size_bytes: int
    recoverable_bytes: int
    quota_bytes: int
    recoverable_id: int

    def copy(self) -> MailboxRow:
        """For taking back a commit that failed."""
        return MailboxRow(
            self.mailbox_id,
            self.epoch,
            self.highest_cn,
            self.item_count,
            self.size_bytes,
            self.recoverable_bytes,
            self.quota_bytes,
            self.recoverable_id,
        )


@dataclass(slots=True)
class FolderRow:
    """Counters of a folder while a transaction works on them."""

    mailbox_id: MailboxId
    folder_id: FolderId
    role: int
    uid_validity: int
    uid_next: int
    changed_cn: int
    highest_cn: int
    item_count: int
    unread_count: int
    size_bytes: int

    def copy(self) -> FolderRow:
        """For taking back a commit that failed."""
        return FolderRow(
            self.mailbox_id,
            self.folder_id,
            self.role,
            self.uid_validity,
            self.uid_next,
            self.changed_cn,
            self.highest_cn,
            self.item_count,
            self.unread_count,
            self.size_bytes,
        )


@dataclass(slots=True)
class PlaceRow:
    """A place while a transaction works on it."""

    uid: Uid
    item_id: ItemId
    created_cn: ChangeNumber
    changed_cn: ChangeNumber
    read_cn: ChangeNumber
    flags: int
    size_bytes: int
    received_at: int

    @property
    def is_unread(self) -> bool:
        """Counts towards the folder's unread items."""
        return not self.flags & SEEN


def mailbox_from_row(row: Row) -> Mailbox:
    """Columns as in ``reading.MAILBOX``."""
    return Mailbox(row[0], row[1], MailboxKind(row[2]), *row[3:])


def folder_from_row(row: Row) -> Folder:
    """Columns as in FOLDER_COLUMNS."""
    return Folder(row[0], row[1], row[2], FolderRole(row[3]), FolderClass(row[4]), row[5], *row[6:])


def place_from_row(row: Row) -> Place:
    """Columns as in PLACE_SHOWN."""
    folder_id, uid, item_id, created, changed, read, flags, size, received_at = row
    return Place(
        folder_id, uid, item_id, created, changed, read, flags_from_int(flags), size, received_at
    )


def ref_from_row(row: Row) -> BlobRef:
    """Columns blob_hash to offset of BLOB_COLUMNS."""
    blob_hash, form, size, stored, shape, pack, offset = row
    return BlobRef(
        blob_hash,
        _FORMS[form],
        size,
        stored,
        has_dot_lines=shape & DOT_LINES != 0,
        lacks_final_eol=shape & NO_FINAL_EOL != 0,
        location=BlobLocation(pack, offset),
    )


def blob_row_from_row(row: Row) -> BlobRow:
    """Columns as in BLOB_COLUMNS."""
    return BlobRow(ref_from_row(row[:7]), row[7], row[8])


def row_from_ref(ref: BlobRef, location: BlobLocation, references: int) -> Row:
    """Columns as in BLOB_COLUMNS."""
    shape = DOT_LINES * ref.has_dot_lines + NO_FINAL_EOL * ref.lacks_final_eol
    return (
        ref.blob_hash,
        ref.form.value,
        ref.size_bytes,
        ref.stored_bytes,
        shape,
        location.pack,
        location.offset,
        references,
        0,
    )


def columns_row(columns: ItemColumns) -> Row:
    """message_key to name of ITEM_COLUMNS."""
    return (
        message_key(columns.message_id),
        columns.sent_at,
        columns.message_id,
        columns.subject,
        columns.sender,
        columns.recipients,
        columns.thread,
        columns.item_class,
        columns.importance,
        columns.has_attachments,
        columns.start_at,
        columns.end_at,
        columns.ical_uid,
        columns.name,
    )


ITEM_SELECT: Final = (
    "SELECT i.item_id, i.kind, i.changed_cn, i.prefix, i.received_at, i.bag, c.card, i.uidl, "
    "i.sent_at, i.message_id, i.subject, i.sender, i.recipients, i.thread, i.item_class, "
    "i.importance, i.has_attachments, i.start_at, i.end_at, i.ical_uid, i.name, b.blob_hash, "
    "b.form, b.size_bytes, b.stored_bytes, b.shape, b.pack, b.offset FROM item i LEFT "
    "JOIN item_card c ON c.item_id = i.item_id LEFT JOIN blob b ON b.blob_hash = i.blob_hash"
)


def item_from_row(row: Row) -> Item:
    """Columns as in ITEM_SELECT."""
    item_id, kind, changed_cn, prefix, received_at, bag, card, uidl = row[:8]
    columns = ItemColumns(*row[8:16], bool(row[16]), *row[17:21])  # type: ignore[call-arg] # 13
    ref = ref_from_row(row[21:]) if row[21] is not None else None
    return Item(
        item_id,
        _KINDS[kind],
        changed_cn,
        ref,
        prefix,
        received_at,
        columns,
        bag,
        card or b"",
        uidl,
    )


CONTENT_SELECT: Final = (
    "SELECT i.item_id, i.prefix, b.blob_hash, b.form, b.size_bytes, b.stored_bytes, b.shape, "
    "b.pack, b.offset FROM item i LEFT JOIN blob b ON b.blob_hash = i.blob_hash"
)


def content_from_row(row: Row) -> Content:
    """Columns as in CONTENT_SELECT."""
    return Content(row[0], row[1], ref_from_row(row[2:]) if row[2] is not None else None)
