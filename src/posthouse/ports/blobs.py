"""Blobs: immutable bytes.

Notes:
    Writing has two steps. *Staging* collects the bytes as they arrive (memory first, a temporary
    file past ``spool_threshold``) and costs no sync. *Committing* happens inside ``Records.apply``:
    the engine makes staged blobs durable before the rows that name them. A staged blob that is
    never committed is swept. Reading gives buffers that can be sent as they are; nobody copies a
    message to serve it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.blob import BlobForm, BlobLocation, BlobRef, StagedBlob
    from posthouse.model.ids import BlobHash


class Staging(Protocol):
    """One blob being received. Not shared between tasks."""

    size_bytes: int
    """Stored bytes taken so far."""

    def write(self, data: bytes | memoryview) -> None:
        """Take more of the stored form.

        Raises InsufficientSpace or Unavailable when the disk refuses.
        """
        ...

    def finish(
        self, size_bytes: int, *, has_dot_lines: bool, lacks_final_eol: bool = False
    ) -> StagedBlob:
        """The blob is whole.

        For RAW blobs the flags are False and ``size_bytes`` is what was written.
        """
        ...

    def discard(self) -> None:
        """Forget it; may be called at any time, also twice."""
        ...


class Blobs(Protocol):
    """Where blobs are staged and read."""

    def stage(self, form: BlobForm) -> Staging:
        """Begin a blob."""
        ...

    def stage_bytes(
        self,
        data: bytes,
        form: BlobForm,
        *,
        has_dot_lines: bool = False,
        lacks_final_eol: bool = False,
    ) -> StagedBlob:
        """Stage what is already whole and small: ``data`` is the stored form."""
        ...

    def read(self, ref: BlobRef) -> memoryview:
        """The whole stored form, without copying where the backend can (a mapped file).

        Uses ``ref.location`` when it is set and still right, else asks the records where the blob
        lies.

        Raises:
            NotFound: no such blob.
            Unavailable: it could not be read now.
        """
        ...

    def read_plain(self, ref: BlobRef) -> bytes:
        """The plain content (dot lines and terminator undone), as one copy."""
        ...

    def free_bytes(self) -> int:
        """Free space where blobs are written; a cached figure, at most 1 s old."""
        ...


class BlobJournal(Protocol):
    """What an engine needs of the blob area while it commits a group.

    Called from the writer's thread only.
    """

    def write(self, staged: StagedBlob) -> BlobLocation:
        """Put a staged blob where it will stay; not yet durable. Raises OSError."""
        ...

    def sync(self) -> None:
        """Make everything written since the last call durable.

        Raises OSError: then none of it may be named.
        After an error the journal has already left the file in question for a fresh one; the sync
        is not retried.
        """
        ...

    def drop(self, location: BlobLocation, blob_hash: BlobHash, stored_bytes: int) -> None:
        """The row is gone: the space may be given back."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a garbage collection did.

    Attributes:
        blobs: blobs forgotten.
        freed_bytes: given back to the disk.
        moved_bytes: copied together out of half-empty packs.
    """

    blobs: int
    freed_bytes: int
    moved_bytes: int


class BlobUpkeep(Protocol):
    """Work on the blob area as a whole; one process at a time."""

    async def collect_garbage(self, now: int, grace_ms: int) -> Sweep:
        """Delete stale temporary files, and blobs long (``grace_ms``) without a reference."""
        ...

    async def hashes(self, after: BlobHash, limit: int) -> Sequence[BlobHash]:
        """Known blobs in order of hash."""
        ...

    async def verify(self, blob_hash: BlobHash) -> bool:
        """Re-hash one blob."""
        ...
