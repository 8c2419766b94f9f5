"""Faults under the receiving door: the 250 is a promise, a 4xx leaves nothing, a repeat makes no second copy."""

from __future__ import annotations

import asyncio
import errno
import time
from typing import TYPE_CHECKING

import pytest
from tests.faults.disks import Refusing
from tests.transcripts.memory_connection import MemoryConnection

from posthouse.backends.files.area import FileBlobs
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.ids import Uid
from posthouse.model.people import PrincipalKind
from posthouse.protocols.smtp.server import smtp_session_factory
from posthouse.protocols.smtp.session import SmtpServices
from posthouse.protocols.smtp.settings import SmtpSettings
from posthouse.runtime.clock import SystemChance
from posthouse.runtime.metrics import Metrics
from posthouse.services.directory.addresses import Addresses
from posthouse.services.mailflow.accept import Mailflow
from posthouse.services.mailflow.envelope import Policy, SilentJournal
from posthouse.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults
ENVELOPE = b"EHLO x\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"


class Clock:
    def now_ms(self) -> int:
        return 1_800_000_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class Log(SilentJournal):
    def failure(self, event, error, **fields):
        raise AssertionError(event) from error


class House:
    """One worker's store, mailflow and door over a disk that may refuse."""

    def __init__(self, data: Path, disk: Refusing) -> None:
        clock, chance = Clock(), SystemChance()
        self.hints = MemoryHints(asyncio.get_running_loop())
        self.journal = FileBlobJournal(data / "blobs", disk)
        self.tmp = data / "blobs" / "tmp"
        self.records = SqliteRecords(data / "mail.db", self.journal, self.hints.publish, clock)
        self.blobs = FileBlobs(data / "blobs", self.records, clock, disk)
        self.store = Store(self.records, self.blobs, self.hints, clock)
        self.directory = MemoryDirectory(chance)
        self.directory.add_domain("example.org")
        self.mailflow = Mailflow(
            self.store,
            Addresses(self.directory),
            Policy("mail.example.org", space_floor_bytes=0),
            clock,
            chance,
        )
        settings = SmtpSettings("mail.example.org", domain="example.org")
        self.factory = smtp_session_factory(
            SmtpServices(self.mailflow, None, self.blobs, settings, Log(), Metrics(), clock, chance)
        )

    async def add_bob(self):
        box = await self.records.create_mailbox(MailboxKind.USER, bytes(16), 7)
        self.directory.add_principal(PrincipalKind.USER, "bob@example.org", "Bob", box.mailbox_id)
        return box.mailbox_id

    async def send(self, content: bytes, *, loses_reply: bool = False) -> int:
        """Hand in a message on a connection of its own; the last code."""
        session = self.factory()
        connection = MemoryConnection(session)
        session.connected(connection)
        await connection.feed(ENVELOPE)
        await connection.settle()
        assert b"354" in connection.sent
        for at in range(0, len(content), 100_000):
            await connection.feed(content[at : at + 100_000])
        if loses_reply:
            connection.lose(was_clean=False)
        await connection.settle()
        code = int(bytes(connection.sent).split(b"\r\n")[-2][:3])
        if not loses_reply:
            await connection.feed(b"QUIT\r\n")
            await connection.settle()
        return code

    async def contents(self, box) -> list[bytes]:
        inbox = await self.store.role_folder(box, FolderRole.INBOX)
        places = await self.records.places(box, inbox.folder_id, Uid(0), 2000)
        items = await self.records.items(box, [place.item_id for place in places])
        return [bytes(self.blobs.read(item.blob)) for item in items]

    def close(self) -> None:
        self.records.close()
        self.journal.close()
        self.store.close()


def message(number: int, size: int) -> bytes:
    head = b"Message-ID: <%d@client.example>\r\nSubject: x\r\n\r\n" % number
    return head + b"x" * size + b"\r\n.\r\n"


@pytest.mark.parametrize(
    ("size", "code"), [(3_000, errno.EIO), (1_200_000, errno.ENOSPC), (1_200_000, errno.EIO)]
)
def test_whichever_operation_fails_the_reply_is_4xx_and_the_repeat_arrives_once(
    tmp_path, size, code
):
    async def run() -> int:
        disk = Refusing(code)
        house = House(tmp_path, disk)
        box = await house.add_bob()
        arrived: list[bytes] = []
        refusals = 0
        for n in range(1, 30):
            content = message(n, size)
            disk.names.clear()
            disk.countdown = n
            answer = await house.send(content)
            was_reached = disk.countdown <= 0
            disk.countdown = -1
            if answer != 250:
                refusals += 1
                assert answer == (452 if code == errno.ENOSPC else 451)
                assert await house.contents(box) == arrived
                assert await house.send(content) == 250
            arrived.append(content)
            assert await house.contents(box) == arrived
            if not was_reached:
                break
        assert list(house.tmp.iterdir()) == []
        house.close()
        return refusals

    assert asyncio.run(run()) >= (1 if size < 1_000_000 else 3)


@pytest.mark.parametrize("size", [3_000, 1_200_000])
def test_a_reply_that_got_lost_makes_no_second_copy(tmp_path, size):
    async def run() -> None:
        house = House(tmp_path, Refusing())
        box = await house.add_bob()
        content = message(1, size)
        await house.send(content, loses_reply=True)
        assert await house.contents(box) == [content]
        assert await house.send(content) == 250
        assert await house.contents(box) == [content]
        # That one was heard: the same again is a new message.
        assert await house.send(content) == 250
        assert await house.contents(box) == [content, content]
        assert list(house.tmp.iterdir()) == []
        house.close()

    asyncio.run(run())


def test_a_connection_lost_within_the_message_leaves_nothing(tmp_path):
    async def run() -> None:
        house = House(tmp_path, Refusing())
        box = await house.add_bob()
        session = house.factory()
        connection = MemoryConnection(session)
        session.connected(connection)
        await connection.feed(ENVELOPE)
        for _ in range(30):
            await connection.feed(b"x" * 100_000)
        assert list(house.tmp.iterdir()) != []
        connection.lose(was_clean=True)
        await connection.settle()
        assert await house.contents(box) == []
        assert list(house.tmp.iterdir()) == []
        house.close()

    asyncio.run(run())
