"""The room assistant: rooms accept what they have time for, decline the rest, and say so.

Spec: RFC 5546 §3.2.2 (REQUEST), §3.2.3 (REPLY), §3.2.5 (CANCEL).

Notes:
    - Requests are decided one after the other in the order they came; what was read is checked
      when it is stored. So of two rivals the first gets the room.
    - A series is taken whole or not at all. An update that keeps the time keeps the booking, and
      needs no answer; one to a time that is taken loses it.
    - What was declined lies in Deleted Items with the answer, so that a repetition of the request
      is known to be one and is not answered again.
    - People from elsewhere get no answer unless the room is open to them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from posthouse.formats.ical.appointment import appointment_from_ical
from posthouse.formats.ical.itip import reply
from posthouse.model.appointment import Appointment, Attendee, BusyStatus, Response
from posthouse.model.batch import MoveItems
from posthouse.model.errors import NotFound, ParserFailed, TooLarge
from posthouse.model.ids import Uid
from posthouse.model.item import ItemKind
from posthouse.model.people import PrincipalKind
from posthouse.services.groupware.occurrences import last_end, taking_place
from posthouse.services.mailflow.envelope import SilentJournal
from posthouse.services.meetings.answers import own_answer, own_attendee
from posthouse.services.meetings.assistant import mark_class
from posthouse.services.meetings.booking import refused_for_itself, refused_for_others
from posthouse.services.meetings.calendars import Work
from posthouse.services.meetings.cancelling import cancelled
from posthouse.services.meetings.document import without_marks, write_held
from posthouse.services.meetings.incoming import About, Nothing, requested
from posthouse.services.meetings.keeping import start_in, taken_at, without_occurrence
from posthouse.services.meetings.meeting_mail import Person
from posthouse.services.meetings.outgoing import occurrence_document
from posthouse.services.meetings.posting import Note, mark_of
from posthouse.services.meetings.settings import BookingSettings, booking_settings
from posthouse.services.meetings.sheet import Sheet

if TYPE_CHECKING:
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.item import Item
    from posthouse.services.assistants.arrival import Arrival, Outcome
    from posthouse.services.mailflow.envelope import Journal
    from posthouse.services.meetings.calendars import Calendars, Desk
    from posthouse.services.meetings.document import Held, Told
    from posthouse.services.meetings.incoming import Effect
    from posthouse.services.meetings.posting import Post
    from posthouse.services.meetings.reading import Reader, Reading
    from posthouse.store.store import Store

_PAGE = 2_000
_FREE, _BUSY = BusyStatus.FREE, BusyStatus.BUSY


class _Case(Struct):
    """One mail to a room, being dealt with."""

    arrival: Arrival
    reading: Reading
    settings: BookingSettings
    desk: Desk
    sheet: Sheet
    work: Work
    is_dealt_with: bool = False


class RoomAssistant:
    """Answers for rooms."""

    name = "rooms"

    def __init__(
        self,
        store: Store,
        reader: Reader,
        calendars: Calendars,
        post: Post,
        journal: Journal | None = None,
    ) -> None:
        self._store = store
        self._reader = reader
        self._calendars = calendars
        self._post = post
        self._journal = journal or SilentJournal()

    async def attend(self, arrival: Arrival) -> Outcome | None:
        """See Assistant."""
        settings = booking_settings(arrival.mailbox.settings)
        if arrival.principal.kind is not PrincipalKind.ROOM or not settings.auto:
            return None
        reading = self._reader.read(arrival)
        if reading is None:
            return None
        message = reading.told[0].message
        desk = await self._calendars.desk(arrival.mailbox.mailbox_id, message.uid)
        case = _Case(arrival, reading, settings, desk, Sheet(desk), Work())
        mark_class(case.work, arrival, reading.told[0])
        for told in reading.told:
            await asyncio.sleep(0)  # each may cost a while
            if message.method == "REQUEST":
                await self._request(case, told)
            elif message.method == "CANCEL":
                self._cancel(case, told)
        case.sheet.put(self._calendars, case.work)
        if case.is_dealt_with and arrival.folder_id != desk.deleted_id:
            away = MoveItems(arrival.folder_id, (arrival.item.item_id,), desk.deleted_id)
            case.work.operations.append(away)
        return case.work.outcome()

    def _cancel(self, case: _Case, told: Told) -> None:
        about = About(case.reading.own, case.reading.senders, None)
        effects = cancelled(case.sheet.known, told, about)
        if isinstance(effects, Nothing):
            self._left_alone(case, effects)
            return
        case.is_dealt_with = True
        for effect in effects:
            is_whole = told.message.recurrence_at is None or effect.held.recurrence_at is not None
            case.sheet.take(replace(effect, is_put_away=is_whole))

    async def _request(self, case: _Case, told: Told) -> None:
        reading = case.reading
        if not case.settings.external and not any(map(self._reader.owner, reading.senders)):
            self._left_alone(case, Nothing("from-elsewhere"))
            return
        effect = requested(case.sheet.known, told, About(reading.own, reading.senders, None))
        if isinstance(effect, Nothing):
            self._left_alone(case, effect)
            return
        case.is_dealt_with = True
        if effect.asks:
            effect = await self._decided(case, effect, told)
        case.sheet.take(effect)

    def _left_alone(self, case: _Case, nothing: Nothing) -> None:
        case.is_dealt_with = case.is_dealt_with or nothing.reason == "stale"
        self._journal.info(
            "rooms.left-alone",
            mailbox_id=case.arrival.mailbox.mailbox_id,
            item_id=case.arrival.item.item_id,
            reason=nothing.reason,
        )

    # --- deciding

    async def _decided(self, case: _Case, effect: Effect, told: Told) -> Effect:
        """The booking as it shall lie in the calendar; the answer is sent with it."""
        held, own = effect.held, case.reading.own
        at = told.message.recurrence_at if held.recurrence_at is None else None
        if at is not None:
            at = start_in(held.appointment, at)
        asked = held.appointment if at is None else taken_at(held.appointment, at)
        if asked is None:
            return effect
        reason = await self._refusal(case, asked)
        principal = case.arrival.principal
        me = own_attendee(asked, own, principal.address, principal.name)
        response = Response.DECLINED if reason else Response.ACCEPTED
        now_ms = self._store.clock.now_ms() // 1000 * 1000
        me = replace(me, response=response, responded_at=now_ms)
        self._answer(case, held, me, at, reason)
        self._journal.info(
            "rooms.declined" if reason else "rooms.booked",
            mailbox_id=case.arrival.mailbox.mailbox_id,
            item_id=case.arrival.item.item_id,
            reason=reason,
        )
        if reason and at is not None:
            left = replace(held, appointment=without_occurrence(held.appointment, at))
            return replace(effect, held=write_held(left))
        wanted = own_answer(held, me, own, at, _FREE if reason else _BUSY)
        entry = write_held(replace(held, appointment=wanted))
        return replace(effect, held=entry, is_put_away=bool(reason))

    async def _refusal(self, case: _Case, asked: Appointment) -> str:
        now_ms = self._store.clock.now_ms()
        reason = refused_for_itself(asked, case.settings, now_ms)
        if reason or case.settings.allow_conflicts:
            return reason
        mailbox_id = case.arrival.mailbox.mailbox_id
        window = (max(now_ms, 0), last_end(asked))
        others = await self._others(mailbox_id, case.desk.calendar_id, asked.uid, window)
        return refused_for_others(asked, others, now_ms)

    async def _others(
        self, mailbox_id: MailboxId, folder_id: FolderId, uid: str, window: tuple[int, int]
    ) -> list[Appointment]:
        """All other meetings in a window as they take place, in order of start."""
        from_at, to_at = window
        records = self._store.records
        found: list[Appointment] = []
        after = Uid(0)
        while places := await records.places(mailbox_id, folder_id, after, _PAGE):
            after = places[-1].uid
            for item in await records.items(mailbox_id, [one.item_id for one in places]):
                columns = item.columns
                if columns.start_at < to_at and columns.end_at > from_at:
                    found += self._taking_place(item, uid, window)
        return sorted(found, key=lambda one: one.start_at)

    def _taking_place(self, item: Item, uid: str, window: tuple[int, int]) -> list[Appointment]:
        if item.kind is not ItemKind.APPOINTMENT or item.blob is None:
            return []
        try:
            other = appointment_from_ical(self._store.blobs.read_plain(item.blob))
            return [] if other.uid == uid else taking_place(other, *window)
        except (NotFound, ParserFailed, TooLarge, ValueError) as error:
            self._journal.warning("rooms.unreadable", item_id=item.item_id, reason=repr(error))
            return []

    # --- answering

    def _answer(self, case: _Case, held: Held, me: Attendee, at: int | None, reason: str) -> None:
        meeting, original = held.appointment, held.original
        if at is not None:
            meeting, original = occurrence_document(meeting, original, at)
        organizer = meeting.organizer
        if organizer is None:
            return
        name = case.arrival.principal.name
        comment = reason or f"{name} is booked for you."
        now_ms = self._store.clock.now_ms()
        note = Note(
            "REPLY",
            without_marks(reply(meeting, me, now_ms, original, comment)),
            replace(meeting, body=""),
            (Attendee(organizer.address, organizer.name),),
            mark_of(me.response),
            comment,
            case.arrival.item.columns.message_id,
        )
        case.work.post(self._post.queued(note, Person(me.address, name)))
