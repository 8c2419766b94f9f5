"""The follower: shows every arrival to the assistants, once, soon after it came.

Notes:
    - One per installation, in the jobs process; it goes from arrival to arrival, never two at
      once. So of two rival requests for a room the one that came first is decided first.
    - Hints wake it, a slow sweep repairs what they lost. What comes together is looked at
      together, and a mailbox with much to look at lets the others have their turns.
    - An arrival that brings something about is noted as seen in the same commit, under a key that
      keeps even a second follower from repeating it. Where nobody wanted anything the position is
      stored now and then: after a crash such arrivals are shown again.
    - When it runs for the first time ever, every mailbox begins at its present end: nobody answers
      the mail of years. Mailboxes made later begin at their beginning.
"""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.batch import Batch, Commit
from posthouse.model.errors import Conflict, NotFound, StoreError, Unavailable
from posthouse.model.folder import FolderRole
from posthouse.model.ids import Uid
from posthouse.model.people import PrincipalKind
from posthouse.services.assistants.arrival import Arrival, Outcome
from posthouse.services.assistants.came import came_since, is_arrival
from posthouse.services.assistants.track import ASSISTANTS, COLLECTION, Track, track_from_state
from posthouse.services.mailflow.envelope import SilentJournal, count_nothing
from posthouse.services.mailflow.work import QUEUE_HINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.changes import Hint
    from posthouse.model.folder import Folder, Mailbox
    from posthouse.model.ids import ChangeNumber, FolderId, MailboxId
    from posthouse.model.item import Item
    from posthouse.model.people import Principal
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.ports.records import SyncState
    from posthouse.services.assistants.arrival import Assistant
    from posthouse.services.assistants.came import Came
    from posthouse.services.mailflow.envelope import Journal
    from posthouse.store.store import Store, Tally

FOLLOWED = (PrincipalKind.USER, PrincipalKind.SHARED, PrincipalKind.ROOM)
_TRIES = 8
_MAILBOXES = 200
"""Mailboxes in one commit or question."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the follower goes.

    Attributes:
        gathering_s: between a hint and the look: what comes together is looked at together.
        busy_s: the same, while so much comes that looking at it piece by piece would cost more.
        busy_arrivals: of one look, from which on that is so.
        sweep_s: every mailbox that moved is looked at that often, hints or none.
        pause_s: after the store could not be read or written.
        per_turn: arrivals of one mailbox before others have their turn.
    """

    gathering_s: float = 0.01
    busy_s: float = 0.5
    busy_arrivals: int = 20
    sweep_s: float = 30.0
    pause_s: float = 1.0
    per_turn: int = 50


