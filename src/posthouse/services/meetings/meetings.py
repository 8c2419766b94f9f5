"""Meetings for the doors: answering invitations, telling others of a change, asking for time.

Spec: RFC 5546 §3.2 (methods); [MS-ASCMD] §2.2.1.11 (MeetingResponse); [MS-OXOCAL] v23 §3.1.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import StoreError
from posthouse.services.meetings.availability import FreeBusy
from posthouse.services.meetings.calendars import Calendars
from posthouse.services.meetings.outgoing import announcements
from posthouse.services.meetings.posting import Post, note_of
from posthouse.services.meetings.reading import Reader
from posthouse.services.meetings.responding import Answer, Responder
from posthouse.services.meetings.sending import Actor, Sending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.appointment import Appointment, Response
    from posthouse.model.ids import ItemId
    from posthouse.model.people import Principal
    from posthouse.ports.clock import Chance
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.groupware.entries import Entries
    from posthouse.services.mailflow.accept import Mailflow
    from posthouse.services.meetings.availability import Availability
    from posthouse.services.sharing.access import Access
    from posthouse.store.store import Store

__all__ = ["Actor", "Meetings"]


class Meetings:
    """One per process."""

    __slots__ = ("_directory", "_free_busy", "_reader", "_responder", "_sending", "_store")

    def __init__(  # noqa: PLR0913  what a service stands on comes in as arguments
        self,
        store: Store,
        entries: Entries,
        mailflow: Mailflow,
        directory: DirectoryRecords,
        addresses: Addresses,
        *,
        access: Access,
        chance: Chance,
        hostname: str,
    ) -> None:
        """``hostname`` makes Message-IDs unique in the world."""
        self._store = store
        self._directory = directory
        self._reader = Reader(directory, addresses)
        post = Post(store, store.clock, chance, hostname)
        self._sending = Sending(mailflow, post, addresses, hostname)
        calendars = Calendars(store, store.clock)
        self._responder = Responder(store, directory, self._reader, calendars, self._sending)
        self._free_busy = FreeBusy(store, entries, access, addresses)

    async def respond(  # noqa: PLR0913  an answer has many parts
        self,
        actor: Actor,
        item_id: ItemId,
        answer: Response,
        *,
        recurrence_at: int | None = None,
        comment: str = "",
        proposed: tuple[int, int] | None = None,
        sends: bool = True,
    ) -> ItemId | None:
        """Answer an invitation.

        What is accepted stays in the calendar with the answer in it; what is declined goes to
        Deleted Items, an occurrence out of its series. The message that asked goes to Deleted
        Items.

        Args:
            actor: who answers, and for whom.
            item_id: the message that asks, or the entry in the calendar.
            answer: ACCEPTED, TENTATIVE or DECLINED.
            recurrence_at: to one occurrence alone, by its original start; None: as the message
                asks, or to the whole.
            comment: in words.
            proposed: another time, begin and end in ms UTC; only for what does not recur.
            sends: the organizer hears of it.

        Returns:
            The entry in the calendar; None when it is gone.

        Raises:
            NotFound: no such item or occurrence; with ``sends`` also: no such organizer.
            Conflict: it is no invitation, the owner's own meeting, or one that is off; or its
                entry keeps changing.
            AccessDenied: the login may not write for the owner of the calendar.
            QuotaExceeded, TooLarge, Unavailable: as for any mail and any change.
            ValueError: ``answer`` is none.
        """
        said = Answer(answer, recurrence_at, comment, proposed, sends)
        return await self._responder.respond(actor, item_id, said)

    async def announce(
        self,
        actor: Actor,
        before: Appointment | None,
        after: Appointment | None,
        original: bytes,
        *,
        comment: str = "",
        key: bytes = b"",
    ) -> None:
        """Tell attendees what a door has done to an organizer's meeting; of other entries nothing.

        Args:
            actor: the organizer, or who acts for them.
            before: as it was; None: it is new.
            after: as it is stored now, made by ``revision.next_revision``; None: it was removed.
            original: the document of ``after``, or of ``before`` when that was removed.
            comment: in words.
            key: a client's name for this change: said again, nothing is sent again; b"" none.

        Raises:
            NotFound: nobody whom one of the mails was for exists.
            AccessDenied: the login may not write for the organizer.
            QuotaExceeded, TooLarge, Unavailable: as for any mail. Whatever is raised, all mails
                were tried.
            ValueError: the meeting cannot be written.
        """
        meeting = after or before
        organizer = meeting.organizer if meeting is not None else None
        if organizer is None or not self._is_own(actor, organizer.address):
            return
        failure: StoreError | None = None
        now_ms = self._store.clock.now_ms()
        for number, one in enumerate(announcements(before, after, original, now_ms)):
            name = b"%b %d" % (key, number) if key else b""
            try:
                await self._sending.send(actor, note_of(one, comment), organizer.address, name)
            except StoreError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _is_own(self, actor: Actor, address: str) -> bool:
        owner = self._directory.by_mailbox(actor.mailbox_id)
        own = self._reader.own(owner, (address,)) if owner is not None else frozenset[str]()
        return address.lower() in own | {actor.address.lower()}

    async def free_busy_of(
        self, addresses: Iterable[str], window: tuple[int, int], asker: Principal
    ) -> list[Availability]:
        """When people, rooms and groups have no time: see ``FreeBusy.of``."""
        return await self._free_busy.of(addresses, window, asker)
