"""Who takes part: organizer, attendees, answers."""

from __future__ import annotations

import pytest
from eas_appointments import MEETING, NOW, PLAIN, in_minutes, shown, text_of, told
from eas_items import application_data, data
from msgspec.structs import replace

from posthouse.model.appointment import Attendee, AttendeeRole, Organizer, Response
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version


def test_owner_is_the_organizer_of_what_is_no_meeting() -> None:
    children = shown(PLAIN, Version.V14_1)
    assert text_of(children, "Calendar:OrganizerEmail") == "alice@example.org"
    assert text_of(children, "Calendar:OrganizerName") == "Alice Example"
    assert text_of(children, "Calendar:MeetingStatus") == "0"
    assert text_of(children, "Calendar:ResponseType") == "0"
    assert application_data(children).child("Calendar:Attendees") is None
    assert text_of(children, "Calendar:DtStamp") == "20261125T094640Z"


@pytest.mark.parametrize(
    ("organizer", "is_cancelled", "status"),
    [
        ("alice@example.org", False, "1"),
        ("A.Example@example.org", False, "1"),
        ("bob@example.org", False, "3"),
        ("alice@example.org", True, "5"),
        ("bob@example.org", True, "7"),
    ],
)
def test_meeting_status(organizer: str, is_cancelled: bool, status: str) -> None:
    value = replace(MEETING, organizer=Organizer(organizer), is_cancelled=is_cancelled)
    assert text_of(shown(value), "Calendar:MeetingStatus") == status


def test_what_the_owner_has_answered() -> None:
    own = Attendee("a.example@example.org", "Alice", response=Response.TENTATIVE, responded_at=NOW)
    value = replace(MEETING, organizer=Organizer("bob@example.org"), attendees=(own,))
    assert text_of(shown(value), "Calendar:ResponseType") == "2"
    assert text_of(shown(value), "Calendar:AppointmentReplyTime") == "20261125T094640Z"
    asked = replace(value, attendees=(replace(own, response=Response.NONE),))
    assert text_of(shown(asked), "Calendar:ResponseType") == "5"
    assert text_of(shown(asked), "Calendar:AppointmentReplyTime") is None
    assert text_of(shown(MEETING), "Calendar:ResponseType") == "1"


def test_ios_sends_meetings_without_an_organizer() -> None:
    attendee = Element("Calendar", "Attendee")
    attendee.add("Name", "Bob")
    attendee.add("Email", "bob@example.org")
    sent = in_minutes(Subject="Lunch")
    sent.add("Calendar:Attendees", [attendee])
    taken = told(sent, version=Version.V14_1)
    assert taken.organizer == Organizer("alice@example.org", "Alice Example")
    assert taken.attendees == (Attendee("bob@example.org", "Bob", response=Response.NONE),)
    assert taken.response_requested


def test_answers_are_not_taken_from_a_copy() -> None:
    children = shown(replace(MEETING, attendees=(Attendee("carol@example.com", "Carola"),)))
    taken = told(children, MEETING, Version.V14_1)
    assert taken.attendees == (
        replace(MEETING.attendees[1], name="Carola", role=AttendeeRole.REQUIRED),
    )


def test_people_of_somebody_elses_meeting_stay() -> None:
    known = replace(MEETING, organizer=Organizer("bob@example.org", "Bob"))
    sent = data("Calendar", Subject="Mine", MeetingStatus="5", DisallowNewTimeProposal="1")
    sent.add("Calendar:Attendees")
    assert told(sent, known) == replace(known, subject="Mine")
    assert told(sent, known, Version.V14_1, is_partial=False).attendees == known.attendees


def test_who_organizes_is_told_before_16_only() -> None:
    sent = in_minutes(
        OrganizerEmail="bob@example.org", OrganizerName="Bob", MeetingStatus="3", UID="u2"
    )
    assert told(sent, version=Version.V14_1).organizer == Organizer("bob@example.org", "Bob")
    assert told(sent).organizer is None
    assert told(sent).uid == "u2"
