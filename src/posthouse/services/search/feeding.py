"""Feeding the index (and the cards) while mail comes, without being in its way.

Notes:
    - Hints say which mailboxes moved. They are looked at when no hint has come for a moment, or
      when that takes too long: what comes together is looked at together.
    - While mail keeps coming only a share of the time is taken; the rest belongs to whoever
      delivers. Nothing waits for this: a search brings its own mailbox up to date, and a door
      renders the cards it misses.
    - A slow sweep finds what hints lost, and what moved while nobody listened.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.changes import Hint
    from posthouse.model.ids import MailboxId
    from posthouse.services.search.indexer import Indexer
    from posthouse.store.store import Store


@dataclass(frozen=True, slots=True)
class Pace:
    """How the feeder goes, in seconds.

    Attributes:
        quiet_s: without a hint, before what moved is looked at.
        patience_s: at most so long after the first hint, quiet or not.
        sweep_s: between looks at all mailboxes.
        slice_s: of work, before it looks whether mail is coming (a page under way is ended).
        busy_share: of the time, while mail keeps coming; above 0, at most 1.
    """

    quiet_s: float = 1.0
    patience_s: float = 10.0
    sweep_s: float = 300.0
    slice_s: float = 0.05
    busy_share: float = 0.2


class Feeder:
    """Keeps one index fed. One per installation is enough; more do no harm.

    Args:
        store: whose hints are heard.
        indexer: does the work.
        pace: how.
    """

    def __init__(self, store: Store, indexer: Indexer, pace: Pace | None = None) -> None:
        self._store = store
        self._indexer = indexer
        self._pace = pace or Pace()
        self._moved: dict[MailboxId, None] = {}
        self._hints = 0
        self._called = asyncio.Event()

    async def run(self) -> None:
        """Feed for ever. May be cancelled at any time; what was moving then is swept up later.

        Raises:
            Unavailable: the index or the store cannot be used now; call again later.
        """
        now_s, pace = self._store.clock.monotonic_s, self._pace
        unsubscribe = self._store.hints.subscribe(self._on_hint)
        try:
            sweep_at = now_s() + pace.sweep_s
            while True:
                if await self._is_called(sweep_at - now_s()):
                    await self._until_quiet()
                if now_s() >= sweep_at:
                    self._moved.update(dict.fromkeys(await self._indexer.behind()))
                    sweep_at = now_s() + pace.sweep_s
                await self._feed()
        finally:
            unsubscribe()

    def _on_hint(self, hint: Hint) -> None:
        if hint.mailbox_id:
            self._hints += 1
            self._moved[hint.mailbox_id] = None
            self._called.set()

    async def _is_called(self, timeout_s: float) -> bool:
        if self._moved:
            return True
        self._called.clear()
        try:
            async with asyncio.timeout(max(timeout_s, 0.0)):
                await self._called.wait()
        except TimeoutError:
            return False
        return True

    async def _until_quiet(self) -> None:
        now_s, pace = self._store.clock.monotonic_s, self._pace
        end = now_s() + pace.patience_s
        seen = -1
        while seen != self._hints and now_s() < end:
            seen = self._hints
            await asyncio.sleep(pace.quiet_s)

    async def _feed(self) -> None:
        """Bring what moved until now up to date, slice by slice."""
        now_s, pace = self._store.clock.monotonic_s, self._pace
        work, self._moved = list(self._moved), {}
        while work:
            begun, seen = now_s(), self._hints
            try:
                work = await self._indexer.advance(work, begun + pace.slice_s)
            except BaseException:
                self._moved.update(dict.fromkeys(work))
                raise
            # The one that took the whole slice lets the others go first.
            work = work[1:] + work[:1]
            is_busy = seen != self._hints
            pause_s = (now_s() - begun) * (1 / pace.busy_share - 1) if is_busy else 0.0
            await asyncio.sleep(pause_s)
