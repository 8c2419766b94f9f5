"""Reads of the memory engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.backends.memory.operations_mailbox import FIRST_NAMED
from posthouse.backends.memory.state import changed
from posthouse.model.changes import ChangePage, FolderChanges, Vanished
from posthouse.model.errors import SyncPointExpired
from posthouse.model.ids import BlobHash, ChangeNumber
from posthouse.model.item import Content, Item, Place
from posthouse.ports.records import Grant, SyncState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.backends.memory.state import House
    from posthouse.model.blob import BlobLocation, BlobRef
    from posthouse.model.folder import Folder, Mailbox
    from posthouse.model.ids import (
        DeviceId,
        FolderId,
        ItemId,
        MailboxId,
        PrincipalId,
        QueueId,
        Uid,
        ViewId,
    )
    from posthouse.model.queue import Queued
    from posthouse.ports.blob_rows import BlobRow

LIMIT_MAX = 2000


class Reading:
    """See ``ports.records.Records`` and ``ports.blob_rows.BlobRows``."""

    _house: House

    async def mailbox(self, mailbox_id: MailboxId) -> Mailbox:
        """See Records."""
        return self._house.box(mailbox_id).mailbox()

    async def mailbox_ids(self, after: MailboxId, limit: int) -> Sequence[MailboxId]:
        """See Records."""
        return sorted(i for i in self._house.boxes if i > after)[:limit]

    async def folders(self, mailbox_id: MailboxId) -> Sequence[Folder]:
        """See Records."""
        box = self._house.box(mailbox_id)
        root = next(f.folder_id for f in box.folders.values() if not f.parent_id)
        return [box.folder(folder_id) for folder_id in box.tree(root)]

    async def folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> Folder:
        """See Records."""
        return self._house.box(mailbox_id).folder(folder_id)

    async def folder_changes(self, mailbox_id: MailboxId, since: ChangeNumber) -> FolderChanges:
        """See Records."""
        box = self._house.box(mailbox_id)
        if 0 < since < box.horizon_cn:
            raise SyncPointExpired(f"folders of mailbox {mailbox_id} since {since}")
        changed = [f for f in await self.folders(mailbox_id) if f.changed_cn > since]
        removed = [folder_id for cn, folder_id, _ in box.removed if cn > since]
        return FolderChanges(tuple(changed), tuple(removed), box.head.highest_cn)

    async def places(
        self, mailbox_id: MailboxId, folder_id: FolderId, after: Uid, limit: int
    ) -> Sequence[Place]:
        """See Records."""
        if mailbox_id not in self._house.boxes:
            return []
        places = self._house.boxes[mailbox_id].in_folder(folder_id)
        return [place for place in places if place.uid > after][: min(limit, LIMIT_MAX)]

    async def place_columns(
        self, mailbox_id: MailboxId, folder_id: FolderId, after: Uid, limit: int
    ) -> tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]:
        """See Records."""
        places = await self.places(mailbox_id, folder_id, after, limit)
        return (
            [place.uid for place in places],
            [place.item_id for place in places],
            [place.size_bytes for place in places],
            [place.received_at for place in places],
        )

    async def changes_since(
        self, mailbox_id: MailboxId, folder_id: FolderId, since: ChangeNumber, limit: int
    ) -> ChangePage:
        """See Records."""
        box = self._house.box(mailbox_id)
        folder = box.folder(folder_id)
        if 0 < since < folder.horizon_cn:
            raise SyncPointExpired(f"folder {folder_id} of mailbox {mailbox_id} since {since}")
        changes: dict[ChangeNumber, Place | Vanished] = {}
        for place in box.in_folder(folder_id):
            changes[max(place.changed_cn, place.read_cn)] = place
        for tombstone in box.tombstones:
            if tombstone.folder_id == folder_id:
                changes[tombstone.vanished.change_number] = tombstone.vanished
        numbers = sorted(cn for cn in changes if cn > since)
        shown = numbers[: min(limit, LIMIT_MAX)]
        has_more = len(shown) < len(numbers)
        upto = shown[-1] if has_more else max(since, folder.highest_cn)
        entries = [changes[cn] for cn in shown]
        return ChangePage(
            tuple(e for e in entries if isinstance(e, Place)),
            tuple(e for e in entries if isinstance(e, Vanished)),
            ChangeNumber(upto),
            has_more=has_more,
        )

    async def items(self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]) -> Sequence[Item]:
        """See Records."""
        box = self._house.boxes.get(mailbox_id)
        found = [box.items[i] for i in item_ids if i in box.items] if box is not None else []
        return [
            changed(item, blob=self._with_location(item.blob)) if item.blob is not None else item
            for item in found
        ]

    async def contents(
        self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]
    ) -> Sequence[Content]:
        """See Records."""
        items = await self.items(mailbox_id, item_ids)
        return [Content(item.item_id, item.prefix, item.blob) for item in items]

    def _with_location(self, ref: BlobRef) -> BlobRef:
        return self._house.blobs[ref.blob_hash].ref

    async def item_places(self, mailbox_id: MailboxId, item_id: ItemId) -> Sequence[Place]:
        """See Records."""
        box = self._house.boxes.get(mailbox_id)
        return [box.places[item_id]] if box is not None and item_id in box.places else []

    async def imported_uidls(
        self, mailbox_id: MailboxId, after: ItemId, limit: int
    ) -> Sequence[tuple[ItemId, str]]:
        """See Records."""
        items = self._house.box(mailbox_id).items
        return [(i, items[i].uidl) for i in sorted(items) if i > after and items[i].uidl][:limit]

    async def by_message_id(
        self, mailbox_id: MailboxId, folder_id: FolderId, message_id: str
    ) -> Sequence[ItemId]:
        """See Records."""
        box = self._house.box(mailbox_id)
        return [
            p.item_id
            for p in box.in_folder(folder_id)
            if message_id and box.items[p.item_id].columns.message_id == message_id
        ]

    async def by_ical_uid(self, mailbox_id: MailboxId, ical_uid: str) -> Sequence[ItemId]:
        """See Records."""
        items = self._house.box(mailbox_id).items
        return [i for i in sorted(items) if ical_uid and items[i].columns.ical_uid == ical_uid]

    async def by_name(self, mailbox_id: MailboxId, folder_id: FolderId, name: str) -> Place | None:
        """See Records."""
        box = self._house.box(mailbox_id)
        for place in box.in_folder(folder_id):
            if name and box.items[place.item_id].columns.name == name:
                return place
        return None

    async def hidden_items(
        self, mailbox_id: MailboxId, view: ViewId, after: ItemId, limit: int
    ) -> Sequence[ItemId]:
        """See Records."""
        hidden = self._house.box(mailbox_id).hidden.get(view, frozenset())
        return sorted(i for i in hidden if i > after)[:limit]

    async def hidden_version(self, mailbox_id: MailboxId, view: ViewId) -> int:
        """See Records."""
        return self._house.box(mailbox_id).hidden_versions.get(view, 0)

    # --- names, device states, rights, rules

    async def property_names(
        self, mailbox_id: MailboxId, numbers: Sequence[int]
    ) -> Sequence[tuple[str, str] | None]:
        """See Records."""
        names = dict(enumerate(self._house.box(mailbox_id).names, FIRST_NAMED))
        return [names.get(number) for number in numbers]

    async def sync_states(
        self, mailbox_id: MailboxId, device_id: DeviceId, collection: str
    ) -> Sequence[SyncState]:
        """See Records."""
        held = self._house.box(mailbox_id).sync_states.get((device_id, collection), {})
        return [SyncState(key, held[key]) for key in sorted(held, reverse=True)]

    async def grants(self, mailbox_id: MailboxId) -> Sequence[Grant]:
        """See Records."""
        grants = sorted(self._house.box(mailbox_id).grants.items())
        return [Grant(mailbox_id, folder, principal, r) for (folder, principal), r in grants]

    async def granted_to(self, principals: Sequence[PrincipalId]) -> Sequence[Grant]:
        """See Records."""
        wanted = set(principals)
        out: list[Grant] = []
        for mailbox_id in sorted(self._house.boxes):
            out += [g for g in await self.grants(mailbox_id) if g.principal_id in wanted]
        return out

    async def rules(self, mailbox_id: MailboxId) -> str:
        """See Records."""
        return self._house.box(mailbox_id).rules

    # --- receipts, queue, sweep

    async def receipt_stands(self, receipt: bytes) -> bool:
        """See Records."""
        return receipt in self._house.receipts

    async def queued(self, after: QueueId, limit: int) -> Sequence[Queued]:
        """See Records."""
        chosen = sorted(i for i in self._house.queue if i > after)[: min(limit, LIMIT_MAX)]
        return [self._located(self._house.queue[i]) for i in chosen]

    def _located(self, entry: Queued) -> Queued:
        blob = self._with_location(entry.message.blob)
        return changed(entry, message=changed(entry.message, blob=blob))

    async def next_due(self) -> int:
        """See Records."""
        due = [max(q.next_at, q.leased_until) for q in self._house.queue.values()]
        return max(min(due), 1) if due else 0

    async def queue_figures(self) -> tuple[int, int]:
        """See Records."""
        queue = self._house.queue
        return len(queue), queue[min(queue)].message.queued_at if queue else 0

    async def advanced_since(self, known: dict[MailboxId, ChangeNumber]) -> Sequence[MailboxId]:
        """See Records."""
        boxes = self._house.boxes
        return [i for i, cn in known.items() if i in boxes and boxes[i].head.highest_cn > cn]

    # --- blob rows

    def locate(self, blob_hash: BlobHash) -> BlobLocation | None:
        """See BlobRows."""
        row = self._house.blobs.get(blob_hash)
        return row.ref.location if row is not None else None

    async def blob_rows(self, after: BlobHash, limit: int) -> Sequence[BlobRow]:
        """See BlobRows."""
        blobs = self._house.blobs
        return [blobs[h] for h in sorted(blobs) if h > after][: min(limit, LIMIT_MAX)]

    async def blob_rows_in_pack(self, pack: int, after: int, limit: int) -> Sequence[BlobRow]:
        """See BlobRows."""
        rows = [
            (row.ref.location.offset, row)
            for row in self._house.blobs.values()
            if row.ref.location is not None and row.ref.location.pack == pack
        ]
        rows.sort(key=lambda r: r[0])
        return [row for offset, row in rows if offset > after][: min(limit, LIMIT_MAX)]

    async def pack_usage(self) -> Sequence[tuple[int, int]]:
        """See BlobRows."""
        used: dict[int, int] = {}
        for row in self._house.blobs.values():
            if row.ref.location is not None and row.ref.location.pack:
                pack = row.ref.location.pack
                used[pack] = used.get(pack, 0) + row.ref.stored_bytes
        return sorted(used.items())

    async def dead_blobs(self, dead_before: int, limit: int) -> Sequence[BlobRow]:
        """See BlobRows."""
        dead = [
            r for r in self._house.blobs.values() if r.dead_since and r.dead_since < dead_before
        ]
        return sorted(dead, key=lambda r: r.dead_since)[: min(limit, LIMIT_MAX)]
