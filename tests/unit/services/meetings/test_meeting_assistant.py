"""The assistant of people's calendars: what mail does to them, and what it does not."""

from __future__ import annotations

import asyncio
import time

import pytest
from msgspec.structs import replace
from tests.unit.services.mailflow.conftest import until
from tests.unit.services.meetings.conftest import DAY, HOUR, NOW, START, mail_of, meeting, person

from posthouse.backends.memory.faulty import Faults, faulty_records
from posthouse.formats.ical.itip import cancellation, reply, request
from posthouse.model.appointment import Attendee, BusyStatus, Organizer, Response, Sensitivity
from posthouse.model.batch import Batch, ChangeProperties, Commit, ExpungeItems, MoveItems
from posthouse.model.errors import Unavailable
from posthouse.model.folder import FolderRole
from posthouse.model.people import PrincipalKind
from posthouse.services.assistants.follower import Pace
from posthouse.store.store import Store

REQUEST = request(meeting(), NOW)
CLASS = "IPM.Schedule.Meeting.Request"


def later(number, **more):
    return replace(meeting(), sequence=number, **more)


async def folder(office, name, role):
    return (await office.store.role_folder(office.people[name].mailbox_id, role)).folder_id


async def do(office, name, *operations):
    await office.records.apply(Commit((Batch(office.people[name].mailbox_id, operations),)))


def test_an_update_keeps_the_resources_name_and_the_item(play):
    async def scene(office):
        await office.bring("REQUEST", REQUEST)
        item = await office.entry("bob")
        columns = replace(item.columns, name="m-1.ics")
        await do(office, "bob", ChangeProperties(item.item_id, columns=columns, bag=b"{}"))
        await office.bring("REQUEST", request(later(1, subject="New"), NOW))
        now = await office.entry("bob")
        assert (now.item_id, now.columns.name, now.bag) == (item.item_id, "m-1.ics", b"{}")
        assert now.columns.subject == "New"

    play(scene)


def test_unknown_properties_of_the_organizer_are_kept(play):
    async def scene(office):
        odd = REQUEST.replace(b"END:VEVENT", b"X-ODD;X-P=1:kept as it is\r\nEND:VEVENT")
        await office.bring("REQUEST", odd)
        original = office.blobs.read_plain((await office.entry("bob")).blob)
        assert b"X-ODD;X-P=1:kept as it is\r\n" in original
        assert b"METHOD" not in original

    play(scene)


@pytest.mark.parametrize("author", ["eve@example.net", "carol@example.org", "bob@example.org"])
def test_forged_updates_and_cancellations_change_nothing(play, author):
    async def scene(office):
        await office.bring("REQUEST", REQUEST)
        before = await office.entry("bob")
        off = cancellation(later(5), NOW + 9000)
        moved = request(later(6, start_at=START + DAY, end_at=START + DAY + HOUR), NOW + 9000)
        await office.bring("CANCEL", off, author=author, sender="eve@example.net")
        await office.bring("REQUEST", moved, author=author, sender="eve@example.net")
        assert await office.entry("bob") == before
        reasons = [one["reason"] for one in office.journal.events("meetings.left-alone")]
        assert reasons == ["forged", "forged"]

    play(scene)


def test_forged_answers_change_nothing(play):
    async def scene(office):
        await office.call(meeting("bob", "carol"))
        before = await office.entry("alice")
        yes = reply(meeting("bob", "carol"), person("bob", response=Response.ACCEPTED), NOW + 9000)
        await office.bring("REPLY", yes, "alice@example.org", "eve@example.net")
        await office.bring("REPLY", yes, "alice@example.org", "carol@example.org")
        # SENT-BY is no leave among our own people.
        by = yes.replace(b"ATTENDEE;", b'ATTENDEE;SENT-BY="mailto:carol@example.org";')
        await office.bring("REPLY", by, "alice@example.org", "carol@example.org")
        assert await office.entry("alice") == before
        await office.bring("REPLY", yes, "alice@example.org", "bob@example.org")
        assert await office.entry("alice") != before

    play(scene)


