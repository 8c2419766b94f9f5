"""Tasks on the wire: what is carried comes back, what is not survives."""

from __future__ import annotations

import pytest
from eas_items import (
    application_data,
    check_sync_answer,
    data,
    kinds,
    names,
    plain_body,
    rubbish,
    shown_body,
    texts,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.html_text import html_from_text
from posthouse.formats.ical.task import ical_from_task
from posthouse.model.appointment import Importance, Sensitivity
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.model.task import Task, TaskStatus
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import BodyKind, ViewOptions
from posthouse.protocols.eas.wire.tasks import data_from_task, task_from_data

OPTIONS = ViewOptions()
NOW = 1_800_000_000_000
DAY = 86_400_000
slow = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
zones = st.sampled_from(["", "Europe/Berlin", "America/New_York", "Pacific/Apia", "No/Such"])
instants = st.integers(0, 4_000_000_000).map(lambda s: s * 1000)
dates = st.integers(1, 40_000).map(lambda n: n * DAY)
maybe = lambda strategy: st.none() | strategy  # noqa: E731
counts = st.integers(1, 255).map(lambda n: {"count": n})
ends = st.just({}) | counts | dates.map(lambda at: {"until_at": at})
recurrences = st.builds(
    lambda kind, interval, end: replace(kind, interval=interval, **end),
    st.sampled_from(
        [
            Recurrence(Frequency.DAILY),
            Recurrence(Frequency.WEEKLY, weekdays=Weekdays.WORKDAYS, first_weekday=1),
            Recurrence(Frequency.MONTHLY, day=31),
            Recurrence(Frequency.MONTHLY_NTH, weekdays=Weekdays.FRIDAY, nth=5),
            Recurrence(Frequency.YEARLY, day=29, month=2),
            Recurrence(Frequency.YEARLY_NTH, weekdays=Weekdays.EVERY, nth=1, month=5),
        ]
    ),
    st.integers(1, 999),
    ends,
)


@st.composite
def plain_tasks(draw):
    """Whose every field is carried, but for what is kept of progress."""
    start, due = draw(maybe(dates)), draw(maybe(dates))
    is_done = draw(st.booleans())
    recurrence = draw(maybe(recurrences)) if (start, due) != (None, None) else None
    return Task(
        uid="",
        subject=draw(texts),
        body=draw(texts),
        start_at=start,
        due_at=due,
        completed_at=draw(instants) if is_done else None,
        percent=100 if is_done else 0,
        status=TaskStatus.COMPLETED if is_done else TaskStatus.NOT_STARTED,
        importance=draw(st.sampled_from(Importance)),
        sensitivity=draw(st.sampled_from(Sensitivity)),
        reminder_at=draw(maybe(instants)),
        categories=tuple(draw(st.lists(names, max_size=3))),
        recurrence=recurrence,
        regenerates=recurrence is not None and draw(st.booleans()),
        is_dead_occurrence=recurrence is not None and draw(st.booleans()),
        ordinal_at=draw(maybe(instants)),
        sub_ordinal=draw(texts),
        created_at=NOW,
        changed_at=NOW,
    )


@st.composite
def tasks(draw):
    """With what is shown in part, or not at all."""
    task = draw(plain_tasks())
    if draw(st.booleans()):
        task = replace(
            task,
            start_at=draw(maybe(instants)),
            due_at=draw(instants),
            is_dated=False,
            is_floating=(is_floating := draw(st.booleans())),
            zone="" if is_floating else draw(zones),
            recurrence=draw(maybe(recurrences)),
        )
    return replace(
        task,
        uid=draw(texts),
        html=draw(texts),
        completed_at=draw(maybe(instants)),
        percent=draw(st.integers(0, 100)),
        status=draw(st.sampled_from(TaskStatus)),
        has_unmapped_rule=draw(st.booleans()),
        regenerates=draw(st.booleans()),
        recurrence=draw(
            st.just(task.recurrence) | st.just(Recurrence(Frequency.DAILY, interval=5_000))
        ),
        categories=tuple(draw(st.lists(texts, max_size=3))),
        created_at=draw(instants),
        changed_at=draw(instants),
    )


def elements(task: Task, zone: str = "") -> list[Element]:
    body = shown_body(BodyKind.PLAIN, task.body, task.html)
    return data_from_task(task, OPTIONS, body, zone=zone)


def sent(task: Task, zone: str = "") -> Element:
    return application_data(elements(task, zone))


def taken(told: Element, known: Task | None = None, *, is_partial=True, zone="") -> Task:
    return task_from_data(told, known, is_partial=is_partial, now_ms=NOW, zone=zone)


def told(**texts: str) -> Element:
    return data("Tasks", **texts)


@slow
@given(plain_tasks(), zones)
def test_what_is_carried_comes_back(task: Task, zone: str) -> None:
    assert taken(sent(task, zone), is_partial=False, zone=zone) == task


@slow
@given(tasks(), st.booleans(), zones, kinds)
def test_what_comes_back_unchanged_changes_nothing(task: Task, partial, zone, kind) -> None:
    body = shown_body(kind, task.body, task.html)
    told = application_data(data_from_task(task, OPTIONS, body, zone=zone))
    assert taken(told, task, is_partial=partial, zone=zone) is task


@slow
@given(tasks(), plain_tasks(), zones)
def test_a_change_is_taken_whole(before: Task, after: Task, zone: str) -> None:
    result = taken(sent(after, zone), before, is_partial=False, zone=zone)
    assert (result.uid, result.created_at) == (before.uid, before.created_at)
    kept = {}
    if after.recurrence is None and not any(e.tag == "Recurrence" for e in elements(before)):
        # Where nothing was shown, nothing can be taken away.
        kept = {n: getattr(before, n) for n in ("recurrence", "regenerates", "is_dead_occurrence")}
    assert elements(result, zone) == elements(replace(after, **kept), zone)


@slow
@given(tasks(), zones)
def test_the_schema_takes_it(task: Task, zone: str) -> None:
    check_sync_answer(elements(task, zone))


@settings(slow, max_examples=300)
@given(rubbish("Tasks", "AirSyncBase"), st.none() | tasks(), st.booleans(), zones)
def test_rubbish_is_refused_or_can_be_kept(
    rubbish: Element, known: Task | None, partial: bool, zone: str
) -> None:
    try:
        task = taken(rubbish, known, is_partial=partial, zone=zone)
    except RemoteProtocolError as e:
        hint = e.reply_hint
    else:
        hint = "content"
        ical_from_task(task)
        elements(task, zone)
    assert hint == "content"


FULL = Task(
    uid="t1",
    subject="Taxes",
    body="all of them",
    html="<p>all of them</p>",
    start_at=20_600 * DAY,
    due_at=20_607 * DAY,
    percent=40,
    status=TaskStatus.IN_PROGRESS,
    importance=Importance.HIGH,
    reminder_at=20_600 * DAY + 28_800_000,
    categories=("Home",),
    recurrence=Recurrence(Frequency.YEARLY, day=27, month=5),
    created_at=1000,
    changed_at=2000,
)


def test_a_task_in_full() -> None:
    texts = {e.tag: e.text for e in elements(FULL, "Europe/Berlin") if not e.children}
    assert texts == {
        "Subject": "Taxes",
        "Importance": "2",
        "Sensitivity": "0",
        "Complete": "0",
        "ReminderSet": "1",
        "ReminderTime": "2026-05-27T08:00:00.000Z",
        "UtcStartDate": "2026-05-26T22:00:00.000Z",
        "StartDate": "2026-05-27T00:00:00.000Z",
        "UtcDueDate": "2026-06-02T22:00:00.000Z",
        "DueDate": "2026-06-03T00:00:00.000Z",
    }


def test_absent_is_unchanged_in_a_part() -> None:
    assert taken(told(Subject="Tax"), FULL) == replace(FULL, subject="Tax", changed_at=NOW)


def test_absent_is_cleared_in_a_whole_but_for_the_body() -> None:
    assert taken(told(Subject="Taxes"), FULL, is_partial=False) == Task(
        uid="t1",
        subject="Taxes",
        body=FULL.body,
        html=FULL.html,
        # Not done is what was shown, too.
        percent=40,
        status=TaskStatus.IN_PROGRESS,
        created_at=1000,
        changed_at=NOW,
    )


def test_done_and_not_done() -> None:
    done = taken(told(Complete="1", DateCompleted="2026-06-01T10:00:00.000Z"), FULL)
    assert (done.status, done.percent) == (TaskStatus.COMPLETED, 100)
    assert done.completed_at == 1_780_308_000_000
    assert taken(told(Complete="1"), FULL).completed_at == NOW
    assert taken(told(Complete="1"), done) is done
    undone = taken(told(Complete="0"), done)
    assert (undone.status, undone.percent, undone.completed_at) == (TaskStatus.NOT_STARTED, 0, None)
    waiting = replace(FULL, status=TaskStatus.WAITING)
    assert taken(told(Complete="0"), waiting) is waiting


def test_done_nobody_knows_when_has_a_date_nevertheless() -> None:
    done = replace(FULL, status=TaskStatus.COMPLETED)
    (date,) = (e.text for e in elements(done) if e.tag == "DateCompleted")
    assert date == "1970-01-01T00:00:02.000Z"
    assert taken(told(Subject="Tax"), done).completed_at == 2000


@pytest.mark.parametrize(
    "pair",
    [
        {"DueDate": "2026-06-05T00:00:00.000Z", "UtcDueDate": "2026-06-04T22:00:00.000Z"},
        {"DueDate": "2026-06-05T00:00:00.000Z"},
        {"UtcDueDate": "2026-06-04T22:00:00.000Z"},
        {"UtcDueDate": "2026-06-05T07:00:00.000Z"},
        # A time of day that no known zone explains is left out.
        {"DueDate": "2026-06-05T17:00:00.000Z", "UtcDueDate": "2026-06-05T08:00:00.000Z"},
        {"DueDate": "2026-06-05T17:00:00.000Z"},
    ],
)
def test_a_date_by_any_half(pair: dict[str, str]) -> None:
    known = replace(FULL, start_at=None, recurrence=None)
    assert taken(told(**pair), known) == replace(known, due_at=20_609 * DAY, changed_at=NOW)


def test_a_time_of_day_is_kept_where_a_zone_explains_it() -> None:
    pair = {"DueDate": "2026-06-05T17:00:00.000Z", "UtcDueDate": "2026-06-05T15:00:00.000Z"}
    known = replace(FULL, start_at=None, recurrence=None)
    timed = taken(told(**pair), known, zone="Europe/Berlin")
    assert (timed.due_at, timed.is_dated, timed.zone) == (
        20_609 * DAY + 15 * 3_600_000,
        False,
        "Europe/Berlin",
    )
    assert taken(sent(timed), timed) is timed
    for half in pair:
        assert taken(told(**{half: pair[half]}), timed) is timed
    moved = taken(told(DueDate="2026-06-06T00:00:00.000Z"), timed)
    assert (moved.due_at, moved.is_dated, moved.zone) == (20_610 * DAY, True, "")


def test_a_floating_time_is_one_of_the_clients_zone() -> None:
    floating = replace(FULL, start_at=None, due_at=20_609 * DAY, is_dated=False, is_floating=True)
    texts = {e.tag: e.text for e in elements(floating, "Europe/Berlin") if not e.children}
    assert texts["DueDate"] == "2026-06-05T00:00:00.000Z"
    assert texts["UtcDueDate"] == "2026-06-04T22:00:00.000Z"


def test_no_date() -> None:
    known = replace(FULL, recurrence=None)
    none = taken(told(DueDate="", UtcDueDate="", StartDate="4501-01-01T00:00:00.000Z"), known)
    assert (none.start_at, none.due_at, none.is_dated) == (None, None, True)


def test_reminders() -> None:
    at = "2026-06-01T10:00:00.000Z"
    assert taken(told(ReminderSet="0"), FULL).reminder_at is None
    assert taken(told(ReminderTime=at), FULL).reminder_at == 1_780_308_000_000
    none = replace(FULL, reminder_at=None)
    assert taken(told(ReminderSet="1", ReminderTime=at), none).reminder_at == 1_780_308_000_000
    assert taken(told(ReminderTime=at), none) is none


@pytest.mark.parametrize(
    "wrong",
    [
        {"ReminderSet": "2"},
        {"Importance": "3"},
        {"Sensitivity": "4"},
        {"Complete": "yes"},
        {"DueDate": "soon"},
        {"StartDate": "1600-12-31T00:00:00.000Z"},
        {"OrdinalDate": "2026-02-30T00:00:00.000Z"},
    ],
)
def test_what_is_out_of_range_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError):
        taken(told(**wrong), FULL)


