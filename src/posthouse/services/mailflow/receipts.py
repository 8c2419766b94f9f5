"""Receipts: telling an echo of a lost answer from a new message, also across restarts."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from posthouse.model.batch import Commit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.services.mailflow.board import SettledBoard
    from posthouse.services.mailflow.envelope import Recipient
    from posthouse.store.store import Store

_SETTLED_PER_COMMIT_MAX = 500
_FLUSH_PAUSE_S = 0.01


def receipt_of(
    sender: str, recipients: Sequence[Recipient], blob_hash: bytes, message_id: str
) -> bytes:
    """Names an acceptance; b"" without Message-ID: then a repeat cannot be recognised."""
    if not message_id:
        return b""
    if len(recipients) == 1:
        to = recipients[0].address.key
    else:
        to = "\n".join(sorted(recipient.address.key for recipient in recipients))
    return sha256(f"{sender}\0{to}\0{message_id}\0".encode("utf-8", "replace") + blob_hash).digest()


def receipt_of_key(principal_id: int, key: bytes) -> bytes:
    """Names an acceptance by the client's own key; never settled, since keys are not used again."""
    return sha256(b"key\0%d\0%b" % (principal_id, key)).digest()


class Receipts:
    """Receipts of this process: under way, or settled but not yet forgotten by the records."""

    def __init__(self, store: Store, board: SettledBoard) -> None:
        self._store = store
        self._board = board
        self._settled: set[bytes] = set()
        self._leaving: set[bytes] = set()
        self._renewed: set[bytes] = set()
        self._under_way: dict[bytes, asyncio.Future[None] | None] = {}
        self._takings = 0
        self._work = asyncio.Event()

    def settle(self, receipt: bytes) -> None:
        """The answer was heard."""
        if receipt:
            self._settled.add(receipt)
            self._board.pin(receipt)
            self._work.set()

    async def begin(self, receipt: bytes) -> bool:
        """A message of this receipt is about to be committed; the caller must call ``finished``.

        A repeat that comes while the first is being committed waits for it.

        Returns:
            Whether a standing receipt means an echo: not when the answer is known to be heard.
        """
        while receipt in self._under_way:
            waiter = self._under_way[receipt]
            if waiter is None:
                waiter = self._under_way[receipt] = asyncio.get_running_loop().create_future()
            await asyncio.shield(waiter)
        self._under_way[receipt] = None
        if self._board.is_pinned(receipt) or receipt in self._settled or receipt in self._leaving:
            # It may stand in the records still, and shall from now on stand for the new message.
            self._board.unpin(receipt)
            self._settled.discard(receipt)
            self._renewed.add(receipt)
            return False
        return True

    def finished(self, receipt: bytes, *, is_committed: bool) -> None:
        """The message is committed, or will not be: then what was settled before is so again."""
        if receipt in self._renewed:
            self._renewed.discard(receipt)
            if not is_committed:
                self.settle(receipt)
        waiter = self._under_way.pop(receipt, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def take_settled(self) -> tuple[bytes, ...]:
        """Receipts for the next commit to forget; ``give_back`` them when it fails."""
        settled = self._settled
        self._takings += 1
        if len(settled) <= _SETTLED_PER_COMMIT_MAX:
            taken = tuple(settled)
            settled.clear()
        else:
            taken = tuple(settled.pop() for _ in range(_SETTLED_PER_COMMIT_MAX))
        self._leaving.update(taken)
        return taken

    def committed(self, settled: tuple[bytes, ...]) -> None:
        """The commit that ``take_settled`` was called for went through."""
        self._leaving.difference_update(settled)

    def give_back(self, settled: tuple[bytes, ...]) -> None:
        """The commit failed."""
        self._leaving.difference_update(settled)
        self._settled.update(settled)

    async def flush(self) -> None:
        """Forget settled receipts now. Raises Unavailable; they are kept for the next time then."""
        while self._settled:
            settled = self.take_settled()
            try:
                await self._store.apply(Commit(batches=(), settled=settled))
            except BaseException:
                self.give_back(settled)
                raise
            self.committed(settled)

    async def keep_flushed(self) -> None:
        """Flush soon after receipts settle, unless commits take them along, as in busy times."""
        while True:
            await self._work.wait()
            takings = -1
            while takings != self._takings:
                takings = self._takings
                await asyncio.sleep(_FLUSH_PAUSE_S)
            self._work.clear()
            await self.flush()
