"""The store: what doors and services hold.

Notes:
    Reading goes straight to ``records`` and ``blobs``; writing only through ``apply``. What is kept
    here is kept by change number or checked at use, so nothing needs to be told to forget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from posthouse.model.errors import Conflict, NotFound, Unavailable
from posthouse.store.listings import DEFAULT_BYTES_MAX, Listings
from posthouse.store.waiting import Waits

if TYPE_CHECKING:
    from posthouse.model.batch import BatchResult, Commit
    from posthouse.model.folder import Folder, FolderRole
    from posthouse.model.ids import ChangeNumber, FolderId, MailboxId
    from posthouse.ports.blobs import Blobs
    from posthouse.ports.clock import Clock
    from posthouse.ports.hints import Hints
    from posthouse.ports.records import Records
    from posthouse.store.listing import Listing

_ROLES_MAX = 50_000
"""Special folders remembered; beyond it all are looked up again."""


class Tally(Protocol):
    """Counts by name; ``app.roles.Roles.tally`` is one."""

    def __call__(self, name: str, n: int = 1) -> None:
        """Add ``n``."""
        ...


class Store:
    """One per process; belongs to one event loop.

    Attributes:
        records: for reading.
        blobs: for staging and reading.
        hints: the bus.
        clock: the time.
    """

    __slots__ = (
        "_guids",
        "_listings",
        "_roles",
        "_tally",
        "_waits",
        "blobs",
        "clock",
        "hints",
        "records",
    )

    def __init__(
        self,
        records: Records,
        blobs: Blobs,
        hints: Hints,
        clock: Clock,
        *,
        listing_bytes_max: int = DEFAULT_BYTES_MAX,
        tally: Tally | None = None,
    ) -> None:
        """Make it.

        Args:
            records: the engine.
            blobs: where content is.
            hints: the bus.
            clock: the time.
            listing_bytes_max: memory for folder listings.
            tally: counts ``store_commits``, ``store_commit_us``, ``store_conflicts`` and
                ``store_failures``.
        """
        self.records = records
        self.blobs = blobs
        self.hints = hints
        self.clock = clock
        self._listings = Listings(records, listing_bytes_max)
        self._waits = Waits(records, hints)
        self._roles: dict[tuple[MailboxId, FolderRole], FolderId] = {}
        self._guids: dict[MailboxId, bytes] = {}
        self._tally = tally

    async def apply(self, commit: Commit) -> tuple[BatchResult, ...]:
        """Make a commit durable: see ``Records.apply``."""
        tally = self._tally
        if tally is None:
            return await self.records.apply(commit)
        begun = self.clock.monotonic_s()
        try:
            results = await self.records.apply(commit)
        except Unavailable:
            tally("store_failures")
            raise
        except Conflict:
            tally("store_conflicts")
            raise
        tally("store_commits")
        tally("store_commit_us", int((self.clock.monotonic_s() - begun) * 1e6))
        return results

    async def listing(self, mailbox_id: MailboxId, folder_id: FolderId) -> Listing:
        """What lies in a folder now. Raises NotFound, Unavailable."""
        return await self._listings.get(mailbox_id, folder_id)

    async def role_folder(self, mailbox_id: MailboxId, role: FolderRole) -> Folder:
        """The special folder of a role (not NONE), as it stands now. Raises NotFound."""
        key = (mailbox_id, role)
        folder_id = self._roles.get(key)
        if folder_id is not None:
            try:
                folder = await self.records.folder(mailbox_id, folder_id)
            except NotFound:
                del self._roles[key]
            else:
                if folder.role is role:
                    return folder
        for folder in await self.records.folders(mailbox_id):
            if folder.role is role:
                if len(self._roles) >= _ROLES_MAX:
                    self._roles.clear()
                self._roles[key] = folder.folder_id
                return folder
        raise NotFound(f"mailbox {mailbox_id} has no folder of role {role.name}")

    async def guid(self, mailbox_id: MailboxId) -> bytes:
        """The mailbox's, remembered: only a restore changes it, and then nobody is at work.

        Raises NotFound.
        """
        known = self._guids.get(mailbox_id)
        if known is None:
            if len(self._guids) >= _ROLES_MAX:
                self._guids.clear()
            known = self._guids[mailbox_id] = (await self.records.mailbox(mailbox_id)).guid
        return known

    async def wait(self, mailbox_id: MailboxId, known: ChangeNumber, timeout_s: float) -> bool:
        """Sleep until the mailbox is past ``known``; False when time ran out. Raises NotFound."""
        return await self._waits.wait(mailbox_id, known, timeout_s)

    def close(self) -> None:
        """Stop listening to hints; what is open is the caller's to close."""
        self._waits.close()