def recurring(start: str = "2026-06-01T00:00:00.000Z", **more: str) -> Element:
    texts = {"Type": "0", "Interval": "2", "Start": start, **more}
    children = [Element("Tasks", tag, text) for tag, text in texts.items() if text]
    return application_data([Element("Tasks", "Recurrence", children)])


def test_a_recurrence_begins_a_task_without_dates() -> None:
    task = taken(recurring(Regenerate="1"), Task(uid="t2"))
    assert task.recurrence == Recurrence(Frequency.DAILY, interval=2)
    assert (task.start_at, task.regenerates) == (20_605 * DAY, True)
    with pytest.raises(RemoteProtocolError):
        taken(recurring(start=""), Task(uid="t2"))


@pytest.mark.parametrize(
    "until", ["2026-06-10T00:00:00.000Z", "2026-06-09T22:00:00.000Z", "2026-06-10T21:59:59.000Z"]
)
def test_the_last_day_of_a_recurrence(until: str) -> None:
    task = taken(recurring(Until=until), FULL)
    assert task.recurrence is not None
    assert task.recurrence.until_at == 20_614 * DAY


def test_a_series_with_a_time_of_day_ends_with_its_last_start() -> None:
    timed = replace(FULL, due_at=None, is_dated=False, zone="Europe/Berlin")
    timed = replace(timed, start_at=20_605 * DAY + 15 * 3_600_000)
    task = taken(recurring(Until="2026-06-10T00:00:00.000Z"), timed)
    assert task.recurrence is not None
    assert task.recurrence.until_at == 20_614 * DAY + 15 * 3_600_000
    dated = taken(told(StartDate="2026-06-02T00:00:00.000Z"), task)
    assert dated.recurrence is not None
    assert (dated.is_dated, dated.recurrence.until_at) == (True, 20_614 * DAY)


