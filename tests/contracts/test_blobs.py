"""What every blob area promises."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from posthouse.backends.files.area import FileBlobs
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.backends.files.upkeep import FileBlobUpkeep
from posthouse.backends.memory.blobs import MemoryBlobs, MemoryBlobUpkeep
from posthouse.formats.mime.dots import stuff
from posthouse.model.blob import BlobForm, BlobLocation, BlobRef, StagedBlob
from posthouse.model.errors import NotFound
from posthouse.model.ids import BlobHash
from posthouse.ports.blob_rows import BlobRow

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.ports.blobs import BlobJournal, Blobs, BlobUpkeep


class RowsOfTests:
    """Blob rows in a dict."""

    def __init__(self) -> None:
        self.rows: dict[BlobHash, BlobRow] = {}

    def locate(self, blob_hash):
        row = self.rows.get(blob_hash)
        return row.ref.location if row else None

    async def blob_rows(self, after, limit):
        return [self.rows[name] for name in sorted(self.rows) if name > after][:limit]

    async def blob_rows_in_pack(self, pack, after, limit):
        rows = [r for r in self.rows.values() if r.ref.location.pack == pack]
        rows.sort(key=lambda r: r.ref.location.offset)
        return [r for r in rows if r.ref.location.offset > after][:limit]

    async def pack_usage(self):
        usage: dict[int, int] = {}
        for row in self.rows.values():
            pack = row.ref.location.pack
            if pack:
                usage[pack] = usage.get(pack, 0) + row.ref.stored_bytes
        return sorted(usage.items())

    async def dead_blobs(self, dead_before, limit):
        dead = [r for r in self.rows.values() if 0 < r.dead_since < dead_before]
        return sorted(dead, key=lambda r: r.dead_since)[:limit]

    async def forget_blobs(self, rows):
        gone = [r for r in rows if self.rows.get(r.ref.blob_hash) == r and not r.references]
        for row in gone:
            del self.rows[row.ref.blob_hash]
        return gone

    async def move_blobs(self, moves):
        done = []
        for row, location in moves:
            if self.locate(row.ref.blob_hash) == row.ref.location:
                ref = structs.replace(row.ref, location=location)
                self.rows[row.ref.blob_hash] = dataclasses.replace(row, ref=ref)
                done.append((row, location))
        return done


class ClockOfTests:
    def __init__(self) -> None:
        self.now = 0.0

    def now_ms(self) -> int:
        return int(self.now * 1000)

    def monotonic_s(self) -> float:
        return self.now


@dataclasses.dataclass
class Area:
    blobs: Blobs
    journal: BlobJournal
    upkeep: BlobUpkeep
    rows: RowsOfTests

    def commit(self, *staged: StagedBlob) -> list[BlobRef]:
        """As an engine would: bytes, sync, rows."""
        locations = [self.journal.write(s) for s in staged]
        self.journal.sync()
        refs = [
            structs.replace(s.ref, location=at) for s, at in zip(staged, locations, strict=True)
        ]
        for ref in refs:
            self.rows.rows[ref.blob_hash] = BlobRow(ref, 1, 0)
        return refs

    def kill(self, ref: BlobRef, at: int) -> None:
        self.rows.rows[ref.blob_hash] = dataclasses.replace(
            self.rows.rows[ref.blob_hash], references=0, dead_since=at
        )


@pytest.fixture(params=["memory", "files"])
def area(request, tmp_path: Path):
    rows = RowsOfTests()
    if request.param == "memory":
        memory = MemoryBlobs()
        yield Area(memory, memory, MemoryBlobUpkeep(memory, rows), rows)
        return
    root = tmp_path / "blobs"
    journal = FileBlobJournal(root)
    blobs = FileBlobs(root, rows, ClockOfTests())
    yield Area(blobs, journal, FileBlobUpkeep(root, blobs, rows), rows)
    journal.close()


def test_a_committed_blob_comes_back_byte_for_byte(area):
    data = b"Subject: x\r\n\r\nbody\r\n.\r\n"
    (ref,) = area.commit(area.blobs.stage_bytes(data, BlobForm.WIRE))
    assert bytes(area.blobs.read(ref)) == data
    assert area.blobs.read_plain(ref) == data[:-3]
    assert ref.blob_hash == hashlib.sha256(data).digest()
    assert (ref.size_bytes, ref.stored_bytes) == (len(data) - 3, len(data))


def test_a_group_of_blobs_comes_back(area):
    staged = [area.blobs.stage_bytes(bytes([n]) * (n * 7 + 1), BlobForm.RAW) for n in range(40)]
    refs = area.commit(*staged)
    for n, ref in enumerate(refs):
        assert bytes(area.blobs.read(ref)) == bytes([n]) * (n * 7 + 1)


@pytest.mark.parametrize("size", [0, 1, 70_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_every_size_comes_back_when_received_in_pieces(area, size):
    data = hashlib.shake_128(b"seed").digest(size)
    staging = area.blobs.stage(BlobForm.RAW)
    for start in range(0, size, 65_000):
        staging.write(memoryview(data)[start : start + 65_000])
    assert staging.size_bytes == size
    staged = staging.finish(size, has_dot_lines=False)
    assert staged.ref.blob_hash == hashlib.sha256(data).digest()
    assert staged.head == data[: 1 << 20]
    (ref,) = area.commit(staged)
    assert bytes(area.blobs.read(ref)) == data


@pytest.mark.parametrize("size", [0, 2_000_000])
@pytest.mark.parametrize("ending", [b"", b"\r\n"])
def test_dot_lines_and_a_missing_line_end_are_undone(area, size, ending):
    plain = b".From: a\r\nX: 1\r\n.\r\n\r\n..two\r\n." + b"z" * size + ending
    wire = stuff(plain)
    staging = area.blobs.stage(BlobForm.WIRE)
    staging.write(wire.wire)
    staged = staging.finish(
        len(plain), has_dot_lines=wire.has_dot_lines, lacks_final_eol=wire.lacks_final_eol
    )
    (ref,) = area.commit(staged)
    assert area.blobs.read_plain(ref) == plain
    assert bytes(area.blobs.read(ref)) == wire.wire
    assert staged.head.startswith(b".From: a\r\nX: 1\r\n.\r\n\r\n")
    assert plain.startswith(staged.head)
    small = area.blobs.stage_bytes(
        wire.wire, BlobForm.WIRE, has_dot_lines=True, lacks_final_eol=not ending
    )
    assert small.ref == staged.ref


def test_the_head_holds_at_least_the_header_block(area):
    header = b"Subject: x\r\n" * 5_000 + b"\r\n"
    for body in (b"b\r\n", b"b" * 2_000_000 + b"\r\n"):
        staged = area.blobs.stage_bytes(header + body + b".\r\n", BlobForm.WIRE)
        assert staged.head.startswith(header)
        assert (header + body).startswith(staged.head)


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_a_staged_blob_may_be_written_again(area, size):
    """An engine does a group again when one of its commits turned out to be impossible."""
    staged = _staged(area, b"w" * size)
    area.commit(staged)
    (ref,) = area.commit(staged)
    assert bytes(area.blobs.read(ref)) == b"w" * size


def test_a_stale_location_falls_back_to_the_rows(area):
    first, second = area.commit(
        area.blobs.stage_bytes(b"one\r\n" * 9, BlobForm.RAW),
        area.blobs.stage_bytes(b"two\r\n" * 9, BlobForm.RAW),
    )
    for location in (second.location, BlobLocation(1, 1 << 40), BlobLocation(99, 48), None):
        stale = structs.replace(first, location=location)
        assert bytes(area.blobs.read(stale)) == b"one\r\n" * 9


def test_an_unknown_blob_is_not_found(area):
    ref = BlobRef(BlobHash(b"\x01" * 32), BlobForm.RAW, 1, 1, location=BlobLocation(1, 48))
    with pytest.raises(NotFound):
        area.blobs.read(ref)
    with pytest.raises(NotFound):
        area.blobs.read_plain(ref)


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_a_discarded_blob_may_be_discarded_again(area, size):
    staging = area.blobs.stage(BlobForm.RAW)
    staging.write(b"x" * size)
    staging.discard()
    staging.discard()


def test_free_space_is_told(area):
    assert area.blobs.free_bytes() > 0


def test_a_view_stays_good_while_more_is_written(area):
    (ref,) = area.commit(area.blobs.stage_bytes(b"first" * 100, BlobForm.RAW))
    view = area.blobs.read(ref)
    for n in range(30):
        area.commit(area.blobs.stage_bytes(bytes([n]) * 90_000, BlobForm.RAW))
    assert bytes(view) == b"first" * 100


def test_hashes_come_in_order_and_verify_says_whether_bytes_are_sound(area):
    refs = area.commit(*(area.blobs.stage_bytes(bytes([n]), BlobForm.RAW) for n in range(10)))
    names = sorted(ref.blob_hash for ref in refs)

    async def check() -> None:
        assert await area.upkeep.hashes(BlobHash(b""), 4) == names[:4]
        assert await area.upkeep.hashes(names[3], 100) == names[4:]
        for name in names:
            assert await area.upkeep.verify(name)
        with pytest.raises(NotFound):
            await area.upkeep.verify(BlobHash(b"\x00" * 32))

    asyncio.run(check())


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_garbage_goes_after_its_grace_and_not_before(area, size):
    (ref,) = area.commit(_staged(area, b"k" * size))
    (kept,) = area.commit(_staged(area, b"l" * size))
    area.kill(ref, at=1_000)

    async def check() -> None:
        early = await area.upkeep.collect_garbage(now=6_000, grace_ms=5_000)
        assert early.blobs == 0
        assert bytes(area.blobs.read(ref)) == b"k" * size
        late = await area.upkeep.collect_garbage(now=6_001, grace_ms=5_000)
        assert late.blobs == 1
        assert ref.blob_hash not in area.rows.rows

    asyncio.run(check())
    assert bytes(area.blobs.read(kept)) == b"l" * size


def _staged(area: Area, data: bytes) -> StagedBlob:
    staging = area.blobs.stage(BlobForm.RAW)
    staging.write(data)
    return staging.finish(len(data), has_dot_lines=False)


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_the_same_bytes_may_be_written_again_after_they_went(area, size):
    data = b"again" * (size // 5)
    (ref,) = area.commit(_staged(area, data))
    area.kill(ref, at=1)
    asyncio.run(area.upkeep.collect_garbage(now=10, grace_ms=1))
    (second,) = area.commit(_staged(area, data))
    area.journal.drop(ref.location, ref.blob_hash, ref.stored_bytes)
    if second.location != ref.location:
        assert bytes(area.blobs.read(second)) == data
