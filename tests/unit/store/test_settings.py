"""Settings of a mailbox that several change at once."""

from __future__ import annotations

import asyncio
import json

import pytest

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.records import MemoryRecords
from posthouse.model.batch import Batch, ChangeMailbox, Commit
from posthouse.model.errors import NotFound, Unavailable
from posthouse.model.folder import MailboxKind
from posthouse.store.settings import change_settings, settings_of


class Clock:
    def now_ms(self):
        return 1_000


class Rivals:
    """Records where somebody else writes a key between each read and write, so many times."""

    def __init__(self, records, times):
        self.records = records
        self.times = times
        self.commits = 0

    async def mailbox(self, mailbox_id):
        found = await self.records.mailbox(mailbox_id)
        if self.times:
            self.times -= 1
            text = json.dumps(settings_of(found.settings) | {f"rival{self.times}": 1})
            await self.records.apply(Commit((Batch(mailbox_id, (ChangeMailbox(settings=text),)),)))
        return found

    async def apply(self, commit):
        self.commits += 1
        return await self.records.apply(commit)


async def make(times=0):
    records = MemoryRecords(MemoryBlobs(), lambda hint: None, Clock())
    box = await records.create_mailbox(MailboxKind.USER, bytes(16), 7)
    return Rivals(records, times), box.mailbox_id


def test_nobody_undoes_what_another_has_set():
    async def run():
        records, box = await make(times=3)
        await change_settings(records, box, lambda settings: settings.update(mine=5))
        kept = settings_of((await records.mailbox(box)).settings)
        assert kept == {"mine": 5, "rival0": 1, "rival1": 1, "rival2": 1}

    asyncio.run(run())


def test_it_gives_up_when_others_never_stop():
    async def run():
        records, box = await make(times=99)
        with pytest.raises(Unavailable):
            await change_settings(records, box, lambda settings: settings.update(mine=5))

    asyncio.run(run())


def test_no_change_writes_nothing_and_no_mailbox_is_not_found():
    async def run():
        records, box = await make()
        await change_settings(records, box, lambda settings: None)
        assert records.commits == 0
        with pytest.raises(NotFound):
            await change_settings(records, 99, lambda settings: None)

    asyncio.run(run())


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\x00"])
def test_what_is_no_object_holds_nothing(text):
    assert settings_of(text) == {}
