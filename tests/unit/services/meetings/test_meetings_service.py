"""What the doors may ask: refused answers, revisions, announcements, free/busy, mail for others."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.services.meetings.conftest import DAY, HOUR, NOW, START, meeting, person

from posthouse.formats.ical.appointment import ical_from_appointment
from posthouse.formats.ical.itip import cancellation, message_from_ical, reply, request
from posthouse.formats.mime.dots import unstuff
from posthouse.model.appointment import (
    Appointment,
    Attendee,
    AttendeeRole,
    BusyStatus,
    Organizer,
    Override,
    Response,
)
from posthouse.model.batch import Batch, Commit, GrantRights
from posthouse.model.errors import AccessDenied, Conflict, NotFound, TooLarge
from posthouse.model.folder import FolderRole
from posthouse.model.people import PrincipalKind
from posthouse.model.recurrence import Frequency, Recurrence
from posthouse.model.rights import Rights
from posthouse.services.groupware.free_busy import BusyTime
from posthouse.services.meetings.availability import Told, digits_of
from posthouse.services.meetings.keeping import taken_at
from posthouse.services.meetings.meeting_mail import MeetingMail, Person, render_mail
from posthouse.services.meetings.outgoing import announcements
from posthouse.services.meetings.revision import next_revision
from posthouse.services.meetings.wording import when_text, words_of

YES, NO, MAYBE = Response.ACCEPTED, Response.DECLINED, Response.TENTATIVE
DAILY = Recurrence(Frequency.DAILY, count=9)


def said(appointment):
    return [one.response for one in appointment.attendees]


# --- answers that cannot be given


def test_what_is_no_invitation_is_not_answered(play):
    async def scene(office):
        bob, alice = office.actor("bob"), office.actor("alice")
        await office.accept("bob@example.org")
        (plain,) = await office.items("bob")
        respond = office.meetings.respond
        with pytest.raises(Conflict):
            await respond(bob, plain.item_id, YES)
        with pytest.raises(NotFound):
            await respond(bob, 4711, YES)
        with pytest.raises(ValueError, match="no answer"):
            await respond(bob, plain.item_id, Response.NONE)
        own = await office.call(meeting("bob"))
        with pytest.raises(Conflict):
            await respond(alice, own.item.item_id, YES)
        await office.bring("REPLY", reply(meeting(), person("carol", response=YES), NOW))
        answer = (await office.items("bob"))[-1]
        with pytest.raises(Conflict):
            await respond(bob, answer.item_id, YES)
        calendar = await office.store.role_folder(bob.mailbox_id, FolderRole.CALENDAR)
        alone = await office.entries.add(
            bob.mailbox_id, calendar.folder_id, Appointment(uid="", start_at=START, end_at=START)
        )
        with pytest.raises(Conflict):
            await respond(bob, alone.item.item_id, YES)

    play(scene)


def test_what_is_off_may_only_be_put_away(play):
    async def scene(office):
        await office.bring("REQUEST", request(meeting(), NOW))
        await office.bring("CANCEL", cancellation(meeting(sequence=1), NOW))
        bob, entry = office.actor("bob"), await office.entry("bob")
        with pytest.raises(Conflict):
            await office.meetings.respond(bob, entry.item_id, YES)
        assert await office.meetings.respond(bob, entry.item_id, NO) is None
        assert await office.calendar("bob") == []
        assert await office.items("bob", FolderRole.SENT) == []

    play(scene)


def test_an_occurrence_that_is_not_there(play):
    async def scene(office):
        series = meeting(
            recurrence=DAILY, overrides=(Override(original_start_at=START + DAY, is_deleted=True),)
        )
        await office.bring("REQUEST", request(series, NOW))
        entry = await office.entry("bob")
        with pytest.raises(NotFound):
            await office.meetings.respond(
                office.actor("bob"), entry.item_id, YES, recurrence_at=START + DAY
            )
        with pytest.raises(Conflict):
            await office.meetings.respond(
                office.actor("bob"), entry.item_id, MAYBE, proposed=(START, START + 1)
            )
        assert await office.items("bob", FolderRole.SENT) == []

    play(scene)


def test_an_answer_that_may_not_be_sent_changes_nothing(play):
    async def scene(office):
        await office.bring("REQUEST", request(meeting(), NOW))
        entry = await office.entry("bob")
        with pytest.raises(AccessDenied):
            await office.meetings.respond(office.actor("bob", login="carol"), entry.item_id, YES)
        assert await office.entry("bob") == entry

    play(scene)


def test_somebody_who_may_answers_for_another(play):
    async def scene(office):
        bob, carol = office.people["bob"].principal_id, office.people["carol"].principal_id
        office.directory.set_send_grant(bob, carol, Rights.SEND_ON_BEHALF)
        await office.call(meeting("bob"))
        entry = await office.entry("bob")
        await office.meetings.respond(office.actor("bob", login="carol"), entry.item_id, YES)
        await office.work()
        (theirs,) = await office.calendar("alice")
        assert said(theirs) == [YES]
        (answer,) = await office.items("alice")
        head = office.whole(answer).partition(b"\r\n\r\n")[0]
        assert b'From: "Bob" <bob@example.org>' in head
        assert b"Sender: carol@example.org" in head.replace(b"<", b"").replace(b">", b"")

    play(scene)


def test_an_answer_from_the_message_is_to_the_newest_version(play):
    async def scene(office):
        await office.bring("REQUEST", request(meeting(), NOW))
        (first,) = await office.items("bob")
        await office.bring("REQUEST", request(meeting(sequence=1, subject="New"), NOW))
        await office.meetings.respond(office.actor("bob"), first.item_id, YES)
        (mine,) = await office.calendar("bob")
        assert (mine.subject, mine.busy) == ("New", BusyStatus.BUSY)
        (sent,) = await office.items("bob", FolderRole.SENT)
        assert b"SEQUENCE:1\r\n" in office.whole(sent)

    play(scene)


# --- revisions


def test_only_time_and_place_make_a_new_revision():
    asked = meeting(
        attendees=(person("bob", response=YES, responded_at=NOW), person("carol", response=NO))
    )
    words = next_revision(asked, replace(asked, subject="Other", body="Text"))
    assert (words.sequence, said(words)) == (0, [YES, NO])
    place = next_revision(asked, replace(asked, location="Elsewhere"))
    assert (place.sequence, said(place)) == (1, [YES, NO])
    time = next_revision(asked, replace(asked, end_at=asked.end_at + HOUR))
    assert (time.sequence, said(time)) == (1, [Response.NONE, Response.NONE])
    off = next_revision(asked, replace(asked, is_cancelled=True))
    assert off.sequence == 1
    rule = next_revision(asked, replace(asked, recurrence=DAILY))
    assert (rule.sequence, said(rule)) == (1, [Response.NONE, Response.NONE])


def test_a_door_cannot_make_up_answers_but_may_bring_newer_ones():
    asked = meeting(attendees=(person("bob", response=NO, responded_at=NOW),))
    forgot = replace(asked, attendees=(person("bob"), person("dora", response=YES)))
    assert said(next_revision(asked, forgot)) == [NO, Response.NONE]
    newer = replace(asked, attendees=(person("bob", response=YES, responded_at=NOW + 1),))
    assert said(next_revision(asked, newer)) == [YES]
    assert said(next_revision(None, newer)) == [Response.NONE]
    own = replace(asked, attendees=(person("alice", response=YES), person("bob", response=YES)))
    assert said(next_revision(None, own)) == [YES, Response.NONE]


def test_a_moved_occurrence_has_a_revision_of_its_own():
    asked = meeting(attendees=(person("bob", response=YES, responded_at=NOW),), recurrence=DAILY)
    key, other = START + DAY, START + 2 * DAY
    moved = Override(original_start_at=key, start_at=key + HOUR, end_at=key + 2 * HOUR)
    named = Override(original_start_at=other, subject="Named")
    now = next_revision(asked, replace(asked, overrides=(moved, named)))
    assert (now.sequence, said(now)) == (0, [YES])
    first, second = taken_at(now, key), taken_at(now, other)
    assert (first.sequence, said(first)) == (1, [Response.NONE])
    assert (second.sequence, said(second)) == (0, [YES])
    again = next_revision(now, now)
    assert again == now


# --- announcements


def told(before, after, original=None):
    document = original or ical_from_appointment(after or before)
    return [
        (
            one.method,
            message_from_ical(one.data),
            sorted(a.address.partition("@")[0] for a in one.to),
        )
        for one in announcements(before, after, document, NOW)
    ]


def test_what_is_told_to_whom():
    asked = meeting("bob", "carol")
    ((method, message, to),) = told(None, asked)
    assert (method, message.method, to) == ("REQUEST", "REQUEST", ["bob", "carol"])
    assert told(asked, asked) == []
    assert (
        told(asked, replace(asked, reminder_minutes=5, categories=("Own",), busy=BusyStatus.FREE))
        == []
    )
    ((method, message, to),) = told(asked, None)
    assert (method, message.sequence, to) == ("CANCEL", 1, ["bob", "carol"])
    ((method, message, _),) = told(asked, replace(asked, is_cancelled=True, sequence=1))
    assert (method, message.sequence) == ("CANCEL", 1)
    assert told(replace(asked, is_cancelled=True), None) == []
    ((method, message, to),) = told(asked, meeting("bob", "carol", "dora"))
    assert (method, to) == ("REQUEST", ["dora"])
    assert len(message.attendees) == 3
    (off, again) = told(asked, meeting("bob", "dora"))
    assert (off[0], off[2], off[1].sequence) == ("CANCEL", ["carol"], 1)
    assert [one.address for one in off[1].attendees] == ["carol@example.org"]
    assert (again[0], again[2]) == ("REQUEST", ["dora"])
    ((method, _, to),) = told(asked, replace(asked, location="There", sequence=1))
    assert (method, to) == ("REQUEST", ["bob", "carol"])
    assert told(None, replace(asked, organizer=None)) == []
    assert told(None, meeting("alice")) == []


def test_single_occurrences_are_told_by_themselves():
    series = meeting("bob", "carol", recurrence=DAILY, zone="Europe/Berlin")
    keys = [START + n * DAY for n in range(1, 5)]
    overrides = (
        Override(original_start_at=keys[0], is_deleted=True),
        Override(original_start_at=keys[1], subject="Named"),
        Override(original_start_at=keys[2], attendees=(person("bob", response=Response.NONE),)),
        Override(original_start_at=keys[3], reminder_minutes=5),
    )
    found = told(series, replace(series, overrides=overrides))
    assert [(m, message.recurrence_at, to) for m, message, to in found] == [
        ("CANCEL", keys[0], ["bob", "carol"]),
        ("REQUEST", keys[1], ["bob", "carol"]),
        ("CANCEL", keys[2], ["carol"]),
        ("REQUEST", keys[2], ["bob"]),
    ]
    assert found[0][1].sequence == 1
    assert found[1][1].appointment.subject == "Named"
    many = tuple(Override(original_start_at=START + n * DAY, subject="Named") for n in range(9))
    ((method, message, _),) = told(series, replace(series, overrides=many))
    assert (method, message.recurrence_at, len(message.appointment.overrides)) == (
        "REQUEST",
        None,
        9,
    )


def test_what_is_ours_stays_at_home():
    asked = meeting("bob", categories=("Own",), reminder_minutes=10)
    document = ical_from_appointment(asked).replace(
        b"END:VEVENT", b"X-POSTHOUSE-REVISION:0/20260101T000000Z\r\nX-ODD:kept\r\nEND:VEVENT"
    )
    (one,) = announcements(None, asked, document, NOW)
    assert b"X-POSTHOUSE" not in one.data
    assert b"CATEGORIES" not in one.data
    assert b"VALARM" not in one.data
    assert b"X-ODD:kept" in one.data


def test_of_others_meetings_nothing_is_announced(play):
    async def scene(office):
        await office.bring("REQUEST", request(meeting("bob", "carol"), NOW))
        (mine,) = await office.calendar("bob")
        bob = office.actor("bob")
        await office.meetings.announce(bob, mine, None, ical_from_appointment(mine))
        await office.meetings.announce(bob, None, None, b"")
        alone = replace(mine, organizer=None)
        await office.meetings.announce(bob, None, alone, ical_from_appointment(alone))
        assert await office.work() == 0
        assert await office.items("bob", FolderRole.SENT) == []

    play(scene)


def test_nobody_behind_an_address_is_told_of_and_the_others_are_served(play):
    async def scene(office):
        asked = meeting("bob", "nobody")
        await office.meetings.announce(
            office.actor("alice"), None, asked, ical_from_appointment(asked)
        )
        await office.work()
        assert len(await office.calendar("bob")) == 1
        (report,) = await office.items("alice")
        assert report.columns.subject.startswith("Undelivered")
        lost = meeting("nobody", uid="n@x")
        with pytest.raises(NotFound):
            await office.meetings.announce(
                office.actor("alice"), None, lost, ical_from_appointment(lost)
            )
        odd = meeting(attendees=(Attendee("urn:uuid:7"), Attendee("not an address@")), uid="o@x")
        await office.meetings.announce(office.actor("alice"), None, odd, ical_from_appointment(odd))
        with pytest.raises(AccessDenied):
            await office.meetings.announce(
                office.actor("alice", login="carol"), None, asked, ical_from_appointment(asked)
            )

    play(scene)


# --- free/busy


def test_who_has_time(play):
    async def scene(office):
        await office.call(meeting("bob", end_at=START + 2 * HOUR))
        window = (START - HOUR, START + 3 * HOUR)
        group = office.directory.add_principal(PrincipalKind.GROUP, "all@example.org", "All", 0)
        office.directory.set_members(
            group.principal_id, ["alice@example.org", "bob@example.org", "x@y.example"]
        )
        asked = [
            "bob@example.org",
            "Alice@example.org",
            "all@example.org",
            "aula@example.org",
            "x@y.example",
            "nobody@example.org",
            "odd",
        ]
        carol = office.people["carol"]
        found = await office.meetings.free_busy_of(asked, window, carol)
        assert [one.address for one in found] == asked
        bob, alice, everybody, aula, foreign, nobody, odd = found
        assert bob.busy == (BusyTime(START, START + 2 * HOUR, BusyStatus.TENTATIVE),)
        assert alice.busy == (BusyTime(START, START + 2 * HOUR, BusyStatus.BUSY),)
        assert everybody.busy == alice.busy
        assert (aula.told, aula.busy) == (Told.BUSY_TIMES, ())
        assert [one.told for one in (foreign, nobody, odd)] == [
            Told.ELSEWHERE,
            Told.NOBODY,
            Told.NOBODY,
        ]
        assert digits_of(bob.busy, window) == "00111100"
        with pytest.raises(TooLarge):
            await office.meetings.free_busy_of(asked, (0, 63 * DAY), carol)

    play(scene)


def test_who_does_not_show_it(play):
    async def scene(office):
        await office.call(meeting("carol"))
        await office.configure("bob", calendar={"shows_free_busy": False})
        window, carol, bob = (START, START + HOUR), office.people["carol"], office.people["bob"]

        async def told_to(asker):
            (one,) = await office.meetings.free_busy_of(["bob@example.org"], window, asker)
            return one.told

        assert await told_to(carol) is Told.DENIED
        assert await told_to(bob) is Told.BUSY_TIMES
        calendar = await office.store.role_folder(bob.mailbox_id, FolderRole.CALENDAR)
        grant = GrantRights(calendar.folder_id, carol.principal_id, Rights.REVIEWER)
        await office.records.apply(Commit((Batch(bob.mailbox_id, (grant,)),)))
        assert await told_to(carol) is Told.BUSY_TIMES

    play(scene)


def test_a_group_of_many(play):
    async def scene(office):
        names = [f"p{n}" for n in range(21)]
        for name in names:
            await office.add_person(name)
        group = office.directory.add_principal(PrincipalKind.GROUP, "all@example.org", "All", 0)
        office.directory.set_members(group.principal_id, [f"{name}@example.org" for name in names])
        (one,) = await office.meetings.free_busy_of(
            ["all@example.org"], (START, START + HOUR), office.people["bob"]
        )
        assert one.told is Told.TOO_MANY

    play(scene)


def test_digits():
    minute = 60_000
    busy = [
        BusyTime(0, 30 * minute, BusyStatus.TENTATIVE),
        BusyTime(45 * minute, 61 * minute, BusyStatus.BUSY),
        BusyTime(61 * minute, 90 * minute, BusyStatus.WORKING_ELSEWHERE),
        BusyTime(89 * minute, 90 * minute, BusyStatus.OUT_OF_OFFICE),
    ]
    assert digits_of(busy, (0, 120 * minute)) == "1230"
    assert digits_of(busy, (0, 121 * minute), tells_elsewhere=True) == "12300"
    assert digits_of(busy[2:3], (60 * minute, 90 * minute), tells_elsewhere=True) == "4"
    assert digits_of(busy, (0, 0)) == ""
    assert digits_of(busy, (30 * minute, 60 * minute), 15) == "02"


@given(
    st.lists(
        st.tuples(st.integers(-5, 50), st.integers(1, 9), st.sampled_from(BusyStatus)), max_size=5
    ),
    st.integers(0, 40),
)
def test_digits_say_the_same_as_the_times(spans, length):
    minute = 60_000
    busy = [BusyTime(at * 10 * minute, (at + size) * 10 * minute, how) for at, size, how in spans]
    window = (0, length * 10 * minute)
    digits = digits_of(busy, window, tells_elsewhere=True)
    assert len(digits) == -(-length // 3)
    for index, digit in enumerate(digits):
        begin, end = index * 30 * minute, (index + 1) * 30 * minute
        here = {int(one.busy) for one in busy if one.start_at < end and one.end_at > begin}
        assert digit == max((str(n) for n in here | {0}), key="01423".index)


# --- the mail


def test_a_mail_is_read_by_others():
    mail = MeetingMail(
        method="REQUEST",
        author=Person("alice@example.org", 'Alice "Al" Ö'),
        to=(Person("bob@example.net", "Bob, B."), Person("c@example.net")),
        copies=(Person("jörg@example.net", "Jörg"),),
        subject="Größe " * 20 + "\r\nBcc: x@y.z",
        text="Grüße\n.dot\n",
        calendar=request(meeting(), NOW),
        message_id="m1@example.org",
        made_at=NOW,
        answers="m0@example.org",
        is_automatic=True,
    )
    stuffed = render_mail(mail)
    plain = unstuff(stuffed.wire, lacks_final_eol=stuffed.lacks_final_eol)
    assert max(map(len, plain.split(b"\r\n"))) < 200
    read = email.message_from_bytes(plain, policy=email.policy.default)
    assert read["From"].addresses[0].display_name == 'Alice "Al" Ö'
    assert [one.addr_spec for one in read["To"].addresses] == ["bob@example.net", "c@example.net"]
    assert read["To"].addresses[0].display_name == "Bob, B."
    assert read["Subject"] == ("Größe " * 20 + " Bcc: x@y.z").replace("  ", " ")
    assert read["Bcc"] is None
    assert (read["In-Reply-To"], read["Auto-Submitted"]) == ("<m0@example.org>", "auto-replied")
    assert read.get_content_type() == "multipart/alternative"
    text, calendar = read.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == "Grüße\n.dot\n"
    assert calendar.get_param("method") == "REQUEST"
    assert calendar.get_payload(decode=True) == mail.calendar


@given(st.text(max_size=300), st.text(max_size=80), st.text(max_size=80))
def test_no_words_break_a_mail(subject, name, text):
    mail = MeetingMail(
        method="REPLY",
        author=Person("a@b.c", name),
        to=(Person("d@e.f", name),),
        subject=subject,
        text=text,
        calendar=b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        message_id="m1@b.c",
        made_at=NOW,
    )
    stuffed = render_mail(mail)
    plain = unstuff(stuffed.wire, lacks_final_eol=stuffed.lacks_final_eol)
    head = plain.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert names == [
        b"From",
        b"To",
        b"Subject",
        b"Date",
        b"Message-ID",
        b"Content-Class",
        b"MIME-Version",
        b"Content-Type",
    ]
    read = email.message_from_bytes(plain)
    assert len(read.get_payload()) == 2
    assert read.get_payload(1).get_payload(decode=True) == mail.calendar


def test_words():
    one = meeting(location="Aula", body="Bring paper.", zone="Europe/Berlin", recurrence=DAILY)
    assert words_of(one, "Please come.").startswith(
        "Please come.\n\nWhen: Tuesday, 2 June 2026, 11:00 to 12:00 (Europe/Berlin)\n"
        "Repeats: every day, 9 times\nWhere: Aula\n"
    )
    day = START // DAY * DAY
    whole = meeting(start_at=day, end_at=day + DAY, is_all_day=True)
    assert when_text(whole) == "Tuesday, 2 June 2026"
    assert (
        when_text(replace(whole, end_at=day + 3 * DAY))
        == "Tuesday, 2 June 2026 to Thursday, 4 June 2026"
    )
    night = meeting(end_at=START + DAY)
    assert when_text(night) == "Tuesday, 2 June 2026, 09:00 to Wednesday, 3 June 2026, 09:00 (UTC)"
    assert when_text(meeting(is_floating=True)) == "Tuesday, 2 June 2026, 09:00 to 10:00"


def test_optional_people_and_those_elsewhere(play):
    async def scene(office):
        asked = meeting(
            attendees=(
                person("bob", response=Response.NONE),
                person("carol", role=AttendeeRole.OPTIONAL, response=Response.NONE),
                Attendee("dora@example.net", "Dora", response=Response.NONE),
            )
        )
        await office.meetings.announce(
            office.actor("alice"), None, asked, ical_from_appointment(asked)
        )
        (sent,) = await office.items("alice", FolderRole.SENT)
        read = email.message_from_bytes(office.whole(sent), policy=email.policy.default)
        assert [one.addr_spec for one in read["To"].addresses] == [
            "bob@example.org",
            "dora@example.net",
        ]
        assert [one.addr_spec for one in read["Cc"].addresses] == ["carol@example.org"]
        (queued,) = await office.queue()
        assert [one.address for one in queued.message.recipients] == ["dora@example.net"]

    play(scene)


def test_an_organizer_elsewhere_is_answered_by_the_queue(play):
    async def scene(office):
        asked = meeting("bob", organizer="zoe")
        asked = replace(asked, organizer=Organizer("zoe@example.net", "Zoe"))
        await office.bring("REQUEST", request(asked, NOW), author="zoe@example.net")
        entry = await office.entry("bob")
        await office.meetings.respond(office.actor("bob"), entry.item_id, YES, comment="Ja")
        (queued,) = await office.queue()
        assert [one.address for one in queued.message.recipients] == ["zoe@example.net"]
        plain = office.blobs.read_plain(queued.message.blob)
        read = email.message_from_bytes(plain, policy=email.policy.default)
        calendar = list(read.iter_parts())[1].get_payload(decode=True)
        message = message_from_ical(calendar)
        assert (message.method, message.comment, said(message.appointment)) == (
            "REPLY",
            "Ja",
            [YES],
        )

    play(scene)
