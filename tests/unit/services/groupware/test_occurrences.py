"""What of an appointment takes place in a window, and what free/busy makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_entries import Desk

from posthouse.model.appointment import Appointment, BusyStatus, Override
from posthouse.model.errors import TooLarge
from posthouse.model.folder import FolderRole
from posthouse.model.recurrence import Frequency, Recurrence, Weekdays
from posthouse.services.groupware.free_busy import BusyTime, busy_times, merged
from posthouse.services.groupware.occurrences import FOREVER, last_end, taking_place

HOUR = 3_600_000
DAY = 24 * HOUR


def at(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)


def weekly(**more):
    """Mondays at nine in Berlin, from 5 January 2026."""
    recurrence = Recurrence(Frequency.WEEKLY, weekdays=Weekdays.MONDAY, **more)
    start = at(2026, 1, 5, 8)
    return Appointment(
        uid="w", start_at=start, end_at=start + HOUR, zone="Europe/Berlin", recurrence=recurrence
    )


def starts(appointment, begin, end):
    return [one.start_at for one in taking_place(appointment, begin, end)]


def test_a_single_appointment_is_there_where_it_touches():
    one = Appointment(uid="x", start_at=1_000, end_at=2_000)
    assert starts(one, 0, 1_000) == []
    assert starts(one, 0, 1_001) == [1_000]
    assert starts(one, 1_999, 9_999) == [1_000]
    assert starts(one, 2_000, 9_999) == []
    moment = Appointment(uid="x", start_at=1_000, end_at=1_000)
    assert starts(moment, 1_000, 1_001) == [1_000]
    assert starts(moment, 0, 1_000) == []


def test_a_series_keeps_the_clock_on_the_wall():
    found = starts(weekly(), at(2026, 3, 20), at(2026, 4, 8))
    assert found == [at(2026, 3, 23, 8), at(2026, 3, 30, 7), at(2026, 4, 6, 7)]


def test_the_window_meets_one_that_began_before_it():
    assert starts(weekly(), at(2026, 1, 12, 8, 30), at(2026, 1, 12, 8, 40)) == [at(2026, 1, 12, 8)]


def test_moved_and_deleted_occurrences():
    series = weekly(count=4)
    moved = Override(
        original_start_at=at(2026, 1, 12, 8),
        start_at=at(2026, 2, 20, 10),
        end_at=at(2026, 2, 20, 11),
        subject="moved",
    )
    gone = Override(original_start_at=at(2026, 1, 19, 8), is_deleted=True)
    series = Appointment(
        **{f: getattr(series, f) for f in series.__struct_fields__} | {"overrides": (moved, gone)}
    )
    assert starts(series, 0, at(2026, 2, 1)) == [at(2026, 1, 5, 8), at(2026, 1, 26, 8)]
    (late,) = taking_place(series, at(2026, 2, 1), at(2026, 3, 1))
    assert (late.subject, late.start_at, late.recurrence) == ("moved", at(2026, 2, 20, 10), None)
    assert last_end(series) == at(2026, 2, 20, 11)


def test_when_the_last_is_over():
    assert last_end(weekly()) == FOREVER
    assert last_end(weekly(count=3)) == at(2026, 1, 19, 9)
    assert last_end(weekly(until_at=at(2026, 6, 1))) == at(2026, 6, 1, 1)
    assert last_end(Appointment(uid="x", start_at=1, end_at=2, has_unmapped_rule=True)) == FOREVER
    assert last_end(Appointment(uid="x", start_at=1, end_at=2)) == 2


def test_a_series_bomb_ends_at_the_limit():
    daily = Appointment(uid="d", start_at=0, end_at=HOUR, recurrence=Recurrence(Frequency.DAILY))
    with pytest.raises(TooLarge):
        taking_place(daily, 0, FOREVER)


def times(*spans):
    return [Appointment(uid="t", start_at=s, end_at=e, busy=b) for s, e, b in spans]


def test_the_strongest_counts_and_neighbours_join():
    busy, out, maybe = BusyStatus.BUSY, BusyStatus.OUT_OF_OFFICE, BusyStatus.TENTATIVE
    found = merged(
        times(
            (0, 10, busy), (10, 20, busy), (5, 15, out), (30, 50, maybe), (35, 40, BusyStatus.FREE)
        ),
        (2, 45),
    )
    assert found == [
        BusyTime(2, 5, busy),
        BusyTime(5, 15, out),
        BusyTime(15, 20, busy),
        BusyTime(30, 45, maybe),
    ]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from(BusyStatus)), max_size=8
    )
)
def test_merging_says_the_same_at_every_moment(spans):
    weight = [
        BusyStatus.FREE,
        BusyStatus.WORKING_ELSEWHERE,
        BusyStatus.TENTATIVE,
        BusyStatus.BUSY,
        BusyStatus.OUT_OF_OFFICE,
    ]
    spans = [(min(a, b), max(a, b), busy) for a, b, busy in spans]
    found = merged(times(*spans), (5, 25))
    assert all(a.end_at <= b.start_at for a, b in pairwise(found))
    for moment in range(31):
        inside = 5 <= moment < 25
        wanted = max(
            (weight.index(busy) for s, e, busy in spans if s <= moment < e and inside), default=0
        )
        told = [weight.index(one.busy) for one in found if one.start_at <= moment < one.end_at]
        assert (told or [0]) == [wanted]


def test_free_busy_from_the_calendar(tmp_path):
    import asyncio

    async def scene():
        desk = await Desk("memory", tmp_path).open()
        folder = await desk.folder(FolderRole.CALENDAR)
        await desk.add(weekly())
        await desk.add(
            Appointment(
                uid="",
                start_at=at(2026, 5, 4, 7),
                end_at=at(2026, 5, 4, 12),
                busy=BusyStatus.TENTATIVE,
            )
        )
        await desk.add(Appointment(uid="", start_at=at(2020, 1, 1), end_at=at(2020, 1, 2)))
        found = await busy_times(
            desk.store, desk.entries, desk.box, folder, (at(2026, 5, 1), at(2026, 5, 12))
        )
        assert found == [
            BusyTime(at(2026, 5, 4, 7), at(2026, 5, 4, 8), BusyStatus.BUSY),
            BusyTime(at(2026, 5, 4, 8), at(2026, 5, 4, 12), BusyStatus.TENTATIVE),
            BusyTime(at(2026, 5, 11, 7), at(2026, 5, 11, 8), BusyStatus.BUSY),
        ]
        with pytest.raises(TooLarge):
            await busy_times(desk.store, desk.entries, desk.box, folder, (0, FOREVER))

    asyncio.run(scene())
