"""The indexer: brings the full-text index up to the change log, and cards to the items on the way.

Notes:
    - It may stop anywhere and go on later, in any process: the index says how far it is. An item
      whose words cannot be taken out (too large, too odd for the parser) is found by its header
      fields alone.
    - Words and card come out of one look at the content. Cards are stored a page at a time; an item
      that has none all the same gets it from whoever asks first (``services.cards``).
    - Messages are looked at many in one call; one that the parser dies of costs the others a
      second look. What many mailboxes got together is looked at once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from posthouse.formats.mime.card import Digest, pack_contents, read_card, read_digests
from posthouse.model.errors import NotFound, ParserFailed, SyncPointExpired
from posthouse.model.folder import FolderRole
from posthouse.model.ids import ChangeNumber, MailboxId
from posthouse.model.item import ItemKind
from posthouse.ports.fulltext import IndexEntry, IndexPage
from posthouse.services.cards.keeping import Rendered, keep_cards

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from posthouse.model.blob import BlobRef
    from posthouse.model.changes import ChangePage
    from posthouse.model.folder import Folder, Mailbox
    from posthouse.model.ids import BlobHash
    from posthouse.model.item import Item, Place
    from posthouse.ports.fulltext import FullText
    from posthouse.ports.records import Records
    from posthouse.store.store import Store

_PAGE = 100
_CONTENT_BYTES_MAX = 64 << 20
_MAILBOXES = 500
_CARDS = 100
_CALL_BYTES = 512 << 10
_SHARED_MAX = 128
_SHARED_BYTES_MAX = 16 << 10
_NO_DIGEST = Digest(b"", "")
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
        digests: cards and words of messages (the parse pool's ``digests``); may raise ParserFailed.
        in_thread: for writing to the index.
    """

    def __init__(
        self,
        store: Store,
        fulltext: FullText,
        digests: Callable[[bytes], Awaitable[bytes]],
        in_thread: InThread,
    ) -> None:
        self._store = store
        self._fulltext = fulltext
        self._digests = digests
        self._in_thread = in_thread
        # Mailboxes that were indexed up to these numbers by this very object.
        self._drained: dict[MailboxId, ChangeNumber] = {}
        self._rendered: list[Rendered] = []
        self._shared: dict[BlobHash, Digest] = {}

    async def run_once(self) -> int:
        """Index everything there is to index; says how many pages that took."""
        pages = 0
        for mailbox_id in await self.behind():
            pages += (await self._drain(mailbox_id))[0]
        await self._keep_cards()
        return pages

    async def behind(self) -> list[MailboxId]:
        """The mailboxes to look at: at the first call all, later those that moved since.

        What is known of mailboxes that are no more is forgotten.
        """
        present = await self._mailbox_ids()
        for mailbox_id in self._drained.keys() - present:
            del self._drained[mailbox_id]
        for mailbox_id in self._fulltext.mailbox_ids():
            if mailbox_id not in present:
                self._fulltext.forget_mailbox(mailbox_id)
        moved = set(await self._store.records.advanced_since(self._drained))
        return sorted(present - self._drained.keys() | moved & present)

    async def advance(self, mailbox_ids: Iterable[MailboxId], until_s: float) -> list[MailboxId]:
        """Index what changed in some mailboxes; answers those that are not done in time.

        Args:
            mailbox_ids: the mailboxes.
            until_s: stop after the page under way at this time of the monotonic clock.
        """
        left: list[MailboxId] = []
        for mailbox_id in mailbox_ids:
            if left or not (await self._drain(mailbox_id, until_s))[1]:
                left.append(mailbox_id)
        await self._keep_cards()
        return left

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
        pages, _ = await self._drain(mailbox_id, until_s)
        await self._keep_cards()
        return pages

    async def _drain(self, mailbox_id: MailboxId, until_s: float | None = None) -> tuple[int, bool]:
        """Pages taken, and whether nothing is left."""
        try:
            mailbox = await self._store.records.mailbox(mailbox_id)
            folders = await self._store.records.folders(mailbox_id)
        except NotFound:
            self._fulltext.forget_mailbox(mailbox_id)
            return 0, True
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
                    return pages, False
                since = await self._step(mailbox, folder, since)
                pages += 1
        self._drained[mailbox_id] = mailbox.highest_cn
        return pages, True

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
        fresh: list[Item] = []
        for item in await self._items(mailbox_id, list(places.values())):
            if known.get(item.item_id) == item.changed_cn:
                moved.append(item.item_id)
            else:
                fresh.append(item)
        for item, digest in zip(fresh, await self._looked_at(fresh), strict=True):
            entries.append(_entry(item, digest.words))
            if digest.card and read_card(item.card) is None:
                self._rendered.append(Rendered(mailbox_id, item, digest.card))
        if len(self._rendered) >= _CARDS:
            await self._keep_cards()
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

    async def _looked_at(self, items: Sequence[Item]) -> list[Digest]:
        """A digest for each item."""
        found: dict[BlobHash, Digest] = {}
        waiting: dict[BlobHash, bytes] = {}
        waiting_bytes = 0
        for item in items:
            blob = _content(item)
            if blob is None or blob.blob_hash in found or blob.blob_hash in waiting:
                continue
            if (known := self._shared.get(blob.blob_hash)) is not None:
                found[blob.blob_hash] = known
                continue
            if waiting and waiting_bytes + blob.size_bytes > _CALL_BYTES:
                found |= await self._asked(waiting)
                waiting, waiting_bytes = {}, 0
            with suppress(NotFound):
                waiting[blob.blob_hash] = self._store.blobs.read_plain(blob)
                waiting_bytes += blob.size_bytes
        found |= await self._asked(waiting)
        blobs = [_content(item) for item in items]
        return [found.get(blob.blob_hash, _NO_DIGEST) if blob else _NO_DIGEST for blob in blobs]

    async def _asked(self, contents: Mapping[BlobHash, bytes]) -> dict[BlobHash, Digest]:
        """Digests of those the parser can make sense of."""
        if not contents:
            return {}
        try:
            answer = await self._digests(pack_contents(list(contents.values())))
            digests = read_digests(answer, len(contents))
        except ParserFailed:
            if len(contents) == 1:
                return {}
            alone = [await self._asked({name: plain}) for name, plain in contents.items()]
            return {name: digest for one in alone for name, digest in one.items()}
        found = dict(zip(contents, digests, strict=True))
        for name, digest in found.items():
            if len(digest.card) + len(digest.words) <= _SHARED_BYTES_MAX:
                self._shared[name] = digest
        while len(self._shared) > _SHARED_MAX:
            del self._shared[next(iter(self._shared))]
        return found

    async def _keep_cards(self) -> None:
        rendered, self._rendered = self._rendered, []
        await keep_cards(self._store, rendered)


def _content(item: Item) -> BlobRef | None:
    """What of an item is looked at."""
    blob = item.blob
    if blob is None or item.kind is not ItemKind.MESSAGE or blob.size_bytes > _CONTENT_BYTES_MAX:
        return None
    return blob


def _entry(item: Item, words: str) -> IndexEntry:
    columns = item.columns
    return IndexEntry(
        item_id=item.item_id,
        changed_cn=item.changed_cn,
        received_at=item.received_at,
        sender=columns.sender,
        recipients=columns.recipients,
        subject=columns.subject,
        body=words,
    )
