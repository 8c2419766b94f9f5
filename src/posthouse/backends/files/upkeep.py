"""Garbage collection, compaction and verification of the blob area.

Notes:
    - Row first, then space: a blob's bytes go only after its row has gone, durably.
    - A pack leaves in two steps: a mark when nothing in it is alive any more, the file once the
      mark is older than the grace. Readers that hold a location, and backups of the rows, stay
      right that long.
    - Packs that a living process appends to are locked and left alone.
    - One process at a time does this; the disk work runs in threads.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from posthouse.backends.files.layout import HEADER_BYTES, Layout
from posthouse.backends.files.operations import FileOperations
from posthouse.backends.files.packs import PackWriter
from posthouse.model.blob import BlobLocation
from posthouse.model.errors import NotFound, StoreError
from posthouse.model.ids import BlobHash
from posthouse.ports.blobs import Sweep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from posthouse.ports.blob_rows import BlobRow, BlobRows
    from posthouse.ports.blobs import Blobs

STALE_FILE_MS = 48 * 3_600_000
"""Temporary files and files without a row are swept at this age."""

_ROWS_MAX = 500
_MOVED_BYTES_MAX = 4 << 20
"""Bytes copied between two syncs of a compaction."""


class FileBlobUpkeep:
    """Implements ``ports.blobs.BlobUpkeep``."""

    def __init__(
        self,
        root: Path,
        blobs: Blobs,
        rows: BlobRows,
        operations: FileOperations | None = None,
    ) -> None:
        self._layout = Layout(root)
        self._blobs = blobs
        self._rows = rows
        self._operations = operations or FileOperations()

    async def collect_garbage(self, now: int, grace_ms: int) -> Sweep:
        """Forget dead blobs, compact half-empty packs, unlink empty ones, sweep what was left."""
        blobs, freed = await self._forget_dead(now - grace_ms)
        moved = await self._compact()
        used = {pack for pack, _ in await self._rows.pack_usage()}
        freed += await asyncio.to_thread(self._unlink_empty, used, now, now - grace_ms)
        freed += await asyncio.to_thread(self._sweep_stale, now - STALE_FILE_MS)
        return Sweep(blobs, freed, moved)

    async def hashes(self, after: BlobHash, limit: int) -> Sequence[BlobHash]:
        """Known blobs in order of hash."""
        return [row.ref.blob_hash for row in await self._rows.blob_rows(after, limit)]

    async def verify(self, blob_hash: BlobHash) -> bool:
        """Re-hash one blob; False when it is damaged or its bytes are gone. Raises NotFound."""
        rows = await self._rows.blob_rows(_before(blob_hash), 1)
        if not rows or rows[0].ref.blob_hash != blob_hash:
            raise NotFound(f"no blob {blob_hash.hex()}")
        return await asyncio.to_thread(self._is_sound, rows[0])

    # --- dead blobs

    async def _forget_dead(self, dead_before: int) -> tuple[int, int]:
        blobs = freed = 0
        while rows := await self._rows.dead_blobs(dead_before, _ROWS_MAX):
            forgotten = await self._rows.forget_blobs(rows)
            blobs += len(forgotten)
            freed += await asyncio.to_thread(self._unlink_large, forgotten)
            if not forgotten:
                break  # all came back to life meanwhile
        return blobs, freed

    def _unlink_large(self, rows: Sequence[BlobRow]) -> int:
        freed = 0
        for row in rows:
            location = row.ref.location
            if location is not None and not location.pack:
                self._operations.unlink(self._layout.large_file(row.ref.blob_hash, location.offset))
                freed += row.ref.stored_bytes
        return freed

    # --- packs

    async def _compact(self) -> int:
        """Copy what lives in half-empty packs into a pack of our own."""
        usage = await self._rows.pack_usage()
        # Into a fresh one: taking over might choose the very pack that is to be emptied.
        writer = PackWriter(self._layout, self._operations, takes_over=False)
        moved = 0
        try:
            for pack, live_bytes in usage:
                if await asyncio.to_thread(self._is_half_empty, pack, live_bytes):
                    moved += await self._empty_pack(pack, writer)
        finally:
            await asyncio.to_thread(writer.close)
        return moved

    def _is_half_empty(self, pack: int, live_bytes: int) -> bool:
        try:
            size = self._layout.pack(pack).stat().st_size
        except FileNotFoundError:
            return False
        return live_bytes * 2 < size and not self._is_in_use(pack)

    async def _empty_pack(self, pack: int, writer: PackWriter) -> int:
        moved, after = 0, -1
        while rows := await self._rows.blob_rows_in_pack(pack, after, _ROWS_MAX):
            for group in _groups(rows):
                moves = await asyncio.to_thread(self._copy, group, writer)
                for row, _ in await self._rows.move_blobs(moves):
                    moved += row.ref.stored_bytes
            last = rows[-1].ref.location
            after = last.offset if last else after
        return moved

    def _copy(
        self, rows: Sequence[BlobRow], writer: PackWriter
    ) -> Sequence[tuple[BlobRow, BlobLocation]]:
        """Durable copies; a damaged blob stays where it is, for ``verify`` to show."""
        moves = []
        for row in rows:
            if self._is_sound(row):
                data = bytes(self._blobs.read(row.ref))
                moves.append((row, writer.append(row.ref, data)))
        writer.sync()
        return moves

    def _unlink_empty(self, used: set[int], now: int, marked_before: int) -> int:
        """Mark packs without live blobs; unlink those marked long enough ago."""
        numbers = self._layout.pack_numbers()
        freed = 0
        for number in numbers[:-1]:
            mark = self._layout.empty_mark(number)
            if number in used:
                if mark.exists():
                    self._operations.unlink(mark)
                continue
            marked_at = _marked_at(mark)
            if marked_at is None:
                if not self._is_in_use(number):
                    mark.write_text(str(now), "ascii")
            elif marked_at <= marked_before:
                freed += self._unlink_pack(number)
        return freed

    def _unlink_pack(self, number: int) -> int:
        path = self._layout.pack(number)
        descriptor = self._operations.open_existing(path)
        try:
            if not self._operations.try_lock(descriptor):
                return 0
            size = path.stat().st_size
            self._operations.unlink(path)
            self._operations.unlink(self._layout.empty_mark(number))
        finally:
            self._operations.close(descriptor)
        return size

    def _is_in_use(self, number: int) -> bool:
        """Whether a living process appends to it."""
        try:
            descriptor = self._operations.open_existing(self._layout.pack(number))
        except FileNotFoundError:
            return False
        try:
            return not self._operations.try_lock(descriptor)
        finally:
            self._operations.close(descriptor)

    # --- what nobody named

    def _sweep_stale(self, made_before: int) -> int:
        freed = 0
        for path in self._layout.tmp.iterdir():
            freed += self._unlink_older(path, made_before)
        for path in self._layout.large.glob("??/*"):
            name, _, generation = path.name.partition(".")
            if len(name) != 64 or not generation.isdigit():
                continue
            if self._rows.locate(BlobHash(bytes.fromhex(name))) != BlobLocation(0, int(generation)):
                freed += self._unlink_older(path, made_before)
        return freed

    def _unlink_older(self, path: Path, made_before: int) -> int:
        try:
            state = path.stat()
        except FileNotFoundError:
            return 0
        if state.st_mtime_ns // 1_000_000 >= made_before:
            return 0
        self._operations.unlink(path)
        return state.st_size

    def _is_sound(self, row: BlobRow) -> bool:
        try:
            data = self._blobs.read(row.ref)
        except StoreError:
            return False
        return hashlib.sha256(data).digest() == row.ref.blob_hash


def _groups(rows: Sequence[BlobRow]) -> Iterator[Sequence[BlobRow]]:
    """Rows in portions of a few MiB, so that memory and the time between syncs stay bounded."""
    group: list[BlobRow] = []
    size = 0
    for row in rows:
        group.append(row)
        size += row.ref.stored_bytes + HEADER_BYTES
        if size >= _MOVED_BYTES_MAX:
            yield group
            group, size = [], 0
    if group:
        yield group


def _marked_at(mark: Path) -> int | None:
    try:
        text = mark.read_text("ascii")
    except FileNotFoundError:
        return None
    return int(text) if text.isdigit() else None


def _before(blob_hash: BlobHash) -> BlobHash:
    """The hash that ``after`` must be for this one to come first."""
    number = int.from_bytes(blob_hash, "big")
    return BlobHash((number - 1).to_bytes(32, "big") if number else b"")
