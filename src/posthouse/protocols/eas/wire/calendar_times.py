"""When an appointment is, as calendars on phones have it: zones, all-day times, ends of series.

Spec: [MS-ASCAL] v23 §2.2.2.1 (AllDayEvent), §2.2.2.44 (Timezone), §2.2.2.47 (Until), §3.2.4.4;
[MS-ASDTYPE] v20 §2.7.2 (Compact DateTime), §2.7.6 (TimeZone).

Notes:
    An all-day appointment of ours has no zone: to 14.1 it is told as midnights of UTC together with
    the zone UTC, to 16.x as bare midnights. A client of 14.1 sends midnights of whatever zone it
    tells; some send those of UTC beside another zone, and the daylight time they reckon with is not
    always the right one. So the midnight nearest by that zone's clock is taken.
    What we showed and is sent back unchanged means what is known: rules of a zone, an end.
    Floating times are shown as if they were UTC.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from posthouse.formats.recurrence.pattern import DAY_MS, UNTIL_AT_MAX
from posthouse.formats.zones.binary import (
    TimeZoneStructure,
    read,
    rules_from_structure,
    structure_from_rules,
    write,
)
from posthouse.formats.zones.civil import at_from_local_ms, local_at, local_ms, zone_or_utc
from posthouse.formats.zones.names import windows_name, zone_from_name
from posthouse.formats.zones.rules import (
    YEARS,
    ZoneRules,
    rules_in_year,
    zone_from_rules,
)
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.calendar_values import flag_of
from posthouse.protocols.eas.wire.fields import nearest_midnight
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.recurrence import CALENDAR, can_be_said, with_last_day
from posthouse.protocols.eas.wire.times import ms_from_text

if TYPE_CHECKING:
    from datetime import tzinfo

    from posthouse.model.appointment import Appointment
    from posthouse.model.recurrence import Recurrence
    from posthouse.protocols.eas.wire.element import Element

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (civil time)
_MS: Final = timedelta(milliseconds=1)
_HALF_HOUR_MS: Final = 1_800_000
# Exchange's years, 1601 to 4500, with a day to spare for every zone.
_EARLIEST_AT: Final = -11_644_387_200_000
_LATEST_AT: Final = 79_870_665_599_000


class Span(NamedTuple):
    """When an appointment is; the fields are Appointment's."""

    start_at: int
    end_at: int
    is_all_day: bool
    zone: str
    is_floating: bool


class LocalDay(NamedTuple):
    """A day by the clock of a series.

    Attributes:
        civil: its date; midnight.
        begin_at: its first moment.
        end_at: the first of the next day.
        first_local: when the series starts first, by that clock.
        zone: of that clock.
    """

    civil: datetime
    begin_at: int
    end_at: int
    first_local: datetime
    zone: tzinfo


def span_of(value: Appointment) -> Span:
    """When it is."""
    return Span(value.start_at, value.end_at, value.is_all_day, value.zone, value.is_floating)


def zone_text(value: Appointment) -> str:
    """The TimeZone structure of an appointment in base64; UTC where it has no zone.

    A series is told by the rules of the year in which it was changed last, for they are what a
    client reckons all later occurrences with.
    """
    year = _rules_year(value.start_at)
    if value.recurrence is not None:
        year = max(year, _rules_year(value.changed_at))
    return _zone_text(value.zone, year)


@lru_cache(maxsize=1024)
def _zone_text(zone: str, year: int) -> str:
    structure = TimeZoneStructure()
    if zone_or_utc(zone) is not UTC:
        name = windows_name(zone) or zone
        structure = structure_from_rules(rules_in_year(zone, year), name, name)
    return base64.b64encode(write(structure)).decode()


def told_zone(data: Element, known: Appointment | None, now_ms: int) -> str | None:
    """The IANA name of the zone that a client tells; None when it tells none.

    Args:
        data: ApplicationData.
        known: what is changed; None: it is new.
        now_ms: the present, by whose rules most clients reckon.

    Returns:
        "" is UTC, or rules that no zone has.

    Raises:
        RemoteProtocolError: it is no TimeZone structure.
    """
    text = data.text_of("Calendar:Timezone").strip()
    if not text:
        return None
    if known is not None and not known.is_all_day and text == zone_text(known):
        return known.zone
    try:
        structure = read(base64.b64decode(text, validate=True))
        rules = rules_from_structure(structure)
    except (binascii.Error, ValueError, RemoteProtocolError) as e:
        raise RemoteProtocolError(f"Timezone: {e}", "content") from e
    start_at = _sent(data, "StartTime")
    if start_at is None:
        start_at = known.start_at if known is not None else now_ms
    hints = (known.zone if known else "", zone_from_name(structure.standard_name) or "")
    found = _zone_by_rules(rules, (_rules_year(now_ms), _rules_year(start_at)), hints)
    return "" if found == "UTC" else found


