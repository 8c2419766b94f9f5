"""The search index in the jobs process: words from the parse pool, fed from the change log.

Notes:
    The index lags on purpose: whoever searches drains the mailbox's backlog first, so feeding it
    can wait for quiet minutes and never delays a delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.app.wiring import open_fulltext
from posthouse.runtime.offload import Offload, ParsePool
from posthouse.services.search.indexer import Indexer
from posthouse.services.search.search import Search

if TYPE_CHECKING:
    from posthouse.app.wiring import House
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics

INDEX_S = 300.0
_WORDS_PATIENCE_S = 10.0
PARSERS = {"search_text": "posthouse.formats.mime.card:search_text"}


class Searching:
    """Feeds the index until closed.

    Args:
        house: of the jobs process.
        log: hears of parsers that died.
        metrics: counts parser calls.

    Attributes:
        search: finds items by words.
    """

    def __init__(self, house: House, log: Log, metrics: Metrics) -> None:
        self._pool = ParsePool(PARSERS, log, metrics)
        self._offload = Offload(house.loop, threads=1)
        self._fulltext = open_fulltext(house.config.data)
        self._indexer = Indexer(house.store, self._fulltext, self._words, self._offload.in_thread)
        self.search = Search(self._fulltext, self._indexer, house.clock)

    async def _words(self, plain: bytes) -> bytes:
        return await self._pool.call("search_text", plain, _WORDS_PATIENCE_S)

    async def feed(self) -> None:
        """Index what has come since the last round."""
        await self._indexer.run_once()

    def close(self) -> None:
        """End the parsers and let go of the index."""
        self._pool.close()
        self._offload.close()
        self._fulltext.close()
