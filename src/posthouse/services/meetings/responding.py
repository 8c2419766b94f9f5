"""Answering an invitation through a door.

Spec: RFC 5546 §3.2.3 (REPLY), §3.2.7 (COUNTER); [MS-ASCMD] §2.2.1.11 (MeetingResponse);
[MS-OXOCAL] v23 §3.1.4.8.

Notes:
    The mail goes out before the calendar changes: when it may not be sent nothing has happened,
    and an answer that is sent twice says the same twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from posthouse.formats.ical.itip import counter_proposal, reply
from posthouse.model.appointment import Appointment, Attendee, Response
from posthouse.model.batch import Batch, Commit, MoveItems
from posthouse.model.errors import Conflict, NotFound, ParserFailed, TooLarge
from posthouse.model.item import Item, ItemKind
from posthouse.services.meetings.answers import SAID, own_answer, own_attendee
from posthouse.services.meetings.calendar_part import scheduling_messages
from posthouse.services.meetings.calendars import Desk, Work
from posthouse.services.meetings.document import (
    Told,
    held_from_original,
    without_marks,
    write_held,
)
from posthouse.services.meetings.incoming import About, Effect, Known, Nothing, requested
from posthouse.services.meetings.keeping import (
    original_start,
    start_in,
    taken_at,
    without_occurrence,
)
from posthouse.services.meetings.outgoing import occurrence_document, without_own
from posthouse.services.meetings.posting import Note, mark_of
from posthouse.services.meetings.settings import calendar_settings

if TYPE_CHECKING:
    from posthouse.model.ids import ItemId
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.services.meetings.calendars import Calendars
    from posthouse.services.meetings.reading import Reader
    from posthouse.services.meetings.sending import Actor, Sending
    from posthouse.store.store import Store

_TRIES = 8
_NEW_TIME = "New time proposed: "


class Answer(Struct, frozen=True):
    """What is said to an invitation.

    Attributes:
        response: ACCEPTED, TENTATIVE or DECLINED.
        recurrence_at: to one occurrence alone, by its original start; None: as the message asks,
            or to the whole.
        comment: in words.
        proposed: another time, begin and end in ms UTC; only for what does not recur.
        sends: the organizer hears of it.
    """

    response: Response
    recurrence_at: int | None = None
    comment: str = ""
    proposed: tuple[int, int] | None = None
    sends: bool = True


class _Invitation(Struct, frozen=True):
    """What the door named: a message or an entry.

    Attributes:
        uid: of the meeting.
        told: what the message tells.
        message: the message.
        entry_id: the entry.
    """

    uid: str
    told: Told | None = None
    message: Item | None = None
    entry_id: ItemId | None = None


class _Case(Struct, frozen=True):
    """An answer, ready to be given.

    Attributes:
        effect: the entry as it is, or as the message makes it.
        at: original start of the one occurrence; None: the whole.
        asked: what takes place.
        me: the owner, with the answer.
        own: addresses of the owner, lower case.
    """

    effect: Effect
    at: int | None
    asked: Appointment
    me: Attendee
    own: frozenset[str]


class Responder:
    """One per process."""

    __slots__ = ("_calendars", "_directory", "_reader", "_sending", "_store")

    def __init__(
        self,
        store: Store,
        directory: DirectoryRecords,
        reader: Reader,
        calendars: Calendars,
        sending: Sending,
    ) -> None:
        self._store = store
        self._directory = directory
        self._reader = reader
        self._calendars = calendars
        self._sending = sending

    async def respond(self, actor: Actor, item_id: ItemId, answer: Answer) -> ItemId | None:
        """Give an answer: see ``Meetings.respond``."""
        if answer.response not in SAID:
            raise ValueError(f"{answer.response!r} is no answer")
        invitation = await self._invitation(actor, item_id)
        is_told = not answer.sends
        for _ in range(_TRIES):
            desk = await self._calendars.desk(actor.mailbox_id, invitation.uid)
            case = await self._case(actor, desk, invitation, answer)
            if not is_told and not case.asked.is_cancelled:
                await self._tell(actor, case, answer, invitation)
            is_told = True
            work = await self._work(actor, desk, case, invitation)
            batch = Batch(actor.mailbox_id, tuple(work.operations), tuple(work.preconditions))
            try:
                (result,) = await self._store.apply(Commit((batch,), tuple(work.blobs)))
            except Conflict:
                continue
            if answer.response is Response.DECLINED and case.at is None:
                return None
            return case.effect.held.item_id or result.results[0].item_ids[0]
        raise Conflict(f"item {item_id} keeps changing")

    async def _invitation(self, actor: Actor, item_id: ItemId) -> _Invitation:
        found = await self._store.records.items(actor.mailbox_id, (item_id,))
        if not found or found[0].blob is None:
            raise NotFound(f"invitation {item_id} of mailbox {actor.mailbox_id}")
        item, blob = found[0], found[0].blob
        plain = self._store.blobs.read_plain(blob)
        try:
            if item.kind is ItemKind.APPOINTMENT:
                return _Invitation(held_from_original(plain).appointment.uid, entry_id=item_id)
            told = scheduling_messages(plain) if item.kind is ItemKind.MESSAGE else []
        except (ParserFailed, TooLarge) as error:
            raise Conflict(f"item {item_id} cannot be read: {error}") from error
        if not told or told[0].message.method != "REQUEST" or not told[0].message.uid:
            raise Conflict(f"item {item_id} is no invitation")
        return _Invitation(told[0].message.uid, told[0], item)

    async def _case(
        self, actor: Actor, desk: Desk, invitation: _Invitation, answer: Answer
    ) -> _Case:
        owner = self._directory.by_mailbox(actor.mailbox_id)
        own = frozenset({actor.address.lower()})
        if owner is not None:
            own |= self._reader.own(owner, _people(desk, invitation.told))
        effect = await self._effect(actor, desk, invitation, own)
        held = effect.held
        at = answer.recurrence_at
        if at is None and invitation.told is not None:
            at = invitation.told.message.recurrence_at
        if held.recurrence_at is not None:
            at = None
        if at is not None:
            at = start_in(held.appointment, at)
            at = at if answer.recurrence_at is None else original_start(held.appointment, at)
        asked = held.appointment if at is None else taken_at(held.appointment, at)
        if asked is None:
            raise NotFound(f"the occurrence at {at} does not take place")
        if asked.organizer is None or asked.organizer.address.lower() in own:
            raise Conflict("the meeting is the owner's own")
        if asked.is_cancelled and answer.response is not Response.DECLINED:
            raise Conflict("the meeting is off")
        now_ms = self._store.clock.now_ms() // 1000 * 1000
        me = own_attendee(asked, own, actor.address, actor.name)
        me = replace(me, response=answer.response, responded_at=now_ms)
        return _Case(effect, at, asked, me, own)

    async def _effect(
        self, actor: Actor, desk: Desk, invitation: _Invitation, own: frozenset[str]
    ) -> Effect:
        """The entry as it is; from a message that is not in the calendar yet as it will be."""
        known, told = desk.known, invitation.told
        there = [known.series, *known.orphans]
        if told is None:
            for held in (*there, *known.gone):
                if held is not None and held.item_id == invitation.entry_id:
                    return Effect(held)
            raise NotFound(f"entry {invitation.entry_id} of mailbox {actor.mailbox_id}")
        mailbox = await self._store.records.mailbox(actor.mailbox_id)
        organizer = told.message.organizer
        # The owner takes it for the organizer's: that is what answering it says.
        senders = frozenset({organizer.address.lower()} if organizer else ())
        about = About(own, senders, calendar_settings(mailbox.settings).reminder_minutes)
        effect = requested(known, told, about)
        if isinstance(effect, Effect):
            return effect
        at = told.message.recurrence_at
        for held in there:
            if held is not None and held.recurrence_at in (None, at):
                return Effect(held)
        effect = requested(Known(), told, about)
        if isinstance(effect, Nothing):
            raise Conflict(f"the invitation cannot be answered: {effect.reason}")
        return effect

    async def _tell(
        self, actor: Actor, case: _Case, answer: Answer, invitation: _Invitation
    ) -> None:
        """Send the answer to the organizer."""
        held = case.effect.held
        meeting, original = held.appointment, held.original
        if case.at is not None:
            meeting, original = occurrence_document(meeting, original, case.at)
        organizer = case.asked.organizer
        if organizer is None:
            return
        now_ms = self._store.clock.now_ms()
        method, mark = "REPLY", mark_of(answer.response)
        if answer.proposed is not None:
            if meeting.recurrence is not None or meeting.has_unmapped_rule:
                raise Conflict("another time can be proposed for one occurrence only")
            start_at, end_at = answer.proposed
            meeting = replace(meeting, start_at=start_at, end_at=max(start_at, end_at))
            meeting = without_own(meeting)
            data = counter_proposal(meeting, case.me, now_ms, original, answer.comment)
            method, mark = "COUNTER", _NEW_TIME
        else:
            data = reply(meeting, case.me, now_ms, original, answer.comment)
        note = Note(
            method,
            without_marks(data),
            replace(meeting, body=""),
            (Attendee(organizer.address, organizer.name),),
            mark,
            answer.comment,
            invitation.message.columns.message_id if invitation.message else "",
        )
        await self._sending.send(actor, note, case.me.address)

    async def _work(self, actor: Actor, desk: Desk, case: _Case, invitation: _Invitation) -> Work:
        """Everything that the answer changes in the mailbox."""
        held, at = case.effect.held, case.at
        declines = case.me.response is Response.DECLINED
        if declines and at is not None:
            revisions = {**held.revisions, at: held.revision_of(at)}
            wanted = without_occurrence(held.appointment, at)
        else:
            revisions = held.revisions
            wanted = own_answer(held, case.me, case.own, at)
        entry = write_held(replace(held, appointment=wanted, revisions=revisions))
        goes = declines and at is None
        work = Work()
        self._calendars.put(work, desk, replace(case.effect, held=entry, is_put_away=goes))
        lying = desk.lying.get(held.item_id) if held.item_id is not None else None
        if lying is not None and lying.folder_id == desk.deleted_id and not declines:
            back = MoveItems(desk.deleted_id, (lying.item.item_id,), desk.calendar_id)
            work.operations.append(back)
        if invitation.message is not None:
            item_id = invitation.message.item_id
            for place in await self._store.records.item_places(actor.mailbox_id, item_id):
                if place.folder_id != desk.deleted_id:
                    away = MoveItems(place.folder_id, (item_id,), desk.deleted_id)
                    work.operations.append(away)
        return work


def _people(desk: Desk, told: Told | None) -> list[str]:
    """Addresses that may be the owner's."""
    known = desk.known
    meetings = [one.appointment for one in (known.series, *known.orphans, *known.gone) if one]
    if told is not None:
        meetings.append(told.message.appointment)
    people = [one.address for meeting in meetings for one in meeting.attendees]
    return people + [one.organizer.address for one in meetings if one.organizer]
