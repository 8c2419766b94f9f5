"""Names of time zones: whatever a client calls one, as the IANA name; and Windows' name of it.

Spec: RFC 5545 §3.2.19 (TZID).

Notes:
    A TZID is free text. In use are IANA names, Windows names, IANA names behind the name of who
    made the definition (``/citadel.org/20211207_1/Europe/Berlin``), what Windows shows in its
    list of zones (``(UTC+01:00) Amsterdam, Berlin, ...``) and Microsoft's ``tzone://``. What is
    none of them is known by its rules only: see ``rules.zone_from_rules``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from posthouse.formats.zones.rules import zone_of
from posthouse.formats.zones.windows_table import IANA_NAMES, WINDOWS_NAME

_CHARACTERS_MAX = 255
_PREFIXED_PARTS_MAX = 3
_IANA = {iana.lower(): iana for iana in (*WINDOWS_NAME, "Antarctica/Troll")}
_USUAL = {windows.lower(): names[0] for windows, names in IANA_NAMES.items()}
_MORE = {
    "tzone://microsoft/utc": "UTC",
    "coordinated universal time": "UTC",
    "utc time": "UTC",
    "gmt time": "UTC",
    "z": "UTC",
}
# A second definition in one calendar: Outlook counts them.
_COUNTED = re.compile(r"(.* time) \d\Z")
_FIXED = re.compile(r"(?:utc|gmt) ?([+-])(\d\d?)(?::?00)?\Z")
_SHOWN = re.compile(r"\((?:utc|gmt)(?:([+-])(\d\d)[:.](\d\d))?\) *(.+)\Z")
_OUT_OF_PLACE = re.compile(r" (?:islands?|is\.)\Z|\Acity of ")
_PLACES = {
    "abu dhabi": "Asia/Dubai",
    "astana": "Asia/Almaty",
    "atlantic time (canada)": "America/Halifax",
    "baja california": "America/Tijuana",
    "beijing": "Asia/Shanghai",
    "bern": "Europe/Berlin",
    "brasilia": "America/Sao_Paulo",
    "cabo verde": "Atlantic/Cape_Verde",
    "central america": "America/Guatemala",
    "central time (us & canada)": "America/Chicago",
    "coordinated universal time": "UTC",
    "e. europe": "Europe/Chisinau",
    "eastern time (us & canada)": "America/New_York",
    "ekaterinburg": "Asia/Yekaterinburg",
    "greenland": "America/Nuuk",
    "haiti": "America/Port-au-Prince",
    "indiana (east)": "America/Indiana/Indianapolis",
    "international date line west": "Etc/GMT+12",
    "mountain time (us & canada)": "America/Denver",
    "new delhi": "Asia/Kolkata",
    "nuku'alofa": "Pacific/Tongatapu",
    "pacific time (us & canada)": "America/Los_Angeles",
    "petropavlovsk-kamchatsky": "Asia/Kamchatka",
    "port louis": "Indian/Mauritius",
    "saint pierre and miquelon": "America/Miquelon",
    "salvador": "America/Bahia",
    "samoa": "Pacific/Apia",
    "solomon": "Pacific/Guadalcanal",
    "sri jayawardenepura": "Asia/Colombo",
    "turks and caicos": "America/Grand_Turk",
    "west central africa": "Africa/Lagos",
}
_SHOWN_YEAR = 2026


def zone_from_name(text: str) -> str | None:
    """The IANA name of what a client calls a zone; None when it is none that we know.

    An IANA name comes back as it is (in IANA's letter case, old spellings too), every other name
    as the usual IANA name of its Windows zone.
    """
    if len(text) > _CHARACTERS_MAX:
        return None
    name = text.strip(' \t"').lower()
    return (
        _IANA.get(name)
        or _from_windows(name)
        or _MORE.get(name)
        or _from_prefixed(name)
        or _from_fixed(name)
        or _from_shown(name)
    )


def windows_name(iana: str) -> str | None:
    """The Windows name of the zone with this IANA name, in any letter case."""
    return WINDOWS_NAME.get(_IANA.get(iana.lower(), ""))


def _from_windows(name: str) -> str | None:
    if counted := _COUNTED.match(name):
        name = counted[1]
    return _USUAL.get(name) or _USUAL.get(name.replace(" daylight time", " standard time"))


def _from_prefixed(name: str) -> str | None:
    """The longest end of the path that is a name; a single word only behind a leading slash."""
    parts = name.split("/")
    for count in range(_PREFIXED_PARTS_MAX, 0, -1):
        if count == 1 and not name.startswith("/"):
            return None
        end = "/".join(parts[-count:])
        if len(parts) > count and (found := _IANA.get(end) or _USUAL.get(end)):
            return found
    return None


def _from_fixed(name: str) -> str | None:
    """Whole hours from UTC: ``Etc`` counts them the other way round."""
    fixed = _FIXED.match(name)
    if fixed is None:
        return None
    sign = "-" if fixed[1] == "+" else "+"
    return _IANA.get(f"etc/gmt{sign}{int(fixed[2])}")


def _from_shown(name: str) -> str | None:
    """A row of Windows' list: the first of its places that keeps the offset it shows."""
    shown = _SHOWN.match(name)
    if shown is None:
        return None
    sign, hours, minutes, places = shown.groups("0")
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    for place in re.split("[,/;]", places):
        for iana in _zones_of_place(_OUT_OF_PLACE.sub("", place.strip())):
            if offset in _offsets(iana):
                windows = WINDOWS_NAME.get(iana, "")
                return IANA_NAMES[windows][0] if windows else iana
    return None


def _zones_of_place(place: str) -> list[str]:
    if place in _PLACES:
        return [_PLACES[place]]
    return _BY_PLACE.get(place, [])


def _offsets(iana: str) -> set[timedelta | None]:
    zone = zone_of(iana)
    return {
        datetime(_SHOWN_YEAR, month, 1, tzinfo=UTC).astimezone(zone).utcoffset() for month in (1, 7)
    }


def _by_place() -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for iana in _IANA.values():
        place = iana.rpartition("/")[2].replace("_", " ").lower()
        table.setdefault(place, []).append(iana)
    return table


_BY_PLACE = _by_place()
