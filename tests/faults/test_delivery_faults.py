"""One delivery into engine and blob area: each disk operation fails once, nothing is half done."""

from __future__ import annotations

import asyncio
import errno
import time
from typing import TYPE_CHECKING

import pytest
from tests.faults.disks import Refusing

from posthouse.backends.files.area import FileBlobs
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.backends.files.upkeep import FileBlobUpkeep
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.blob import BlobForm
from posthouse.model.errors import InsufficientSpace, NotFound, Unavailable
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.ids import BlobHash, ChangeNumber
from posthouse.model.item import ItemKind, NewItem
from posthouse.store.store import Store
from posthouse.store.transaction import BatchBuilder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults


class Clock:
    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return time.monotonic()


class House:
    def __init__(self, data: Path, disk: Refusing) -> None:
        self.clock = Clock()
        self.hints = MemoryHints(asyncio.get_running_loop())
        self.journal = FileBlobJournal(data / "blobs", disk)
        path = data / "mail.db"
        self.records = SqliteRecords(path, self.journal, self.hints.publish, self.clock)
        self.blobs = FileBlobs(data / "blobs", self.records, self.clock, disk)
        self.upkeep = FileBlobUpkeep(data / "blobs", self.blobs, self.records)
        self.store = Store(self.records, self.blobs, self.hints, self.clock)

    async def mailbox(self):
        box = await self.records.create_mailbox(MailboxKind.USER, bytes(16), 7)
        return box.mailbox_id

    async def deliver(self, box, number: int, size: int = 3_000) -> None:
        inbox = await self.store.role_folder(box, FolderRole.INBOX)
        staging = self.blobs.stage(BlobForm.WIRE)
        staging.write(message(number, size))
        staged = staging.finish(len(message(number, size)) - 3, has_dot_lines=False)
        build = BatchBuilder(box)
        build.add(inbox.folder_id, NewItem(ItemKind.MESSAGE, staged.ref, number))
        try:
            await self.store.apply(build.commit(staged))
        finally:
            staging.discard()

    async def contents(self, box) -> list[bytes]:
        inbox = await self.store.role_folder(box, FolderRole.INBOX)
        listing = await self.store.listing(box, inbox.folder_id)
        found = []
        for index in range(len(listing)):
            chunk, position = listing.locate(index)
            (item,) = await self.records.items(box, [chunk.item_ids[position]])
            found.append(bytes(self.blobs.read(item.blob)))
        return found

    def close(self) -> None:
        self.records.close()
        self.journal.close()
        self.store.close()


def message(number: int, size: int) -> bytes:
    return b"Subject: %d\r\n\r\n" % number + b"x" * size + b"\r\n.\r\n"


@pytest.mark.parametrize(
    ("size", "code"), [(3_000, errno.EIO), (1_200_000, errno.ENOSPC), (1_200_000, errno.EIO)]
)
def test_a_delivery_is_whole_or_not_at_all_whichever_operation_fails(tmp_path, size, code):
    async def run() -> int:
        disk = Refusing(code)
        house = House(tmp_path, disk)
        box = await house.mailbox()
        delivered: list[bytes] = []
        refusals: list[Unavailable] = []
        for n in range(1, 30):
            disk.names.clear()
            disk.countdown = n
            try:
                await house.deliver(box, n, size)
                delivered.append(message(n, size))
            except Unavailable as e:
                refusals.append(e)
            was_reached = disk.countdown <= 0
            disk.countdown = -1
            assert await house.contents(box) == delivered
            assert list(await house.records.check()) == []
            await house.deliver(box, n + 100, 10)  # and it goes on at once
            delivered.append(message(n + 100, 10))
            if not was_reached:
                break
        assert await house.contents(box) == delivered
        for refusal in refusals:
            assert isinstance(refusal, InsufficientSpace) == (code == errno.ENOSPC)
        house.close()
        return len(refusals)

    assert asyncio.run(run()) >= (2 if size < 1_000_000 else 4)


def test_deleted_content_leaves_the_disk_after_its_grace(tmp_path):
    async def run() -> None:
        house = House(tmp_path, Refusing())
        box = await house.mailbox()
        for n in range(30):
            await house.deliver(box, n, 1_200_000 if n == 3 else 20_000)
        inbox = await house.store.role_folder(box, FolderRole.INBOX)
        places = await house.records.places(box, inbox.folder_id, 0, 100)
        build = BatchBuilder(box)
        gone = [p.item_id for p in places[:25]]
        build.expunge(inbox.folder_id, gone, house.clock.ms, is_final=True)
        await house.store.apply(build.commit())
        house.journal.close()
        now = house.clock.ms + 10_000
        sweep = await house.upkeep.collect_garbage(now, 5_000)
        assert sweep.blobs == 25
        assert sweep.freed_bytes >= 1_200_000
        assert sweep.moved_bytes > 100_000
        expected = [message(n, 20_000) for n in range(25, 30)]
        assert await house.contents(box) == expected
        await house.upkeep.collect_garbage(now + 6_000, 5_000)
        assert not (tmp_path / "blobs" / "packs" / "00000001.pack").exists()
        assert await house.contents(box) == expected
        names = await house.upkeep.hashes(BlobHash(b""), 100)
        assert len(names) == 5
        assert all([await house.upkeep.verify(name) for name in names])
        house.close()

    asyncio.run(run())


def test_a_wait_hears_of_a_delivery(tmp_path):
    async def run() -> None:
        house = House(tmp_path, Refusing())
        box = await house.mailbox()
        now = (await house.records.mailbox(box)).highest_cn
        waiting = asyncio.ensure_future(house.store.wait(box, now, 20))
        await asyncio.sleep(0)
        await house.deliver(box, 1)
        assert await waiting
        assert await house.store.wait(box, ChangeNumber(now), 0.001)
        with pytest.raises(NotFound):
            await house.store.listing(box, 99_999)
        house.close()

    asyncio.run(run())


def test_the_same_large_content_twice_is_kept_once(tmp_path):
    async def run() -> None:
        house = House(tmp_path, Refusing())
        box = await house.mailbox()
        for _ in range(3):
            await house.deliver(box, 1, 1_500_000)
        assert await house.contents(box) == [message(1, 1_500_000)] * 3
        assert len(list((tmp_path / "blobs" / "large").glob("??/*"))) == 1
        assert list((tmp_path / "blobs" / "tmp").iterdir()) == []
        house.close()

    asyncio.run(run())
