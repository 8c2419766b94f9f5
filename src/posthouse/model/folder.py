"""Folders: what they are and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.ids import ChangeNumber, FolderId, MailboxId


class MailboxKind(IntEnum):
    """Whose mailbox it is."""

    USER = 1
    SHARED = 2
    ROOM = 3
    PUBLIC = 4


class FolderRole(IntEnum):
    """Special folders; one of each role per mailbox, but any number of NONE."""

    NONE = 0
    ROOT = 1
    INBOX = 2
    DRAFTS = 3
    SENT = 4
    DELETED = 5
    JUNK = 6
    ARCHIVE = 7
    OUTBOX = 8
    CALENDAR = 9
    CONTACTS = 10
    TASKS = 11
    NOTES = 12
    JOURNAL = 13
    FILES = 14
    RECOVERABLE = 15
    """Recoverable items: what was deleted for good, until retention takes it.

    Not shown by any door.
    """


class FolderClass(StrEnum):
    """What a folder holds, in Exchange's words ([MS-OXOSFLD] v24 §2.2.1, PidTagContainerClass)."""

    MAIL = "IPF.Note"
    CALENDAR = "IPF.Appointment"
    CONTACTS = "IPF.Contact"
    TASKS = "IPF.Task"
    NOTES = "IPF.StickyNote"
    JOURNAL = "IPF.Journal"
    FILES = "IPF.Files"


DEFAULT_FOLDERS: tuple[tuple[FolderRole, str, FolderClass], ...] = (
    (FolderRole.INBOX, "Inbox", FolderClass.MAIL),
    (FolderRole.DRAFTS, "Drafts", FolderClass.MAIL),
    (FolderRole.SENT, "Sent Items", FolderClass.MAIL),
    (FolderRole.DELETED, "Deleted Items", FolderClass.MAIL),
    (FolderRole.JUNK, "Junk Email", FolderClass.MAIL),
    (FolderRole.ARCHIVE, "Archive", FolderClass.MAIL),
    (FolderRole.OUTBOX, "Outbox", FolderClass.MAIL),
    (FolderRole.CALENDAR, "Calendar", FolderClass.CALENDAR),
    (FolderRole.CONTACTS, "Contacts", FolderClass.CONTACTS),
    (FolderRole.TASKS, "Tasks", FolderClass.TASKS),
    (FolderRole.NOTES, "Notes", FolderClass.NOTES),
    (FolderRole.JOURNAL, "Journal", FolderClass.JOURNAL),
    (FolderRole.FILES, "Files", FolderClass.FILES),
    (FolderRole.RECOVERABLE, "Recoverable Items", FolderClass.MAIL),
)
"""What every new mailbox begins with, below its root."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder as it stands.

    Attributes:
        mailbox_id: the mailbox it belongs to.
        folder_id: its number.
        parent_id: 0 for the root.
        role: special folder, or NONE.
        folder_class: what it holds.
        name: as shown, 1 to 255 characters, no control characters, "/" allowed only by doors that
            escape it.
        uid_validity: IMAP's; changes only by explicit repair.
        uid_next: the uid the next item will get.
        changed_cn: last change of the folder's own properties.
        highest_cn: last change of anything in it (HIGHESTMODSEQ).
        horizon_cn: sync points below this have expired.
        item_count: items in it.
        unread_count: of these, without SEEN.
        size_bytes: sum of the items' sizes.
        bag: other properties, as CBOR-like JSON bytes (b"" when none).
    """

    mailbox_id: MailboxId
    folder_id: FolderId
    parent_id: FolderId
    role: FolderRole
    folder_class: FolderClass
    name: str
    uid_validity: int
    uid_next: int
    changed_cn: ChangeNumber
    highest_cn: ChangeNumber
    horizon_cn: ChangeNumber
    item_count: int
    unread_count: int
    size_bytes: int
    bag: bytes = b""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox as it stands.

    Attributes:
        mailbox_id: its number.
        guid: 16 random bytes; new after a restore that made older tokens invalid.
        kind: whose it is.
        highest_cn: the change log's end.
        item_count: items outside Recoverable Items.
        size_bytes: their sizes, prefix included.
        recoverable_bytes: size of Recoverable Items.
        quota_bytes: limit of size_bytes; 0 is none.
        epoch: grows when the mailbox moves; batches may carry it.
        settings: JSON object of per-mailbox policy (``pop_delete``: hide|trash|expunge,
            ``pop_folders`` ...).
    """

    mailbox_id: MailboxId
    guid: bytes
    kind: MailboxKind
    highest_cn: ChangeNumber
    item_count: int
    size_bytes: int
    recoverable_bytes: int
    quota_bytes: int
    epoch: int
    settings: str
