"""The store's own work: waiting, special folders, batches, retention."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from posthouse.backends.memory.hints import MemoryHints
from posthouse.model.batch import AddItem, ItemUnchanged, Made, MakeFolder, MessageIdAbsent
from posthouse.model.changes import Hint
from posthouse.model.errors import NotFound
from posthouse.model.folder import FolderRole
from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId
from posthouse.model.item import Flags, ItemKind, NewItem
from posthouse.store.retention import (
    Retention,
    expire_recoverable,
    forget_receipts,
    raise_horizon,
)
from posthouse.store.store import Store
from posthouse.store.transaction import BatchBuilder
from posthouse.store.waiting import Waits

BOX = MailboxId(1)


class RecordsOfTests:
    def __init__(self) -> None:
        self.highest = {BOX: 5}
        self.tree = {2: FolderRole.INBOX, 3: FolderRole.SENT}
        self.calls: list[tuple] = []
        self.left = 0

    async def mailbox(self, mailbox_id):
        if mailbox_id not in self.highest:
            raise NotFound("no mailbox")
        return SimpleNamespace(highest_cn=self.highest[mailbox_id])

    async def advanced_since(self, known):
        self.calls.append(("advanced_since", dict(known)))
        return [m for m, cn in known.items() if self.highest[m] != cn]

    async def folder(self, mailbox_id, folder_id):
        self.calls.append(("folder", folder_id))
        if folder_id not in self.tree:
            raise NotFound("no folder")
        return SimpleNamespace(folder_id=folder_id, role=self.tree[folder_id])

    async def folders(self, mailbox_id):
        self.calls.append(("folders",))
        return [SimpleNamespace(folder_id=f, role=r) for f, r in self.tree.items()]

    async def expire_recoverable(self, before, limit):
        self.calls.append(("expire", before))
        done = min(self.left, limit)
        self.left -= done
        return done

    raise_horizon = expire_recoverable

    async def forget_receipts(self, before):
        self.calls.append(("receipts", before))
        return 3


def store(records: RecordsOfTests) -> Store:
    return Store(records, None, MemoryHints(), None)


def hint(cn: int, mailbox: int = BOX) -> Hint:
    return Hint(MailboxId(mailbox), FolderId(2), ChangeNumber(cn))


def test_a_wait_looks_before_it_sleeps():
    records = RecordsOfTests()
    assert asyncio.run(store(records).wait(BOX, ChangeNumber(4), 10.0))


def test_a_wait_ends_with_its_time():
    records = RecordsOfTests()
    assert not asyncio.run(store(records).wait(BOX, ChangeNumber(5), 0.01))
    assert not asyncio.run(store(records).wait(BOX, ChangeNumber(5), 0))
    assert not asyncio.run(store(records).wait(BOX, ChangeNumber(5), -1))


def test_a_hint_wakes_those_whom_it_concerns_and_no_others():
    records = RecordsOfTests()
    records.highest[MailboxId(2)] = 5
    bus = MemoryHints()
    waits = Waits(records, bus)

    async def run():
        tasks = {
            name: asyncio.ensure_future(waits.wait(MailboxId(box), ChangeNumber(known), 10))
            for name, box, known in (("a", 1, 5), ("b", 1, 6), ("other", 2, 5))
        }
        await asyncio.sleep(0)
        bus.publish(hint(5))
        bus.publish(hint(6))
        assert await tasks["a"]
        assert not tasks["b"].done()
        assert not tasks["other"].done()
        bus.publish(hint(7))
        assert await tasks["b"]
        tasks["other"].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert not waits._waiting

    asyncio.run(run())


def test_a_lost_hint_is_repaired_by_looking_again():
    records = RecordsOfTests()
    records.highest[MailboxId(2)] = 5
    waits = Waits(records, MemoryHints(), look_s=0.02)

    async def run():
        tasks = [
            asyncio.ensure_future(waits.wait(MailboxId(box), ChangeNumber(5), 10))
            for box in (1, 1, 2)
        ]
        await asyncio.sleep(0)
        records.highest[BOX] = 6  # nobody says so
        assert await tasks[0]
        assert await tasks[1]
        assert not tasks[2].done()
        records.highest[MailboxId(2)] = 9
        assert await tasks[2]

    asyncio.run(run())


def test_waiting_for_an_unknown_mailbox_is_not_found():
    with pytest.raises(NotFound):
        asyncio.run(store(RecordsOfTests()).wait(MailboxId(9), ChangeNumber(0), 1))


def test_role_folders_are_found_by_one_point_read_the_second_time():
    records = RecordsOfTests()
    house = store(records)

    async def run():
        assert (await house.role_folder(BOX, FolderRole.SENT)).folder_id == 3
        records.calls.clear()
        assert (await house.role_folder(BOX, FolderRole.SENT)).folder_id == 3
        assert records.calls == [("folder", 3)]
        records.tree = {8: FolderRole.SENT, 3: FolderRole.NONE}
        assert (await house.role_folder(BOX, FolderRole.SENT)).folder_id == 8
        del records.tree[8]
        with pytest.raises(NotFound):
            await house.role_folder(BOX, FolderRole.SENT)

    asyncio.run(run())


def test_a_builder_makes_the_batch_that_was_said():
    item = NewItem(ItemKind.MESSAGE, None, 1)
    build = BatchBuilder(BOX)
    folder = build.make_folder(FolderId(1), "Projects")
    assert folder == Made(0)
    assert build.add(folder, item) == Made(1)
    build.move(FolderId(2), [ItemId(4)], folder)
    build.copy(FolderId(2), [ItemId(5)], folder)
    build.expunge(FolderId(2), [ItemId(6)], 99, is_final=True)
    build.flags(FolderId(2), [ItemId(7)], add=Flags.SEEN)
    build.require_unchanged(ItemId(4), ChangeNumber(3)).require_message_absent(FolderId(2), "x@y")
    batch = build.batch(b"key")
    assert isinstance(batch.operations[0], MakeFolder)
    assert batch.operations[1] == AddItem(Made(0), item)
    assert len(build) == len(batch.operations) == 6
    assert batch.preconditions == (
        ItemUnchanged(ItemId(4), ChangeNumber(3)),
        MessageIdAbsent(FolderId(2), "x@y"),
    )
    assert (batch.mailbox_id, batch.idempotency_key) == (BOX, b"key")
    assert build.commit(idempotency_key=b"key").batches == (batch,)


def test_retention_goes_on_in_portions_until_nothing_is_left():
    records = RecordsOfTests()
    retention = Retention(recoverable_ms=10, tombstones_ms=20, receipts_ms=30, portion=100)
    records.left = 250
    assert asyncio.run(expire_recoverable(records, retention, 1_000)) == 250
    assert records.calls == [("expire", 990)] * 3
    records.left = 100
    assert asyncio.run(raise_horizon(records, retention, 1_000)) == 100
    assert records.calls[-1] == ("expire", 980)
    assert asyncio.run(forget_receipts(records, retention, 1_000)) == 3
    assert records.calls[-1] == ("receipts", 970)
