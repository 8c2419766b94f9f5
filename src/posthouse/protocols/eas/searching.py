"""Finding: items of a mailbox and people of the address list, for Search and Find.

Spec: [MS-ASCMD] §2.2.1.16 (Search), §2.2.1.2 (Find).

Notes:
    Words are asked of the index. Where there are none, the newest items of each folder are looked
    through, within bounds. Folders of others are searched when they are named.
"""

from __future__ import annotations

import asyncio
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.errors import NotFound
from posthouse.model.ids import ItemId
from posthouse.model.message_bag import bag_of
from posthouse.protocols.eas.collections import collection, folders_shown
from posthouse.protocols.eas.wire.email import conversation_id
from posthouse.protocols.eas.wire.gal import GalEntry, gal_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from posthouse.model.book import BookEntry
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.item import Item, Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.gal import PictureWish
    from posthouse.protocols.eas.wire.search import MailQuery, Page
    from posthouse.services.directory.address_book import AddressBook
    from posthouse.store.listing import Listing

RESULTS_MAX: Final = 1_000
"""More cannot be asked for: a Range has three digits."""
SCANNED_MAX: Final = 10_000
"""Items looked through in all, and of each folder, when there are no words."""
_PAGE: Final = 2_000

Candidate = tuple["MailboxId", ItemId]


class Hit(Struct, frozen=True):
    """An item found.

    Attributes:
        collection: where it lies.
        place: as it lies there.
    """

    collection: Collection
    place: Place


class Hits(Struct, frozen=True):
    """What was found.

    Attributes:
        shown: those asked for, newest first; without those that went away meanwhile.
        total: how many there are in all, up to RESULTS_MAX.
    """

    shown: tuple[Hit, ...] = ()
    total: int = 0


async def found_in_mailbox(call: Call, query: MailQuery, page: Page) -> Hits:
    """Items that meet a query.

    Raises:
        NotFound: a folder that is named is not there (any more).
        Unavailable: the index cannot be used now.
    """
    searched = await _searched(call, query)
    by_mailbox: dict[MailboxId, list[FolderId]] = {}
    for one in searched.values():
        by_mailbox.setdefault(one.mailbox_id, []).append(one.folder_id)
    found: list[Candidate] = []
    for mailbox_id, folder_ids in by_mailbox.items():
        ids: Sequence[ItemId]
        if query.words:
            ids = await call.services.search.find(
                mailbox_id,
                query.words,
                folder_ids,
                SCANNED_MAX if query.has_bounds else RESULTS_MAX,
            )
        else:
            ids = await _newest(call, mailbox_id, folder_ids, query)
        found += [(mailbox_id, item_id) for item_id in ids]
    if query.conversation or (query.words and query.has_bounds):
        found = await _within(call, found, query)
    found = found[:RESULTS_MAX]
    shown = [await _located(call, one, searched) for one in found[page.first : page.last + 1]]
    return Hits(tuple(hit for hit in shown if hit is not None), len(found))


# --- where


async def _searched(call: Call, query: MailQuery) -> dict[tuple[MailboxId, FolderId], Collection]:
    """Folders that are searched."""
    found: dict[tuple[MailboxId, FolderId], Collection] = {}
    for server_id in query.collections:
        _take(found, await collection(call, server_id))
    named = {one.server_id for one in found.values()}
    if query.is_deep or not named:
        for server_id in await _others(call, named):
            try:
                _take(found, await collection(call, server_id))
            except NotFound:
                continue  # it went away just now
    if not query.classes:
        return found
    return {key: one for key, one in found.items() if one.item_class.value in query.classes}


def _take(found: dict[tuple[MailboxId, FolderId], Collection], one: Collection) -> None:
    found[one.mailbox_id, one.folder_id] = one


