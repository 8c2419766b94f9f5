"""Items of all classes, by the one table.

Spec: [MS-ASCMD] §2.2.3.27 (Class).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.protocols.eas.collections import ItemClass
from posthouse.protocols.eas.entry_items import (
    AppointmentView,
    ContactView,
    NoteView,
    TaskView,
)
from posthouse.protocols.eas.item_views import ItemView, Wanted
from posthouse.protocols.eas.mail_items import MailView
from posthouse.protocols.eas.sync_changes import What

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from posthouse.model.ids import ItemId
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.options import ViewOptions

VIEWS: Final[Mapping[ItemClass, ItemView]] = {
    ItemClass.EMAIL: MailView(),
    ItemClass.CALENDAR: AppointmentView(),
    ItemClass.CONTACTS: ContactView(),
    ItemClass.TASKS: TaskView(),
    ItemClass.NOTES: NoteView(),
}


async def shown_items(
    call: Call, collection: Collection, item_ids: Sequence[ItemId], options: ViewOptions
) -> dict[ItemId, list[Element]]:
    """Whole items as ApplicationData; those that are not in the collection are left out."""
    records = call.services.store.records
    items = await records.items(collection.mailbox_id, item_ids)
    view = VIEWS[collection.item_class]
    render = await view.renderer(call, collection, items, Wanted(options))
    out: dict[ItemId, list[Element]] = {}
    for item in items:
        for place in await records.item_places(collection.mailbox_id, item.item_id):
            if place.folder_id == collection.folder_id:
                data = render(item, place, What.ADD)
                if data:
                    out[item.item_id] = data
    return out
