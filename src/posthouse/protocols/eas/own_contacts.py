"""The person's own contacts, as far as names are resolved by them.

Spec: [MS-ASCMD] §2.2.1.15 (ResolveRecipients).

Notes:
    Of each contact the name under which it is sorted and its first address count: they can be read
    without opening it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import Uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.protocols.eas.session import Call

CONTACTS_MAX: Final = 10_000
"""Looked through in one request."""
_PAGE: Final = 2_000
_WORD: Final = re.compile(r"[^\W_]+")
_LAST: Final = "\U0010ffff"
"""Behind every letter."""


class OwnContact(Struct, frozen=True):
    """One of them.

    Attributes:
        name: as sorted.
        address: the first one.
    """

    name: str
    address: str


class OwnContacts:
    """Those of one request; read when they are first asked for."""

    __slots__ = ("_book", "_call")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._book: _Book | None = None

    async def meant(self, text: str) -> Sequence[OwnContact]:
        """Who may be meant by a name (each word begins one of the contact's) or an address."""
        if self._book is None:
            self._book = _Book(await self._read())
        return self._book.meant(text)

    async def _read(self) -> list[OwnContact]:
        records, mailbox_id = self._call.services.store.records, self._call.mailbox_id
        out: list[OwnContact] = []
        left = CONTACTS_MAX
        for folder in await records.folders(mailbox_id):
            is_theirs = folder.folder_class is FolderClass.CONTACTS
            after = Uid(0)
            while is_theirs and left > 0 and folder.role is not FolderRole.RECOVERABLE:
                limit = min(_PAGE, left)
                places = await records.places(mailbox_id, folder.folder_id, after, limit)
                items = await records.items(mailbox_id, [place.item_id for place in places])
                pairs = [(item.columns.subject, item.columns.sender) for item in items]
                out += [OwnContact(name or address, address) for name, address in pairs if address]
                left -= len(places)
                if len(places) < limit:
                    break
                after = places[-1].uid
        return out


class _Book:
    """Contacts by address and by their words in order."""

    __slots__ = ("_addresses", "_words")

    def __init__(self, contacts: Sequence[OwnContact]) -> None:
        self._addresses: dict[str, OwnContact] = {}
        for one in contacts:
            self._addresses.setdefault(one.address.casefold(), one)
        self._words = sorted(
            {(word, key) for key, one in self._addresses.items() for word in _words_of(one)}
        )

    def meant(self, text: str) -> list[OwnContact]:
        wanted = text.rpartition("<")[2].rstrip(">").strip().casefold()
        if "@" in wanted:
            found = {wanted} & self._addresses.keys()
        else:
            begins = _WORD.findall(text.casefold())
            sets = [self._beginning(begin) for begin in begins]
            found = set.intersection(*sets) if sets else set()
        return [self._addresses[key] for key in sorted(found)]

    def _beginning(self, begin: str) -> set[str]:
        first = bisect_left(self._words, (begin, ""))
        after = bisect_left(self._words, (begin + _LAST, ""))
        return {key for _, key in self._words[first:after]}


def _words_of(contact: OwnContact) -> list[str]:
    local = contact.address.partition("@")[0]
    return _WORD.findall(f"{contact.name} {local}".casefold())
