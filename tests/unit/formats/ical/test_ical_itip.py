"""Scheduling messages, written and read back."""

from pathlib import Path

from msgspec.structs import replace

from posthouse.formats.ical.appointment import appointment_from_ical
from posthouse.formats.ical.itip import (
    cancellation,
    counter_proposal,
    is_newer,
    message_from_ical,
    reply,
    request,
)
from posthouse.model.appointment import Attendee, Response

GOLDEN = Path(__file__).parents[3] / "golden" / "ical"
DATA = (GOLDEN / "event-exchange.ics").read_bytes()
MEETING = appointment_from_ical(DATA)
NOW = 1_795_600_000_000
BOB = Attendee("bob@example.com", "Bob Builder", response=Response.ACCEPTED)


def test_request_is_the_meeting_without_alarms() -> None:
    for original in (DATA, None):
        data = request(replace(MEETING, sequence=1), NOW, original)
        message = message_from_ical(data)
        assert (message.method, message.uid, message.sequence) == ("REQUEST", MEETING.uid, 1)
        assert message.stamped_at == NOW
        assert message.recurrence_at is None
        assert message.appointment.attendees == MEETING.attendees
        assert b"VALARM" not in data


def test_other_appointments_stay_at_home() -> None:
    google = (GOLDEN / "event-google.ics").read_bytes()
    data = request(appointment_from_ical(google), NOW, google)
    assert b"another@google.com" not in data
    assert data.count(b"BEGIN:VEVENT") == 2


def test_reply_says_who_and_what() -> None:
    data = reply(MEETING, BOB, NOW, DATA, "Gern, bis dann; Bob")
    message = message_from_ical(data)
    assert message.method == "REPLY"
    assert message.attendees == (BOB,)
    assert message.comment == "Gern, bis dann; Bob"
    assert message.organizer == MEETING.organizer
    assert b"X-MICROSOFT" not in data
    assert b"DESCRIPTION" not in data


def test_cancel() -> None:
    message = message_from_ical(cancellation(replace(MEETING, sequence=2), NOW, DATA))
    assert message.method == "CANCEL"
    assert message.appointment.is_cancelled


def test_counter_proposes_other_times() -> None:
    later = replace(MEETING, start_at=MEETING.start_at + 60_000, end_at=MEETING.end_at + 60_000)
    message = message_from_ical(counter_proposal(later, BOB, NOW, DATA))
    assert message.method == "COUNTER"
    assert message.appointment.start_at == later.start_at
    assert message.attendees == (BOB,)


def test_newer_by_sequence_then_by_stamp() -> None:
    message = message_from_ical(request(replace(MEETING, sequence=3), NOW, DATA))
    assert is_newer(message, 2, NOW + 1)
    assert is_newer(message, 3, NOW - 1)
    assert not is_newer(message, 3, NOW)
    assert not is_newer(message, 4, 0)
