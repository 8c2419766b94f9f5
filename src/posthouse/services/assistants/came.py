"""What came to an Inbox since a position, also what has left it again.

Notes:
    An arrival is told from what somebody filed, moved or wrote anew by three signs: the mailflow's
    lines stand before it, its number is new, and it is not older than its place. What moves keeps
    its number and the change number of its content; new content keeps its number. A copy made by a
    client cannot be told from its original: assistants bring nothing about twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from posthouse.model.errors import SyncPointExpired
from posthouse.model.item import ItemKind
from posthouse.services.assistants.arrival import DELIVERED

if TYPE_CHECKING:
    from posthouse.model.changes import Vanished
    from posthouse.model.folder import Folder
    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, Uid
    from posthouse.model.item import Flags, Item
    from posthouse.ports.records import Records
    from posthouse.services.assistants.track import Track

AGE_MAX_MS = 7 * 86_400_000
"""Mail that was delivered longer ago was brought here by an import or a restore."""
_PAGE = 2_000
_PAGES_MAX = 10


@dataclass(frozen=True, slots=True)
class Came:
    """A coming to the Inbox.

    Attributes:
        uid: its number there.
        item_id: what came.
        created_cn: when it came.
        folder_id: where it lies now.
        flags: its marks.
    """

    uid: Uid
    item_id: ItemId
    created_cn: ChangeNumber
    folder_id: FolderId
    flags: Flags


async def came_since(
    records: Records, inbox: Folder, track: Track, limit: int
) -> tuple[list[Came], bool]:
    """Comings after a position, in order of uid, and whether there are more.

    Args:
        records: where to look.
        inbox: as it stands.
        track: the position.
        limit: of those that are still there; at least 1.
    """
    mailbox_id, folder_id = inbox.mailbox_id, inbox.folder_id
    places = await records.places(mailbox_id, folder_id, track.uid, limit + 1)
    has_more = len(places) > limit
    there = [
        Came(place.uid, place.item_id, place.created_cn, folder_id, place.flags)
        for place in places[:limit]
    ]
    last = there[-1].uid if has_more else inbox.uid_next - 1
    uids = [track.uid, *(one.uid for one in there), last + (not has_more)]
    if any(after - before > 1 for before, after in pairwise(uids)):
        there += await _gone(records, inbox, track, last)
        there.sort(key=lambda one: one.uid)
    return there, has_more


async def _gone(records: Records, inbox: Folder, track: Track, last: int) -> list[Came]:
    """Comings up to ``last`` that have left again, as far as tombstones tell."""
    gone: list[Vanished] = []
    since = track.cn
    for _ in range(_PAGES_MAX):
        try:
            page = await records.changes_since(inbox.mailbox_id, inbox.folder_id, since, _PAGE)
        except SyncPointExpired:
            break
        gone += [one for one in page.vanished if track.uid < one.uid <= last]
        since = page.upto
        if not page.has_more:
            break
    found: list[Came] = []
    for one in gone:
        for place in await records.item_places(inbox.mailbox_id, one.item_id):
            found.append(  # noqa: PERF401  the iterable is awaited
                Came(one.uid, one.item_id, one.created_cn, place.folder_id, place.flags)
            )
    return found


def is_arrival(item: Item, came: Came, track: Track, now_ms: int) -> bool:
    """Whether it was delivered, here and just now, and is nothing that somebody put there."""
    return (
        item.kind is ItemKind.MESSAGE
        and item.item_id > track.item_id
        and item.changed_cn >= came.created_cn
        and item.prefix.startswith(DELIVERED)
        and item.received_at > now_ms - AGE_MAX_MS
    )
