"""Tasks as a view of iCalendar, in both directions."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ical_strategies import tasks
from msgspec.structs import replace

from posthouse.formats.ical.task import ical_from_task, task_from_ical
from posthouse.model.appointment import Importance
from posthouse.model.errors import ParserFailed
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.model.task import Task, TaskStatus

GOLDEN = Path(__file__).parents[3] / "golden" / "ical"
SAMPLES = sorted(GOLDEN.glob("todo-*.ics"))
slow = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@slow
@given(tasks(), tasks())
def test_written_and_read_is_the_same(before: Task, after: Task) -> None:
    data = ical_from_task(before)
    assert task_from_ical(data) == before
    assert ical_from_task(before, data) == data
    assert task_from_ical(ical_from_task(after, data)) == after


@slow
@given(st.sampled_from(SAMPLES), tasks())
def test_any_change_of_a_sample_is_written_whole(sample: Path, after: Task) -> None:
    data = sample.read_bytes()
    changed = ical_from_task(after, data)
    assert task_from_ical(changed) == after
    for line in data.split(b"\r\n"):
        assert not line.startswith(b"X-") or b"\r\n" + line + b"\r\n" in changed


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.stem)
def test_unchanged_gives_the_same_bytes(sample: Path) -> None:
    data = sample.read_bytes()
    assert ical_from_task(task_from_ical(data), data) == data


def test_thunderbird() -> None:
    assert task_from_ical((GOLDEN / "todo-thunderbird.ics").read_bytes()) == Task(
        uid="todo-1",
        subject="Steuer",
        start_at=1_795_680_000_000,
        due_at=1_796_058_000_000,
        is_dated=False,
        zone="Europe/Berlin",
        percent=40,
        status=TaskStatus.IN_PROGRESS,
        importance=Importance.HIGH,
        reminder_at=1_795_678_200_000,
        categories=("Haus",),
        created_at=1_795_168_800_000,
        changed_at=1_795_255_200_000,
    )


def test_apple() -> None:
    data = (GOLDEN / "todo-apple.ics").read_bytes()
    task = task_from_ical(data)
    assert task.is_dated
    assert task.due_at == 1_795_737_600_000
    assert task.status == TaskStatus.COMPLETED
    assert task.recurrence == Recurrence(
        Frequency.WEEKLY, interval=2, weekdays=Weekdays.FRIDAY, first_weekday=1
    )
    again = replace(task, status=TaskStatus.WAITING, completed_at=None, percent=0)
    written = ical_from_task(again, data)
    assert b"STATUS:NEEDS-ACTION" in written
    assert b"COMPLETED:2026" not in written
    assert task_from_ical(written) == again


def test_refused() -> None:
    with pytest.raises(ParserFailed):
        task_from_ical((GOLDEN / "event-google.ics").read_bytes())
