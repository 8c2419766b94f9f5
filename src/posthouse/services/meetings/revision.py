"""Revisions: what an organizer's change means for those who were asked. Pure.

Spec: RFC 5546 §2.1.4 (component revisions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.appointment import (
    Appointment,
    Attendee,
    Response,
    occurrence,
    override_from_occurrence,
    regular_occurrence,
)
from posthouse.services.meetings.keeping import moved, taken_at

if TYPE_CHECKING:
    from posthouse.model.appointment import Override


def next_revision(before: Appointment | None, after: Appointment) -> Appointment:
    """The organizer's meeting as it shall be stored after a change through a door.

    The sequence grows when time, recurrence or place changed, or when the meeting is called off;
    answers are forgotten when the time changed, of the whole or of the occurrence. Those newly
    asked have not answered. What else the door wrote stays.

    Args:
        before: as it was; None: it is new.
        after: as the door has it.
    """
    if before is None:
        return replace(after, attendees=_unanswered(after))
    anew = moved(before, after)
    master = _revised(before, after, anew=anew)
    series = replace(master, overrides=())
    overrides = tuple(_override(before, after, one, series, anew=anew) for one in after.overrides)
    return replace(series, overrides=overrides)


def _revised(before: Appointment, after: Appointment, *, anew: bool) -> Appointment:
    grows = (
        anew
        or before.location != after.location
        or (after.is_cancelled and not before.is_cancelled)
    )
    sequence = max(before.sequence + grows, after.sequence)
    attendees = _unanswered(after) if anew else _with_answers(before, after)
    return replace(after, sequence=sequence, attendees=attendees)


def _override(
    before: Appointment, after: Appointment, one: Override, series: Appointment, *, anew: bool
) -> Override:
    if one.is_deleted:
        return one
    at = one.original_start_at
    was = (None if anew else taken_at(before, at)) or regular_occurrence(series, at)
    taken = occurrence(after, one)
    revised = _revised(was, taken, anew=anew or moved(was, taken))
    revised = replace(revised, sequence=max(revised.sequence, series.sequence))
    return override_from_occurrence(series, at, revised)


def _organizes(meeting: Appointment, attendee: Attendee) -> bool:
    organizer = meeting.organizer
    return organizer is not None and organizer.address.lower() == attendee.address.lower()


def _unanswered(meeting: Appointment) -> tuple[Attendee, ...]:
    return tuple(
        one if _organizes(meeting, one) else replace(one, response=Response.NONE, responded_at=0)
        for one in meeting.attendees
    )


def _with_answers(before: Appointment, after: Appointment) -> tuple[Attendee, ...]:
    """Answers are what was known: few doors carry them, and none makes them up."""
    known = {one.address.lower(): one for one in before.attendees}
    out: list[Attendee] = []
    for one in after.attendees:
        was = known.get(one.address.lower())
        if was is None:
            out += (
                [one]
                if _organizes(after, one)
                else [replace(one, response=Response.NONE, responded_at=0)]
            )
        elif was.responded_at >= one.responded_at:
            out.append(replace(one, response=was.response, responded_at=was.responded_at))
        else:
            out.append(one)
    return tuple(out)
