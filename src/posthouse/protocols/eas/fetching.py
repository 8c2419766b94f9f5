"""What ItemOperations fetches: whole items, and attachments of messages.

Spec: [MS-ASCMD] §2.2.3.67.1 (Fetch), §2.2.3.143.2 (Range), §2.2.3.177.8 (Status).

Notes:
    A device that asks for no Range gets none told: iOS 10 fails at the first attachment otherwise.
    An attachment is cut before it is encoded. Encrypted and signed messages are left as they are.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from posthouse.formats.mime.body import octets_of, part_of
from posthouse.model.errors import NotFound, RemoteProtocolError
from posthouse.model.item import ItemKind
from posthouse.protocols.eas.items import shown_items
from posthouse.protocols.eas.named_items import named_item
from posthouse.protocols.eas.wire.body import take_out_data
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.item_operations import FetchAsked

_NOT_FOUND: Final = 6
_BAD_RANGE: Final = 8
_NO_SUCH_STORE: Final = 9
_TOO_LARGE: Final = 11
_FAILED: Final = 14
_BAD_ATTACHMENT: Final = 15
_ATTACHMENT_TYPE: Final = "application/octet-stream"


class FetchRefused(Exception):
    """This one cannot be fetched.

    Attributes:
        status: as answered.
    """

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Fetcher:
    """One request's fetches.

    Args:
        call: the request.
        octets_max: all of the answer.

    Attributes:
        parts: beside the document, when the device takes several parts; the first has number 1.
    """

    __slots__ = ("_call", "_octets_left", "parts")

    def __init__(self, call: Call, octets_max: int) -> None:
        self._call = call
        self._octets_left = octets_max
        self.parts: list[bytes] = []

    async def fetched(self, asked: FetchAsked) -> list[Element]:
        """What follows Status in a Fetch of the answer.

        Raises:
            FetchRefused: it cannot be had.
            RemoteProtocolError: nothing is named.
            Unavailable: not now.
        """
        if asked.store.lower() != "mailbox":
            raise FetchRefused(_NO_SUCH_STORE)
        if asked.file_reference:
            properties = await self._attachment(asked)
            echo = [Element("AirSyncBase", "FileReference", asked.file_reference)]
            return [*echo, Element("ItemOperations", "Properties", properties)]
        return await self._item(asked)

    async def _item(self, asked: FetchAsked) -> list[Element]:
        name = asked.long_id or asked.server_id
        if not name:
            raise RemoteProtocolError("a Fetch of nothing", "content")
        try:
            found = await named_item(self._call, name)
        except NotFound:
            raise FetchRefused(_NOT_FOUND) from None
        options = asked.view_options(self._call.version)
        item_id = found.item.item_id
        shown = await shown_items(self._call, found.collection, (item_id,), options)
        data = shown.get(item_id)
        if not data:
            raise FetchRefused(_FAILED)
        if asked.schema:
            data = [one for one in data if (one.namespace, one.tag) in asked.schema]
        self._take(sum(map(octets_in, data)))
        if self._call.line.accepts_multipart:
            part = take_out_data(data, len(self.parts) + 1)
            if part is not None:
                self.parts.append(part)
        echo = [Element("AirSync", "Class", found.collection.item_class.value)]
        if asked.long_id:
            echo.insert(0, Element("Search", "LongId", asked.long_id))
        else:
            folder = asked.collection_id or found.collection.server_id
            echo.insert(0, Element("AirSync", "ServerId", asked.server_id))
            echo.insert(0, Element("AirSync", "CollectionId", folder))
        return [*echo, Element("ItemOperations", "Properties", data)]

    async def _attachment(self, asked: FetchAsked) -> list[Element]:
        octets, content_type = await self._content(asked.file_reference)
        children: list[Element] = []
        if asked.span is not None:
            total = len(octets)
            first, last = asked.span[0], min(asked.span[1], total - 1)
            if first > last:
                raise FetchRefused(_BAD_RANGE)
            octets = octets[first : last + 1]
            children.append(Element("ItemOperations", "Range", f"{first}-{last}"))
            children.append(Element("ItemOperations", "Total", str(total)))
        is_apart = self._call.line.accepts_multipart
        self._take(len(octets) if is_apart else len(octets) * 4 // 3)
        children.append(Element("AirSyncBase", "ContentType", content_type))
        if is_apart:
            self.parts.append(octets)
            children.append(Element("ItemOperations", "Part", str(len(self.parts))))
        else:
            text = base64.b64encode(octets).decode()
            children.append(Element("ItemOperations", "Data", text))
        return children

    async def _content(self, reference: str) -> tuple[bytes, str]:
        """Octets and type of an attachment."""
        item_name, _, section = unquote(reference).rpartition(":")
        services = self._call.services
        try:
            found = await named_item(self._call, item_name)
            blob = found.item.blob if found.item.kind is ItemKind.MESSAGE else None
            plain = b"" if blob is None else services.store.blobs.read_plain(blob)
        except NotFound:
            raise FetchRefused(_BAD_ATTACHMENT) from None
        cards = await services.cards.of((found.item,), found.collection.mailbox_id)
        part = part_of(cards[0], section) if section and blob is not None else None
        if part is None or part.content_type.startswith("multipart/"):
            raise FetchRefused(_BAD_ATTACHMENT)
        return octets_of(plain, part), part.content_type or _ATTACHMENT_TYPE

    def _take(self, octets: int) -> None:
        if octets > self._octets_left:
            raise FetchRefused(_TOO_LARGE)
        self._octets_left -= octets


def octets_in(element: Element) -> int:
    """About how much an element takes in an answer."""
    content = element.content
    if isinstance(content, list):
        return 4 + sum(map(octets_in, content))
    return 4 + len(content)
