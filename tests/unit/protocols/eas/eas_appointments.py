"""Random appointments, as far as ActiveSync can tell them and beyond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from eas_items import application_data, data, names, plain_body, texts
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.recurrence.expand import occurrences
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
    override_from_occurrence,
    regular_occurrence,
)
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.protocols.eas.wire.calendar import appointment_from_data, data_from_appointment
from posthouse.protocols.eas.wire.calendar_times import shown_recurrence
from posthouse.protocols.eas.wire.calendar_values import Owner, Reading
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version, ViewOptions

DAY = 86_400_000
NOW = 1_795_600_000_000
ALICE = Owner("alice@example.org", "Alice Example", ("a.example@example.org",))
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Adelaide"]

lines = texts.map(lambda text: text.replace("\n", " ").strip())
people = st.sampled_from(["bob@example.org", "jörg@müller.example", "carol@example.com"])
instants = st.integers(0, 4_000_000_000).map(lambda second: second * 1000)
dates = st.integers(1, 40_000).map(lambda day: day * DAY)

attendees = st.builds(
    Attendee,
    address=people,
    name=lines,
    role=st.sampled_from(AttendeeRole),
    response=st.sampled_from(Response),
)


@st.composite
def spans(draw, zones=ZONES):
    if draw(st.booleans()):
        start = draw(dates)
        end = start + draw(st.integers(1, 9)) * DAY
        return {"start_at": start, "end_at": end, "is_all_day": True}
    start = draw(instants)
    return {
        "start_at": start,
        "end_at": start + draw(st.integers(0, 300_000)) * 1000,
        "zone": draw(st.sampled_from(["", *zones])),
    }


@st.composite
def recurrences(draw, ends=instants):
    interval = draw(st.integers(1, 99))
    nth, month = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    counted = draw(
        st.sampled_from([Weekdays.SUNDAY, Weekdays.WORKDAYS, Weekdays.WEEKEND, Weekdays.EVERY])
    )
    match draw(st.sampled_from(Frequency)):
        case Frequency.DAILY:
            pattern = Recurrence(Frequency.DAILY)
        case Frequency.WEEKLY:
            pattern = Recurrence(
                Frequency.WEEKLY,
                weekdays=Weekdays(draw(st.integers(1, 127))),
                first_weekday=draw(st.integers(0, 6)),
            )
        case Frequency.MONTHLY:
            pattern = Recurrence(Frequency.MONTHLY, day=draw(st.integers(1, 31)))
        case Frequency.YEARLY:
            pattern = Recurrence(Frequency.YEARLY, day=draw(st.integers(1, 28)), month=month)
        case Frequency.MONTHLY_NTH:
            pattern = Recurrence(Frequency.MONTHLY_NTH, weekdays=counted, nth=nth)
        case Frequency.YEARLY_NTH:
            pattern = Recurrence(Frequency.YEARLY_NTH, weekdays=counted, nth=nth, month=month)
    end = draw(
        st.sampled_from([{}])
        | st.integers(1, 1_500).map(lambda count: {"count": count})
        | ends.filter(bool).map(lambda at: {"until_at": at})
    )
    return replace(pattern, interval=interval, **end)


@st.composite
def meetings(draw):
    """Organizer and attendees; of no meeting, an own one, somebody else's."""
    asked = draw(st.lists(attendees, max_size=3, unique_by=lambda one: one.address))
    if not asked:
        return {}
    organizer = draw(st.sampled_from([Organizer(ALICE.address, ALICE.name), Organizer("x@y.z")]))
    return {
        "organizer": organizer,
        "attendees": tuple(asked),
        "response_requested": draw(st.booleans()),
        "is_cancelled": draw(st.booleans()),
    }


@st.composite
def singles(draw, zones=ZONES):
    """What ActiveSync tells whole."""
    return Appointment(
        uid=draw(names.map(lambda text: text.replace("\n", ""))).strip() or "u",
        subject=draw(lines),
        location=draw(lines),
        body=draw(texts),
        **draw(spans(zones)),
        busy=draw(st.sampled_from(BusyStatus)),
        sensitivity=draw(st.sampled_from(Sensitivity)),
        reminder_minutes=draw(st.none() | st.integers(0, 50_000)),
        categories=tuple(draw(st.lists(names.map(str.strip), max_size=3))),
        **draw(meetings()),
        disallow_new_time_proposal=draw(st.booleans()),
    )


def first_starts(series: Appointment) -> list[int]:
    """Of the first years, but at most twenty."""
    zone = ZoneInfo(series.zone) if series.zone else UTC
    first = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=series.start_at)
    local = first.astimezone(zone).replace(tzinfo=None)
    begin = series.start_at
    return occurrences(series.recurrence, local, zone, begin, begin + 2_000 * DAY)[:20]


