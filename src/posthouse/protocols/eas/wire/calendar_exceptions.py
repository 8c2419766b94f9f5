"""Exceptions of a series as calendars on phones have them.

Spec: [MS-ASCAL] v23 §2.2.2.21 (Exception), §2.2.2.22 (Exceptions), §3.2.5.3.1, §3.2.5.3.2;
[MS-ASAIRS] §2.2.2.25 (InstanceId).

Notes:
    Up to 14.1 a client sends exceptions within the series; one that it leaves out stays. What an
    Exception does not tell is as in the series, but for what clients do not repeat (bodies, people,
    zones). From 16.0 on one occurrence is changed by itself, and what is not told is unchanged.
    An element that an occurrence lacks and the series has is told empty.
    Clients do not agree on which moment of its day names an occurrence: one that is named by no
    occurrence means the first of that day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.formats.recurrence.expand import occurrences
from posthouse.model.appointment import (
    Appointment,
    Override,
    occurrence,
    override_from_occurrence,
    regular_occurrence,
)
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.calendar_fields import field_elements, with_body, with_fields
from posthouse.protocols.eas.wire.calendar_people import meeting_elements, with_people
from posthouse.protocols.eas.wire.calendar_times import (
    checked,
    civil_date,
    local_day,
    shown_times,
    span_from_data,
    told_zone,
)
from posthouse.protocols.eas.wire.calendar_values import flag_of
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.fields import Told
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.times import compact_from_ms, ms_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from posthouse.protocols.eas.wire.calendar_values import Owner, Reading

EXCEPTIONS_MAX: Final = 1_000
"""Of a series: of more only the last are shown, and no more are taken at once."""

_CLEARABLE = (
    "Calendar:Location",
    "AirSyncBase:Location",
    "Calendar:Reminder",
    "Calendar:Categories",
    "Calendar:Attendees",
)
_TELLING = {
    "Subject": "subject",
    "Location": "location",
    "BusyStatus": "busy",
    "Sensitivity": "sensitivity",
    "Reminder": "reminder_minutes",
    "Categories": "categories",
}
_TIMING = {"StartTime": "start_at", "EndTime": "end_at"}


def exceptions_element(
    series: Appointment,
    version: Version,
    owner: Owner,
    body_of: Callable[[Appointment], list[Element]] | None,
) -> Element | None:
    """Exceptions; None when there are none.

    Args:
        series: one whose recurrence is shown.
        version: spoken.
        owner: of the mailbox.
        body_of: Body of an occurrence that has one of its own; None: not told.
    """
    regular = _by_name(field_elements(series, version))
    meeting = _by_name(meeting_elements(series, owner))
    told = []
    for override in series.overrides[-EXCEPTIONS_MAX:]:
        exception = _named(override, version)
        if override.is_deleted:
            exception.add("Deleted", "1")
        else:
            taken = occurrence(series, override)
            exception.children.extend(_times(taken, series, version))
            exception.children.extend(_differing(field_elements(taken, version), regular))
            if _people(taken) != _people(series):
                exception.children.extend(_differing(meeting_elements(taken, owner), meeting))
            if body_of and (taken.body, taken.html) != (series.body, series.html):
                exception.children.extend(body_of(taken))
        told.append(exception)
    return Element("Calendar", "Exceptions", list(told)) if told else None


def _named(override: Override, version: Version) -> Element:
    name = "AirSyncBase:InstanceId" if version >= Version.V16_0 else "ExceptionStartTime"
    exception = Element("Calendar", "Exception", [])
    exception.add(name, compact_from_ms(override.original_start_at))
    return exception


def _times(taken: Appointment, series: Appointment, version: Version) -> list[Element]:
    start_at, end_at = shown_times(taken, series.zone, version)
    out = [
        Element("Calendar", "StartTime", compact_from_ms(start_at)),
        Element("Calendar", "EndTime", compact_from_ms(end_at)),
    ]
    if taken.is_all_day or series.is_all_day:
        out.append(Element("Calendar", "AllDayEvent", str(int(taken.is_all_day))))
    return out


def _by_name(elements: Iterable[Element]) -> dict[str, Element]:
    return {element.name: element for element in elements}


def _people(value: Appointment) -> tuple[object, ...]:
    return value.organizer, value.attendees, value.is_cancelled


def _differing(elements: Iterable[Element], regular: dict[str, Element]) -> list[Element]:
    mine = _by_name(elements)
    out = [element for name, element in mine.items() if element != regular.get(name)]
    cleared = (name for name in _CLEARABLE if name in regular.keys() - mine)
    return out + [Element(*name.split(":")) for name in cleared]


def with_exceptions(
    series: Appointment, data: Element, zone: str | None, reading: Reading, now_ms: int
) -> Appointment:
    """The series with the exceptions that a client tells within it.

    Args:
        series: as it shall be else.
        data: ApplicationData.
        zone: what ``told_zone`` has found in it.
        reading: how it is meant.
        now_ms: see ``span_from_data``.

    Raises:
        RemoteProtocolError: too many, or one that names no occurrence or has values out of range.
    """
    holder = data.child("Calendar:Exceptions")
    if holder is None or not (series.recurrence or series.has_unmapped_rule):
        return series
    told = list(holder.each("Exception"))
    if len(told) > EXCEPTIONS_MAX:
        raise RemoteProtocolError("more exceptions than a series may have", "content")
    own_zone = series.zone if zone is None else zone
    overrides = {override.original_start_at: override for override in series.overrides}
    for exception in told:
        sent = _told_original(exception, series, own_zone, reading.version)
        at = original_start(series, sent)
        at = sent if at is None else at
        taken = _as_not_told(series, at, overrides.pop(at, None), exception, reading)
        override = _told_override((series, at), taken, exception, own_zone, reading, now_ms)
        if override is not None:
            overrides[at] = override
    return _with_overrides(series, overrides)


def override_from_data(
    series: Appointment, instance_at: int, data: Element, reading: Reading, now_ms: int
) -> Appointment:
    """The series with one occurrence changed (16.x).

    Args:
        series: as it is known.
        instance_at: InstanceId.
        data: ApplicationData of the Change; what is absent is unchanged.
        reading: how it is meant.
        now_ms: the present.

    Raises:
        RemoteProtocolError: no such occurrence, or a value out of range (hint ``content``).
    """
    at = _known_original(series, instance_at)
    overrides = {override.original_start_at: override for override in series.overrides}
    known = overrides.pop(at, None)
    taken = occurrence(series, known) if known else regular_occurrence(series, at)
    zone = told_zone(data, series, now_ms)
    own_zone = series.zone if zone is None else zone
    override = _told_override((series, at), taken, data, own_zone, reading, now_ms)
    if override is not None:
        overrides[at] = override
    return replace(_with_overrides(series, overrides), changed_at=now_ms - now_ms % 1000)


def without_occurrence(series: Appointment, instance_at: int, now_ms: int) -> Appointment:
    """The series without one occurrence (16.x: a Delete with an InstanceId).

    Raises:
        RemoteProtocolError: no such occurrence (hint ``content``).
    """
    at = _known_original(series, instance_at)
    overrides = {override.original_start_at: override for override in series.overrides}
    overrides[at] = Override(original_start_at=at, is_deleted=True)
    return replace(_with_overrides(series, overrides), changed_at=now_ms - now_ms % 1000)


def original_start(series: Appointment, sent: int) -> int | None:
    """Where the series has the occurrence that a client names; None: it has none on that day.

    Args:
        series: with overrides.
        sent: an instant, or a civil date when the series is all-day.
    """
    if series.recurrence is None or any(o.original_start_at == sent for o in series.overrides):
        return sent
    day = local_day(sent, series)
    starts = occurrences(series.recurrence, day.first_local, day.zone, day.begin_at, day.end_at)
    if sent in starts:
        return sent
    return starts[0] if starts else None


def _known_original(series: Appointment, instance_at: int) -> int:
    sent = checked(instance_at)
    at = original_start(series, civil_date(sent, "", Version.V16_0) if series.is_all_day else sent)
    if at is None or not (series.recurrence or series.has_unmapped_rule):
        raise RemoteProtocolError("the series has no such occurrence", "content")
    return at


def _told_original(exception: Element, series: Appointment, zone: str, version: Version) -> int:
    text = exception.text_of("ExceptionStartTime") or exception.text_of("AirSyncBase:InstanceId")
    at = checked(ms_from_text(text))
    return civil_date(at, zone, version) if series.is_all_day else at


def _as_not_told(
    series: Appointment, at: int, known: Override | None, exception: Element, reading: Reading
) -> Appointment:
    """The occurrence as it is by what an Exception does not tell.

    That is as in the series, but for what clients do not repeat, and what looked to them as in the
    series.
    """
    regular = regular_occurrence(series, at)
    if known is None or known.is_deleted:
        return regular
    taken = occurrence(series, known)
    mine, others = (
        {element.tag: element for element in field_elements(one, reading.version)}
        for one in (taken, regular)
    )
    told = {child.tag for child in exception.children}
    back = [field for tag, field in _TIMING.items() if tag not in told]
    back += [
        f for tag, f in _TELLING.items() if tag not in told and mine.get(tag) != others.get(tag)
    ]
    if taken.is_all_day != regular.is_all_day and "AllDayEvent" not in told:
        back += ["is_all_day", "zone", "is_floating"]
    return replace(taken, **{field: getattr(regular, field) for field in back})


def _told_override(
    which: tuple[Appointment, int],
    taken: Appointment,
    data: Element,
    zone: str,
    reading: Reading,
    now_ms: int,
) -> Override | None:
    """What of an occurrence differs from the series; None: nothing.

    Args:
        which: the series, and where it has the occurrence.
        taken: the occurrence as it is where nothing is told.
        data: what is told.
        zone: that of the times told.
        reading: how it is meant.
        now_ms: see ``span_from_data``.
    """
    series, at = which
    if flag_of(data, "Calendar:Deleted"):
        return Override(original_start_at=at, is_deleted=True)
    span = span_from_data(data, taken, zone, reading.version, now_ms)
    if not span.is_all_day and not taken.is_all_day:
        span = span._replace(zone=taken.zone, is_floating=taken.is_floating)
    told = Told(data, is_partial=True)
    taken = with_body(with_people(with_fields(taken, told, reading), told, reading), data)
    override = override_from_occurrence(series, at, replace(taken, **span._asdict()))
    return override if override != Override(original_start_at=at) else None


def _with_overrides(series: Appointment, overrides: dict[int, Override]) -> Appointment:
    return replace(series, overrides=tuple(overrides[at] for at in sorted(overrides)))
