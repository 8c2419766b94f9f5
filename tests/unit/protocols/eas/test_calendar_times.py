"""Zones, all-day times and ends of series, as different clients mean them."""

from __future__ import annotations

import base64

import pytest
from eas_appointments import ALICE, DAY, NOW
from eas_items import application_data, data
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.zones.binary import (
    SystemTime,
    TimeZoneStructure,
    structure_from_rules,
    write,
)
from posthouse.formats.zones.rules import rules_in_year
from posthouse.model.appointment import Appointment
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.protocols.eas.wire.calendar import appointment_from_data, data_from_appointment
from posthouse.protocols.eas.wire.calendar_times import shown_recurrence, told_zone, zone_text
from posthouse.protocols.eas.wire.calendar_values import Reading
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version, ViewOptions
from posthouse.protocols.eas.wire.times import compact_from_ms, ms_from_text

HOUR = 3_600_000
JULY = 20_269 * DAY  # 2025-06-30


def blob(zone: str, name: str = "", year: int = 2026) -> str:
    structure = structure_from_rules(rules_in_year(zone, year), name, name)
    return base64.b64encode(write(structure)).decode()


def taken(
    known: Appointment | None = None, version: Version = Version.V14_1, **texts: str
) -> Appointment:
    return appointment_from_data(data("Calendar", **texts), known, Reading(version, ALICE), NOW)


@pytest.mark.parametrize(
    ("zone", "name", "found"),
    [
        ("America/New_York", "", "America/New_York"),
        ("Europe/Berlin", "", "Europe/Berlin"),
        ("Europe/Paris", "Romance Standard Time", "Europe/Paris"),
        ("Europe/Vienna", "Europe/Vienna", "Europe/Vienna"),
        ("Asia/Kathmandu", "whatever it is called", "Asia/Kathmandu"),
        ("UTC", "", ""),
    ],
)
def test_zone_is_known_by_rules_and_name(zone: str, name: str, found: str) -> None:
    new = taken(StartTime="20260701T080000Z", EndTime="20260701T090000Z", Timezone=blob(zone, name))
    assert (new.start_at, new.zone) == (ms_from_text("20260701T080000Z"), found)


def test_zone_that_fits_is_kept() -> None:
    known = Appointment(uid="u", start_at=JULY, end_at=JULY, zone="Europe/Oslo")
    assert (
        taken(known, Timezone=blob("Europe/Berlin", "W. Europe Standard Time")).zone
        == "Europe/Oslo"
    )
    assert taken(known, Timezone=blob("Europe/London")).zone == "Europe/London"
    assert taken(known).zone == "Europe/Oslo"


def test_rules_of_the_present_for_a_time_long_ago() -> None:
    # The United States went by other rules before 2007.
    new = taken(
        StartTime="19990701T120000Z",
        EndTime="19990701T130000Z",
        Timezone=blob("America/Chicago", year=2026),
    )
    assert new.zone == "America/Chicago"


def test_rules_that_no_zone_has() -> None:
    odd = TimeZoneStructure(
        bias=37,
        standard_date=SystemTime(month=2, weekday=3, day=1),
        daylight_date=SystemTime(month=7, weekday=3, day=1),
        daylight_bias=-60,
    )
    text = base64.b64encode(write(odd)).decode()
    new = taken(StartTime="20260701T080000Z", EndTime="20260701T090000Z", Timezone=text)
    assert new.zone == ""


def test_series_is_told_by_the_rules_in_force() -> None:
    # Turkey gave daylight time up in 2016.
    start = ms_from_text("20140701T080000Z")
    series = Appointment(
        uid="u",
        start_at=start,
        end_at=start,
        zone="Europe/Istanbul",
        recurrence=Recurrence(Frequency.DAILY),
        changed_at=NOW,
    )
    assert zone_text(series) == blob("Europe/Istanbul", "Turkey Standard Time", 2026)
    single = replace(series, recurrence=None)
    assert zone_text(single) == blob("Europe/Istanbul", "Turkey Standard Time", 2014)
    assert taken(series, Timezone=zone_text(series)).zone == "Europe/Istanbul"


