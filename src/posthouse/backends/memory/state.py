"""What the memory engine holds: plain dictionaries of the model's values.

Notes:
    A commit works on copies (of the dictionaries; the values in them never change) and puts them in
    place at the end, so that a commit that fails leaves nothing behind. Counters are not kept but
    counted, so they cannot be wrong.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, structs

from posthouse.model.changes import Vanished
from posthouse.model.errors import Conflict, NotFound, QuotaExceeded
from posthouse.model.folder import Folder, FolderRole, Mailbox
from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId, QueueId, Uid
from posthouse.model.item import Flags, Item, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.batch import BatchResult
    from posthouse.model.blob import BlobRef
    from posthouse.model.ids import BlobHash, DeviceId, PrincipalId, ViewId
    from posthouse.model.queue import Queued
    from posthouse.model.rights import Rights
    from posthouse.ports.blob_rows import BlobRow


T = TypeVar("T")


def changed(value: T, **fields: Any) -> T:  # noqa: ANN401 - as in dataclasses.replace
    """A copy with other fields, of a struct or of a dataclass."""
    if isinstance(value, Struct):
        return structs.replace(value, **fields)
    return dataclasses.replace(value, **fields)  # type: ignore[type-var] # the model has no third kind


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A place that is gone, and when."""

    folder_id: FolderId
    vanished: Vanished
    made_at: int


@dataclass(slots=True)
class Box:
    """One mailbox with all it holds."""

    head: Mailbox
    folders: dict[FolderId, Folder] = field(default_factory=dict)
    places: dict[ItemId, Place] = field(default_factory=dict)
    items: dict[ItemId, Item] = field(default_factory=dict)
    tombstones: tuple[Tombstone, ...] = ()
    removed: tuple[tuple[ChangeNumber, FolderId, int], ...] = ()
    """Folders gone: (number, folder, when)."""
    horizon_cn: ChangeNumber = field(default=ChangeNumber(0))
    deleted: dict[ItemId, tuple[int, FolderId]] = field(default_factory=dict)
    """What lies in Recoverable Items: (when, whence)."""
    hidden: dict[ViewId, frozenset[ItemId]] = field(default_factory=dict)
    hidden_versions: dict[ViewId, int] = field(default_factory=dict)
    grants: dict[tuple[FolderId, PrincipalId], Rights] = field(default_factory=dict)
    sync_states: dict[tuple[DeviceId, str], dict[int, bytes]] = field(default_factory=dict)
    names: tuple[tuple[str, str], ...] = ()
    answers: dict[bytes, tuple[BatchResult, int]] = field(default_factory=dict)
    """What keyed batches gave, and when."""
    rules: str = ""

    def copy(self) -> Box:
        """For a commit to work on."""
        return changed(
            self,
            folders=dict(self.folders),
            places=dict(self.places),
            items=dict(self.items),
            deleted=dict(self.deleted),
            hidden=dict(self.hidden),
            hidden_versions=dict(self.hidden_versions),
            grants=dict(self.grants),
            sync_states=dict(self.sync_states),
            answers=dict(self.answers),
        )

    # --- as read

    def folder(self, folder_id: FolderId) -> Folder:
        """With its counters. Raises NotFound."""
        if folder_id not in self.folders:
            raise NotFound(f"folder {folder_id} of mailbox {self.head.mailbox_id}")
        places = self.in_folder(folder_id)
        return changed(
            self.folders[folder_id],
            item_count=len(places),
            unread_count=sum(Flags.SEEN not in place.flags for place in places),
            size_bytes=sum(place.size_bytes for place in places),
        )

    def mailbox(self) -> Mailbox:
        """With its counters."""
        recoverable = self.role_folder(FolderRole.RECOVERABLE)
        ordinary = [p for p in self.places.values() if p.folder_id != recoverable]
        total = sum(place.size_bytes for place in self.places.values())
        size = sum(place.size_bytes for place in ordinary)
        return changed(
            self.head, item_count=len(ordinary), size_bytes=size, recoverable_bytes=total - size
        )

    def in_folder(self, folder_id: FolderId) -> list[Place]:
        """Places in a folder, in order of uid."""
        return sorted(
            (p for p in self.places.values() if p.folder_id == folder_id), key=lambda p: p.uid
        )

    def role_folder(self, role: FolderRole) -> FolderId:
        """The special folder of that role."""
        return next(f.folder_id for f in self.folders.values() if f.role is role)

    def tree(self, top: FolderId) -> list[FolderId]:
        """A folder and all below it, parents first."""
        out = [top]
        for folder_id in out:  # grows while we walk
            out.extend(f.folder_id for f in self.folders.values() if f.parent_id == folder_id)
        return out

    # --- as written

    def next_cn(self) -> ChangeNumber:
        """The next change number."""
        cn = ChangeNumber(self.head.highest_cn + 1)
        self.head = changed(self.head, highest_cn=cn)
        return cn

    def touch(self, folder_id: FolderId, cn: ChangeNumber) -> None:
        """Something in the folder changed."""
        self.folders[folder_id] = changed(self.folders[folder_id], highest_cn=cn)

    def require_room(self, folder_id: FolderId, size_bytes: int) -> None:
        """Raises QuotaExceeded when so many more bytes would pass the quota."""
        if self.folders[folder_id].role is FolderRole.RECOVERABLE or size_bytes <= 0:
            return
        if 0 < self.head.quota_bytes < self.mailbox().size_bytes + size_bytes:
            raise QuotaExceeded(
                f"mailbox {self.head.mailbox_id} has no room for {size_bytes} bytes"
            )

    def require_ordinary(self, folder_id: FolderId) -> None:
        """Raises Conflict for Recoverable Items, NotFound for no folder."""
        if self.folder(folder_id).role is FolderRole.RECOVERABLE:
            raise Conflict("Recoverable Items")

    def find(self, folder_id: FolderId, item_ids: Iterable[ItemId]) -> list[Place]:
        """Places of those items that lie in the folder, in the order asked for, each once."""
        known = [self.places[i] for i in dict.fromkeys(item_ids) if i in self.places]
        return [place for place in known if place.folder_id == folder_id]

    def put(self, folder_id: FolderId, place: Place, cn: ChangeNumber) -> Uid:
        """An item comes to a folder; its uid there. Flags, size and time are those of ``place``."""
        folder = self.folders[folder_id]
        uid = Uid(folder.uid_next)
        self.folders[folder_id] = changed(folder, uid_next=uid + 1, highest_cn=cn)
        self.places[place.item_id] = changed(
            place,
            folder_id=folder_id,
            uid=uid,
            created_cn=cn,
            changed_cn=cn,
            read_cn=ChangeNumber(0),
        )
        return uid

    def take(self, place: Place, now: int) -> ChangeNumber:
        """An item leaves its folder; the number of that."""
        cn = self.next_cn()
        del self.places[place.item_id]
        gone = Vanished(place.uid, place.item_id, cn, place.created_cn)
        self.tombstones += (Tombstone(place.folder_id, gone, now),)
        self.touch(place.folder_id, cn)
        return cn

    def move(self, place: Place, target: FolderId, now: int) -> Uid:
        """Same item, other place."""
        cn = self.take(place, now)
        if place.folder_id == target:
            cn = self.next_cn()
        if self.folders[target].role is FolderRole.RECOVERABLE:
            self.deleted.setdefault(place.item_id, (now, place.folder_id))
        else:
            self.deleted.pop(place.item_id, None)
        return self.put(target, place, cn)

    def destroy(self, place: Place, now: int) -> BlobRef | None:
        """An item goes for good; the blob it named."""
        self.take(place, now)
        self.deleted.pop(place.item_id, None)
        for view, ids in self.hidden.items():
            self.hidden[view] = ids - {place.item_id}
        return self.items.pop(place.item_id).blob


