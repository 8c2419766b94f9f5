"""The blob area as the store sees it: staging and reading.

Notes:
    Writing goes ``stage`` (here), ``write`` and ``sync`` (journal), in that order; reading needs
    nothing but a location. The two share no state but the disk, so they may live in different
    threads and processes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from posthouse.backends.files.journal import prepare_area
from posthouse.backends.files.layout import PACKED_BYTES_MAX, Layout
from posthouse.backends.files.maps import MappedFiles
from posthouse.backends.files.operations import FileOperations
from posthouse.backends.files.staging import FileStaging, stage_small
from posthouse.formats.mime.dots import count_dot_lines, unstuff
from posthouse.model.blob import BlobForm
from posthouse.model.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.model.blob import BlobRef, StagedBlob
    from posthouse.ports.blob_rows import BlobRows
    from posthouse.ports.clock import Clock

_FREE_BYTES_AGE_S = 1.0
_TERMINATOR_BYTES = 3
_RAW = BlobForm.RAW


class FileBlobs:
    """Implements ``ports.blobs.Blobs`` over one directory."""

    __slots__ = (
        "_clock",
        "_free_at",
        "_free_bytes",
        "_layout",
        "_maps",
        "_operations",
        "_root",
        "_rows",
    )

    def __init__(
        self,
        root: Path,
        rows: BlobRows,
        clock: Clock,
        operations: FileOperations | None = None,
    ) -> None:
        self._root = root
        self._rows = rows
        self._clock = clock
        self._operations = operations or FileOperations()
        self._layout = Layout(root)
        prepare_area(root, self._operations)
        self._maps = MappedFiles(self._layout)
        self._free_bytes = 0
        self._free_at = -_FREE_BYTES_AGE_S

    def stage(self, form: BlobForm) -> FileStaging:
        """Begin a blob."""
        return FileStaging(self._layout, self._operations, form)

    def stage_bytes(
        self,
        data: bytes,
        form: BlobForm,
        *,
        has_dot_lines: bool = False,
        lacks_final_eol: bool = False,
    ) -> StagedBlob:
        """Stage what is already whole."""
        size = plain_size(data, form, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol)
        if len(data) <= PACKED_BYTES_MAX:
            return stage_small(
                data, form, size, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol
            )
        staging = self.stage(form)
        staging.write(data)
        return staging.finish(size, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol)

    def read(self, ref: BlobRef) -> memoryview:
        """The whole stored form as a view of the mapped file."""
        try:
            if ref.location is not None:
                view = self._maps.view(ref, ref.location)
                if view is not None:
                    return view
            return self._read_located(ref)
        except OSError as e:
            raise Unavailable(f"cannot read blob {ref.blob_hash.hex()}: {e}") from e

    def read_plain(self, ref: BlobRef) -> bytes:
        """The plain content, as one copy."""
        return plain_from_stored(self.read(ref), ref)

    def free_bytes(self) -> int:
        """Free space where blobs are written, at most 1 s old."""
        now = self._clock.monotonic_s()
        if now - self._free_at >= _FREE_BYTES_AGE_S:
            state = os.statvfs(self._root)
            self._free_bytes = state.f_bavail * state.f_frsize
            self._free_at = now
        return self._free_bytes

    def _read_located(self, ref: BlobRef) -> memoryview:
        """The location was missing or stale: the rows know."""
        location = self._rows.locate(ref.blob_hash)
        if location is None:
            raise NotFound(f"no blob {ref.blob_hash.hex()}")
        view = self._maps.view(ref, location)
        if view is None:
            # Moved between the two looks, or damaged: the caller's second try tells.
            raise Unavailable(f"blob {ref.blob_hash.hex()} is not where its row says: {location}")
        return view


def plain_size(data: bytes, form: BlobForm, *, has_dot_lines: bool, lacks_final_eol: bool) -> int:
    """Size of the plain content behind a stored form."""
    if form is _RAW:
        return len(data)
    dots = count_dot_lines(data) if has_dot_lines else 0
    return len(data) - _TERMINATOR_BYTES - dots - 2 * lacks_final_eol


def plain_from_stored(stored: memoryview, ref: BlobRef) -> bytes:
    """Plain content: terminator, doubled dots and an added line end undone."""
    if ref.form is _RAW:
        return bytes(stored)
    if ref.has_dot_lines:
        return unstuff(stored, lacks_final_eol=ref.lacks_final_eol)
    return bytes(stored[: ref.size_bytes])
