"""Answers: an attendee's in the organizer's calendar, and the owner's own in his. Pure.

Spec: RFC 5546 §3.2.3 (REPLY), §3.2.7 (COUNTER); RFC 6047 §3 (who may say what); [MS-OXOCAL] v23
§3.1.4.8 (responses).

Notes:
    An answer counts when it comes from the attendee it speaks for, when that attendee was asked,
    when it was given to the version that stands, and when none was given later. Who was not asked
    is not added to the list. An answer to the whole counts for every occurrence that was answered
    earlier or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.formats.ical.appointment import ical_from_appointment
from posthouse.model.appointment import (
    Appointment,
    Attendee,
    BusyStatus,
    Response,
    occurrence,
    override_from_occurrence,
)
from posthouse.services.meetings.document import intended_busy
from posthouse.services.meetings.incoming import Effect, Nothing
from posthouse.services.meetings.keeping import start_in, taken_at, with_occurrence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.services.meetings.document import Held, Told
    from posthouse.services.meetings.incoming import About, Known

SAID = (Response.ACCEPTED, Response.TENTATIVE, Response.DECLINED)
_SHOWN = {
    Response.TENTATIVE: BusyStatus.TENTATIVE,
    Response.NONE: BusyStatus.TENTATIVE,
    Response.DECLINED: BusyStatus.FREE,
}


def answered(known: Known, told: Told, about: About) -> Effect | Nothing:
    """What an attendee's answer or counter-proposal does to the organizer's own entry."""
    held, message = known.series, told.message
    if held is None:
        return Nothing("unknown")
    organizer = held.appointment.organizer
    if organizer is None or organizer.address.lower() not in about.own:
        return Nothing("not-ours")
    said = [one for one in message.attendees if one.address.lower() in about.senders]
    if not said:
        return Nothing("forged")
    if message.method == "COUNTER":
        said = [replace(one, response=Response.TENTATIVE) for one in said[:1]]
    said = [replace(one, responded_at=message.stamped_at) for one in said if one.response in SAID]
    series = held.appointment
    wanted = (
        _whole_answered(series, said, message.sequence)
        if message.recurrence_at is None
        else _one_answered(series, said, message.sequence, start_in(series, message.recurrence_at))
    )
    if wanted == series:
        return Nothing("stale")
    original = ical_from_appointment(wanted, held.original)
    return Effect(replace(held, appointment=wanted, original=original))


def _whole_answered(series: Appointment, said: list[Attendee], sequence: int) -> Appointment:
    if sequence < series.sequence:
        return series
    master = replace(series, attendees=_entered(series.attendees, said), overrides=())
    overrides = []
    for one in series.overrides:
        if not one.is_deleted:
            taken = occurrence(series, one)
            taken = replace(taken, attendees=_entered(taken.attendees, said))
            one = override_from_occurrence(master, one.original_start_at, taken)
        overrides.append(one)
    return replace(master, overrides=tuple(overrides))


def _one_answered(series: Appointment, said: list[Attendee], sequence: int, at: int) -> Appointment:
    taken = taken_at(series, at)
    recurs = series.recurrence is not None or series.has_unmapped_rule
    if taken is None or not recurs or sequence < taken.sequence:
        return series
    attendees = _entered(taken.attendees, said)
    if attendees == taken.attendees:
        return series
    return with_occurrence(series, at, replace(taken, attendees=attendees))


def _entered(asked: tuple[Attendee, ...], said: Iterable[Attendee]) -> tuple[Attendee, ...]:
    """The list with newer answers in it."""
    newest: dict[str, Attendee] = {}
    for one in said:
        newest.setdefault(one.address.lower(), one)
    out = []
    for one in asked:
        answer = newest.get(one.address.lower())
        if answer is not None and answer.responded_at > one.responded_at:
            one = replace(one, response=answer.response, responded_at=answer.responded_at)
        out.append(one)
    return tuple(out)


def own_answer(
    held: Held,
    me: Attendee,
    own: frozenset[str],
    recurrence_at: int | None,
    busy: BusyStatus | None = None,
) -> Appointment:
    """The owner's entry with the owner's answer in it: in the list, and in how the time shows.

    Args:
        held: the entry.
        me: address and name for who is not on the list; response and when it was given.
        own: addresses of the calendar's owner, lower case.
        recurrence_at: of one occurrence alone; None: of the whole.
        busy: how the time shows; None: as the answer says, and as the organizer meant it.
    """
    series = held.appointment
    if busy is None:
        busy = _SHOWN.get(me.response)
    if busy is None:
        busy = intended_busy(held.original)
    if recurrence_at is not None and held.recurrence_at is None:
        at = start_in(series, recurrence_at)
        taken = taken_at(series, at)
        if taken is None:
            return series
        return with_occurrence(series, at, _own_answer(taken, me, own, busy))
    master = replace(_own_answer(series, me, own, busy), overrides=())
    overrides = []
    for one in series.overrides:
        if not one.is_deleted:
            taken = occurrence(series, one)
            if not taken.is_cancelled:
                taken = _own_answer(taken, me, own, busy)
            one = override_from_occurrence(master, one.original_start_at, taken)
        overrides.append(one)
    return replace(master, overrides=tuple(overrides))


def _own_answer(
    one: Appointment, me: Attendee, own: frozenset[str], busy: BusyStatus
) -> Appointment:
    attendees = [
        replace(a, response=me.response, responded_at=me.responded_at)
        if a.address.lower() in own
        else a
        for a in one.attendees
    ]
    if not any(a.address.lower() in own for a in one.attendees):
        attendees.append(me)
    return replace(one, attendees=tuple(attendees), busy=busy)


def own_attendee(one: Appointment, own: frozenset[str], address: str, name: str) -> Attendee:
    """The owner as the list has them, or as who came by a group."""
    found = (a for a in one.attendees if a.address.lower() in own)
    return next(found, Attendee(address, name))
