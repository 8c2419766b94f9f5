"""The 172 octets of a time zone."""

import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from posthouse.formats.zones.binary import (
    STRUCTURE_OCTETS,
    SystemTime,
    TimeZoneStructure,
    read,
    rules_from_structure,
    structure_from_rules,
    write,
)
from posthouse.formats.zones.rules import rules_in_year, zone_from_rules
from posthouse.formats.zones.windows_table import WINDOWS_NAME
from posthouse.model.errors import RemoteProtocolError

YEARLY = st.builds(
    SystemTime,
    st.just(0),
    st.integers(1, 12),
    st.integers(0, 6),
    st.integers(1, 5),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
    st.integers(0, 999),
)
BIAS = st.integers(-1440, 1440)
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=16)
STRUCTURES = st.builds(TimeZoneStructure, BIAS, NAME, YEARLY, BIAS, NAME, YEARLY, BIAS)


def raw(**places: int) -> bytes:
    """Octets of Berlin with 16-bit values written over, by offset: ``at_70=13``."""
    data = bytearray(write(structure_from_rules(rules_in_year("Europe/Berlin", 2026))))
    for place, value in places.items():
        struct.pack_into("<H", data, int(place.removeprefix("at_")), value)
    return bytes(data)


def test_layout() -> None:
    data = write(
        structure_from_rules(rules_in_year("Europe/Berlin", 2026), "Normalzeit", "Sommerzeit")
    )
    assert len(data) == STRUCTURE_OCTETS == 172
    assert struct.unpack_from("<i", data, 0) == (-60,)
    assert data[4:68] == "Normalzeit".encode("utf-16-le").ljust(64, b"\0")
    assert struct.unpack_from("<8H", data, 68) == (0, 10, 0, 5, 3, 0, 0, 0)
    assert struct.unpack_from("<i", data, 84) == (0,)
    assert data[88:152] == "Sommerzeit".encode("utf-16-le").ljust(64, b"\0")
    assert struct.unpack_from("<8H", data, 152) == (0, 3, 0, 5, 2, 0, 0, 0)
    assert struct.unpack_from("<i", data, 168) == (-60,)


def test_utc_is_all_zeros() -> None:
    assert write(structure_from_rules(rules_in_year("UTC", 2026))) == bytes(172)
    assert read(bytes(172)) == TimeZoneStructure()


@given(STRUCTURES)
def test_read_undoes_write(zone: TimeZoneStructure) -> None:
    data = write(zone)
    assert len(data) == STRUCTURE_OCTETS
    assert read(data) == zone
    assert write(read(data)) == data


@given(st.sampled_from(sorted(WINDOWS_NAME)), st.integers(1980, 2030))
def test_zones_survive(iana: str, year: int) -> None:
    rules = rules_in_year(iana, year)
    assert rules_from_structure(read(write(structure_from_rules(rules)))) == rules
    assert zone_from_rules(rules_from_structure(structure_from_rules(rules)), year, iana) == iana


@given(st.binary(min_size=172, max_size=172) | st.binary(max_size=400))
def test_any_octets(data: bytes) -> None:
    try:
        zone = read(data)
    except RemoteProtocolError:
        return
    rules_from_structure(zone)
    assert read(write(zone)) == zone


@given(st.text(max_size=60))
def test_long_names_are_cut_between_characters(name: str) -> None:
    assume(not any("\ud800" <= c <= "\udfff" or c == "\0" for c in name))
    kept = read(write(TimeZoneStructure(0, name))).standard_name
    assert name.startswith(kept)
    assert len(kept.encode("utf-16-le")) >= min(len(name.encode("utf-16-le")), 62)


def test_what_follows_a_nul_is_not_kept() -> None:
    data = bytearray(write(TimeZoneStructure(0, "abc")))
    data[4 + 8 : 4 + 64] = b"\xff" * 56
    assert read(bytes(data)).standard_name == "abc"


def test_a_lone_surrogate_in_a_name() -> None:
    data = bytearray(write(TimeZoneStructure()))
    data[4:6] = b"\x00\xd8"
    assert read(bytes(data)).standard_name == "\ufffd"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 171,
        b"\0" * 173,
        raw(at_0=1441, at_2=0),
        raw(at_86=0x8000),
        raw(at_70=13),
        raw(at_70=0),
        raw(at_72=7),
        raw(at_74=0),
        raw(at_74=6),
        raw(at_76=24),
        raw(at_78=60),
        raw(at_80=60),
        raw(at_82=1000),
        raw(at_68=2026, at_70=2, at_74=30),
        raw(at_68=0xFFFF),
        raw(at_68=20_000),
    ],
)
def test_hostile_octets(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read(data)


def test_a_change_of_one_year() -> None:
    zone = read(raw(at_68=2026, at_74=25, at_152=2026, at_158=29))
    assert zone.standard_date.year == 2026
    assert zone_from_rules(rules_from_structure(zone), 2026) == "Europe/Berlin"
