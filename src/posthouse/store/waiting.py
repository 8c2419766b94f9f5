"""Waiting for a mailbox to advance.

Notes:
    - Who waits is registered before it looks, and looks before it sleeps: nothing falls between.
    - A hint may get lost: so who waits looks again every 30 s. A look is one row of one table.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.changes import Hint
    from posthouse.model.ids import ChangeNumber, MailboxId
    from posthouse.ports.hints import Hints
    from posthouse.ports.records import Records

LOOK_S = 30.0
Waiting: TypeAlias = "asyncio.Future[bool]"
"""True: woken; False: the round is over."""


class Waits:
    """Those who wait, by mailbox; belongs to one event loop."""

    __slots__ = ("_hints", "_look_s", "_records", "_unsubscribe", "_waiting")

    def __init__(self, records: Records, hints: Hints, look_s: float = LOOK_S) -> None:
        self._records = records
        self._hints = hints
        self._look_s = look_s
        self._waiting: dict[MailboxId, dict[Waiting, ChangeNumber]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    async def wait(self, mailbox_id: MailboxId, known: ChangeNumber, timeout_s: float) -> bool:
        """Sleep until the mailbox is past ``known``; False when time ran out. Raises NotFound."""
        if self._unsubscribe is None:
            self._unsubscribe = self._hints.subscribe(self._hear)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            left_s = deadline - loop.time()
            if await self._woken(mailbox_id, known, min(left_s, self._look_s)):
                return True
            if deadline <= loop.time():
                return False

    async def _woken(self, mailbox_id: MailboxId, known: ChangeNumber, patience_s: float) -> bool:
        """Look, then sleep for one round: a future and a timer are all that is kept meanwhile."""
        loop = asyncio.get_running_loop()
        future: Waiting = loop.create_future()
        self._waiting.setdefault(mailbox_id, {})[future] = known
        timer = None
        try:
            if (await self._records.mailbox(mailbox_id)).highest_cn > known:
                return True
            if patience_s <= 0:
                return future.done()
            timer = loop.call_later(patience_s, _end, future)
            return await future
        finally:
            if timer is not None:
                timer.cancel()
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

    def _leave(self, mailbox_id: MailboxId, future: Waiting) -> None:
        waiting = self._waiting[mailbox_id]
        del waiting[future]
        if not waiting:
            del self._waiting[mailbox_id]


def _wake(waiting: dict[Waiting, ChangeNumber], highest_cn: ChangeNumber) -> None:
    for future, known in waiting.items():
        if known < highest_cn and not future.done():
            future.set_result(True)


def _end(future: Waiting) -> None:
    """The round is over."""
    if not future.done():
        future.set_result(False)
