"""Waiting for a mailbox to advance.

Notes:
    - Who waits is registered before it looks, and looks before it sleeps: nothing falls between.
    - A hint may get lost. Every 30 s one of those who wait looks after all of them; nobody waits,
      nobody looks.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.changes import Hint
    from posthouse.model.ids import ChangeNumber, MailboxId
    from posthouse.ports.hints import Hints
    from posthouse.ports.records import Records

SWEEP_S = 30.0
_SWEEP_MAILBOXES = 500
"""Mailboxes asked about in one call."""


class Waits:
    """Those who wait, by mailbox; belongs to one event loop."""

    __slots__ = ("_hints", "_records", "_sweep_s", "_swept_at", "_unsubscribe", "_waiting")

    def __init__(self, records: Records, hints: Hints, sweep_s: float = SWEEP_S) -> None:
        self._records = records
        self._hints = hints
        self._sweep_s = sweep_s
        self._swept_at = 0.0
        self._waiting: dict[MailboxId, dict[asyncio.Future[None], ChangeNumber]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    async def wait(self, mailbox_id: MailboxId, known: ChangeNumber, timeout_s: float) -> bool:
        """Sleep until the mailbox is past ``known``; False when time ran out. Raises NotFound."""
        if self._unsubscribe is None:
            self._unsubscribe = self._hints.subscribe(self._hear)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        deadline = loop.time() + timeout_s
        self._waiting.setdefault(mailbox_id, {})[future] = known
        try:
            if (await self._records.mailbox(mailbox_id)).highest_cn > known:
                return True
            while True:
                left_s = deadline - loop.time()
                if left_s <= 0:
                    return future.done()
                await asyncio.wait((future,), timeout=min(left_s, self._sweep_s))
                if future.done():
                    return True
                await self._sweep(loop.time())
        finally:
            self._leave(mailbox_id, future)

    def close(self) -> None:
        """Hear no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _hear(self, hint: Hint) -> None:
        waiting = self._waiting.get(hint.mailbox_id)
        if waiting:
            _wake(waiting, hint.change_number)

    def _leave(self, mailbox_id: MailboxId, future: asyncio.Future[None]) -> None:
        waiting = self._waiting[mailbox_id]
        del waiting[future]
        if not waiting:
            del self._waiting[mailbox_id]

    async def _sweep(self, now: float) -> None:
        """Look after all who wait, unless somebody has just done so."""
        if now - self._swept_at < self._sweep_s * 0.9:
            return
        self._swept_at = now
        known = {mailbox_id: min(w.values()) for mailbox_id, w in self._waiting.items()}
        rest = iter(known.items())
        while some := dict(islice(rest, _SWEEP_MAILBOXES)):
            for mailbox_id in await self._records.advanced_since(some):
                mailbox = await self._records.mailbox(mailbox_id)
                _wake(self._waiting.get(mailbox_id, {}), mailbox.highest_cn)


def _wake(waiting: dict[asyncio.Future[None], ChangeNumber], highest_cn: ChangeNumber) -> None:
    for future, known in waiting.items():
        if known < highest_cn and not future.done():
            future.set_result(None)
