"""Invitations that are passed on.

Spec: [MS-ASCMD] §2.2.3.79 (Forwardees), §3.1.5.7; RFC 5546 §3.2.2.6 (forwarding a REQUEST).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.formats.ical.itip import request
from posthouse.model.appointment import Appointment, Organizer
from posthouse.model.errors import NotFound, ParserFailed, RemoteProtocolError, TooLarge
from posthouse.model.item import ItemKind
from posthouse.protocols.eas.wire.times import ms_from_text
from posthouse.services.groupware.occurrences import taking_place
from posthouse.services.meetings.calendar_part import scheduling_messages
from posthouse.services.meetings.document import held_from_original, without_marks
from posthouse.services.meetings.keeping import override_at, start_in, taken_at
from posthouse.services.meetings.meeting_mail import MeetingMail, Person, mail_bytes
from posthouse.services.meetings.outgoing import occurrence_document, without_own
from posthouse.services.meetings.wording import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.protocols.eas.named_items import NamedItem
    from posthouse.protocols.eas.session import Call


def forwarded_invitation(
    call: Call,
    source: NamedItem,
    forwardees: Sequence[tuple[str, str]],
    comment: str,
    instance_id: str,
) -> bytes:
    """The mail that passes a meeting on; its organizer stays who it was.

    Args:
        call: whose person passes it on.
        source: the appointment, or the message that invites to it.
        forwardees: names and addresses; at least one.
        comment: before the words about the meeting.
        instance_id: of one occurrence, as sent ("" the whole).

    Raises:
        RemoteProtocolError: the item is no meeting.
        NotFound: it cannot be read, or there is no such occurrence.
    """
    me = Person(call.principal.address, call.principal.name)
    meeting, data = _asked(call, source, instance_id)
    to = tuple(Person(address, name) for name, address in forwardees)
    return _mail(call, data, (me, *to), f"FW: {meeting.subject}", words_of(meeting, comment))


def invitation_of(call: Call, source: NamedItem, instance_id: str) -> bytes:
    """The mail by which an appointment of the calendar would be asked for, to be quoted.

    Raises:
        NotFound: as above.
    """
    me = Person(call.principal.address, call.principal.name)
    meeting, data = _asked(call, source, instance_id)
    organizer = meeting.organizer
    author = Person(organizer.address, organizer.name) if organizer is not None else me
    return _mail(call, data, (author, me), meeting.subject, words_of(meeting))


def _mail(
    call: Call, calendar: bytes, people: tuple[Person, ...], subject: str, text: str
) -> bytes:
    """``people``: author first."""
    token = call.services.chance.token_bytes(12).hex()
    mail = MeetingMail(
        method="REQUEST",
        author=people[0],
        to=people[1:],
        subject=subject,
        text=text,
        calendar=calendar,
        message_id=f"{token}@{call.principal.address.rpartition('@')[2]}",
        made_at=call.services.clock.now_ms(),
    )
    return mail_bytes(mail)


def _asked(call: Call, source: NamedItem, instance_id: str) -> tuple[Appointment, bytes]:
    """What is passed on, and the document that asks for it."""
    now_ms = call.services.clock.now_ms()
    try:
        meeting, data = _meeting(call, source)
        if instance_id:
            at = start_in(meeting, ms_from_text(instance_id))
            if meeting.recurrence is None and not meeting.has_unmapped_rule:
                raise NotFound("there is one occurrence only")
            if not _takes_place(meeting, at):
                raise NotFound(f"no occurrence at {instance_id}")
            meeting, data = occurrence_document(meeting, data, at)
        if meeting.organizer is None:
            me = Organizer(call.principal.address, call.principal.name)
            meeting = replace(meeting, organizer=me)
        return meeting, without_marks(request(without_own(meeting), now_ms, data))
    except (ParserFailed, TooLarge, ValueError) as error:
        raise NotFound(f"item {source.server_id} cannot be read: {error}") from error


def _meeting(call: Call, source: NamedItem) -> tuple[Appointment, bytes]:
    item = source.item
    if item.blob is None:
        raise NotFound(f"item {source.server_id} has no content")
    plain = call.services.store.blobs.read_plain(item.blob)
    if item.kind is ItemKind.APPOINTMENT:
        held = held_from_original(plain)
        return held.appointment, held.original
    told = scheduling_messages(plain) if item.kind is ItemKind.MESSAGE else []
    if not told or told[0].message.method != "REQUEST":
        raise RemoteProtocolError("no meeting that could be passed on", "content")
    return told[0].message.appointment, told[0].data


def _takes_place(series: Appointment, at: int) -> bool:
    """Whether there is an occurrence that begins, or would have begun, at this time."""
    if override_at(series, at) is not None or series.has_unmapped_rule:
        return taken_at(series, at) is not None
    return any(one.start_at == at for one in taking_place(series, at, at + 1))
