"""Free and busy: when somebody has time, from the calendar and nothing else of it.

Spec: RFC 5545 §3.6.4 (VFREEBUSY); [MS-OXWAVLS] §2.2.4 (the order of busy states).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.appointment import Appointment, BusyStatus
from posthouse.model.errors import NotFound, TooLarge
from posthouse.model.ids import Uid
from posthouse.model.item import ItemKind
from posthouse.services.groupware.occurrences import taking_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.ids import FolderId, ItemId, MailboxId
    from posthouse.model.item import Item
    from posthouse.services.groupware.entries import Entries
    from posthouse.store.store import Store

WINDOW_MAX_MS = 62 * 86_400_000
"""Asked for at once: two months, as Exchange allows."""
_PAGE = 2_000
_WEIGHT = {
    BusyStatus.FREE: 0,
    BusyStatus.WORKING_ELSEWHERE: 1,
    BusyStatus.TENTATIVE: 2,
    BusyStatus.BUSY: 3,
    BusyStatus.OUT_OF_OFFICE: 4,
}


class BusyTime(Struct, frozen=True):
    """Somebody is not free.

    Attributes:
        start_at: ms UTC.
        end_at: ms UTC, not part of it.
        busy: how; never FREE.
    """

    start_at: int
    end_at: int
    busy: BusyStatus


async def busy_times(
    store: Store,
    entries: Entries,
    mailbox_id: MailboxId,
    folder_id: FolderId,
    window: tuple[int, int],
) -> Sequence[BusyTime]:
    """When the owner of a calendar is not free, in order, without overlaps.

    Args:
        store: for the listing.
        entries: for what recurs.
        mailbox_id: whose.
        folder_id: the calendar.
        window: begin and end, ms UTC.

    Raises:
        TooLarge: the window is longer than WINDOW_MAX_MS, or a series has too many occurrences.
        NotFound: no such folder.
    """
    from_at, to_at = window
    if to_at - from_at > WINDOW_MAX_MS:
        raise TooLarge("free/busy of so long a time is not told at once")
    found: list[Appointment] = []
    for item in await _candidates(store, mailbox_id, folder_id, window):
        try:
            entry = entries.of_item(item, folder_id)
        except NotFound:  # cannot be read
            continue
        if isinstance(entry.value, Appointment):
            found += taking_place(entry.value, from_at, to_at)
    return merged(found, window)


async def _candidates(
    store: Store, mailbox_id: MailboxId, folder_id: FolderId, window: tuple[int, int]
) -> list[Item]:
    """Items whose columns say that they may touch the window."""
    from_at, to_at = window
    out: list[Item] = []
    after = Uid(0)
    while True:
        places = await store.records.places(mailbox_id, folder_id, after, _PAGE)
        if not places:
            return out
        ids: list[ItemId] = [place.item_id for place in places]
        for item in await store.records.items(mailbox_id, ids):
            columns = item.columns
            may_touch = columns.start_at < to_at and columns.end_at >= from_at
            if item.kind is ItemKind.APPOINTMENT and may_touch:
                out.append(item)
        after = places[-1].uid


def merged(taken: Iterable[Appointment], window: tuple[int, int]) -> list[BusyTime]:
    """Busy times of occurrences: cut to the window; where several overlap, the strongest counts."""
    from_at, to_at = window
    spans: list[tuple[int, int, BusyStatus]] = [
        (max(one.start_at, from_at), min(one.end_at, to_at), one.busy)
        for one in taken
        if one.busy is not BusyStatus.FREE and not one.is_cancelled
    ]
    edges = sorted({at for start, end, _ in spans if start < end for at in (start, end)})
    open_at: dict[int, list[BusyStatus]] = {}
    close_at: dict[int, list[BusyStatus]] = {}
    for start, end, busy in spans:
        if start < end:
            open_at.setdefault(start, []).append(busy)
            close_at.setdefault(end, []).append(busy)
    out: list[BusyTime] = []
    running: list[BusyStatus] = []
    for start, end in pairwise(edges):
        for busy in close_at.get(start, ()):
            running.remove(busy)
        running += open_at.get(start, ())
        if not running:
            continue
        strongest = max(running, key=_WEIGHT.__getitem__)
        if out and out[-1].end_at == start and out[-1].busy is strongest:
            out[-1] = BusyTime(out[-1].start_at, end, strongest)
        else:
            out.append(BusyTime(start, end, strongest))
    return out
