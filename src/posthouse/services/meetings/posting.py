"""Sending of meeting mails: staged for a submission, or queued by an assistant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.appointment import AttendeeRole, Response
from posthouse.model.queue import NewQueued, QueuedRecipient
from posthouse.services.meetings.meeting_mail import MeetingMail, Person, render_mail
from posthouse.services.meetings.outgoing import addresses_of
from posthouse.services.meetings.wording import words_of
from posthouse.store.messages import stage_stuffed

if TYPE_CHECKING:
    from posthouse.model.appointment import Appointment, Attendee
    from posthouse.model.blob import StagedBlob
    from posthouse.ports.clock import Chance, Clock
    from posthouse.services.meetings.outgoing import Announcement
    from posthouse.store.store import Store

_MARKS = {
    Response.ACCEPTED: "Accepted: ",
    Response.TENTATIVE: "Tentative: ",
    Response.DECLINED: "Declined: ",
}


class Note(Struct, frozen=True):
    """A calendar message and the words around it.

    Attributes:
        method: of the calendar.
        calendar: the iTIP message.
        meeting: what it speaks of.
        to: who gets it.
        mark: before the subject.
        comment: what the sender says of it.
        answers: Message-ID of the mail that is answered ("" none).
    """

    method: str
    calendar: bytes
    meeting: Appointment
    to: tuple[Attendee, ...]
    mark: str = ""
    comment: str = ""
    answers: str = ""


def note_of(announcement: Announcement, comment: str = "") -> Note:
    """An organizer's announcement."""
    mark = "Canceled: " if announcement.method == "CANCEL" else ""
    method, data, meeting = announcement.method, announcement.data, announcement.meeting
    return Note(method, data, meeting, announcement.to, mark, comment)


def mark_of(response: Response) -> str:
    """What stands before the subject of an answer."""
    return _MARKS.get(response, "")


class Post:
    """Makes mails. One per process."""

    __slots__ = ("_chance", "_clock", "_hostname", "_store")

    def __init__(self, store: Store, clock: Clock, chance: Chance, hostname: str) -> None:
        """``hostname`` makes Message-IDs unique in the world."""
        self._store = store
        self._clock = clock
        self._chance = chance
        self._hostname = hostname

    def staged(
        self, note: Note, author: Person, *, is_automatic: bool = False
    ) -> tuple[StagedBlob, tuple[str, ...]]:
        """The mail, and the addresses it goes to: those of its people that are addresses of mail.

        Returns:
            No addresses: there is nobody to write to, and the mail is of no use.
        """
        first = tuple(one for one in note.to if one.role is not AttendeeRole.OPTIONAL) or note.to
        copies = tuple(one for one in note.to if one not in first)
        mail = MeetingMail(
            method=note.method,
            author=author,
            to=_people(first),
            copies=_people(copies),
            subject=note.mark + note.meeting.subject,
            text=words_of(note.meeting, note.comment),
            calendar=note.calendar,
            message_id=f"{self._chance.token_bytes(12).hex()}@{self._hostname}",
            made_at=self._clock.now_ms(),
            answers=note.answers,
            is_automatic=is_automatic,
        )
        return stage_stuffed(self._store.blobs, render_mail(mail)), addresses_of(note.to)

    def queued(self, note: Note, author: Person) -> tuple[NewQueued, StagedBlob] | None:
        """The mail of an assistant for the queue; None: nobody to write to."""
        staged, addresses = self.staged(note, author, is_automatic=True)
        if not addresses:
            return None
        now_ms = self._clock.now_ms()
        queued = NewQueued(
            sender=author.address,
            recipients=tuple(QueuedRecipient(one, next_at=now_ms) for one in addresses),
            blob=staged.ref,
            queued_at=now_ms,
            needs_smtputf8=not all(one.isascii() for one in (author.address, *addresses)),
        )
        return queued, staged


def _people(some: tuple[Attendee, ...]) -> tuple[Person, ...]:
    return tuple(Person(one.address, one.name) for one in some if one.address in addresses_of(some))
