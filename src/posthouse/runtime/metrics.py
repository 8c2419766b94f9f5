"""Metrics: named figures in shared memory, one stripe of slots per process.

Spec: Prometheus text exposition format 0.0.4.

Notes:
    The memory is anonymous and shared, so it must be made before the processes fork. Each process
    writes only its own stripe, from its event loop's thread: no locks. Any process may read all
    stripes, so one of them answers for all.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from posthouse.runtime.metrics_table import SLOT_COUNT, TABLE, Kind

if TYPE_CHECKING:
    from posthouse.runtime.metrics_table import Row, Slot

_MICROSECONDS = 1_000_000


class Metrics:
    """The figures of one process, with sight of all others'."""

    __slots__ = ("_all", "_memory", "_mine", "processes")

    def __init__(self, processes: int = 1) -> None:
        self.processes = processes
        self._memory = mmap.mmap(-1, max(mmap.PAGESIZE, processes * SLOT_COUNT * 8))
        self._all = memoryview(self._memory).cast("q")
        self._mine = self._all[:SLOT_COUNT]

    def bind(self, process: int) -> None:
        """Write stripe ``process`` (0-based) from now on; gauges left there by the dead go to 0."""
        if not 0 <= process < self.processes:
            raise ValueError(f"no stripe {process} of {self.processes}")
        self._mine = self._all[process * SLOT_COUNT : (process + 1) * SLOT_COUNT]
        for row in TABLE:
            if row.kind is Kind.GAUGE:
                for slot, _ in row.samples:
                    self._mine[slot] = 0

    def inc(self, slot: Slot, count: int = 1) -> None:
        """Add to a counter, or to a gauge (then ``count`` may be negative)."""
        self._mine[slot] += count

    def put(self, slot: Slot, value: int) -> None:
        """Set this process's part of a gauge. What is shown is the sum over the processes."""
        self._mine[slot] = value

    def add_time(self, slot: Slot, seconds: float) -> None:
        """Add to a sum of time."""
        self._mine[slot] += int(seconds * _MICROSECONDS)

    def total(self, slot: Slot) -> int:
        """The sum over all processes, in the unit in which it is kept."""
        return sum(self._all[slot : self.processes * SLOT_COUNT : SLOT_COUNT])

    def render(self) -> str:
        """All figures as Prometheus text.

        Samples of a family that were never touched are left out.
        """
        lines: list[str] = []
        for row in TABLE:
            lines += self._rendered(row)
        lines.append("")
        return "\n".join(lines)

    def _rendered(self, row: Row) -> list[str]:
        kind = "gauge" if row.kind is Kind.GAUGE else "counter"
        name = row.name if row.kind is Kind.GAUGE else f"{row.name}_total"
        lines = [f"# HELP {name} {row.help}", f"# TYPE {name} {kind}"]
        for slot, values in row.samples:
            amount = self.total(slot)
            if not amount and row.label_names:
                continue
            labels = ",".join(
                f'{label}="{value}"' for label, value in zip(row.label_names, values, strict=True)
            )
            shown = amount / _MICROSECONDS if row.kind is Kind.MICROSECONDS else amount
            lines.append(f"{name}{{{labels}}} {shown}" if labels else f"{name} {shown}")
        return lines
