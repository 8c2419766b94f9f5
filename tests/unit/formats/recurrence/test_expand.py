"""The instants of a series, and who else finds the same."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.formats.recurrence.patterns import PATTERNS

from posthouse.formats.recurrence.expand import ExpansionLimits, occurrences
from posthouse.formats.recurrence.rule_text import rule_from_recurrence
from posthouse.formats.zones.civil import at_from_local
from posthouse.model.errors import TooLarge
from posthouse.model.recurrence import LAST, Frequency, Recurrence, Weekdays

EVER = 1 << 60
WIDE = ExpansionLimits(instances_max=1_000_000, steps_max=10_000_000)
DAY_MS = 86_400_000
STARTS = st.datetimes(
    min_value=datetime.fromisoformat("1971-01-01T00:00"),
    max_value=datetime.fromisoformat("2060-12-31T23:59"),
).map(lambda at: at.replace(microsecond=0, fold=0))
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Sydney",
        "Asia/Kolkata",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
    ]
).map(ZoneInfo)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def shown(starts: list[int], zone: str) -> list[str]:
    """By the clock of the zone, with the offset."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [
        f"{(epoch + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %z}"
        for at in starts
    ]


def series(recurrence: Recurrence, start: str, zone: str, limit: int = 5) -> list[str]:
    """The first few."""
    counted = replace(recurrence, count=recurrence.count or limit)
    starts = occurrences(counted, datetime.fromisoformat(start), ZoneInfo(zone), -EVER, EVER)
    return shown(starts, zone)


@given(PATTERNS, STARTS, st.integers(1, 60))
@example(
    Recurrence(Frequency.YEARLY, day=29, month=2), datetime.fromisoformat("2023-02-28T09:00"), 9
)
@example(Recurrence(Frequency.MONTHLY, day=31), datetime.fromisoformat("2024-01-31T09:00"), 15)
def test_dateutil_finds_the_same_days(pattern: Recurrence, start: datetime, count: int) -> None:
    recurrence = replace(pattern, interval=min(pattern.interval, 30), count=count)
    theirs = [
        int(at.replace(tzinfo=UTC).timestamp() * 1000)
        for at in rrulestr(rule_from_recurrence(recurrence), dtstart=start)
    ]
    assert occurrences(recurrence, start, UTC, -EVER, EVER) == theirs


@given(PATTERNS, STARTS, ZONES, st.integers(0, 2_000))
def test_dateutil_finds_the_same_instants(
    pattern: Recurrence, start: datetime, zone: ZoneInfo, days: int
) -> None:
    """With an end in time, and in zones; what does not exist it takes as zoneinfo does."""
    until_at = at_from_local(start, zone) + days * DAY_MS
    recurrence = replace(pattern, interval=min(pattern.interval, 30), until_at=until_at)
    theirs = rrulestr(rule_from_recurrence(recurrence), dtstart=start.replace(tzinfo=zone))
    at = sorted({int(each.timestamp() * 1000) for each in theirs})
    ours = occurrences(recurrence, start, zone, -EVER, EVER, WIDE)
    assert ours == [each for each in at if each <= until_at]


@given(
    PATTERNS,
    STARTS,
    ZONES,
    st.integers(-400, 40_000),
    st.integers(0, 1_000),
    st.integers(0, 3),
    st.integers(1, 3_000),
)
def test_windows_are_slices(
    pattern: Recurrence,
    start: datetime,
    zone: ZoneInfo,
    days: int,
    length: int,
    nudge_ms: int,
    count: int,
) -> None:
    recurrence = replace(pattern, count=count)
    whole = occurrences(recurrence, start, zone, -EVER, EVER)
    from_at = at_from_local(start, zone) + days * DAY_MS + nudge_ms
    to_at = from_at + length * DAY_MS + nudge_ms
    window = occurrences(recurrence, start, zone, from_at, to_at)
    assert window == [at for at in whole if from_at <= at < to_at]
    assert whole == sorted(set(whole))
    assert len(whole) <= count