@dataclass(slots=True)
class House:
    """Everything."""

    boxes: dict[MailboxId, Box] = field(default_factory=dict)
    blobs: dict[BlobHash, BlobRow] = field(default_factory=dict)
    queue: dict[QueueId, Queued] = field(default_factory=dict)
    receipts: dict[bytes, int] = field(default_factory=dict)
    last_mailbox: int = 0
    last_item: int = 0
    last_queue: int = 0
    _fresh: set[MailboxId] = field(default_factory=set)

    def copy(self) -> House:
        """For a commit to work on."""
        return changed(
            self,
            boxes=dict(self.boxes),
            blobs=dict(self.blobs),
            queue=dict(self.queue),
            receipts=dict(self.receipts),
            _fresh=set(),
        )

    def box(self, mailbox_id: MailboxId) -> Box:
        """For reading. Raises NotFound."""
        if mailbox_id not in self.boxes:
            raise NotFound(f"mailbox {mailbox_id}")
        return self.boxes[mailbox_id]

    def own_box(self, mailbox_id: MailboxId) -> Box:
        """For writing: a copy that only this commit has. Raises NotFound."""
        if mailbox_id not in self._fresh:
            self.boxes[mailbox_id] = self.box(mailbox_id).copy()
            self._fresh.add(mailbox_id)
        return self.boxes[mailbox_id]

    def next_item_id(self) -> ItemId:
        """The next number of an item."""
        self.last_item += 1
        return ItemId(self.last_item)

    def add_reference(self, ref: BlobRef) -> None:
        """One more row names the blob. Raises NotFound."""
        row = self.blobs.get(ref.blob_hash)
        if row is None:
            raise NotFound(f"blob {ref.blob_hash.hex()}")
        self.blobs[ref.blob_hash] = changed(row, references=row.references + 1, dead_since=0)

    def drop_reference(self, ref: BlobRef | None, now: int) -> None:
        """One row less names the blob."""
        if ref is None:
            return
        row = self.blobs[ref.blob_hash]
        left = row.references - 1
        self.blobs[ref.blob_hash] = changed(row, references=left, dead_since=0 if left else now)
