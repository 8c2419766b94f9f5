"""Queued mail whose domain turns out to be ours: it goes into mailboxes, not over the wire.

Spec: RFC 5321 §3.9.1 (forwarding), §6.3 (loops).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.headers import header_block
from posthouse.model.address import Address
from posthouse.model.errors import NotFound, PosthouseError, QuotaExceeded, StoreError, Unavailable
from posthouse.model.item import ItemKind, NewItem
from posthouse.model.queue import NewQueued, QueuedRecipient
from posthouse.ports.courier import Fate, Verdict
from posthouse.services.mailflow.assembly import Assembly
from posthouse.services.mailflow.letter import Letter
from posthouse.services.mailflow.loops import passed
from posthouse.services.mailflow.placement import forwarding_sender, local_prefix
from posthouse.services.mailflow.standing import Result

if TYPE_CHECKING:
    from posthouse.model.item import ItemColumns
    from posthouse.ports.clock import Clock
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.booking import Booking
    from posthouse.services.mailflow.ruling import Ruling
    from posthouse.services.mailflow.work import Errand
    from posthouse.store.store import Store

_HERE = Verdict(Fate.TAKEN, "2.1.5", "delivered here", is_remote=False)


class LocalDelivery:
    """Delivers errands for our own domains."""

    def __init__(
        self,
        store: Store,
        addresses: Addresses,
        clock: Clock,
        booking: Booking,
        ruling: Ruling,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._clock = clock
        self._booking = booking
        self._ruling = ruling

    async def deliver(self, errand: Errand) -> None:
        """Each recipient by itself: a full mailbox is no other's business."""
        for position in errand.positions:
            recipient = errand.leased.standing[position]
            assembly = Assembly()
            try:
                await self._assemble(assembly, errand.leased.message, recipient)
                result = Result(_HERE, is_local=True)
                await self._booking.book(errand.leased, {position: result}, assembly)
            except PosthouseError as error:
                await self._booking.book(errand.leased, {position: Result(_verdict_of(error))})

    async def _assemble(
        self, assembly: Assembly, message: NewQueued, recipient: QueuedRecipient
    ) -> None:
        try:
            address = Address.parse(recipient.address)
        except ValueError as error:
            raise NotFound(str(error)) from error
        resolution = self._addresses.resolve(address)
        plain = self._store.blobs.read_plain(message.blob)
        head = message.prefix + plain
        been_at = passed(head).delivered_to
        columns = columns_from_head(head)
        for target in resolution.deliveries:
            if target.principal.address in been_at:
                raise NotFound(f"the message was at {target.principal.address} before")
            folder_id = await self._booking.placement.inbox(target.mailbox_id, target.detail)
            prefix = local_prefix(message.sender, target.principal.address, message.prefix)
            now_ms = self._clock.now_ms()
            item = NewItem(ItemKind.MESSAGE, message.blob, now_ms, prefix, columns=columns)
            # Asked anew each time: this process hears of no mailbox's changes.
            rules = await self._ruling.book.read(target.mailbox_id)
            if rules:
                letter = _letter(message, recipient, plain, columns, now_ms)
                await self._ruling.file(assembly, letter, rules, target.principal, folder_id, item)
            else:
                assembly.add_item(target.mailbox_id, folder_id, item)
        if resolution.forwards:
            assembly.enqueue(_forward(message, recipient, resolution.forwards))
        if assembly.is_empty:
            raise NotFound(f"nobody behind {recipient.address}")


def _letter(
    message: NewQueued,
    recipient: QueuedRecipient,
    plain: bytes,
    columns: ItemColumns,
    now_ms: int,
) -> Letter:
    return Letter(
        sender=message.sender,
        head=message.prefix + plain[: header_block(plain)],
        columns=columns,
        content=message.blob,
        trace=message.prefix,
        at_ms=now_ms,
        plain=lambda: plain,
        beginning=lambda bytes_max: plain[:bytes_max],
        notify=recipient.notify,
        original=recipient.original,
        envelope_id=message.envelope_id,
        wants_headers_only=message.wants_headers_only,
        needs_smtputf8=message.needs_smtputf8,
        is_8bit=message.is_8bit,
    )


def _forward(
    message: NewQueued, recipient: QueuedRecipient, addresses: tuple[str, ...]
) -> NewQueued:
    return NewQueued(
        sender=forwarding_sender(message.sender),
        recipients=tuple(
            QueuedRecipient(
                address, recipient.notify, recipient.original, next_at=message.queued_at
            )
            for address in addresses
        ),
        blob=message.blob,
        queued_at=message.queued_at,
        prefix=message.prefix,
        envelope_id=message.envelope_id,
        wants_headers_only=message.wants_headers_only,
        needs_smtputf8=message.needs_smtputf8,
        is_8bit=message.is_8bit,
    )


def _verdict_of(error: PosthouseError) -> Verdict:
    match error:
        case QuotaExceeded():
            return Verdict(Fate.DEFERRED, "4.2.2", "the mailbox is full", is_remote=False)
        case NotFound():
            return Verdict(Fate.REFUSED, "5.1.1", str(error), is_remote=False)
        case Unavailable() | StoreError():
            return Verdict(Fate.DEFERRED, "4.3.0", "not now", is_remote=False)
        case _:
            return Verdict(Fate.DEFERRED, "4.3.0", "not now", is_remote=False)
