"""What each class of items has to offer: to be shown, made, changed.

Spec: [MS-ASCMD] §2.2.3.27 (Class).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.sync_changes import What

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.ids import ItemId
    from posthouse.model.item import Item, Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import CollectionState
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.options import ViewOptions
    from posthouse.protocols.eas.wire.sync import ClientCommand


class Wanted(Struct, frozen=True):
    """What a device wants to see.

    Attributes:
        options: in which form.
        cutoff_at: nothing that is over before, ms; 0: all.
        is_open_only: of tasks those that are not done.
    """

    options: ViewOptions
    cutoff_at: int = 0
    is_open_only: bool = False


class Made(Struct, frozen=True):
    """What has become of an Add or a Change.

    Attributes:
        item_id: None: there is no item (a draft that was sent at once).
        data: ApplicationData of the response; none: nothing needs to be told.
        is_as_sent: False: more has changed than the device knows, so it is told of the item.
    """

    item_id: ItemId | None
    data: tuple[Element, ...] = ()
    is_as_sent: bool = True


Renderer = Callable[["Item", "Place", What], "list[Element] | None"]
"""An item as ApplicationData; empty: the device must not have it any more; None: it is not told."""


class ItemView(Protocol):
    """One class of items."""

    async def renderer(
        self, call: Call, collection: Collection, items: Sequence[Item], wanted: Wanted
    ) -> Renderer:
        """Prepare to show these items."""
        ...

    async def add(
        self, call: Call, collection: Collection, command: ClientCommand, key: bytes
    ) -> Made:
        """Make an item; the same key again makes no second one.

        Raises:
            RemoteProtocolError, ParserFailed, QuotaExceeded, AccessDenied ...: it was not made.
        """
        ...

    async def change(
        self,
        call: Call,
        collection: Collection,
        item: Item,
        command: ClientCommand,
        state: CollectionState,
    ) -> Made:
        """Change an item, or one occurrence of it."""
        ...

    async def remove_instance(
        self, call: Call, collection: Collection, item: Item, command: ClientCommand
    ) -> None:
        """Remove one occurrence. Raises RemoteProtocolError for items that have none."""
        ...

    async def removed(self, call: Call, collection: Collection, items: Sequence[Item]) -> None:
        """These items were removed by the client: whoever must hear of it, hears."""
        ...


class NoInstances:
    """What items do that have no occurrences, and of whose end nobody must hear."""

    async def remove_instance(
        self,
        call: Call,
        collection: Collection,
        item: Item,
        command: ClientCommand,
    ) -> None:
        """See ItemView."""
        del call, collection, item, command
        raise RemoteProtocolError("only appointments have occurrences", "content")

    async def removed(self, call: Call, collection: Collection, items: Sequence[Item]) -> None:
        """See ItemView."""
