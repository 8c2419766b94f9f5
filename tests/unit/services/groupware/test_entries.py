"""Entries: made, read, changed, found; what no model knows survives; nobody's change is lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.memory.records import MemoryRecords
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.appointment import Appointment, Attendee, Organizer
from posthouse.model.contact import Contact, DistributionList, EmailAddress, Member
from posthouse.model.errors import Conflict, NotFound, ParserFailed
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.item import ItemKind
from posthouse.model.task import Task, TaskStatus
from posthouse.services.groupware.entries import Entries
from posthouse.services.groupware.views import VIEWS
from posthouse.store.store import Store

START = 1_800_000_000_000
HOUR = 3_600_000
FROM_OUTSIDE = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Other//EN\r\nX-WR-CALNAME:Work\r\nBEGIN:VEVENT\r\nUID:e1@other\r\n"
    b"DTSTAMP:20260103T100000Z\r\nDTSTART:20260105T090000Z\r\nDTEND:20260105T100000Z\r\nSUMMARY:Plan\r\n"
    b"X-ODD;X-P=1:kept as it is\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Clock:
    def now_ms(self):
        return START

    def monotonic_s(self):
        return 0.0


class Chance:
    count = 0

    def token_bytes(self, count):
        self.count += 1
        return self.count.to_bytes(count, "big")


class Desk:
    """A mailbox and its entries."""

    def __init__(self, engine, tmp_path):
        self.engine, self.tmp_path = engine, tmp_path

    async def open(self):
        blobs, hints, clock, self.chance = MemoryBlobs(), MemoryHints(), Clock(), Chance()
        if self.engine == "memory":
            self.records = MemoryRecords(blobs, hints.publish, clock)
        else:
            self.records = SqliteRecords(self.tmp_path / "mail.db", blobs, hints.publish, clock)
        self.store = Store(self.records, blobs, hints, clock)
        self.entries = Entries(self.store, clock, self.chance, "mail.example.org")
        self.box = (await self.records.create_mailbox(MailboxKind.USER, b"g" * 16, 1)).mailbox_id
        return self

    async def folder(self, role):
        return (await self.store.role_folder(self.box, role)).folder_id

    async def add(self, value, role=FolderRole.CALENDAR, **more):
        return await self.entries.add(self.box, await self.folder(role), value, **more)


@pytest.fixture(params=["memory", "sqlite"])
def play(request, tmp_path):
    def run(scene):
        async def whole():
            desk = await Desk(request.param, tmp_path).open()
            try:
                await scene(desk)
            finally:
                desk.records.close()

        asyncio.run(whole())

    return run


def meeting(**more):
    return Appointment(uid="", start_at=START, end_at=START + HOUR, **more)


def test_an_appointment_is_filed_listed_and_found(play):
    async def scene(desk):
        made = await desk.add(
            meeting(
                subject="Plan",
                organizer=Organizer("alice@example.org", "Alice"),
                attendees=(Attendee("bob@example.org", "Bob"), Attendee("c@example.org")),
            )
        )
        columns = made.item.columns
        assert made.item.kind is ItemKind.APPOINTMENT
        assert made.value.uid.endswith("@mail.example.org")
        assert columns.ical_uid == made.value.uid
        assert (columns.subject, columns.sender) == ("Plan", "Alice")
        assert columns.recipients == "Bob, c@example.org"
        assert (columns.start_at, columns.end_at) == (START, START + HOUR)
        assert columns.item_class == "IPM.Appointment"
        assert made.original.startswith(b"BEGIN:VCALENDAR\r\n")
        (found,) = await desk.entries.by_uid(desk.box, made.value.uid)
        assert found == made

    play(scene)


def test_contacts_and_lists_are_told_apart(play):
    async def scene(desk):
        folder = await desk.folder(FolderRole.CONTACTS)
        person = await desk.entries.add(
            desk.box, folder, Contact(first="Ada", last="L", email1=EmailAddress("ada@example.org"))
        )
        group = await desk.entries.add(
            desk.box, folder, DistributionList(name="All", members=(Member(address="a@b.c"),))
        )
        assert person.item.columns.item_class == "IPM.Contact"
        assert person.item.columns.sender == "ada@example.org"
        assert group.item.columns.item_class == "IPM.DistList"
        assert isinstance((await desk.entries.read(desk.box, person.item.item_id)).value, Contact)
        assert isinstance(
            (await desk.entries.read(desk.box, group.item.item_id)).value, DistributionList
        )
        for entry in (person, group):
            again = await desk.entries.add_original(
                desk.box, folder, ItemKind.CONTACT, entry.original
            )
            assert type(again.value) is type(entry.value)

    play(scene)


def test_a_task_is_done(play):
    async def scene(desk):
        task = Task(uid="", subject="Write", due_at=START - START % 86_400_000)
        made = await desk.add(task, FolderRole.TASKS)
        assert (made.item.kind, made.item.columns.item_class) == (ItemKind.TASK, "IPM.Task")
        assert made.item.columns.end_at == made.value.due_at
        done = await desk.entries.change(
            desk.box,
            made.item.item_id,
            lambda v: replace(v, status=TaskStatus.COMPLETED, percent=100, completed_at=START),
        )
        assert done.value.status is TaskStatus.COMPLETED
        assert done.value.subject == "Write"

    play(scene)


def test_a_change_keeps_what_no_model_knows_and_the_item(play):
    async def scene(desk):
        folder = await desk.folder(FolderRole.CALENDAR)
        entry = await desk.entries.add_original(
            desk.box, folder, ItemKind.APPOINTMENT, FROM_OUTSIDE, name="e1.ics"
        )
        assert entry.original == FROM_OUTSIDE
        changed = await desk.entries.change(
            desk.box, entry.item.item_id, lambda v: replace(v, subject="Plan B")
        )
        assert changed.item.item_id == entry.item.item_id
        assert changed.item.changed_cn > entry.item.changed_cn
        assert changed.item.columns.name == "e1.ics"
        assert changed.item.columns.subject == "Plan B"
        assert b"X-ODD;X-P=1:kept as it is\r\n" in changed.original
        assert b"X-WR-CALNAME:Work\r\n" in changed.original
        assert b"SUMMARY:Plan B\r\n" in changed.original

    play(scene)


def test_no_change_writes_nothing(play):
    async def scene(desk):
        entry = await desk.add(meeting(subject="Same"))
        again = await desk.entries.change(desk.box, entry.item.item_id, lambda v: v)
        assert again == entry

    play(scene)


def test_two_who_change_at_once_lose_nothing(play):
    async def scene(desk):
        entry = await desk.add(meeting())

        def adds(name):
            return lambda v: replace(v, categories=(*v.categories, name))

        names = [f"c{n}" for n in range(5)]
        await asyncio.gather(
            *(desk.entries.change(desk.box, entry.item.item_id, adds(name)) for name in names)
        )
        value = (await desk.entries.read(desk.box, entry.item.item_id)).value
        assert sorted(value.categories) == names

    play(scene)


def test_who_has_seen_an_old_state_is_told(play):
    async def scene(desk):
        entry = await desk.add(meeting())
        seen = entry.item.changed_cn
        change = desk.entries.change
        await change(desk.box, entry.item.item_id, lambda v: replace(v, subject="a"), known_cn=seen)
        with pytest.raises(Conflict):
            await change(
                desk.box, entry.item.item_id, lambda v: replace(v, subject="b"), known_cn=seen
            )
        with pytest.raises(Conflict):
            await desk.entries.replace_original(
                desk.box, entry.item.item_id, FROM_OUTSIDE, known_cn=seen
            )
        taken = await desk.entries.replace_original(desk.box, entry.item.item_id, FROM_OUTSIDE)
        assert taken.original == FROM_OUTSIDE
        assert taken.item.columns.ical_uid == "e1@other"

    play(scene)


def test_an_add_said_twice_is_done_once(play):
    async def scene(desk):
        first = await desk.add(meeting(subject="Once"), key=b"device 1 add 7")
        again = await desk.add(meeting(subject="Once"), key=b"device 1 add 7")
        assert again == first

    play(scene)


def test_what_cannot_be_read_is_refused_and_nothing_is_filed(play):
    async def scene(desk):
        folder = await desk.folder(FolderRole.CALENDAR)
        for kind, original in (
            (ItemKind.APPOINTMENT, b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
            (ItemKind.APPOINTMENT, b"\xff\x00"),
            (ItemKind.CONTACT, b"nothing"),
            (ItemKind.MESSAGE, b"Subject: x\r\n\r\n"),
        ):
            with pytest.raises(ParserFailed):
                await desk.entries.add_original(desk.box, folder, kind, original)
        with pytest.raises(NotFound):
            await desk.entries.read(desk.box, 999)
        assert not (await desk.store.listing(desk.box, folder)).count

    play(scene)


@settings(max_examples=30, deadline=None)
@given(subject=st.text(max_size=40), unknown=st.text("abc;:=", min_size=1, max_size=30))
def test_unknown_lines_survive_any_subject(subject, unknown):
    line = f"X-UNKNOWN:{unknown}\r\n".encode()
    original = FROM_OUTSIDE.replace(b"X-ODD;X-P=1:kept as it is\r\n", line)
    view = VIEWS[Appointment]
    value = replace(view.read(original), subject=" ".join(subject.split()))
    assert line in view.write(value, original)
