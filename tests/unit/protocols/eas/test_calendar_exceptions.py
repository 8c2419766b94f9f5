"""Exceptions of a series, within it and one by one."""

from __future__ import annotations

import pytest
from eas_appointments import ALICE, DAY, NOW, odd_appointments
from eas_items import application_data, check_sync_answer, data, plain_body, rubbish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.ical.appointment import ical_from_appointment
from posthouse.model.appointment import (
    Appointment,
    Attendee,
    BusyStatus,
    Importance,
    Organizer,
    Override,
    Response,
    occurrence,
)
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.protocols.eas.wire.calendar import appointment_from_data, data_from_appointment
from posthouse.protocols.eas.wire.calendar_exceptions import (
    EXCEPTIONS_MAX,
    original_start,
    override_from_data,
    without_occurrence,
)
from posthouse.protocols.eas.wire.calendar_values import Reading
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version, ViewOptions
from posthouse.protocols.eas.wire.times import compact_from_ms, ms_from_text

HOUR = 3_600_000
WEEK = 7 * DAY
START = ms_from_text("20261127T090000Z")
SERIES = Appointment(
    uid="u",
    subject="Plan",
    location="Room 1",
    body="As ever",
    start_at=START,
    end_at=START + HOUR,
    zone="Europe/Berlin",
    reminder_minutes=15,
    categories=("Work",),
    organizer=Organizer(ALICE.address, ALICE.name),
    attendees=(Attendee("bob@example.org", "Bob", response=Response.ACCEPTED),),
    recurrence=Recurrence(Frequency.WEEKLY, weekdays=Weekdays.FRIDAY),
    changed_at=NOW,
)
DAILY = Appointment(
    uid="d",
    start_at=20_000 * DAY,
    end_at=20_001 * DAY,
    is_all_day=True,
    recurrence=Recurrence(Frequency.DAILY),
    changed_at=NOW,
)
NEW = Reading(Version.V16_1, ALICE)
OLD = Reading(Version.V14_1, ALICE, is_partial=False)


def exceptions(value: Appointment, version: Version) -> list[Element]:
    def bodies(taken: Appointment) -> list[Element]:
        return plain_body(taken.body)

    children = data_from_appointment(
        value, ViewOptions(version), ALICE, plain_body(value.body), bodies
    )
    if value.busy != BusyStatus.WORKING_ELSEWHERE:
        check_sync_answer(children)
    holder = application_data(children).child("Calendar:Exceptions")
    return holder.children if holder is not None else []


def names(element: Element) -> dict[str, str]:
    return {
        child.name: child.content if isinstance(child.content, str) else "..."
        for child in element.children
    }


def with_exception(value: Appointment, *told: Element) -> Element:
    """What a client of 14.1 sends: the series, and these exceptions."""
    children = data_from_appointment(value, ViewOptions(Version.V14_1), ALICE, [])
    children = [child for child in children if child.tag != "Exceptions"]
    return application_data([*children, Element("Calendar", "Exceptions", list(told))])


def exception(at: int, **texts: str) -> Element:
    children = data("Calendar", ExceptionStartTime=compact_from_ms(at), **texts).children
    return Element("Calendar", "Exception", children)


def taken_from(value: Appointment, *told: Element) -> Appointment:
    return appointment_from_data(with_exception(value, *told), value, OLD, NOW)


def test_deleted_occurrence_in_both_forms() -> None:
    value = replace(SERIES, overrides=(Override(original_start_at=START + WEEK, is_deleted=True),))
    (old,) = exceptions(value, Version.V14_1)
    assert names(old) == {
        "Calendar:ExceptionStartTime": "20261204T090000Z",
        "Calendar:Deleted": "1",
    }
    (new,) = exceptions(value, Version.V16_1)
    assert names(new) == {"AirSyncBase:InstanceId": "20261204T090000Z", "Calendar:Deleted": "1"}


def test_only_what_differs_is_told_and_what_is_gone_is_empty() -> None:
    override = Override(
        original_start_at=START + WEEK,
        subject="Plan B",
        location="",
        reminder_minutes=None,
        categories=(),
        attendees=(),
        body="This time",
    )
    value = replace(SERIES, overrides=(override,))
    (told,) = exceptions(value, Version.V16_1)
    assert names(told) == {
        "AirSyncBase:InstanceId": "20261204T090000Z",
        "Calendar:StartTime": "20261204T090000Z",
        "Calendar:EndTime": "20261204T100000Z",
        "Calendar:Subject": "Plan B",
        "Calendar:MeetingStatus": "0",
        "Calendar:ResponseType": "0",
        "AirSyncBase:Location": "",
        "Calendar:Reminder": "",
        "Calendar:Categories": "",
        "Calendar:Attendees": "",
        "AirSyncBase:Body": "...",
    }
    assert names(exceptions(value, Version.V14_1)[0])["Calendar:Location"] == ""


