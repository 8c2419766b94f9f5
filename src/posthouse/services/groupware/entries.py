"""Entries: the one way in which appointments, tasks, contacts and notes are made, read, changed.

Notes:
    Who may do it is asked where the door is. A change reads, changes and writes back under the
    condition that nobody else did meanwhile; without a condition of the caller's own it is tried
    again, since a change is a function of what is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.batch import AddItem, Batch, ChangeContent, Commit, ItemUnchanged
from posthouse.model.blob import BlobForm
from posthouse.model.errors import Conflict, NotFound, ParserFailed, TooLarge
from posthouse.model.item import Item, NewItem
from posthouse.services.groupware.views import VIEWS, Value, view_of_item, view_of_original

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.model.batch import OperationResult
    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId
    from posthouse.model.item import ItemKind
    from posthouse.ports.clock import Chance, Clock
    from posthouse.services.groupware.views import View
    from posthouse.store.store import Store

V = TypeVar("V", bound=Value)

_TRIES = 8
_RAW = BlobForm.RAW


class Entry(Struct, Generic[V], frozen=True):
    """An item and what it says.

    Attributes:
        item: as in the store.
        folder_id: where it lies.
        value: the model.
        original: the bytes that it is a view of.
    """

    item: Item
    folder_id: FolderId
    value: V
    original: bytes


class Entries:
    """One per process."""

    __slots__ = ("_chance", "_clock", "_hostname", "_store")

    def __init__(self, store: Store, clock: Clock, chance: Chance, hostname: str) -> None:
        """``hostname`` makes our uids unique in the world."""
        self._store = store
        self._clock = clock
        self._chance = chance
        self._hostname = hostname

    # --- making

    async def add(
        self, mailbox_id: MailboxId, folder_id: FolderId, value: Value, *, key: bytes = b""
    ) -> Entry[Value]:
        """File a new value; it gets a uid when it has none.

        Args:
            mailbox_id: where.
            folder_id: where.
            value: what.
            key: a client's name for this act: said again, it changes nothing and gives the same.

        Raises:
            NotFound: no such folder.
            QuotaExceeded: no room.
            ValueError: the value cannot be written.
        """
        if not value.uid:
            value = replace(value, uid=self._new_uid())
        view = VIEWS[type(value)]
        original = view.write(value, None)
        return await self._file(mailbox_id, folder_id, view, original, key)

    async def add_original(
        self,
        mailbox_id: MailboxId,
        folder_id: FolderId,
        kind: ItemKind,
        original: bytes,
        *,
        name: str = "",
        key: bytes = b"",
    ) -> Entry[Value]:
        """File an original as it came, byte for byte.

        Args:
            mailbox_id: where.
            folder_id: where.
            kind: of the item.
            original: iCalendar or vCard.
            name: of the resource (DAV); "" none.
            key: see ``add``.

        Raises:
            ParserFailed: it cannot be read.
            TooLarge: it passes a limit of its format.
        """
        view = view_of_original(kind, original)
        return await self._file(mailbox_id, folder_id, view, original, key, name)

    async def _file(
        self,
        mailbox_id: MailboxId,
        folder_id: FolderId,
        view: View,
        original: bytes,
        key: bytes,
        name: str = "",
    ) -> Entry[Value]:
        columns = view.columns(_read(view, original))
        staged = self._store.blobs.stage_bytes(original, _RAW)
        item = NewItem(
            view.kind,
            staged.ref,
            self._clock.now_ms(),
            columns=replace(columns, name=name) if name else columns,
        )
        batch = Batch(mailbox_id, (AddItem(folder_id, item),), idempotency_key=key)
        result = await self._applied(Commit((batch,), (staged,)))
        return await self.read(mailbox_id, result.item_ids[0])

    # --- reading

    async def read(self, mailbox_id: MailboxId, item_id: ItemId) -> Entry[Value]:
        """One entry. Raises NotFound, also for items of other kinds and what cannot be read."""
        places = await self._store.records.item_places(mailbox_id, item_id)
        items = await self._store.records.items(mailbox_id, (item_id,))
        if not places or not items:
            raise NotFound(f"entry {item_id} of mailbox {mailbox_id}")
        return self.of_item(items[0], places[0].folder_id)

    def of_item(self, item: Item, folder_id: FolderId) -> Entry[Value]:
        """The entry of an item at hand. Raises NotFound as ``read`` does."""
        view = view_of_item(item.kind, item.columns.item_class)
        if view is None or item.blob is None:
            raise NotFound(f"item {item.item_id} is no entry")
        original = self._store.blobs.read_plain(item.blob)
        try:
            value = _read(view, original)
        except (ParserFailed, TooLarge) as e:
            raise NotFound(f"item {item.item_id} cannot be read: {e}") from e
        return Entry(item, folder_id, value, original)

    async def by_uid(self, mailbox_id: MailboxId, uid: str) -> Sequence[Entry[Value]]:
        """Entries of a uid, those in Recoverable Items among them."""
        found = await self._store.records.by_ical_uid(mailbox_id, uid)
        return [await self.read(mailbox_id, item_id) for item_id in found]

    # --- changing

    async def change(
        self,
        mailbox_id: MailboxId,
        item_id: ItemId,
        change: Callable[[V], V],
        *,
        known_cn: ChangeNumber | None = None,
    ) -> Entry[Value]:
        """Let ``change`` make a new value of the one that is there.

        Args:
            mailbox_id: where.
            item_id: which.
            change: pure; may be called several times. Giving the value back changes nothing.
            known_cn: the change number the caller has seen; None: whatever is there.

        Raises:
            NotFound: it is gone.
            Conflict: it is not as the caller has seen it, or keeps changing.
            QuotaExceeded: no room.
            ValueError: the new value cannot be written.
        """
        for _ in range(_TRIES):
            entry = await self.read(mailbox_id, item_id)
            if known_cn is not None and entry.item.changed_cn != known_cn:
                raise Conflict(f"item {item_id} has changed")
            view = VIEWS[type(entry.value)]
            value = change(entry.value)  # type: ignore[arg-type] # the caller knows what it reads
            original = view.write(value, entry.original)
            if original == entry.original:
                return entry
            try:
                await self._replace(mailbox_id, entry, view, original)
            except Conflict:
                if known_cn is not None:
                    raise
            else:
                return await self.read(mailbox_id, item_id)
        raise Conflict(f"item {item_id} keeps changing")

    async def replace_original(
        self,
        mailbox_id: MailboxId,
        item_id: ItemId,
        original: bytes,
        *,
        known_cn: ChangeNumber | None = None,
    ) -> Entry[Value]:
        """Put another original in the place of what is there (DAV).

        Raises:
            ParserFailed, TooLarge: it cannot be read.
            NotFound, Conflict, QuotaExceeded: as in ``change``.
        """
        entry = await self.read(mailbox_id, item_id)
        if known_cn is not None and entry.item.changed_cn != known_cn:
            raise Conflict(f"item {item_id} has changed")
        view = view_of_original(entry.item.kind, original)
        await self._replace(mailbox_id, entry, view, original)
        return await self.read(mailbox_id, item_id)

    async def _replace(
        self, mailbox_id: MailboxId, entry: Entry[Value], view: View, original: bytes
    ) -> None:
        item = entry.item
        columns = replace(view.columns(_read(view, original)), name=item.columns.name)
        staged = self._store.blobs.stage_bytes(original, _RAW)
        operation = ChangeContent(
            entry.folder_id, item.item_id, staged.ref, item.prefix, columns, item.bag
        )
        unchanged = ItemUnchanged(item.item_id, item.changed_cn)
        await self._applied(Commit((Batch(mailbox_id, (operation,), (unchanged,)),), (staged,)))

    async def _applied(self, commit: Commit) -> OperationResult:
        (result,) = await self._store.apply(commit)
        return result.results[0]

    def _new_uid(self) -> str:
        return f"{self._chance.token_bytes(16).hex()}@{self._hostname}"


def _read(view: View, original: bytes) -> Value:
    """The value of an original. Raises ParserFailed, TooLarge."""
    try:
        value: Value = view.read(original)
    except ValueError as e:
        raise ParserFailed(str(e)) from e
    return value
