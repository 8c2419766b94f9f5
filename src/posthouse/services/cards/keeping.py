"""Keeping cards: into the store, without ever being in anybody's way.

Notes:
    A card follows from the content, so losing one costs rendering it again. It is stored only for
    an item that is still as it was when its content was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from posthouse.model.batch import Batch, ChangeProperties, Commit, ItemUnchanged
from posthouse.model.errors import Conflict, NotFound, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.ids import MailboxId
    from posthouse.model.item import Item
    from posthouse.store.store import Store


class Rendered(NamedTuple):
    """A card and whose it is.

    Attributes:
        mailbox_id: where the item is.
        item: as it was when its content was read.
        card: as JSON.
    """

    mailbox_id: MailboxId
    item: Item
    card: bytes


async def keep_cards(store: Store, rendered: Sequence[Rendered]) -> int:
    """Store cards in one commit; says how many.

    Those of items that changed or went meanwhile are left out; all, when the store cannot write.
    """
    for _ in range(2):
        if not rendered:
            break
        try:
            await store.apply(Commit(_batches(rendered)))
        except (Conflict, NotFound):
            rendered = await _still_right(store, rendered)
        except StoreError:
            break
        else:
            return len(rendered)
    return 0


def _batches(rendered: Iterable[Rendered]) -> tuple[Batch, ...]:
    """One per mailbox, in order of mailbox: writers never wait in a circle."""
    by_mailbox: dict[MailboxId, dict[int, Rendered]] = {}
    for one in rendered:
        by_mailbox.setdefault(one.mailbox_id, {})[one.item.item_id] = one
    return tuple(
        Batch(
            mailbox_id,
            tuple(ChangeProperties(one.item.item_id, card=one.card) for one in some.values()),
            tuple(ItemUnchanged(one.item.item_id, one.item.changed_cn) for one in some.values()),
        )
        for mailbox_id, some in sorted(by_mailbox.items())
    )


async def _still_right(store: Store, rendered: Sequence[Rendered]) -> list[Rendered]:
    ids: dict[MailboxId, list[Rendered]] = {}
    for one in rendered:
        ids.setdefault(one.mailbox_id, []).append(one)
    kept: list[Rendered] = []
    for mailbox_id, some in ids.items():
        try:
            found = await store.records.items(mailbox_id, [one.item.item_id for one in some])
        except StoreError:
            continue
        now = {item.item_id: item.changed_cn for item in found}
        kept += [one for one in some if now.get(one.item.item_id) == one.item.changed_cn]
    return kept
