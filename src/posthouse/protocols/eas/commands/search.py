"""SEARCH: looks for people in the address list, for items in the mailbox.

Spec: [MS-ASCMD] §2.2.1.16, §2.2.3.177.13 (Status).

Notes:
    - Range and Total are always said, and where nothing was found there is one empty Result:
      Android waits for the first, Outlook for the second.
    - There is no document library: whoever asks for one is told that it is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.model.errors import NotFound, RemoteProtocolError, Unavailable
from posthouse.protocols.eas.items import shown_items
from posthouse.protocols.eas.searching import found_in_book, found_in_mailbox
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import ViewOptions
from posthouse.protocols.eas.wire.search import (
    TOO_COMPLEX,
    Page,
    page_asked,
    picture_wish,
    search_options,
    search_query,
)

if TYPE_CHECKING:
    from posthouse.model.ids import ItemId
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.searching import Hits
    from posthouse.protocols.eas.session import Call

_SUCCESS: Final = 1
_INVALID: Final = 2
_SERVER_ERROR: Final = 3
_COMPLEX: Final = 8
_FOLDERS_CHANGED: Final = 11
_END_OF_RANGE: Final = 12
_BLOCKED: Final = 13
_NOT_IN_RESULTS: Final = frozenset(
    {
        "Calendar:Categories",
        "Calendar:ClientUid",
        "Calendar:OnlineMeetingConfLink",
        "Calendar:OnlineMeetingExternalLink",
        "Email2:AccountId",
        "Tasks:OrdinalDate",
        "Tasks:SubOrdinalDate",
    }
)
"""The schema of Search does not have them, that of Sync does."""


async def handle(call: Call, request: Element | None) -> Element:
    """Search one store; what goes wrong in it is the store's status."""
    store = request.child("Store") if request is not None else None
    if store is None:
        raise RemoteProtocolError("no Store", "content")
    try:
        said = await _said(call, store)
    except RemoteProtocolError as e:
        said = _status(_COMPLEX if e.reply_hint == TOO_COMPLEX else _INVALID)
    except NotFound:
        said = _status(_FOLDERS_CHANGED)
    except Unavailable:
        said = _status(_SERVER_ERROR)
    response = _of("Response", [_of("Store", said)])
    return _of("Search", [*_status(_SUCCESS), response])


async def _said(call: Call, store: Element) -> list[Element]:
    match store.text_of("Name").strip().lower():
        case "gal":
            return _people(call, store)
        case "mailbox":
            return await _items(call, store)
        case "documentlibrary":
            return _status(_BLOCKED)
        case _:
            raise RemoteProtocolError("no such Store", "content")


def _people(call: Call, store: Element) -> list[Element]:
    text = store.text_of("Query").strip()
    if not text:
        raise RemoteProtocolError("an empty Query", "content")
    options = store.child("Options")
    page = page_asked(options)
    found, total = found_in_book(call, text, page, picture_wish(options))
    results = [_of("Result", [_of("Properties", properties)]) for properties in found]
    return _answer(page, results, total)


async def _items(call: Call, store: Element) -> list[Element]:
    query, options = search_query(store), store.child("Options")
    page, wanted = page_asked(options), search_options(options)
    hits = await found_in_mailbox(call, query, page)
    view = ViewOptions(call.version, wanted.bodies, wanted.mime_support, wanted.body_part)
    return _answer(page, await _results(call, hits, view), hits.total)


async def _results(call: Call, hits: Hits, view: ViewOptions) -> list[Element]:
    """In the order found; no more than fits an answer."""
    by_collection: dict[str, tuple[Collection, list[ItemId]]] = {}
    for hit in hits.shown:
        _, ids = by_collection.setdefault(hit.collection.server_id, (hit.collection, []))
        ids.append(hit.place.item_id)
    shown: dict[str, dict[ItemId, list[Element]]] = {}
    for server_id, (collection, ids) in by_collection.items():
        shown[server_id] = await shown_items(call, collection, ids, view)
    out: list[Element] = []
    octets = 0
    for hit in hits.shown:
        data = shown[hit.collection.server_id].get(hit.place.item_id, [])
        properties = [one for one in data if one.name not in _NOT_IN_RESULTS]
        if not properties:
            continue
        octets += sum(map(_octets_of, properties))
        if out and octets > call.services.limits.answer_bytes:
            break
        out.append(_result(hit.collection, hit.place.item_id, properties))
    return out


def _result(collection: Collection, item_id: ItemId, properties: list[Element]) -> Element:
    return _of(
        "Result",
        [
            Element("AirSync", "Class", collection.item_class.value),
            _of("LongId", collection.item_server_id(item_id)),
            Element("AirSync", "CollectionId", collection.server_id),
            _of("Properties", properties),
        ],
    )


def _octets_of(element: Element) -> int:
    content = element.content
    if isinstance(content, list):
        return sum(map(_octets_of, content))
    return len(content)


def _answer(page: Page, results: list[Element], total: int) -> list[Element]:
    if page.first >= total > 0:
        return _status(_END_OF_RANGE)
    return [
        *_status(_SUCCESS),
        *(results or [_of("Result")]),
        _of("Range", page.text(len(results))),
        _of("Total", str(total)),
    ]


def _status(status: int) -> list[Element]:
    return [_of("Status", str(status))]


def _of(tag: str, content: str | list[Element] = "") -> Element:
    return Element("Search", tag, content)
