"""What of an invitation is the invited person's own, and survives a new version of it.

Notes:
    Reminder, categories, the wish for privacy and the answer are the owner's; all else is the
    organizer's. An answer was given for a time: with another time it is asked for anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.appointment import (
    Appointment,
    Attendee,
    BusyStatus,
    Override,
    Response,
    occurrence,
    override_from_occurrence,
    regular_occurrence,
)
from posthouse.model.errors import NotFound
from posthouse.services.groupware.occurrences import taking_place

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY_MS = 86_400_000


def moved(before: Appointment, after: Appointment) -> bool:
    """Whether it takes place at another time."""
    if _span(before) != _span(after):
        return True
    recurs = before.recurrence is not None or before.has_unmapped_rule
    return recurs and before.zone != after.zone


def _span(one: Appointment) -> tuple[object, ...]:
    when = (one.start_at, one.end_at, one.is_all_day, one.is_floating)
    return (*when, one.recurrence, one.has_unmapped_rule)


def fresh(asked: Appointment, own: frozenset[str], reminder_minutes: int | None) -> Appointment:
    """An invitation as it first stands in a calendar, overrides and all.

    Args:
        asked: as the organizer has it.
        own: addresses of the calendar's owner, lower case.
        reminder_minutes: as the owner wants it where a time is set; None: none.
    """
    minutes = None if asked.is_all_day else reminder_minutes
    asked = replace(asked, reminder_minutes=minutes)
    master = replace(_unanswered(asked, own), overrides=())
    overrides = [
        one if one.is_deleted else _override(master, one, _unanswered(occurrence(asked, one), own))
        for one in asked.overrides
    ]
    return replace(master, overrides=tuple(overrides))


def _override(series: Appointment, known: Override, taken: Appointment) -> Override:
    return override_from_occurrence(series, known.original_start_at, taken)


def _unanswered(asked: Appointment, own: frozenset[str]) -> Appointment:
    free = asked.busy is BusyStatus.FREE or asked.is_cancelled
    attendees = tuple(
        replace(one, response=Response.NONE, responded_at=0) if one.address.lower() in own else one
        for one in asked.attendees
    )
    busy = BusyStatus.FREE if free else BusyStatus.TENTATIVE
    return replace(asked, busy=busy, attendees=attendees)


def kept(
    before: Appointment, after: Appointment, own: frozenset[str], *, is_reset: bool
) -> Appointment:
    """A new version with what is the owner's own of the old one.

    Args:
        before: as it stands in the calendar.
        after: as the organizer has it now.
        own: addresses of the calendar's owner, lower case.
        is_reset: the answer is asked for anew.
    """
    after = replace(
        after,
        reminder_minutes=before.reminder_minutes,
        categories=before.categories,
        sensitivity=max(before.sensitivity, after.sensitivity),
    )
    if is_reset:
        return _unanswered(after, own)
    answered = next((one for one in before.attendees if one.address.lower() in own), None)
    busy = BusyStatus.FREE if after.is_cancelled else before.busy
    return replace(after, busy=busy, attendees=_with_answer(after.attendees, answered, own))


def _with_answer(
    attendees: Iterable[Attendee], answered: Attendee | None, own: frozenset[str]
) -> tuple[Attendee, ...]:
    """The list with the owner's answer in it; who came by a group stands at its end."""
    if answered is None:
        return tuple(attendees)
    out = [
        replace(one, response=answered.response, responded_at=answered.responded_at)
        if one.address.lower() in own
        else one
        for one in attendees
    ]
    if not any(one.address.lower() in own for one in out):
        out.append(answered)
    return tuple(out)


def taken_at(series: Appointment, original_start_at: int) -> Appointment | None:
    """One occurrence as it takes place; None: it does not."""
    known = override_at(series, original_start_at)
    if known is None:
        return regular_occurrence(series, original_start_at)
    return None if known.is_deleted else occurrence(series, known)


def override_at(series: Appointment, original_start_at: int) -> Override | None:
    """The override of one occurrence, if there is one."""
    found = (one for one in series.overrides if one.original_start_at == original_start_at)
    return next(found, None)


def with_override(series: Appointment, override: Override) -> Appointment:
    """The series with one override put in or in the place of what was there."""
    at = override.original_start_at
    others = [one for one in series.overrides if one.original_start_at != at]
    overrides = sorted((*others, override), key=lambda one: one.original_start_at)
    return replace(series, overrides=tuple(overrides))


def with_occurrence(series: Appointment, original_start_at: int, taken: Appointment) -> Appointment:
    """The series with one occurrence as it shall take place."""
    return with_override(series, override_from_occurrence(series, original_start_at, taken))


def without_occurrence(series: Appointment, original_start_at: int) -> Appointment:
    """The series with one occurrence that does not take place."""
    gone = Override(original_start_at=original_start_at, is_deleted=True)
    return with_override(series, gone)


def own_of_one(series: Appointment, override: Override, own: frozenset[str]) -> Appointment | None:
    """An occurrence whose difference is the owner's own alone; None: others differ, too."""
    if override.is_deleted:
        return None
    taken = occurrence(series, override)
    regular = regular_occurrence(series, override.original_start_at)
    return taken if kept(taken, regular, own, is_reset=False) == taken else None


def start_in(series: Appointment, at: int) -> int:
    """A RECURRENCE-ID as the original start of an occurrence of this series."""
    return at // DAY_MS * DAY_MS if series.is_all_day else at


def original_start(series: Appointment, at: int) -> int | None:
    """The occurrence that somebody means by an instant.

    Args:
        series: or what takes place once.
        at: as ``start_in`` says it.

    Returns:
        ``at``; None: the whole, which takes place once and then. Of a rule that the patterns
        cannot say, everything may be an occurrence.

    Raises:
        NotFound: nothing takes place then.
        TooLarge: the series cannot be searched.
    """
    if series.has_unmapped_rule or override_at(series, at) is not None:
        return at
    if series.recurrence is None:
        if at == series.start_at:
            return None
    elif any(one.start_at == at for one in taking_place(series, at, at + 1)):
        return at
    raise NotFound(f"no occurrence begins at {at}")