@st.composite
def appointments(draw, zones=ZONES):
    """Singles and series, in a form that comes back as it is told."""
    single = draw(singles(zones))
    if draw(st.booleans()):
        return single
    series = replace(single, recurrence=draw(recurrences(dates if single.is_all_day else instants)))
    series = replace(series, recurrence=shown_recurrence(series))
    if series.recurrence is None:
        return single
    starts = first_starts(series)
    overrides = []
    for start in draw(st.lists(st.sampled_from(starts), max_size=3, unique=True)) if starts else ():
        if draw(st.booleans()):
            overrides.append(Override(original_start_at=start, is_deleted=True))
            continue
        other = draw(singles(zones))
        taken = replace(
            regular_occurrence(series, start),
            subject=other.subject,
            location=other.location,
            start_at=start + (DAY if series.is_all_day else 60_000),
            end_at=start + 2 * DAY,
            busy=other.busy,
            reminder_minutes=other.reminder_minutes,
            categories=other.categories,
        )
        if series.organizer and ALICE.is_at(series.organizer.address):
            known = {attendee.address for attendee in series.attendees}
            new = tuple(one for one in other.attendees if one.address not in known)
            taken = replace(taken, attendees=(*series.attendees, *new))
        overrides.append(override_from_occurrence(series, start, taken))
    overrides.sort(key=lambda override: override.original_start_at)
    return replace(series, overrides=tuple(overrides))


@st.composite
def odd_appointments(draw):
    """With all that ActiveSync cannot tell."""
    value = draw(appointments([*ZONES, "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin"]))
    odd = {
        "sequence": draw(st.integers(0, 9)),
        "importance": draw(st.sampled_from(Importance)),
        "html": draw(texts) if value.body else "",
        "online_meeting_link": draw(st.sampled_from(["", "https://meet.example/a", "sip:a@b"])),
        "created_at": draw(instants),
        "changed_at": draw(instants),
        "is_floating": not value.is_all_day and not value.zone and draw(st.booleans()),
        "attendees": tuple(draw(st.permutations([*value.attendees, *_odd_people(value)]))),
        "categories": (*value.categories, *draw(st.sampled_from([(), (" ",), ("a\0b",)]))),
        "subject": value.subject + draw(st.sampled_from(["", "\x07", "\nsecond"])),
        "has_unmapped_rule": draw(st.booleans()),
        "is_cancelled": draw(st.booleans()),
    }
    value = replace(value, **odd)
    recurrence = value.recurrence
    if recurrence is not None:
        recurrence = draw(
            st.sampled_from([recurrence, replace(recurrence, interval=1_000)])
            | recurrences(dates if value.is_all_day else instants)
        )
    return replace(value, recurrence=recurrence)


def _odd_people(value: Appointment) -> list[Attendee]:
    if not value.attendees:
        return []
    return [
        Attendee(value.organizer.address, "Chair", response=Response.ACCEPTED),
        Attendee("", "Nobody"),
        Attendee("urn:uuid:1", "urn:uuid:1", responded_at=1_000),
    ]


PLAIN = Appointment(
    uid="u1",
    subject="Plan",
    location="Room 1",
    start_at=1_795_770_000_000,  # 2026-11-27T09:00Z
    end_at=1_795_773_600_000,
    zone="Europe/Berlin",
    reminder_minutes=15,
    created_at=NOW,
    changed_at=NOW,
)
MEETING = replace(
    PLAIN,
    organizer=Organizer(ALICE.address, ALICE.name),
    attendees=(
        Attendee("bob@example.org", "Bob", AttendeeRole.REQUIRED, Response.NONE),
        Attendee("carol@example.com", "", AttendeeRole.OPTIONAL, Response.ACCEPTED, NOW),
    ),
    response_requested=True,
)


def shown(value: Appointment, version: Version = Version.V16_1) -> list[Element]:
    def bodies(occurrence: Appointment) -> list[Element]:
        return plain_body(occurrence.body)

    return data_from_appointment(value, ViewOptions(version), ALICE, plain_body(value.body), bodies)


def text_of(children: list[Element], name: str) -> str | None:
    found = application_data(children).child(name)
    return found.text if found is not None else None


def told(
    children: list[Element] | Element,
    known: Appointment | None = None,
    version: Version = Version.V16_1,
    **how: object,
) -> Appointment:
    element = children if isinstance(children, Element) else application_data(children)
    return appointment_from_data(element, known, Reading(version, ALICE, **how), NOW)


def in_minutes(**texts: str) -> Element:
    """A new appointment with times that are of no matter."""
    times = {"StartTime": "20261127T090000Z", "EndTime": "20261127T100000Z"}
    return data("Calendar", **(times | texts))
