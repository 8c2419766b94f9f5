"""MeetingResponse: by message or entry, alone or for another, with and without a mail."""

import pytest
from tests.unit.protocols.eas.eas_items import check
from tests.unit.protocols.eas.house import play
from tests.unit.services.meetings.conftest import DAY, HOUR, START, meeting

from posthouse.model.appointment import Response
from posthouse.model.folder import FolderRole
from posthouse.model.recurrence import Frequency, Recurrence
from posthouse.model.rights import Rights
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.times import compact_from_ms, long_from_ms
from posthouse.services.meetings.calendar_part import scheduling_messages


def asking(answer, folder, item, more=""):
    return (
        f"<Request><UserResponse>{answer}</UserResponse><CollectionId>{folder}</CollectionId>"
        f"<RequestId>{item}</RequestId>{more}</Request>"
    )


async def told(house, inner, name="bob", version=Version.V16_1):
    answer = await house.says("MeetingResponse", inner, name, version)
    check(answer)
    return [
        (one.text_of("RequestId"), int(one.text_of("Status")), one.text_of("CalendarId"))
        for one in answer.each("Result")
    ]


async def invited(house, **more):
    """Bob is asked by Alice: names of inbox, message, calendar, entry."""
    await house.call(meeting("bob", **more))
    (message,) = await house.items("bob")
    entry = await house.entry("bob")
    inbox = await house.folder("bob")
    calendar = await house.folder("bob", FolderRole.CALENDAR)
    return inbox, f"{inbox}:{message.item_id}", calendar, f"{calendar}:{entry.item_id}"


@pytest.mark.parametrize(
    ("version", "more", "mails"),
    [
        (Version.V14_1, "", 0),
        (Version.V14_1, "<SendResponse/>", 0),
        (Version.V16_1, "", 0),
        (Version.V16_1, "<SendResponse/>", 1),
    ],
)
def test_who_writes_to_the_organizer(version, more, mails):
    async def scene(house):
        inbox, message, _, entry = await invited(house)
        inner = asking(1, inbox, message, more)
        assert await told(house, inner, version=version) == [(message, 1, entry)]
        (mine,) = await house.calendar("bob")
        assert mine.attendees[0].response is Response.ACCEPTED
        assert len(await house.items("alice")) == mails
        assert await house.items("bob") == []
        assert await told(house, inner, version=version) == [(message, 1, entry)], "asked again"

    play(scene)


def test_an_answer_to_the_entry_with_words():
    async def scene(house):
        _, _, calendar, entry = await invited(house)
        body = (
            "<SendResponse><AirSyncBase:Body><AirSyncBase:Type>2</AirSyncBase:Type>"
            "<AirSyncBase:Data>&lt;p&gt;Maybe&lt;/p&gt;</AirSyncBase:Data></AirSyncBase:Body>"
            "</SendResponse>"
        )
        assert await told(house, asking(2, calendar, entry, body)) == [(entry, 1, entry)]
        (got,) = await house.items("alice")
        (said,) = scheduling_messages(house.whole(got))
        assert said.message.attendees[0].response is Response.TENTATIVE
        assert said.message.comment == "Maybe"

    play(scene)


def test_another_time():
    async def scene(house):
        inbox, message, _, entry = await invited(house)
        times = [compact_from_ms(START + DAY), compact_from_ms(START + DAY + HOUR)]
        more = (
            f"<SendResponse><ProposedStartTime>{times[0]}</ProposedStartTime>"
            f"<ProposedEndTime>{times[1]}</ProposedEndTime></SendResponse>"
        )
        assert await told(house, asking(2, inbox, message, more)) == [(message, 1, entry)]
        (got,) = await house.items("alice")
        (said,) = scheduling_messages(house.whole(got))
        assert said.message.method == "COUNTER"
        assert said.message.appointment.start_at == START + DAY

    play(scene)


def test_what_is_declined_has_no_entry():
    async def scene(house):
        inbox, message, _, _ = await invited(house)
        assert await told(house, asking(3, inbox, message)) == [(message, 1, "")]
        assert await house.calendar("bob") == []

    play(scene)


def test_one_occurrence():
    async def scene(house):
        _, _, calendar, entry = await invited(
            house, recurrence=Recurrence(Frequency.DAILY, count=3)
        )
        more = f"<InstanceId>{long_from_ms(START + DAY)}</InstanceId>"
        assert await told(house, asking(3, calendar, entry, more)) == [(entry, 1, "")]
        (mine,) = await house.calendar("bob")
        assert [one.is_deleted for one in mine.overrides] == [True]
        assert await told(house, asking(1, calendar, entry, more)) == [(entry, 2, "")]

    play(scene)


@pytest.mark.parametrize("at", [START + DAY // 2, START + 9 * DAY, START - DAY, 0])
@pytest.mark.parametrize("recurrence", [None, Recurrence(Frequency.DAILY, count=3)])
def test_no_such_occurrence(at, recurrence):
    async def scene(house):
        _, _, calendar, entry = await invited(house, recurrence=recurrence)
        before = await house.calendar("bob")
        more = f"<InstanceId>{long_from_ms(at)}</InstanceId><SendResponse/>"
        assert await told(house, asking(3, calendar, entry, more)) == [(entry, 2, "")]
        assert await house.calendar("bob") == before
        await house.work()
        assert await house.items("alice") == []

    play(scene)


def test_the_only_occurrence_is_the_whole():
    async def scene(house):
        _, _, calendar, entry = await invited(house)
        more = f"<InstanceId>{long_from_ms(START)}</InstanceId>"
        assert await told(house, asking(1, calendar, entry, more)) == [(entry, 1, entry)]
        (mine,) = await house.calendar("bob")
        assert mine.attendees[0].response is Response.ACCEPTED
        assert mine.overrides == ()

    play(scene)


def test_each_request_has_its_own_result():
    async def scene(house):
        inbox, message, _, entry = await invited(house)
        await house.accept("bob@example.org")
        plain = f"{inbox}:{(await house.items('bob'))[-1].item_id}"
        backwards = (
            "<SendResponse><ProposedStartTime>20260102T000000Z</ProposedStartTime>"
            "<ProposedEndTime>20260101T000000Z</ProposedEndTime></SendResponse>"
        )
        requests = [
            asking(1, inbox, plain),
            asking(1, inbox, f"{inbox}:999"),
            asking(9, inbox, message),
            asking(1, inbox, message, "<InstanceId>soon</InstanceId>"),
            asking(1, inbox, message, backwards),
            asking(1, inbox, message),
        ]
        found = await told(house, "".join(requests))
        assert [status for _, status, _ in found] == [2, 2, 2, 2, 2, 1]
        assert found[-1][2] == entry

    play(scene)


def test_for_another_who_shares():
    async def scene(house):
        await invited(house)
        (message,) = await house.items("bob")
        inbox = await house.shared("bob", FolderRole.INBOX, "carol", Rights.EDITOR)
        name = f"{inbox}:{message.item_id}"
        assert await told(house, asking(1, inbox, name), "carol") == [(name, 2, "")]
        calendar = await house.shared("bob", FolderRole.CALENDAR, "carol", Rights.EDITOR)
        entry = await house.entry("bob")
        expected = [(name, 1, f"{calendar}:{entry.item_id}")]
        assert await told(house, asking(1, inbox, name), "carol") == expected
        (mine,) = await house.calendar("bob")
        assert mine.attendees[0].response is Response.ACCEPTED

    play(scene)
