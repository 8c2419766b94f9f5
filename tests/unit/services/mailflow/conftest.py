"""A house with people, a clock that we own, an outbox that never leaves it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field

import pytest

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.memory.records import MemoryRecords
from posthouse.backends.memory.resolver import TableResolver
from posthouse.formats.mime.dots import stuff
from posthouse.model.address import Address
from posthouse.model.blob import BlobForm
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.ids import DeviceId
from posthouse.model.people import Login, PrincipalKind
from posthouse.model.queue import Notify
from posthouse.ports.courier import Attempt, Fate, Unreachable, Verdict
from posthouse.services.directory.addresses import Addresses
from posthouse.services.mailflow.accept import Mailflow, Origin, Policy, Received, Recipient
from posthouse.services.mailflow.board import SettledBoard
from posthouse.services.mailflow.queue import QueueRules, QueueRunner
from posthouse.services.mailflow.route import Router
from posthouse.store.store import Store


class CountingChance:
    def __init__(self):
        self.count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


@dataclass
class OwnClock:
    now: int = 1_780_000_000_000

    def now_ms(self):
        return self.now

    def monotonic_s(self):
        return self.now / 1000


@dataclass
class Journal:
    lines: list = field(default_factory=list)

    def info(self, event, **fields):
        self.lines.append((event, fields))

    warning = error = info

    def events(self, name):
        return [fields for event, fields in self.lines if event == name]


async def until(condition):
    """Let the loop run until ``condition`` (perhaps a coroutine function) holds; at most 10 s."""
    async with asyncio.timeout(10):
        while True:
            holds = condition()
            if await holds if asyncio.iscoroutine(holds) else holds:
                return
            await asyncio.sleep(0.0005)


def taken(text="250 2.0.0 ok"):
    return Verdict(Fate.TAKEN, "2.0.0", text)


def deferred(text="451 4.7.1 greylisted", status="4.7.1"):
    return Verdict(Fate.DEFERRED, status, text)


def refused(text="550 5.1.1 no such user", status="5.1.1"):
    return Verdict(Fate.REFUSED, status, text)


class FakeVisit:
    def __init__(self, courier, stop):
        self.courier = courier
        self.stop = stop
        self.is_open = True
        self.has_left = False

    async def deliver(self, parcel):
        self.courier.parcels.append((self.stop, parcel))
        await self.courier.gate(self.stop)
        said = self.courier.says.get(self.stop.host, taken())
        verdicts = tuple(
            self.courier.says.get(recipient.address, said) for recipient in parcel.recipients
        )
        if any(isinstance(v, str) for v in verdicts):
            self.is_open = False
            lost = Verdict(Fate.DEFERRED, "4.4.2", "connection lost", is_remote=False)
            return Attempt((lost,) * len(verdicts))
        return Attempt(verdicts, passes_reports=self.stop.host in self.courier.dsn_hosts)

    async def leave(self):
        self.has_left = True


class FakeCourier:
    """``says``: by recipient address or by host: a Verdict, "lost", or for a host an Unreachable."""

    recipients_max = 100

    def __init__(self):
        self.says = {}
        self.parcels = []
        self.visits = []
        self.dsn_hosts = set()
        self.wait_for = {}
        self.out = 0
        self.out_max = 0

    async def gate(self, stop):
        self.out += 1
        self.out_max = max(self.out_max, self.out)
        event = self.wait_for.get(stop.host)
        if event is not None:
            await event.wait()
        self.out -= 1

    async def visit(self, stop):
        said = self.says.get(stop.host)
        if isinstance(said, Unreachable):
            self.visits.append((stop, False))
            return said
        self.visits.append((stop, True))
        return FakeVisit(self, stop)


MESSAGE = (
    b"From: Someone <someone@example.net>\r\n"
    b"To: Alice <alice@example.org>\r\n"
    b"Subject: Hello\r\n"
    b"Message-ID: <m1@example.net>\r\n"
    b"Date: Sat, 03 Jan 2026 10:00:00 +0000\r\n"
    b"\r\n"
    b"Text.\r\n"
    b".A dot.\r\n"
)


class House:
    def __init__(self, engine=MemoryRecords):
        self.engine = engine
        self.clock = OwnClock()
        self.chance = CountingChance()
        self.journal = Journal()
        self.directory = MemoryDirectory(self.chance)
        self.directory.add_domain("example.org")
        self.addresses = Addresses(self.directory)
        self.policy = Policy("mail.example.org")
        self.people = {}
        self.courier = FakeCourier()
        self.resolver = TableResolver({})
        self.counts = {}
        self.board = SettledBoard()

    async def open(self):
        self.blobs = MemoryBlobs()
        self.hints = MemoryHints()
        self.records = self.engine(self.blobs, self.hints.publish, self.clock)
        self.store = Store(self.records, self.blobs, self.hints, self.clock)
        self.mailflow = self.another_worker()
        for name in ("alice", "bob", "carol"):
            await self.add_person(name)
        return self

    def another_worker(self):
        return Mailflow(
            self.store,
            self.addresses,
            self.policy,
            self.clock,
            self.chance,
            journal=self.journal,
            tally=self.tally,
            board=self.board,
        )

    def tally(self, name, n=1):
        self.counts[name] = self.counts.get(name, 0) + n

    async def add_person(self, name, quota_bytes=0):
        mailbox = await self.records.create_mailbox(
            MailboxKind.USER, self.chance.token_bytes(16), 7, quota_bytes=quota_bytes
        )
        self.people[name] = self.directory.add_principal(
            PrincipalKind.USER, f"{name}@example.org", name.title(), mailbox.mailbox_id
        )

    def login(self, name):
        return Login(self.people[name], DeviceId(0))

    def origin(self, login=None, protocol="ESMTP"):
        return Origin(
            "192.0.2.7",
            4242,
            "client.example.net",
            protocol,
            self.login(login) if login else None,
            "s1",
        )

    def received(
        self,
        *to,
        sender="someone@example.net",
        content=MESSAGE,
        login=None,
        notify=Notify.UNSAID,
        **fields,
    ):
        wire, has_dot_lines, lacks_final_eol = stuff(content)
        staged = self.blobs.stage_bytes(
            wire, BlobForm.WIRE, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol
        )
        return Received(
            Address.parse(sender) if sender else None,
            tuple(
                Recipient(Address.parse(text), text, notify) for text in to or ["alice@example.org"]
            ),
            staged,
            self.origin(login),
            **fields,
        )

    async def accept(self, *to, **fields):
        return await self.mailflow.accept(self.received(*to, **fields))

    async def items(self, name, role=FolderRole.INBOX, folder_id=None):
        mailbox_id = self.people[name].mailbox_id
        if folder_id is None:
            folder_id = (await self.store.role_folder(mailbox_id, role)).folder_id
        places = await self.records.places(mailbox_id, folder_id, 0, 2000)
        return await self.records.items(mailbox_id, [place.item_id for place in places])

    async def places(self, name, role=FolderRole.INBOX):
        mailbox_id = self.people[name].mailbox_id
        folder = await self.store.role_folder(mailbox_id, role)
        return await self.records.places(mailbox_id, folder.folder_id, 0, 2000)

    def whole(self, item):
        return item.prefix + self.blobs.read_plain(item.blob)

    async def queue(self):
        return await self.records.queued(0, 1000)

    def runner(self, rules=None, smarthost=None, courier=None):
        router = Router(
            self.resolver, self.chance, own_names=["mail.example.org"], smarthost=smarthost
        )
        return QueueRunner(
            self.store,
            self.addresses,
            router,
            courier or self.courier,
            self.policy,
            self.chance,
            rules=rules or QueueRules(),
            journal=self.journal,
            tally=self.tally,
        )

    def close(self):
        self.records.close()


@pytest.fixture
def house():
    house = House()
    yield house
    house.close()
