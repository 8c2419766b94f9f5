"""Listings: what lies in a folder, in order of uid, as packed arrays that doors may keep.

Notes:
    - A listing never changes. A newer one shares with it every chunk before the first difference,
      so what a door rendered of a chunk stays good as long as the chunk is the same object.
    - Message numbers are part of what doors render: so a chunk knows where it starts, and all
      chunks behind a vanished message are new ones.
    - A chunk that only grew offers what was rendered of its beginning (``earlier_rendered``).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.ids import ChangeNumber, FolderId, MailboxId
    from posthouse.model.item import Place

CHUNK_MESSAGES_MAX = 4096
_FEW = 16
"""So many rows are cheaper to delete one by one than by copying what lies between them."""


class Columns:
    """Four arrays of the same length, in order of uid.

    Attributes:
        uids: of the messages.
        item_ids: beside them.
        sizes: as served.
        received_at: ms.
    """

    __slots__ = ("item_ids", "received_at", "sizes", "uids")

    def __init__(self) -> None:
        self.uids: array[int] = array("Q")
        self.item_ids: array[int] = array("Q")
        self.sizes: array[int] = array("Q")
        self.received_at: array[int] = array("q")

    def __len__(self) -> int:
        return len(self.uids)

    def take_places(self, places: Sequence[Place]) -> None:
        """Append places; their uids are above those here."""
        self.uids.extend([p.uid for p in places])
        self.item_ids.extend([p.item_id for p in places])
        self.sizes.extend([p.size_bytes for p in places])
        self.received_at.extend([p.received_at for p in places])

    def take_columns(
        self,
        uids: Sequence[int],
        item_ids: Sequence[int],
        sizes: Sequence[int],
        received_at: Sequence[int],
    ) -> None:
        """Append rows given as columns; their uids are above those here."""
        self.uids.extend(uids)
        self.item_ids.extend(item_ids)
        self.sizes.extend(sizes)
        self.received_at.extend(received_at)

    def joined_with(self, other: Columns | Chunk) -> Columns:
        """These, then the other's, as new arrays."""
        both = Columns.__new__(Columns)
        both.uids = self.uids + other.uids
        both.item_ids = self.item_ids + other.item_ids
        both.sizes = self.sizes + other.sizes
        both.received_at = self.received_at + other.received_at
        return both

    def part(self, start: int, stop: int) -> Columns:
        """A part of them, as new arrays."""
        part = Columns.__new__(Columns)
        part.uids = self.uids[start:stop]
        part.item_ids = self.item_ids[start:stop]
        part.sizes = self.sizes[start:stop]
        part.received_at = self.received_at[start:stop]
        return part

    def without(self, positions: Sequence[int]) -> Columns:
        """All but the rows at these positions (in order); may be these arrays, changed."""
        if len(positions) <= _FEW:
            for position in reversed(positions):
                del self.uids[position]
                del self.item_ids[position]
                del self.sizes[position]
                del self.received_at[position]
            return self
        rest = Columns()
        at = 0
        for position in positions:
            rest.take(self.part(at, position))
            at = position + 1
        rest.take(self.part(at, len(self)))
        return rest

    def take(self, other: Columns) -> None:
        """Append others."""
        self.uids += other.uids
        self.item_ids += other.item_ids
        self.sizes += other.sizes
        self.received_at += other.received_at


