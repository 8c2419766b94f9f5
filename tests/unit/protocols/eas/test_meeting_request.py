"""Meeting requests in mail, and the ids of meetings."""

from __future__ import annotations

import base64

import pytest
from eas_appointments import ALICE, DAY, NOW, odd_appointments
from eas_items import check_sync_answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.ical.itip import SchedulingMessage, message_class_of
from posthouse.model.appointment import (
    Appointment,
    Attendee,
    BusyStatus,
    Organizer,
    Response,
    Sensitivity,
)
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import Frequency, Recurrence
from posthouse.protocols.eas.wire.calendar_times import zone_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.meeting_request import (
    global_obj_id,
    meeting_request_element,
    uid_from_global_obj_id,
)
from posthouse.protocols.eas.wire.options import Version, ViewOptions
from posthouse.protocols.eas.wire.times import ms_from_text

EXCHANGE_UID = "040000008200E00074C5B7101A82E00800000000E0A0077B63A1D10100000000000000001000000087631904E171224C87AEB0F02329962E"
START = ms_from_text("20261127T090000Z")
MEETING = Appointment(
    uid="u1",
    subject="Plan",
    location="Room 1",
    start_at=START,
    end_at=START + 3_600_000,
    zone="Europe/Berlin",
    busy=BusyStatus.TENTATIVE,
    sensitivity=Sensitivity.PRIVATE,
    reminder_minutes=15,
    organizer=Organizer("bob@example.org", 'Bob "Builder" B'),
    attendees=(Attendee(ALICE.address),),
    response_requested=True,
)


def message(appointment: Appointment = MEETING, **fields: object) -> SchedulingMessage:
    said: dict[str, object] = {
        "method": "REQUEST",
        "uid": appointment.uid,
        "sequence": 0,
        "recurrence_at": None,
        "stamped_at": NOW,
        "organizer": appointment.organizer,
        "attendees": appointment.attendees,
        "comment": "",
        "appointment": appointment,
    }
    return SchedulingMessage(**(said | fields))  # type: ignore[arg-type]


def element(said: SchedulingMessage, version: Version = Version.V16_1) -> Element:
    made = meeting_request_element(said, ViewOptions(version))
    check_sync_answer([made])
    return made


def words(made: Element) -> list[tuple[str, str]]:
    return [
        (child.name, child.content if isinstance(child.content, str) else "...")
        for child in made.children
    ]


def test_words_before_16() -> None:
    assert words(element(message(), Version.V14_1)) == [
        ("Email:AllDayEvent", "0"),
        ("Email:StartTime", "2026-11-27T09:00:00.000Z"),
        ("Email:DtStamp", "2026-11-25T09:46:40.000Z"),
        ("Email:EndTime", "2026-11-27T10:00:00.000Z"),
        ("Email:InstanceType", "0"),
        ("Email:Location", "Room 1"),
        ("Email:Organizer", '"Bob \\"Builder\\" B" <bob@example.org>'),
        ("Email:Reminder", "900"),
        ("Email:ResponseRequested", "1"),
        ("Email:Sensitivity", "2"),
        ("Email:BusyStatus", "1"),
        ("Email:TimeZone", zone_text(MEETING)),
        ("Email:GlobalObjId", global_obj_id("u1")),
        ("Email:DisallowNewTimeProposal", "0"),
        ("Email2:MeetingMessageType", "1"),
    ]


def test_words_from_16_on() -> None:
    made = words(element(message()))
    assert ("AirSyncBase:Location", "...") in made
    assert made[-3:] == [
        ("Email:DisallowNewTimeProposal", "0"),
        ("Email2:MeetingMessageType", "1"),
        ("Calendar:UID", "u1"),
    ]


def test_counter_proposal() -> None:
    said = message(method="COUNTER")
    assert words(element(said))[-2:] == [
        ("MeetingResponse:ProposedStartTime", "20261127T090000Z"),
        ("MeetingResponse:ProposedEndTime", "20261127T100000Z"),
    ]
    assert element(said, Version.V16_0).child("MeetingResponse:ProposedStartTime") is None
    assert element(said).text_of("Email2:MeetingMessageType") == "0"
    assert element(said).text_of("ResponseRequested") == "0"


def test_series() -> None:
    series = replace(MEETING, recurrence=Recurrence(Frequency.DAILY, 2, count=1_001))
    made = element(message(series), Version.V14_1)
    assert made.text_of("InstanceType") == "1"
    recurrence = made.find("Recurrences", "Recurrence")
    assert recurrence is not None
    assert words(recurrence) == [
        ("Email:Type", "0"),
        ("Email:Interval", "2"),
        ("Email:Until", "20320519T080000Z"),
    ]


@pytest.mark.parametrize(
    ("sequence", "start_at", "kind"),
    [(0, START, "2"), (1, START, "3"), (0, START + 3_600_000, "3")],
)
def test_one_occurrence(sequence: int, start_at: int, kind: str) -> None:
    moved = replace(MEETING, start_at=start_at, end_at=start_at)
    said = message(moved, sequence=sequence, recurrence_at=START)
    made = element(said, Version.V14_1)
    assert made.text_of("InstanceType") == kind
    assert made.text_of("RecurrenceId") == "2026-11-27T09:00:00.000Z"
    octets = base64.b64decode(made.text_of("GlobalObjId"))
    assert octets[16:20] == b"\x07\xea\x0b\x1b"
    assert uid_from_global_obj_id(made.text_of("GlobalObjId")) == "u1"


