"""The address book in memory, in order: kept up entry by entry, searched by bisection.

Notes:
    Two lists side by side, search keys in order and whose they are, are changed in place; what is
    in order of name is sorted anew after each change, from keys that are kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice
from typing import TYPE_CHECKING

from posthouse.services.directory.book_words import keys_of, name_key, search_keys, sort_key

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from posthouse.model.book import BookEntry
    from posthouse.model.ids import PrincipalId

_END = "\U0010ffff"


class BookIndex:
    """Entries of the address book.

    Attributes:
        entries: all, hidden ones too.
        addresses: every address of theirs.
        shown: entries that are not hidden, in order of name; a rank is a position here.
    """

    def __init__(self) -> None:
        self.entries: dict[PrincipalId, BookEntry] = {}
        self.addresses: dict[str, PrincipalId] = {}
        self.shown: list[BookEntry] = []
        self._keys: list[str] = []
        self._owners: list[PrincipalId] = []
        self._ranks: dict[PrincipalId, int] = {}
        self._names: dict[tuple[str, ...], list[PrincipalId]] = {}
        self._orders: dict[PrincipalId, tuple[str, str]] = {}

    def fill(self, entries: Sequence[BookEntry]) -> None:
        """Take in all entries; only once, into an empty index."""
        keys: list[str] = []
        owners: list[PrincipalId] = []
        for entry in entries:
            if self._book(entry):
                its_keys = keys_of(entry)
                keys += its_keys
                owners += [entry.principal.principal_id] * len(its_keys)
        # By position: pairs would be a hundred thousand objects for the garbage collector.
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self._keys = [keys[at] for at in order]
        self._owners = [owners[at] for at in order]
        self._arrange()

    def change(self, read: Sequence[BookEntry], gone: Collection[PrincipalId]) -> None:
        """Take in a few entries, or what they have become, and let others go."""
        for number in (*gone, *(entry.principal_id for entry in read)):
            self._strike(number)
        for entry in read:
            if self._book(entry):
                for key in keys_of(entry):
                    at = bisect_left(self._keys, key)
                    self._keys.insert(at, key)
                    self._owners.insert(at, entry.principal_id)
        self._arrange()

    def fitting(self, text: str) -> Collection[PrincipalId]:
        """The entries that fit any of the ways to read a text."""
        found: set[PrincipalId] = set()
        for keys in search_keys(text):
            ranges = [self._range(key) for key in keys]
            ranges.sort(key=lambda one: one[1] - one[0])
            fitting = set(self._owners[slice(*ranges[0])])
            for begin, end in ranges[1:]:
                fitting.intersection_update(self._owners[begin:end])
            found |= fitting
        return found

    def named(self, name: str) -> Collection[PrincipalId]:
        """The entries that have exactly this name."""
        return self._names.get(name_key(name), ())

    def page(self, found: Collection[PrincipalId], limit: int, offset: int) -> list[BookEntry]:
        """Some of what was found, in order of name."""
        if len(found) > len(self.shown) // 8:
            # A page of so many comes sooner by going through all than by sorting them.
            fitting = (entry for entry in self.shown if entry.principal.principal_id in found)
            return list(islice(fitting, offset, offset + limit))
        ranks = sorted(map(self._ranks.__getitem__, found))
        return [self.shown[rank] for rank in ranks[offset : offset + limit]]

    def _range(self, beginning: str) -> tuple[int, int]:
        """Where the keys with this beginning stand."""
        return bisect_left(self._keys, beginning), bisect_left(self._keys, beginning + _END)

    def _book(self, entry: BookEntry) -> bool:
        """Everything but the search keys; whether these are wanted, too."""
        number = entry.principal_id
        self.entries[number] = entry
        for address in (entry.address, *entry.aliases):
            self.addresses[address] = number
        if entry.details.is_hidden:
            return False
        self._orders[number] = sort_key(entry)
        if name := name_key(entry.name):
            self._names.setdefault(name, []).append(number)
        return True

    def _arrange(self) -> None:
        orders = self._orders
        self.shown = [self.entries[number] for number in sorted(orders, key=orders.__getitem__)]
        self._ranks = {entry.principal_id: rank for rank, entry in enumerate(self.shown)}

    def _strike(self, number: PrincipalId) -> None:
        entry = self.entries.pop(number, None)
        if entry is None:
            return
        for address in (entry.address, *entry.aliases):
            self.addresses.pop(address, None)
        if self._orders.pop(number, None) is None:
            return
        if name := name_key(entry.name):
            self._names[name].remove(number)
        for key in keys_of(entry):
            begin, end = bisect_left(self._keys, key), bisect_right(self._keys, key)
            at = self._owners.index(number, begin, end)
            del self._keys[at]
            del self._owners[at]
