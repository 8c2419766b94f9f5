"""Records: mailboxes, folders, items and the outbound queue as an engine keeps them.

Notes:
    - The engine behind this port may be embedded or on other machines, so every read is one call,
      bounded by a limit, and answers with plain values; every write is one call. There are no
      cursors and no transactions that outlive a call. Continuation is by the last key seen.
    - Reads are synchronous in the embedded engine but ``async`` here, for the engine that has to go
      over a network. The embedded one never suspends in a read, so its cost is that of a call.
    - ``apply`` returns only when the commit is durable (synced), and hints have been sent.
    - A reader who has seen change number N of a mailbox has seen everything up to N.
    - Errors: NotFound, Conflict, AlreadyExists, QuotaExceeded, SyncPointExpired, Unavailable (full
      disk, failed write; callers must expect it everywhere). After Unavailable nothing of the
      commit was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.batch import BatchResult, Commit
    from posthouse.model.changes import ChangePage, FolderChanges
    from posthouse.model.folder import Folder, Mailbox, MailboxKind
    from posthouse.model.ids import (
        ChangeNumber,
        DeviceId,
        FolderId,
        ItemId,
        MailboxId,
        PrincipalId,
        QueueId,
        Uid,
        ViewId,
    )
    from posthouse.model.item import Content, Item, Place
    from posthouse.model.queue import Queued, QueuedRecipient
    from posthouse.model.rights import Rights


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may do what with a folder."""

    mailbox_id: MailboxId
    folder_id: FolderId
    principal_id: PrincipalId
    rights: Rights


@dataclass(frozen=True, slots=True)
class SyncState:
    """One generation of a device's state: see KeepSyncState."""

    key: int
    state: bytes


