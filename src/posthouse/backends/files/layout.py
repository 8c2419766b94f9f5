"""Where blobs lie on the disk, and how a record in a pack looks.

Notes:
    - ``packs/NNNNNNNN.pack`` holds records one after another: a header of 48 bytes, then the stored
      form. The header names the blob, so that a reader can tell a stale location and a repair can
      find every blob without the rows. Zeros between records are room that was prepared and not
      used; the next record then begins at a multiple of 4 096.
    - ``packs/NNNNNNNN.empty`` says since when (ms, as text) a pack holds nothing alive.
    - ``large/ab/<hash>.<generation>`` is a blob of its own; ``tmp/`` is for what is being received.
    - The highest pack is never unlinked: so numbers are never used twice.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from posthouse.model.blob import BlobForm
from posthouse.model.ids import BlobHash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from posthouse.model.blob import BlobLocation, BlobRef

PACKED_BYTES_MAX = 1 << 20
"""Stored forms up to this size go into packs."""

PACK_BYTES_MAX = 64 << 20
"""A pack that would pass this size is left for the next one."""

PREPARED_BYTES = 1 << 20
"""How much is filled with zeros ahead of the records."""

RECORD_ALIGNMENT = 4096
"""Where a writer begins that takes over the pack of another."""

MAGIC = b"PHB1"
_HEADER = struct.Struct("<4sBBxxII32s")
HEADER_BYTES = _HEADER.size
_HAS_DOT_LINES = 1
_LACKS_FINAL_EOL = 2


class PackRecord(NamedTuple):
    """One record as its header tells it.

    Attributes:
        offset: of the stored form.
        blob_hash: its name.
        form: how it is stored.
        size_bytes: of the plain content.
        stored_bytes: of the stored form.
        has_dot_lines: see BlobRef.
        lacks_final_eol: see BlobRef.
    """

    offset: int
    blob_hash: BlobHash
    form: BlobForm
    size_bytes: int
    stored_bytes: int
    has_dot_lines: bool
    lacks_final_eol: bool


class Layout:
    """Paths of one blob area.

    Attributes:
        packs: directory of packs.
        large: directory of blobs with a file of their own.
        tmp: directory of what is being received.
    """

    __slots__ = ("large", "packs", "tmp")

    def __init__(self, root: Path) -> None:
        self.packs = root / "packs"
        self.large = root / "large"
        self.tmp = root / "tmp"

    def pack(self, number: int) -> Path:
        """A pack's file."""
        return self.packs / f"{number:08d}.pack"

    def empty_mark(self, number: int) -> Path:
        """The mark of a pack without live blobs."""
        return self.packs / f"{number:08d}.empty"

    def large_file(self, blob_hash: BlobHash, generation: int) -> Path:
        """A large blob's file."""
        name = blob_hash.hex()
        return self.large / name[:2] / f"{name}.{generation}"

    def file_of(self, location: BlobLocation, blob_hash: BlobHash) -> Path:
        """The file a location points into."""
        if location.pack:
            return self.pack(location.pack)
        return self.large_file(blob_hash, location.offset)

    def pack_numbers(self) -> list[int]:
        """Packs that exist, in order."""
        names = (path.stem for path in self.packs.glob("*.pack"))
        return sorted(int(name) for name in names if name.isdigit())


def header_of(ref: BlobRef) -> bytes:
    """What stands before a stored form in a pack; its last 32 bytes are the hash."""
    flags = ref.has_dot_lines * _HAS_DOT_LINES | ref.lacks_final_eol * _LACKS_FINAL_EOL
    return _HEADER.pack(MAGIC, ref.form, flags, ref.size_bytes, ref.stored_bytes, ref.blob_hash)


def records_in(pack: bytes | memoryview) -> Iterator[PackRecord]:
    """The records of a pack, whole ones only, in order; content is not checked against its hash."""
    at = 0
    while at + HEADER_BYTES <= len(pack):
        magic, form, flags, size, stored, name = _HEADER.unpack_from(pack, at)
        offset = at + HEADER_BYTES
        if magic != MAGIC or form not in (0, 1) or offset + stored > len(pack):
            at = (at // RECORD_ALIGNMENT + 1) * RECORD_ALIGNMENT
            continue
        yield PackRecord(
            offset,
            BlobHash(name),
            BlobForm(form),
            size,
            stored,
            bool(flags & _HAS_DOT_LINES),
            bool(flags & _LACKS_FINAL_EOL),
        )
        at = offset + stored