def test_all_day_occurrence_of_a_timed_series() -> None:
    day = START + WEEK - 9 * HOUR
    override = Override(
        original_start_at=START + WEEK, start_at=day, end_at=day + DAY, is_all_day=True, zone=""
    )
    value = replace(SERIES, overrides=(override,))
    (old,) = exceptions(value, Version.V14_1)
    # By the zone of the series, which is told.
    assert names(old)["Calendar:StartTime"] == "20261203T230000Z"
    assert names(old)["Calendar:AllDayEvent"] == "1"
    (new,) = exceptions(value, Version.V16_1)
    assert names(new)["Calendar:StartTime"] == "20261204T000000Z"


def test_the_last_exceptions_are_shown() -> None:
    deleted = [
        Override(original_start_at=DAILY.start_at + number * DAY, is_deleted=True)
        for number in range(EXCEPTIONS_MAX + 1)
    ]
    told = exceptions(replace(DAILY, overrides=tuple(deleted)), Version.V16_1)
    assert len(told) == EXCEPTIONS_MAX
    assert names(told[0])["AirSyncBase:InstanceId"] == compact_from_ms(DAILY.start_at + DAY)


def test_exceptions_of_14_1_are_told_with_the_series() -> None:
    taken = taken_from(
        SERIES,
        exception(START + WEEK, Deleted="1"),
        exception(START + 2 * WEEK, Subject="Plan B", Reminder="", StartTime="20261211T100000Z"),
    )
    assert taken == replace(
        SERIES,
        overrides=(
            Override(original_start_at=START + WEEK, is_deleted=True),
            Override(
                original_start_at=START + 2 * WEEK,
                subject="Plan B",
                reminder_minutes=None,
                start_at=START + 2 * WEEK + HOUR,
            ),
        ),
    )


def test_exceptions_left_out_stay() -> None:
    known = replace(SERIES, overrides=(Override(original_start_at=START + WEEK, subject="Plan B"),))
    taken = taken_from(known, exception(START, Deleted="1"))
    assert [o.original_start_at for o in taken.overrides] == [START, START + WEEK]
    assert taken.overrides[1] == known.overrides[0]


def test_exception_of_14_1_is_told_whole() -> None:
    known = replace(
        SERIES,
        overrides=(
            Override(
                original_start_at=START,
                subject="Plan B",
                location="Room 2",
                body="This time",
                importance=Importance.HIGH,
                start_at=START + HOUR,
                end_at=START + 2 * HOUR,
            ),
        ),
    )
    taken = taken_from(known, exception(START, Location="Room 3"))
    assert taken.overrides == (
        Override(
            original_start_at=START, location="Room 3", body="This time", importance=Importance.HIGH
        ),
    )


def test_exception_like_the_series_is_none() -> None:
    known = replace(SERIES, overrides=(Override(original_start_at=START, subject="Plan B"),))
    assert taken_from(known, exception(START, Subject="Plan")).overrides == ()


def test_what_14_1_was_not_shown_stays() -> None:
    known = replace(
        SERIES,
        overrides=(Override(original_start_at=START, busy=BusyStatus.WORKING_ELSEWHERE),),
    )
    busy = exception(START, BusyStatus="0", Subject="Plan B")
    assert taken_from(known, busy).overrides[0].busy == BusyStatus.WORKING_ELSEWHERE


def test_all_day_series_by_midnights_of_any_zone() -> None:
    for start in ("20241006T000000Z", "20241005T220000Z", "20241006T070000Z"):
        told = with_exception(DAILY, exception(ms_from_text(start), Deleted="1"))
        taken = appointment_from_data(told, DAILY, OLD, NOW)
        assert taken.overrides == (
            Override(original_start_at=DAILY.start_at + 2 * DAY, is_deleted=True),
        )


def test_new_series_may_bring_exceptions() -> None:
    told = with_exception(SERIES, exception(START + WEEK, Deleted="1"))
    taken = appointment_from_data(told, None, NEW, NOW)
    assert taken.overrides == (Override(original_start_at=START + WEEK, is_deleted=True),)


