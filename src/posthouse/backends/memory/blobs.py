"""The blob area in memory: the same promises, nothing on a disk.

Notes:
    What was written but not synced cannot be read, and is gone after a failed sync, as on a disk
    that lost its power: tests lean on that.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from posthouse.formats.mime.dots import count_dot_lines, unstuff
from posthouse.model.blob import BlobForm, BlobLocation, BlobRef, StagedBlob
from posthouse.model.errors import NotFound
from posthouse.model.ids import BlobHash
from posthouse.ports.blobs import Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.ports.blob_rows import BlobRows

_FREE_BYTES = 1 << 40
_TERMINATOR_BYTES = 3
_HEAD_BYTES_MAX = 1 << 20
_PACK = 1


class MemoryStaging:
    """One blob being received."""

    def __init__(self, form: BlobForm) -> None:
        self.size_bytes = 0
        self._form = form
        self._chunks: list[bytes] = []

    def write(self, data: bytes | memoryview) -> None:
        """Take more of the stored form."""
        self._chunks.append(bytes(data))
        self.size_bytes += len(data)

    def finish(
        self, size_bytes: int, *, has_dot_lines: bool, lacks_final_eol: bool = False
    ) -> StagedBlob:
        """The blob is whole."""
        data = b"".join(self._chunks)
        name = BlobHash(hashlib.sha256(data).digest())
        ref = BlobRef(name, self._form, size_bytes, len(data), has_dot_lines, lacks_final_eol)
        return StagedBlob(ref, data, None, _plain(data, ref)[:_HEAD_BYTES_MAX])

    def discard(self) -> None:
        """Forget it."""
        self._chunks = []


class MemoryBlobs:
    """Implements ``Blobs`` and ``BlobJournal``; writer and readers may be different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[BlobHash, bytes]] = {}
        self._synced: dict[int, tuple[BlobHash, bytes]] = {}
        self._names: dict[BlobHash, int] = {}
        self._end = 0

    # --- Blobs

    def stage(self, form: BlobForm) -> MemoryStaging:
        """Begin a blob."""
        return MemoryStaging(form)

    def stage_bytes(
        self,
        data: bytes,
        form: BlobForm,
        *,
        has_dot_lines: bool = False,
        lacks_final_eol: bool = False,
    ) -> StagedBlob:
        """Stage what is already whole."""
        size = len(data)
        if form is BlobForm.WIRE:
            size -= _TERMINATOR_BYTES + 2 * lacks_final_eol
            size -= count_dot_lines(data) if has_dot_lines else 0
        staging = self.stage(form)
        staging.write(data)
        return staging.finish(size, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol)

    def read(self, ref: BlobRef) -> memoryview:
        """The whole stored form."""
        with self._lock:
            found = self._synced.get(ref.location.offset) if ref.location else None
            if found is None or found[0] != ref.blob_hash:
                found = self._synced.get(self._names.get(ref.blob_hash, -1))
        if found is None:
            raise NotFound(f"no blob {ref.blob_hash.hex()}")
        return memoryview(found[1])

    def read_plain(self, ref: BlobRef) -> bytes:
        """The plain content."""
        return _plain(bytes(self.read(ref)), ref)

    def free_bytes(self) -> int:
        """Plenty."""
        return _FREE_BYTES

    # --- BlobJournal

    def write(self, staged: StagedBlob) -> BlobLocation:
        """Take a blob into the group."""
        if staged.data is None:
            raise FileNotFoundError("a staged blob without bytes")
        with self._lock:
            offset = self._end
            self._end += len(staged.data) + 1
            self._pending[offset] = (staged.ref.blob_hash, staged.data)
        return BlobLocation(_PACK, offset)

    def sync(self) -> None:
        """What was written can be read from now on."""
        with self._lock:
            self._synced.update(self._pending)
            self._names.update((name, offset) for offset, (name, _) in self._pending.items())
            self._pending.clear()

    def drop(
        self,
        location: BlobLocation,
        blob_hash: BlobHash,
        stored_bytes: int,  # noqa: ARG002 - the real area may count it
    ) -> None:
        """Give the space back."""
        with self._lock:
            self._synced.pop(location.offset, None)
            if self._names.get(blob_hash) == location.offset:
                del self._names[blob_hash]


class MemoryBlobUpkeep:
    """Implements ``BlobUpkeep`` over MemoryBlobs."""

    def __init__(self, blobs: MemoryBlobs, rows: BlobRows) -> None:
        self._blobs = blobs
        self._rows = rows

    async def collect_garbage(self, now: int, grace_ms: int) -> Sweep:
        """Forget dead blobs and their bytes."""
        dead = await self._rows.dead_blobs(now - grace_ms, 2000)
        forgotten = await self._rows.forget_blobs(dead)
        for row in forgotten:
            if row.ref.location is not None:
                self._blobs.drop(row.ref.location, row.ref.blob_hash, row.ref.stored_bytes)
        return Sweep(len(forgotten), sum(row.ref.stored_bytes for row in forgotten), 0)

    async def hashes(self, after: BlobHash, limit: int) -> Sequence[BlobHash]:
        """Known blobs in order of hash."""
        return [row.ref.blob_hash for row in await self._rows.blob_rows(after, limit)]

    async def verify(self, blob_hash: BlobHash) -> bool:
        """Re-hash one blob."""
        if self._rows.locate(blob_hash) is None:
            raise NotFound(f"no blob {blob_hash.hex()}")
        try:
            data = self._blobs.read(BlobRef(blob_hash, BlobForm.RAW, 0, 0))
        except NotFound:
            return False
        return hashlib.sha256(data).digest() == blob_hash


def _plain(data: bytes, ref: BlobRef) -> bytes:
    if ref.form is BlobForm.RAW:
        return data
    if ref.has_dot_lines:
        return unstuff(data, lacks_final_eol=ref.lacks_final_eol)
    return data[: ref.size_bytes]
