"""A house where meetings are called: people, a room, assistants that work when they are told to."""

from __future__ import annotations

import asyncio
import functools

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.services.mailflow.conftest import House

from posthouse.formats.ical.appointment import appointment_from_ical
from posthouse.formats.mime.dots import unstuff
from posthouse.model.appointment import Appointment, Attendee, Organizer, Response
from posthouse.model.batch import Batch, ChangeMailbox, Commit
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.people import PrincipalKind
from posthouse.services.assistants.follower import Follower
from posthouse.services.groupware.entries import Entries
from posthouse.services.meetings.assistant import MeetingAssistant
from posthouse.services.meetings.calendars import Calendars
from posthouse.services.meetings.meeting_mail import MeetingMail, Person, render_mail
from posthouse.services.meetings.meetings import Actor, Meetings
from posthouse.services.meetings.posting import Post
from posthouse.services.meetings.reading import Reader
from posthouse.services.meetings.revision import next_revision
from posthouse.services.meetings.rooms import RoomAssistant
from posthouse.services.sharing.access import Access

DAY = 86_400_000
HOUR = 3_600_000
HOST = "mail.example.org"
NOW = 1_780_000_000_000
"""The house's clock at the beginning: 28 May 2026, 20:26:40 UTC."""
START = NOW // DAY * DAY + 5 * DAY + 9 * HOUR


def person(name, **more):
    return Attendee(f"{name}@example.org", name.title(), **more)


def meeting(*names, organizer="alice", **more):
    """Alice's meeting with some."""
    attendees = more.pop(
        "attendees", tuple(person(n, response=Response.NONE) for n in names or ["bob"])
    )
    values = {
        "uid": "m-1@example.org",
        "subject": "Plan",
        "start_at": START,
        "end_at": START + HOUR,
        "organizer": Organizer(f"{organizer}@example.org", organizer.title()),
        "attendees": attendees,
        "response_requested": True,
        "changed_at": NOW,
    }
    return Appointment(**{**values, **more})


@functools.lru_cache
def mail_of(method, calendar, author="alice@example.org", to="bob@example.org", number=1):
    """A meeting mail as its bytes."""
    mail = MeetingMail(
        method=method,
        author=Person(author),
        to=(Person(to),),
        subject="Plan",
        text="See the calendar.\n",
        calendar=calendar,
        message_id=f"mail-{number}@example.net",
        made_at=NOW,
    )
    stuffed = render_mail(mail)
    return unstuff(stuffed.wire, lacks_final_eol=stuffed.lacks_final_eol)


class Office(House):
    """Its people, a room called "aula", and what keeps their calendars."""

    async def begin(self):
        await self.open()
        mailbox = await self.records.create_mailbox(
            MailboxKind.ROOM, self.chance.token_bytes(16), 7
        )
        self.people["aula"] = self.directory.add_principal(
            PrincipalKind.ROOM, "aula@example.org", "Aula", mailbox.mailbox_id
        )
        self.numbers = 0
        self.entries = Entries(self.store, self.clock, self.chance, HOST)
        self.access = Access(self.store, self.directory)
        self.follower = self.another()
        await self.follower.run_once()
        self.meetings = Meetings(
            self.store,
            self.entries,
            self.mailflow,
            self.directory,
            self.addresses,
            access=self.access,
            chance=self.chance,
            hostname=HOST,
        )
        return self

    def another(self):
        """The follower of a new process."""
        reader = Reader(self.directory, self.addresses)
        calendars = Calendars(self.store, self.clock)
        post = Post(self.store, self.clock, self.chance, HOST)
        parts = (self.store, reader, calendars, post, self.journal)
        helpers = (RoomAssistant(*parts), MeetingAssistant(*parts))
        return Follower(self.store, self.directory, helpers, journal=self.journal)

    def actor(self, name, login=None):
        owner = self.people[name]
        return Actor(self.login(login or name), owner.mailbox_id, owner.address, owner.name)

    async def configure(self, name, **sections):
        operation = ChangeMailbox(settings=msgspec.json.encode(sections).decode())
        await self.records.apply(Commit((Batch(self.people[name].mailbox_id, (operation,)),)))

    async def bring(
        self, method, calendar, to="bob@example.org", author="alice@example.org", sender=None
    ):
        """A meeting mail from outside comes, and is looked at."""
        self.numbers += 1
        content = mail_of(method, calendar, author, to, self.numbers)
        await self.accept(to, sender=author if sender is None else sender, content=content)
        return await self.work()

    async def work(self):
        """Assistants and queue until nothing is left to do; how many arrivals there were."""
        count = 0
        while True:
            took = await self.runner().run_once()
            looked = await self.follower.run_once()
            count += looked
            if not took and not looked:
                return count

    async def calendar(self, name, role=FolderRole.CALENDAR):
        """What the entries of a calendar say."""
        items = await self.items(name, role)
        return [appointment_from_ical(self.blobs.read_plain(i.blob)) for i in items if i.kind == 2]

    async def entry(self, name):
        """The one item in a calendar."""
        (item,) = await self.items(name, FolderRole.CALENDAR)
        return item

    async def call(self, appointment, name="alice"):
        """A door files an organizer's meeting, and says so."""
        calendar = await self.store.role_folder(self.people[name].mailbox_id, FolderRole.CALENDAR)
        appointment = next_revision(None, appointment)
        entry = await self.entries.add(
            self.people[name].mailbox_id, calendar.folder_id, appointment
        )
        await self.meetings.announce(self.actor(name), None, entry.value, entry.original)
        await self.work()
        return entry

    async def change(self, entry, name="alice", **fields):
        """A door changes it."""
        self.clock.now += 5_000
        before = entry.value
        changed = await self.entries.change(
            self.people[name].mailbox_id,
            entry.item.item_id,
            lambda one: next_revision(one, replace(one, **fields)),
        )
        await self.meetings.announce(self.actor(name), before, changed.value, changed.original)
        await self.work()
        return changed


@pytest.fixture
def play():
    """Runs a scene in an office."""

    def run(scene):
        async def whole():
            office = await Office().begin()
            try:
                await scene(office)
            finally:
                office.close()

        asyncio.run(whole())

    return run
