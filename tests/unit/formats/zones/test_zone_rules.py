"""Standard and daylight rules of a year."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.zones.rules import (
    YEARS,
    Changeover,
    ZoneRules,
    begins,
    rules_in_year,
    zone_from_rules,
)
from posthouse.formats.zones.windows_table import IANA_NAMES, WINDOWS_NAME
from posthouse.model.recurrence import LAST

HOUR = 3_600_000
ZONES = st.sampled_from(sorted(WINDOWS_NAME))
SUNDAY, FRIDAY, SATURDAY = 0, 5, 6


@pytest.mark.parametrize(
    ("iana", "year", "rules"),
    [
        (
            "Europe/Berlin",
            2026,
            ZoneRules(
                -60, Changeover(10, 0, LAST, 3 * HOUR), Changeover(3, 0, LAST, 2 * HOUR), 0, -60
            ),
        ),
        (
            "America/New_York",
            2026,
            ZoneRules(300, Changeover(11, 0, 1, 2 * HOUR), Changeover(3, 0, 2, 2 * HOUR), 0, -60),
        ),
        (
            "America/New_York",
            2006,
            ZoneRules(
                300, Changeover(10, 0, LAST, 2 * HOUR), Changeover(4, 0, 1, 2 * HOUR), 0, -60
            ),
        ),
        (
            "Australia/Sydney",
            2026,
            ZoneRules(-600, Changeover(4, 0, 1, 3 * HOUR), Changeover(10, 0, 1, 2 * HOUR), 0, -60),
        ),
        (
            "America/St_Johns",
            2010,
            ZoneRules(210, Changeover(11, 0, 1, 60_000), Changeover(3, 0, 2, 60_000), 0, -60),
        ),
        ("Asia/Kolkata", 2026, ZoneRules(-330)),
        ("UTC", 2026, ZoneRules(0)),
        # What the law calls standard time is Windows' daylight time.
        (
            "Europe/Dublin",
            2026,
            ZoneRules(0, Changeover(10, 0, LAST, 2 * HOUR), Changeover(3, 0, LAST, HOUR), 0, -60),
        ),
        (
            "Australia/Lord_Howe",
            2026,
            ZoneRules(-630, Changeover(4, 0, 1, 2 * HOUR), Changeover(10, 0, 1, 2 * HOUR), 0, -30),
        ),
        # Changed once: from +3 to +4 for good, and back in another year.
        (
            "Europe/Moscow",
            2011,
            ZoneRules(
                -180, Changeover(1, SATURDAY, 1, 0), Changeover(3, 0, LAST, 2 * HOUR), 0, -60
            ),
        ),
        (
            "Europe/Moscow",
            2014,
            ZoneRules(-180, Changeover(10, 0, LAST, 2 * HOUR), Changeover(1, 3, 1, 0), 0, -60),
        ),
        # Interrupted for Ramadan: from the first start to the last end.
        (
            "Africa/Cairo",
            2014,
            ZoneRules(-120, Changeover(9, FRIDAY, LAST, 0), Changeover(5, FRIDAY, 3, 0), 0, -60),
        ),
        # Left the 30th of December out: the changes of another offset are dropped.
        (
            "Pacific/Apia",
            2011,
            ZoneRules(
                600, Changeover(1, SATURDAY, 1, 0), Changeover(12, FRIDAY, LAST, 0), 0, -1440
            ),
        ),
    ],
)
def test_known_rules(iana: str, year: int, rules: ZoneRules) -> None:
    assert rules_in_year(iana, year) == rules


@pytest.mark.parametrize("year", [2021, 2022, 2023, 2024, 2025, 2026, 2027])
def test_the_last_sunday_is_the_last_in_every_year(year: int) -> None:
    rules = rules_in_year("Europe/Berlin", year)
    assert rules.standard is not None
    assert rules.daylight is not None
    assert (rules.standard.nth, rules.daylight.nth) == (LAST, LAST)


def test_the_fourth_that_only_happens_to_be_the_last() -> None:
    rules = rules_in_year("America/Asuncion", 2017)
    assert rules.standard == Changeover(3, SUNDAY, 4, 0)


def offset_by_rules(rules: ZoneRules, local: datetime) -> timedelta:
    if rules.standard is None or rules.daylight is None:
        return timedelta(minutes=-rules.bias)
    standard, daylight = begins(rules.standard, local.year), begins(rules.daylight, local.year)
    is_daylight = (
        daylight <= local < standard if daylight < standard else not standard <= local < daylight
    )
    return timedelta(minutes=-rules.bias - (rules.daylight_bias if is_daylight else 0))


@given(ZONES, st.integers(2016, 2036), st.integers(1, 364))
def test_rules_agree_with_the_zone(iana: str, year: int, day: int) -> None:
    """Away from the hours around a change, where a local time is not one instant."""
    zone = ZoneInfo(iana)
    local = datetime(year, 1, 1, 12) + timedelta(days=day)  # noqa: DTZ001 (civil time)
    noons = [datetime(year, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(366)]
    offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
    changes = sum(a != b for a, b in pairwise(offsets))
    if len(set(offsets)) <= 2 and changes <= 2:
        assert offset_by_rules(rules_in_year(iana, year), local) == zone.utcoffset(local)


@given(ZONES, st.integers(1970, 2036))
def test_a_zone_is_found_by_its_rules(iana: str, year: int) -> None:
    rules = rules_in_year(iana, year)
    assert zone_from_rules(rules, year, hint=iana) == iana
    found = zone_from_rules(rules, year)
    usual = IANA_NAMES[WINDOWS_NAME[iana]][0]
    if rules == rules_in_year(usual, year):
        assert found is not None
        assert rules_in_year(found, year) == rules


def test_usual_zones_come_first() -> None:
    assert zone_from_rules(rules_in_year("Europe/Vienna", 2026), 2026) == "Europe/Berlin"
    assert zone_from_rules(rules_in_year("America/Toronto", 2026), 2026) == "America/New_York"
    assert zone_from_rules(ZoneRules(0), 2026) == "UTC"
    assert zone_from_rules(ZoneRules(-330), 2026) == "Asia/Kolkata"


def test_a_hint_that_does_not_fit_is_passed_over() -> None:
    rules = rules_in_year("Europe/Berlin", 2026)
    assert zone_from_rules(rules, 2026, hint="America/New_York") == "Europe/Berlin"
    assert zone_from_rules(rules, 2026, hint="nowhere") == "Europe/Berlin"


def test_windows_midnight_is_the_next_day() -> None:
    rules = rules_in_year("Africa/Cairo", 2026)
    before_midnight = 24 * HOUR - 1
    written = ZoneRules(
        -120,
        Changeover(10, 4, LAST, before_midnight),
        Changeover(4, 4, LAST, before_midnight),
        0,
        -60,
    )
    assert written != rules
    assert zone_from_rules(written, 2026) == "Africa/Cairo"


def test_rules_of_another_year_are_near_enough() -> None:
    sloppy = ZoneRules(-60, Changeover(10, 0, 4, 2 * HOUR), Changeover(3, 0, 4, HOUR), 0, -60)
    assert zone_from_rules(sloppy, 2027) == "Europe/Berlin"
    assert zone_from_rules(sloppy, 2027, hint="Europe/Vienna") == "Europe/Vienna"


def test_nothing_fits() -> None:
    assert zone_from_rules(ZoneRules(-61), 2026) is None


@pytest.mark.parametrize("year", [YEARS.start - 1, YEARS.stop])
def test_years_out_of_range(year: int) -> None:
    with pytest.raises(ValueError, match="year"):
        rules_in_year("Europe/Berlin", year)
    with pytest.raises(ValueError, match="year"):
        zone_from_rules(ZoneRules(0), year)


def test_no_such_zone() -> None:
    with pytest.raises(KeyError):
        rules_in_year("Europe/Nowhere", 2026)


@pytest.mark.parametrize("year", [YEARS.start, YEARS.stop - 1])
def test_first_and_last_year(year: int) -> None:
    for iana in ("Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"):
        rules_in_year(iana, year)
