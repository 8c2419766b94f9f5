"""The wrappers that refuse: they fail the call they were armed for, and only that."""

from __future__ import annotations

import asyncio
import errno

import pytest

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.faulty import Faults, FaultyBlobJournal, faulty_records
from posthouse.model.blob import BlobForm
from posthouse.model.errors import Unavailable


class RecordsOfTests:
    def __init__(self) -> None:
        self.applied = []

    async def apply(self, commit):
        self.applied.append(commit)
        return ()

    async def mailbox(self, mailbox_id):
        return mailbox_id

    def locate(self, blob_hash):
        return blob_hash

    def close(self):
        self.applied = None


def test_the_call_it_was_armed_for_fails_and_does_nothing():
    inner, faults = RecordsOfTests(), Faults()
    records = faulty_records(inner, faults)

    async def run():
        await records.apply(1)
        faults.arm(2)
        await records.mailbox(1)
        await records.apply(2)
        with pytest.raises(Unavailable):
            await records.apply(3)
        await records.apply(4)
        faults.arm(1, is_lasting=True)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await records.apply(5)
        assert faults.failed == 3

    asyncio.run(run())
    assert inner.applied == [1, 2, 4]


def test_every_call_may_be_watched():
    faults = Faults()
    records = faulty_records(RecordsOfTests(), faults, None)
    faults.arm(1)
    with pytest.raises(Unavailable):
        asyncio.run(records.mailbox(1))
    assert records.locate(b"x") == b"x"
    records.close()


def test_a_journal_fails_with_the_disks_error():
    blobs, faults = MemoryBlobs(), Faults()
    journal = FaultyBlobJournal(blobs, faults, errno.ENOSPC)
    staged = blobs.stage_bytes(b"x", BlobForm.RAW)
    faults.arm(2)
    journal.write(staged)
    with pytest.raises(OSError, match="sync") as caught:
        journal.sync()
    assert caught.value.errno == errno.ENOSPC
    journal.write(staged)
    journal.sync()
    assert bytes(blobs.read(staged.ref)) == b"x"
