"""Search, as every door asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from posthouse.services.search.query import parse_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.ids import FolderId, ItemId, MailboxId
    from posthouse.ports.clock import Clock
    from posthouse.ports.fulltext import FullText
    from posthouse.services.search.indexer import Indexer

CATCH_UP_S = 2.0
_LIMIT_MAX = 10_000


class Finds(Protocol):
    """Finds items by words: a Search, or what opens one when it is needed."""

    async def find(
        self,
        mailbox_id: MailboxId,
        text: str,
        folder_ids: Sequence[FolderId] | None = None,
        limit: int = 100,
    ) -> Sequence[ItemId]:
        """See ``Search.find``."""
        ...


class Search:
    """Finds items by words.

    Args:
        fulltext: the index.
        indexer: brings it up to date before each question, within bounds.
        clock: the time.
        catch_up_s: how long a question waits for that at most.
    """

    def __init__(
        self, fulltext: FullText, indexer: Indexer, clock: Clock, catch_up_s: float = CATCH_UP_S
    ) -> None:
        self._fulltext = fulltext
        self._indexer = indexer
        self._clock = clock
        self._catch_up_s = catch_up_s

    async def find(
        self,
        mailbox_id: MailboxId,
        text: str,
        folder_ids: Sequence[FolderId] | None = None,
        limit: int = 100,
    ) -> Sequence[ItemId]:
        """Items that meet the query, newest first.

        A client finds what it just stored: the index is brought up to date first, as far as that
        takes no longer than ``catch_up_s``.

        Args:
            mailbox_id: the mailbox.
            text: see query.py.
            folder_ids: only in these; None everywhere.
            limit: at most 10 000.

        Raises:
            Unavailable: the index cannot be used now.
        """
        query = parse_query(text)
        if not query.terms:
            return []
        await self._indexer.drain(mailbox_id, self._clock.monotonic_s() + self._catch_up_s)
        return self._fulltext.find(mailbox_id, folder_ids, query, min(limit, _LIMIT_MAX))
