"""The blob area loses its power, or its disk refuses: what was acknowledged stays readable."""

from __future__ import annotations

import errno
import hashlib
import random
from typing import TYPE_CHECKING

import pytest
from msgspec import structs
from tests.faults.disks import Recorder, Refusing, ShortWriter, disk_after, materialise

from posthouse.backends.files.area import FileBlobs
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.backends.files.layout import Layout, records_in
from posthouse.model.blob import BlobForm, BlobRef
from posthouse.model.errors import InsufficientSpace, NotFound, Unavailable

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.faults


class NoRows:
    def locate(self, blob_hash):
        return None


class StoppedClock:
    def now_ms(self) -> int:
        return 0

    def monotonic_s(self) -> float:
        return 0.0


def content(n: int, size: int) -> bytes:
    return hashlib.shake_128(b"%d" % n).digest(size)


def commit(blobs, journal, sizes, seed) -> tuple[list[BlobRef], list[bytes]]:
    contents = [content(seed * 100 + n, size) for n, size in enumerate(sizes)]
    staged = []
    for data in contents:
        staging = blobs.stage(BlobForm.RAW)
        staging.write(data)
        staged.append(staging.finish(len(data), has_dot_lines=False))
    locations = [journal.write(s) for s in staged]
    journal.sync()
    refs = [structs.replace(s.ref, location=at) for s, at in zip(staged, locations, strict=True)]
    return refs, contents


GROUPS = [[4_000], [30, 50_000, 900], [1_100_000, 500], [300_000, 10], [2_000, 1_200_000]]


