"""Writing a batch pleasantly: each method adds one operation and says how later ones refer to it.

Notes:
    Nothing is held open: the builder only collects. ``batch()`` is data, to be put in a Commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from posthouse.model.batch import (
    AddItem,
    Batch,
    ChangeFlags,
    Commit,
    CopyItems,
    ExpungeItems,
    ItemUnchanged,
    Made,
    MakeFolder,
    MessageIdAbsent,
    MoveItems,
)
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Flags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.batch import Operation, Precondition
    from posthouse.model.blob import StagedBlob
    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId
    from posthouse.model.item import NewItem


class BatchBuilder:
    """Collects the operations on one mailbox."""

    __slots__ = ("_operations", "_preconditions", "mailbox_id")

    def __init__(self, mailbox_id: MailboxId) -> None:
        self.mailbox_id = mailbox_id
        self._operations: list[Operation] = []
        self._preconditions: list[Precondition] = []

    # --- preconditions

    def require(self, precondition: Precondition) -> Self:
        """The batch is a Conflict unless this holds."""
        self._preconditions.append(precondition)
        return self

    def require_unchanged(self, item_id: ItemId, changed_cn: ChangeNumber) -> Self:
        """The item is as it was seen."""
        return self.require(ItemUnchanged(item_id, changed_cn))

    def require_message_absent(self, folder: FolderId, message_id: str) -> Self:
        """No item of this Message-ID lies in the folder."""
        return self.require(MessageIdAbsent(folder, message_id))

    # --- operations

    def do(self, operation: Operation) -> Made:
        """Any operation; the answer stands for what it makes."""
        self._operations.append(operation)
        return Made(len(self._operations) - 1)

    def make_folder(
        self,
        parent: FolderId | Made,
        name: str,
        folder_class: FolderClass = FolderClass.MAIL,
        role: FolderRole = FolderRole.NONE,
    ) -> Made:
        """Make a folder; the answer may stand for it in later operations."""
        return self.do(MakeFolder(parent, name, folder_class, role))

    def add(self, folder: FolderId | Made, item: NewItem) -> Made:
        """Add an item."""
        return self.do(AddItem(folder, item))

    def copy(self, source: FolderId, item_ids: Iterable[ItemId], target: FolderId | Made) -> Made:
        """Copy items as new ones."""
        return self.do(CopyItems(source, tuple(item_ids), target))

    def move(self, source: FolderId, item_ids: Iterable[ItemId], target: FolderId | Made) -> Made:
        """Move items."""
        return self.do(MoveItems(source, tuple(item_ids), target))

    def expunge(
        self, folder: FolderId, item_ids: Iterable[ItemId], at: int, *, is_final: bool = False
    ) -> Made:
        """Delete items as a user sees it."""
        return self.do(ExpungeItems(folder, tuple(item_ids), at, is_final))

    def flags(
        self,
        folder: FolderId,
        item_ids: Iterable[ItemId],
        *,
        add: Flags = Flags.NONE,
        remove: Flags = Flags.NONE,
        unchanged_since: ChangeNumber | None = None,
    ) -> Made:
        """Add and remove marks."""
        return self.do(ChangeFlags(folder, tuple(item_ids), add, remove, unchanged_since))

    # --- the result

    def __len__(self) -> int:
        return len(self._operations)

    def batch(self, idempotency_key: bytes = b"") -> Batch:
        """What was collected."""
        return Batch(
            self.mailbox_id,
            tuple(self._operations),
            tuple(self._preconditions),
            idempotency_key,
        )

    def commit(self, *blobs: StagedBlob, idempotency_key: bytes = b"") -> Commit:
        """A commit of this batch alone, with the content it brings."""
        return Commit((self.batch(idempotency_key),), blobs)