@pytest.mark.parametrize(
    ("version", "zone", "start", "end"),
    [
        # Midnights of the zone told, as clients of 14.1 shall send them.
        (Version.V14_1, "Europe/Berlin", "20250629T220000Z", "20250630T220000Z"),
        (Version.V14_1, "America/Los_Angeles", "20250630T070000Z", "20250701T070000Z"),
        (Version.V14_1, "Pacific/Auckland", "20250629T120000Z", "20250630T120000Z"),
        (Version.V14_1, "Pacific/Kiritimati", "20250629T100000Z", "20250630T100000Z"),
        # Reckoned without daylight time.
        (Version.V14_1, "Europe/Berlin", "20250629T230000Z", "20250630T230000Z"),
        # Midnights of UTC beside another zone, or none.
        (Version.V14_1, "America/Los_Angeles", "20250630T000000Z", "20250701T000000Z"),
        (Version.V14_1, "Europe/Berlin", "20250630T000000Z", "20250701T000000Z"),
        (Version.V14_1, "", "20250629T220000Z", "20250630T220000Z"),
        (Version.V14_1, "", "20250630T070000Z", "20250701T070000Z"),
        # From 16.0 on without a zone, and as dates.
        (Version.V16_1, "", "20250630T000000Z", "20250701T000000Z"),
        (Version.V16_1, "", "2025-06-30T00:00:00.000Z", "2025-07-01T00:00:00.000Z"),
        (Version.V16_1, "", "20250630", "20250701"),
        # Ends that clients send.
        (Version.V16_1, "", "20250630", "20250630"),
        (Version.V14_1, "Europe/Berlin", "20250629T220000Z", "20250630T215900Z"),
        (Version.V14_1, "Europe/Berlin", "20250629T220000Z", ""),
    ],
)
def test_all_day_is_a_date(version: Version, zone: str, start: str, end: str) -> None:
    texts = {"AllDayEvent": "1", "StartTime": start, "EndTime": end}
    if zone:
        texts["Timezone"] = blob(zone)
    new = taken(None, version, **texts)
    assert (new.start_at, new.end_at, new.zone) == (JULY, JULY + DAY, "")
    assert new.is_all_day


def test_becoming_all_day_and_back() -> None:
    start = ms_from_text("20250629T223000Z")
    known = Appointment(uid="u", start_at=start, end_at=start + HOUR, zone="Europe/Berlin")
    whole = taken(known, Version.V16_1, AllDayEvent="1")
    assert (whole.start_at, whole.end_at, whole.zone) == (JULY, JULY + DAY, "")
    back = taken(whole, Version.V16_1, AllDayEvent="0", Timezone=blob("Europe/Berlin"))
    assert back.start_at == JULY - 2 * HOUR
    assert back.end_at == back.start_at + DAY
    assert back.zone == "Europe/Berlin"


def test_floating_stays_floating() -> None:
    known = Appointment(uid="u", start_at=JULY, end_at=JULY, is_floating=True)
    assert taken(known, Timezone=zone_text(known)) == replace(known, changed_at=NOW)
    placed = taken(known, Timezone=blob("Europe/Berlin"))
    assert (placed.zone, placed.is_floating) == ("Europe/Berlin", False)


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        # NOW is 2026-11-25 09:46:40.
        ("", "", ("20261125T100000Z", "20261125T103000Z")),
        ("", "20261126T080000Z", ("20261125T100000Z", "20261126T080000Z")),
        ("20261125T080000Z", "", ("20261125T080000Z", "20261125T103000Z")),
        ("", "20261125T093000Z", None),
        ("20261126T080000Z", "", None),
    ],
)
def test_missing_times(start: str, end: str, wanted: tuple[str, str] | None) -> None:
    if wanted is None:
        with pytest.raises(RemoteProtocolError):
            taken(StartTime=start, EndTime=end)
        return
    new = taken(StartTime=start, EndTime=end)
    assert (compact_from_ms(new.start_at), compact_from_ms(new.end_at)) == wanted


def test_start_alone_takes_the_end_with_it() -> None:
    known = Appointment(uid="u", start_at=JULY, end_at=JULY + HOUR)
    later = taken(known, Version.V16_1, StartTime="20250701T090000Z")
    assert later.end_at - later.start_at == HOUR
    longer = taken(known, Version.V16_1, StartTime="20250629T230000Z")
    assert longer.end_at == known.end_at


def series_until(until: str, start: str, zone: str, version: Version) -> str:
    recurrence = data("Calendar", Type="0", Interval="1", Until=until).children
    texts = {"StartTime": start, "EndTime": start}
    if zone:
        texts["Timezone"] = blob(zone)
    element = data("Calendar", **texts)
    element.add("Calendar:Recurrence", recurrence)
    new = appointment_from_data(element, None, Reading(version, ALICE), NOW)
    assert new.recurrence is not None
    return compact_from_ms(new.recurrence.until_at)