def _zone_by_rules(rules: ZoneRules, years: tuple[int, ...], hints: tuple[str, ...]) -> str:
    """A hint that has these rules in one of the years, else any zone that has; "" none."""
    usual = ""
    for year in years:
        for hint in hints:
            found = zone_from_rules(rules, year, hint) or ""
            if found and found == hint:
                return found
            usual = usual or found
    return usual


def _rules_year(at: int) -> int:
    return min(max(local_at(at, UTC).year, YEARS.start), YEARS.stop - 1)


def shown_times(value: Appointment, zone: str, version: Version) -> tuple[int, int]:
    """Start and end of a series or an occurrence as they are told.

    Args:
        value: the series, or the occurrence as it takes place.
        zone: that of the series.
        version: spoken.
    """
    if not value.is_all_day or not zone or version >= Version.V16_0:
        return value.start_at, value.end_at
    midnights = zone_or_utc(zone)
    return at_from_local_ms(value.start_at, midnights), at_from_local_ms(value.end_at, midnights)


def civil_date(at: int, zone: str, version: Version) -> int:
    """The civil date that a client means by a time of something all-day.

    Args:
        at: the time as sent.
        zone: what ``told_zone`` has found; "" none.
        version: spoken.
    """
    if version >= Version.V16_0 and at % DAY_MS == 0:
        return at
    return nearest_midnight(local_ms(at, zone_or_utc(zone)))


def span_from_data(
    data: Element, known: Appointment | None, zone: str | None, version: Version, now_ms: int
) -> Span:
    """When it is: what is told goes over what is known.

    Args:
        data: ApplicationData, or an Exception.
        known: what is changed; of an occurrence, as it takes place. None: it is new.
        zone: what ``told_zone`` has found in the whole.
        version: spoken.
        now_ms: for what is told by nothing.

    Raises:
        RemoteProtocolError: no such times, or times that contradict each other.
    """
    was_all_day = known is not None and known.is_all_day
    is_all_day = flag_of(data, "Calendar:AllDayEvent", default=was_all_day)
    if zone is None:
        zone = known.zone if known else ""
    told = _sent(data, "StartTime"), _sent(data, "EndTime")
    if known is None:
        old = _substitutes(*told, now_ms, is_all_day=is_all_day)
    else:
        old = _known_times(known, zone, is_all_day=is_all_day)
    start_at, end_at = (
        before if at is None else civil_date(at, zone, version) if is_all_day else at
        for at, before in zip(told, old, strict=True)
    )
    if is_all_day:
        end_at = max(end_at, start_at + DAY_MS)
    elif end_at < start_at and told[1] is None:
        end_at = start_at + old[1] - old[0]
    if end_at < start_at:
        raise RemoteProtocolError("it ends before it starts", "content")
    is_floating = known is not None and known.is_floating and not (zone or is_all_day)
    checked(start_at)
    checked(end_at)
    return Span(start_at, end_at, is_all_day, "" if is_all_day else zone, is_floating)


def checked(at: int) -> int:
    """A time that a client tells, in whole seconds.

    Raises:
        RemoteProtocolError: in a year that no calendar shows (hint ``content``).
    """
    if not _EARLIEST_AT <= at <= _LATEST_AT:
        raise RemoteProtocolError("a time in a year that no calendar shows", "content")
    return at - at % 1000


def _sent(data: Element, tag: str) -> int | None:
    text = data.text_of(f"Calendar:{tag}").strip()
    return checked(ms_from_text(text)) if text else None


