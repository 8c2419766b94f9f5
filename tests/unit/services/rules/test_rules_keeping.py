"""Rules as doors keep them, and as the mailflow remembers them."""

from __future__ import annotations

import asyncio

import pytest

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.memory.records import MemoryRecords
from posthouse.model.batch import Batch, Commit, KeepRules
from posthouse.model.errors import Conflict, NotFound
from posthouse.model.folder import MailboxKind
from posthouse.model.rule import Actions, Rule
from posthouse.services.rules.keeping import REMEMBERED_MS, InboxRules, Rulebook
from posthouse.store.store import Store


class Clock:
    def now_ms(self):
        return 1_000

    def monotonic_s(self):
        return 1.0


async def make():
    hints, blobs = MemoryHints(), MemoryBlobs()
    records = MemoryRecords(blobs, hints.publish, Clock())
    box = await records.create_mailbox(MailboxKind.USER, bytes(16), 7)
    return Store(records, blobs, hints, Clock()), box.mailbox_id


def test_rules_are_kept_and_numbered():
    async def run():
        store, box = await make()
        keeping = InboxRules(store)
        assert await keeping.read(box) == ()
        kept = await keeping.write(box, [Rule(name="a"), Rule(name="b", rule_id=5), Rule(name="c")])
        assert [rule.rule_id for rule in kept] == [6, 5, 7]
        assert await keeping.read(box) == kept
        await keeping.write(box, ())
        assert await store.records.rules(box) == ""

    asyncio.run(run())


def test_rules_change_only_from_what_was_read():
    async def run():
        store, box = await make()
        keeping = InboxRules(store)
        first = await keeping.write(box, [Rule(name="a")], known=())
        with pytest.raises(Conflict):
            await keeping.write(box, [Rule(name="b")], known=())
        await keeping.write(box, [Rule(name="b")], known=first)
        with pytest.raises(ValueError, match="no address"):
            await keeping.write(box, [Rule(name="c", actions=Actions(forward_to=("x",)))])
        assert [rule.name for rule in await keeping.read(box)] == ["b"]
        with pytest.raises(NotFound):
            await keeping.write(99, ())

    asyncio.run(run())


def test_what_the_document_says_besides_survives_a_change():
    async def run():
        store, box = await make()
        text = '{"version":1,"rules":[{"name":"a","shade":"dark"}],"made_by":"later"}'
        await store.apply(Commit((Batch(box, (KeepRules(text),)),)))
        keeping = InboxRules(store)
        (rule,) = await keeping.read(box)
        await keeping.write(box, (rule, Rule(name="b")))
        kept = await store.records.rules(box)
        assert '"made_by":"later"' in kept
        assert '"shade":"dark"' in kept

    asyncio.run(run())


def test_the_book_asks_once_and_hears_of_changes():
    async def run():
        store, box = await make()
        book = Rulebook(store, lambda *told: None)
        at = 1_000_000
        assert book.known(box, at) is None
        assert await book.read(box) == ()
        assert book.known(box, at + 5) == ()
        kept = await InboxRules(store).write(box, [Rule(name="a")])
        await asyncio.sleep(0)
        assert book.known(box, at + 6) is None
        assert await book.read(box) == kept
        assert book.known(box, at + REMEMBERED_MS - 1) == kept

    asyncio.run(run())


def test_what_a_lost_hint_leaves_stale_is_forgotten_soon():
    async def run():
        store, box = await make()
        store.hints.publish = lambda hint: None
        book = Rulebook(store, lambda *told: None)
        at = 1_000_000
        assert book.known(box, at) is None
        await book.read(box)
        await InboxRules(store).write(box, [Rule(name="a")])
        assert book.known(box, at + REMEMBERED_MS) is None
        assert len(await book.read(box)) == 1
        # A clock that was set back does not make anything last longer.
        assert book.known(box, at - 10_000_000) is None

    asyncio.run(run())


def test_unreadable_rules_are_told_once_and_do_nothing():
    async def run():
        store, box = await make()
        await store.apply(Commit((Batch(box, (KeepRules('{"version":9}'),)),)))
        told = []
        book = Rulebook(store, lambda *what: told.append(what))
        assert await book.read(box) == ()
        assert await book.read(box) == ()
        assert told == [(box, "rules of version 9")]
        with pytest.raises(ValueError, match="version 9"):
            await InboxRules(store).read(box)

    asyncio.run(run())
