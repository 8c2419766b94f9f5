"""Exceptions of a series: EXDATE and the components with a RECURRENCE-ID.

Spec: RFC 5545 §3.8.4.4 (RECURRENCE-ID), §3.8.5.1 (EXDATE), §3.2.13 (RANGE).

Notes:
    A date where a time is due means the occurrence of that day, and the other way round: clients
    mix them. An occurrence with an EXDATE does not take place, whatever component it has. Of
    several components for one occurrence the first counts; one whose RECURRENCE-ID goes on for
    all that follow is left alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from posthouse.formats.ical.event_parts import OCCURRENCE_PARTS, form_of
from posthouse.formats.ical.lines import LIMITS, Component, Property
from posthouse.formats.ical.parts import read_parts, write_parts
from posthouse.formats.ical.times import Moment
from posthouse.formats.ical.values import (
    civil_from_value,
    items_of_value,
    ms_from_civil,
)
from posthouse.model.appointment import (
    Appointment,
    Override,
    occurrence,
    override_from_occurrence,
    regular_occurrence,
)
from posthouse.model.errors import ParserFailed

if TYPE_CHECKING:
    from posthouse.formats.ical.times import Calendar

_NOT_OF_ONE = ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID")


class Series:
    """The components of one UID in a calendar.

    Attributes:
        calendar: they stand in.
        master: the series itself, or the only component.
        others: with the same UID and a RECURRENCE-ID.
    """

    def __init__(self, calendar: Calendar, kind: str = "VEVENT") -> None:
        found = calendar.tree.components(kind)
        if not found:
            raise ParserFailed(f"no {kind} in the calendar")
        self.calendar = calendar
        self.master = next((c for c in found if not c.first("RECURRENCE-ID")), found[0])
        uid = self.master.value("UID")
        self.others: list[tuple[Property, Component]] = []
        self._going_on: list[Component] = []
        for component in found:
            original = component.first("RECURRENCE-ID")
            if component is self.master or original is None or component.value("UID") != uid:
                continue
            if original.parameter("RANGE"):
                self._going_on.append(component)
            else:
                self.others.append((original, component))

    @property
    def goes_on(self) -> bool:
        """Whether a component stands for all occurrences that follow one."""
        return bool(self._going_on)

    def drop_going_on(self) -> None:
        """Take those components out."""
        self.calendar.tree.remove(*self._going_on)
        self._going_on.clear()

    @property
    def recurs(self) -> bool:
        """Whether it says that it does."""
        return bool(self.master.first("RRULE") or self.master.first("RDATE"))

    def components_by_start(self, *, is_all_day: bool) -> dict[int, list[Component]]:
        """Those of one occurrence each, by its original start."""
        out: dict[int, list[Component]] = {}
        for original, component in self.others:
            key = self._key(original, original.value, is_all_day=is_all_day)
            if key is not None and self.calendar.moment(component.first("DTSTART")):
                out.setdefault(key, []).append(component)
        return out

    def excluded(self, *, is_all_day: bool) -> dict[int, list[tuple[Property, str]]]:
        """Original starts of those that do not take place, and where that is written."""
        out: dict[int, list[tuple[Property, str]]] = {}
        count = 0
        for prop in self.master.properties("EXDATE"):
            for item in items_of_value(prop.value, LIMITS.values_max - count):
                count += 1
                key = self._key(prop, item, is_all_day=is_all_day)
                if key is not None:
                    out.setdefault(key, []).append((prop, item))
        return out

    def add(self, new: list[Component]) -> None:
        """Put components behind the last of the series."""
        ours = {id(component) for _, component in self.others} | {id(self.master)}
        children = self.calendar.tree.children
        last = max(index for index, child in enumerate(children) if id(child) in ours)
        children[last + 1 : last + 1] = new

    def _key(self, prop: Property, value: str, *, is_all_day: bool) -> int | None:
        read = civil_from_value(value)
        if read is None:
            return None
        if is_all_day:
            return ms_from_civil(datetime(read.civil.year, read.civil.month, read.civil.day))  # noqa: DTZ001
        start = self.master.first("DTSTART")
        begun = civil_from_value(start.value) if start else None
        if read.is_date and start is not None and begun is not None and not begun.is_date:
            return self.calendar.instant(start, datetime.combine(read.civil, begun.civil.time())).at
        moment = self.calendar.moment_of_value(prop, value)
        return moment.at if moment else None


def read_overrides(series: Series, regular: Appointment) -> tuple[Override, ...]:
    """The exceptions, by original start.

    Args:
        series: where they stand.
        regular: what the series says.
    """
    if not series.recurs:
        return ()
    excluded = series.excluded(is_all_day=regular.is_all_day)
    out = [Override(original_start_at=key, is_deleted=True) for key in excluded]
    for key, components in series.components_by_start(is_all_day=regular.is_all_day).items():
        if key not in excluded:
            values = read_parts(OCCURRENCE_PARTS, components[0], series.calendar)
            taken = Appointment(uid=regular.uid, **values)
            out.append(override_from_occurrence(regular, key, taken))
    return tuple(sorted(out, key=lambda override: override.original_start_at))


def write_overrides(series: Series, wanted: Appointment) -> None:
    """Make the exceptions what they shall be; those as wanted keep their bytes."""
    by_start = {o.original_start_at: o for o in wanted.overrides} if _may_recur(wanted) else {}
    is_all_day = wanted.is_all_day
    excluded = series.excluded(is_all_day=is_all_day)
    there = series.components_by_start(is_all_day=is_all_day)
    tree = series.calendar.tree
    for key, components in there.items():
        override = by_start.get(key)
        if override is None or (override.is_deleted and key not in excluded):
            tree.remove(*components)
    deleted = {key for key, override in by_start.items() if override.is_deleted}
    _write_excluded(series, wanted, excluded, deleted)
    new: list[Component] = []
    for key, override in by_start.items():
        if override.is_deleted:
            continue
        if key in there:
            component = there[key][0]
        else:
            component = _cloned(series, wanted, key)
            new.append(component)
        write_parts(OCCURRENCE_PARTS, component, series.calendar, occurrence(wanted, override))
    series.add(new)


def _may_recur(wanted: Appointment) -> bool:
    return wanted.recurrence is not None or wanted.has_unmapped_rule


def _write_excluded(
    series: Series,
    wanted: Appointment,
    there: dict[int, list[tuple[Property, str]]],
    deleted: set[int],
) -> None:
    master = series.master
    gone: dict[int, tuple[Property, list[str]]] = {}
    for key, places in there.items():
        if key not in deleted:
            for prop, item in places:
                gone.setdefault(id(prop), (prop, []))[1].append(item)
    for prop, items in gone.values():
        kept = [i for i in items_of_value(prop.value, LIMITS.values_max) if i not in items]
        if kept:
            master.replace(prop, prop.changed(",".join(kept)))
        else:
            master.remove(prop)
    start = master.first("DTSTART")
    if start is not None:
        new = []
        for key in sorted(deleted - there.keys()):
            value, parameters = series.calendar.written(Moment(key, form_of(wanted)), start)
            new.append(master.new_property("EXDATE", value, parameters))
        master.add(*new)


def _cloned(series: Series, wanted: Appointment, original_start_at: int) -> Component:
    """One occurrence as the series has it, with whatever else the series says."""
    new = _copied(series.master)
    new.drop(*_NOT_OF_ONE)
    calendar = series.calendar
    start = series.master.first("DTSTART")
    calendar.put(new, "RECURRENCE-ID", Moment(original_start_at, form_of(wanted)), start)
    write_parts(OCCURRENCE_PARTS, new, calendar, regular_occurrence(wanted, original_start_at))
    return new


def _copied(component: Component) -> Component:
    children = [_copied(c) if isinstance(c, Component) else c for c in component.children]
    return Component(component.name, component.begin, component.end, children)