def test_a_secretary_elsewhere_may_answer_for_a_colleague(play):
    async def scene(office):
        boss = Attendee("boss@example.net", "Boss", response=Response.NONE)
        await office.call(meeting(attendees=(boss,)))
        yes = reply(
            meeting(attendees=(boss,)), replace(boss, response=Response.ACCEPTED), NOW + 9000
        )
        by = yes.replace(b"ATTENDEE;", b'ATTENDEE;SENT-BY="mailto:desk@example.net";')
        assert by != yes
        other = by.replace(b"desk@example.net", b"desk@other.example")
        strangers = ((by, "desk@other.example"), (other, "desk@other.example"))
        for data, author in ((yes, "desk@example.net"), *strangers):
            await office.bring("REPLY", data, "alice@example.org", author)
            (theirs,) = await office.calendar("alice")
            assert theirs.attendees[0].response is Response.NONE
        await office.bring("REPLY", by, "alice@example.org", "desk@example.net")
        (theirs,) = await office.calendar("alice")
        assert theirs.attendees[0].response is Response.ACCEPTED

    play(scene)


def test_the_same_message_again_changes_nothing(play):
    async def scene(office):
        await office.bring("REQUEST", REQUEST)
        before = await office.entry("bob")
        await office.bring("REQUEST", REQUEST)
        assert await office.entry("bob") == before
        assert len(await office.items("bob")) == 2

    play(scene)


def test_what_was_deleted_comes_back_only_with_news(play):
    async def scene(office):
        await office.bring("REQUEST", REQUEST)
        item = await office.entry("bob")
        calendar = await folder(office, "bob", FolderRole.CALENDAR)
        deleted = await folder(office, "bob", FolderRole.DELETED)
        await do(office, "bob", MoveItems(calendar, (item.item_id,), deleted))
        await office.bring("REQUEST", REQUEST)
        assert await office.calendar("bob") == []
        await do(office, "bob", ExpungeItems(deleted, (item.item_id,), NOW))
        await office.bring("REQUEST", REQUEST)
        assert await office.calendar("bob") == []
        await office.bring("REQUEST", request(later(1), NOW))
        (again,) = await office.calendar("bob")
        assert again.sequence == 1

    play(scene)


def test_an_invitation_after_its_cancellation_stays_away(play):
    async def scene(office):
        await office.bring("CANCEL", cancellation(later(1), NOW + 1000))
        assert await office.calendar("bob") == []
        (kept,) = await office.calendar("bob", FolderRole.DELETED)
        assert kept.is_cancelled
        await office.bring("REQUEST", REQUEST)
        assert await office.calendar("bob") == []

    play(scene)


def test_it_may_be_switched_off_but_messages_are_known_as_what_they_are(play):
    async def scene(office):
        await office.configure("bob", calendar={"auto_process": False})
        await office.bring("REQUEST", REQUEST)
        assert await office.calendar("bob") == []
        (message,) = await office.items("bob")
        assert message.columns.item_class == CLASS
        kept = await office.meetings.respond(
            office.actor("bob"), message.item_id, Response.ACCEPTED
        )
        assert kept == (await office.entry("bob")).item_id
        (mine,) = await office.calendar("bob")
        assert mine.busy is BusyStatus.BUSY
        assert mine.attendees[0].response is Response.ACCEPTED

    play(scene)


@pytest.mark.parametrize(
    "settings", [{"calendar": {"reminder_minutes": None}}, {"calendar": "odd"}, {}]
)
def test_reminders_as_the_owner_wants_them(play, settings):
    async def scene(office):
        await office.configure("bob", **settings)
        await office.bring("REQUEST", REQUEST)
        (mine,) = await office.calendar("bob")
        odd = isinstance(settings.get("calendar"), dict)
        assert mine.reminder_minutes == (None if odd else 15)

    play(scene)


def test_publish_is_left_alone(play):
    async def scene(office):
        await office.bring("PUBLISH", REQUEST.replace(b"METHOD:REQUEST", b"METHOD:PUBLISH"))
        assert await office.calendar("bob") == []
        (message,) = await office.items("bob")
        assert message.columns.item_class == "IPM.Note"

    play(scene)


def test_an_invitation_that_only_informs_is_free(play):
    async def scene(office):
        await office.bring("REQUEST", request(later(0, busy=BusyStatus.FREE), NOW))
        (mine,) = await office.calendar("bob")
        assert mine.busy is BusyStatus.FREE

    play(scene)


