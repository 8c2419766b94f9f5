"""A commit in the making: items for mailboxes, entries for the queue, and the content of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.batch import AddItem, Batch, Commit, Made, MoveItems

if TYPE_CHECKING:
    from posthouse.model.batch import Operation, Precondition
    from posthouse.model.blob import StagedBlob
    from posthouse.model.ids import BlobHash, FolderId, MailboxId
    from posthouse.model.item import NewItem
    from posthouse.model.queue import NewQueued


class Assembly:
    """Collects what shall become durable together; one batch per mailbox comes out."""

    __slots__ = ("_blobs", "_operations", "_preconditions", "_queued")

    def __init__(self) -> None:
        self._operations: dict[MailboxId, list[Operation]] = {}
        self._preconditions: dict[MailboxId, tuple[Precondition, ...]] = {}
        self._queued: list[NewQueued] = []
        self._blobs: dict[BlobHash, StagedBlob] = {}

    def add_item(self, mailbox_id: MailboxId, folder_id: FolderId, item: NewItem) -> None:
        """File an item."""
        self._operations.setdefault(mailbox_id, []).append(AddItem(folder_id, item))

    def add_item_through(
        self, mailbox_id: MailboxId, folder_id: FolderId, target: FolderId, item: NewItem
    ) -> None:
        """File an item that comes to one folder and goes on to another at once."""
        self.add_item(mailbox_id, folder_id, item)
        made = Made(len(self._operations[mailbox_id]) - 1)
        self.do(mailbox_id, MoveItems(folder_id, (made,), target))

    def do(self, mailbox_id: MailboxId, operation: Operation) -> None:
        """Anything else that shall be done in a mailbox."""
        self._operations.setdefault(mailbox_id, []).append(operation)

    def require(self, mailbox_id: MailboxId, precondition: Precondition) -> None:
        """The mailbox's batch shall hold only under this condition."""
        known = self._preconditions.get(mailbox_id, ())
        self._preconditions[mailbox_id] = (*known, precondition)

    def enqueue(self, queued: NewQueued) -> None:
        """Put a message into the outbound queue."""
        self._queued.append(queued)

    def bring(self, staged: StagedBlob) -> None:
        """Content that items or queue entries refer to; the same content counts once."""
        self._blobs[staged.ref.blob_hash] = staged

    @property
    def is_empty(self) -> bool:
        """Whether nobody gets anything."""
        return not self._operations and not self._queued

    def commit(
        self,
        receipt: bytes = b"",
        settled: tuple[bytes, ...] = (),
        *,
        refuses_repeat: bool = False,
    ) -> Commit:
        """The commit, batches in order of mailbox number: writers never wait in a circle."""
        conditions = self._preconditions
        return Commit(
            batches=tuple(
                Batch(
                    mailbox_id, tuple(self._operations[mailbox_id]), conditions.get(mailbox_id, ())
                )
                for mailbox_id in sorted(self._operations)
            ),
            blobs=tuple(self._blobs.values()),
            queued=tuple(self._queued),
            receipt=receipt,
            settled=settled,
            refuses_repeat=refuses_repeat,
        )
