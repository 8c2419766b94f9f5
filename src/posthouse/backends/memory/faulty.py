"""Engines that refuse: wrappers for tests of how the rest behaves when a call fails.

Notes:
    ``Faults`` is armed with the number of the call that shall fail (1 is the next). Calls of the
    names it watches are counted; all others pass. A failed call has done nothing.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, cast

from posthouse.model.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.blob import BlobLocation, StagedBlob
    from posthouse.model.ids import BlobHash
    from posthouse.ports.blobs import BlobJournal
    from posthouse.ports.records import Records

WRITES = frozenset(
    {
        "apply",
        "confirm_sync_state",
        "create_mailbox",
        "delete_mailbox",
        "drop_queued",
        "expire_recoverable",
        "forget_blobs",
        "forget_receipts",
        "lease_queued",
        "move_blobs",
        "raise_horizon",
        "release_queued",
        "retry_queued",
        "settle_queued",
    }
)
"""Calls of ``Records`` that change something."""


class Faults:
    """Counts calls and fails one of them.

    Attributes:
        seen: names of the counted calls since the last ``arm``.
        failed: how many were refused so far.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.failed = 0
        self._fails_at = 0
        self._is_lasting = False

    def arm(self, fails_at: int, *, is_lasting: bool = False) -> None:
        """Fail the ``fails_at``-th call from now (0: none); ``is_lasting``: all after it too."""
        self.seen.clear()
        self._fails_at = fails_at
        self._is_lasting = is_lasting

    def refuses(self, name: str) -> bool:
        """Count a call and say whether it fails."""
        self.seen.append(name)
        count = len(self.seen)
        fails = 0 < self._fails_at <= count and (self._is_lasting or count == self._fails_at)
        self.failed += fails
        return fails


class _FaultyRecords:
    def __init__(self, records: Records, faults: Faults, names: frozenset[str] | None) -> None:
        self._records = records
        self._faults = faults
        self._names = names

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - it stands for every method there is
        attribute = getattr(self._records, name)
        is_watched = callable(attribute) and name not in ("close", "locate")
        if not is_watched or (self._names is not None and name not in self._names):
            return attribute
        return self._guarded(name, attribute)

    def _guarded(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on as they are
            if self._faults.refuses(name):
                raise Unavailable(f"{name} was refused by the test", retry_after_s=0.1)
            return await method(*args, **kwargs)

        return call


def faulty_records(
    records: Records, faults: Faults, names: frozenset[str] | None = WRITES
) -> Records:
    """Records whose calls of these names (None: all) fail with Unavailable when it is time."""
    return cast("Records", _FaultyRecords(records, faults, names))


class FaultyBlobJournal:
    """A blob journal whose ``write`` and ``sync`` fail with OSError when it is time."""

    def __init__(self, journal: BlobJournal, faults: Faults, code: int = errno.EIO) -> None:
        self._journal = journal
        self._faults = faults
        self._code = code

    def write(self, staged: StagedBlob) -> BlobLocation:
        """Put a staged blob where it will stay, or fail."""
        self._check("write")
        return self._journal.write(staged)

    def sync(self) -> None:
        """Make everything durable, or fail: then nothing of the group is."""
        self._check("sync")
        self._journal.sync()

    def drop(self, location: BlobLocation, blob_hash: BlobHash, stored_bytes: int) -> None:
        """Never fails."""
        self._journal.drop(location, blob_hash, stored_bytes)

    def _check(self, name: str) -> None:
        if self._faults.refuses(name):
            raise OSError(self._code, f"{name} was refused by the test")
