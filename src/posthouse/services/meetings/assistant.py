"""The meeting assistant: mail about meetings enters the calendars of people by itself.

Spec: RFC 5546 §3.2 (methods), RFC 6047 §2; [MS-OXOCAL] v23 §3.1.4.

Notes:
    - The message itself gets Exchange's class, whatever becomes of the calendar, so that clients
      show it as what it is. PUBLISH is a file for people to open, and is left alone.
    - Delegates get a copy of what concerns a meeting that is not private; in their own calendars
      it is not entered.
    - An ADD cannot be told in the patterns of the house; the organizer is asked for the whole.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.formats.mime.trace import header_line
from posthouse.model.appointment import Attendee, Sensitivity
from posthouse.model.batch import ChangeProperties, ItemUnchanged, MoveItems
from posthouse.model.folder import FolderRole
from posthouse.model.people import PrincipalKind
from posthouse.model.queue import NewQueued, Notify, QueuedRecipient
from posthouse.services.mailflow.envelope import SilentJournal
from posthouse.services.meetings.answers import answered
from posthouse.services.meetings.calendar_part import item_class
from posthouse.services.meetings.calendars import Work
from posthouse.services.meetings.cancelling import cancelled
from posthouse.services.meetings.incoming import About, Nothing, requested
from posthouse.services.meetings.meeting_mail import Person
from posthouse.services.meetings.outgoing import announcements, refresh
from posthouse.services.meetings.posting import Note, note_of
from posthouse.services.meetings.reading import PASSED_ON
from posthouse.services.meetings.settings import booking_settings, calendar_settings
from posthouse.services.meetings.sheet import Sheet

if TYPE_CHECKING:
    from posthouse.services.assistants.arrival import Arrival, Outcome
    from posthouse.services.mailflow.envelope import Journal
    from posthouse.services.meetings.calendars import Calendars
    from posthouse.services.meetings.document import Held, Told
    from posthouse.services.meetings.incoming import Effect, Known
    from posthouse.services.meetings.posting import Post
    from posthouse.services.meetings.reading import Reader, Reading
    from posthouse.services.meetings.settings import CalendarSettings
    from posthouse.store.store import Store

_PRIVATE = (Sensitivity.PRIVATE, Sensitivity.CONFIDENTIAL)
_CONCERNS_DELEGATES = frozenset(
    {"REQUEST", "CANCEL", "REPLY", "COUNTER", "DECLINECOUNTER", "ADD", "REFRESH"}
)


class MeetingAssistant:
    """Keeps the calendars of people and shared mailboxes, and of rooms that decide nothing."""

    name = "meetings"

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
        is_room = arrival.principal.kind is PrincipalKind.ROOM
        if is_room and booking_settings(arrival.mailbox.settings).auto:
            return None
        reading = self._reader.read(arrival)
        if reading is None or reading.told[0].message.method == "PUBLISH":
            return None
        work = Work()
        mark_class(work, arrival, reading.told[0])
        settings = calendar_settings(arrival.mailbox.settings)
        if not reading.is_passed_on:
            await self._pass_on(work, arrival, reading, settings)
            if settings.auto_process:
                await self._process(work, arrival, reading, settings)
        return work.outcome()

    # --- the calendar

    async def _process(
        self, work: Work, arrival: Arrival, reading: Reading, settings: CalendarSettings
    ) -> None:
        mailbox_id = arrival.mailbox.mailbox_id
        message = reading.told[0].message
        sheet = Sheet(await self._calendars.desk(mailbox_id, message.uid))
        about = About(reading.own, reading.senders, settings.reminder_minutes)
        for told in reading.told:
            await asyncio.sleep(0)  # each may cost a while
            effects = self._effects(work, sheet.known, told, about)
            if isinstance(effects, Nothing):
                self._journal.info(
                    "meetings.left-alone",
                    mailbox_id=mailbox_id,
                    item_id=arrival.item.item_id,
                    method=message.method,
                    reason=effects.reason,
                )
                continue
            for effect in effects:
                sheet.take(effect)
        sheet.put(self._calendars, work)

    def _effects(
        self, work: Work, known: Known, told: Told, about: About
    ) -> list[Effect] | Nothing:
        match told.message.method:
            case "REQUEST":
                effect = requested(known, told, about)
            case "CANCEL":
                return cancelled(known, told, about)
            case "REPLY" | "COUNTER":
                effect = answered(known, told, about)
            case "ADD":
                effect = self._ask_for_all(work, known.series, told, about)
            case "REFRESH":
                effect = self._tell_all(work, known.series, told, about)
            case _:
                effect = Nothing("method")
        return effect if isinstance(effect, Nothing) else [effect]

    def _ask_for_all(self, work: Work, held: Held | None, told: Told, about: About) -> Nothing:
        """An ADD: ask the organizer for the newest version of the whole."""
        organizer = held.appointment.organizer if held is not None else None
        if held is None or organizer is None or organizer.address.lower() not in about.senders:
            return Nothing("unknown")
        if told.revision <= held.revision or organizer.address.lower() in about.own:
            return Nothing("stale")
        found = (one for one in held.appointment.attendees if one.address.lower() in about.own)
        me = next(found, None)
        if me is None:
            return Nothing("not-asked")
        data = refresh(held.appointment, me, held.original, self._store.clock.now_ms())
        to = (Attendee(organizer.address, organizer.name),)
        note = Note("REFRESH", data, held.appointment, to, "Update wanted: ")
        work.post(self._post.queued(note, Person(me.address, me.name)))
        return Nothing("asked-for-all")

    def _tell_all(self, work: Work, held: Held | None, told: Told, about: About) -> Nothing:
        """A REFRESH: send the newest version to the attendee who asks."""
        meeting = held.appointment if held is not None else None
        organizer = meeting.organizer if meeting is not None else None
        if held is None or meeting is None or organizer is None:
            return Nothing("unknown")
        asking = {one.address.lower() for one in told.message.attendees} & about.senders
        if organizer.address.lower() not in about.own or not asking:
            return Nothing("forged")
        now_ms = self._store.clock.now_ms()
        for one in announcements(None, meeting, held.original, now_ms):
            to = tuple(person for person in one.to if person.address.lower() in asking)
            if to:
                author = Person(organizer.address, organizer.name)
                work.post(self._post.queued(note_of(replace(one, to=to)), author))
        return Nothing("told-all")

    # --- delegates

    async def _pass_on(
        self, work: Work, arrival: Arrival, reading: Reading, settings: CalendarSettings
    ) -> None:
        message, item = reading.told[0].message, arrival.item
        delegates = [one for one in settings.delegates if one.lower() not in reading.own]
        is_private = message.appointment.sensitivity in _PRIVATE
        if not delegates or is_private or message.method not in _CONCERNS_DELEGATES:
            return
        if item.blob is None:
            return
        # The Return-Path is the first line; delivery writes another.
        trace = item.prefix.partition(b"\n")[2]
        prefix = header_line(PASSED_ON.decode().title(), arrival.principal.address) + trace
        now_ms = self._store.clock.now_ms()
        work.queued.append(
            NewQueued(
                sender=arrival.principal.address,
                recipients=tuple(
                    QueuedRecipient(one, Notify.NEVER, next_at=now_ms) for one in delegates
                ),
                blob=item.blob,
                queued_at=now_ms,
                prefix=prefix,
                needs_smtputf8=not all(one.isascii() for one in delegates),
                is_8bit=not arrival.plain().isascii(),
            )
        )
        if settings.delegates_only:
            mailbox_id = arrival.mailbox.mailbox_id
            deleted = await self._store.role_folder(mailbox_id, FolderRole.DELETED)
            away = MoveItems(arrival.folder_id, (item.item_id,), deleted.folder_id)
            work.operations.append(away)


def mark_class(work: Work, arrival: Arrival, told: Told) -> None:
    """Give the message the class of what it tells."""
    item = arrival.item
    wanted = item_class(told)
    if wanted and wanted != item.columns.item_class:
        columns = replace(item.columns, item_class=wanted)
        work.operations.append(ChangeProperties(item.item_id, columns=columns))
        work.preconditions.append(ItemUnchanged(item.item_id, item.changed_cn))
