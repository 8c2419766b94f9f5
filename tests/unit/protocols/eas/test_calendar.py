"""Appointments as elements, and back."""

from __future__ import annotations

import base64

import pytest
from eas_appointments import (
    DAY,
    MEETING,
    NOW,
    PLAIN,
    appointments,
    in_minutes,
    odd_appointments,
    shown,
    text_of,
    told,
)
from eas_items import application_data, check_sync_answer, data, plain_body, rubbish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.ical.appointment import appointment_from_ical, ical_from_appointment
from posthouse.formats.zones.binary import read
from posthouse.model.appointment import (
    Appointment,
    BusyStatus,
    Override,
    Sensitivity,
)
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.protocols.eas.wire.calendar import (
    client_uid,
)
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version

slow = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
versions = st.sampled_from(Version)
WEEKLY = replace(PLAIN, recurrence=Recurrence(Frequency.WEEKLY, weekdays=Weekdays.FRIDAY, count=9))


@slow
@given(appointments(), versions)
def test_told_and_taken_is_the_same(value: Appointment, version: Version) -> None:
    value = replace(value, organizer=value.organizer if version < Version.V16_0 else None)
    if version >= Version.V16_0:
        # Whom it is from and what they answer a client cannot say from 16.0 on.
        value = replace(value, attendees=(), response_requested=False, is_cancelled=False)
        kept = [replace(o, **_no_attendees(o)) for o in value.overrides]
        value = replace(value, overrides=tuple(kept))
    elif value.busy == BusyStatus.WORKING_ELSEWHERE:
        value = replace(value, busy=BusyStatus.FREE)
    taken = told(shown(value, version), version=version)
    assert replace(taken, created_at=0, changed_at=0) == _as_kept(value, version)


def _no_attendees(override: Override) -> dict[str, object]:
    empty = Override(original_start_at=override.original_start_at)
    return {"attendees": empty.attendees}


def _as_kept(value: Appointment, version: Version) -> Appointment:
    """Overrides that say nothing are none; 14.1 does not know who works elsewhere."""
    kept = []
    for override in value.overrides:
        if version < Version.V16_0 and override.busy == BusyStatus.WORKING_ELSEWHERE:
            override = replace(override, busy=BusyStatus.FREE)
        if override.busy == value.busy:
            override = replace(override, busy=Override(original_start_at=0).busy)
        if override != Override(original_start_at=override.original_start_at):
            kept.append(override)
    return replace(value, overrides=tuple(kept))


@slow
@given(odd_appointments(), versions, st.booleans())
def test_sent_back_unchanged_changes_nothing(
    value: Appointment, version: Version, is_partial: bool
) -> None:
    taken = told(shown(value, version), value, version, is_partial=is_partial)
    assert taken == replace(value, changed_at=NOW)


@slow
@given(odd_appointments())
def test_a_part_changes_only_that(value: Appointment) -> None:
    taken = told(data("Calendar", Subject="Other"), value)
    assert taken == replace(value, subject="Other", changed_at=NOW)
    assert told(data("Calendar"), value) == replace(value, changed_at=NOW)


@slow
@given(odd_appointments(), versions)
def test_schema_and_wbxml_take_it(value: Appointment, version: Version) -> None:
    if BusyStatus.WORKING_ELSEWHERE in {value.busy, *(o.busy for o in value.overrides)}:
        # In the document since 16.0, not yet in the schema.
        version = Version.V14_1
    check_sync_answer(shown(value, version))


@slow
@given(
    rubbish("Calendar", "AirSyncBase"),
    st.none() | odd_appointments(),
    versions,
    st.booleans(),
)
def test_rubbish_is_refused_or_kept(
    children: Element, known: Appointment | None, version: Version, is_partial: bool
) -> None:
    try:
        taken = told(children, known, version, is_partial=is_partial)
    except RemoteProtocolError as e:
        assert e.reply_hint == "content"  # noqa: PT017
        return
    assert appointment_from_ical(ical_from_appointment(taken)) is not None
    shown(taken, version)