class Chunk(Columns):
    """Up to CHUNK_MESSAGES_MAX messages; never changes but for what doors remember in it.

    Attributes:
        start: index of its first message in the listing (0-based).
        rendered: for doors: what they made of this chunk, by a name of their own.
        earlier_count: the first so many messages are those of the chunk this one grew from.
        earlier_rendered: what had been rendered of these.
    """

    __slots__ = ("earlier_count", "earlier_rendered", "rendered", "start")

    def __init__(self, start: int, columns: Columns, grown_from: Chunk | None = None) -> None:
        self.start = start
        self.uids = columns.uids
        self.item_ids = columns.item_ids
        self.sizes = columns.sizes
        self.received_at = columns.received_at
        self.rendered: dict[str, bytes] = {}
        self.earlier_count = 0
        self.earlier_rendered: dict[str, bytes] = {}
        if grown_from is None:
            return
        if grown_from.rendered:
            self.earlier_count = len(grown_from)
            self.earlier_rendered = grown_from.rendered
        else:
            self.earlier_count = grown_from.earlier_count
            self.earlier_rendered = grown_from.earlier_rendered


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder as it stood at ``highest_cn``. All chunks but the last are full.

    Attributes:
        mailbox_id: the mailbox.
        folder_id: the folder.
        uid_validity: of the folder.
        highest_cn: everything up to this number is in it.
        chunks: the messages.
        count: how many.
        total_bytes: sum of their sizes.
    """

    mailbox_id: MailboxId
    folder_id: FolderId
    uid_validity: int
    highest_cn: ChangeNumber
    chunks: tuple[Chunk, ...]
    count: int
    total_bytes: int

    def __len__(self) -> int:
        return self.count

    def locate(self, index: int) -> tuple[Chunk, int]:
        """Chunk and position in it of a message (0-based). Raises IndexError."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        number, position = divmod(index, CHUNK_MESSAGES_MAX)
        return self.chunks[number], position

    def index_of(self, uid: int) -> int | None:
        """Index of the message of that uid; None when it is not here."""
        number = bisect_right(self.chunks, uid, key=_first_uid) - 1
        if number < 0:
            return None
        chunk = self.chunks[number]
        position = bisect_left(chunk.uids, uid)
        if position == len(chunk) or chunk.uids[position] != uid:
            return None
        return chunk.start + position


def listing_from_columns(
    mailbox_id: MailboxId,
    folder_id: FolderId,
    uid_validity: int,
    highest_cn: ChangeNumber,
    columns: Columns,
) -> Listing:
    """A listing made anew."""
    chunks = tuple(_split(columns, 0))
    return Listing(
        mailbox_id,
        folder_id,
        uid_validity,
        highest_cn,
        chunks,
        len(columns.uids),
        sum(columns.sizes),
    )


def patched(
    listing: Listing,
    arrived: Sequence[Place],
    vanished: Iterable[int],
    highest_cn: ChangeNumber,
) -> Listing:
    """The next listing.

    Args:
        listing: the one before.
        arrived: in order of uid; those already listed are skipped.
        vanished: uids; those not listed are skipped.
        highest_cn: what the new one covers.
    """
    chunks = listing.chunks
    last_uid = chunks[-1].uids[-1] if chunks else 0
    new = Columns()
    new.take_places([place for place in arrived if place.uid > last_uid])
    gone = sorted(i for i in map(listing.index_of, vanished) if i is not None)
    if gone:
        return _without(listing, gone, new, highest_cn)
    if not new:
        return replace(listing, highest_cn=highest_cn)
    grown = chunks[-1] if chunks and len(chunks[-1]) < CHUNK_MESSAGES_MAX else None
    kept = chunks[:-1] if grown else chunks
    tail = grown.joined_with(new) if grown else new
    return replace(
        listing,
        highest_cn=highest_cn,
        chunks=kept + tuple(_split(tail, len(kept) * CHUNK_MESSAGES_MAX, grown)),
        count=listing.count + len(new),
        total_bytes=listing.total_bytes + sum(new.sizes),
    )


def _without(
    listing: Listing, gone: Sequence[int], new: Columns, highest_cn: ChangeNumber
) -> Listing:
    """The next listing when messages (indices, in order) went and others came at the end."""
    first = gone[0] // CHUNK_MESSAGES_MAX
    kept = listing.chunks[:first]
    start = first * CHUNK_MESSAGES_MAX
    old = Columns()
    for chunk in listing.chunks[first:]:
        old.take(chunk)
    lost_bytes = sum(old.sizes[index - start] for index in gone)
    tail = old.without([index - start for index in gone])
    tail.take(new)
    return replace(
        listing,
        highest_cn=highest_cn,
        chunks=kept + tuple(_split(tail, start)),
        count=listing.count - len(gone) + len(new),
        total_bytes=listing.total_bytes - lost_bytes + sum(new.sizes),
    )


def _first_uid(chunk: Chunk) -> int:
    return chunk.uids[0]


def _split(columns: Columns, start: int, grown_from: Chunk | None = None) -> list[Chunk]:
    count = len(columns)
    if 0 < count <= CHUNK_MESSAGES_MAX:
        return [Chunk(start, columns, grown_from)]
    return [
        Chunk(
            start + at,
            columns.part(at, at + CHUNK_MESSAGES_MAX),
            None if at else grown_from,
        )
        for at in range(0, count, CHUNK_MESSAGES_MAX)
    ]
