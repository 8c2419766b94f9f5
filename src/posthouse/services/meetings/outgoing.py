"""What an organizer's change has to tell, and to whom; and the documents for it. Pure.

Spec: RFC 5546 §3.2.2 (REQUEST), §3.2.5 (CANCEL), §3.2.6 (REFRESH); [MS-OXOCAL] v23 §3.1.4.7
(requests and updates), §3.1.4.9.1 (cancellations).

Notes:
    - Everybody hears of a change that shows; who is asked anew hears of the whole; who is asked no
      more hears that it is off. Where only some occurrences of a series changed, each is told by
      itself, unless there are many.
    - Of what is over nobody is told that it is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct
from msgspec.structs import replace

from posthouse.formats.ical.appointment import (
    appointment_from_series,
    ical_from_appointment,
    series_from_document,
)
from posthouse.formats.ical.itip import cancellation, reply, request
from posthouse.formats.ical.lines import bytes_from_document, document_from_bytes
from posthouse.model.appointment import Appointment, Attendee, Override
from posthouse.services.groupware.occurrences import last_end
from posthouse.services.meetings.document import without_marks
from posthouse.services.meetings.keeping import taken_at, with_override

if TYPE_CHECKING:
    from collections.abc import Iterable

_SINGLY_MAX = 8


class Announcement(Struct, frozen=True):
    """One message to be sent.

    Attributes:
        method: REQUEST or CANCEL.
        data: the iTIP message.
        meeting: what it speaks of, for the words of the mail.
        to: who hears it; at least one.
    """

    method: str
    data: bytes
    meeting: Appointment
    to: tuple[Attendee, ...]


def announcements(
    before: Appointment | None, after: Appointment | None, original: bytes, now_ms: int
) -> list[Announcement]:
    """What a change tells.

    Args:
        before: as it was; None: it is new.
        after: as it is now, with the sequence of ``next_revision``; None: it was removed.
        original: the document of ``after``, or of ``before`` when that was removed.
        now_ms: the time.

    Raises:
        ValueError: the meeting cannot be written.
    """
    if after is None:
        was_on = before is not None and not before.is_cancelled
        return _called_off(before, before, original, now_ms) if before and was_on else []
    if after.is_cancelled:
        was_on = before is not None and not before.is_cancelled
        return _called_off(before, after, original, now_ms) if before and was_on else []
    if before is None or before.is_cancelled:
        return _asked(after, _invited(after), original, now_ms)
    known = {one.address.lower() for one in _invited(before)}
    asked = {one.address.lower() for one in _invited(after)}
    out: list[Announcement] = []
    dropped = tuple(one for one in _invited(before) if one.address.lower() not in asked)
    if dropped:
        only = replace(after, attendees=dropped, overrides=())
        sequence = max(after.sequence, before.sequence + 1)
        only = replace(only, sequence=sequence)
        out.append(_cancel(only, dropped, original, now_ms))
    changed = _changed_starts(before, after)
    if _shown(before) != _shown(after) or len(changed) > _SINGLY_MAX:
        return out + _asked(after, _invited(after), original, now_ms)
    new = tuple(one for one in _invited(after) if one.address.lower() not in known)
    old = frozenset(known & asked)
    for at in changed:
        out += _of_one(before, after, original, at, old, now_ms)
    return out + _asked(after, new, original, now_ms)


def _called_off(
    before: Appointment | None, after: Appointment, original: bytes, now_ms: int
) -> list[Announcement]:
    if last_end(after) <= now_ms:
        return []
    asked = {one.address.lower(): one for one in _invited(before or after)}
    asked.update({one.address.lower(): one for one in _invited(after)})
    if not asked:
        return []
    least = before.sequence + 1 if before else 0
    off = replace(after, sequence=max(after.sequence, least))
    return [_cancel(off, tuple(asked.values()), original, now_ms)]


def _asked(
    meeting: Appointment, to: tuple[Attendee, ...], original: bytes, now_ms: int
) -> list[Announcement]:
    if not to:
        return []
    data = without_marks(request(without_own(meeting), now_ms, original))
    return [Announcement("REQUEST", data, meeting, to)]


def _cancel(
    meeting: Appointment, to: tuple[Attendee, ...], original: bytes, now_ms: int
) -> Announcement:
    data = without_marks(cancellation(without_own(meeting), now_ms, original))
    return Announcement("CANCEL", data, meeting, to)


def without_own(meeting: Appointment) -> Appointment:
    """The meeting without what its owner sorts it by."""
    overrides = tuple(replace(one, categories=UNSET) for one in meeting.overrides)
    return replace(meeting, categories=(), overrides=overrides)


def _of_one(
    before: Appointment,
    after: Appointment,
    original: bytes,
    at: int,
    old: frozenset[str],
    now_ms: int,
) -> list[Announcement]:
    """One occurrence, told to those who know the series."""
    was, now = taken_at(before, at), taken_at(after, at)
    out: list[Announcement] = []
    asked = _invited(now, old) if now is not None and not now.is_cancelled else ()
    keys = {one.address.lower() for one in asked}
    had = _invited(was, old) if was is not None and not was.is_cancelled else ()
    dropped = tuple(one for one in had if one.address.lower() not in keys)
    if dropped and was is not None and was.end_at > now_ms:
        one, data = occurrence_document(before, original, at)
        sequence = max(one.sequence, after.sequence) + 1
        out.append(
            _cancel(replace(one, sequence=sequence, attendees=dropped), dropped, data, now_ms)
        )
    if asked:
        one, data = occurrence_document(after, original, at)
        out += _asked(one, asked, data, now_ms)
    return out


def _invited(
    meeting: Appointment | None, among: frozenset[str] | None = None
) -> tuple[Attendee, ...]:
    """Who is asked, but for the organizer; each once."""
    if meeting is None or meeting.organizer is None:
        return ()
    found: dict[str, Attendee] = {}
    for one in meeting.attendees:
        key = one.address.lower()
        if key != meeting.organizer.address.lower() and (among is None or key in among):
            found.setdefault(key, one)
    return tuple(found.values())


def _shown(one: Appointment) -> tuple[object, ...]:
    """What an attendee sees of it."""
    when = (one.start_at, one.end_at, one.is_all_day, one.is_floating, one.zone)
    what = (one.subject, one.location, one.body, one.html, one.online_meeting_link)
    how = (one.importance, one.sensitivity, one.is_cancelled)
    return (*when, *what, *how, one.recurrence, one.has_unmapped_rule)


def _changed_starts(before: Appointment, after: Appointment) -> list[int]:
    """Original starts of the occurrences that show differently."""
    starts = {one.original_start_at for one in (*before.overrides, *after.overrides)}
    return [at for at in sorted(starts) if _differs(taken_at(before, at), taken_at(after, at))]


def _differs(was: Appointment | None, now: Appointment | None) -> bool:
    if was is None or now is None:
        return was is not now
    keys = [{one.address.lower() for one in _invited(some)} for some in (was, now)]
    return _shown(was) != _shown(now) or keys[0] != keys[1]


def occurrence_document(series: Appointment, original: bytes, at: int) -> tuple[Appointment, bytes]:
    """One occurrence by itself, with its RECURRENCE-ID, and the document that says it.

    Args:
        series: where it belongs to.
        original: the series' document; b"": a new one.
        at: the original start.

    Raises:
        ValueError: the series cannot be written.
    """
    known = next((one for one in series.overrides if one.original_start_at == at), None)
    if known is None or known.is_deleted:
        series = with_override(series, Override(original_start_at=at))
    root = document_from_bytes(ical_from_appointment(series, original or None))
    whole = series_from_document(root)
    kept = whole.components_by_start(is_all_day=series.is_all_day)[at][0]
    calendar = whole.calendar.tree
    root.children = [calendar]
    calendar.remove(*(one for one in calendar.components("VEVENT") if one is not kept))
    appointment = appointment_from_series(series_from_document(root))
    return appointment, bytes_from_document(root)


def refresh(meeting: Appointment, me: Attendee, original: bytes, now_ms: int) -> bytes:
    """Asks the organizer for the newest version."""
    root = document_from_bytes(reply(meeting, me, now_ms, original))
    for calendar in root.components("VCALENDAR"):
        calendar.set("METHOD", "REFRESH")
        for component in calendar.components("VEVENT"):
            component.drop("SEQUENCE", "STATUS", "TRANSP", "PRIORITY", "CLASS", "SUMMARY")
    return bytes_from_document(root)


def addresses_of(people: Iterable[Attendee]) -> tuple[str, ...]:
    """Where to reach them: only what is an address of mail."""
    return tuple(one.address for one in people if "@" in one.address and ":" not in one.address)
