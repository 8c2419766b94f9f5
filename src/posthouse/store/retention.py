"""Retention and housekeeping: what the jobs process does by the clock.

Notes:
    Everything is done in small portions, each a write of its own, so that deliveries get their turn
    between them. All of it may be done again or left undone at any point.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from posthouse.ports.blobs import BlobUpkeep, Sweep
    from posthouse.ports.records import Records

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept.

    Attributes:
        recoverable_ms: what was deleted for good can be brought back.
        tombstones_ms: older sync points have to start anew.
        receipts_ms: an acceptance whose answer got lost is remembered.
        blob_grace_ms: bytes outlive their last reference; longer than any backup is in use.
        portion: how much one write takes.
    """

    recoverable_ms: int = 14 * _DAY_MS
    tombstones_ms: int = 60 * _DAY_MS
    receipts_ms: int = 7 * _DAY_MS
    blob_grace_ms: int = 7 * _DAY_MS
    portion: int = 500


async def expire_recoverable(records: Records, retention: Retention, now: int) -> int:
    """Delete for good what has been in Recoverable Items long enough; says how many."""
    before = now - retention.recoverable_ms
    return await _in_portions(
        lambda: records.expire_recoverable(before, retention.portion), retention.portion
    )


async def raise_horizon(records: Records, retention: Retention, now: int) -> int:
    """Drop old tombstones; says how many."""
    before = now - retention.tombstones_ms
    return await _in_portions(
        lambda: records.raise_horizon(before, retention.portion), retention.portion
    )


async def forget_receipts(records: Records, retention: Retention, now: int) -> int:
    """Drop old receipts and idempotency keys; says how many."""
    return await records.forget_receipts(now - retention.receipts_ms)


async def collect_garbage(upkeep: BlobUpkeep, retention: Retention, now: int) -> Sweep:
    """Give back the space of blobs that nobody names."""
    return await upkeep.collect_garbage(now, retention.blob_grace_ms)


async def checkpoint(records: Records) -> None:
    """Let the engine tidy its journal; every few seconds."""
    await records.checkpoint()


async def _in_portions(step: Callable[[], Awaitable[int]], portion: int) -> int:
    done = 0
    while True:
        count = await step()
        done += count
        if count < portion:
            return done
        await asyncio.sleep(0)
