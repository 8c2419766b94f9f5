"""Occurrences: when an appointment really takes place.

Spec: RFC 5545 §3.8.5; [MS-OXOCAL] v23 §2.2.1.44.1.

Notes:
    Civil dates (all-day series) and floating times are expanded as if they were UTC, as the model
    writes them. An occurrence that was moved counts where it went, not where the series has it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from posthouse.formats.recurrence.expand import EXPANSION_LIMITS, ExpansionLimits, occurrences
from posthouse.formats.zones.civil import local_at, zone_or_utc
from posthouse.model.appointment import Appointment, occurrence, regular_occurrence
from posthouse.model.errors import TooLarge

if TYPE_CHECKING:
    from datetime import tzinfo

FOREVER = 253_402_300_799_000
"""The last second of the year 9999, ms: the end of what has none."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def taking_place(
    appointment: Appointment, from_at: int, to_at: int, limits: ExpansionLimits = EXPANSION_LIMITS
) -> list[Appointment]:
    """What of an appointment touches a window, each occurrence as it takes place, by start.

    Args:
        appointment: single, or a series with its overrides. Of a rule that the patterns cannot say
            only the first occurrence and the overrides are known.
        from_at: begin of the window, ms UTC.
        to_at: its end, not part of it.
        limits: of the expansion.

    Raises:
        TooLarge: more occurrences than the limits allow.
    """
    found = _regular(appointment, from_at, to_at, limits)
    for override in appointment.overrides:
        if not override.is_deleted:
            found.append(occurrence(appointment, override))
    return sorted(
        (one for one in found if _touches(one, from_at, to_at)), key=lambda one: one.start_at
    )


def _regular(
    appointment: Appointment, from_at: int, to_at: int, limits: ExpansionLimits
) -> list[Appointment]:
    """Those that are as the series has them."""
    overridden = {override.original_start_at for override in appointment.overrides}
    recurrence = appointment.recurrence
    if recurrence is None:
        starts = [appointment.start_at]
    else:
        zone = _zone(appointment)
        length = appointment.end_at - appointment.start_at
        begin = max(from_at - length, appointment.start_at)
        starts = occurrences(
            recurrence, local_at(appointment.start_at, zone), zone, begin, to_at, limits
        )
    return [regular_occurrence(appointment, at) for at in starts if at not in overridden]


def last_end(appointment: Appointment) -> int:
    """When the last of it is over, ms UTC; FOREVER when that is never, or not known."""
    recurrence = appointment.recurrence
    length = appointment.end_at - appointment.start_at
    if appointment.has_unmapped_rule:
        return FOREVER
    if recurrence is None:
        last = appointment.end_at
    elif recurrence.until_at:
        last = recurrence.until_at + length
    elif recurrence.count:
        zone = _zone(appointment)
        local = local_at(appointment.start_at, zone)
        try:
            starts = occurrences(recurrence, local, zone, appointment.start_at, FOREVER)
        except TooLarge:
            return FOREVER
        last = (starts[-1] if starts else appointment.start_at) + length
    else:
        return FOREVER
    moved = [
        occurrence(appointment, one).end_at for one in appointment.overrides if not one.is_deleted
    ]
    return max(last, *moved) if moved else last


def _touches(one: Appointment, from_at: int, to_at: int) -> bool:
    """Overlaps the window; what takes no time touches where it stands."""
    if one.start_at == one.end_at:
        return from_at <= one.start_at < to_at
    return one.start_at < to_at and one.end_at > from_at


def _zone(appointment: Appointment) -> tzinfo:
    is_civil = appointment.is_all_day or appointment.is_floating
    return UTC if is_civil else zone_or_utc(appointment.zone)
