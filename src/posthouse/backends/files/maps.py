"""Mapped files: reading blobs without copying them.

Notes:
    A map lives as long as somebody holds a view of it; the cache only decides who need not map
    again. A pack is mapped with the zeros prepared in it, so that it grows under its map and is
    mapped anew once a MiB. A sector that cannot be read kills the process that touches it (SIGBUS):
    the supervisor starts another. Callable from any thread: two of them may map the same file,
    which costs time only.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.backends.files.layout import Layout
    from posthouse.model.blob import BlobLocation, BlobRef
    from posthouse.model.ids import BlobHash

PACK_MAPS_MAX = 128
LARGE_MAPS_MAX = 16
_HASH_BYTES = 32
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class MappedFiles:
    """Views of what lies at a location."""

    __slots__ = ("_large", "_layout", "_packs")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._packs: dict[int, tuple[mmap.mmap, memoryview]] = {}
        self._large: dict[tuple[BlobHash, int], memoryview] = {}

    def view(self, ref: BlobRef, location: BlobLocation) -> memoryview | None:
        """The stored form, or None when the location does not hold this blob. Raises OSError."""
        pack = location.pack
        if not pack:
            return self._large_view(ref, location.offset)
        offset = location.offset
        end = offset + ref.stored_bytes
        mapped = self._packs.get(pack)
        if mapped is None or end > len(mapped[1]):
            mapped = self._map_pack(pack)
            if mapped is None or end > len(mapped[1]):
                return None
        # The hash stands right before the bytes: a location that no longer holds them tells itself.
        if mapped[0][offset - _HASH_BYTES : offset] != ref.blob_hash:
            return None
        return mapped[1][offset:end]

    def _map_pack(self, pack: int) -> tuple[mmap.mmap, memoryview] | None:
        mapped = _mapped(self._layout.pack(pack))
        if mapped is None:
            return None
        entry = (mapped, memoryview(mapped))
        _keep(self._packs, pack, entry, PACK_MAPS_MAX)
        return entry

    def _large_view(self, ref: BlobRef, generation: int) -> memoryview | None:
        key = (ref.blob_hash, generation)
        view = self._large.get(key)
        if view is None:
            mapped = _mapped(self._layout.large_file(ref.blob_hash, generation))
            if mapped is None or len(mapped) != ref.stored_bytes:
                return None
            view = memoryview(mapped)
            _keep(self._large, key, view, LARGE_MAPS_MAX)
        return view


def _mapped(path: Path) -> mmap.mmap | None:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    except (FileNotFoundError, ValueError):
        return None  # gone, or empty


def _keep(cache: dict[_Key, _Value], key: _Key, value: _Value, count_max: int) -> None:
    """Remember the newest; the oldest leaves. Mapping again is cheap, so use is not counted."""
    cache.pop(key, None)
    while len(cache) >= count_max:
        cache.pop(next(iter(cache)), None)
    cache[key] = value
