"""Recurrences in the words of three namespaces."""

from __future__ import annotations

import pytest
from eas_appointments import DAY, recurrences
from eas_items import data, rubbish
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.recurrence.pattern import check_recurrence
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.recurrence import LAST, Frequency, Recurrence, Weekdays
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.recurrence import (
    CALENDAR,
    EMAIL,
    TASKS,
    Dialect,
    TaskRecurrence,
    can_be_said,
    recurrence_element,
    recurrence_from_element,
    task_recurrence_element,
    task_recurrence_from_element,
    with_last_day,
)

WEEKLY = Recurrence(Frequency.WEEKLY, 2, Weekdays.MONDAY | Weekdays.FRIDAY, first_weekday=1)


def words(element: Element) -> list[tuple[str, str]]:
    return [(child.name, child.text) for child in element.children]


def read(dialect: Dialect = CALENDAR, /, **texts: str) -> Recurrence | None:
    element = Element("Calendar", "Recurrence", data("Calendar", **texts).children)
    return recurrence_from_element(element, dialect)


@given(recurrences(), st.sampled_from([CALENDAR, EMAIL, TASKS]))
def test_written_and_read_is_the_same(recurrence: Recurrence, dialect: Dialect) -> None:
    assert recurrence_from_element(recurrence_element(recurrence, dialect), dialect) == recurrence


@given(recurrences(), st.integers(1, 40_000).map(lambda day: day * DAY), st.booleans())
def test_tasks_say_when_it_goes_on(recurrence: Recurrence, start_at: int, is_done: bool) -> None:
    element = task_recurrence_element(
        recurrence, start_at, regenerates=not is_done, is_dead_occurrence=is_done
    )
    assert element is not None
    if recurrence.count > 255:
        recurrence = with_last_day(recurrence, start_at)
    assert task_recurrence_from_element(element) == TaskRecurrence(
        recurrence, start_at, regenerates=not is_done, is_dead_occurrence=is_done
    )


@given(rubbish("Calendar"), st.none() | recurrences())
def test_rubbish_is_refused_or_valid(element: Element, known: Recurrence | None) -> None:
    element = Element("Calendar", "Recurrence", element.content)
    try:
        found = recurrence_from_element(element, known=known)
    except RemoteProtocolError as e:
        assert e.reply_hint == "content"  # noqa: PT017
        return
    if found is not None:
        check_recurrence(found)


def test_words_of_calendars() -> None:
    until_at = 1_798_704_000_000
    assert words(recurrence_element(replace(WEEKLY, until_at=until_at))) == [
        ("Calendar:Type", "1"),
        ("Calendar:Interval", "2"),
        ("Calendar:Until", "20261231T080000Z"),
        ("Calendar:DayOfWeek", "34"),
        ("Calendar:FirstDayOfWeek", "1"),
    ]
    yearly = Recurrence(Frequency.YEARLY_NTH, weekdays=Weekdays.WORKDAYS, nth=LAST, month=3)
    assert words(recurrence_element(yearly)) == [
        ("Calendar:Type", "6"),
        ("Calendar:Interval", "1"),
        ("Calendar:WeekOfMonth", "5"),
        ("Calendar:DayOfWeek", "62"),
        ("Calendar:MonthOfYear", "3"),
        ("Calendar:CalendarType", "1"),
    ]


def test_words_of_mail_and_tasks() -> None:
    monthly = Recurrence(Frequency.MONTHLY, day=31, count=3)
    assert words(recurrence_element(monthly, EMAIL)) == [
        ("Email:Type", "2"),
        ("Email:Interval", "1"),
        ("Email:Occurrences", "3"),
        ("Email:DayOfMonth", "31"),
        ("Email2:CalendarType", "1"),
    ]
    element = task_recurrence_element(
        replace(WEEKLY, until_at=20_100 * DAY),
        20_000 * DAY,
        regenerates=False,
        is_dead_occurrence=False,
    )
    assert element is not None
    assert words(element)[:4] == [
        ("Tasks:Type", "1"),
        ("Tasks:Start", "2024-10-04T00:00:00.000Z"),
        ("Tasks:Interval", "2"),
        ("Tasks:Until", "2025-01-12T00:00:00.000Z"),
    ]


