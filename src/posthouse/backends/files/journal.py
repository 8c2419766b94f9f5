"""The blob journal: how staged blobs become durable, a group at a time.

Notes:
    Owned by one writer thread. Order within a sync: packs, then large files, then the directories
    that name them; temporary names go last, so that a commit that failed can be written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.backends.files.layout import Layout
from posthouse.backends.files.operations import FileOperations
from posthouse.backends.files.packs import PackWriter
from posthouse.model.blob import BlobLocation

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.model.blob import BlobRef, StagedBlob
    from posthouse.model.ids import BlobHash

_ADOPTED_MAX = 256
"""Large blobs that may be written again although their temporary names have gone."""


class FileBlobJournal:
    """Implements ``ports.blobs.BlobJournal`` over one directory.

    Make it after the fork, one per process.
    """

    __slots__ = (
        "_adopted",
        "_directories",
        "_large",
        "_layout",
        "_operations",
        "_packs",
        "_spent",
        "_sure",
    )

    def __init__(self, root: Path, operations: FileOperations | None = None) -> None:
        self._operations = operations or FileOperations()
        self._layout = Layout(root)
        prepare_area(root, self._operations)
        # Whoever made them may have died before they were durable.
        self._operations.sync_directory(root.parent)
        self._operations.sync_directory(root)
        self._packs = PackWriter(self._layout, self._operations)
        self._large: list[Path] = []
        self._adopted: dict[Path, BlobLocation] = {}
        self._directories: set[Path] = set()
        self._spent: dict[Path, BlobLocation] = {}
        self._sure: set[Path] = set()

    def write(self, staged: StagedBlob) -> BlobLocation:
        """Put a staged blob where it will stay; not yet durable."""
        if staged.data is not None:
            return self._packs.append(staged.ref, staged.data)
        if staged.path is None:
            raise FileNotFoundError("a staged blob without bytes")
        return self._adopt(staged.ref, staged.path)

    def sync(self) -> None:
        """Make everything written since the last call durable."""
        try:
            self._packs.sync()
            for path in self._large:
                self._sync_file(path)
            for directory in self._directories:
                self._operations.sync_directory(directory)
            self._sure |= self._directories
            spent, self._spent = self._spent, {}
        finally:
            self._large.clear()
            self._directories.clear()
            self._spent.clear()
        for path, location in spent.items():
            self._operations.unlink(path)
            self._remember(path, location)

    def drop(
        self,
        location: BlobLocation,
        blob_hash: BlobHash,
        stored_bytes: int,  # noqa: ARG002 - other areas may count it
    ) -> None:
        """Give a large blob's space back at once; a pack's comes back when it is compacted."""
        if not location.pack:
            self._operations.unlink(self._layout.large_file(blob_hash, location.offset))

    def close(self) -> None:
        """Let go of the active pack."""
        self._packs.close()

    def _adopt(self, ref: BlobRef, path: Path) -> BlobLocation:
        """Give a temporary file its lasting name, under the first generation that nobody has."""
        known = self._adopted.get(path)
        if known is not None and self._layout.file_of(known, ref.blob_hash).exists():
            return known  # the engine does a group again of which one commit was refused
        generation = 0
        target = self._layout.large_file(ref.blob_hash, 0)
        if target.parent not in self._sure:
            # That it exists does not say that its name is on the disk.
            self._operations.make_directory(target.parent)
            self._directories.add(self._layout.large)
        while True:
            try:
                # A link, not a rename: it refuses to overwrite what another process has just put
                # there.
                self._operations.link(path, target)
                break
            except FileExistsError:
                generation += 1
                target = self._layout.large_file(ref.blob_hash, generation)
        self._large.append(target)
        self._directories.add(target.parent)
        location = self._spent[path] = BlobLocation(0, generation)
        return location

    def _remember(self, path: Path, location: BlobLocation) -> None:
        while len(self._adopted) >= _ADOPTED_MAX:
            del self._adopted[next(iter(self._adopted))]
        self._adopted[path] = location

    def _sync_file(self, path: Path) -> None:
        descriptor = self._operations.open_existing(path)
        try:
            self._operations.sync_data(descriptor)
        finally:
            self._operations.close(descriptor)


def prepare_area(root: Path, operations: FileOperations) -> None:
    """Make the directories of a blob area where they are missing."""
    layout = Layout(root)
    for path in (root, layout.packs, layout.large, layout.tmp):
        if not path.exists():
            operations.make_directory(path)
