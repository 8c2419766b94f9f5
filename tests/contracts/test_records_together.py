"""What every records engine promises to many at once, and when writing fails."""

from __future__ import annotations

import asyncio
import errno

import pytest
from tests.contracts.records_house import NOW, staged

from posthouse.model.batch import AddItem, Batch, Commit, ExpungeItems
from posthouse.model.errors import InsufficientSpace, NotFound, Unavailable
from posthouse.model.item import ItemKind, NewItem


def delivery(h, text, folder=None):
    blob = staged(text)
    new = NewItem(ItemKind.MESSAGE, blob.ref, NOW)
    return Commit((Batch(h.box, (AddItem(folder or h.inbox, new),)),), (blob,))


def test_many_writers_and_a_reader_that_misses_nothing(records_house):
    h = records_house
    seen: list[int] = []
    is_over = False

    async def write(n):
        for k in range(20):
            await h.records.apply(delivery(h, f"{n} {k}"))
            await asyncio.sleep(0)

    async def follow():
        since = 0
        while True:
            last = is_over
            page = await h.records.changes_since(h.box, h.inbox, since, 7)
            seen.extend(place.item_id for place in page.places)
            since = page.upto
            if last and not page.has_more:
                return
            await asyncio.sleep(0)

    async def both():
        nonlocal is_over
        reader = asyncio.ensure_future(follow())
        await asyncio.gather(*(write(n) for n in range(8)))
        is_over = True
        await reader

    h.run(both())
    assert sorted(seen) == sorted(h.ids())
    assert len(seen) == 160
    assert [p.uid for p in h.places()] == list(range(1, 161))
    assert h.folder().item_count == 160


def test_one_bad_commit_does_not_harm_its_neighbours(records_house):
    h = records_house
    too_big = NewItem(ItemKind.NOTE, None, 2**70) if h.kind == "sqlite" else None

    async def all_at_once():
        commits = [
            delivery(h, "one"),
            delivery(h, "lost", folder=4711),
            delivery(h, "two"),
            Commit((Batch(h.box, (ExpungeItems(4711, (1,), NOW),)),)),
            delivery(h, "three"),
        ]
        if too_big is not None:
            commits.insert(1, Commit((Batch(h.box, (AddItem(h.inbox, too_big),)),)))
        return await asyncio.gather(*map(h.records.apply, commits), return_exceptions=True)

    results = h.run(all_at_once())
    kinds = [type(r) for r in results]
    if too_big is not None:
        assert kinds.pop(1) is OverflowError
    assert kinds == [tuple, NotFound, tuple, NotFound, tuple]
    assert h.folder().item_count == 3
    assert h.blob(staged("lost").ref.blob_hash) is None
    assert h.journal.written[h.journal.dropped[0]] == staged("lost").data


@pytest.mark.parametrize("step", ["write", "sync"])
@pytest.mark.parametrize(
    ("number", "error"), [(errno.EIO, Unavailable), (errno.ENOSPC, InsufficientSpace)]
)
def test_a_journal_that_fails_makes_nothing_visible(records_house, step, number, error):
    h = records_house
    h.add("before")
    before = h.mailbox(), h.places()
    h.journal.fails[step] = OSError(number, "told to")

    async def three():
        return await asyncio.gather(
            *(h.records.apply(delivery(h, str(n))) for n in range(3)), return_exceptions=True
        )

    assert {type(r) for r in h.run(three())} == {error}
    assert (h.mailbox(), h.places()) == before
    assert h.journal.dropped == []
    h.journal.fails.clear()
    h.run(three())
    assert h.folder().item_count == 4


def test_a_cancelled_caller_does_not_stop_a_commit(records_house):
    h = records_house

    async def give_up():
        task = asyncio.ensure_future(h.records.apply(delivery(h, "kept")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await h.records.apply(delivery(h, "after"))

    if h.kind == "sqlite":
        h.run(give_up())
        assert h.folder().item_count == 2


def test_a_closed_engine_says_so(records_house):
    h = records_house
    other = h.engine() if h.kind == "sqlite" else type(h.records)(h.journal, print, h.clock)
    other.close()
    other.close()
    with pytest.raises(Unavailable):
        h.run(other.apply(delivery(h, "x")))
