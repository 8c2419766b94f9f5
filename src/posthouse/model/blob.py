"""Blobs: immutable bytes, named by their content.

Notes:
    A message is kept in *wire form*: CRLF line ends, lines that begin with a dot doubled, a final
    CRLF, then the terminator ``.CRLF``. That is byte for byte what SMTP brought and what RETR
    sends, so neither copies nor scans. ``size_bytes`` is the size of the plain content; where
    ``has_dot_lines`` is false the plain content is the stored bytes less the three of the
    terminator.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.model.ids import BlobHash


class BlobForm(IntEnum):
    """How the bytes are stored."""

    RAW = 0
    WIRE = 1


class BlobLocation(Struct, frozen=True):
    """Where the bytes lie; a hint for reading, never an identity (compaction moves blobs).

    Attributes:
        pack: number of the pack file, or 0 for a file of its own.
        offset: of the stored form in the pack; for a file of its own: its generation.
    """

    pack: int
    offset: int


class BlobRef(Struct, frozen=True, eq=False):
    """Names a blob and says how to read it, wherever it lies.

    Attributes:
        blob_hash: SHA-256 of the stored form.
        form: how it is stored.
        size_bytes: of the plain content.
        stored_bytes: of the stored form.
        has_dot_lines: WIRE only: some line was doubled, so plain and stored bytes differ beyond the
            terminator.
        lacks_final_eol: WIRE only: the plain content did not end in CRLF; one was added to the
            stored form (``size_bytes`` counts it not, ``served_bytes`` does).
        location: where it lay when the row was read; None when not known. Takes no part in
            comparison.
    """

    blob_hash: BlobHash
    form: BlobForm
    size_bytes: int
    stored_bytes: int
    has_dot_lines: bool = False
    lacks_final_eol: bool = False
    location: BlobLocation | None = None

    @property
    def served_bytes(self) -> int:
        """Size as doors serve it: all of them complete the last line, as POP3 must."""
        return self.size_bytes + 2 if self.lacks_final_eol else self.size_bytes

    def __eq__(self, other: object) -> bool:
        """The same blob of the same shape, wherever it lies."""
        if not isinstance(other, BlobRef):
            return NotImplemented
        return self.blob_hash == other.blob_hash and self._shape() == other._shape()

    def __hash__(self) -> int:
        return hash(self.blob_hash)

    def _shape(self) -> tuple[BlobForm, int, int, bool, bool]:
        return (
            self.form,
            self.size_bytes,
            self.stored_bytes,
            self.has_dot_lines,
            self.lacks_final_eol,
        )


class StagedBlob(Struct, frozen=True):
    """A blob on its way into the store, complete but not yet durable.

    Attributes:
        ref: its name and shape.
        data: the stored form in memory, or None when it lies in ``path``.
        path: a finished temporary file in the blob area, or None.
        head: the first bytes of the plain content (at least the header block, at most 1 MiB), for
            indexing.
    """

    ref: BlobRef
    data: bytes | None
    path: Path | None
    head: bytes
