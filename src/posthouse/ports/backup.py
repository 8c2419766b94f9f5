"""What a backup needs to know of the data directory, and what a restore must do to it.

Notes:
    Order makes it consistent beside a running server: the databases are copied first, each as it
    stood at one moment, the content after them. Content only ever comes, and goes long after its
    last row: so whatever the copied rows name is still there, and ``missing_blobs`` proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class BlobFile:
    """A file of the blob area.

    Attributes:
        path: below the data directory, with slashes.
        is_immutable: it is never written to again, so a hard link is as good as a copy.
    """

    path: str
    is_immutable: bool


class BackupSource(Protocol):
    """A data directory, perhaps in use."""

    def snapshot_databases(self, target: Path) -> Sequence[str]:
        """Copy the databases that cannot be rebuilt, durable, each as of one moment.

        Args:
            target: directory for the copies.

        Returns:
            Their paths below the data directory, and so below ``target``.

        Raises:
            Unavailable: one cannot be read, or the target cannot be written.
        """
        ...

    def is_in_use(self) -> bool:
        """Whether some process has the data directory open."""
        ...

    def blob_files(self) -> Iterator[BlobFile]:
        """The files of the blob area as they are now; temporary ones left out."""
        ...


class BackupCheck(Protocol):
    """Looks at a copy of a data directory that nobody uses."""

    def missing_blobs(self, root: Path) -> Sequence[str]:
        """Content that the databases below ``root`` name and that is not there; at most 100."""
        ...

    def damaged_databases(self, root: Path) -> Sequence[str]:
        """What the engine finds wrong with its files below ``root``; a sentence each."""
        ...

    def begin_anew(self, root: Path) -> None:
        """Make a restored copy fit for use: what was given out since is never given out again.

        Mailboxes get new guids, so that tokens from the lost time are refused instead of misread;
        numbers jump ahead of any that clients may have seen; UIDs and UIDVALIDITY of what is there
        stay.
        """
        ...
