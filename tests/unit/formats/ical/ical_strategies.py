"""Random appointments and tasks in their normal form."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace

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
)
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.model.task import Task, TaskStatus

DAY = 86_400_000
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Casablanca", "Pacific/Apia"]

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=100)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(str.strip)
words = names.filter(bool)
addresses = st.sampled_from(["a@b.example", "jörg@müller.example", "x%y@z.example", "urn:uuid:1"])
instants = st.integers(0, 4_000_000_000).map(lambda s: s * 1000) | st.integers(
    # The hours that come twice.
    1_792_886_400 // 900,
    1_792_893_600 // 900,
).map(lambda q: q * 900_000)
dates = st.integers(1, 40_000).map(lambda n: n * DAY)
stamps = st.just(0) | instants

attendees = st.builds(
    Attendee,
    address=addresses,
    name=names,
    role=st.sampled_from(AttendeeRole),
    response=st.sampled_from(Response),
    responded_at=stamps,
)


@st.composite
def spans(draw):
    form = draw(st.sampled_from(["date", "floating", "utc", "zone"]))
    if form == "date":
        start = draw(dates)
        return {
            "start_at": start,
            "end_at": start + draw(st.integers(1, 9)) * DAY,
            "is_all_day": True,
        }
    start = draw(instants)
    return {
        "start_at": start,
        "end_at": start + draw(st.integers(0, 300_000)) * 1000,
        "is_floating": form == "floating",
        "zone": draw(st.sampled_from(ZONES)) if form == "zone" else "",
    }


@st.composite
def single_appointments(draw):
    asked = draw(st.lists(attendees, max_size=4))
    return Appointment(
        uid=draw(words),
        sequence=draw(st.integers(0, 9)),
        subject=draw(texts),
        location=draw(texts),
        body=draw(texts),
        html=draw(texts),
        **draw(spans()),
        busy=draw(st.sampled_from(BusyStatus)),
        sensitivity=draw(st.sampled_from(Sensitivity)),
        importance=draw(st.sampled_from(Importance)),
        reminder_minutes=draw(st.none() | st.integers(0, 50_000)),
        categories=tuple(draw(st.lists(words, max_size=3))),
        organizer=draw(st.none() | st.builds(Organizer, addresses, names)),
        attendees=tuple(asked),
        is_cancelled=draw(st.booleans()),
        response_requested=bool(asked) and draw(st.booleans()),
        disallow_new_time_proposal=draw(st.booleans()),
        online_meeting_link=draw(st.sampled_from(["", "https://meet.example/a?b=c;d,e"])),
        created_at=draw(stamps),
        changed_at=draw(stamps),
    )


def recurrences(until: st.SearchStrategy[int]) -> st.SearchStrategy[Recurrence]:
    months = st.integers(1, 12)
    days = st.integers(1, 28)
    counted = st.sampled_from(
        [Weekdays.SUNDAY, Weekdays.FRIDAY, Weekdays.WORKDAYS, Weekdays.WEEKEND, Weekdays.EVERY]
    )
    nths = st.integers(1, 5)
    kinds = st.one_of(
        st.builds(Recurrence, st.just(Frequency.DAILY)),
        st.builds(
            Recurrence,
            st.just(Frequency.WEEKLY),
            weekdays=st.integers(1, 127).map(Weekdays),
            first_weekday=st.integers(0, 6),
        ),
        st.builds(Recurrence, st.just(Frequency.MONTHLY), day=st.integers(1, 31)),
        st.builds(Recurrence, st.just(Frequency.MONTHLY_NTH), weekdays=counted, nth=nths),
        st.builds(Recurrence, st.just(Frequency.YEARLY), day=days, month=months),
        st.builds(
            Recurrence, st.just(Frequency.YEARLY_NTH), weekdays=counted, nth=nths, month=months
        ),
    )
    ends = st.one_of(
        st.just({}), st.integers(1, 999).map(lambda n: {"count": n}), until.map(_until)
    )
    return st.builds(
        lambda kind, interval, end: replace(kind, interval=interval, **end),
        kinds,
        st.integers(1, 99),
        ends,
    )


def _until(at: int) -> dict[str, int]:
    return {"until_at": at}


@st.composite
def appointments(draw):
    single = draw(single_appointments())
    if draw(st.booleans()):
        return single
    times = dates if single.is_all_day else instants
    series = replace(single, recurrence=draw(recurrences(times.filter(bool))))
    overrides = []
    for start in draw(st.lists(times, max_size=3, unique=True)):
        if draw(st.booleans()):
            overrides.append(Override(original_start_at=start, is_deleted=True))
            continue
        other = draw(single_appointments())
        kept = {n: getattr(series, n) for n in ("uid", "created_at", "changed_at")}
        overrides.append(override_from_occurrence(series, start, replace(other, **kept)))
    overrides.sort(key=lambda o: o.original_start_at)
    return replace(series, overrides=tuple(overrides))


@st.composite
def tasks(draw):
    span = draw(spans())
    is_dated = span.get("is_all_day", False)
    times = dates if is_dated else instants
    start, due = draw(st.none() | times), draw(st.none() | times)
    has_time = start is not None or due is not None
    return Task(
        uid=draw(words),
        subject=draw(texts),
        body=draw(texts),
        html=draw(texts),
        start_at=start,
        due_at=due,
        is_dated=is_dated or not has_time,
        zone=span.get("zone", "") if has_time else "",
        is_floating=span.get("is_floating", False) and has_time,
        completed_at=draw(st.none() | instants),
        percent=draw(st.integers(0, 100)),
        status=draw(st.sampled_from(TaskStatus)),
        importance=draw(st.sampled_from(Importance)),
        sensitivity=draw(st.sampled_from(Sensitivity)),
        reminder_at=draw(st.none() | instants),
        categories=tuple(draw(st.lists(words, max_size=3))),
        recurrence=draw(st.none() | recurrences(times.filter(bool))) if has_time else None,
        regenerates=draw(st.booleans()),
        is_dead_occurrence=draw(st.booleans()),
        ordinal_at=draw(st.none() | instants),
        sub_ordinal=draw(texts),
        created_at=draw(stamps),
        changed_at=draw(stamps),
    )
