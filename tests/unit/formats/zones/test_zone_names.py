"""Whatever a client calls a zone, and Windows' names."""

from importlib import resources
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.zones.names import windows_name, zone_from_name
from posthouse.formats.zones.windows_table import IANA_NAMES, WINDOWS_NAME

WITHOUT_WINDOWS_NAME = {"Antarctica/Troll", "Factory"}


@pytest.mark.parametrize(
    ("text", "iana"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ('"Europe/Paris"', "Europe/Paris"),
        ("Asia/Calcutta", "Asia/Calcutta"),
        ("Antarctica/Troll", "Antarctica/Troll"),
        ("UTC", "UTC"),
        ("GMT", "GMT"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("(UTC) Coordinated Universal Time", "UTC"),
        ("GMT Standard Time", "Europe/London"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("W. Europe Standard Time 1", "Europe/Berlin"),
        ("w. europe daylight time", "Europe/Berlin"),
        ("India Standard Time", "Asia/Kolkata"),
        ("UTC-11", "Etc/GMT+11"),
        ("UTC+01:00", "Etc/GMT-1"),
        ("GMT-0300", "Etc/GMT+3"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", "Europe/Berlin"),
        ("/citadel.org/20211207_1/Europe/Berlin", "Europe/Berlin"),
        ("/mozilla.org/20070129_1/America/Argentina/Salta", "America/Argentina/Salta"),
        ("/example.org/UTC", "UTC"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Berlin"),
        ("(GMT+01.00) Amsterdam / Berlin / Bern / Rome / Stockholm / Vienna", "Europe/Berlin"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
        ("(UTC-07:00) Chihuahua, La Paz, Mazatlan", "America/Mazatlan"),
        ("(UTC-03:30) Newfoundland", "America/St_Johns"),
        ("(UTC+10:30) Lord Howe Island", "Australia/Lord_Howe"),
    ],
)
def test_names(text: str, iana: str) -> None:
    assert zone_from_name(text) == iana


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "Berlin",
        "example.org/UTC",
        "tzone://Microsoft/Custom",
        "Customized Time Zone",
        "(UTC+05:00) Berlin",
        "(UTC+99:99) Berlin",
        "UTC+15",
        "Europe/Berlin" * 30,
        "Factory",
    ],
)
def test_no_names(text: str) -> None:
    assert zone_from_name(text) is None


def test_every_windows_name_comes_back() -> None:
    assert len(IANA_NAMES) == 142
    for windows, names in IANA_NAMES.items():
        iana = zone_from_name(windows.upper())
        assert iana == names[0]
        assert windows_name(iana) == windows


def test_every_iana_name_has_a_windows_name() -> None:
    known = set(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())
    assert known - WITHOUT_WINDOWS_NAME == set(WINDOWS_NAME)
    for iana in WINDOWS_NAME:
        ZoneInfo(iana)


def test_windows_name() -> None:
    assert windows_name("europe/vienna") == "W. Europe Standard Time"
    assert windows_name("Antarctica/Troll") is None
    assert windows_name("nowhere") is None


@given(st.text(st.sampled_from("UTCGM()+-01:./, aeinrlB\0ß"), max_size=40) | st.text(max_size=300))
def test_any_text(text: str) -> None:
    iana = zone_from_name(text)
    assert iana is None or ZoneInfo(iana).key == iana