def test_place_in_both_forms() -> None:
    old, new = shown(PLAIN, Version.V14_1), application_data(shown(PLAIN))
    assert text_of(old, "Calendar:Location") == "Room 1"
    assert new.child("Calendar:Location") is None
    assert new.find("AirSyncBase:Location", "DisplayName").text == "Room 1"  # type: ignore[union-attr]
    street = Element("AirSyncBase", "Location")
    street.add("Street", "Hauptstr. 1")
    street.add("City", "Berlin")
    assert told([street], PLAIN).location == "Hauptstr. 1, Berlin"
    assert told([Element("AirSyncBase", "Location")], PLAIN).location == ""


def test_no_reminder_is_no_element() -> None:
    assert text_of(shown(PLAIN), "Calendar:Reminder") == "15"
    assert text_of(shown(replace(PLAIN, reminder_minutes=None)), "Calendar:Reminder") is None
    assert told(data("Calendar", Reminder=""), PLAIN).reminder_minutes is None
    assert told(data("Calendar", Reminder="30"), PLAIN).reminder_minutes == 30


def test_link_to_join() -> None:
    web = shown(replace(PLAIN, online_meeting_link="https://meet.example/a"))
    assert text_of(web, "Calendar:OnlineMeetingExternalLink") == "https://meet.example/a"
    other = shown(replace(PLAIN, online_meeting_link="sip:alice@example.org;gruu"))
    assert text_of(other, "Calendar:OnlineMeetingConfLink") == "sip:alice@example.org;gruu"


@pytest.mark.parametrize("version", Version)
def test_all_day_is_told_as_midnights(version: Version) -> None:
    value = replace(PLAIN, start_at=20_000 * DAY, end_at=20_001 * DAY, is_all_day=True, zone="")
    children = shown(value, version)
    assert text_of(children, "Calendar:StartTime") == "20241004T000000Z"
    assert text_of(children, "Calendar:EndTime") == "20241005T000000Z"
    zone = text_of(children, "Calendar:Timezone")
    if version >= Version.V16_0:
        assert zone is None
    else:
        assert read(base64.b64decode(zone or "")).bias == 0


def test_zone_is_always_told() -> None:
    structure = read(base64.b64decode(text_of(shown(PLAIN), "Calendar:Timezone") or ""))
    assert (structure.bias, structure.daylight_bias) == (-60, -60)
    assert structure.standard_name == "W. Europe Standard Time"
    utc = text_of(shown(replace(PLAIN, zone="")), "Calendar:Timezone")
    assert base64.b64decode(utc or "") == bytes(172)


def test_absent_is_unchanged_or_cleared() -> None:
    known = replace(MEETING, sensitivity=Sensitivity.PRIVATE, categories=("Work",), body="b")
    sent = data("Calendar", Subject="Plan")
    assert told(sent, known) == known
    cleared = told(sent, known, Version.V14_1, is_partial=False)
    assert cleared == replace(
        known,
        location="",
        sensitivity=Sensitivity.NORMAL,
        categories=(),
        reminder_minutes=None,
        attendees=(),
        response_requested=False,
    )
    supported = told(sent, known, Version.V14_1, is_partial=False, supported=["Location"])
    assert supported == replace(known, location="")


def test_words_of_a_body() -> None:
    html = plain_body("<p>Bring <b>cake</b></p>", "2")
    taken = told(html, PLAIN)
    assert (taken.body, taken.html) == ("Bring cake", "<p>Bring <b>cake</b></p>")
    assert told(plain_body("Bring cake"), taken).html == taken.html
    assert told(plain_body("Bring tea\r\nand\rmilk"), taken).html == ""
    assert told(plain_body("Bring tea\r\nand\rmilk"), taken).body == "Bring tea\nand\nmilk"


def test_client_uid() -> None:
    assert client_uid(data("Calendar", ClientUid="c1")) == "c1"
    assert client_uid(data("Calendar")) == ""
    assert told(in_minutes()).uid == ""
    with pytest.raises(RemoteProtocolError):
        client_uid(data("Calendar", ClientUid="c" * 301))


