"""A meeting from one calendar to the others and back, by mail."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.services.meetings.conftest import DAY, HOUR, NOW, START, meeting, person

from posthouse.model.appointment import BusyStatus, Override, Response
from posthouse.model.folder import FolderRole
from posthouse.model.recurrence import Frequency, Recurrence


def test_an_invitation_stands_in_the_calendar_before_anybody_opens_it(play):
    async def scene(office):
        await office.call(meeting("bob", "carol", location="Aula", reminder_minutes=30))
        for name in ("bob", "carol"):
            (entry,) = await office.calendar(name)
            assert (entry.subject, entry.location) == ("Plan", "Aula")
            assert (entry.start_at, entry.end_at) == (START, START + HOUR)
            assert entry.busy is BusyStatus.TENTATIVE
            assert entry.reminder_minutes == 15
            assert {one.response for one in entry.attendees} == {Response.NONE}
            (message,) = await office.items(name)
            assert message.columns.item_class == "IPM.Schedule.Meeting.Request"
            assert message.columns.subject == "Plan"
        assert len(await office.items("alice", FolderRole.SENT)) == 1
        assert await office.items("alice") == []

    play(scene)


def test_an_answer_reaches_the_organizers_calendar(play):
    async def scene(office):
        await office.call(meeting("bob", "carol"))
        (message,) = await office.items("bob")
        bob = office.actor("bob")
        kept = await office.meetings.respond(
            bob, message.item_id, Response.ACCEPTED, comment="Gern"
        )
        assert kept == (await office.entry("bob")).item_id
        (entry,) = await office.calendar("bob")
        assert entry.busy is BusyStatus.BUSY
        assert entry.attendees[0].response is Response.ACCEPTED
        assert await office.items("bob") == []
        assert [m.item_id for m in await office.items("bob", FolderRole.DELETED)] == [
            message.item_id
        ]
        await office.work()
        (theirs,) = await office.calendar("alice")
        assert [one.response for one in theirs.attendees] == [Response.ACCEPTED, Response.NONE]
        assert theirs.attendees[0].responded_at == office.clock.now
        (answer,) = await office.items("alice")
        assert answer.columns.item_class == "IPM.Schedule.Meeting.Resp.Pos"
        assert answer.columns.subject == "Accepted: Plan"
        assert answer.columns.thread == message.columns.thread
        (carols,) = await office.calendar("carol")
        assert carols.attendees[0].response is Response.NONE

    play(scene)


def test_what_is_declined_goes_to_deleted_items(play):
    async def scene(office):
        await office.call(meeting("bob"))
        entry = await office.entry("bob")
        gone = await office.meetings.respond(office.actor("bob"), entry.item_id, Response.DECLINED)
        assert gone is None
        await office.work()
        assert await office.calendar("bob") == []
        (kept,) = await office.calendar("bob", FolderRole.DELETED)
        assert kept.attendees[0].response is Response.DECLINED
        (theirs,) = await office.calendar("alice")
        assert theirs.attendees[0].response is Response.DECLINED
        # Second thoughts, from Deleted Items.
        office.clock.now += 60_000
        back = await office.meetings.respond(office.actor("bob"), entry.item_id, Response.TENTATIVE)
        assert back == entry.item_id
        await office.work()
        (again,) = await office.calendar("bob")
        assert again.busy is BusyStatus.TENTATIVE
        (theirs,) = await office.calendar("alice")
        assert theirs.attendees[0].response is Response.TENTATIVE

    play(scene)


def test_a_change_of_words_keeps_answers_a_change_of_time_asks_anew(play):
    async def scene(office):
        entry = await office.call(meeting("bob"))
        mine = await office.entry("bob")
        bob = office.actor("bob")
        await office.meetings.respond(bob, mine.item_id, Response.ACCEPTED)
        await office.entries.change(
            bob.mailbox_id,
            mine.item_id,
            lambda one: replace(
                one, reminder_minutes=45, categories=("Red",), changed_at=NOW + DAY
            ),
        )
        await office.work()
        entry = await office.entries.read(office.people["alice"].mailbox_id, entry.item.item_id)
        entry = await office.change(entry, subject="Better plan", body="Bring paper.")
        (now,) = await office.calendar("bob")
        assert (now.subject, now.body, now.sequence) == ("Better plan", "Bring paper.", 0)
        assert (now.busy, now.reminder_minutes, now.categories) == (BusyStatus.BUSY, 45, ("Red",))
        assert now.attendees[0].response is Response.ACCEPTED
        assert entry.value.attendees[0].response is Response.ACCEPTED
        entry = await office.change(entry, start_at=START + DAY, end_at=START + DAY + HOUR)
        assert entry.value.sequence == 1
        assert entry.value.attendees[0].response is Response.NONE
        (now,) = await office.calendar("bob")
        assert (now.start_at, now.sequence) == (START + DAY, 1)
        assert (now.busy, now.reminder_minutes) == (BusyStatus.TENTATIVE, 45)
        assert now.attendees[0].response is Response.NONE

    play(scene)


def test_who_is_asked_no_more_and_who_is_new(play):
    async def scene(office):
        entry = await office.call(meeting("bob"))
        await office.change(entry, attendees=(person("carol", response=Response.NONE),))
        (bobs,) = await office.calendar("bob")
        assert bobs.is_cancelled
        assert bobs.busy is BusyStatus.FREE
        assert (bobs.subject, bobs.reminder_minutes) == ("Plan", None)
        classes = [item.columns.item_class for item in await office.items("bob")]
        assert classes == ["IPM.Schedule.Meeting.Request", "IPM.Schedule.Meeting.Canceled"]
        assert [item.columns.subject for item in await office.items("bob")][1] == "Canceled: Plan"
        (carols,) = await office.calendar("carol")
        assert not carols.is_cancelled

    play(scene)


def test_a_meeting_that_is_removed_is_off_for_all(play):
    async def scene(office):
        entry = await office.call(meeting("bob", "carol"))
        alice = office.actor("alice")
        office.clock.now += 5_000
        await office.meetings.announce(alice, entry.value, None, entry.original)
        await office.work()
        for name in ("bob", "carol"):
            (theirs,) = await office.calendar(name)
            assert theirs.is_cancelled
        # Of one that is over nobody hears.
        office.clock.now = START + DAY
        await office.meetings.announce(alice, entry.value, None, entry.original)
        assert await office.work() == 0

    play(scene)


def weekly(**more):
    monday = (START // DAY + 3) % 7
    rule = Recurrence(Frequency.WEEKLY, weekdays=1 << (monday + 1) % 7, count=5)
    return meeting("bob", recurrence=rule, **more)


def test_one_occurrence_is_called_off_and_another_moved(play):
    async def scene(office):
        entry = await office.call(weekly())
        (series,) = await office.calendar("bob")
        assert series.recurrence == entry.value.recurrence
        await office.meetings.respond(
            office.actor("bob"), (await office.entry("bob")).item_id, Response.ACCEPTED
        )
        await office.work()
        second, third = START + 7 * DAY, START + 14 * DAY
        entry = await office.entries.read(office.people["alice"].mailbox_id, entry.item.item_id)
        later = Override(original_start_at=third, start_at=third + HOUR, end_at=third + 2 * HOUR)
        gone = Override(original_start_at=second, is_deleted=True)
        await office.change(entry, overrides=(gone, later))
        (series,) = await office.calendar("bob")
        first_off, moved = series.overrides
        assert (first_off.original_start_at, first_off.is_cancelled) == (second, True)
        assert first_off.busy is BusyStatus.FREE
        assert (moved.original_start_at, moved.start_at) == (third, third + HOUR)
        assert moved.busy is BusyStatus.TENTATIVE
        assert series.busy is BusyStatus.BUSY
        assert len(await office.items("bob")) == 3

    play(scene)


def test_one_occurrence_is_answered_by_itself(play):
    async def scene(office):
        await office.call(weekly())
        bob, entry = office.actor("bob"), await office.entry("bob")
        second, third = START + 7 * DAY, START + 14 * DAY
        await office.meetings.respond(bob, entry.item_id, Response.ACCEPTED)
        office.clock.now += 5_000
        respond = office.meetings.respond
        await respond(bob, entry.item_id, Response.DECLINED, recurrence_at=second)
        await respond(bob, entry.item_id, Response.TENTATIVE, recurrence_at=third)
        await office.work()
        (mine,) = await office.calendar("bob")
        declined, maybe = mine.overrides
        assert (declined.original_start_at, declined.is_deleted) == (second, True)
        assert (maybe.original_start_at, maybe.busy) == (third, BusyStatus.TENTATIVE)
        (theirs,) = await office.calendar("alice")
        assert theirs.attendees[0].response is Response.ACCEPTED
        said = {o.original_start_at: o.attendees[0].response for o in theirs.overrides}
        assert said == {second: Response.DECLINED, third: Response.TENTATIVE}

    play(scene)


def test_another_time_is_proposed(play):
    async def scene(office):
        await office.call(meeting("bob"))
        (message,) = await office.items("bob")
        later = (START + 2 * HOUR, START + 3 * HOUR)
        await office.meetings.respond(
            office.actor("bob"), message.item_id, Response.TENTATIVE, proposed=later
        )
        await office.work()
        (theirs,) = await office.calendar("alice")
        assert theirs.start_at == START
        assert theirs.attendees[0].response is Response.TENTATIVE
        (mail,) = await office.items("alice")
        assert mail.columns.subject == "New time proposed: Plan"
        assert mail.columns.item_class == "IPM.Schedule.Meeting.Resp.Tent"
        assert b"METHOD:COUNTER" in office.whole(mail)

    play(scene)


def test_an_answer_that_is_not_sent(play):
    async def scene(office):
        await office.call(meeting("bob"))
        (message,) = await office.items("bob")
        await office.meetings.respond(
            office.actor("bob"), message.item_id, Response.ACCEPTED, sends=False
        )
        assert await office.work() == 0
        (mine,) = await office.calendar("bob")
        assert mine.busy is BusyStatus.BUSY

    play(scene)