class Records(Protocol):
    """The engine. All ids are of the mailbox given beside them."""

    # --- life of a mailbox

    async def create_mailbox(
        self, kind: MailboxKind, guid: bytes, uid_validity: int, *, quota_bytes: int = 0
    ) -> Mailbox:
        """Make a mailbox with a root and ``model.folder.DEFAULT_FOLDERS``.

        ``uid_validity``: 1 to 2^32-1.
        """
        ...

    async def delete_mailbox(self, mailbox_id: MailboxId) -> None:
        """Remove a mailbox with all it holds; its blobs lose their references."""
        ...

    async def mailbox_ids(self, after: MailboxId, limit: int) -> Sequence[MailboxId]:
        """Mailboxes with a greater number, in order."""
        ...

    # --- writing

    async def apply(self, commit: Commit) -> tuple[BatchResult, ...]:
        """Make blobs durable, then apply all batches, queue entries and receipts in one go.

        Raises:
            Conflict: a precondition does not hold.
            QuotaExceeded: ``batch_index`` says whose.
            NotFound: a mailbox, folder or item that an operation needs is not there.
            AlreadyExists: a folder name is taken.
            Repeated: the commit ``refuses_repeat`` and its receipt stands.
            Unavailable: the engine cannot write now (InsufficientSpace below the floor).
        """
        ...

    # --- reading

    async def mailbox(self, mailbox_id: MailboxId) -> Mailbox:
        """Raises NotFound."""
        ...

    async def folders(self, mailbox_id: MailboxId) -> Sequence[Folder]:
        """All folders, parents before children."""
        ...

    async def folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> Folder:
        """Raises NotFound."""
        ...

    async def folder_changes(self, mailbox_id: MailboxId, since: ChangeNumber) -> FolderChanges:
        """Changes of the tree. Raises SyncPointExpired below the mailbox's horizon."""
        ...

    async def places(
        self, mailbox_id: MailboxId, folder_id: FolderId, after: Uid, limit: int
    ) -> Sequence[Place]:
        """Places with a greater uid, in order of uid; at most ``limit`` (<= 2 000)."""
        ...

    async def place_columns(
        self, mailbox_id: MailboxId, folder_id: FolderId, after: Uid, limit: int
    ) -> tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]:
        """The uids, item_ids, size_bytes and received_at of what ``places`` would give.

        For listings of whole folders: a million messages without a million objects.
        """
        ...

    async def changes_since(
        self, mailbox_id: MailboxId, folder_id: FolderId, since: ChangeNumber, limit: int
    ) -> ChangePage:
        """What came, changed and went.

        Raises SyncPointExpired below the folder's horizon; 0 never expires, but the point after its
        first page may: a first listing of many pages is made with ``places``.
        """
        ...

    async def items(self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]) -> Sequence[Item]:
        """The items that exist, in the order asked for; at most 2 000."""
        ...

    async def contents(
        self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]
    ) -> Sequence[Content]:
        """The same items, but only what is needed to send them."""
        ...

    async def item_places(self, mailbox_id: MailboxId, item_id: ItemId) -> Sequence[Place]:
        """Where an item lies."""
        ...

    async def imported_uidls(
        self, mailbox_id: MailboxId, after: ItemId, limit: int
    ) -> Sequence[tuple[ItemId, str]]:
        """Items that carry a UIDL of an older server, in order of item."""
        ...

    async def by_message_id(
        self, mailbox_id: MailboxId, folder_id: FolderId, message_id: str
    ) -> Sequence[ItemId]:
        """Items of that Message-ID (without brackets) in a folder, oldest first."""
        ...

    async def by_ical_uid(self, mailbox_id: MailboxId, ical_uid: str) -> Sequence[ItemId]:
        """Appointments, tasks and contacts of that uid in the mailbox, in order of item; "" none.

        Those in Recoverable Items are among them.
        """
        ...

    async def by_name(self, mailbox_id: MailboxId, folder_id: FolderId, name: str) -> Place | None:
        """The item of that name (files, DAV resources) in a folder."""
        ...

    async def hidden_items(
        self, mailbox_id: MailboxId, view: ViewId, after: ItemId, limit: int
    ) -> Sequence[ItemId]:
        """What a device has put out of its own sight, in order of item."""
        ...

    async def hidden_version(self, mailbox_id: MailboxId, view: ViewId) -> int:
        """Grows with every HideItems or ShowItems of the view (0: nothing was ever hidden)."""
        ...

    # --- names, device states, rights, rules

    async def property_names(
        self, mailbox_id: MailboxId, numbers: Sequence[int]
    ) -> Sequence[tuple[str, str] | None]:
        """Names behind property numbers."""
        ...

    async def sync_states(
        self, mailbox_id: MailboxId, device_id: DeviceId, collection: str
    ) -> Sequence[SyncState]:
        """At most two generations, newest first."""
        ...

    async def confirm_sync_state(
        self, mailbox_id: MailboxId, device_id: DeviceId, collection: str, key: int
    ) -> None:
        """The device used ``key``: forget the generation before it."""
        ...

    async def grants(self, mailbox_id: MailboxId) -> Sequence[Grant]:
        """All grants on the mailbox's folders."""
        ...

    async def granted_to(self, principals: Sequence[PrincipalId]) -> Sequence[Grant]:
        """All grants these principals hold anywhere."""
        ...

    async def rules(self, mailbox_id: MailboxId) -> str:
        """The mailbox's rules (JSON text, "" none)."""
        ...

    # --- accepted, but was the answer heard?

    async def receipt_stands(self, receipt: bytes) -> bool:
        """Whether a commit of this receipt was made and never settled: a repeat is an echo then."""
        ...

    # --- outbound queue

    async def lease_queued(self, now: int, lease_ms: int, limit: int) -> Sequence[Queued]:
        """Take messages that are due and leased by nobody, oldest first; durable on return."""
        ...

    async def settle_queued(
        self, queue_id: QueueId, recipients: Sequence[QueuedRecipient], commit: Commit | None
    ) -> None:
        """Store how the recipients stand, end the lease, apply ``commit`` (reports), in one go.

        When nobody waits any more the message leaves the queue.
        """
        ...

    async def release_queued(self, queue_id: QueueId) -> None:
        """End a lease without news."""
        ...

    async def queued(self, after: QueueId, limit: int) -> Sequence[Queued]:
        """The queue, in order of number."""
        ...

    async def next_due(self) -> int:
        """When the next message is due, ms; 0 when the queue is empty."""
        ...

    async def queue_figures(self) -> tuple[int, int]:
        """How many messages are queued, and when the first of them was, ms (0: none)."""
        ...

    async def retry_queued(self, queue_id: QueueId | None, now: int) -> int:
        """Make one message (or all) due now; says how many."""
        ...

    async def drop_queued(self, queue_id: QueueId) -> None:
        """Remove a message without a report. Raises NotFound."""
        ...

    # --- housekeeping (the supervisor's timers)

    async def expire_recoverable(self, deleted_before: int, limit: int) -> int:
        """Delete for good what went to Recoverable Items before that time, ms; says how many."""
        ...

    async def raise_horizon(self, before: int, limit: int) -> int:
        """Drop tombstones made before that time, ms, raising the horizons; says how many."""
        ...

    async def forget_receipts(self, before: int) -> int:
        """Drop receipts and idempotency keys older than that time, ms; says how many."""
        ...

    async def checkpoint(self) -> None:
        """Let the engine tidy its journal."""
        ...

    async def check(self) -> Sequence[str]:
        """Look for inconsistencies (counters, references, order); one sentence each."""
        ...

    async def advanced_since(self, known: dict[MailboxId, ChangeNumber]) -> Sequence[MailboxId]:
        """Of these mailboxes, those whose highest_cn moved: the sweep that repairs lost hints."""
        ...

    def close(self) -> None:
        """Finish what is under way and let go of the files."""
        ...