def test_who_was_asked_by_a_group_is_entered_when_they_answer(play):
    async def scene(office):
        everybody = office.directory.add_principal(PrincipalKind.GROUP, "all@example.org", "All", 0)
        office.directory.set_members(
            everybody.principal_id, ["bob@example.org", "carol@example.org"]
        )
        group = (Attendee("all@example.org", "All", response=Response.NONE),)
        await office.call(meeting(attendees=group))
        for name in ("bob", "carol"):
            assert len(await office.calendar(name)) == 1
        item = await office.entry("bob")
        await office.meetings.respond(office.actor("bob"), item.item_id, Response.ACCEPTED)
        await office.work()
        (mine,) = await office.calendar("bob")
        assert [one.address for one in mine.attendees] == ["all@example.org", "bob@example.org"]
        # The organizer asked the group; who of it comes is told by the mail.
        (theirs,) = await office.calendar("alice")
        assert [one.response for one in theirs.attendees] == [Response.NONE]

    play(scene)


def test_an_alias_is_the_owner(play):
    async def scene(office):
        office.directory.add_alias("robert@example.org", office.people["bob"].principal_id)
        robert = (Attendee("Robert@example.org", "Robert", response=Response.NONE),)
        await office.call(meeting(attendees=robert))
        item = await office.entry("bob")
        await office.meetings.respond(office.actor("bob"), item.item_id, Response.ACCEPTED)
        await office.work()
        (theirs,) = await office.calendar("alice")
        assert [(o.address, o.response) for o in theirs.attendees] == [
            ("Robert@example.org", Response.ACCEPTED)
        ]

    play(scene)


def test_delegates_get_a_copy_that_does_not_enter_their_own_calendar(play):
    async def scene(office):
        await office.configure("bob", calendar={"delegates": ["carol@example.org"]})
        await office.bring("REQUEST", REQUEST)
        assert len(await office.calendar("bob")) == 1
        (copy,) = await office.items("carol")
        assert copy.columns.item_class == CLASS
        assert b"X-Posthouse-Meeting-For: bob@example.org\r\n" in copy.prefix
        assert copy.prefix.startswith(b"Return-Path: <bob@example.org>\r\n")
        assert await office.calendar("carol") == []
        await office.bring(
            "REQUEST", request(later(0, uid="p@x", sensitivity=Sensitivity.PRIVATE), NOW)
        )
        assert len(await office.items("carol")) == 1
        assert len(await office.calendar("bob")) == 2

    play(scene)


def test_delegates_only(play):
    async def scene(office):
        settings = {"delegates": ["carol@example.org", "bob@example.org"], "delegates_only": True}
        await office.configure("bob", calendar=settings)
        await office.bring("REQUEST", REQUEST)
        assert len(await office.calendar("bob")) == 1
        assert await office.items("bob") == []
        assert len(await office.items("carol")) == 1
        assert len(await office.items("bob", FolderRole.DELETED)) == 1

    play(scene)


def test_a_copy_claimed_by_a_stranger_is_none(play):
    async def scene(office):
        content = mail_of("REQUEST", REQUEST).replace(
            b"MIME-Version", b"X-Posthouse-Meeting-For: a@example.org\r\nMIME-Version"
        )
        await office.accept("bob@example.org", content=content)
        await office.work()
        assert len(await office.calendar("bob")) == 1

    play(scene)


def test_an_addition_is_asked_for_as_a_whole_and_told(play):
    async def scene(office):
        await office.call(meeting("bob"))
        before = await office.entry("bob")
        added = request(later(1), NOW + 9000).replace(b"METHOD:REQUEST", b"METHOD:ADD")
        office.clock.now += 10_000
        await office.bring("ADD", added)
        # Alice was asked, and Bob was told: what he has is still the newest.
        asked = (await office.items("alice"))[-1]
        assert asked.columns.subject == "Update wanted: Plan"
        assert b"METHOD:REFRESH" in office.whole(asked)
        answers = await office.items("bob")
        assert [one.columns.item_class for one in answers] == [CLASS, "IPM.Note", CLASS]
        assert (await office.entry("bob")).item_id == before.item_id
        # Strangers are told nothing.
        refresh = office.whole(asked).partition(b"\r\n\r\n")[2]
        calendar = refresh[refresh.index(b"BEGIN:VCALENDAR") : refresh.index(b"END:VCALENDAR")]
        await office.bring(
            "REFRESH", calendar + b"END:VCALENDAR\r\n", "alice@example.org", "eve@example.net"
        )
        assert len(await office.items("bob")) == 3

    play(scene)


