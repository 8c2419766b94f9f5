"""Entries of meetings in the store: found by uid, and operations that make them what they shall be.

Notes:
    A meeting is live where it lies in a folder for appointments that is not itself deleted; in
    Deleted Items and Recoverable Items its entries still tell what was said last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.appointment import Appointment
from posthouse.model.batch import (
    AddItem,
    ChangeContent,
    ExpungeItems,
    ItemUnchanged,
    MoveItems,
)
from posthouse.model.blob import BlobForm
from posthouse.model.errors import NotFound, ParserFailed, TooLarge
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Flags, ItemKind, NewItem
from posthouse.services.assistants.arrival import Outcome
from posthouse.services.groupware.views import VIEWS
from posthouse.services.meetings.document import held_from_original
from posthouse.services.meetings.incoming import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.batch import Operation, Precondition
    from posthouse.model.blob import StagedBlob
    from posthouse.model.folder import Folder
    from posthouse.model.ids import FolderId, ItemId, MailboxId
    from posthouse.model.item import Item
    from posthouse.model.queue import NewQueued
    from posthouse.ports.clock import Clock
    from posthouse.services.meetings.document import Held
    from posthouse.services.meetings.incoming import Effect
    from posthouse.store.store import Store

_UID_MAX = 255
_COPIES_MAX = 100
_VIEW = VIEWS[Appointment]


class Lying(Struct, frozen=True):
    """An item and where it lies."""

    item: Item
    folder_id: FolderId


class Desk(Struct, frozen=True):
    """What a mailbox holds of one meeting, and where new entries go.

    Attributes:
        known: as the engine looks at it.
        lying: the items behind it.
        calendar_id: the Calendar.
        deleted_id: Deleted Items.
    """

    known: Known
    lying: dict[ItemId, Lying]
    calendar_id: FolderId
    deleted_id: FolderId


class Work(Struct):
    """Parts of a commit on one mailbox, being gathered."""

    operations: list[Operation] = []
    preconditions: list[Precondition] = []
    queued: list[NewQueued] = []
    blobs: list[StagedBlob] = []

    def post(self, mail: tuple[NewQueued, StagedBlob] | None) -> None:
        """Send a mail with it; None: there was nobody to write to."""
        if mail is not None:
            self.queued.append(mail[0])
            self.blobs.append(mail[1])

    def outcome(self) -> Outcome | None:
        """For the follower; None: nothing was gathered."""
        if not self.operations and not self.queued:
            return None
        return Outcome(
            tuple(self.operations), tuple(self.preconditions), tuple(self.queued), tuple(self.blobs)
        )


class Calendars:
    """One per process."""

    __slots__ = ("_clock", "_store")

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def desk(self, mailbox_id: MailboxId, uid: str) -> Desk:
        """Everything about one uid. Raises NotFound: no such mailbox."""
        records = self._store.records
        folders = await records.folders(mailbox_id)
        roles = {one.role: one.folder_id for one in folders}
        live = _live_calendars(folders)
        calendar_id = roles[FolderRole.CALENDAR]
        found = await records.by_ical_uid(mailbox_id, uid[:_UID_MAX])
        lying: dict[ItemId, Lying] = {}
        there: list[Held] = []
        gone: list[Held] = []
        for item in await records.items(mailbox_id, found[-_COPIES_MAX:]):
            held = self._held(item, uid)
            places = await records.item_places(mailbox_id, item.item_id)
            if held is None or not places:
                continue
            folder_id = places[0].folder_id
            lying[item.item_id] = Lying(item, folder_id)
            if folder_id not in live:
                gone.append(held)
            elif folder_id == calendar_id:
                there.insert(0, held)
            else:
                there.append(held)
        there.sort(
            key=lambda one: lying[one.item_id].folder_id != calendar_id if one.item_id else 0
        )
        whole = [one for one in there if one.recurrence_at is None]
        single = tuple(one for one in there if one.recurrence_at is not None)
        # Further copies, in other calendars, stay as they are; they tell what was said.
        known = Known(whole[0] if whole else None, () if whole else single, (*gone, *whole[1:]))
        return Desk(known, lying, calendar_id, roles[FolderRole.DELETED])

    def _held(self, item: Item, uid: str) -> Held | None:
        if item.kind is not ItemKind.APPOINTMENT or item.blob is None:
            return None
        try:
            held = held_from_original(self._store.blobs.read_plain(item.blob), item.item_id)
        except (ParserFailed, TooLarge, NotFound, ValueError):
            return None
        return held if held.appointment.uid == uid else None

    # --- operations

    def put(self, work: Work, desk: Desk, effect: Effect) -> None:
        """Make an entry what it shall be."""
        held = effect.held
        staged = self._store.blobs.stage_bytes(held.original, BlobForm.RAW)
        work.blobs.append(staged)
        columns = _VIEW.columns(held.appointment)
        if held.item_id is None:
            folder_id = desk.deleted_id if effect.is_put_away else desk.calendar_id
            flags = Flags.SEEN if effect.is_put_away else Flags.NONE
            item = NewItem(
                _VIEW.kind, staged.ref, self._clock.now_ms(), flags=flags, columns=columns
            )
            work.operations.append(AddItem(folder_id, item))
        else:
            lying = desk.lying[held.item_id]
            old = lying.item
            columns = replace(columns, name=old.columns.name)
            work.operations.append(
                ChangeContent(
                    lying.folder_id, old.item_id, staged.ref, old.prefix, columns, old.bag
                )
            )
            work.preconditions.append(ItemUnchanged(old.item_id, old.changed_cn))
            if effect.is_put_away:
                work.operations.append(MoveItems(lying.folder_id, (old.item_id,), desk.deleted_id))
        self._expunge(work, desk, effect.folded)

    def _expunge(self, work: Work, desk: Desk, item_ids: Iterable[ItemId]) -> None:
        for item_id in item_ids:
            lying = desk.lying[item_id]
            now_ms = self._clock.now_ms()
            work.operations.append(ExpungeItems(lying.folder_id, (item_id,), now_ms))
            work.preconditions.append(ItemUnchanged(item_id, lying.item.changed_cn))


def _live_calendars(folders: Sequence[Folder]) -> frozenset[FolderId]:
    """Folders for appointments, but for those below Deleted Items."""
    away: set[FolderId] = set()
    live: set[FolderId] = set()
    for folder in folders:
        is_away = folder.role in (FolderRole.DELETED, FolderRole.RECOVERABLE)
        if is_away or folder.parent_id in away:
            away.add(folder.folder_id)
        elif folder.folder_class is FolderClass.CALENDAR:
            live.add(folder.folder_id)
    return frozenset(live)