@given(PATTERNS, STARTS, ZONES)
def test_a_series_without_end_is_within_the_calendar(
    pattern: Recurrence, start: datetime, zone: ZoneInfo
) -> None:
    century = occurrences(pattern, start, zone, ms("9900-01-01T00:00Z"), EVER, WIDE)
    assert all(at < ms("9999-12-31T00:00Z") + 3 * DAY_MS for at in century)
    assert occurrences(pattern, start, zone, EVER, EVER + 1) == []
    assert occurrences(pattern, start, zone, -EVER, -EVER + 1) == []
    assert occurrences(pattern, start, zone, ms("2030-01-02T00:00Z"), ms("2030-01-01T00:00Z")) == []


def test_the_clock_on_the_wall_is_kept() -> None:
    weekly = Recurrence(Frequency.WEEKLY, weekdays=Weekdays.SUNDAY)
    assert series(weekly, "2026-03-22T09:00", "Europe/Berlin", 2) == [
        "2026-03-22 09:00 +0100",
        "2026-03-29 09:00 +0200",
    ]
    assert series(weekly, "2026-10-25T09:00", "America/New_York", 2) == [
        "2026-10-25 09:00 -0400",
        "2026-11-01 09:00 -0500",
    ]
    assert series(weekly, "2026-09-27T09:00", "Australia/Sydney", 2) == [
        "2026-09-27 09:00 +1000",
        "2026-10-04 09:00 +1100",
    ]
    assert series(weekly, "2026-10-25T09:00", "Asia/Kolkata", 2) == [
        "2026-10-25 09:00 +0530",
        "2026-11-01 09:00 +0530",
    ]


def test_a_time_that_does_not_exist_moves_on() -> None:
    daily = Recurrence(Frequency.DAILY)
    assert series(daily, "2026-03-28T02:30", "Europe/Berlin", 3) == [
        "2026-03-28 02:30 +0100",
        "2026-03-29 03:30 +0200",
        "2026-03-30 02:30 +0200",
    ]
    # St. John's changed its clock a minute after midnight.
    assert series(daily, "2010-03-13T00:30", "America/St_Johns", 3) == [
        "2010-03-13 00:30 -0330",
        "2010-03-14 01:30 -0230",
        "2010-03-15 00:30 -0230",
    ]
    # Half an hour only.
    assert (
        series(daily, "2026-10-03T02:15", "Australia/Lord_Howe", 2)[1] == "2026-10-04 02:45 +1100"
    )


def test_a_time_that_comes_twice_is_the_first() -> None:
    daily = Recurrence(Frequency.DAILY)
    assert series(daily, "2026-10-24T02:30", "Europe/Berlin", 3) == [
        "2026-10-24 02:30 +0200",
        "2026-10-25 02:30 +0200",
        "2026-10-26 02:30 +0100",
    ]


def test_a_day_that_does_not_exist_is_no_second_occurrence() -> None:
    daily = Recurrence(Frequency.DAILY)
    assert series(daily, "2011-12-29T09:00", "Pacific/Apia", 4) == [
        "2011-12-29 09:00 -1000",
        "2011-12-31 09:00 +1400",
        "2012-01-01 09:00 +1400",
    ]


def test_years_whose_rules_changed() -> None:
    yearly = Recurrence(Frequency.YEARLY, day=20, month=3)
    assert series(yearly, "2006-03-20T09:00", "America/New_York", 2) == [
        "2006-03-20 09:00 -0500",
        "2007-03-20 09:00 -0400",
    ]
    assert series(yearly, "2011-03-20T09:00", "Europe/Moscow", 5) == [
        "2011-03-20 09:00 +0300",
        "2012-03-20 09:00 +0400",
        "2013-03-20 09:00 +0400",
        "2014-03-20 09:00 +0400",
        "2015-03-20 09:00 +0300",
    ]


def test_the_end_of_a_month() -> None:
    assert [
        text[:10]
        for text in series(Recurrence(Frequency.MONTHLY, day=31), "2026-12-31T09:00", "UTC", 5)
    ] == ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]
    assert [
        text[:10]
        for text in series(
            Recurrence(Frequency.YEARLY, day=29, month=2), "2027-02-28T09:00", "UTC", 3
        )
    ] == ["2027-02-28", "2028-02-29", "2029-02-28"]


