"""What an invitation does to the calendar of who is invited. Pure.

Spec: RFC 5546 §2.1.5 (order), §3.2.2 (REQUEST); RFC 6047 §3 (who may say what); [MS-OXOCAL] v23
§3.1.4.7 (requests and updates), §3.1.5.2 (out of date).

Notes:
    - Messages come late, twice and in any order; the newest of the whole and the newest of each
      occurrence count. What is older than what is known is left alone, and what the owner has
      deleted is known, too.
    - A meeting that is there is changed only by its organizer: the message must come from the
      address that the calendar names, or from who brought the meeting (services that invite on
      behalf of others).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.appointment import (
    occurrence,
    override_from_occurrence,
    regular_occurrence,
)
from posthouse.services.meetings.document import (
    Held,
    Revision,
    Told,
    entry_base,
    held_from_original,
    write_held,
)
from posthouse.services.meetings.keeping import (
    fresh,
    kept,
    moved,
    own_of_one,
    start_in,
    taken_at,
    with_occurrence,
    without_occurrence,
)

if TYPE_CHECKING:
    from posthouse.model.appointment import Appointment, Override
    from posthouse.model.ids import ItemId


_OVERRIDES_MAX = 500
"""Of a series that grows by single messages: each one writes all of it anew."""


class Known(Struct, frozen=True):
    """What a mailbox holds of one uid.

    Attributes:
        series: the entry in a calendar, be it a series or not.
        orphans: entries in a calendar for single occurrences; only without ``series``.
        gone: what was deleted, as far as it is still there.
    """

    series: Held | None = None
    orphans: tuple[Held, ...] = ()
    gone: tuple[Held, ...] = ()


class About(Struct, frozen=True):
    """For whom a message is, and from whom.

    Attributes:
        own: addresses of the calendar's owner, lower case.
        senders: addresses the message may speak for, lower case.
        reminder_minutes: for a new invitation; None: none.
    """

    own: frozenset[str]
    senders: frozenset[str]
    reminder_minutes: int | None = 15


class Effect(Struct, frozen=True):
    """One entry as it shall be.

    Attributes:
        held: the entry; without ``item_id`` a new one.
        folded: orphans that are part of it now, and go.
        is_put_away: it belongs into Deleted Items: only that it was said is kept.
        asks: a new invitation, or one to another time: an answer is due.
    """

    held: Held
    folded: tuple[ItemId, ...] = ()
    is_put_away: bool = False
    asks: bool = False


class Nothing(Struct, frozen=True):
    """The calendar stays as it is.

    Attributes:
        reason: one word for the log.
    """

    reason: str


def requested(known: Known, told: Told, about: About) -> Effect | Nothing:
    """What an invitation, or a new version of one, does.

    Raises:
        ValueError: the meeting cannot be written.
    """
    message = told.message
    organizer = message.organizer
    if organizer is None or not message.uid:
        return Nothing("nameless")
    if organizer.address.lower() in about.own:
        return Nothing("own")
    if message.recurrence_at is None:
        return _requested_whole(known, told, about)
    return _requested_one(known, told, about, message.recurrence_at)


# --- invitations to the whole


def _requested_whole(known: Known, told: Told, about: About) -> Effect | Nothing:
    held = known.series
    if held is not None:
        if not is_from_organizer(held, about):
            return Nothing("forged")
        if told.revision <= held.revision:
            return Nothing("stale")
        return _updated(held, told, about)
    gone = [one for one in known.gone if has_same_organizer(one, told)]
    was = [one.revision for one in gone if one.recurrence_at is None]
    if was and told.revision <= max(was):
        return Nothing("stale")
    base = held_from_original(entry_base(told, None))
    appointment = fresh(told.message.appointment, about.own, about.reminder_minutes)
    revisions = _revisions(base, told.revision)
    folded = [one for one in known.orphans if is_from_organizer(one, about)]
    for orphan in (*gone, *folded):
        if orphan.recurrence_at is None:
            continue
        at = start_in(appointment, orphan.recurrence_at)
        if orphan.revision > max(told.revision, revisions.get(at, Revision())):
            is_kept = orphan in folded or orphan.appointment.is_cancelled
            appointment = (
                with_occurrence(appointment, at, orphan.appointment)
                if is_kept
                else without_occurrence(appointment, at)
            )
            revisions[at] = orphan.revision
    new = Held(appointment, b"", told.revision, revisions, _bringer(told, about))
    part = tuple(one.item_id for one in folded if one.item_id is not None)
    return Effect(write_held(new, base.original), part, asks=True)


def _revisions(base: Held, least: Revision) -> dict[int, Revision]:
    """Of the occurrences that a message to the whole tells of; it speaks for them, too."""
    return {key: max(revision, least) for key, revision in base.revisions.items()}


def _updated(held: Held, told: Told, about: About) -> Effect:
    before, after, own = held.appointment, told.message.appointment, about.own
    is_reset = moved(before, after) or (before.is_cancelled and not after.is_cancelled)
    master = replace(kept(before, after, own, is_reset=is_reset), overrides=())
    base = held_from_original(entry_base(told, held))
    revisions = _revisions(base, told.revision)
    overrides: dict[int, Override] = {}
    for one in after.overrides:
        at = one.original_start_at
        overrides[at] = one
        if not one.is_deleted:
            was = taken_at(before, at)
            taken = occurrence(after, one)
            anew = is_reset or was is None or moved(was, taken)
            taken = kept(was or before, taken, own, is_reset=anew)
            overrides[at] = override_from_occurrence(master, at, taken)
    for one in before.overrides:
        at = one.original_start_at
        known = held.revisions.get(at, Revision())
        if known > max(told.revision, revisions.get(at, Revision())):
            overrides[at] = carried(before, one, master)
            revisions[at] = known
        elif at not in overrides and not is_reset:
            mine = _mine_of_one(held, one, master, own)
            if mine is not None:
                overrides[at] = mine
                revisions[at] = max(known, told.revision)
    recurs = after.recurrence is not None or after.has_unmapped_rule
    ordered = tuple(overrides[at] for at in sorted(overrides)) if recurs else ()
    new = Held(
        replace(master, overrides=ordered),
        b"",
        told.revision,
        revisions,
        held.brought_by,
        None,
        held.item_id,
    )
    return Effect(write_held(new, base.original), asks=is_reset)


def carried(before: Appointment, override: Override, master: Appointment) -> Override:
    """An override as it is, told by what it differs from the new series in."""
    if override.is_deleted:
        return override
    taken = occurrence(before, override)
    return override_from_occurrence(master, override.original_start_at, taken)


def _mine_of_one(
    held: Held, override: Override, master: Appointment, own: frozenset[str]
) -> Override | None:
    """What the owner alone did to one occurrence: declined it, or answered for it by itself."""
    at = override.original_start_at
    if override.is_deleted:
        return override if at in held.revisions else None
    mine = own_of_one(held.appointment, override, own)
    if mine is None:
        return None
    taken = kept(mine, regular_occurrence(master, at), own, is_reset=False)
    return override_from_occurrence(master, at, taken)


# --- invitations to one occurrence


def _requested_one(known: Known, told: Told, about: About, at: int) -> Effect | Nothing:
    held = known.series
    if held is not None:
        return _updated_one(held, told, about, at)
    orphan = next((one for one in known.orphans if one.recurrence_at == at), None)
    after, own = told.message.appointment, about.own
    if orphan is not None:
        if not is_from_organizer(orphan, about):
            return Nothing("forged")
        if told.revision <= orphan.revision:
            return Nothing("stale")
        before = orphan.appointment
        is_reset = moved(before, after) or before.is_cancelled
        wanted = kept(before, after, own, is_reset=is_reset)
        new = replace(orphan, appointment=wanted, revision=told.revision)
        return Effect(write_held(new, entry_base(told, orphan)), asks=is_reset)
    gone = [one for one in known.gone if tells_of(one, at) and has_same_organizer(one, told)]
    if any(told.revision <= one.revision_of(at) for one in gone):
        return Nothing("stale")
    wanted = fresh(after, own, about.reminder_minutes)
    new = Held(wanted, b"", told.revision, {}, _bringer(told, about), at)
    return Effect(write_held(new, entry_base(told, None)), asks=True)


def tells_of(gone: Held, at: int) -> bool:
    """Whether a deleted entry says anything of this occurrence."""
    return gone.recurrence_at is None or gone.recurrence_at == at


def _updated_one(held: Held, told: Told, about: About, at: int) -> Effect | Nothing:
    series = held.appointment
    at = start_in(series, at)
    if not is_from_organizer(held, about):
        return Nothing("forged")
    if not (series.recurrence or series.has_unmapped_rule):
        return Nothing("no-series")
    if len(series.overrides) >= _OVERRIDES_MAX:
        return Nothing("too-many")
    if told.revision <= held.revision_of(at):
        return Nothing("stale")
    was = taken_at(series, at)
    after = told.message.appointment
    is_reset = was is None or moved(was, after) or was.is_cancelled
    taken = kept(was or series, after, about.own, is_reset=is_reset)
    wanted = with_occurrence(series, at, taken)
    revisions = {**held.revisions, at: told.revision}
    new = replace(held, appointment=wanted, revisions=revisions)
    return Effect(write_held(new), asks=is_reset)


# --- who says it, and of what


def is_from_organizer(held: Held, about: About) -> bool:
    """Whether a message comes from who may change an entry; its owner's own, nobody's else."""
    organizer = held.appointment.organizer
    if organizer is None or organizer.address.lower() in about.own:
        return False
    return bool({organizer.address.lower(), held.brought_by.lower()} & about.senders)


def has_same_organizer(held: Held, told: Told) -> bool:
    """What somebody else said of this uid, before or by guess, makes nothing stale."""
    theirs, his = held.appointment.organizer, told.message.organizer
    return bool(theirs and his and theirs.address.lower() == his.address.lower())


def _bringer(told: Told, about: About) -> str:
    """Who invites on behalf of the organizer; attendees who pass an invitation on do not."""
    message = told.message
    organizer = message.organizer.address.lower() if message.organizer else ""
    attending = {one.address.lower() for one in message.attendees}
    others = about.senders - attending - about.own
    return "" if organizer in about.senders else min(others, default="")
