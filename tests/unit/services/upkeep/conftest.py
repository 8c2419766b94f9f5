"""A store on the disk for work that goes on the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from posthouse.backends.files.area import FileBlobs
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.backends.files.upkeep import FileBlobUpkeep
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.folder import MailboxKind
from posthouse.store.store import Store


class StillClock:
    """Time that tests own."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class Site:
    """A data directory with a store and one mailbox."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clock = StillClock()
        self.loop = asyncio.new_event_loop()
        root = data / "store" / "blobs"
        root.mkdir(parents=True)
        hints = MemoryHints()
        journal = FileBlobJournal(root)
        self.records = SqliteRecords(data / "store" / "mail.db", journal, hints.publish, self.clock)
        blobs = FileBlobs(root, self.records, self.clock)
        self.blob_upkeep = FileBlobUpkeep(root, blobs, self.records)
        self.store = Store(self.records, blobs, hints, self.clock)
        mailbox = self.run(self.records.create_mailbox(MailboxKind.USER, b"g" * 16, 7))
        self.mailbox_id = mailbox.mailbox_id

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def folders(self):
        return {f.name: f for f in self.run(self.records.folders(self.mailbox_id))}

    def listing(self, name: str):
        """(served bytes, place, item) of everything in a folder."""
        folder = self.folders()[name]

        async def read():
            places = await self.records.places(self.mailbox_id, folder.folder_id, 0, 2000)
            ids = [p.item_id for p in places]
            items = await self.records.items(self.mailbox_id, ids)
            out = []
            for place, item in zip(places, items, strict=True):
                body = self.store.blobs.read_plain(item.blob) if item.blob else b""
                out.append((item.prefix + body, place, item))
            return out

        return self.run(read())

    def close(self) -> None:
        self.store.close()
        self.records.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture
def make_site(tmp_path):
    sites: list[Site] = []

    def make(name: str = "one") -> Site:
        sites.append(Site(tmp_path / name))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(make_site):
    return make_site()