def test_an_empty_recurrence_ends_it_and_what_cannot_be_said_survives() -> None:
    assert taken(told(Recurrence=""), FULL).recurrence is None
    odd = replace(FULL, recurrence=None, has_unmapped_rule=True)
    for one in (told(Recurrence=""), told(Subject="Tax")):
        assert taken(one, odd, is_partial=False).has_unmapped_rule
    assert not taken(recurring(), odd).has_unmapped_rule


def test_both_forms_of_a_body_stay_when_either_comes_back() -> None:
    assert taken(application_data(plain_body("all of them")), FULL) is FULL
    assert taken(application_data(plain_body(FULL.html, "2")), FULL) is FULL
    plain = replace(FULL, html="", body="a\nb & c")
    assert taken(application_data(plain_body(html_from_text("a\nb & c"), "2")), plain) is plain
    rich = replace(FULL, body="")
    assert taken(application_data(plain_body("all of them")), rich) is rich


def test_another_body_replaces_both_forms() -> None:
    assert taken(application_data(plain_body("none")), FULL).html == ""
    task = taken(application_data(plain_body("<p>some <b>of</b><br>them</p>", "2")), FULL)
    assert (task.body, task.html) == ("some of\nthem", "<p>some <b>of</b><br>them</p>")
    none = taken(application_data(plain_body("", "2")), FULL)
    assert (none.body, none.html) == ("", "")
