"""What the jobs process does by the clock: retention, leftovers, figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import PosthouseError
from posthouse.runtime import metrics_table
from posthouse.services.directory.audit_retention import remove_older
from posthouse.services.directory.orphans import sweep_orphans
from posthouse.store import retention

if TYPE_CHECKING:
    from posthouse.app.wiring import House
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics

CHECKPOINT_S = 1.0
FIGURES_S = 30.0
HOUR_S = 3600.0
DAY_S = 86_400.0


class Housekeeper:
    """Each step may be cut short or done twice.

    Args:
        house: of the jobs process.
        log: told what was done.
        metrics: the gauges are this process's.
    """

    def __init__(self, house: House, log: Log, metrics: Metrics) -> None:
        self._house = house
        self._log = log
        self._metrics = metrics

    async def checkpoint(self) -> None:
        """Keep the engine's journal short."""
        await retention.checkpoint(self._house.records)

    async def hourly(self) -> None:
        """Let go of what has been kept long enough: items, tombstones, receipts, bytes, lines."""
        house, settings = self._house, self._house.config.store
        kept = retention.Retention(
            recoverable_ms=int(settings.recoverable_days * DAY_S * 1000),
            tombstones_ms=int(settings.tombstone_days * DAY_S * 1000),
            blob_grace_ms=int(settings.blob_grace_hours * HOUR_S * 1000),
        )
        now = house.clock.now_ms()
        expired = await retention.expire_recoverable(house.records, kept, now)
        tombstones = await retention.raise_horizon(house.records, kept, now)
        await retention.forget_receipts(house.records, kept, now)
        sweep = await retention.collect_garbage(house.blob_upkeep, kept, now)
        audit_files = remove_older(house.audit_path, house.audit, now)
        self._log.info(
            "house-kept",
            expired=expired,
            tombstones=tombstones,
            blobs=sweep.blobs,
            freed=sweep.freed_bytes,
            audit_files=audit_files,
        )

    async def daily(self) -> None:
        """Remove mailboxes that nobody owns."""
        house = self._house
        count = await sweep_orphans(house.directory, house.records, house.audit, house.clock)
        if count:
            self._log.info("orphans-removed", count=count)

    async def figures(self) -> None:
        """Show the queue and the disk to whoever watches the metrics."""
        house, put = self._house, self._metrics.put
        put(metrics_table.STORE_FREE_BYTES, house.store.blobs.free_bytes())
        count, queued_at = await house.records.queue_figures()
        age_ms = house.clock.now_ms() - queued_at if queued_at else 0
        put(metrics_table.QUEUE_MESSAGES, count)
        put(metrics_table.QUEUE_OLDEST, max(0, age_ms) // 1000)

    async def problems(self) -> list[str]:
        """Why this house is not well; empty when it is."""
        house = self._house
        found = []
        free = house.store.blobs.free_bytes()
        if free < house.config.limits.space_floor:
            found.append(f"only {free >> 20} MiB of disk are free: no mail is taken in")
        try:
            await house.records.next_due()
        except PosthouseError as e:
            found.append(f"the store cannot be read: {e}")
        return found
