"""Messages: shown by their cards, marked, and as drafts written.

Spec: [MS-ASEMAIL] §3.1.5.4, §3.2.5.4; [MS-ASCMD] §2.2.1.21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from posthouse.formats.mime.dots import plain_beginning
from posthouse.model.batch import Batch, ChangeFlags, ChangeProperties, Commit
from posthouse.model.blob import BlobForm
from posthouse.model.errors import NotFound, PosthouseError, RemoteProtocolError
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags, ItemKind
from posthouse.model.message_bag import FollowUpStatus, bag_of, bag_with
from posthouse.protocols.eas.drafts import add_draft, change_draft
from posthouse.protocols.eas.item_views import Made, NoInstances
from posthouse.protocols.eas.owners import owner_of
from posthouse.protocols.eas.sync_changes import What
from posthouse.protocols.eas.wire.body import message_source
from posthouse.protocols.eas.wire.email import MessageFacts, data_from_message, flags_view
from posthouse.protocols.eas.wire.email_changes import message_change_from_data
from posthouse.protocols.eas.wire.meeting_request import meeting_request_element
from posthouse.protocols.eas.wire.options import Version
from posthouse.services.meetings.calendar_part import (
    has_calendar,
    item_class,
    scheduling_messages,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.formats.mime.card import Card
    from posthouse.model.batch import Operation
    from posthouse.model.item import Item, Place
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.item_views import Renderer, Wanted
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import CollectionState
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.email_changes import MessageChange
    from posthouse.protocols.eas.wire.options import ViewOptions
    from posthouse.protocols.eas.wire.sync import ClientCommand

_MEETING = "IPM.Schedule.Meeting."
_OUTGOING = (FolderRole.DRAFTS, FolderRole.SENT, FolderRole.OUTBOX)


class MailView(NoInstances):
    """Implements ``item_views.ItemView``."""

    async def renderer(
        self, call: Call, collection: Collection, items: Sequence[Item], wanted: Wanted
    ) -> Renderer:
        """See ItemView."""
        messages = [item for item in items if item.kind is ItemKind.MESSAGE]
        cards = await call.services.cards.of(messages, collection.mailbox_id)
        by_id = {item.item_id: card for item, card in zip(messages, cards, strict=True)}
        owner = owner_of(call, collection)
        own = frozenset(one.lower() for one in (owner.address, *owner.aliases))
        options = wanted.options
        is_drafts = collection.folder.role is FolderRole.DRAFTS

        def render(item: Item, place: Place, what: What) -> list[Element] | None:
            card = by_id.get(item.item_id)
            if card is None:
                return None
            facts = _facts(call, collection, (item, place), card, own)
            if what is What.READ:
                return flags_view(facts, flag=False, categories=False)
            if what is What.CHANGE and not is_drafts:
                return flags_view(facts)
            if _may_ask(item, card, collection.folder.role):
                facts = _with_meeting(call, item, facts, options)
            return data_from_message(facts, options)

        return render

    async def add(
        self, call: Call, collection: Collection, command: ClientCommand, key: bytes
    ) -> Made:
        """See ItemView: a draft."""
        if command.item_class == "SMS":
            raise RemoteProtocolError("text messages are not kept here", "content")
        if call.version < Version.V16_0 or collection.folder.role is not FolderRole.DRAFTS:
            raise RemoteProtocolError("only drafts can be added", "content")
        return await add_draft(call, collection, command, key)

    async def change(
        self,
        call: Call,
        collection: Collection,
        item: Item,
        command: ClientCommand,
        state: CollectionState,
    ) -> Made:
        """See ItemView."""
        del state
        data = command.data
        if data is None or item.kind is not ItemKind.MESSAGE:
            raise NotFound(f"item {item.item_id} is no message")
        if call.version >= Version.V16_0 and collection.folder.role is FolderRole.DRAFTS:
            return await change_draft(call, collection, item, command)
        operations = marks(collection, item, message_change_from_data(data))
        if operations:
            commit = Commit((Batch(collection.mailbox_id, operations),))
            await call.services.store.apply(commit)
        return Made(item.item_id)


def marks(collection: Collection, item: Item, change: MessageChange) -> tuple[Operation, ...]:
    """What a change of marks asks of the store."""
    operations: list[Operation] = []
    add = remove = Flags.NONE
    if change.read is not None:
        add, remove = (Flags.SEEN, remove) if change.read else (add, Flags.SEEN)
    bag = known = bag_of(item.bag)
    if change.follow_up is not UNSET:
        is_active = (
            change.follow_up is not None and change.follow_up.status is FollowUpStatus.ACTIVE
        )
        add, remove = (add | Flags.FLAGGED, remove) if is_active else (add, remove | Flags.FLAGGED)
        bag = replace(bag, follow_up=change.follow_up)
    if change.categories is not UNSET:
        bag = replace(bag, categories=change.categories)
    if add or remove:
        operations.append(ChangeFlags(collection.folder_id, (item.item_id,), add, remove))
    if bag != known:
        operations.append(ChangeProperties(item.item_id, bag=bag_with(item.bag, bag)))
    return tuple(operations)


def _facts(
    call: Call,
    collection: Collection,
    found: tuple[Item, Place],
    card: Card,
    own: frozenset[str],
) -> MessageFacts:
    item, place = found
    blob = item.blob
    blobs = call.services.store.blobs

    def plain() -> bytes:
        return b"" if blob is None else blobs.read_plain(blob)

    def beginning(size: int) -> bytes:
        if blob is None or blob.form is not BlobForm.WIRE:
            return plain()
        return plain_beginning(blobs.read(blob), size, has_dot_lines=blob.has_dot_lines)

    is_draft = bool(place.flags & Flags.DRAFT) or collection.folder.role is FolderRole.DRAFTS
    return MessageFacts(
        columns=item.columns,
        card=card,
        flags=place.flags,
        received_at=item.received_at,
        bag=bag_of(item.bag),
        source=message_source(card, plain, beginning),
        reference=collection.item_server_id(item.item_id),
        is_draft=is_draft,
        owner=own,
    )


def _may_ask(item: Item, card: Card, role: FolderRole) -> bool:
    """Whether it is about a meeting, as far as can be told without reading it.

    Devices see mail before the meeting assistant has marked it, and never look at it again.
    """
    if item.columns.item_class.startswith(_MEETING):
        return True
    return role not in _OUTGOING and has_calendar(card.structure)


def _with_meeting(
    call: Call, item: Item, facts: MessageFacts, options: ViewOptions
) -> MessageFacts:
    """With the invitation that the message carries; one that cannot be read is not shown."""
    known = item.columns.item_class
    if known.startswith(_MEETING):
        facts = replace(facts, message_class=known)
    if item.blob is None:
        return facts
    try:
        told = scheduling_messages(call.services.store.blobs.read_plain(item.blob))
    except PosthouseError:
        return facts
    if not told:
        return facts
    found = facts.message_class or item_class(told[0])
    if not found:
        return facts
    meeting = meeting_request_element(told[0].message, options)
    return replace(facts, message_class=found, meeting=meeting)
