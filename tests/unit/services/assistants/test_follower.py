"""The follower: every arrival once, nothing else, whatever fails."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.services.mailflow.conftest import MESSAGE, House, until

from posthouse.backends.memory.faulty import Faults, faulty_records
from posthouse.model.batch import (
    AddItem,
    Batch,
    ChangeContent,
    ChangeFlags,
    Commit,
    CopyItems,
    ItemUnchanged,
    MoveItems,
)
from posthouse.model.blob import BlobForm
from posthouse.model.errors import Conflict, ParserFailed, Unavailable
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags, ItemColumns, ItemKind, NewItem
from posthouse.model.queue import NewQueued, QueuedRecipient
from posthouse.services.assistants.arrival import Outcome
from posthouse.services.assistants.follower import Follower, Pace

DAY = 86_400_000


class Noting:
    """Files a note in Deleted Items for each arrival it wants, and queues a mail about it."""

    name = "noting"

    def __init__(self, house, wants=lambda arrival: True):
        self.house, self.wants = house, wants
        self.seen = []
        self.raises = {}

    async def attend(self, arrival):
        subject = arrival.item.columns.subject
        self.seen.append(subject)
        error = self.raises.pop(subject, None)
        if error is not None:
            raise error
        if not self.wants(arrival):
            return None
        store = self.house.store
        deleted = await store.role_folder(arrival.mailbox.mailbox_id, FolderRole.DELETED)
        staged = store.blobs.stage_bytes(b".\r\n", BlobForm.WIRE)
        note = NewItem(ItemKind.NOTE, None, 0, columns=ItemColumns(subject=subject))
        queued = NewQueued(
            "", (QueuedRecipient("x@one.example"),), staged.ref, 0, submitted_by=subject
        )
        return Outcome((AddItem(deleted.folder_id, note),), (), (queued,), (staged,))


class Desk(House):
    """A house with assistants; whatever came before was there when they first ran."""

    async def begin(self, wants=lambda arrival: True):
        await self.open()
        self.assistant = Noting(self, wants)
        self.follower = self.another()
        await self.follower.run_once()
        return self

    def another(self, *assistants, **more):
        return Follower(
            self.store,
            self.directory,
            assistants or (self.assistant,),
            journal=self.journal,
            tally=self.tally,
            **more,
        )

    async def deliver(self, subject, *to):
        content = MESSAGE.replace(b"Subject: Hello", f"Subject: {subject}".encode())
        content = content.replace(b"m1@", f"{subject}@".encode())
        await self.accept(*to or ["alice@example.org"], content=content)

    async def noted(self, name="alice"):
        return [item.columns.subject for item in await self.items(name, FolderRole.DELETED)]

    async def mailed(self):
        return [entry.message.submitted_by for entry in await self.queue()]

    async def folder(self, role, name="alice"):
        return (await self.store.role_folder(self.people[name].mailbox_id, role)).folder_id

    async def do(self, *operations, name="alice"):
        return await self.records.apply(Commit((Batch(self.people[name].mailbox_id, operations),)))


@pytest.fixture
def house():
    house = Desk()
    yield house
    house.close()


def test_each_arrival_is_shown_once_in_order(house):
    async def scene():
        await house.begin()
        for subject in ("one", "two", "three"):
            await house.deliver(subject)
        await house.deliver("for-bob", "bob@example.org")
        assert await house.follower.run_once() == 4
        assert await house.noted() == ["one", "two", "three"]
        assert await house.noted("bob") == ["for-bob"]
        assert await house.mailed() == ["one", "two", "three", "for-bob"]
        assert await house.follower.run_once() == 0
        assert await house.another().run_once() == 0

    asyncio.run(scene())


def test_mail_from_before_the_first_run_is_left_alone_and_a_new_mailbox_is_not(house):
    async def scene():
        await house.open()
        await house.deliver("old")
        house.assistant = Noting(house)
        assert await house.another().run_once() == 0
        await house.add_person("dora")
        await house.deliver("first", "dora@example.org")
        assert await house.another().run_once() == 1
        assert await house.noted("dora") == ["first"]

    asyncio.run(scene())


def test_what_nobody_delivered_is_no_arrival(house):
    async def scene():
        await house.begin(wants=lambda arrival: False)
        inbox, archive = (
            await house.folder(FolderRole.INBOX),
            await house.folder(FolderRole.ARCHIVE),
        )
        await house.deliver("kept")
        await house.follower.run_once()
        (item,) = await house.items("alice")
        staged = house.blobs.stage_bytes(b".\r\n", BlobForm.WIRE)
        filed = NewItem(ItemKind.MESSAGE, staged.ref, house.clock.now)
        old = NewItem(ItemKind.MESSAGE, staged.ref, house.clock.now - 8 * DAY, prefix=item.prefix)
        await house.records.apply(
            Commit(
                (
                    Batch(
                        house.people["alice"].mailbox_id,
                        (
                            AddItem(inbox, filed),
                            AddItem(inbox, old),
                            MoveItems(inbox, (item.item_id,), archive),
                            MoveItems(archive, (item.item_id,), inbox),
                        ),
                    ),
                ),
                (staged,),
            )
        )
        assert await house.follower.run_once() == 0
        # Delivered elsewhere, and moved in by its owner.
        await house.deliver("elsewhere", "alice+archive@example.org")
        (moved,) = await house.items("alice", FolderRole.ARCHIVE)
        await house.do(MoveItems(archive, (moved.item_id,), inbox))
        assert await house.follower.run_once() == 0
        # Written anew by its owner.
        anew = ChangeContent(inbox, item.item_id, item.blob, item.prefix, item.columns, b"")
        await house.do(anew)
        assert await house.follower.run_once() == 0
        assert house.assistant.seen == ["kept"]
        await house.deliver("next")
        assert await house.follower.run_once() == 1

    asyncio.run(scene())


def test_a_mark_or_a_move_before_the_look_hides_no_arrival(house):
    async def scene():
        await house.begin()
        inbox, archive = (
            await house.folder(FolderRole.INBOX),
            await house.folder(FolderRole.ARCHIVE),
        )
        for subject in ("one", "two", "three"):
            await house.deliver(subject)
        one, two, _ = await house.items("alice")
        await house.do(
            ChangeFlags(inbox, (one.item_id,), Flags.FLAGGED | Flags.SEEN, Flags.NONE),
            MoveItems(inbox, (two.item_id,), archive),
        )
        assert await house.follower.run_once() == 3
        assert await house.noted() == ["one", "two", "three"]
        assert await house.another().run_once() == 0

    asyncio.run(scene())


def test_a_copy_in_the_same_inbox_is_shown_but_an_older_one_is_not(house):
    async def scene():
        await house.begin(wants=lambda arrival: False)
        inbox = await house.folder(FolderRole.INBOX)
        await house.deliver("one")
        (one,) = await house.items("alice")
        house.clock.now += 8 * DAY
        await house.follower.run_once()
        await house.do(CopyItems(inbox, (one.item_id,), inbox))
        assert await house.follower.run_once() == 0

    asyncio.run(scene())


@pytest.mark.parametrize("error", [ParserFailed("odd"), ValueError("a bug"), RecursionError()])
def test_an_assistant_that_fails_is_told_of_and_passed_over(house, error):
    async def scene():
        await house.begin()
        house.assistant.raises["bad"] = error
        other = Noting(house)
        follower = house.another(house.assistant, other)
        await house.deliver("bad")
        await house.deliver("good")
        assert await follower.run_once() == 2
        assert await house.noted() == ["bad", "good", "good"]
        (line,) = house.journal.events("assistants.passed-over")
        assert line["assistant"] == "noting"
        assert await house.another().run_once() == 0

    asyncio.run(scene())


def test_what_cannot_be_stored_is_passed_over(house):
    async def scene():
        await house.begin()
        mailbox_id = house.people["alice"].mailbox_id
        await house.deliver("one")

        class Big(Noting):
            async def attend(self, arrival):
                outcome = await super().attend(arrival)
                staged = house.blobs.stage_bytes(b"x" * 5000, BlobForm.RAW)
                item = NewItem(ItemKind.FILE, staged.ref, 0)
                return Outcome(
                    (*outcome.operations, AddItem(outcome.operations[0].folder, item)),
                    blobs=(staged,),
                )

        box = house.records._house.own_box(mailbox_id)
        box.head = type(box.head)(
            **{**{f: getattr(box.head, f) for f in box.head.__slots__}, "quota_bytes": 4000}
        )
        assert await house.another(Big(house)).run_once() == 1
        assert await house.noted() == []
        assert house.journal.events("assistants.passed-over")
        assert await house.another().run_once() == 0

    asyncio.run(scene())


def test_a_conflict_is_looked_at_again_with_what_is_there_now(house):
    async def scene():
        await house.begin()
        seen = []

        class Racing(Noting):
            async def attend(self, arrival):
                item = arrival.item
                seen.append((item.columns.item_class, arrival.flags))
                if len(seen) == 1:
                    from posthouse.model.batch import ChangeProperties

                    await house.do(
                        ChangeProperties(
                            item.item_id, columns=ItemColumns(subject="one", item_class="IPM.X")
                        ),
                        ChangeFlags(arrival.folder_id, (item.item_id,), Flags.SEEN, Flags.NONE),
                    )
                outcome = await super().attend(arrival)
                return Outcome(
                    outcome.operations,
                    (ItemUnchanged(item.item_id, item.changed_cn),),
                    outcome.queued,
                    outcome.blobs,
                )

        await house.deliver("one")
        assert await house.another(Racing(house)).run_once() == 1
        assert seen == [("IPM.Note", Flags.NONE), ("IPM.X", Flags.SEEN)]
        assert await house.noted() == ["one"]

    asyncio.run(scene())


def test_a_conflict_without_end_does_not_stop_the_others(house):
    async def scene():
        await house.begin()

        class Never(Noting):
            async def attend(self, arrival):
                if arrival.item.columns.subject == "never":
                    raise Conflict("always")
                return await super().attend(arrival)

        await house.deliver("never")
        await house.deliver("good")
        assert await house.another(Never(house)).run_once() == 2
        assert await house.noted() == ["good"]

    asyncio.run(scene())


@pytest.mark.parametrize("fails_at", range(1, 8))
@pytest.mark.parametrize("is_lasting", [False, True])
def test_a_write_that_fails_repeats_and_loses_nothing(house, fails_at, is_lasting):
    async def scene():
        await house.begin(wants=lambda arrival: arrival.item.columns.subject != "idle")
        for subject in ("one", "idle", "two"):
            await house.deliver(subject)
        await house.deliver("three", "bob@example.org")
        faults = Faults()
        house.store.records = faulty_records(house.records, faults)
        faults.arm(fails_at, is_lasting=is_lasting)
        for _ in range(2):
            try:
                # The process died and another took its place.
                await house.another().run_once()
            except Unavailable:
                continue
        faults.arm(0)
        await house.another().run_once()
        assert await house.noted() == ["one", "two"]
        assert await house.noted("bob") == ["three"]
        assert sorted(await house.mailed()) == ["one", "three", "two"]

    asyncio.run(scene())


def test_where_nothing_came_nothing_is_written(house):
    async def scene():
        await house.begin(wants=lambda arrival: False)
        for subject in ("one", "two"):
            await house.deliver(subject)
        faults = Faults()
        house.store.records = faulty_records(house.records, faults)
        await house.follower.run_once()
        assert faults.seen == ["apply"]
        inbox = await house.folder(FolderRole.INBOX)
        (one, _) = await house.items("alice")
        await house.do(ChangeFlags(inbox, (one.item_id,), Flags.SEEN, Flags.NONE))
        await house.follower.run_once()
        assert faults.seen == ["apply"]

    asyncio.run(scene())


def test_a_write_that_failed_is_tried_again_by_the_same_follower(house):
    async def scene():
        await house.begin()
        await house.deliver("one")
        faults = Faults()
        house.store.records = faulty_records(house.records, faults)
        faults.arm(1)
        with pytest.raises(Unavailable):
            await house.follower.run_once()
        assert await house.follower.run_once() == 1
        assert await house.noted() == ["one"]

    asyncio.run(scene())


def test_a_second_follower_that_knows_less_repeats_nothing(house):
    async def scene():
        await house.begin()
        late = house.another()
        await late.run_once()
        await house.deliver("one")
        late._tracks.update(dict(late._tracks))
        await house.follower.run_once()
        # It has not heard that the other was there.
        assert await late.run_once() == 1
        assert await house.noted() == ["one"]
        assert await house.mailed() == ["one"]

    asyncio.run(scene())


def test_a_restored_mailbox_begins_at_its_end(house):
    async def scene():
        await house.begin()
        await house.deliver("one")
        mailbox_id = house.people["alice"].mailbox_id
        box = house.records._house.own_box(mailbox_id)
        box.head = type(box.head)(
            **{**{f: getattr(box.head, f) for f in box.head.__slots__}, "guid": b"n" * 16}
        )
        assert await house.another().run_once() == 0

    asyncio.run(scene())


def test_much_mail_for_one_lets_the_others_have_their_turns(house):
    async def scene():
        await house.begin()
        for number in range(7):
            await house.deliver(f"a{number}")
        await house.deliver("b", "bob@example.org")
        follower = house.another(pace=Pace(per_turn=3))
        assert await follower.run_once() == 8
        assert house.assistant.seen.index("b") == 3
        assert await house.noted() == [f"a{number}" for number in range(7)]

    asyncio.run(scene())


def test_it_is_woken_and_stops_and_forgets_who_is_gone(house):
    async def scene():
        await house.begin()
        follower = house.another(pace=Pace(gathering_s=0.001))
        task = asyncio.ensure_future(follower.run())
        await asyncio.sleep(0)
        await house.deliver("one")

        async def is_noted():
            return await house.noted() == ["one"]

        await until(is_noted)
        await house.add_person("dora")
        await house.deliver("two", "dora@example.org")

        async def is_noted_too():
            return await house.noted("dora") == ["two"]

        await until(is_noted_too)
        await house.records.delete_mailbox(house.people["dora"].mailbox_id)
        house.directory.remove_principal(house.people["dora"].principal_id)
        await house.deliver("three")

        async def goes_on():
            return await house.noted() == ["one", "three"]

        await until(goes_on)
        follower.stop()
        await asyncio.wait_for(task, 5)
        assert await house.another().run_once() == 0

    asyncio.run(scene())
