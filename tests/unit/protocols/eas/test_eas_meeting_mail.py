"""Invitations at the door: shown before any assistant has seen them, sent once however often said."""

import pytest
from msgspec.structs import replace
from tests.unit.protocols.eas.house import play
from tests.unit.services.meetings.conftest import DAY, START, mail_of, meeting

from posthouse.formats.ical.itip import cancellation, request
from posthouse.model.appointment import Response
from posthouse.model.folder import FolderRole
from posthouse.protocols.eas.wire.times import compact_from_ms

SCHEDULE = "IPM.Schedule.Meeting."


def collection(folder, key, inner=""):
    return (
        f"<Collections><Collection><SyncKey>{key}</SyncKey><CollectionId>{folder}</CollectionId>"
        f"{inner}</Collection></Collections>"
    )


async def begun(house, folder, name):
    answer = await house.says("Sync", collection(folder, 0), name)
    return answer.find("Collections", "Collection").text_of("SyncKey")


async def seen(house, name="bob", role=FolderRole.INBOX):
    """What a phone is shown of the one item of a folder."""
    folder = await house.folder(name, role)
    key = await begun(house, folder, name)
    answer = await house.says("Sync", collection(folder, key), name)
    (added,) = answer.find("Collections", "Collection", "Commands").each("Add")
    return added.child("ApplicationData")


@pytest.mark.parametrize(
    ("method", "write", "kind"),
    [("REQUEST", request, "Request"), ("CANCEL", cancellation, "Canceled")],
)
def test_shown_before_the_assistant_has_marked_it(method, write, kind):
    async def scene(house):
        content = mail_of(method, write(meeting("bob"), START - DAY))
        await house.accept("bob@example.org", sender="alice@example.org", content=content)
        (item,) = await house.items("bob")
        assert item.columns.item_class == "IPM.Note", "nobody has looked at it"
        data = await seen(house)
        assert data.text_of("Email:MessageClass") == SCHEDULE + kind
        assert data.find("Email:MeetingRequest", "Calendar:UID").text == "m-1@example.org"

    play(scene)


@pytest.mark.parametrize("calendar", [b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"rubbish"])
def test_a_calendar_that_asks_nothing_is_a_file(calendar):
    async def scene(house):
        content = mail_of("REQUEST", calendar)
        await house.accept("bob@example.org", sender="alice@example.org", content=content)
        data = await seen(house)
        assert data.text_of("Email:MessageClass") == "IPM.Note"
        assert data.child("Email:MeetingRequest") is None

    play(scene)


def test_a_repeated_add_invites_once():
    async def scene(house):
        folder = await house.folder("alice", FolderRole.CALENDAR)
        key = await begun(house, folder, "alice")
        data = (
            f"<Calendar:Subject>Plan</Calendar:Subject><Calendar:StartTime>{compact_from_ms(START)}"
            f"</Calendar:StartTime><Calendar:EndTime>{compact_from_ms(START + DAY)}</Calendar:EndTime>"
            "<Calendar:Attendees><Calendar:Attendee><Calendar:Email>bob@example.org</Calendar:Email>"
            "<Calendar:Name>Bob</Calendar:Name></Calendar:Attendee></Calendar:Attendees>"
        )
        adding = f"<Commands><Add><ClientId>1</ClientId><ApplicationData>{data}</ApplicationData></Add></Commands>"
        for _ in range(3):
            answer = await house.says("Sync", collection(folder, key, adding))
            assert answer.find("Collections", "Collection", "Status").text == "1"
            await house.work()
        assert len(await house.calendar("alice")) == 1
        assert len(await house.items("bob")) == 1

    play(scene)


def test_who_moves_a_meeting_is_told_that_the_answers_are_void():
    async def scene(house):
        folder = await house.folder("alice", FolderRole.CALENDAR)
        key = await begun(house, folder, "alice")
        bob = (
            "<Calendar:Attendees><Calendar:Attendee><Calendar:Email>bob@example.org</Calendar:Email>"
            "<Calendar:Name>Bob</Calendar:Name></Calendar:Attendee></Calendar:Attendees>"
        )

        def at(start):
            return (
                f"<Calendar:StartTime>{compact_from_ms(start)}</Calendar:StartTime>"
                f"<Calendar:EndTime>{compact_from_ms(start + DAY // 24)}</Calendar:EndTime>"
            )

        async def sync(inner=""):
            nonlocal key
            answer = await house.says("Sync", collection(folder, key, inner))
            if answer is None:
                return None
            found = answer.find("Collections", "Collection")
            key = found.text_of("SyncKey")
            return found

        data = f"<Calendar:Subject>Plan</Calendar:Subject>{at(START)}{bob}"
        made = await sync(
            "<Commands><Add><ClientId>1</ClientId>"
            f"<ApplicationData>{data}</ApplicationData></Add></Commands>"
        )
        server_id = made.find("Responses", "Add", "ServerId").text
        (entry,) = await house.calendar("alice")
        accepted = replace(entry.attendees[0], response=Response.ACCEPTED)
        mailbox_id = house.people["alice"].mailbox_id
        (item_id,) = await house.store.records.by_ical_uid(mailbox_id, entry.uid)
        await house.services.entries.change(
            mailbox_id, item_id, lambda known: replace(known, attendees=(accepted,))
        )
        await sync()
        moved = await sync(
            f"<Commands><Change><ServerId>{server_id}</ServerId>"
            f"<ApplicationData>{at(START + DAY)}</ApplicationData></Change></Commands>"
        )
        told = moved.find("Commands", "Change", "ApplicationData") or (await sync()).find(
            "Commands", "Change", "ApplicationData"
        )
        attendee = told.find("Calendar:Attendees", "Calendar:Attendee")
        assert attendee.text_of("Calendar:AttendeeStatus") != "3"
        assert await sync() is None, "and told once"

    play(scene)
