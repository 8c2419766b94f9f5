"""Times of a calendar: properties with a zone, read as instants and written back in their form.

Spec: RFC 5545 §3.2.19 (TZID), §3.3.5 (the forms of DATE-TIME); [MS-OXCICAL] §2.1.3.1.1.19.

Notes:
    A TZID is what its name says when anybody knows the name: VTIMEZONEs are often cut short, and
    go out of date. Only else the VTIMEZONE's own rules count. A TZID of which nothing is known is
    taken as floating. A local time cannot say the second of two equal hours in autumn; such an
    instant is written in UTC, with the zone in a parameter of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from posthouse.formats.ical.lines import Component
from posthouse.formats.ical.values import (
    DAY_MS,
    civil_from_ms,
    civil_from_value,
    ms_from_civil,
    text_from_value,
    value_from_civil,
)
from posthouse.formats.ical.vtimezone import NamedZone, RuledZone, vtimezone
from posthouse.formats.zones.names import zone_from_name

if TYPE_CHECKING:
    from datetime import datetime

    from posthouse.formats.ical.lines import Property

_OWN_ZONE = "X-POSTHOUSE-ZONE"
_VTIMEZONES_MAX = 200
_TZIDS_MAX = 200


class Zone(Protocol):
    """Where clocks go alike."""

    name: str

    def civil(self, at: int) -> datetime:
        """Time of day there at an instant."""
        ...

    def at(self, civil: datetime) -> int:
        """The instant of a time of day there."""
        ...


class Form(NamedTuple):
    """How a time is meant.

    Attributes:
        is_date: a civil date.
        zone: IANA name; "" UTC, unknown, floating or a date.
        is_floating: a time of day wherever one is.
    """

    is_date: bool = False
    zone: str = ""
    is_floating: bool = False


class Moment(NamedTuple):
    """A time as the models have it.

    Attributes:
        at: ms since 1970; of a date and of a floating time as if it were UTC.
        form: how it is meant.
    """

    at: int
    form: Form


class Calendar:
    """A VCALENDAR and what its TZIDs stand for.

    Attributes:
        tree: the component.
    """

    def __init__(self, tree: Component) -> None:
        self.tree = tree
        self._zones: dict[str, Zone | None] = {}

    def moment(self, prop: Property | None) -> Moment | None:
        """Read DTSTART, RECURRENCE-ID and their like; None when it cannot be read."""
        return self.moment_of_value(prop, prop.value) if prop else None

    def moment_of_value(self, prop: Property, value: str) -> Moment | None:
        """The same of one value in a list."""
        read = civil_from_value(value)
        if read is None:
            return None
        if read.is_date:
            return Moment(ms_from_civil(read.civil), Form(is_date=True))
        return self._instant(prop, read.civil, is_utc=read.is_utc)

    def instant(self, like: Property, civil: datetime) -> Moment:
        """A time of day in the zone of a property that is no DATE."""
        read = civil_from_value(like.value)
        return self._instant(like, civil, is_utc=read is not None and read.is_utc)

    def _instant(self, prop: Property, civil: datetime, *, is_utc: bool) -> Moment:
        if is_utc:
            own = self._known(prop.parameter(_OWN_ZONE))
            return Moment(ms_from_civil(civil), Form(zone=own.name if own else ""))
        zone = self._zone(prop.parameter("TZID"))
        if zone is None:
            return Moment(ms_from_civil(civil), Form(is_floating=True))
        return Moment(zone.at(civil), Form(zone=zone.name))

    def put(self, component: Component, name: str, wanted: Moment, like: Property | None) -> None:
        """Write a time.

        Args:
            component: where to.
            name: of the property.
            wanted: what it shall be.
            like: how it is written where its form is the wanted one; None: what is there.
        """
        value, parameters = self.written(wanted, component.first(name) or like)
        component.set(name, value, parameters)

    def written(self, wanted: Moment, like: Property | None) -> tuple[str, dict[str, str | None]]:
        """Value of a time and what parameters it needs; see ``put``."""
        at, form = wanted
        parameters: dict[str, str | None] = {"TZID": None, "VALUE": None, _OWN_ZONE: None}
        if form.is_date:
            return value_from_civil(civil_from_ms(at), is_date=True), {
                **parameters,
                "VALUE": "DATE",
            }
        if form.is_floating:
            tzid = like.parameter("TZID") if like and not self._zone(like.parameter("TZID")) else ""
            return value_from_civil(civil_from_ms(at)), {**parameters, "TZID": tzid}
        tzid, zone = self._tzid(at, form, like)
        if zone is None:
            return value_from_civil(civil_from_ms(at), is_utc=True), parameters
        civil = zone.civil(at)
        if zone.at(civil) != at - at % 1_000:
            utc = value_from_civil(civil_from_ms(at), is_utc=True)
            return utc, {**parameters, _OWN_ZONE: zone.name}
        return value_from_civil(civil), {**parameters, "TZID": tzid}

    def _tzid(self, at: int, form: Form, like: Property | None) -> tuple[str, Zone | None]:
        """How a zone is called in this calendar: as before, as in a VTIMEZONE, or by its name."""
        if like is not None:
            tzid = like.parameter("TZID")
            zone = self._zone(tzid)
            if zone is not None and zone.name == form.zone:
                return tzid, zone
        known = self._known(form.zone)
        if known is None:
            return "", None
        for definition in self.tree.components("VTIMEZONE")[:_VTIMEZONES_MAX]:
            tzid = _name(definition)
            found = self._zone(tzid)
            if found is not None and found.name == known.name:
                return tzid, found
        self._define(known.name, civil_from_ms(at).year)
        return known.name, known

    def _define(self, name: str, year: int) -> None:
        new = vtimezone(name, name, year, self.tree.eol)
        for child in self.tree.children:
            if isinstance(child, Component):
                self.tree.insert_before(child, new)
                return
        self.tree.children.append(new)

    def _zone(self, tzid: str) -> Zone | None:
        if not tzid:
            return None
        if tzid not in self._zones and len(self._zones) < _TZIDS_MAX:
            self._zones[tzid] = self._known(tzid) or self._defined(tzid)
        return self._zones.get(tzid)

    def _known(self, text: str) -> Zone | None:
        name = zone_from_name(text) if text else None
        return NamedZone(name) if name else None

    def _defined(self, tzid: str) -> Zone | None:
        for definition in self.tree.components("VTIMEZONE")[:_VTIMEZONES_MAX]:
            if _name(definition) == tzid.strip():
                return self._known(definition.value("X-LIC-LOCATION").strip()) or RuledZone(
                    definition
                )
        return None


def _name(definition: Component) -> str:
    return text_from_value(definition.value("TZID")).strip(' \t"')


def length_of_day(form: Form) -> int:
    """How long something is that says its start only."""
    return DAY_MS if form.is_date else 0
