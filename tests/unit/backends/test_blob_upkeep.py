"""Garbage collection of packs: nothing alive is lost, space comes back, readers stay right."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from posthouse.backends.files.area import FileBlobs
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.backends.files.layout import PACK_BYTES_MAX, Layout
from posthouse.backends.files.upkeep import STALE_FILE_MS, FileBlobUpkeep
from posthouse.model.blob import BlobForm, BlobLocation
from posthouse.ports.blob_rows import BlobRow

if TYPE_CHECKING:
    from pathlib import Path


class Rows:
    """The rows that a collection asks for."""

    def __init__(self) -> None:
        self.rows = {}

    def locate(self, blob_hash):
        row = self.rows.get(blob_hash)
        return row.ref.location if row else None

    async def blob_rows_in_pack(self, pack, after, limit):
        found = [r for r in self.rows.values() if r.ref.location.pack == pack]
        found.sort(key=lambda r: r.ref.location.offset)
        return [r for r in found if r.ref.location.offset > after][:limit]

    async def pack_usage(self):
        usage = {}
        for row in self.rows.values():
            if pack := row.ref.location.pack:
                usage[pack] = usage.get(pack, 0) + row.ref.stored_bytes
        return sorted(usage.items())

    async def dead_blobs(self, dead_before, limit):
        return [r for r in self.rows.values() if 0 < r.dead_since < dead_before][:limit]

    async def forget_blobs(self, rows):
        return [self.rows.pop(row.ref.blob_hash) for row in rows]

    async def move_blobs(self, moves):
        for row, location in moves:
            ref = structs.replace(row.ref, location=location)
            self.rows[ref.blob_hash] = dataclasses.replace(row, ref=ref)
        return moves


class Clock:
    def now_ms(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return 0.0


class House:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows = Rows()
        self.layout = Layout(root)
        self.blobs = FileBlobs(root, self.rows, Clock())
        self.upkeep = FileBlobUpkeep(root, self.blobs, self.rows)
        self.contents = {}

    def commit(self, journal, contents, dead_since=0):
        for data in contents:
            staging = self.blobs.stage(BlobForm.RAW)
            staging.write(data)
            staged = staging.finish(len(data), has_dot_lines=False)
            ref = structs.replace(staged.ref, location=journal.write(staged))
            self.rows.rows[ref.blob_hash] = BlobRow(ref, 0 if dead_since else 1, dead_since)
            if not dead_since:
                self.contents[ref] = data
        journal.sync()

    def collect(self, now, grace_ms=100):
        return asyncio.run(self.upkeep.collect_garbage(now, grace_ms))

    def check(self):
        for ref, data in self.contents.items():
            assert bytes(self.blobs.read(ref)) == data
            now = self.rows.rows[ref.blob_hash].ref
            assert bytes(self.blobs.read(now)) == data


def content(n: int, size: int = 20_000) -> bytes:
    return hashlib.shake_128(b"%d" % n).digest(size)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "blobs")


def test_a_half_empty_pack_is_compacted_and_goes_after_the_grace(house):
    journal = FileBlobJournal(house.root)
    house.commit(journal, map(content, range(3)))
    house.commit(journal, map(content, range(10, 20)), dead_since=1)
    journal.close()
    size = house.layout.pack(1).stat().st_size
    old_view = house.blobs.read(next(iter(house.contents)))
    sweep = house.collect(now=1_000)
    assert (sweep.blobs, sweep.moved_bytes) == (10, 60_000)
    assert {r.ref.location.pack for r in house.rows.rows.values()} == {2}
    assert house.layout.pack(1).exists(), "readers may still hold locations in it"
    house.check()
    assert house.collect(now=1_050).freed_bytes == 0
    assert house.collect(now=1_100).freed_bytes == size
    assert house.layout.pack_numbers() == [2]
    assert list(house.layout.packs.glob("*.empty")) == []
    house.check()
    assert bytes(old_view) == content(0)


def test_a_pack_in_use_is_left_alone(house):
    journal = FileBlobJournal(house.root)
    house.commit(journal, [content(1)])
    house.commit(journal, map(content, range(10, 20)), dead_since=1)
    other = FileBlobJournal(house.root)
    house.commit(other, [content(2)])
    assert house.layout.pack_numbers() == [1, 2]
    for now in (1_000, 2_000, 3_000):
        assert house.collect(now).moved_bytes == 0
    assert house.layout.pack_numbers() == [1, 2]
    house.commit(journal, [content(3)])
    house.check()
    journal.close()
    other.close()
    assert house.collect(4_000).moved_bytes > 0
    house.check()


def test_the_highest_pack_stays_so_that_numbers_are_not_used_twice(house):
    journal = FileBlobJournal(house.root)
    house.commit(journal, [content(1)], dead_since=1)
    journal.close()
    for now in (1_000, 2_000, 3_000):
        house.collect(now)
    assert house.layout.pack_numbers() == [1]


def test_a_marked_pack_is_not_taken_over_and_a_mark_is_lifted_by_a_row(house):
    first, second = FileBlobJournal(house.root), FileBlobJournal(house.root)
    house.commit(first, [content(1)], dead_since=1)
    house.commit(second, [content(2)])
    first.close()
    second.close()
    house.collect(1_000)
    assert house.layout.empty_mark(1).exists()
    again, third = FileBlobJournal(house.root), FileBlobJournal(house.root)
    house.commit(again, [content(3)])
    house.commit(third, [content(4)])
    assert sorted(r.ref.location.pack for r in house.rows.rows.values())[-1] == 3
    assert all(r.ref.location.pack != 1 for r in house.rows.rows.values())
    again.close()
    third.close()
    ref = next(iter(house.contents))
    row = house.rows.rows[ref.blob_hash]
    moved = structs.replace(ref, location=BlobLocation(1, ref.location.offset))
    house.rows.rows[ref.blob_hash] = dataclasses.replace(row, ref=moved)
    asyncio.run(house.upkeep.collect_garbage(10_000, 1_000_000))
    assert not house.layout.empty_mark(1).exists()
    assert house.layout.pack(1).exists()


def test_a_damaged_blob_is_found_and_never_copied(house):
    journal = FileBlobJournal(house.root)
    house.commit(journal, [content(1), content(2)])
    house.commit(journal, map(content, range(10, 20)), dead_since=1)
    journal.close()
    damaged = next(iter(house.contents))
    with house.layout.pack(1).open("r+b") as pack:
        pack.seek(damaged.location.offset + 5)
        pack.write(b"?")
    assert not asyncio.run(_verify(house, damaged))
    sweep = house.collect(1_000)
    assert sweep.moved_bytes == 20_000
    assert house.rows.locate(damaged.blob_hash) == damaged.location
    house.collect(9_000)
    assert house.layout.pack(1).exists()


async def _verify(house, ref):
    async def blob_rows(after, limit):
        return [r for name, r in sorted(house.rows.rows.items()) if name > after][:limit]

    house.rows.blob_rows = blob_rows
    return await house.upkeep.verify(ref.blob_hash)


def test_stale_temporary_files_and_files_without_a_row_are_swept(house):
    journal = FileBlobJournal(house.root)
    house.commit(journal, [content(1, 1_100_000)])
    large = next(house.layout.large.glob("??/*"))
    orphan = large.with_name(large.name[:-1] + "7")
    strange = large.with_name("not-ours")
    old, young = house.layout.tmp / "1-1", house.layout.tmp / "1-2"
    for path in (orphan, strange, old, young):
        path.write_bytes(b"x" * 10)
    for path in (orphan, strange, old, large):
        os.utime(path, (1_000, 1_000))
    os.utime(young, (3_000, 3_000))
    sweep = house.collect(1_000_000 + STALE_FILE_MS + 1, grace_ms=1)
    assert sweep.freed_bytes == 20
    assert [p.exists() for p in (large, orphan, strange, old, young)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    house.check()
    journal.close()


def test_a_pack_has_a_bound_and_the_next_one_follows(house):
    journal = FileBlobJournal(house.root)
    house.commit(journal, [content(0, 100)])
    writer = journal._packs
    writer._start = writer._end = writer._prepared_end = PACK_BYTES_MAX - 30_000
    house.commit(journal, [content(1), content(2), content(3)])  # one group over two packs
    house.check()
    assert sorted({ref.location.pack for ref in house.contents}) == [1, 2]
    assert house.layout.pack(1).stat().st_size <= PACK_BYTES_MAX
    journal.close()
    assert not journal._packs._unsynced


def test_closing_gives_prepared_room_back_and_the_next_process_goes_on(house):
    for n in range(3):
        journal = FileBlobJournal(house.root)
        house.commit(journal, [content(n, 3_000)])
        assert house.layout.pack(1).stat().st_size > 1 << 20
        journal.close()
    assert house.layout.pack_numbers() == [1]
    assert house.layout.pack(1).stat().st_size < 20_000
    house.check()
