"""RESOLVERECIPIENTS: who is meant by a name, when they have time, what they look like.

Spec: [MS-ASCMD] §2.2.1.15, §2.2.3.16 (Availability), §2.2.3.177.11 (Status).

Notes:
    - The address list and the person's own contacts are asked; who is in both counts once.
    - Times are told of whom is clear. Of people elsewhere nothing is known: their time is said to
      be without data.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.model.errors import RemoteProtocolError
from posthouse.model.people import PrincipalKind
from posthouse.protocols.eas.own_contacts import OwnContacts
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.recipients import (
    AVAILABLE_MAX,
    TYPE_BOOK,
    TYPE_CONTACT,
    Recipient,
    Times,
    recipients_asked,
    response_element,
)
from posthouse.services.meetings.availability import Told, digits_of

if TYPE_CHECKING:
    from posthouse.model.book import BookEntry
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.recipients import RecipientsAsked

_CLEAR: Final = 1
_AMBIGUOUS: Final = 2
_AMBIGUOUS_PARTLY: Final = 3
_NOBODY: Final = 4
_TOO_MANY: Final = Times(160)
_STATUS_OF: Final = {
    Told.DENIED: Times(163),
    Told.NOBODY: Times(163),
    Told.TOO_MANY: Times(161),
    Told.UNREADABLE: Times(162),
}
_SLOT_MS: Final = 30 * 60_000
_NO_DATA: Final = "4"


async def handle(call: Call, request: Element | None) -> Element:
    """Answer each name in turn. Raises RemoteProtocolError."""
    if request is None:
        raise RemoteProtocolError("no body", "content")
    asked = recipients_asked(request)
    contacts = OwnContacts(call)
    said = [await _resolved(call, name, asked, contacts) for name in asked.names]
    return _of("ResolveRecipients", [_of("Status", "1"), *said])


async def _resolved(
    call: Call, name: str, asked: RecipientsAsked, contacts: OwnContacts
) -> Element:
    await asyncio.sleep(0)  # there may be many
    people, total = await _meant(call, name, asked, contacts)
    if total == 1:
        times = await _times(call, people[0], asked)
        return response_element(name, _CLEAR, [replace(people[0], times=times)], asked)
    shown = people[: asked.candidates_max]
    status = _AMBIGUOUS if len(shown) == total else _AMBIGUOUS_PARTLY
    return response_element(name, status if total else _NOBODY, shown, asked)


async def _meant(
    call: Call, name: str, asked: RecipientsAsked, contacts: OwnContacts
) -> tuple[list[Recipient], int]:
    """Who may be meant, and how many these are."""
    book = call.services.address_book
    found = book.resolve(name, max(asked.candidates_max, 1))
    wants_photo = asked.wish is not None
    people = [_of_book(call, entry, wants_photo=wants_photo) for entry in found.entries]
    if found.one is not None and "@" in name:
        return people, 1
    others = [
        Recipient(TYPE_CONTACT, one.name, one.address)
        for one in await contacts.meant(name)
        if book.by_address(one.address.casefold()) is None
    ]
    return [*people, *others], found.total + len(others)


def _of_book(call: Call, entry: BookEntry, *, wants_photo: bool) -> Recipient:
    book = call.services.address_book
    photo = book.photo(entry.principal_id) if wants_photo and entry.has_photo else None
    is_group = entry.kind is PrincipalKind.GROUP
    return Recipient(
        TYPE_BOOK,
        entry.name or entry.address,
        entry.address,
        book.members(entry.principal_id, 0, is_nested=True).total if is_group else 1,
        photo.data if photo is not None else None,
    )


async def _times(call: Call, one: Recipient, asked: RecipientsAsked) -> Times | None:
    window = asked.window
    if window is None:
        return None
    if len(asked.names) > AVAILABLE_MAX:
        return _TOO_MANY
    (found,) = await call.services.meetings.free_busy_of([one.address], window, call.principal)
    if found.told is Told.BUSY_TIMES:
        return Times(_CLEAR, digits_of(found.busy, window))
    if found.told is Told.ELSEWHERE or one.kind == TYPE_CONTACT:
        return Times(_CLEAR, _NO_DATA * -((window[0] - window[1]) // _SLOT_MS))
    return _STATUS_OF[found.told]


def _of(tag: str, content: str | list[Element] = "") -> Element:
    return Element("ResolveRecipients", tag, content)