def test_which_day_an_occurrence_has_by_its_zone() -> None:
    night = replace(MEETING, start_at=ms_from_text("20261126T233000Z"))
    said = message(night, recurrence_at=night.start_at)
    octets = base64.b64decode(element(said, Version.V14_1).text_of("GlobalObjId"))
    assert octets[16:20] == b"\x07\xea\x0b\x1b"


def test_kinds_of_messages() -> None:
    def kind(**fields: object) -> str:
        return element(message(**fields)).text_of("Email2:MeetingMessageType")

    assert kind() == "1"
    assert kind(sequence=2) == "2"
    assert kind(method="CANCEL", sequence=3) == "0"
    outdated = meeting_request_element(message(), ViewOptions(), is_outdated=True)
    assert outdated.text_of("Email2:MeetingMessageType") == "4"


@pytest.mark.parametrize(
    ("method", "response", "name"),
    [
        ("REQUEST", Response.UNKNOWN, "IPM.Schedule.Meeting.Request"),
        ("CANCEL", Response.UNKNOWN, "IPM.Schedule.Meeting.Canceled"),
        ("COUNTER", Response.TENTATIVE, "IPM.Schedule.Meeting.Resp.Tent"),
        ("REPLY", Response.ACCEPTED, "IPM.Schedule.Meeting.Resp.Pos"),
        ("REPLY", Response.DECLINED, "IPM.Schedule.Meeting.Resp.Neg"),
        ("REPLY", Response.TENTATIVE, "IPM.Schedule.Meeting.Resp.Tent"),
        ("REPLY", Response.NONE, "IPM.Note"),
        ("PUBLISH", Response.UNKNOWN, "IPM.Note"),
        ("", Response.UNKNOWN, "IPM.Note"),
    ],
)
def test_message_class(method: str, response: Response, name: str) -> None:
    assert message_class_of(method, response) == name


def test_id_of_a_foreign_meeting() -> None:
    # The example of [MS-ASEMAIL] §4.3.
    given = (
        "BAAAAIIA4AB0xbcQGoLgCAAAAAAAAAAAAAAAAAAAAAAAAAAAMwAAAHZDYWwtVWlkAQAAAHs4MTQxMkQzQy0y"
        "QTI0LTRFOUQtQjIwRS0xMUY3QkJFOTI3OTl9AA=="
    )
    uid = "{81412D3C-2A24-4E9D-B20E-11F7BBE92799}"
    assert uid_from_global_obj_id(given) == uid
    assert global_obj_id(uid) == given


def test_id_of_an_exchange_meeting() -> None:
    octets = base64.b64decode(global_obj_id(EXCHANGE_UID))
    assert octets.hex().upper() == EXCHANGE_UID
    # The other example: of 16 September 2004.
    given = "BAAAAIIA4AB0xbcQGoLgCAfUCRDgQMnBJoXEAQAAAAAAAAAAEAAAAAvw7UtuTulOnjnjhns3jvM="
    uid = uid_from_global_obj_id(given)
    assert uid == (
        "040000008200E00074C5B7101A82E00800000000E040C9C12685C4010000000000000000100000000BF0ED4B"
        "6E4EE94E9E39E3867B378EF3"
    )
    assert global_obj_id(uid, (2004, 9, 16)) == given
    of_a_day = global_obj_id(EXCHANGE_UID, (2026, 11, 27))
    assert base64.b64decode(of_a_day)[16:20] == b"\x07\xea\x0b\x1b"
    assert uid_from_global_obj_id(of_a_day) == EXCHANGE_UID


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
    | st.binary(max_size=40).map(lambda tail: EXCHANGE_UID[:32] + tail.hex().upper())
    | st.sampled_from([EXCHANGE_UID.lower(), EXCHANGE_UID + "F", EXCHANGE_UID[:70]]),
    st.none() | st.dates().map(lambda day: (day.year, day.month, day.day)),
)
def test_ids_lead_back_to_the_uid(uid: str, date: tuple[int, int, int] | None) -> None:
    assert uid_from_global_obj_id(global_obj_id(uid, date)) == uid


@given(st.binary(max_size=90), st.booleans())
def test_any_octets_are_an_id_or_none(octets: bytes, is_marked: bool) -> None:
    octets = bytes.fromhex(EXCHANGE_UID[:32]) + octets if is_marked else octets
    try:
        uid = uid_from_global_obj_id(base64.b64encode(octets).decode())
    except RemoteProtocolError as e:
        assert e.reply_hint == "content"  # noqa: PT017
        return
    uid_from_global_obj_id(global_obj_id(uid))


def test_what_is_no_id() -> None:
    for text in ("", "%%", "AAAA", base64.b64encode(bytes(60)).decode()):
        with pytest.raises(RemoteProtocolError):
            uid_from_global_obj_id(text)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    odd_appointments(),
    st.sampled_from(Version),
    st.sampled_from(["REQUEST", "CANCEL", "COUNTER", "REPLY"]),
    st.booleans(),
)
def test_schema_and_wbxml_take_it(
    value: Appointment, version: Version, method: str, is_of_one: bool
) -> None:
    at = value.start_at + DAY if is_of_one else None
    element(message(value, method=method, recurrence_at=at), version)