async def _others(call: Call, named: set[str]) -> list[str]:
    """Folders below those named; nothing named: all of the person's own mailbox."""
    shown = await folders_shown(call)
    if not named:
        return [one.server_id for one in shown if "." not in one.server_id]
    below: dict[str, list[str]] = {}
    for one in shown:
        below.setdefault(one.parent_id, []).append(one.server_id)
    out: list[str] = []
    waiting = sorted(named)
    for server_id in waiting:  # grows while we walk
        inner = [one for one in below.get(server_id, ()) if one not in named]
        out += inner
        waiting += inner
    return out


# --- what


async def _newest(
    call: Call, mailbox_id: MailboxId, folder_ids: Sequence[FolderId], query: MailQuery
) -> list[ItemId]:
    """The newest items within the times asked for."""
    rows: list[tuple[int, int]] = []
    for folder_id in folder_ids:
        listing = await call.services.store.listing(mailbox_id, folder_id)
        dated = [row for row in islice(_backwards(listing), SCANNED_MAX) if _is_in(row[0], query)]
        rows = nlargest(SCANNED_MAX, [*rows, *dated])
        await asyncio.sleep(0)
    return [ItemId(item_id) for _, item_id in rows]


def _backwards(listing: Listing) -> Iterator[tuple[int, int]]:
    for chunk in reversed(listing.chunks):
        yield from zip(reversed(chunk.received_at), reversed(chunk.item_ids), strict=True)


async def _within(call: Call, found: list[Candidate], query: MailQuery) -> list[Candidate]:
    """Those that meet all but the words."""
    out: list[Candidate] = []
    by_mailbox: dict[MailboxId, list[ItemId]] = {}
    for mailbox_id, item_id in found[:SCANNED_MAX]:
        by_mailbox.setdefault(mailbox_id, []).append(item_id)
    for mailbox_id, ids in by_mailbox.items():
        for start in range(0, len(ids), _PAGE):
            items = await call.services.store.records.items(mailbox_id, ids[start : start + _PAGE])
            out += [(mailbox_id, item.item_id) for item in items if _meets(item, query)]
            await asyncio.sleep(0)
    return out


def _meets(item: Item, query: MailQuery) -> bool:
    if not _is_in(item.received_at, query):
        return False
    if not query.conversation:
        return True
    return conversation_id(bag_of(item.bag), item.columns.thread) == query.conversation


def _is_in(at: int, query: MailQuery) -> bool:
    if query.after_at is not None and at <= query.after_at:
        return False
    return query.before_at is None or at < query.before_at


async def _located(
    call: Call, found: Candidate, searched: dict[tuple[MailboxId, FolderId], Collection]
) -> Hit | None:
    mailbox_id, item_id = found
    for place in await call.services.store.records.item_places(mailbox_id, item_id):
        where = searched.get((mailbox_id, place.folder_id))
        if where is not None:
            return Hit(where, place)
    return None


# --- people


def found_in_book(
    call: Call, text: str, page: Page, wish: PictureWish | None
) -> tuple[list[list[Element]], int]:
    """Entries of the address list as children of Properties, and how many there are in all."""
    book = call.services.address_book
    found = book.search(text, page.size, page.first)
    entries = (gal_entry(book, entry, wants_photo=wish is not None) for entry in found.entries)
    return list(gal_results(entries, wish)), min(found.total, RESULTS_MAX)


def gal_entry(book: AddressBook, entry: BookEntry, *, wants_photo: bool) -> GalEntry:
    """An entry of the address book as the address list has it."""
    details = entry.details
    photo = book.photo(entry.principal_id) if wants_photo and entry.has_photo else None
    return GalEntry(
        display_name=entry.name,
        phone=details.phone,
        office=details.office,
        title=details.title,
        company=details.company,
        alias=entry.alias,
        first=details.first_name,
        last=details.last_name,
        home_phone=details.home_phone,
        mobile_phone=details.mobile_phone,
        email=entry.address,
        photo=photo.data if photo is not None else None,
    )
