"""Items: everything that lies in a folder.

Notes:
    An item is wide and rarely changes; its *place* in a folder (uid, flags) is narrow and changes
    often. Times are integers, milliseconds since 1970 in UTC, named ``_at``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from posthouse.model.blob import BlobRef
    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, Uid


class ItemKind(IntEnum):
    """What an item is."""

    MESSAGE = 1
    APPOINTMENT = 2
    CONTACT = 3
    TASK = 4
    NOTE = 5
    FILE = 6
    ASSOCIATED = 7
    """Folder-associated information: settings that clients keep in a folder."""


class Flags(IntFlag):
    """Marks on a place. Keywords beyond these live in the item's bag."""

    NONE = 0
    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16
    FORWARDED = 32
    JUNK = 64
    NOT_JUNK = 128
    MDN_SENT = 256


class ItemColumns(Struct, frozen=True):
    """The typed columns of an item: whatever is sorted, filtered or listed.

    Attributes:
        sent_at: the Date header or start of validity (0 unknown).
        message_id: without angle brackets, at most 998 characters ("" none).
        subject: decoded, at most 255 characters.
        sender: decoded From, at most 255 characters.
        recipients: decoded To, at most 255 characters.
        thread: hash of the conversation (0 none).
        item_class: Exchange's message class.
        importance: 0 low, 1 normal, 2 high.
        has_attachments: as a mail client would show it.
        start_at: of an appointment or task.
        end_at: of an appointment or task; of a series when its last occurrence is over.
        ical_uid: of an appointment or task, uid of a contact.
        name: a file's or DAV resource's name in its folder ("" none).
    """

    sent_at: int = 0
    message_id: str = ""
    subject: str = ""
    sender: str = ""
    recipients: str = ""
    thread: int = 0
    item_class: str = "IPM.Note"
    importance: int = 1
    has_attachments: bool = False
    start_at: int = 0
    end_at: int = 0
    ical_uid: str = ""
    name: str = ""


class NewItem(Struct, frozen=True):
    """What is needed to make an item.

    Attributes:
        kind: what it is.
        blob: the original bytes, durable by the time the batch commits; None for items without.
        prefix: header lines of this recipient alone, CRLF-ended, served before the blob.
        received_at: when it came (IMAP's INTERNALDATE).
        flags: marks it begins with.
        columns: typed columns.
        bag: other properties (JSON bytes, b"" none).
        uidl: a UIDL carried over from an older server ("" for our own).
    """

    kind: ItemKind
    blob: BlobRef | None
    received_at: int
    prefix: bytes = b""
    flags: Flags = Flags.NONE
    columns: ItemColumns = ItemColumns()
    bag: bytes = b""
    uidl: str = ""

    @property
    def size_bytes(self) -> int:
        """Size as any door shows it: prefix and content together."""
        return len(self.prefix) + (self.blob.served_bytes if self.blob else 0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item lies, and its marks there.

    Attributes:
        folder_id: the folder.
        uid: its number there.
        item_id: the item.
        created_cn: when it came to this folder.
        changed_cn: last change of anything but the read state.
        read_cn: last change of the read state (0 never).
        flags: marks.
        size_bytes: as served.
        received_at: IMAP's INTERNALDATE.
    """

    folder_id: FolderId
    uid: Uid
    item_id: ItemId
    created_cn: ChangeNumber
    changed_cn: ChangeNumber
    read_cn: ChangeNumber
    flags: Flags
    size_bytes: int
    received_at: int


class Item(Struct, frozen=True):
    """An item whole, without its blob's bytes.

    Attributes:
        item_id: its number.
        kind: what it is.
        changed_cn: last change of its content or properties.
        blob: where the original bytes are.
        prefix: this recipient's own header lines.
        received_at: when it came.
        columns: typed columns.
        bag: other properties.
        card: what was rendered once for all doors (envelope, structure, preview); b"" until
            rendered.
        uidl: imported UIDL, or "".
    """

    item_id: ItemId
    kind: ItemKind
    changed_cn: ChangeNumber
    blob: BlobRef | None
    prefix: bytes
    received_at: int
    columns: ItemColumns
    bag: bytes
    card: bytes
    uidl: str


class Content(Struct, frozen=True):
    """What an item serves, and nothing else of it: for doors that send one after the other.

    Attributes:
        item_id: its number.
        prefix: this recipient's own header lines.
        blob: where the original bytes are; None for items without.
    """

    item_id: ItemId
    prefix: bytes
    blob: BlobRef | None
