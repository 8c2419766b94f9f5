"""The item that a device means: where it was, or where somebody has moved it since.

Spec: [MS-ASCMD] §2.2.3.166 (ServerId), §2.2.3.98 (LongId).

Notes:
    A search names an item as its folder does, so a LongId is a ServerId.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec import Struct

from posthouse.model.errors import NotFound
from posthouse.protocols.eas.collections import collection, folder_server_id, item_named

if TYPE_CHECKING:
    from posthouse.model.item import Item, Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call


class NamedItem(Struct, frozen=True):
    """An item and where it lies now.

    Attributes:
        collection: which the person sees.
        item: as it stands.
        place: in that collection.
    """

    collection: Collection
    item: Item
    place: Place

    @property
    def server_id(self) -> str:
        """What it is called now."""
        return self.collection.item_server_id(self.item.item_id)


async def named_item(call: Call, server_id: str) -> NamedItem:
    """The item of a name; also when it lies in another folder of the person's own mailbox by now.

    Args:
        call: the request.
        server_id: ``<folder>:<item>``, percent signs decoded or not.

    Raises:
        NotFound: there is none, or the person may not see it.
    """
    folder, item_id = item_named(unquote(server_id) if "%" in server_id else server_id)
    known = await collection(call, folder)
    records = call.services.store.records
    found = await records.items(known.mailbox_id, (item_id,))
    if not found:
        raise NotFound(f"no item {server_id}")
    places = await records.item_places(known.mailbox_id, item_id)
    for place in places:
        if place.folder_id == known.folder_id:
            return NamedItem(known, found[0], place)
    for place in places if known.is_own else ():
        name = folder_server_id(known.mailbox_id, place.folder_id, is_own=True)
        try:
            return NamedItem(await collection(call, name), found[0], place)
        except NotFound:
            continue
    raise NotFound(f"no item {server_id} any more")