def test_what_sync_acknowledged_survives_a_power_loss_anywhere(tmp_path):
    root = tmp_path / "blobs"
    recorder = Recorder()
    journal = FileBlobJournal(root, recorder)
    blobs = FileBlobs(root, NoRows(), StoppedClock(), recorder)
    for seed, sizes in enumerate(GROUPS):
        recorder.acknowledge(*commit(blobs, journal, sizes, seed))
    journal.close()
    chance = random.Random(7)
    losses = 0
    for cut in range(len(recorder.log) + 1):
        log = recorder.log[:cut]
        for keeps in (lambda _: 0, lambda _: 1, lambda _: chance.choice((0, 0.3, 0.7, 1))):
            losses += 1
            new = tmp_path / f"after-{losses}"
            materialise(disk_after(log, keeps), root, new)
            after = FileBlobs(new, NoRows(), StoppedClock())
            acknowledged = [pair for kind, *rest in log if kind == "ack" for pair in rest[0]]
            for ref, data in acknowledged:
                assert bytes(after.read(ref)) == data, f"cut at {cut}: {log[-1]}"
            _goes_on(new, after, acknowledged)
            for path in sorted(new.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    assert losses > 60


def _goes_on(root, blobs, acknowledged) -> None:
    """A new process takes over where the lost one stopped, and harms nothing."""
    journal = FileBlobJournal(root)
    refs, contents = commit(blobs, journal, [700, 5_000], 99)
    journal.close()
    for ref, data in [*acknowledged, *zip(refs, contents, strict=True)]:
        assert bytes(blobs.read(ref)) == data


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("is_first", [True, False])
def test_any_refused_operation_of_a_commit_surfaces_and_harms_nothing(tmp_path, code, is_first):
    sizes = [4_000, 1_100_000, 30]
    refused = set()
    for n in range(1, 60):
        root = tmp_path / f"blobs-{n}"
        disk = Refusing(code)
        journal = FileBlobJournal(root, disk)
        blobs = FileBlobs(root, NoRows(), StoppedClock(), disk)
        known = [] if is_first else list(zip(*commit(blobs, journal, [2_000, 10], 1), strict=True))
        disk.names.clear()
        disk.countdown = n
        try:
            commit(blobs, journal, sizes, 2)
        except (OSError, Unavailable):
            refused.add(disk.names[n - 1])
        if disk.countdown > 0:
            break
        assert disk.countdown <= 0
        assert disk.retried == 0
        known += zip(*commit(blobs, journal, sizes, 3), strict=True)
        for ref, data in known:
            assert bytes(blobs.read(ref)) == data
        journal.close()
    else:
        pytest.fail("the commit never came to its end")
    wanted = {"write_at", "sync_data", "sync_directory", "link", "make_directory", "open_existing"}
    assert refused >= (wanted | {"open_new"} if is_first else wanted)


def test_after_a_failed_sync_the_pack_is_left(tmp_path):
    disk = Refusing()
    journal = FileBlobJournal(tmp_path / "blobs", disk)
    blobs = FileBlobs(tmp_path / "blobs", NoRows(), StoppedClock(), disk)
    (before,), _ = commit(blobs, journal, [100], 1)
    disk.countdown = 2  # the write, then the sync
    with pytest.raises(OSError, match="refused"):
        commit(blobs, journal, [100], 2)
    (after,), _ = commit(blobs, journal, [100], 3)
    assert after.location.pack != before.location.pack


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_while_receiving_is_told_in_the_stores_words(tmp_path, code):
    disk = Refusing(code)
    blobs = FileBlobs(tmp_path / "blobs", NoRows(), StoppedClock(), disk)
    staging = blobs.stage(BlobForm.RAW)
    disk.countdown = 3

    def receive():
        for _ in range(40):
            staging.write(bytes(100_000))

    with pytest.raises(Unavailable) as caught:
        receive()
    assert isinstance(caught.value, InsufficientSpace) == (code != errno.EIO)
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []
    staging.discard()


def test_a_directory_made_by_a_commit_that_failed_is_synced_by_the_next(tmp_path):
    class Once(Recorder):
        refuses = True

        def sync_data(self, descriptor):
            if self.refuses:
                self.refuses = False
                raise OSError(errno.EIO, "refused by the test")
            super().sync_data(descriptor)

    root = tmp_path / "blobs"
    disk = Once()
    journal = FileBlobJournal(root, disk)
    blobs = FileBlobs(root, NoRows(), StoppedClock(), disk)
    with pytest.raises(OSError, match="refused"):
        commit(blobs, journal, [1_100_000], 1)
    disk.acknowledge(*commit(blobs, journal, [1_100_000], 1))
    new = tmp_path / "after"
    materialise(disk_after(disk.log, lambda _: 0), root, new)
    ((ref, data),) = disk.log[-1][1]
    assert bytes(FileBlobs(new, NoRows(), StoppedClock()).read(ref)) == data


def test_short_writes_are_finished(tmp_path):
    root = tmp_path / "blobs"
    journal = FileBlobJournal(root, ShortWriter())
    blobs = FileBlobs(root, NoRows(), StoppedClock(), ShortWriter())
    refs, contents = commit(blobs, journal, [1, 4_000, 300_000, 1_500_000], 1)
    for ref, data in zip(refs, contents, strict=True):
        assert bytes(blobs.read(ref)) == data
    journal.close()


def test_what_was_not_synced_is_not_in_the_way_of_the_next_group(tmp_path):
    """A group that the engine gave up between write and sync leaves room, no harm."""
    root = tmp_path / "blobs"
    journal = FileBlobJournal(root)
    blobs = FileBlobs(root, NoRows(), StoppedClock())
    orphan = blobs.stage_bytes(b"orphan", BlobForm.RAW)
    journal.write(orphan)
    refs, contents = commit(blobs, journal, [10, 20], 5)
    assert [bytes(blobs.read(ref)) for ref in refs] == contents
    journal.close()


def test_a_missing_file_of_its_own_is_not_found_without_a_row(tmp_path):
    root = tmp_path / "blobs"
    journal = FileBlobJournal(root)
    blobs = FileBlobs(root, NoRows(), StoppedClock())
    (ref,), _ = commit(blobs, journal, [1_100_000], 1)
    journal.drop(ref.location, ref.blob_hash, ref.stored_bytes)
    with pytest.raises(NotFound):
        blobs.read(ref)


def test_a_pack_tells_its_records_without_the_rows(tmp_path):
    root = tmp_path / "blobs"
    known = []
    for seed in range(3):  # three processes, one after the other, the second killed
        journal = FileBlobJournal(root)
        blobs = FileBlobs(root, NoRows(), StoppedClock())
        known += commit(blobs, journal, [10, 5_000], seed)[0]
        if seed != 1:
            journal.close()
        else:
            journal._packs._operations.close(journal._packs._descriptor)
    assert {ref.location.pack for ref in known} == {1}
    found = {r.blob_hash: r for r in records_in(Layout(root).pack(1).read_bytes())}
    for ref in known:
        assert found[ref.blob_hash].offset == ref.location.offset
        assert found[ref.blob_hash].stored_bytes == ref.stored_bytes
