"""The one way to write: batches of operations under preconditions, all or nothing.

Notes:
    A batch concerns one mailbox. A commit is one or more batches (of different mailboxes) and
    additions to the outbound queue that become durable together or not at all: so every recipient
    of a message is served in one go. Nobody holds a transaction across ``await``: a batch is data,
    and its answer is data. Later operations refer to folders and items made earlier in the same
    batch by ``Made(n)``: the result of the n-th operation (0-based).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from posthouse.model.blob import BlobRef, StagedBlob
    from posthouse.model.folder import FolderClass, FolderRole
    from posthouse.model.ids import (
        ChangeNumber,
        DeviceId,
        FolderId,
        ItemId,
        MailboxId,
        PrincipalId,
        Uid,
        ViewId,
    )
    from posthouse.model.item import Flags, ItemColumns, NewItem
    from posthouse.model.queue import NewQueued
    from posthouse.model.rights import Rights


class Made(Struct, frozen=True):
    """Stands for the id that operation ``index`` of the same batch gave."""

    index: int


# --- preconditions: all are checked before the first operation; a failed one raises Conflict


@dataclass(frozen=True, slots=True)
class ItemUnchanged:
    """The item's ``changed_cn`` is still this."""

    item_id: ItemId
    changed_cn: ChangeNumber


@dataclass(frozen=True, slots=True)
class FolderUnchanged:
    """The folder's own properties are as they were at this number."""

    folder_id: FolderId
    changed_cn: ChangeNumber


@dataclass(frozen=True, slots=True)
class EpochIs:
    """The mailbox has not moved since."""

    epoch: int


@dataclass(frozen=True, slots=True)
class MessageIdAbsent:
    """No item of this Message-ID lies in the folder."""

    folder_id: FolderId
    message_id: str


@dataclass(frozen=True, slots=True)
class PolicyUnchanged:
    """The mailbox's settings and rules are still these texts; None is not looked at."""

    settings: str | None = None
    rules: str | None = None


Precondition = ItemUnchanged | FolderUnchanged | EpochIs | MessageIdAbsent | PolicyUnchanged


# --- operations


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """Makes a folder; AlreadyExists when the parent has one of that name. Result: folder_id."""

    parent: FolderId | Made
    name: str
    folder_class: FolderClass
    role: FolderRole
    bag: bytes = b""


@dataclass(frozen=True, slots=True)
class ChangeFolder:
    """Renames, moves or changes the bag; None leaves as it is. A move below itself is Conflict."""

    folder: FolderId
    name: str | None = None
    parent: FolderId | None = None
    bag: bytes | None = None


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    """Removes a folder with all below it; its items go to Recoverable Items.

    A special folder is Conflict.
    """

    folder: FolderId


class AddItem(Struct, frozen=True):
    """Adds an item.

    Raises QuotaExceeded when the mailbox would pass its quota. Result: item_id, uid.
    """

    folder: FolderId | Made
    item: NewItem


@dataclass(frozen=True, slots=True)
class CopyItems:
    """Copies items into another (or the same) folder as new items, in the order given.

    Result: item_ids, uids.
    """

    source: FolderId
    item_ids: tuple[ItemId, ...]
    target: FolderId | Made


@dataclass(frozen=True, slots=True)
class MoveItems:
    """Moves items: same item_id, new uid; in the source they vanish.

    Those no longer there are skipped. ``Made`` stands for one that AddItem made.
    """

    source: FolderId
    item_ids: tuple[ItemId | Made, ...]
    target: FolderId | Made


@dataclass(frozen=True, slots=True)
class ExpungeItems:
    """Deletes for good as a user sees it: into Recoverable Items with a date, or out of it.

    Attributes:
        folder: where they lie; items no longer there are skipped.
        item_ids: which.
        at: the time, ms.
        is_final: True: not even recoverable (also the only way out of Recoverable Items).
    """

    folder: FolderId
    item_ids: tuple[ItemId, ...]
    at: int
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class ChangeFlags:
    """Adds and removes marks.

    Items whose ``changed_cn`` or ``read_cn`` passed ``unchanged_since`` are left alone.

    Result: item_ids of those left alone for that reason. An item whose marks do not change takes no
    number.
    """

    folder: FolderId
    item_ids: tuple[ItemId, ...]
    add: Flags
    remove: Flags
    unchanged_since: ChangeNumber | None = None


@dataclass(frozen=True, slots=True)
class ChangeProperties:
    """Replaces columns, bag or card; None leaves as it is. A card alone takes no change number."""

    item_id: ItemId
    columns: ItemColumns | None = None
    bag: bytes | None = None
    card: bytes | None = None


