"""Drafts that clients of 16.x write piece by piece: kept as whole messages, or sent.

Spec: [MS-ASEMAIL] §2.2.2.69 (Send), §3.1.5.4; [MS-ASAIRS] §2.2.2.2 (Add of attachments).

Notes:
    A draft is MIME like any other message. A change makes a new one of what is there and what is
    said; date and Message-ID stay. A draft that was sent leaves the folder in the same commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET
from msgspec.structs import replace

from posthouse.formats.mime.addresses import HeaderAddress
from posthouse.formats.mime.body import attachments_of, body_parts, octets_of, part_of, text_of
from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.compose import NewAttachment, NewMessage, compose
from posthouse.model.batch import AddItem, Batch, ChangeContent, Commit, ExpungeItems
from posthouse.model.errors import NotFound, TooLarge
from posthouse.model.item import Flags, ItemKind, NewItem
from posthouse.protocols.eas.item_views import Made
from posthouse.protocols.eas.origins import origin_of
from posthouse.protocols.eas.owners import principal_of
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.email_changes import draft_from_data
from posthouse.protocols.eas.wire.options import BodyKind
from posthouse.store.messages import stage_message

if TYPE_CHECKING:
    from posthouse.formats.mime.card import Card
    from posthouse.model.blob import StagedBlob
    from posthouse.model.item import Item
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.email_changes import Draft
    from posthouse.protocols.eas.wire.sync import ClientCommand

_FIELDS: Final = ("to", "cc", "bcc", "reply_to", "subject", "importance")


async def add_draft(call: Call, collection: Collection, command: ClientCommand, key: bytes) -> Made:
    """Keep a new draft, or send it at once."""
    draft = draft_from_data(command.data or Element("AirSync", "ApplicationData"))
    new = NewMessage(
        from_=_author(call, collection),
        sent_at=call.services.clock.now_ms(),
        message_id=f"{call.services.chance.token_bytes(16).hex()}@{_host(call)}",
    )
    mime = _mime(draft, new)
    if draft.is_sent or command.is_sent:
        await call.services.outgoing.send(origin_of(call), mime, key=key)
        return Made(None)
    staged = _staged(call, mime)
    item = NewItem(
        ItemKind.MESSAGE,
        staged.ref,
        call.services.clock.now_ms(),
        flags=Flags.SEEN | Flags.DRAFT,
        columns=columns_from_head(mime),
    )
    batch = Batch(
        collection.mailbox_id, (AddItem(collection.folder_id, item),), idempotency_key=key
    )
    (result,) = await call.services.store.apply(Commit((batch,), (staged,)))
    return Made(result.results[0].item_ids[0])


async def change_draft(
    call: Call, collection: Collection, item: Item, command: ClientCommand
) -> Made:
    """Change a draft; send it when that is said."""
    data = command.data or Element("AirSync", "ApplicationData")
    draft = draft_from_data(data)
    if item.blob is None:
        raise NotFound(f"draft {item.item_id} has no content")
    plain = call.services.store.blobs.read_plain(item.blob)
    (card,) = await call.services.cards.of((item,), collection.mailbox_id)
    mime = _mime(draft, _known(plain, card, item, draft, _author(call, collection)))
    if draft.is_sent or command.is_sent:
        gone = ExpungeItems(
            collection.folder_id, (item.item_id,), call.services.clock.now_ms(), is_final=True
        )
        key = f"{item.item_id}.{item.changed_cn}".encode()
        await call.services.outgoing.send(
            origin_of(call), mime, key=key, also=((collection.mailbox_id, gone),)
        )
        return Made(None)
    staged = _staged(call, mime)
    change = ChangeContent(
        collection.folder_id, item.item_id, staged.ref, b"", columns_from_head(mime), item.bag
    )
    await call.services.store.apply(Commit((Batch(collection.mailbox_id, (change,)),), (staged,)))
    return Made(item.item_id)


def _mime(draft: Draft, known: NewMessage) -> bytes:
    """The message as it is now."""
    body = draft.body
    if body is not UNSET and body.kind is BodyKind.MIME:
        return body.octets
    told = {name: getattr(draft, name) for name in _FIELDS}
    new = replace(known, **{name: value for name, value in told.items() if value is not UNSET})
    if body is not UNSET:
        is_html = body.kind is BodyKind.HTML
        new = replace(new, text=None if is_html else body.text, html=body.text if is_html else None)
    added = tuple(
        NewAttachment(
            name=one.name,
            content_type=one.content_type or "application/octet-stream",
            content=one.content,
            content_id=one.content_id,
            is_inline=one.is_inline,
        )
        for one in draft.adds
    )
    return compose(replace(new, attachments=(*new.attachments, *added)))


def _known(plain: bytes, card: Card, item: Item, draft: Draft, author: HeaderAddress) -> NewMessage:
    """What is there, without the files that are to be taken away."""
    envelope, parts = card.envelope, body_parts(card)
    gone = {reference.rpartition(":")[2] for reference in draft.deletes}
    files: list[NewAttachment] = []
    for one in attachments_of(card):
        part = part_of(card, one.section)
        if part is not None and one.section not in gone:
            files.append(
                NewAttachment(
                    name=one.name,
                    content_type=one.content_type,
                    content=octets_of(plain, part),
                    content_id=one.content_id,
                    is_inline=one.is_inline,
                )
            )
    html = "".join(text_of(plain, part) for part in parts.html)
    text = "".join(text_of(plain, part) for part in parts.plain)
    return NewMessage(
        from_=_one(envelope.from_) or author,
        to=_people(envelope.to),
        cc=_people(envelope.cc),
        bcc=_people(envelope.bcc),
        reply_to=_people(envelope.reply_to),
        subject=envelope.subject,
        sent_at=item.columns.sent_at,
        message_id=item.columns.message_id,
        importance=item.columns.importance,
        text=text if text or not html else None,
        html=html or None,
        attachments=tuple(files),
    )


def _people(pairs: list[tuple[str, str]]) -> tuple[HeaderAddress, ...]:
    return tuple(HeaderAddress(name, address) for name, address in pairs)


def _one(pairs: list[tuple[str, str]]) -> HeaderAddress | None:
    return HeaderAddress(*pairs[0]) if pairs else None


def _author(call: Call, collection: Collection) -> HeaderAddress:
    owner = principal_of(call, collection)
    return HeaderAddress(owner.name, owner.address)


def _host(call: Call) -> str:
    return call.principal.address.rpartition("@")[2]


def _staged(call: Call, mime: bytes) -> StagedBlob:
    if len(mime) > call.services.limits.message_bytes:
        raise TooLarge(f"a draft of {len(mime)} octets")
    return stage_message(call.services.store.blobs, mime)
