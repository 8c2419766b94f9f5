"""The full-text index in memory: plain loops over plain words, to check the real ones against."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from posthouse.ports.fulltext import Where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId
    from posthouse.ports.fulltext import IndexEntry, IndexPage, Query, Term


class _Known(NamedTuple):
    folder_id: FolderId
    changed_cn: ChangeNumber
    received_at: int
    words: dict[Where, list[str]]


class MemoryFullText:
    """Implements ``ports.fulltext.FullText``."""

    def __init__(self) -> None:
        self._guids: dict[MailboxId, bytes] = {}
        self._positions: dict[MailboxId, dict[FolderId, ChangeNumber]] = {}
        self._items: dict[MailboxId, dict[ItemId, _Known]] = {}

    def positions(self, mailbox_id: MailboxId, guid: bytes) -> Mapping[FolderId, ChangeNumber]:
        """See FullText."""
        if self._guids.get(mailbox_id) != guid:
            return {}
        return dict(self._positions.get(mailbox_id, {}))

    def known(
        self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]
    ) -> Mapping[ItemId, ChangeNumber]:
        """See FullText."""
        items = self._items.get(mailbox_id, {})
        return {i: items[i].changed_cn for i in item_ids if i in items}

    def write(self, page: IndexPage) -> bool:
        """See FullText."""
        mailbox_id = page.mailbox_id
        if self.positions(mailbox_id, page.guid).get(page.folder_id, 0) != page.since:
            return False
        if self._guids.get(mailbox_id) != page.guid:
            self.forget_mailbox(mailbox_id)
        self._guids[mailbox_id] = page.guid
        self._positions.setdefault(mailbox_id, {})[page.folder_id] = page.upto
        items = self._items.setdefault(mailbox_id, {})
        for item_id in page.vanished:
            if item_id in items and items[item_id].folder_id == page.folder_id:
                del items[item_id]
        for item_id in page.moved:
            if item_id in items:
                items[item_id] = items[item_id]._replace(folder_id=page.folder_id)
        for entry in page.entries:
            items[entry.item_id] = _Known(
                page.folder_id, entry.changed_cn, entry.received_at, _words_of(entry)
            )
        return True

    def forget_folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> None:
        """See FullText."""
        self._positions.get(mailbox_id, {}).pop(folder_id, None)
        items = self._items.get(mailbox_id, {})
        for item_id in [i for i, known in items.items() if known.folder_id == folder_id]:
            del items[item_id]

    def forget_mailbox(self, mailbox_id: MailboxId) -> None:
        """See FullText."""
        self._guids.pop(mailbox_id, None)
        self._positions.pop(mailbox_id, None)
        self._items.pop(mailbox_id, None)

    def mailbox_ids(self) -> Sequence[MailboxId]:
        """See FullText."""
        return sorted(self._guids)

    def find(
        self,
        mailbox_id: MailboxId,
        folder_ids: Sequence[FolderId] | None,
        query: Query,
        limit: int,
    ) -> Sequence[ItemId]:
        """See FullText."""
        if not query.terms:
            return []
        hits = [
            (known.received_at, item_id)
            for item_id, known in self._items.get(mailbox_id, {}).items()
            if (folder_ids is None or known.folder_id in folder_ids)
            and all(_meets(known, term) for term in query.terms)
        ]
        return [item_id for _, item_id in sorted(hits, reverse=True)[:limit]]

    def close(self) -> None:
        """See FullText."""


def _words_of(entry: IndexEntry) -> dict[Where, list[str]]:
    return {
        Where.SENDER: _words(entry.sender),
        Where.RECIPIENTS: _words(entry.recipients),
        Where.SUBJECT: _words(entry.subject),
        Where.BODY: _words(entry.body),
    }


def _words(text: str) -> list[str]:
    bare = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if c.isalnum() else " " for c in bare).casefold().split()


def _meets(known: _Known, term: Term) -> bool:
    wanted = _words(term.text)
    places = known.words.values() if term.where is Where.ANYWHERE else [known.words[term.where]]
    return any(_stands_in(wanted, words, is_prefix=term.is_prefix) for words in places)


def _stands_in(wanted: list[str], words: list[str], *, is_prefix: bool) -> bool:
    count = len(wanted)
    for start in range(len(words) - count + 1):
        found = words[start : start + count]
        if found == wanted:
            return True
        if is_prefix and found[:-1] == wanted[:-1] and found[-1].startswith(wanted[-1]):
            return True
    return False