def test_one_occurrence_changed_in_part() -> None:
    known = replace(SERIES, overrides=(Override(original_start_at=START, subject="Plan B"),))
    change = data("Calendar", StartTime="20261127T110000Z", EndTime="20261127T120000Z")
    taken = override_from_data(known, START, change, NEW, NOW)
    assert taken.overrides == (
        Override(
            original_start_at=START,
            subject="Plan B",
            start_at=START + 2 * HOUR,
            end_at=START + 3 * HOUR,
        ),
    )
    later = override_from_data(taken, START + WEEK, data("Calendar", Subject="C"), NEW, NOW)
    assert len(later.overrides) == 2
    assert occurrence(later, later.overrides[1]).start_at == START + WEEK


def test_one_occurrence_with_a_body_and_people_of_its_own() -> None:
    change = application_data(plain_body("This time"))
    attendee = data("Calendar", Email="carol@example.com", Name="Carol").children
    change.add("Calendar:Attendees", [Element("Calendar", "Attendee", attendee)])
    (override,) = override_from_data(SERIES, START, change, NEW, NOW).overrides
    assert override.body == "This time"
    assert override.attendees == (Attendee("carol@example.com", "Carol", response=Response.NONE),)


def test_occurrence_that_was_deleted_comes_back() -> None:
    gone = without_occurrence(SERIES, START + WEEK, NOW)
    assert gone.overrides == (Override(original_start_at=START + WEEK, is_deleted=True),)
    back = override_from_data(gone, START + WEEK, data("Calendar", Subject="Plan"), NEW, NOW)
    assert back.overrides == ()


def test_occurrence_is_named_by_its_day() -> None:
    assert original_start(SERIES, START + WEEK) == START + WEEK
    assert original_start(SERIES, START + WEEK - 9 * HOUR) == START + WEEK
    assert original_start(SERIES, START + DAY) is None
    # 10:00 in Berlin is 08:00 UTC in summer.
    summer = ms_from_text("20270702T080000Z")
    assert original_start(SERIES, summer) == summer
    assert original_start(SERIES, summer + HOUR) == summer
    assert without_occurrence(DAILY, DAILY.start_at + 2 * HOUR, NOW).overrides == (
        Override(original_start_at=DAILY.start_at, is_deleted=True),
    )


@pytest.mark.parametrize(
    "at", [START + DAY, START - WEEK, 253_402_300_799_000, -62_135_596_800_000]
)
def test_no_such_occurrence(at: int) -> None:
    with pytest.raises(RemoteProtocolError):
        without_occurrence(SERIES, at, NOW)
    with pytest.raises(RemoteProtocolError):
        override_from_data(SERIES, at, data("Calendar", Subject="x"), NEW, NOW)


def test_single_appointments_have_no_occurrences() -> None:
    with pytest.raises(RemoteProtocolError):
        without_occurrence(replace(SERIES, recurrence=None), START, NOW)


def test_exception_must_say_of_what() -> None:
    with pytest.raises(RemoteProtocolError):
        taken_from(SERIES, Element("Calendar", "Exception", data("Calendar", Deleted="1").children))
    with pytest.raises(RemoteProtocolError):
        taken_from(SERIES, exception(253_402_300_799_000, Deleted="1"))


def test_cancelled_occurrence() -> None:
    change = data("Calendar", MeetingStatus="5")
    value = override_from_data(SERIES, START, change, NEW, NOW)
    assert value.overrides == (Override(original_start_at=START, is_cancelled=True),)
    assert names(exceptions(value, Version.V16_1)[0])["Calendar:MeetingStatus"] == "5"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(odd_appointments(), rubbish("Calendar", "AirSyncBase"), st.sampled_from(Version))
def test_rubbish_is_refused_or_kept(value: Appointment, told: Element, version: Version) -> None:
    try:
        taken = override_from_data(value, value.start_at, told, Reading(version, ALICE), NOW)
    except RemoteProtocolError as e:
        assert e.reply_hint == "content"  # noqa: PT017
        return
    assert len(taken.overrides) <= len(value.overrides) + 1
    assert replace(taken, overrides=()) == replace(value, overrides=(), changed_at=NOW)
    ical_from_appointment(taken)
    exceptions(replace(taken, busy=BusyStatus.FREE), version)
