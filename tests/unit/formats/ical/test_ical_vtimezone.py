"""Zones written into a document, read back by their rules alone."""

import pytest

from posthouse.formats.ical.vtimezone import NamedZone, RuledZone, vtimezone

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Santiago",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
]


@pytest.mark.parametrize("name", ZONES)
def test_rules_written_say_what_the_zone_does(name: str) -> None:
    named, ruled = NamedZone(name), RuledZone(vtimezone(name, name, 2026, b"\r\n"))
    first = 1_767_225_600_000  # 2026-01-01
    for hours in range(0, 3 * 366 * 24, 5):
        at = first + hours * 3_600_000
        civil = named.civil(at)
        assert ruled.civil(at) == civil
        assert ruled.at(civil) == named.at(civil)
