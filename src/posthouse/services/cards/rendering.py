"""Cards of items: as they are kept, or rendered now and kept for whoever asks next.

Notes:
    The jobs process renders new mail within seconds of its coming, so a door mostly finds what it
    needs. Small messages are rendered here, since the scanner is linear and bounded; large ones go
    to the parse pool where there is one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from posthouse.formats.mime.card import card_from_message, encode_card, read_card
from posthouse.formats.mime.headers import header_block
from posthouse.model.errors import NotFound, ParserFailed, Unavailable
from posthouse.model.item import ItemKind
from posthouse.services.cards.keeping import Rendered, keep_cards

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from posthouse.formats.mime.card import Card
    from posthouse.model.blob import BlobRef
    from posthouse.model.ids import BlobHash, MailboxId
    from posthouse.model.item import Item
    from posthouse.store.store import Store

SMALL_BYTES = 256 << 10
_TURN_BYTES = 1 << 20
"""Rendered before the loop gets its turn again."""


class Cards:
    """Gives the cards of messages.

    Args:
        store: the store.
        render: plain content -> card as JSON, elsewhere (the parse pool's ``render``), for contents
            above ``SMALL_BYTES``; may raise ParserFailed or Unavailable. None: all are rendered
            here.
    """

    def __init__(
        self, store: Store, render: Callable[[bytes], Awaitable[bytes]] | None = None
    ) -> None:
        self._store = store
        self._render = render

    async def of(self, items: Sequence[Item], mailbox_id: MailboxId) -> list[Card]:
        """The card of each item, in order.

        Rendered ones are stored in one commit before this returns. What is no message, or has lost
        its content, has the card of an empty message; of a message that the parser fails at, the
        card tells the header and no parts.

        Args:
            items: of one mailbox, as just read.
            mailbox_id: the mailbox.

        Raises:
            Unavailable: the content cannot be read now.
        """
        known = [read_card(item.card) if item.card else None for item in items]
        missing = [item for item, card in zip(items, known, strict=True) if card is None]
        fresh = iter(await self._fresh(missing, mailbox_id) if missing else ())
        return [card or next(fresh) for card in known]

    async def _fresh(self, items: Sequence[Item], mailbox_id: MailboxId) -> list[Card]:
        """Cards that are not kept yet, in order; kept from now on."""
        out: list[Card] = []
        rendered: list[Rendered] = []
        same: dict[BlobHash, tuple[Card, bool]] = {}
        read_bytes = 0
        for item in items:
            blob = item.blob
            if blob is None or item.kind is not ItemKind.MESSAGE:
                out.append(card_from_message(b""))
                continue
            if blob.blob_hash not in same:
                same[blob.blob_hash] = await self._rendered(blob)
                read_bytes += blob.size_bytes
            card, is_final = same[blob.blob_hash]
            out.append(card)
            if is_final:
                rendered.append(Rendered(mailbox_id, item, encode_card(card)))
            if read_bytes >= _TURN_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        await keep_cards(self._store, rendered)
        return out

    async def _rendered(self, blob: BlobRef) -> tuple[Card, bool]:
        """The card of a content, and whether it shall be kept."""
        try:
            plain = self._store.blobs.read_plain(blob)
        except NotFound:
            return card_from_message(b""), False
        if self._render is None or len(plain) <= SMALL_BYTES:
            return card_from_message(plain), True
        head = plain[: min(header_block(plain), SMALL_BYTES)]
        try:
            card = read_card(await self._render(plain))
        except ParserFailed:
            card = None
        except Unavailable:
            return card_from_message(head), False
        return card or card_from_message(head), True
