"""GETITEMESTIMATE: how much there is to synchronise.

Spec: [MS-ASCMD] §2.2.1.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.model.errors import (
    InvalidSyncPoint,
    NotFound,
    RemoteProtocolError,
    SyncPointExpired,
)
from posthouse.protocols.eas.collections import collection
from posthouse.protocols.eas.sync_changes import count_of
from posthouse.protocols.eas.sync_turn import position_of
from posthouse.protocols.eas.synckey import START
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.sync import options_asked

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call

_SPACE: Final = "GetItemEstimate"
_NO_COLLECTION: Final = "2"
_NOT_PRIMED: Final = "3"
_BAD_KEY: Final = "4"


async def handle(call: Call, request: Element | None) -> Element:
    """An estimate for each collection, in the order asked."""
    holder = request.child("Collections") if request is not None else None
    asked = list(holder.each("Collection")) if holder is not None else []
    if not asked or len(asked) > call.services.limits.collections:
        raise RemoteProtocolError("no collections, or too many", "content")
    answer = Element(_SPACE, "GetItemEstimate")
    for one in asked:
        answer.add("Response", await _response(call, one))
    return answer


async def _response(call: Call, asked: Element) -> list[Element]:
    collection_id = asked.text_of("CollectionId")
    sync_key = asked.text_of("AirSync:SyncKey")
    try:
        found = await collection(call, collection_id)
    except NotFound:
        return [Element(_SPACE, "Status", _NO_COLLECTION)]
    if sync_key == START:
        return [Element(_SPACE, "Status", _NOT_PRIMED)]
    try:
        state = (await position_of(call, found, sync_key)).state
        options = options_asked(asked)
        if options is not None:
            kept = replace(state.options, filter_type=options.filter_type)
            state = replace(state, options=kept)
        count = await count_of(call, found, state)
    except (InvalidSyncPoint, SyncPointExpired):
        return [Element(_SPACE, "Status", _BAD_KEY)]
    estimate = Element(_SPACE, "Estimate", str(count))
    told = Element(_SPACE, "Collection", [Element(_SPACE, "CollectionId", collection_id), estimate])
    return [Element(_SPACE, "Status", "1"), told]
