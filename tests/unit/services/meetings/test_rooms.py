"""Rooms: who comes first gets the room, and everybody hears."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.services.meetings.conftest import DAY, HOUR, NOW, START, mail_of, meeting

from posthouse.backends.memory.faulty import Faults, faulty_records
from posthouse.formats.ical.itip import cancellation, request
from posthouse.model.appointment import (
    Attendee,
    AttendeeRole,
    BusyStatus,
    Organizer,
    Override,
    Response,
    Sensitivity,
)
from posthouse.model.errors import Unavailable
from posthouse.model.folder import FolderRole
from posthouse.model.recurrence import Frequency, Recurrence
from posthouse.services.meetings.booking import refused_for_others
from posthouse.services.meetings.keeping import taken_at

AULA = Attendee("aula@example.org", "Aula", AttendeeRole.RESOURCE, Response.NONE)


def booking(uid="r-1@example.org", **more):
    return meeting(attendees=(AULA,), uid=uid, **more)


async def answers(office, name="alice"):
    """What the room has said, from the subjects of its mails."""
    items = await office.items(name)
    return [
        item.columns.subject.partition(":")[0] for item in items if "Aula" in item.columns.sender
    ]


def test_a_free_room_accepts(play):
    async def scene(office):
        await office.call(booking())
        (taken,) = await office.calendar("aula")
        assert taken.busy is BusyStatus.BUSY
        assert taken.attendees[0].response is Response.ACCEPTED
        assert taken.reminder_minutes is None
        assert await answers(office) == ["Accepted"]
        (theirs,) = await office.calendar("alice")
        assert theirs.attendees[0].response is Response.ACCEPTED
        assert theirs.attendees[0].role is AttendeeRole.RESOURCE
        assert await office.items("aula") == []
        (answer,) = await office.items("alice")
        head = office.whole(answer).partition(b"\r\n\r\n")[0]
        assert b"Auto-Submitted: auto-replied" in head
        assert b"In-Reply-To" in head

    play(scene)


def test_of_two_rivals_the_first_gets_it_and_the_other_hears_whose_it_is(play):
    async def scene(office):
        later = booking(
            "r-2@example.org", organizer="bob", start_at=START + HOUR // 2, end_at=START + 2 * HOUR
        )
        for one, name in ((booking(), "alice"), (later, "bob")):
            await office.accept(
                "aula@example.org",
                sender=f"{name}@example.org",
                content=mail_of("REQUEST", request(one, NOW), f"{name}@example.org"),
            )
        await office.work()
        assert [one.uid for one in await office.calendar("aula")] == ["r-1@example.org"]
        assert await answers(office) == ["Accepted"]
        assert await answers(office, "bob") == ["Declined"]
        (answer,) = await office.items("bob")
        assert b"already booked by Alice: Tuesday, 2 June 2026, 09:00 to 10:00" in office.whole(
            answer
        )

    play(scene)


def test_next_to_each_other_is_no_conflict(play):
    async def scene(office):
        await office.call(booking())
        await office.call(
            booking("r-2@example.org", start_at=START + HOUR, end_at=START + 2 * HOUR)
        )
        await office.call(booking("r-3@example.org", start_at=START - HOUR, end_at=START))
        assert await answers(office) == ["Accepted"] * 3

    play(scene)


def test_a_private_meeting_is_somebodys(play):
    async def scene(office):
        await office.call(booking(sensitivity=Sensitivity.PRIVATE, subject="Secret"))
        await office.call(booking("r-2@example.org", organizer="bob"), "bob")
        (answer,) = await office.items("bob")
        text = office.whole(answer)
        assert b"already booked by somebody" in text
        assert b"Secret" not in text
        assert b"Alice" not in text

    play(scene)


def test_what_is_off_is_free_again(play):
    async def scene(office):
        entry = await office.call(booking())
        office.clock.now += 5_000
        await office.meetings.announce(office.actor("alice"), entry.value, None, entry.original)
        await office.work()
        assert await office.calendar("aula") == []
        await office.call(booking("r-2@example.org", organizer="bob"), "bob")
        assert await answers(office, "bob") == ["Accepted"]
        assert await answers(office) == ["Accepted"]

    play(scene)


def test_repeated_requests_are_answered_once(play):
    async def scene(office):
        await office.call(booking())
        again = request(booking(), NOW)
        await office.bring("REQUEST", again, "aula@example.org")
        taken = booking("r-2@example.org", organizer="bob")
        for _ in range(2):
            await office.bring(
                "REQUEST", request(taken, NOW), "aula@example.org", "bob@example.org"
            )
        assert await answers(office) == ["Accepted"]
        assert await answers(office, "bob") == ["Declined"]

    play(scene)


def test_words_keep_the_booking_another_time_is_decided_anew(play):
    async def scene(office):
        await office.call(
            booking("r-0@example.org", start_at=START + DAY, end_at=START + DAY + HOUR)
        )
        entry = await office.call(booking())
        entry = await office.change(entry, subject="Other words")
        assert await answers(office) == ["Accepted", "Accepted"]
        taken = await office.calendar("aula")
        assert [one.subject for one in taken] == ["Plan", "Other words"]
        assert taken[1].busy is BusyStatus.BUSY
        entry = await office.change(entry, start_at=START + 2 * DAY, end_at=START + 2 * DAY + HOUR)
        assert await answers(office) == ["Accepted"] * 3
        await office.change(entry, start_at=START + DAY, end_at=START + DAY + HOUR)
        assert await answers(office) == ["Accepted", "Accepted", "Accepted", "Declined"]
        assert [one.uid for one in await office.calendar("aula")] == ["r-0@example.org"]

    play(scene)


@pytest.mark.parametrize(
    ("settings", "more", "words"),
    [
        ({}, {"start_at": NOW + 181 * DAY, "end_at": NOW + 181 * DAY + HOUR}, "next 180 days"),
        ({}, {"end_at": START + 25 * HOUR}, "1440 minutes at most"),
        ({}, {"start_at": NOW - 3 * HOUR, "end_at": NOW - HOUR}, "has passed"),
        ({}, {"recurrence": Recurrence(Frequency.DAILY)}, "next 180 days"),
        (
            {"allow_recurring": False},
            {"recurrence": Recurrence(Frequency.DAILY, count=2)},
            "no series",
        ),
        ({"max_minutes": 30}, {}, "30 minutes at most"),
    ],
)
def test_what_no_room_takes(play, settings, more, words):
    async def scene(office):
        await office.configure("aula", booking=settings)
        await office.call(booking(**more))
        assert await office.calendar("aula") == []
        (answer,) = await office.items("alice")
        assert answer.columns.subject.startswith("Declined")
        assert words in " ".join(office.whole(answer).decode().split())

    play(scene)


def test_a_series_is_taken_whole_or_not_at_all(play):
    async def scene(office):
        await office.call(
            booking(
                "r-0@example.org",
                organizer="bob",
                start_at=START + 3 * DAY,
                end_at=START + 3 * DAY + HOUR,
            ),
            "bob",
        )
        daily = Recurrence(Frequency.DAILY, count=5)
        await office.call(booking(recurrence=daily))
        assert await answers(office) == ["Declined"]
        free = Override(original_start_at=START + 3 * DAY, is_deleted=True)
        await office.call(booking("r-2@example.org", recurrence=daily, overrides=(free,)))
        assert await answers(office) == ["Declined", "Accepted"]

    play(scene)


def test_one_occurrence_is_decided_by_itself(play):
    async def scene(office):
        await office.call(
            booking(
                "r-0@example.org",
                organizer="bob",
                start_at=START + 2 * DAY + 2 * HOUR,
                end_at=START + 2 * DAY + 3 * HOUR,
            ),
            "bob",
        )
        entry = await office.call(booking(recurrence=Recurrence(Frequency.DAILY, count=5)))
        second, third = START + DAY, START + 2 * DAY

        def moved(key):
            return Override(original_start_at=key, start_at=key + 2 * HOUR, end_at=key + 3 * HOUR)

        await office.change(entry, overrides=(moved(second), moved(third)))
        assert await answers(office) == ["Accepted", "Accepted", "Declined"]
        series = next(one for one in await office.calendar("aula") if one.recurrence)
        ok, lost = series.overrides
        assert ok.start_at == second + 2 * HOUR
        assert taken_at(series, second).busy is BusyStatus.BUSY
        assert (lost.original_start_at, lost.is_deleted) == (third, True)
        theirs = (await office.calendar("alice"))[0]
        said = {o.original_start_at: o.attendees[0].response for o in theirs.overrides}
        assert said == {second: Response.ACCEPTED, third: Response.DECLINED}

    play(scene)


def test_conflicts_may_be_allowed(play):
    async def scene(office):
        await office.configure("aula", booking={"allow_conflicts": True})
        await office.call(booking())
        await office.call(booking("r-2@example.org", organizer="bob"), "bob")
        assert await answers(office, "bob") == ["Accepted"]
        assert len(await office.calendar("aula")) == 2

    play(scene)


def test_a_room_that_decides_nothing_is_kept_as_a_person(play):
    async def scene(office):
        await office.configure("aula", booking={"auto": False})
        await office.call(booking())
        (taken,) = await office.calendar("aula")
        assert taken.busy is BusyStatus.TENTATIVE
        assert await answers(office) == []
        assert len(await office.items("aula")) == 1

    play(scene)


@pytest.mark.parametrize("external", [False, True])
def test_people_from_elsewhere(play, external):
    async def scene(office):
        await office.configure("aula", booking={"external": external})
        asked = replace(booking(), organizer=Organizer("eve@example.net", "Eve"))
        await office.accept(
            "aula@example.org",
            sender="eve@example.net",
            content=mail_of("REQUEST", request(asked, NOW), "eve@example.net"),
        )
        await office.follower.run_once()
        assert len(await office.calendar("aula")) == external
        assert len(await office.queue()) == external
        assert len(await office.items("aula")) == (not external)

    play(scene)


def test_only_the_organizer_gives_a_room_back(play):
    async def scene(office):
        await office.call(booking())
        off = cancellation(booking(sequence=4), NOW + 9000)
        await office.bring("CANCEL", off, "aula@example.org", "bob@example.org")
        assert len(await office.calendar("aula")) == 1
        await office.bring("CANCEL", off, "aula@example.org", "alice@example.org")
        assert await office.calendar("aula") == []

    play(scene)


@pytest.mark.parametrize("fails_at", range(1, 7))
def test_a_write_that_fails_books_and_answers_once(play, fails_at):
    async def scene(office):
        for one, name in (
            (booking(), "alice"),
            (booking("r-2@example.org", organizer="bob"), "bob"),
        ):
            await office.accept(
                "aula@example.org",
                sender=f"{name}@example.org",
                content=mail_of("REQUEST", request(one, NOW), f"{name}@example.org"),
            )
        faults = Faults()
        office.store.records = faulty_records(office.records, faults)
        faults.arm(fails_at)
        for _ in range(3):
            office.follower = office.another()
            try:
                await office.work()
            except Unavailable:
                continue
        faults.arm(0)
        office.clock.now += 3_600_000
        await office.work()
        assert len(await office.calendar("aula")) == 1
        assert len(await office.calendar("aula", FolderRole.DELETED)) == 1
        assert await answers(office) == ["Accepted"]
        assert await answers(office, "bob") == ["Declined"]

    play(scene)


def test_whoever_lies_under_a_longer_one_is_found():
    def at(start, end, name):
        return meeting(start_at=START + start, end_at=START + end, organizer=name, uid=name)

    others = [at(0, 10 * HOUR, "long"), at(HOUR, 2 * HOUR, "short")]
    asked = meeting(start_at=START + 5 * HOUR, end_at=START + 6 * HOUR)
    assert "booked by Long" in refused_for_others(asked, others, NOW)
    assert (
        refused_for_others(
            replace(asked, start_at=START + 10 * HOUR, end_at=START + 11 * HOUR), others, NOW
        )
        == ""
    )
    free = [replace(one, busy=BusyStatus.FREE) for one in others]
    assert refused_for_others(asked, free, NOW) == ""
