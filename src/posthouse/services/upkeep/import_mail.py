"""Import: files what a source holds into a mailbox, and never twice.

Notes:
    What is there already is known by Message-ID and content, or by content alone where there is no
    Message-ID; so an import that was broken off is finished by repeating it. Memory holds one
    batch, and one hash for each item without a Message-ID in the folders that such items go to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import structs

from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.dots import crlf_from_lf
from posthouse.model.batch import AddItem, Batch, Commit
from posthouse.model.blob import BlobForm
from posthouse.model.errors import NotFound
from posthouse.model.ids import ItemId, Uid
from posthouse.model.item import ItemColumns, ItemKind, NewItem
from posthouse.services.upkeep.finds import Unreadable
from posthouse.services.upkeep.folder_tree import FolderTree
from posthouse.store.messages import stage_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from posthouse.model.blob import StagedBlob
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.item import Item
    from posthouse.services.upkeep.finds import Found
    from posthouse.store.store import Store

_HEAD_BYTES_MAX = 1 << 20
_SLICE = 500


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: items filed.
        known: items that were there already.
        read_bytes: content looked at.
        unreadable: what was passed over.
    """

    added: int = 0
    known: int = 0
    read_bytes: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ready:
    """An item on its way into a batch."""

    folder_id: FolderId
    item: NewItem
    staged: StagedBlob | None


class Importer:
    """Files into one mailbox.

    Args:
        store: the store.
        mailbox_id: the mailbox.
        batch_items: items of one commit.
        batch_bytes: content of one commit, at which it is made early.
    """

    def __init__(
        self,
        store: Store,
        mailbox_id: MailboxId,
        *,
        batch_items: int = 50,
        batch_bytes: int = 16 << 20,
    ) -> None:
        self._store = store
        self._mailbox_id = mailbox_id
        self._batch_items = batch_items
        self._batch_bytes = batch_bytes
        self._tree = FolderTree(store, mailbox_id)
        self._waiting: list[_Ready] = []
        self._waiting_bytes = 0
        self._waiting_keys: set[tuple[FolderId, bytes]] = set()
        self._nameless: dict[FolderId, set[bytes]] = {}

    async def run(
        self,
        source: Iterable[Found | Unreadable],
        tell: Callable[[ImportReport], None] = lambda _: None,
    ) -> ImportReport:
        """File everything the source gives; what was committed stays whatever happens later.

        Args:
            source: read one at a time.
            tell: hears of the progress after each item.

        Raises:
            QuotaExceeded: the mailbox is full; what fits the batches before is filed.
            Unavailable: the store cannot write now.
        """
        report = ImportReport()
        for found in source:
            if isinstance(found, Unreadable):
                report.unreadable.append(found)
            else:
                report.read_bytes += len(found.content)
                await self._take(found, report)
            tell(report)
        await self._flush(report)
        tell(report)
        return report

    async def _take(self, found: Found, report: ImportReport) -> None:
        folder_id = await self._tree.folder_id(found.folder)
        ready = self._ready(folder_id, found)
        key = (folder_id, _identity(ready.item))
        if key in self._waiting_keys or await self._is_known(ready, found):
            report.known += 1
            return
        self._waiting.append(ready)
        self._waiting_keys.add(key)
        self._waiting_bytes += len(found.content)
        if len(self._waiting) >= self._batch_items or self._waiting_bytes >= self._batch_bytes:
            await self._flush(report)

    def _ready(self, folder_id: FolderId, found: Found) -> _Ready:
        content = found.content if found.is_exact else crlf_from_lf(found.content)
        prefix, body = content[: found.prefix_bytes], content[found.prefix_bytes :]
        staged: StagedBlob | None = None
        if found.kind is ItemKind.MESSAGE:
            columns = found.columns or columns_from_head(body[:_HEAD_BYTES_MAX])
            staged = stage_message(self._store.blobs, body)
        else:
            columns = found.columns or ItemColumns()
            if body:
                staged = self._store.blobs.stage_bytes(body, BlobForm.RAW)
        item = NewItem(
            kind=found.kind,
            blob=staged.ref if staged else None,
            received_at=found.received_at or columns.sent_at or self._store.clock.now_ms(),
            prefix=prefix,
            flags=found.flags,
            columns=columns,
            bag=found.bag,
            uidl=found.uidl,
        )
        return _Ready(folder_id, item, staged)

    async def _flush(self, report: ImportReport) -> None:
        if not self._waiting:
            return
        waiting = self._waiting
        blobs = {one.staged.ref.blob_hash: one.staged for one in waiting if one.staged}
        operations = tuple(AddItem(one.folder_id, one.item) for one in waiting)
        batch = Batch(self._mailbox_id, operations)
        await self._store.apply(Commit((batch,), blobs=tuple(blobs.values())))
        for folder_id, identity in self._waiting_keys:
            if folder_id in self._nameless:
                self._nameless[folder_id].add(identity)
        report.added += len(waiting)
        self._waiting = []
        self._waiting_bytes = 0
        self._waiting_keys = set()

    # --- what is there already

    async def _is_known(self, ready: _Ready, found: Found) -> bool:
        message_id = ready.item.columns.message_id
        if not message_id:
            return _identity(ready.item) in await self._nameless_in(ready.folder_id)
        records = self._store.records
        known = await records.by_message_id(self._mailbox_id, ready.folder_id, message_id)
        if not known:
            return False
        items = await records.items(self._mailbox_id, known[:_SLICE])
        return any(self._is_same(item, ready.item, found) for item in items)

    def _is_same(self, known: Item, new: NewItem, found: Found) -> bool:
        """The same content, or the same bytes as a door would serve them."""
        if known.blob is None or new.blob is None:
            return False
        if known.blob.blob_hash == new.blob.blob_hash:
            return True
        if len(known.prefix) + known.blob.served_bytes != new.size_bytes:
            return False
        try:
            served = known.prefix + self._store.blobs.read_plain(known.blob)
        except NotFound:
            return False
        return served == (found.content if found.is_exact else crlf_from_lf(found.content))

    async def _nameless_in(self, folder_id: FolderId) -> set[bytes]:
        """Identities of all items without Message-ID in a folder; read once."""
        identities = self._nameless.get(folder_id)
        if identities is not None:
            return identities
        identities = self._nameless[folder_id] = set()
        records = self._store.records
        after = Uid(0)
        while places := await records.places(self._mailbox_id, folder_id, after, _SLICE):
            after = places[-1].uid
            ids: Sequence[ItemId] = [place.item_id for place in places]
            for item in await records.items(self._mailbox_id, ids):
                if not item.columns.message_id:
                    identities.add(_identity(item))
        return identities


def _identity(item: NewItem | Item) -> bytes:
    """Same content, same identity; items without content are what their properties are."""
    if item.blob is not None:
        return item.blob.blob_hash
    columns = structs.replace(item.columns, thread=0)
    return hashlib.sha256(repr((int(item.kind), columns)).encode() + item.bag).digest()
