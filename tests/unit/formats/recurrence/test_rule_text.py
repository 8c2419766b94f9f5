"""Recurrence rules of iCalendar and Exchange's patterns."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.formats.recurrence.patterns import RECURRENCES

from posthouse.formats.recurrence.pattern import UNTIL_AT_MAX, check_recurrence
from posthouse.formats.recurrence.rule_text import (
    RULE_CHARACTERS_MAX,
    recurrence_from_rule,
    rule_from_recurrence,
)
from posthouse.model.errors import RemoteProtocolError, TooLarge
from posthouse.model.recurrence import LAST, Frequency, Recurrence, Weekdays

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime.fromisoformat("2026-11-24T09:00")
"""A Tuesday."""


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def pattern(frequency: Frequency, **fields: int | Weekdays) -> Recurrence:
    return Recurrence(frequency, **fields)


@given(RECURRENCES, st.sampled_from([UTC, BERLIN, ZoneInfo("Pacific/Apia")]))
def test_read_undoes_write(recurrence: Recurrence, zone: ZoneInfo) -> None:
    rule = rule_from_recurrence(recurrence)
    assert recurrence_from_rule(rule, START, zone) == recurrence
    assert recurrence_from_rule(f"{rule.lower()};", START, zone) == recurrence


@given(RECURRENCES.filter(lambda r: r.until_at), st.sampled_from(["Europe/Berlin", "Asia/Kolkata"]))
def test_the_end_of_whole_days_is_a_date(recurrence: Recurrence, name: str) -> None:
    zone = ZoneInfo(name)
    midnight = datetime.fromisoformat("2026-11-24T00:00")
    rule = rule_from_recurrence(recurrence, day_zone=zone)
    again = recurrence_from_rule(rule, midnight, zone)
    assert again is None or again.until_at in range(
        recurrence.until_at - 26 * 3_600_000, recurrence.until_at + 1
    )
    if again is not None:
        assert rule_from_recurrence(again, day_zone=zone) == rule


WEEKLY, MONTHLY, NTH_DAY = Frequency.WEEKLY, Frequency.MONTHLY, Frequency.MONTHLY_NTH
YEARLY, YEARLY_NTH = Frequency.YEARLY, Frequency.YEARLY_NTH


@pytest.mark.parametrize(
    ("recurrence", "rule"),
    [
        (pattern(Frequency.DAILY), "FREQ=DAILY"),
        (pattern(Frequency.DAILY, interval=3, count=10), "FREQ=DAILY;COUNT=10;INTERVAL=3"),
        (
            pattern(WEEKLY, weekdays=Weekdays.WORKDAYS, first_weekday=1),
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        ),
        (
            pattern(WEEKLY, interval=2, weekdays=Weekdays.SUNDAY),
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU",
        ),
        (
            pattern(MONTHLY, day=15, until_at=ms("2027-01-01T08:00Z")),
            "FREQ=MONTHLY;UNTIL=20270101T080000Z;BYMONTHDAY=15",
        ),
        (pattern(MONTHLY, day=30), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        (pattern(MONTHLY, day=31), "FREQ=MONTHLY;BYMONTHDAY=-1"),
        (pattern(NTH_DAY, weekdays=Weekdays.TUESDAY, nth=2), "FREQ=MONTHLY;BYDAY=2TU"),
        (pattern(NTH_DAY, weekdays=Weekdays.FRIDAY, nth=LAST), "FREQ=MONTHLY;BYDAY=-1FR"),
        (
            pattern(NTH_DAY, weekdays=Weekdays.WORKDAYS, nth=LAST),
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ),
        (
            pattern(NTH_DAY, weekdays=Weekdays.WEEKEND, nth=1),
            "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1",
        ),
        (pattern(YEARLY, day=24, month=12), "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"),
        (pattern(YEARLY, day=29, month=2), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        (pattern(YEARLY, day=30, month=4), "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30"),
        (
            pattern(YEARLY_NTH, weekdays=Weekdays.SUNDAY, nth=LAST, month=3),
            "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        ),
    ],
)
def test_both_ways(recurrence: Recurrence, rule: str) -> None:
    assert rule_from_recurrence(recurrence) == rule
    assert recurrence_from_rule(rule, START, BERLIN) == recurrence


@pytest.mark.parametrize(
    ("rule", "recurrence"),
    [
        ("FREQ=WEEKLY", pattern(WEEKLY, weekdays=Weekdays.TUESDAY, first_weekday=1)),
        ("FREQ=MONTHLY", pattern(MONTHLY, day=24)),
        ("FREQ=YEARLY", pattern(YEARLY, day=24, month=11)),
        ("FREQ=YEARLY;BYMONTH=3", pattern(YEARLY, day=24, month=3)),
        (
            "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
            pattern(WEEKLY, weekdays=Weekdays.WORKDAYS, first_weekday=1),
        ),
        (
            "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2",
            pattern(NTH_DAY, weekdays=Weekdays.TUESDAY, nth=2),
        ),
        ("WKST=SU;freq=daily;interval=02;", pattern(Frequency.DAILY, interval=2)),
        (
            "FREQ=DAILY;UNTIL=20270630T090000",
            pattern(Frequency.DAILY, until_at=ms("2027-06-30T07:00Z")),
        ),
        (
            "FREQ=DAILY;UNTIL=20270630",
            pattern(Frequency.DAILY, until_at=ms("2027-06-30T07:00Z")),
        ),
        (
            "FREQ=DAILY;UNTIL=20270630T235960Z",
            pattern(Frequency.DAILY, until_at=ms("2027-07-01T00:00Z")),
        ),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", pattern(Frequency.DAILY, until_at=UNTIL_AT_MAX)),
    ],
)
def test_what_the_rule_leaves_to_the_start(rule: str, recurrence: Recurrence) -> None:
    assert recurrence_from_rule(rule, START, BERLIN) == recurrence


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYMONTHDAY=-2",
        "FREQ=MONTHLY;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=-2MO",
        "FREQ=MONTHLY;BYDAY=1MO,3MO",
        "FREQ=MONTHLY;BYDAY=1MO,TU",
        "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;BYMONTH=3",
        "FREQ=YEARLY;BYMONTH=3,4",
        "FREQ=YEARLY;BYMONTHDAY=3",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=WEEKLY;BYMONTH=3",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
        "FREQ=DAILY;BYHOUR=9,17",
        "FREQ=DAILY;RSCALE=GREGORIAN",
        "FREQ=DAILY;UNTIL=19690101T000000Z",
    ],
)
def test_rules_without_counterpart(rule: str) -> None:
    assert recurrence_from_rule(rule, START, BERLIN) is None


def test_a_start_on_a_day_that_not_every_month_has() -> None:
    assert recurrence_from_rule("FREQ=MONTHLY", START.replace(day=30), BERLIN) is None
    leap_day = datetime.fromisoformat("2028-02-29T09:00")
    assert recurrence_from_rule("FREQ=YEARLY", leap_day, BERLIN) is None


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ",
        "FREQ=",
        "FREQ=OFTEN",
        "INTERVAL=2",
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;INTERVAL=1440",
        "FREQ=HOURLY",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;;COUNT=1",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;COUNT=1.5",
        "FREQ=DAILY;COUNT=٣",
        "FREQ=DAILY;COUNT=9999999999",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=1;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20271301",
        "FREQ=DAILY;UNTIL=20270101T2500",
        "FREQ=DAILY;UNTIL=20270101T250000Z",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYDAY=MO,",
        "FREQ=WEEKLY;WKST=1",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=YEARLY;BYMONTH=13",
    ],
)
def test_refused(rule: str) -> None:
    with pytest.raises(RemoteProtocolError):
        recurrence_from_rule(rule, START, BERLIN)


def test_too_long() -> None:
    with pytest.raises(TooLarge):
        recurrence_from_rule("FREQ=DAILY;X=" + "1" * RULE_CHARACTERS_MAX, START, BERLIN)


@pytest.mark.parametrize(
    "recurrence",
    [
        pattern(Frequency.DAILY, interval=0),
        pattern(Frequency.DAILY, count=-1),
        pattern(Frequency.DAILY, until_at=-1),
        pattern(Frequency.DAILY, until_at=UNTIL_AT_MAX + 1),
        pattern(Frequency.DAILY, count=1, until_at=1),
        pattern(WEEKLY),
        pattern(WEEKLY, weekdays=Weekdays.MONDAY, first_weekday=7),
        pattern(MONTHLY, day=0),
        pattern(MONTHLY, day=32),
        pattern(YEARLY, day=1),
        pattern(YEARLY, day=1, month=13),
        pattern(NTH_DAY, weekdays=Weekdays.MONDAY),
        pattern(NTH_DAY, nth=1),
        pattern(NTH_DAY, weekdays=Weekdays.MONDAY | Weekdays.TUESDAY, nth=1),
        pattern(YEARLY_NTH, weekdays=Weekdays.MONDAY, nth=6, month=1),
    ],
)
def test_what_is_no_pattern_is_not_written(recurrence: Recurrence) -> None:
    with pytest.raises(ValueError, match="out of range"):
        rule_from_recurrence(recurrence)


WORDS = st.sampled_from(
    [
        "FREQ=",
        "DAILY",
        "WEEKLY",
        "MONTHLY",
        "YEARLY",
        ";",
        "BYDAY=",
        "MO",
        "-1SU",
        ",",
        "BYSETPOS=",
        "BYMONTHDAY=",
        "31",
        "28,29",
        "-1",
        "BYMONTH=",
        "2",
        "COUNT=",
        "UNTIL=",
        "20270101",
        "T000000Z",
    ]
)


@given(st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=80))
def test_any_text(text: str) -> None:
    try:
        recurrence = recurrence_from_rule(text, START, BERLIN)
    except RemoteProtocolError:
        return
    if recurrence is not None:
        check_recurrence(recurrence)
        assert recurrence_from_rule(rule_from_recurrence(recurrence), START, BERLIN) == recurrence


def test_the_start_has_no_fractions() -> None:
    rule = "FREQ=DAILY;UNTIL=20270630"
    fraction = START + timedelta(microseconds=5)
    assert recurrence_from_rule(rule, fraction, UTC) == recurrence_from_rule(rule, START, UTC)