def test_where_a_week_begins_decides_which_week_is_left_out() -> None:
    days = Weekdays.TUESDAY | Weekdays.SUNDAY
    from_monday = Recurrence(Frequency.WEEKLY, 2, days, first_weekday=1)
    from_sunday = Recurrence(Frequency.WEEKLY, 2, days, first_weekday=0)
    start = "1997-08-05T09:00"
    assert [text[:10] for text in series(from_monday, start, "UTC", 4)] == [
        "1997-08-05",
        "1997-08-10",
        "1997-08-19",
        "1997-08-24",
    ]
    assert [text[:10] for text in series(from_sunday, start, "UTC", 4)] == [
        "1997-08-05",
        "1997-08-17",
        "1997-08-19",
        "1997-08-31",
    ]


@pytest.mark.parametrize(
    ("weekdays", "nth", "days"),
    [
        (Weekdays.TUESDAY, 2, ["2026-12-08", "2027-01-12"]),
        (Weekdays.FRIDAY, LAST, ["2026-12-25", "2027-01-29"]),
        (Weekdays.WORKDAYS, 1, ["2026-12-01", "2027-01-01"]),
        (Weekdays.WORKDAYS, LAST, ["2026-12-31", "2027-01-29"]),
        (Weekdays.WEEKEND, 1, ["2026-12-05", "2027-01-02"]),
        (Weekdays.WEEKEND, LAST, ["2026-12-27", "2027-01-31"]),
        (Weekdays.EVERY, 4, ["2026-12-04", "2027-01-04"]),
        (Weekdays.EVERY, LAST, ["2026-12-31", "2027-01-31"]),
    ],
)
def test_the_nth(weekdays: Weekdays, nth: int, days: list[str]) -> None:
    monthly = Recurrence(Frequency.MONTHLY_NTH, weekdays=weekdays, nth=nth)
    assert [text[:10] for text in series(monthly, "2026-12-01T09:00", "UTC", 2)] == days


def test_ends() -> None:
    start = datetime.fromisoformat("2026-11-24T09:00")
    at = ms("2026-11-24T08:00Z")
    zone = ZoneInfo("Europe/Berlin")
    until = Recurrence(Frequency.DAILY, until_at=at + DAY_MS)
    assert occurrences(until, start, zone, -EVER, EVER) == [at, at + DAY_MS]
    assert occurrences(until, start, zone, at, at + DAY_MS) == [at]
    assert occurrences(until, start, zone, at + 1, EVER) == [at + DAY_MS]
    before = Recurrence(Frequency.DAILY, until_at=at - 1)
    assert occurrences(before, start, zone, -EVER, EVER) == []


def test_instances_are_limited() -> None:
    start = datetime.fromisoformat("2026-11-24T09:00")
    full = Recurrence(Frequency.DAILY, count=3_000)
    assert len(occurrences(full, start, UTC, -EVER, EVER)) == 3_000
    with pytest.raises(TooLarge, match="instances"):
        occurrences(replace(full, count=3_001), start, UTC, -EVER, EVER)


def test_steps_are_limited() -> None:
    start = datetime.fromisoformat("2026-11-24T09:00")
    with pytest.raises(TooLarge, match="days"):
        occurrences(Recurrence(Frequency.DAILY), start, UTC, -EVER, EVER)
    few = ExpansionLimits(steps_max=10)
    at = ms("9000-01-01T00:00Z")
    assert len(occurrences(Recurrence(Frequency.DAILY), start, UTC, at, at + DAY_MS, few)) == 1


def test_the_start_is_of_the_wall() -> None:
    with pytest.raises(ValueError, match="zone"):
        occurrences(Recurrence(Frequency.DAILY), datetime(2026, 1, 1, tzinfo=UTC), UTC, 0, 1)
    with pytest.raises(ValueError, match="interval"):
        occurrences(
            Recurrence(Frequency.DAILY, 0), datetime.fromisoformat("2026-01-01T00:00"), UTC, 0, 1
        )