@pytest.mark.parametrize(
    ("until", "start", "zone", "last"),
    [
        # 09:00 in Berlin: the last start itself, the end of that day, its date in UTC.
        ("20261231T080000Z", "20261127T080000Z", "Europe/Berlin", "20261231T080000Z"),
        ("20261231T225959Z", "20261127T080000Z", "Europe/Berlin", "20261231T080000Z"),
        ("20261231T000000Z", "20261127T080000Z", "Europe/Berlin", "20261231T080000Z"),
        ("20261230T230000Z", "20261127T080000Z", "Europe/Berlin", "20261231T080000Z"),
        # 19:00 in New York is midnight in UTC.
        ("20261231T000000Z", "20261128T000000Z", "America/New_York", "20261231T000000Z"),
        ("20270101T045959Z", "20261128T000000Z", "America/New_York", "20270101T000000Z"),
        # 08:00 in Los Angeles; and across a change of the clock.
        ("20261231T000000Z", "20261127T160000Z", "America/Los_Angeles", "20261231T160000Z"),
        ("20270701T000000Z", "20261127T160000Z", "America/Los_Angeles", "20270701T150000Z"),
        # Over before it began: it takes place once.
        ("20200101T000000Z", "20261127T080000Z", "", "20261127T080000Z"),
    ],
)
def test_end_of_a_series_is_a_day(until: str, start: str, zone: str, last: str) -> None:
    assert series_until(until, start, zone, Version.V14_1) == last
    assert series_until(until, start, zone, Version.V16_1) == last


def test_end_of_an_all_day_series() -> None:
    for version, zone, until in [
        (Version.V14_1, "Europe/Berlin", "20250705T220000Z"),
        (Version.V14_1, "Europe/Berlin", "20250706T215959Z"),
        (Version.V14_1, "America/Los_Angeles", "20250706T000000Z"),
        (Version.V16_1, "", "20250706T000000Z"),
        (Version.V16_1, "", "20250706"),
    ]:
        element = data("Calendar", AllDayEvent="1", StartTime="20250630", EndTime="20250701")
        if zone:
            element.add("Calendar:Timezone", blob(zone))
        element.add("Calendar:Recurrence", data("Calendar", Type="0", Until=until).children)
        new = appointment_from_data(element, None, Reading(version, ALICE), NOW)
        assert new.recurrence == Recurrence(Frequency.DAILY, until_at=JULY + 6 * DAY)


def test_end_is_told_as_the_last_start() -> None:
    start = ms_from_text("20261127T080000Z")
    series = Appointment(uid="u", start_at=start, end_at=start, zone="Europe/Berlin")

    def told_end(until: str) -> str:
        recurrence = Recurrence(Frequency.DAILY, until_at=ms_from_text(until))
        found = shown_recurrence(replace(series, recurrence=recurrence))
        return compact_from_ms(found.until_at) if found else ""

    assert told_end("20261231T080000Z") == "20261231T080000Z"
    assert told_end("20261231T075959Z") == "20261230T080000Z"
    assert told_end("20270701T120000Z") == "20270701T070000Z"


def test_too_many_occurrences_are_told_by_their_last_day() -> None:
    start = ms_from_text("20261127T080000Z")
    series = Appointment(
        uid="u",
        start_at=start,
        end_at=start,
        zone="Europe/Berlin",
        recurrence=Recurrence(Frequency.DAILY, count=1_001),
    )
    until_at = ms_from_text("20290823T070000Z")
    assert shown_recurrence(series) == Recurrence(Frequency.DAILY, until_at=until_at)
    children = application_data(data_from_appointment(series, ViewOptions(), ALICE, []))
    back = appointment_from_data(children, series, Reading(Version.V16_1, ALICE), NOW)
    assert back.recurrence == series.recurrence


def test_long_intervals_cannot_be_told() -> None:
    series = Appointment(
        uid="u", start_at=JULY, end_at=JULY, recurrence=Recurrence(Frequency.DAILY, interval=1_000)
    )
    children = application_data(data_from_appointment(series, ViewOptions(), ALICE, []))
    assert children.child("Calendar:Recurrence") is None
    same = appointment_from_data(
        children, series, Reading(Version.V14_1, ALICE, is_partial=False), NOW
    )
    assert same.recurrence == series.recurrence


def test_partial_recurrence_of_16() -> None:
    series = Appointment(
        uid="u",
        start_at=JULY,
        end_at=JULY,
        recurrence=Recurrence(Frequency.WEEKLY, weekdays=Weekdays.MONDAY, count=5),
    )
    change = Element("Calendar", "Recurrence", [Element("Calendar", "Occurrences", "7")])
    new = appointment_from_data(
        application_data([change]), series, Reading(Version.V16_1, ALICE), NOW
    )
    assert new.recurrence == Recurrence(Frequency.WEEKLY, weekdays=Weekdays.MONDAY, count=7)


@given(st.binary(min_size=172, max_size=172), st.none() | st.just(JULY))
def test_any_octets_are_a_zone_or_none(octets: bytes, start_at: int | None) -> None:
    known = Appointment(uid="u", start_at=start_at, end_at=start_at) if start_at else None
    try:
        zone = told_zone(data("Calendar", Timezone=base64.b64encode(octets).decode()), known, NOW)
    except RemoteProtocolError as e:
        assert e.reply_hint == "content"  # noqa: PT017
        return
    assert zone is not None