class Follower:
    """Follows the Inboxes of people, shared mailboxes and rooms."""

    def __init__(
        self,
        store: Store,
        directory: DirectoryRecords,
        assistants: Sequence[Assistant],
        *,
        pace: Pace | None = None,
        journal: Journal | None = None,
        tally: Tally = count_nothing,
    ) -> None:
        """``assistants``: shown each arrival in this order."""
        self._store = store
        self._directory = directory
        self._assistants = tuple(assistants)
        self._pace = pace or Pace()
        self._journal = journal or SilentJournal()
        self._tally = tally
        self._version = -1
        self._owners: dict[MailboxId, Principal] = {}
        self._inboxes: dict[MailboxId, FolderId] = {}
        self._tracks: dict[MailboxId, Track] = {}
        self._seen: dict[MailboxId, ChangeNumber] = {}
        self._unsaved: set[MailboxId] = set()
        self._waiting: dict[MailboxId, None] = {}
        self._called = asyncio.Event()
        self._is_established = False
        self._is_stopping = self._is_busy = False
        self._attended = 0

    # --- running

    def stop(self) -> None:
        """End ``run`` after the arrival under way."""
        self._is_stopping = True
        self._called.set()

    async def run(self) -> None:
        """Work until ``stop``. May be cancelled at any time. Raises Unavailable at the very end."""
        clock, pace = self._store.clock, self._pace
        unsubscribe = self._store.hints.subscribe(self._on_hint)
        swept_at = -pace.sweep_s
        try:
            while not self._is_stopping:
                # Cleared before the look, so that a call during it is not lost.
                self._called.clear()
                try:
                    if clock.monotonic_s() - swept_at >= pace.sweep_s:
                        await self._sweep()
                        swept_at = clock.monotonic_s()
                    before = self._attended
                    await self._round()
                    self._is_busy = self._attended - before >= pace.busy_arrivals
                except StoreError as error:
                    self._journal.error("assistants.stopped-short", reason=repr(error))
                    await asyncio.sleep(pace.pause_s)
                else:
                    await self._idle(swept_at + pace.sweep_s - clock.monotonic_s())
        finally:
            unsubscribe()
        await self._save()

    async def run_once(self) -> int:
        """Look at everything there is to look at now; says how many arrivals there were.

        Raises:
            Unavailable: the store could not be read or written.
        """
        before = self._attended
        await self._sweep()
        while self._waiting:
            await self._round()
        await self._save()
        return self._attended - before

    async def _idle(self, until_sweep_s: float) -> None:
        if self._waiting:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(max(until_sweep_s, 0.0)):
                await self._called.wait()
        except TimeoutError:
            return
        pace = self._pace
        await asyncio.sleep(pace.busy_s if self._is_busy else pace.gathering_s)

    def _on_hint(self, hint: Hint) -> None:
        inbox = self._inboxes.get(hint.mailbox_id)
        if inbox is not None and hint.folder_id not in (inbox, 0):
            return
        if hint.mailbox_id:
            self._waiting[hint.mailbox_id] = None
            self._called.set()

    # --- which mailboxes

    async def _sweep(self) -> None:
        """Every mailbox that moved since it was looked at; positions are stored on the way."""
        await self._refresh()
        rest = iter(self._seen.items())
        while some := dict(islice(rest, _MAILBOXES)):
            self._waiting.update(dict.fromkeys(await self._store.records.advanced_since(some)))
        await self._save()

    async def _refresh(self) -> None:
        """Whose mailboxes there are, when the directory changed."""
        version = self._directory.version()
        if version == self._version:
            return
        found = [one for kind in FOLLOWED for one in self._directory.principals(kind)]
        self._owners = {one.mailbox_id: one for one in found if one.mailbox_id}
        for mailbox_id in self._tracks.keys() - self._owners.keys():
            self._forget(mailbox_id)
        if not self._is_established:
            await self._establish()
        self._waiting.update(dict.fromkeys(sorted(self._owners.keys() - self._tracks.keys())))
        self._version = version

    async def _establish(self) -> None:
        """Unless assistants have run here before, all mailboxes begin at their present end.

        The lowest number is stored last: where it has a position, all have that were there.
        """
        found: list[Mailbox] = []
        for mailbox_id in sorted(self._owners):
            with suppress(NotFound):  # its removal was cut short
                found.append(await self._store.records.mailbox(mailbox_id))
        if found and not await self._states(found[0].mailbox_id):
            for end in range(len(found), 0, -_MAILBOXES):
                await self._begin_at_end(found[max(end - _MAILBOXES, 0) : end])
        self._is_established = True

    async def _begin_at_end(self, mailboxes: Iterable[Mailbox]) -> None:
        batches: list[Batch] = []
        for mailbox in mailboxes:
            if not await self._states(mailbox.mailbox_id):
                track = replace(_at_end(mailbox, await self._inbox(mailbox.mailbox_id)), key=1)
                batches.append(Batch(mailbox.mailbox_id, (track.kept(),)))
        if batches:
            await self._store.apply(Commit(tuple(batches)))

    def _forget(self, mailbox_id: MailboxId) -> None:
        for kept in (self._tracks, self._seen, self._inboxes, self._waiting):
            kept.pop(mailbox_id, None)
        self._unsaved.discard(mailbox_id)

    # --- positions

    async def _states(self, mailbox_id: MailboxId) -> Sequence[SyncState]:
        return await self._store.records.sync_states(mailbox_id, ASSISTANTS, COLLECTION)

    async def _inbox(self, mailbox_id: MailboxId) -> Folder:
        inbox = await self._store.role_folder(mailbox_id, FolderRole.INBOX)
        self._inboxes[mailbox_id] = inbox.folder_id
        return inbox

    async def _track(self, mailbox: Mailbox, inbox: Folder) -> Track:
        known = self._tracks.get(mailbox.mailbox_id)
        if known is None:
            states = await self._states(mailbox.mailbox_id)
            if not states:
                self._unsaved.add(mailbox.mailbox_id)
                return Track(mailbox.guid.hex(), inbox.uid_validity)
            known = track_from_state(states[0].state)
            if known is None:
                known = replace(_at_end(mailbox, inbox), key=states[0].key)
        if (known.guid, known.uid_validity) != (mailbox.guid.hex(), inbox.uid_validity):
            known = replace(_at_end(mailbox, inbox), key=known.key)
        return known

    async def _save(self) -> None:
        """Store the positions that moved without bringing anything about."""
        rest = iter(sorted(self._unsaved))
        while some := tuple(islice(rest, _MAILBOXES)):
            tracks = {i: replace(self._tracks[i], key=self._tracks[i].key + 1) for i in some}
            batches = tuple(Batch(i, (track.kept(),)) for i, track in tracks.items())
            try:
                await self._store.apply(Commit(batches))
            except NotFound:  # one of them was removed just now: next time
                return
            self._tracks.update(tracks)
            self._unsaved.difference_update(some)

    # --- looking

    async def _round(self) -> None:
        """A turn for each mailbox that waits for one."""
        await self._refresh()
        for mailbox_id in tuple(self._waiting):
            if self._is_stopping:
                return
            # Taken out first: a hint that comes during the turn puts it back.
            self._waiting.pop(mailbox_id, None)
            try:
                has_more = mailbox_id in self._owners and await self._turn(mailbox_id)
            except NotFound:
                self._forget(mailbox_id)
                continue
            except BaseException:
                self._waiting[mailbox_id] = None
                raise
            if has_more:
                self._waiting[mailbox_id] = None
            await asyncio.sleep(0)

    async def _turn(self, mailbox_id: MailboxId) -> bool:
        """Look at some arrivals of a mailbox; whether there are more."""
        records = self._store.records
        mailbox = await records.mailbox(mailbox_id)
        inbox = await self._inbox(mailbox_id)
        track = await self._track(mailbox, inbox)
        self._tracks[mailbox_id] = track
        has_more = False
        if inbox.uid_next - 1 > track.uid:
            came, has_more = await came_since(records, inbox, track, self._pace.per_turn)
            items = await self._items(mailbox_id, came)
            for one in came:
                item = items.get(one.item_id)
                if item is not None and is_arrival(item, one, track, self._store.clock.now_ms()):
                    track = await self._attend(mailbox, inbox, one, item)
                self._note(mailbox_id, replace(track, uid=one.uid))
                track = self._tracks[mailbox_id]
            if not has_more:
                self._note(mailbox_id, replace(track, uid=Uid(inbox.uid_next - 1)))
        if not has_more:
            self._tracks[mailbox_id] = replace(self._tracks[mailbox_id], cn=inbox.highest_cn)
            self._seen[mailbox_id] = mailbox.highest_cn
        return has_more

    async def _items(self, mailbox_id: MailboxId, came: Iterable[Came]) -> dict[int, Item]:
        ids = [one.item_id for one in came]
        found = await self._store.records.items(mailbox_id, ids) if ids else ()
        return {item.item_id: item for item in found}

    def _note(self, mailbox_id: MailboxId, track: Track) -> None:
        if track != self._tracks[mailbox_id]:
            self._tracks[mailbox_id] = track
            self._unsaved.add(mailbox_id)

    async def _attend(self, mailbox: Mailbox, inbox: Folder, came: Came, item: Item) -> Track:
        """Show an arrival until what it brings about is stored, or nothing is wanted of it."""
        self._attended += 1
        mailbox_id = mailbox.mailbox_id
        track = replace(self._tracks[mailbox_id], uid=came.uid, item_id=item.item_id)
        for _ in range(_TRIES):
            try:
                outcomes = await self._outcomes(mailbox, came, item)
                if outcomes:
                    track = await self._commit(inbox, track, outcomes)
            except Unavailable:
                raise
            except (Conflict, NotFound):
                fresh = await self._store.records.items(mailbox_id, (item.item_id,))
                places = await self._store.records.item_places(mailbox_id, item.item_id)
                if not fresh or not places:
                    return track
                item, place = fresh[0], places[0]
                came = dataclasses.replace(came, folder_id=place.folder_id, flags=place.flags)
                mailbox = await self._store.records.mailbox(mailbox_id)
            except StoreError as error:
                self._passed_over(came, mailbox_id, "commit", error)
                return track
            else:
                return track
        self._passed_over(came, mailbox_id, "commit", Conflict("it keeps changing"))
        return track

    async def _outcomes(self, mailbox: Mailbox, came: Came, item: Item) -> list[Outcome]:
        owner = self._owners[mailbox.mailbox_id]
        arrival = Arrival(mailbox, owner, came.folder_id, item, came.flags, self._store.blobs)
        outcomes: list[Outcome] = []
        for assistant in self._assistants:
            try:
                outcome = await assistant.attend(arrival)
            except (Conflict, Unavailable):
                raise
            except Exception as error:  # noqa: BLE001  the top of one assistant's look
                self._passed_over(came, mailbox.mailbox_id, assistant.name, error)
            else:
                outcomes += [outcome] if outcome is not None else []
        return outcomes

    async def _commit(self, inbox: Folder, track: Track, outcomes: list[Outcome]) -> Track:
        mailbox_id = inbox.mailbox_id
        track = replace(track, key=track.key + 1)
        operations = [one for outcome in outcomes for one in outcome.operations]
        batch = Batch(
            mailbox_id,
            (*operations, track.kept()),
            tuple(one for outcome in outcomes for one in outcome.preconditions),
            f"assistants:{inbox.folder_id}:{inbox.uid_validity}:{track.uid}".encode(),
        )
        blobs = {one.ref.blob_hash: one for outcome in outcomes for one in outcome.blobs}
        queued = tuple(one for outcome in outcomes for one in outcome.queued)
        await self._store.apply(Commit((batch,), tuple(blobs.values()), queued))
        self._tracks[mailbox_id] = track
        self._unsaved.discard(mailbox_id)
        if queued:
            self._tally("queue_added", len(queued))
            self._store.hints.publish(QUEUE_HINT)
        return track

    def _passed_over(self, came: Came, mailbox_id: int, what: str, error: Exception) -> None:
        self._journal.warning(
            "assistants.passed-over",
            assistant=what,
            mailbox_id=mailbox_id,
            item_id=came.item_id,
            reason=repr(error)[:500],
        )


def _at_end(mailbox: Mailbox, inbox: Folder) -> Track:
    """Nothing that is there now was an arrival."""
    last = Uid(inbox.uid_next - 1)
    return Track(mailbox.guid.hex(), inbox.uid_validity, last, cn=inbox.highest_cn)