def _substitutes(
    start_at: int | None, end_at: int | None, now_ms: int, *, is_all_day: bool
) -> tuple[int, int]:
    """What stands in for a time that a new appointment lacks."""
    rounded_at = -(-now_ms // _HALF_HOUR_MS) * _HALF_HOUR_MS
    if is_all_day:
        # No end is that early: it lasts a day.
        return rounded_at // DAY_MS * DAY_MS, _EARLIEST_AT
    if start_at is None and end_at is not None and end_at < rounded_at:
        raise RemoteProtocolError("it is over, and no start is told", "content")
    if end_at is None and start_at is not None and start_at > rounded_at:
        raise RemoteProtocolError("it is to come, and no end is told", "content")
    return rounded_at, rounded_at + _HALF_HOUR_MS


def _known_times(known: Appointment, zone: str, *, is_all_day: bool) -> tuple[int, int]:
    """As it is known; where it becomes an all-day one or ceases to be one, whole days."""
    if known.is_all_day == is_all_day:
        return known.start_at, known.end_at
    if is_all_day:
        old = zone_or_utc(known.zone)
        start, end = local_ms(known.start_at, old), local_ms(known.end_at, old)
        return start // DAY_MS * DAY_MS, -(-end // DAY_MS) * DAY_MS
    new = zone_or_utc(zone)
    return at_from_local_ms(known.start_at, new), at_from_local_ms(known.end_at, new)


def shown_recurrence(value: Appointment) -> Recurrence | None:
    """The recurrence of an appointment as Calendar:Recurrence can say it.

    An end by date is the last start there can be: clients take the whole day to be in.

    Returns:
        None: there is none, or it cannot be said.
    """
    recurrence = value.recurrence
    if recurrence is None:
        return None
    zone = zone_or_utc("" if value.is_all_day else value.zone)
    if recurrence.count > CALENDAR.occurrences_max:
        recurrence = with_last_day(recurrence, local_ms(value.start_at, zone))
        if recurrence.until_at:
            recurrence = replace(recurrence, until_at=at_from_local_ms(recurrence.until_at, zone))
    elif recurrence.until_at:
        day, span = _day(recurrence.until_at, zone), span_of(value)
        last_at = _start_on(day, span)
        if last_at > recurrence.until_at:
            last_at = _start_on(day - DAY_MS, span)
        recurrence = replace(recurrence, until_at=max(last_at, value.start_at))
    is_known_to_us = recurrence.until_at >= 0
    return recurrence if is_known_to_us and can_be_said(recurrence) else None


def with_told_end(recurrence: Recurrence, span: Span, zone: str) -> Recurrence:
    """A recurrence that was read, with the last start for its end by date.

    Clients mean the whole day. Some say which by midnight of UTC, some by a time of that day.

    Args:
        recurrence: as ``recurrence_from_element`` gives it.
        span: of the series.
        zone: what ``told_zone`` has found; "" none.

    Raises:
        RemoteProtocolError: it ended before 1970.
    """
    sent = recurrence.until_at
    if not sent:
        return recurrence
    day = _day(sent, zone_or_utc(zone if span.is_all_day else span.zone))
    if sent % DAY_MS == 0 and _start_on(day, span) != sent:
        day = sent
    return _with_last_day_on(recurrence, day, span)


def with_moved_end(recurrence: Recurrence, known: Appointment, span: Span) -> Recurrence:
    """The recurrence of a series that is moved: with the last start on the day it was.

    Args:
        recurrence: of the series.
        known: the series as it was.
        span: where it goes.

    Raises:
        RemoteProtocolError: as ``with_told_end``.
    """
    if not recurrence.until_at:
        return recurrence
    zone = zone_or_utc("" if known.is_all_day else known.zone)
    return _with_last_day_on(recurrence, _day(recurrence.until_at, zone), span)


def _with_last_day_on(recurrence: Recurrence, day: int, span: Span) -> Recurrence:
    last_at = min(max(_start_on(day, span), span.start_at), UNTIL_AT_MAX)
    if last_at <= 0:
        raise RemoteProtocolError("a series that ended before 1970", "content")
    return replace(recurrence, until_at=last_at)


def _start_on(day: int, span: Span) -> int:
    """When something of this span starts on a day."""
    zone = zone_or_utc(span.zone)
    return at_from_local_ms(day + local_ms(span.start_at, zone) % DAY_MS, zone)


def _day(at: int, zone: tzinfo) -> int:
    """The date there, in ms of its midnight as if that were UTC."""
    return local_ms(at, zone) // DAY_MS * DAY_MS


def local_day(at: int, series: Appointment) -> LocalDay:
    """The day on which a moment lies, by the clock of a series."""
    zone = zone_or_utc("" if series.is_all_day else series.zone)
    day = _day(at, zone)
    begin_at, end_at = at_from_local_ms(day, zone), at_from_local_ms(day + DAY_MS, zone)
    return LocalDay(_EPOCH + day * _MS, begin_at, end_at, local_at(series.start_at, zone), zone)