def test_the_organizers_own_copy_is_the_meeting(play):
    async def scene(office):
        entry = await office.call(meeting("bob", "alice"))
        assert len(await office.calendar("alice")) == 1
        await office.bring(
            "REQUEST", request(later(4, subject="No"), NOW + 9000), "alice@example.org"
        )
        (mine,) = await office.calendar("alice")
        assert mine == entry.value

    play(scene)


def test_an_orphan_becomes_part_of_its_series(play):
    async def scene(office):
        from tests.unit.services.meetings.test_any_order import KEYS, of_series

        await office.bring("REQUEST", of_series(("request-0", (0, NOW + 1000), "one")))
        orphan = await office.entry("bob")
        await office.meetings.respond(office.actor("bob"), orphan.item_id, Response.ACCEPTED)
        await office.bring("REQUEST", of_series(("request", (0, NOW), "all")))
        (mine,) = await office.calendar("bob")
        (one,) = mine.overrides
        assert (mine.subject, one.original_start_at, one.subject) == ("all", KEYS[0], "one")
        assert one.busy is BusyStatus.BUSY
        assert (await office.entry("bob")).item_id != orphan.item_id

    play(scene)


@pytest.mark.parametrize("fails_at", range(1, 7))
def test_a_write_that_fails_doubles_nothing(play, fails_at):
    async def scene(office):
        await office.configure("bob", calendar={"delegates": ["carol@example.org"]})
        for data in (REQUEST, request(later(1, subject="New"), NOW), cancellation(later(2), NOW)):
            await office.accept(
                "bob@example.org", sender="alice@example.org", content=mail_of("X", data)
            )
        faults = Faults()
        office.store.records = faulty_records(office.records, faults)
        faults.arm(fails_at)
        for _ in range(4):
            office.follower = office.another()
            try:
                await office.work()
            except Unavailable:
                continue
        faults.arm(0)
        office.clock.now += 3_600_000
        await office.work()
        (mine,) = await office.calendar("bob")
        assert (mine.subject, mine.is_cancelled) == ("New", True)
        assert len(await office.items("carol")) == 3

    play(scene)


def test_what_the_owner_changes_meanwhile_is_not_lost(play, monkeypatch):
    async def scene(office):
        await office.bring("REQUEST", REQUEST)
        entry, mailbox_id = await office.entry("bob"), office.people["bob"].mailbox_id
        news = mail_of("REQUEST", request(later(1, subject="New"), NOW), number=9)
        await office.accept("bob@example.org", sender="alice@example.org", content=news)
        apply = office.store.apply

        async def first_the_owner(_, commit):
            monkeypatch.undo()
            await office.entries.change(
                mailbox_id, entry.item_id, lambda one: replace(one, reminder_minutes=99)
            )
            return await apply(commit)

        monkeypatch.setattr(Store, "apply", first_the_owner)
        assert await office.work() == 1
        (mine,) = await office.calendar("bob")
        assert (mine.subject, mine.reminder_minutes) == ("New", 99)

    play(scene)


def test_it_is_there_at_once(play):
    async def scene(office):
        assert Pace().gathering_s < 0.05
        follower = office.another()
        task = asyncio.ensure_future(follower.run())
        await asyncio.sleep(0)
        await office.accept(
            "bob@example.org", sender="alice@example.org", content=mail_of("REQUEST", REQUEST)
        )
        begun = time.monotonic()

        async def is_there():
            return bool(await office.calendar("bob"))

        await until(is_there)
        took = time.monotonic() - begun
        follower.stop()
        await task
        assert took < 1

    play(scene)


def test_an_organizer_without_an_address_of_mail(play):
    async def scene(office):
        odd = replace(meeting(), organizer=Organizer("urn:uuid:1", "Odd"))
        await office.bring("REQUEST", request(odd, NOW), author="eve@example.net")
        item = await office.entry("bob")
        await office.meetings.respond(office.actor("bob"), item.item_id, Response.ACCEPTED)
        (mine,) = await office.calendar("bob")
        assert mine.busy is BusyStatus.BUSY

    play(scene)
