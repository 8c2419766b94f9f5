"""The search index and the cards in the jobs process: made in the parse pool, fed by hints.

Notes:
    The index lags on purpose: whoever searches drains the mailbox's backlog first, so feeding it
    can wait for a quiet moment and never delays a delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.app.wiring import open_fulltext
from posthouse.runtime.offload import Offload, ParsePool
from posthouse.services.search.feeding import Feeder
from posthouse.services.search.indexer import Indexer
from posthouse.services.search.search import Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.app.wiring import House
    from posthouse.model.ids import FolderId, ItemId, MailboxId
    from posthouse.ports.fulltext import FullText
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics
    from posthouse.services.search.feeding import Pace

RETRY_S = 30.0
_DIGEST_PATIENCE_S = 10.0
PARSERS = {"digests": "posthouse.formats.mime.card:digests"}


class Searching:
    """The index of this process, opened when it is first needed.

    So that a process comes up, and takes mail, whatever has become of the index.

    Args:
        house: of the process.
        log: hears of parsers that died.
        metrics: counts parser calls.
        pace: of the feeding.
    """

    def __init__(self, house: House, log: Log, metrics: Metrics, pace: Pace | None = None) -> None:
        self._house = house
        self._pool = ParsePool(PARSERS, log, metrics)
        self._offload = Offload(house.loop, threads=1)
        self._pace = pace
        self._opened: tuple[FullText, Indexer] | None = None

    async def feed(self) -> None:
        """Index what comes, and give it its cards, for ever. Raises as ``Feeder.run``."""
        _, indexer = self._open()
        await Feeder(self._house.store, indexer, self._pace).run()

    async def find(
        self,
        mailbox_id: MailboxId,
        text: str,
        folder_ids: Sequence[FolderId] | None = None,
        limit: int = 100,
    ) -> Sequence[ItemId]:
        """See ``Search.find``."""
        fulltext, indexer = self._open()
        search = Search(fulltext, indexer, self._house.clock)
        return await search.find(mailbox_id, text, folder_ids, limit)

    def _open(self) -> tuple[FullText, Indexer]:
        if self._opened is None:
            fulltext = open_fulltext(self._house.config.data)
            in_thread = self._offload.in_thread
            indexer = Indexer(self._house.store, fulltext, self._digests, in_thread)
            self._opened = fulltext, indexer
        return self._opened

    async def _digests(self, contents: bytes) -> bytes:
        return await self._pool.call("digests", contents, _DIGEST_PATIENCE_S)

    def close(self) -> None:
        """End the parsers and let go of the index."""
        self._pool.close()
        self._offload.close()
        if self._opened is not None:
            self._opened[0].close()
