"""Appointments as a view of iCalendar, in both directions."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ical_strategies import appointments
from msgspec.structs import replace

from posthouse.formats.ical.appointment import appointment_from_ical, ical_from_appointment
from posthouse.formats.ical.lines import IcalLimits
from posthouse.model.appointment import (
    Appointment,
    Attendee,
    AttendeeRole,
    BusyStatus,
    Importance,
    Organizer,
    Override,
    Response,
    Sensitivity,
    occurrence,
)
from posthouse.model.errors import ParserFailed, TooLarge
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays

GOLDEN = Path(__file__).parents[3] / "golden" / "ical"
SAMPLES = sorted(GOLDEN.glob("event-*.ics"))
slow = settings(
    max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@slow
@given(appointments())
def test_written_and_read_is_the_same(appointment: Appointment) -> None:
    data = ical_from_appointment(appointment)
    assert appointment_from_ical(data) == appointment
    assert ical_from_appointment(appointment, data) == data
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))


@slow
@given(appointments(), appointments())
def test_any_change_is_written_whole(before: Appointment, after: Appointment) -> None:
    data = ical_from_appointment(after, ical_from_appointment(before))
    assert appointment_from_ical(data) == after


@slow
@given(st.sampled_from(SAMPLES), appointments())
def test_any_change_of_a_sample_is_written_whole(sample: Path, after: Appointment) -> None:
    data = ical_from_appointment(after, sample.read_bytes())
    assert appointment_from_ical(data) == after


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("eol", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_unchanged_gives_the_same_bytes(sample: Path, eol: bytes) -> None:
    data = sample.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", eol)
    appointment = appointment_from_ical(data)
    assert ical_from_appointment(appointment, data) == data
    changed = ical_from_appointment(replace(appointment, subject="Another one"), data)
    assert changed.count(b"\n") == changed.count(eol)


unknown_lines = st.one_of(
    st.builds(
        lambda n, p, v: f"X-{n}{p}:{v}".encode(),
        st.text("ABCXYZ-09", min_size=1, max_size=12),
        st.sampled_from(["", ";A=b", ';Q="x;y:z,w";R=1,"2"', ";E="]),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=90),
    ),
    st.sampled_from(
        [
            b"no property at all",
            b"ATTACH;FMTTYPE=text/plain:https://files.example/a",
            b"X-FOLDED:a\r\n b\r\n\tc",
            b"X-LATIN:gr\xfc\xdfe",
            b"BEGIN:X-THING\r\nUID:other\r\nBEGIN:VALARM\r\nTRIGGER:-PT1M\r\nEND:VALARM\r\nEND:X-THING",
            b"BEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-PT9M\r\nX-A:b\r\nEND:VALARM",
            b"x-lower;x=1:kept as it is",
            b"COMMENT:one",
        ]
    ),
)


@slow
@given(
    appointments(), appointments(), st.lists(st.tuples(st.integers(0), unknown_lines), max_size=8)
)
def test_the_unknown_survives_any_change(
    before: Appointment, after: Appointment, unknown: list[tuple[int, bytes]]
) -> None:
    # In the calendar itself and in the series, not in what may be taken out (alarms, exceptions).
    lines = ical_from_appointment(before).replace(b"\r\n ", b"\0").split(b"\r\n")
    begin = lines.index(b"BEGIN:VEVENT")
    ends = [n for n, line in enumerate(lines) if line in (b"BEGIN:VALARM", b"END:VEVENT")]
    places = [1, begin, *range(begin + 1, min(n for n in ends if n > begin) + 1)]
    chosen = sorted(((places[n % len(places)], n, line) for n, line in unknown), reverse=True)
    for at, _, line in chosen:
        lines.insert(at, line)
    data = b"\r\n".join(lines).replace(b"\0", b"\r\n ")
    assert ical_from_appointment(appointment_from_ical(data), data) == data
    changed = ical_from_appointment(after, data)
    assert appointment_from_ical(changed) == after
    for _, line in unknown:
        assert b"\r\n" + line + b"\r\n" in changed


def test_unknown_parameters_survive() -> None:
    data = (GOLDEN / "event-exchange.ics").read_bytes()
    appointment = appointment_from_ical(data)
    moved = replace(
        appointment,
        subject="Changed",
        start_at=appointment.start_at + 3_600_000,
        end_at=appointment.end_at + 3_600_000,
        attendees=(
            replace(appointment.attendees[0], response=Response.ACCEPTED),
            *appointment.attendees[1:],
        ),
    )
    lines = ical_from_appointment(moved, data).decode().replace("\r\n ", "").split("\r\n")
    assert "SUMMARY;LANGUAGE=de-DE:Changed" in lines
    assert "DTSTART;TZID=W. Europe Standard Time;X-WHY=kept:20261127T110000" in lines
    assert (
        "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE;X-NUM-GUESTS=0;CN=Bob"
        " Builder:mailto:bob@example.com" in lines
    )
    old = data.decode().replace("\r\n ", "").split("\r\n")
    assert len(lines) == len(old)
    assert sum(a != b for a, b in zip(lines, old, strict=True)) == 4


def test_outlook() -> None:
    appointment = appointment_from_ical((GOLDEN / "event-outlook.ics").read_bytes())
    assert appointment == Appointment(
        uid="040000008200E00074C5B7101A82E008000000001020304050607080000000000000000010000000AABBCCDD",
        sequence=2,
        subject="Wochenbesprechung",
        location="Raum 4; 2. Stock",
        body="Guten Tag,\n\nbis gleich.\n",
        html="<html><body><p>Guten Tag,</p></body></html>",
        start_at=1_795_510_800_000,
        end_at=1_795_514_400_000,
        zone="Europe/Berlin",
        busy=BusyStatus.OUT_OF_OFFICE,
        sensitivity=Sensitivity.PERSONAL,
        importance=Importance.HIGH,
        reminder_minutes=15,
        categories=("Blaue Kategorie", "Team, intern"),
        organizer=Organizer("alice@example.com", "Müller, Alice"),
        attendees=(
            Attendee(
                "bob@example.com",
                "Bob",
                AttendeeRole.REQUIRED,
                Response.ACCEPTED,
                1_795_428_000_000,
            ),
            Attendee("carol@example.com", "Carol", AttendeeRole.OPTIONAL, Response.NONE),
            Attendee("room4@example.com", "Raum 4", AttendeeRole.RESOURCE),
        ),
        response_requested=True,
        disallow_new_time_proposal=True,
        online_meeting_link="https://teams.example/l/1",
        created_at=1_795_424_400_000,
        changed_at=1_795_428_000_000,
        recurrence=Recurrence(
            Frequency.WEEKLY, weekdays=Weekdays.TUESDAY, first_weekday=1, until_at=1_798_534_800_000
        ),
        overrides=(
            Override(original_start_at=1_796_115_600_000, is_deleted=True),
            Override(
                original_start_at=1_796_720_400_000,
                sequence=3,
                subject="Wochenbesprechung (verlegt)",
                start_at=1_796_806_800_000,
                end_at=1_796_810_400_000,
            ),
        ),
    )


def test_apple() -> None:
    appointment = appointment_from_ical((GOLDEN / "event-apple.ics").read_bytes())
    assert appointment.is_all_day
    assert (appointment.start_at, appointment.end_at) == (1_795_651_200_000, 1_795_824_000_000)
    assert appointment.busy == BusyStatus.FREE
    assert appointment.reminder_minutes == 900
    assert appointment.organizer == Organizer("dora@example.org", "Dora")
    assert appointment.attendees[0].address == "emil@example.org"
    assert appointment.recurrence == Recurrence(Frequency.YEARLY, day=26, month=11)
    assert appointment.overrides == (
        Override(original_start_at=1_827_187_200_000, is_deleted=True),
    )


def test_google() -> None:
    appointment = appointment_from_ical((GOLDEN / "event-google.ics").read_bytes())
    assert appointment.zone == ""
    assert appointment.busy == BusyStatus.TENTATIVE
    assert appointment.online_meeting_link == "https://meet.google.example/abc-defg-hij"
    assert appointment.has_unmapped_rule
    assert appointment.recurrence is None
    assert [o.is_cancelled for o in appointment.overrides] == [True]


def test_thunderbird() -> None:
    appointment = appointment_from_ical((GOLDEN / "event-thunderbird.ics").read_bytes())
    assert appointment.html == "<p>Hello, <b>you</b></p>"
    assert appointment.body == "Hello, you"
    assert appointment.zone == "America/New_York"
    assert appointment.end_at - appointment.start_at == 5_400_000
    assert appointment.reminder_minutes == 90
    data = (GOLDEN / "event-thunderbird.ics").read_bytes()
    bare = ical_from_appointment(replace(appointment, html=""), data)
    assert b"ALTREP" not in bare
    assert appointment_from_ical(bare).body == "Hello, you"


def test_zone_of_the_document_only() -> None:
    data = (GOLDEN / "event-own-zone.ics").read_bytes()
    appointment = appointment_from_ical(data)
    # 09:00 in winter at +03:30, in summer at +04:30 by the document's own rules.
    assert appointment.zone == ""
    assert appointment.start_at == 1_795_671_000_000
    assert [o.start_at for o in appointment.overrides] == [1_780_291_800_000]
    later = replace(appointment, end_at=appointment.end_at + 60_000)
    written = ical_from_appointment(later, data)
    assert b'DTEND;TZID="Nowhere; at all":20261126T100100' in written


def test_all_day_by_microsofts_flag() -> None:
    data = (GOLDEN / "event-exchange-allday.ics").read_bytes()
    appointment = appointment_from_ical(data)
    assert appointment.is_all_day
    assert appointment.zone == ""
    assert appointment.start_at == 1_795_651_200_000
    timed = replace(appointment, is_all_day=False, end_at=appointment.start_at + 60_000)
    written = ical_from_appointment(timed, data)
    assert b"X-MICROSOFT-CDO-ALLDAYEVENT:FALSE" in written
    assert appointment_from_ical(written) == timed


def test_zone_is_defined_where_it_is_used_first() -> None:
    appointment = Appointment(uid="u", start_at=0, end_at=0, zone="America/New_York")
    data = ical_from_appointment(appointment)
    assert data.count(b"BEGIN:VTIMEZONE") == 1
    assert b"DTSTART;TZID=America/New_York:19691231T190000" in data
    moved = ical_from_appointment(replace(appointment, zone="Asia/Kolkata"), data)
    assert b"TZID:Asia/Kolkata" in moved
    outlook = (GOLDEN / "event-outlook.ics").read_bytes()
    there = appointment_from_ical(outlook)
    back = ical_from_appointment(there, ical_from_appointment(replace(there, zone=""), outlook))
    assert back.count(b"BEGIN:VTIMEZONE") == 1


def test_occurrence_inherits_a_change_of_the_series() -> None:
    data = (GOLDEN / "event-outlook.ics").read_bytes()
    appointment = replace(appointment_from_ical(data), location="Raum 5")
    written = ical_from_appointment(appointment, data)
    assert written.count(b"LOCATION;LANGUAGE=de:Raum 5\r\n") == 2
    again = appointment_from_ical(written)
    assert occurrence(again, again.overrides[1]).location == "Raum 5"


def test_date_that_excludes_a_time() -> None:
    data = (
        b"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20261001T090000\n"
        b"RRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20261002,20261026\nEND:VEVENT\nEND:VCALENDAR"
    )
    appointment = appointment_from_ical(data)
    starts = [o.original_start_at for o in appointment.overrides]
    assert starts == [1_790_924_400_000, 1_793_001_600_000]
    one = ical_from_appointment(replace(appointment, overrides=appointment.overrides[1:]), data)
    assert b"EXDATE;VALUE=DATE:20261026\n" in one
    none = ical_from_appointment(replace(appointment, recurrence=None, overrides=()), data)
    assert b"RRULE" not in none
    assert b"EXDATE" not in none


def test_rules_beyond_the_patterns_stay_until_replaced() -> None:
    data = (GOLDEN / "event-google.ics").read_bytes()
    appointment = appointment_from_ical(data)
    assert b"\r\nRRULE:FREQ=MONTHLY;BYDAY=MO,WE,FR;BYMONTHDAY=13\r\n" in ical_from_appointment(
        replace(appointment, subject="x"), data
    )
    daily = replace(
        appointment, recurrence=Recurrence(Frequency.DAILY), has_unmapped_rule=False, overrides=()
    )
    written = ical_from_appointment(daily, data)
    assert appointment_from_ical(written) == daily
    assert b"RDATE" not in written


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:soon\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    ],
    ids=["empty", "line", "bare", "no-event", "no-start", "odd-start"],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(ParserFailed):
        appointment_from_ical(data)


def test_vcalendar_is_refused_by_name() -> None:
    data = b"BEGIN:VCALENDAR\nVERSION:1.0\nBEGIN:VEVENT\nDTSTART:20260101T000000Z\nEND:VEVENT\nEND:VCALENDAR"
    with pytest.raises(ParserFailed, match=r"vCalendar 1\.0"):
        appointment_from_ical(data)


def calendar(*lines: bytes) -> bytes:
    body = b"\r\n".join(lines)
    head = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260101T000000Z\r\nRRULE:FREQ=DAILY\r\n"
    return head + body + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


@pytest.mark.parametrize(
    "bomb",
    [
        calendar(b"EXDATE:" + b"20260101T000000Z," * 500_000),
        calendar(*[b"EXDATE;TZID=%d:20260101T000000" % n for n in range(100_000)]),
        calendar(*[b"ATTENDEE;CN=a:mailto:a%d@b" % n for n in range(100_000)]),
        calendar(b"X" + b";A=b" * 1_000_000 + b":c"),
        calendar(b'X;A="' + b'"' * 1_000_000 + b":c"),
        calendar(b"X;A=" + b"," * 1_000_000 + b":c"),
        calendar(b"SUMMARY:" + b"\\" * 1_000_000),
        calendar(b"CATEGORIES:" + b"\\," * 1_000_000),
        calendar(b"DESCRIPTION:" + b"\r\n " * 150_000),
        calendar(b"BEGIN:VALARM\r\nEND:VALARM\r\n" * 2_000),
        calendar(*[b"RRULE:FREQ=DAILY;COUNT=" + b"9" * 1_000_000]),
        calendar(b"DURATION:P" + b"9" * 1_000_000 + b"D"),
        calendar(b"X:\r\n" * 150_000),
        calendar(
            b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\n"
            * 4_900
        ),
    ],
    ids=[
        "dates",
        "zones",
        "people",
        "params",
        "quotes",
        "commas",
        "escapes",
        "items",
        "folds",
        "alarms",
        "digits",
        "length",
        "lines",
        "overrides",
    ],
)
def test_bombs_are_linear(bomb: bytes) -> None:
    begun = time.process_time()
    appointment = appointment_from_ical(bomb)
    assert ical_from_appointment(appointment, bomb) == bomb
    assert time.process_time() - begun < 8


def test_limits() -> None:
    data = calendar(*[b"X:y"] * 20)
    for limits in (
        IcalLimits(document_bytes_max=100),
        IcalLimits(lines_max=10),
        IcalLimits(depth_max=1),
        IcalLimits(components_max=1),
    ):
        with pytest.raises(TooLarge):
            appointment_from_ical(data, limits)


def test_exceptions_without_a_rule_are_left_alone() -> None:
    data = (
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20261001T090000Z\nEXDATE:20261002T090000Z\n"
        b"END:VEVENT\nEND:VCALENDAR\n"
    )
    appointment = appointment_from_ical(data)
    assert appointment.overrides == ()
    assert ical_from_appointment(appointment, data) == data
