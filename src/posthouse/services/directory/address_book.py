"""The address book: everybody of the organisation, found by the beginnings of words.

Spec: [MS-ASCMD] §2.2.1.15 (ResolveRecipients), §2.2.1.16 (Search).

Notes:
    - Found are entries of which each word asked for begins a word of the name, an address, the
      alias or the office, without regard to letter case and accents. A number is also looked for in
      telephone numbers, with or without country code.
    - A name is resolved when one entry alone fits; an exact address or an exact name wins over what
      merely begins so.
    - Hidden entries get mail but are not found. A group of nothing but rooms is a room list.
    - Kept in memory, in order of name; a change of the directory reads the changed entries only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.people import PrincipalKind
from posthouse.services.directory.book_index import BookIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from posthouse.model.book import BookEntry, Photo
    from posthouse.model.ids import PrincipalId
    from posthouse.ports.directory import DirectoryRecords

_ANEW_FROM = 200
"""So many changes at once cost more one by one than everything anew."""
MEMBERS_MAX = 10_000


class Found(Struct, frozen=True):
    """What was found.

    Attributes:
        entries: in order of name, at most as many as asked for.
        total: how many there are in all.
    """

    entries: tuple[BookEntry, ...] = ()
    total: int = 0

    @property
    def one(self) -> BookEntry | None:
        """The entry, when there is no other; None: nothing or something ambiguous was found."""
        return self.entries[0] if self.total == 1 and self.entries else None


class Member(Struct, frozen=True):
    """Somebody in a group.

    Attributes:
        address: as the group names them.
        entry: None: not of this organisation.
    """

    address: str
    entry: BookEntry | None = None


class Members(Struct, frozen=True):
    """Who is in a group.

    Attributes:
        members: in order of the group, at most as many as asked for.
        total: how many there are in all (up to 10 000).
    """

    members: tuple[Member, ...]
    total: int


class AddressBook:
    """Answers from the address book. One per process; read when it is first asked."""

    def __init__(self, directory: DirectoryRecords) -> None:
        self._directory = directory
        self._index = BookIndex()
        self._version = -1
        self._room_lists: tuple[BookEntry, ...] | None = None

    # --- one entry

    def entry(self, principal_id: PrincipalId) -> BookEntry | None:
        """By number; hidden ones too."""
        return self._current().entries.get(principal_id)

    def by_address(self, address: str) -> BookEntry | None:
        """By primary address or alias in key form; hidden ones too."""
        index = self._current()
        principal_id = index.addresses.get(address)
        return index.entries[principal_id] if principal_id is not None else None

    def photo(self, principal_id: PrincipalId) -> Photo | None:
        """The picture of an entry."""
        return self._directory.photo(principal_id)

    # --- searching

    def listed(self, limit: int, offset: int = 0) -> Found:
        """Everybody, in order of name."""
        shown = self._current().shown
        return Found(tuple(shown[offset : offset + limit]), len(shown))

    def search(self, text: str, limit: int, offset: int = 0) -> Found:
        """Entries that fit what somebody typed.

        Args:
            text: beginnings of words, or of an address; without any word nothing is found.
            limit: of entries in the answer.
            offset: entries left out before them.
        """
        index = self._current()
        return _page(index, index.fitting(text), limit, offset)

    def resolve(self, text: str, limit: int = 100) -> Found:
        """Whom somebody means by a name or address: ``one`` when that is clear."""
        index = self._current()
        wanted = text.strip()
        if wanted.endswith(">"):
            wanted = wanted.rpartition("<")[2][:-1]
        if wanted[:5].casefold() == "smtp:":
            wanted = wanted[5:]
        principal_id = index.addresses.get(wanted.casefold())
        if principal_id is not None:
            entry = index.entries[principal_id]
            return Found() if entry.details.is_hidden else Found((entry,), 1)
        return _page(index, index.named(wanted) or index.fitting(wanted), limit)

    # --- groups and rooms

    def members(self, group_id: PrincipalId, limit: int, *, is_nested: bool = False) -> Members:
        """Who is in a group.

        Args:
            group_id: the group; others have no members.
            limit: of members in the answer.
            is_nested: groups in it are replaced by their members, everybody once.
        """
        index = self._current()
        found: dict[str, Member] = {}
        groups = [group_id]
        for one in groups:  # grows while we walk
            for address in self._directory.members(one):
                principal_id = index.addresses.get(address)
                entry = index.entries[principal_id] if principal_id is not None else None
                if is_nested and entry is not None and entry.kind is PrincipalKind.GROUP:
                    if entry.principal_id not in groups:
                        groups.append(entry.principal_id)
                elif len(found) < MEMBERS_MAX:
                    found.setdefault(entry.address if entry else address, Member(address, entry))
        return Members(tuple(found.values())[:limit], len(found))

    def rooms(self) -> Sequence[BookEntry]:
        """Rooms, in order of name."""
        return [entry for entry in self._current().shown if entry.kind is PrincipalKind.ROOM]

    def room_lists(self) -> Sequence[BookEntry]:
        """Groups in which there are rooms and nothing else, in order of name."""
        index = self._current()
        if self._room_lists is None:
            groups = [entry for entry in index.shown if entry.kind is PrincipalKind.GROUP]
            self._room_lists = tuple([one for one in groups if self._has_rooms_only(index, one)])
        return self._room_lists

    def _has_rooms_only(self, index: BookIndex, group: BookEntry) -> bool:
        members = [index.addresses.get(one) for one in self._directory.members(group.principal_id)]
        return bool(members) and all(
            one is not None and index.entries[one].kind is PrincipalKind.ROOM for one in members
        )

    # --- keeping up

    def _current(self) -> BookIndex:
        version = self._directory.version()
        if version != self._version:
            self._catch_up()
            self._version = version
            self._room_lists = None
        return self._index

    def _catch_up(self) -> None:
        """Read what has changed since."""
        known = self._index.entries
        versions = dict(self._directory.principal_versions())
        gone = known.keys() - versions.keys()
        changed = [
            number
            for number, version in versions.items()
            if number not in known or known[number].principal.version != version
        ]
        if len(changed) + len(gone) > _ANEW_FROM:
            self._index = BookIndex()
            self._index.fill(self._directory.book_entries())
        elif changed or gone:
            self._index.change(self._directory.book_entries(changed), gone)


def _page(index: BookIndex, found: Collection[PrincipalId], limit: int, offset: int = 0) -> Found:
    return Found(tuple(index.page(found, limit, offset)), len(found))
