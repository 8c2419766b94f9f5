"""The cache of listings: one point read when nothing is new, a patch when something is.

Notes:
    - A listing is asked for by many sessions and built by one: the others wait for it. Mailboxes do
      not wait for each other.
    - Who builds may be cancelled; one of those who wait then builds.
    - Bounded by bytes, counting what doors usually render into chunks.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from posthouse.model.errors import NotFound, SyncPointExpired
from posthouse.model.ids import ChangeNumber, Uid
from posthouse.store.listing import Columns, Listing, listing_from_columns, patched

if TYPE_CHECKING:
    from posthouse.model.folder import Folder
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.item import Place
    from posthouse.ports.records import Records

DEFAULT_BYTES_MAX = 128 << 20
SLICE_ROWS = 2000
"""Rows read before other work on the loop gets its turn."""

_MESSAGE_BYTES = 96
"""Arrays (32) and a door's rendered lines (about 60)."""
_LISTING_BYTES = 2048


class Listings:
    """Listings by mailbox and folder; belongs to one event loop."""

    __slots__ = ("_building", "_bytes", "_bytes_max", "_cache", "_records")

    def __init__(self, records: Records, bytes_max: int = DEFAULT_BYTES_MAX) -> None:
        self._records = records
        self._bytes_max = bytes_max
        self._bytes = 0
        self._cache: OrderedDict[tuple[MailboxId, FolderId], Listing] = OrderedDict()
        self._building: dict[tuple[MailboxId, FolderId], asyncio.Event] = {}

    async def get(self, mailbox_id: MailboxId, folder_id: FolderId) -> Listing:
        """The folder as it stands now. Raises NotFound, Unavailable."""
        key = (mailbox_id, folder_id)
        while True:
            try:
                folder = await self._records.folder(mailbox_id, folder_id)
            except NotFound:
                self._forget(key)
                raise
            known = self._cache.get(key)
            if known is not None and known.uid_validity == folder.uid_validity:
                if known.highest_cn >= folder.highest_cn:
                    self._cache.move_to_end(key)
                    return known
            else:
                known = None
            building = self._building.get(key)
            if building is None:
                return await self._build(folder, known)
            await building.wait()

    async def _build(self, folder: Folder, known: Listing | None) -> Listing:
        key = (folder.mailbox_id, folder.folder_id)
        done = self._building[key] = asyncio.Event()
        try:
            listing = await self._loaded(folder) if known is None else await self._newer(known)
            if listing is None:  # the log no longer reaches back so far
                listing = await self._loaded(folder)
            self._keep(key, listing)
        finally:
            del self._building[key]
            done.set()
        return listing

    async def _loaded(self, folder: Folder) -> Listing:
        """Read a folder from end to end; what changes meanwhile is caught up with afterwards."""
        mailbox_id, folder_id = folder.mailbox_id, folder.folder_id
        columns = Columns()
        after = Uid(0)
        while True:
            rows = await self._records.place_columns(mailbox_id, folder_id, after, SLICE_ROWS)
            columns.take_columns(*rows)
            if len(rows[0]) < SLICE_ROWS:
                break
            after = Uid(rows[0][-1])
            await asyncio.sleep(0)
        listing = listing_from_columns(
            mailbox_id, folder_id, folder.uid_validity, folder.highest_cn, columns
        )
        newer = await self._newer(listing)
        return listing if newer is None else newer

    async def _newer(self, listing: Listing) -> Listing | None:
        """Patch a listing with all that is new; None when the log does not reach back to it."""
        since = at = listing.highest_cn
        arrived: dict[int, Place] = {}
        vanished: set[int] = set()
        try:
            while True:
                page = await self._records.changes_since(
                    listing.mailbox_id, listing.folder_id, at, SLICE_ROWS
                )
                for place in page.places:
                    if place.created_cn > since:
                        arrived[place.uid] = place
                for gone in page.vanished:
                    arrived.pop(gone.uid, None)
                    vanished.add(gone.uid)
                at = max(at, page.upto)
                if not page.has_more:
                    break
                await asyncio.sleep(0)
        except SyncPointExpired:
            return None
        new = [arrived[uid] for uid in sorted(arrived)]
        return patched(listing, new, vanished, ChangeNumber(at))

    def _keep(self, key: tuple[MailboxId, FolderId], listing: Listing) -> None:
        self._forget(key)
        self._cache[key] = listing
        self._bytes += _weight(listing)
        while self._bytes > self._bytes_max and len(self._cache) > 1:
            self._forget(next(iter(self._cache)))

    def _forget(self, key: tuple[MailboxId, FolderId]) -> None:
        listing = self._cache.pop(key, None)
        if listing is not None:
            self._bytes -= _weight(listing)


def _weight(listing: Listing) -> int:
    return _LISTING_BYTES + _MESSAGE_BYTES * listing.count
