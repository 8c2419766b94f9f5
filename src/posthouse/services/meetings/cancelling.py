"""What a cancellation does to the calendar of who was invited. Pure.

Spec: RFC 5546 §2.1.5 (order), §3.2.5 (CANCEL); [MS-OXOCAL] v23 §3.1.4.9.

Notes:
    - A meeting that is off stays in the calendar, marked and free; so does an occurrence.
    - So that an invitation which comes after its cancellation is known to be stale, the
      cancellation of what nobody knows here is put into Deleted Items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.appointment import (
    BusyStatus,
    occurrence,
    override_from_occurrence,
    regular_occurrence,
)
from posthouse.services.meetings.document import Held, Revision, entry_base, write_held
from posthouse.services.meetings.incoming import (
    Effect,
    Nothing,
    carried,
    has_same_organizer,
    is_from_organizer,
    tells_of,
)
from posthouse.services.meetings.keeping import (
    override_at,
    start_in,
    taken_at,
    with_occurrence,
    with_override,
)

if TYPE_CHECKING:
    from posthouse.model.appointment import Appointment, Override
    from posthouse.services.meetings.document import Told
    from posthouse.services.meetings.incoming import About, Known


def cancelled(known: Known, told: Told, about: About) -> list[Effect] | Nothing:
    """What a cancellation does. Raises ValueError as ``requested``."""
    message = told.message
    if not message.uid:
        return Nothing("nameless")
    held = known.series
    at = message.recurrence_at
    if held is not None:
        if not is_from_organizer(held, about):
            return Nothing("forged")
        found = _cancelled_whole(held, told) if at is None else _cancelled_one(held, told, at)
        return [Effect(found)] if found else Nothing("stale")
    orphans = [one for one in known.orphans if at is None or one.recurrence_at == at]
    meant = [one for one in orphans if is_from_organizer(one, about)]
    if orphans and not meant:
        return Nothing("forged")
    effects = [Effect(one) for one in (_cancelled_whole(one, told) for one in meant) if one]
    if meant and at is not None:
        return effects or Nothing("stale")
    remembered = _remembered(known, told, about)
    if isinstance(remembered, Effect):
        return [*effects, remembered]
    return effects or remembered


def _cancelled_whole(held: Held, told: Told) -> Held | None:
    """The entry marked as cancelled; None: something newer is known."""
    if told.revision <= held.revision:
        return None
    series = held.appointment
    off = replace(_off(series), sequence=max(series.sequence, told.message.sequence), overrides=())
    overrides: list[Override] = []
    for one in series.overrides:
        at = one.original_start_at
        if one.is_deleted or held.revisions.get(at, Revision()) > told.revision:
            overrides.append(carried(series, one, off))
        else:
            taken = _off(occurrence(series, one))
            overrides.append(override_from_occurrence(off, at, taken))
    appointment = replace(off, overrides=tuple(overrides))
    return write_held(replace(held, appointment=appointment, revision=told.revision))


def _cancelled_one(held: Held, told: Told, at: int) -> Held | None:
    series = held.appointment
    at = start_in(series, at)
    recurs = series.recurrence is not None or series.has_unmapped_rule
    if not recurs or told.revision <= held.revision_of(at):
        return None
    revisions = {**held.revisions, at: told.revision}
    was = taken_at(series, at)
    gone = override_at(series, at)
    if was is None and gone is not None:
        wanted = with_override(series, gone)
    else:
        off = _off(was or regular_occurrence(series, at))
        wanted = with_occurrence(series, at, replace(off, sequence=told.message.sequence))
    return write_held(replace(held, appointment=wanted, revisions=revisions))


def _off(one: Appointment) -> Appointment:
    return replace(one, is_cancelled=True, busy=BusyStatus.FREE, reminder_minutes=None)


def _remembered(known: Known, told: Told, about: About) -> Effect | Nothing:
    """A cancellation of what is not known here: put away, so that what it cancels is known stale.

    An organizer of our own cancels nothing of what is not there.
    """
    message = told.message
    at = message.recurrence_at
    organizer = message.organizer
    if organizer is None or organizer.address.lower() in about.own:
        return Nothing("own")
    gone = [one for one in known.gone if has_same_organizer(one, told)]
    if at is None:
        was = [one.revision for one in gone if one.recurrence_at is None]
    else:
        was = [one.revision_of(at) for one in gone if tells_of(one, at)]
    if was and told.revision <= max(was):
        return Nothing("stale")
    if not {organizer.address.lower()} & about.senders:
        return Nothing("forged")
    off = replace(_off(message.appointment), overrides=())
    new = Held(off, b"", told.revision, {}, "", at)
    return Effect(write_held(new, entry_base(told, None)), is_put_away=True)