@dataclass(frozen=True, slots=True)
class ChangeContent:
    """New content for an item (a draft saved again): same item_id, new uid; the old uid vanishes.

    Result: uid.
    """

    folder: FolderId
    item_id: ItemId
    blob: BlobRef
    prefix: bytes
    columns: ItemColumns
    bag: bytes


@dataclass(frozen=True, slots=True)
class RestoreItems:
    """Moves items from Recoverable Items back to where they were deleted from, or to ``target``."""

    item_ids: tuple[ItemId, ...]
    target: FolderId


@dataclass(frozen=True, slots=True)
class HideItems:
    """Puts items out of one device's sight (POP3 DELE under ``hide``); nobody else notices."""

    view: ViewId
    item_ids: tuple[ItemId, ...]


@dataclass(frozen=True, slots=True)
class ShowItems:
    """Brings hidden items back into one device's sight; no item_ids means all."""

    view: ViewId
    item_ids: tuple[ItemId, ...] = ()


@dataclass(frozen=True, slots=True)
class GrantRights:
    """Sets what a principal may do with a folder; NONE takes the grant away."""

    folder: FolderId
    principal_id: PrincipalId
    rights: Rights


@dataclass(frozen=True, slots=True)
class ChangeMailbox:
    """Changes policy of the mailbox; None leaves as it is."""

    quota_bytes: int | None = None
    settings: str | None = None


@dataclass(frozen=True, slots=True)
class KeepSyncState:
    """Stores the state behind a device's new sync key, keeping the one before.

    Attributes:
        device_id: the device.
        collection: what is synchronised (a folder id or a name), at most 64 characters.
        key: generation number of the new state.
        state: opaque to the store, at most 64 KiB.
    """

    device_id: DeviceId
    collection: str
    key: int
    state: bytes


@dataclass(frozen=True, slots=True)
class DropSyncStates:
    """Forgets the states of a device: of one collection, or all when None."""

    device_id: DeviceId
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class NameProperties:
    """Gives numbers (0x8000 up) to named properties; those known keep theirs.

    Result: the numbers in order.

    Attributes:
        names: (property set guid, name or number as text).
    """

    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class KeepRules:
    """Replaces the mailbox's rules as a whole (JSON text)."""

    rules: str


Operation = (
    MakeFolder
    | ChangeFolder
    | RemoveFolder
    | AddItem
    | CopyItems
    | MoveItems
    | ExpungeItems
    | ChangeFlags
    | ChangeProperties
    | ChangeContent
    | RestoreItems
    | HideItems
    | ShowItems
    | GrantRights
    | ChangeMailbox
    | KeepSyncState
    | DropSyncStates
    | NameProperties
    | KeepRules
)


class Batch(Struct, frozen=True):
    """Operations on one mailbox, applied in order, all or nothing.

    Attributes:
        mailbox_id: the mailbox.
        operations: at least one.
        preconditions: checked first.
        idempotency_key: a batch with a key that was applied before does nothing and gives the first
            answer again (kept 7 days). At most 64 bytes.
    """

    mailbox_id: MailboxId
    operations: tuple[Operation, ...]
    preconditions: tuple[Precondition, ...] = ()
    idempotency_key: bytes = b""


class Commit(Struct, frozen=True):
    """What becomes durable together.

    Attributes:
        batches: at most one per mailbox.
        blobs: the new content that the batches and queue entries refer to; made durable before the
            rows.
        queued: additions to the outbound queue; left out when all batches were replayed.
        receipt: names an acceptance whose answer may get lost on the way (see
            ``Records.receipt_stands``); b"" none.
        settled: receipts whose answer is known to have arrived: forgotten.
        refuses_repeat: when the receipt stands already, nothing is done and Repeated is raised.
    """

    batches: tuple[Batch, ...]
    blobs: tuple[StagedBlob, ...] = ()
    queued: tuple[NewQueued, ...] = ()
    receipt: bytes = b""
    settled: tuple[bytes, ...] = ()
    refuses_repeat: bool = False


class OperationResult(Struct, frozen=True):
    """What one operation gave.

    Attributes:
        folder_id: of MakeFolder.
        item_ids: of AddItem and CopyItems (one per item), MoveItems (those moved), ChangeFlags
            (those left alone).
        uids: beside item_ids, for AddItem, CopyItems, MoveItems, ChangeContent.
        numbers: of NameProperties.
    """

    folder_id: FolderId | None = None
    item_ids: tuple[ItemId, ...] = ()
    uids: tuple[Uid, ...] = ()
    numbers: tuple[int, ...] = ()


class BatchResult(Struct, frozen=True):
    """What a batch gave.

    Attributes:
        results: one per operation.
        highest_cn: the mailbox's number after it.
        was_replayed: the idempotency key was known; nothing was done now.
    """

    results: tuple[OperationResult, ...]
    highest_cn: ChangeNumber
    was_replayed: bool = False
