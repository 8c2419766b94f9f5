"""FIND: looks for mail or people, and answers with what a list shows of them.

Spec: [MS-ASCMD] §2.2.1.2, §2.2.3.177.2 (Status).

Notes:
    Nothing is kept between two pages of a search: the SearchId does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.model.errors import NotFound, RemoteProtocolError
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags, ItemKind
from posthouse.protocols.eas.collections import ItemClass
from posthouse.protocols.eas.searching import found_in_book, found_in_mailbox
from posthouse.protocols.eas.wire.body import xml_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.email import ADDRESSES_MAX, address_text
from posthouse.protocols.eas.wire.search import Page, find_query, page_asked, picture_wish
from posthouse.protocols.eas.wire.times import long_from_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.formats.mime.card import Card
    from posthouse.model.ids import ItemId, MailboxId
    from posthouse.model.item import Item
    from posthouse.protocols.eas.searching import Hit, Hits
    from posthouse.protocols.eas.session import Call

_SUCCESS: Final = "1"
_FOLDERS_CHANGED: Final = "3"
_NOT_FROM_ZERO: Final = "4"
_PREVIEW_CHARS: Final = 255


async def handle(call: Call, request: Element | None) -> Element:
    """Find.

    Raises:
        RemoteProtocolError: nothing to look for is said.
        Unavailable: the index cannot be used now.
    """
    execute = request.child("ExecuteSearch") if request is not None else None
    if execute is None:
        raise RemoteProtocolError("no ExecuteSearch", "content")
    mail, people = execute.child("MailBoxSearchCriterion"), execute.child("GalSearchCriterion")
    if (mail is None) == (people is None):
        raise RemoteProtocolError("one criterion is wanted", "content")
    if people is not None:
        return _people(call, people)
    if mail is None:  # not reached
        raise RemoteProtocolError("no criterion", "content")
    try:
        return await _mail(call, mail)
    except NotFound:
        return _of("Find", [_of("Status", _FOLDERS_CHANGED)])


def _people(call: Call, criterion: Element) -> Element:
    text = criterion.text_of("Query").strip()
    if not text:
        raise RemoteProtocolError("an empty Query", "content")
    options = criterion.child("Options")
    page = page_asked(options)
    found, total = found_in_book(call, text, page, picture_wish(options))
    results = [_of("Result", [_of("Properties", one)]) for one in found]
    return _answer("GAL", page, results, total)


async def _mail(call: Call, criterion: Element) -> Element:
    query, page = find_query(criterion), page_asked(criterion.child("Options"))
    if not query.classes:
        query = replace(query, classes=(ItemClass.EMAIL.value,))
    hits = await found_in_mailbox(call, query, page)
    return _answer("Mailbox", page, await _results(call, hits), hits.total)


async def _results(call: Call, hits: Hits) -> list[Element]:
    by_mailbox: dict[MailboxId, list[ItemId]] = {}
    for hit in hits.shown:
        by_mailbox.setdefault(hit.collection.mailbox_id, []).append(hit.place.item_id)
    known: dict[tuple[MailboxId, ItemId], tuple[Item, Card]] = {}
    for mailbox_id, ids in by_mailbox.items():
        items = await call.services.store.records.items(mailbox_id, ids)
        cards = await call.services.cards.of(items, mailbox_id)
        for item, card in zip(items, cards, strict=True):
            known[mailbox_id, item.item_id] = item, card
    out: list[Element] = []
    for hit in hits.shown:
        pair = known.get((hit.collection.mailbox_id, hit.place.item_id))
        if pair is not None:
            out.append(_result(hit, *pair))
    return out


def _result(hit: Hit, item: Item, card: Card) -> Element:
    where = hit.collection
    is_mail = item.kind is ItemKind.MESSAGE
    return _of(
        "Result",
        [
            Element("AirSync", "Class", where.item_class.value),
            Element("AirSync", "ServerId", where.item_server_id(item.item_id)),
            Element("AirSync", "CollectionId", where.server_id),
            _of("Properties", _of_mail(hit, item, card) if is_mail else _of_others(item)),
        ],
    )


def _of_mail(hit: Hit, item: Item, card: Card) -> list[Element]:
    envelope, columns, flags = card.envelope, item.columns, hit.place.flags
    is_draft = hit.collection.folder.role is FolderRole.DRAFTS or bool(flags & Flags.DRAFT)
    elements = [
        Element("Email", "Subject", xml_text(envelope.subject)),
        Element("Email", "DateReceived", long_from_ms(item.received_at or columns.sent_at)),
        Element("Email", "DisplayTo", _names(envelope.to)),
        _of("DisplayCc", _names(envelope.cc)),
    ]
    if is_draft:
        elements.append(_of("DisplayBcc", _names(envelope.bcc)))
    return [
        *elements,
        Element("Email", "Importance", str(columns.importance)),
        Element("Email", "Read", _bit(is_set=bool(flags & Flags.SEEN))),
        Element("Email2", "IsDraft", _bit(is_set=is_draft)),
        _of("Preview", xml_text(card.preview)[:_PREVIEW_CHARS]),
        _of("HasAttachments", _bit(is_set=columns.has_attachments)),
        Element("Email", "From", address_text(envelope.from_)),
    ]


def _of_others(item: Item) -> list[Element]:
    return [
        Element("Email", "Subject", xml_text(item.columns.subject)),
        Element("Email", "DateReceived", long_from_ms(item.received_at)),
        Element("Email", "Importance", str(item.columns.importance)),
        Element("Email", "From", xml_text(item.columns.sender)),
    ]


def _names(people: Iterable[tuple[str, str]]) -> str:
    return xml_text("; ".join([name or address for name, address in people]))[:ADDRESSES_MAX]


def _bit(*, is_set: bool) -> str:
    return "1" if is_set else "0"


def _answer(store: str, page: Page, results: list[Element], total: int) -> Element:
    said = [Element("ItemOperations", "Store", store)]
    if page.first >= total > 0:
        said.append(_of("Status", _NOT_FROM_ZERO))
    else:
        said += (
            _of("Status", _SUCCESS),
            *results,
            _of("Range", page.text(len(results))),
            _of("Total", str(total)),
        )
    return _of("Find", [_of("Status", _SUCCESS), _of("Response", said)])


def _of(tag: str, content: str | list[Element] = "") -> Element:
    return Element("Find", tag, content)