def test_daily_on_some_days_is_weekly() -> None:
    workdays = Recurrence(Frequency.WEEKLY, weekdays=Weekdays.WORKDAYS)
    assert read(Type="0", DayOfWeek="62", Interval="1") == workdays
    assert read(Type="0", DayOfWeek="127") == Recurrence(Frequency.DAILY)
    assert read(Type="0", Interval="0") == Recurrence(Frequency.DAILY)


def test_a_number_counts_more_than_a_date() -> None:
    assert read(Type="0", Occurrences="5", Until="20261231T000000Z") == Recurrence(
        Frequency.DAILY, count=5
    )


def test_empty_is_no_recurrence() -> None:
    assert recurrence_from_element(Element("Calendar", "Recurrence")) is None
    assert task_recurrence_from_element(Element("Tasks", "Recurrence")) == TaskRecurrence(None)


def test_what_is_told_in_part() -> None:
    def changed(**texts: str) -> Recurrence | None:
        element = Element("Calendar", "Recurrence", data("Calendar", **texts).children)
        return recurrence_from_element(element, known=replace(WEEKLY, count=5))

    assert changed(Interval="3") == replace(WEEKLY, interval=3, count=5)
    assert changed(Until="20261231T080000Z") == replace(WEEKLY, until_at=1_798_704_000_000)
    assert changed(Type="1", DayOfWeek="4") == Recurrence(
        Frequency.WEEKLY, weekdays=Weekdays.TUESDAY, first_weekday=1
    )
    assert changed(Type="2", DayOfMonth="4") == Recurrence(Frequency.MONTHLY, day=4)
    with pytest.raises(RemoteProtocolError):
        changed(DayOfMonth="4")


@pytest.mark.parametrize(
    "texts",
    [
        {"Interval": "1"},
        {"Type": "4"},
        {"Type": "7"},
        {"Type": "1"},
        {"Type": "1", "DayOfWeek": "128"},
        {"Type": "2"},
        {"Type": "2", "DayOfMonth": "32"},
        {"Type": "2", "DayOfMonth": "1", "DayOfWeek": "1"},
        {"Type": "3", "WeekOfMonth": "1"},
        {"Type": "3", "WeekOfMonth": "1", "DayOfWeek": "3"},
        {"Type": "3", "WeekOfMonth": "6", "DayOfWeek": "1"},
        {"Type": "5", "DayOfMonth": "1"},
        {"Type": "5", "DayOfMonth": "1", "MonthOfYear": "13"},
        {"Type": "0", "MonthOfYear": "1"},
        {"Type": "0", "Interval": "1000"},
        {"Type": "0", "Interval": "-1"},
        {"Type": "0", "Occurrences": "70000"},
        {"Type": "0", "Until": "soon"},
        {"Type": "0", "Until": "19690101T000000Z"},
        {"Type": "1", "DayOfWeek": "1", "FirstDayOfWeek": "7"},
        {"Type": "2", "DayOfMonth": "1", "CalendarType": "6"},
        {"Type": "2", "DayOfMonth": "1", "CalendarType": "13"},
    ],
)
def test_what_is_no_recurrence(texts: dict[str, str]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(**texts)
    assert caught.value.reply_hint == "content"


def test_nothing_twice() -> None:
    children = data("Calendar", Type="2", DayOfMonth="1", CalendarType="1").children
    twice = Element("Calendar", "Recurrence", [*children, children[-1]])
    with pytest.raises(RemoteProtocolError):
        recurrence_from_element(twice)


def test_other_gregorian_calendars() -> None:
    monthly = Recurrence(Frequency.MONTHLY, day=1)
    for kind in ("0", "1", "2", "9", "12"):
        assert read(Type="2", DayOfMonth="1", CalendarType=kind, IsLeapMonth="0") == monthly


def test_what_cannot_be_said() -> None:
    assert not can_be_said(replace(WEEKLY, interval=1_000))
    assert not can_be_said(replace(WEEKLY, count=1_000))
    assert can_be_said(replace(WEEKLY, count=999))
    assert not can_be_said(replace(WEEKLY, count=256), TASKS)


def test_last_day_of_a_number() -> None:
    start = 20_000 * DAY + 3_600_000
    daily = Recurrence(Frequency.DAILY, 2, count=10)
    assert with_last_day(daily, start) == Recurrence(Frequency.DAILY, 2, until_at=start + 18 * DAY)
    assert with_last_day(replace(daily, count=0), start) == replace(daily, count=0)
    endless = Recurrence(Frequency.YEARLY, 900, day=1, month=1, count=200)
    assert with_last_day(endless, start) == replace(endless, count=0)
