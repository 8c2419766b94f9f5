"""The indexer: brings the full-text index up to the change log.

Notes:
    It may stop anywhere and go on later, in any process: the index says how far it is. An item
    whose words cannot be taken out (too large, too odd for the parser) is found by its header
    fields alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from posthouse.model.errors import NotFound, ParserFailed, SyncPointExpired
from posthouse.model.folder import FolderRole
from posthouse.model.ids import ChangeNumber, MailboxId
from posthouse.model.item import ItemKind
from posthouse.ports.fulltext import IndexEntry, IndexPage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from posthouse.model.changes import ChangePage
    from posthouse.model.folder import Folder, Mailbox
    from posthouse.model.item import Item, Place
    from posthouse.ports.fulltext import FullText
    from posthouse.ports.records import Records
    from posthouse.store.store import Store

_PAGE = 100
_CONTENT_BYTES_MAX = 64 << 20
_MAILBOXES = 500
_NOT_SEARCHED = (FolderRole.ROOT, FolderRole.RECOVERABLE)


async def folders_behind(records: Records, fulltext: FullText, mailbox_id: MailboxId) -> int:
    """How many folders of a mailbox hold changes that are not indexed yet. Raises NotFound."""
    mailbox = await records.mailbox(mailbox_id)
    positions = fulltext.positions(mailbox_id, mailbox.guid)
    return sum(
        1
        for folder in await records.folders(mailbox_id)
        if folder.role not in _NOT_SEARCHED
        and positions.get(folder.folder_id, 0) < folder.highest_cn
        and (folder.item_count or folder.folder_id in positions)
    )


class InThread(Protocol):
    """Runs blocking work in a thread."""

    async def __call__(self, work: Callable[[], bool], /) -> bool:
        """The work's answer."""
        ...


class Indexer:
    """Feeds one index from one store.

    Args:
        store: the store.
        fulltext: the index.
        words_of: the words of a message's plain content, in UTF-8 (the parse pool's
            ``search_text``); may raise ParserFailed.
        in_thread: for writing to the index.
    """

    def __init__(
        self,
        store: Store,
        fulltext: FullText,
        words_of: Callable[[bytes], Awaitable[bytes]],
        in_thread: InThread,
    ) -> None:
        self._store = store
        self._fulltext = fulltext
        self._words_of = words_of
        self._in_thread = in_thread
        # Mailboxes that were indexed up to these numbers by this very object.
        self._drained: dict[MailboxId, ChangeNumber] = {}

    async def run_once(self) -> int:
        """Index everything there is to index; says how many pages that took.

        The first call looks at every mailbox, later ones at those that moved since.
        """
        present = await self._mailbox_ids()
        for mailbox_id in self._drained.keys() - present:
            del self._drained[mailbox_id]
        for mailbox_id in self._fulltext.mailbox_ids():
            if mailbox_id not in present:
                self._fulltext.forget_mailbox(mailbox_id)
        moved = set(await self._store.records.advanced_since(self._drained))
        pages = 0
        for mailbox_id in sorted(present - self._drained.keys() | moved & present):
            pages += await self.drain(mailbox_id)
        return pages

    async def _mailbox_ids(self) -> set[MailboxId]:
        found: set[MailboxId] = set()
        after = MailboxId(0)
        while page := await self._store.records.mailbox_ids(after, _MAILBOXES):
            found.update(page)
            after = page[-1]
        return found

    async def drain(self, mailbox_id: MailboxId, until_s: float | None = None) -> int:
        """Index what changed in a mailbox; says how many pages that took.

        Args:
            mailbox_id: the mailbox; one that is no more is forgotten.
            until_s: stop after the page under way at this time of the monotonic clock.
        """
        try:
            mailbox = await self._store.records.mailbox(mailbox_id)
            folders = await self._store.records.folders(mailbox_id)
        except NotFound:
            self._fulltext.forget_mailbox(mailbox_id)
            return 0
        positions = self._fulltext.positions(mailbox_id, mailbox.guid)
        for folder_id in positions.keys() - {folder.folder_id for folder in folders}:
            self._fulltext.forget_folder(mailbox_id, folder_id)
        pages = 0
        for folder in folders:
            if folder.role in _NOT_SEARCHED:
                continue
            since = positions.get(folder.folder_id, ChangeNumber(0))
            while since < folder.highest_cn:
                if until_s is not None and self._store.clock.monotonic_s() >= until_s:
                    return pages
                since = await self._step(mailbox, folder, since)
                pages += 1
        self._drained[mailbox_id] = mailbox.highest_cn
        return pages

    async def _step(self, mailbox: Mailbox, folder: Folder, since: ChangeNumber) -> ChangeNumber:
        """One page of one folder; the number to go on from."""
        mailbox_id, folder_id = mailbox.mailbox_id, folder.folder_id
        try:
            changes = await self._store.records.changes_since(mailbox_id, folder_id, since, _PAGE)
        except SyncPointExpired:
            # Tombstones we never saw are gone: this folder is indexed from nothing.
            self._fulltext.forget_folder(mailbox_id, folder_id)
            return ChangeNumber(0)
        except NotFound:
            self._fulltext.forget_folder(mailbox_id, folder_id)
            return folder.highest_cn
        page = await self._page(mailbox, folder, since, changes)
        if await self._in_thread(lambda: self._fulltext.write(page)):
            # The last page may stand before the folder's number: nothing is left up to there.
            return page.upto
        return self._fulltext.positions(mailbox_id, mailbox.guid).get(folder_id, ChangeNumber(0))

    async def _page(
        self, mailbox: Mailbox, folder: Folder, since: ChangeNumber, changes: ChangePage
    ) -> IndexPage:
        upto = changes.upto if changes.has_more else max(changes.upto, folder.highest_cn)
        mailbox_id = mailbox.mailbox_id
        # A change of marks alone changes no words; only what came or changed is looked at.
        places = {place.item_id: place for place in changes.places if place.changed_cn > since}
        known = self._fulltext.known(mailbox_id, list(places))
        entries: list[IndexEntry] = []
        moved = []
        for item in await self._items(mailbox_id, list(places.values())):
            if known.get(item.item_id) == item.changed_cn:
                moved.append(item.item_id)
            else:
                entries.append(await self._entry(item))
        return IndexPage(
            mailbox_id=mailbox_id,
            guid=mailbox.guid,
            folder_id=folder.folder_id,
            since=since,
            upto=upto,
            entries=tuple(entries),
            moved=tuple(moved),
            vanished=tuple(one.item_id for one in changes.vanished if one.item_id not in places),
        )

    async def _items(self, mailbox_id: MailboxId, places: Sequence[Place]) -> Sequence[Item]:
        ids = [place.item_id for place in places]
        return await self._store.records.items(mailbox_id, ids) if ids else []

    async def _entry(self, item: Item) -> IndexEntry:
        columns = item.columns
        return IndexEntry(
            item_id=item.item_id,
            changed_cn=item.changed_cn,
            received_at=item.received_at,
            sender=columns.sender,
            recipients=columns.recipients,
            subject=columns.subject,
            body=await self._body(item),
        )

    async def _body(self, item: Item) -> str:
        blob = item.blob
        if blob is None or item.kind is not ItemKind.MESSAGE:
            return ""
        if blob.size_bytes > _CONTENT_BYTES_MAX:
            return ""
        try:
            plain = self._store.blobs.read_plain(blob)
            return (await self._words_of(plain)).decode("utf-8", "replace")
        except (NotFound, ParserFailed):
            return ""