def test_recurrence_that_is_not_shown_stays() -> None:
    known = replace(PLAIN, has_unmapped_rule=True)
    assert text_of(shown(known), "Calendar:Recurrence") is None
    taken = told(shown(known, Version.V14_1), known, Version.V14_1, is_partial=False)
    assert taken.has_unmapped_rule
    ended = told([Element("Calendar", "Recurrence")], known)
    assert not ended.has_unmapped_rule


def test_series_ends_when_told_so() -> None:
    series = replace(
        WEEKLY, overrides=(Override(original_start_at=WEEKLY.start_at, is_deleted=True),)
    )
    assert told([Element("Calendar", "Recurrence")], series) == PLAIN
    assert told(data("Calendar", Subject="Plan"), series) == series
    gone = told(
        data("Calendar", Subject="Plan", Location="Room 1", Reminder="15"),
        series,
        Version.V14_1,
        is_partial=False,
    )
    assert gone == PLAIN


def test_other_pattern_ends_the_exceptions() -> None:
    series = replace(
        WEEKLY, overrides=(Override(original_start_at=WEEKLY.start_at, is_deleted=True),)
    )
    daily = replace(series, recurrence=Recurrence(Frequency.DAILY))
    recurrence = application_data(shown(daily)).child("Calendar:Recurrence")
    assert recurrence is not None
    assert told([recurrence], series) == replace(daily, overrides=())


def test_moved_series_keeps_its_last_day() -> None:
    # Fridays at 10:00 in Berlin, the last one on 18 December.
    until = WEEKLY.start_at + 21 * DAY
    series = replace(
        WEEKLY, recurrence=Recurrence(Frequency.WEEKLY, weekdays=Weekdays.FRIDAY, until_at=until)
    )
    later = told(data("Calendar", StartTime="20261127T130000Z", EndTime="20261127T140000Z"), series)
    assert later.recurrence is not None
    assert later.recurrence.until_at == until + 4 * 3_600_000


def test_new_length_ends_exceptions_from_16_on() -> None:
    series = replace(
        WEEKLY, overrides=(Override(original_start_at=WEEKLY.start_at, is_deleted=True),)
    )
    longer = data("Calendar", StartTime="20261127T090000Z", EndTime="20261127T110000Z")
    assert told(longer, series).overrides == ()
    assert told(longer, series, Version.V14_1).overrides == series.overrides


@pytest.mark.parametrize(
    "wrong",
    [
        {"BusyStatus": "5"},
        {"Sensitivity": "4"},
        {"AllDayEvent": "x"},
        {"Reminder": "-5"},
        {"Reminder": "9999999999"},
        {"StartTime": "tomorrow"},
        {"StartTime": "15000101T000000Z"},
        {"StartTime": "20261127T090000Z", "EndTime": "20261127T080000Z"},
        {"Timezone": "AAAA"},
        {"Timezone": "no base64"},
        {"UID": "u" * 301},
        {"DisallowNewTimeProposal": "perhaps"},
        {"MeetingStatus": "?"},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        told(in_minutes(**wrong))
    assert caught.value.reply_hint == "content"


def test_lists_are_bounded() -> None:
    many = in_minutes()
    attendee = [Element("Calendar", "Email", "a@b.example"), Element("Calendar", "Name", "A")]
    many.add("Calendar:Attendees", [Element("Calendar", "Attendee", attendee)] * 1_001)
    with pytest.raises(RemoteProtocolError):
        told(many)
    recurring = in_minutes()
    recurring.add("Calendar:Recurrence", data("Calendar", Type="0").children)
    exception = data("Calendar", Deleted="1", ExceptionStartTime="20261128T090000Z").children
    exceptions = [Element("Calendar", "Exception", exception)] * 1_001
    recurring.add("Calendar:Exceptions", exceptions)
    with pytest.raises(RemoteProtocolError):
        told(recurring, version=Version.V14_1)
    recurring.children.pop()
    recurring.add("Calendar:Exceptions", exceptions[:1_000])
    assert len(told(recurring, version=Version.V14_1).overrides) == 1
