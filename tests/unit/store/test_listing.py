"""Listings: right after any history, shared where nothing changed, built once for all who ask."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.model.changes import ChangePage, Vanished
from posthouse.model.errors import NotFound, SyncPointExpired, Unavailable
from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId, Uid
from posthouse.model.item import Flags, Place
from posthouse.store.listing import CHUNK_MESSAGES_MAX, Listing
from posthouse.store.listings import Listings

BOX = MailboxId(1)
INBOX = FolderId(2)


class RecordsOfTests:
    """One folder with a log."""

    def __init__(self) -> None:
        self.cn = 0
        self.uid_next = 1
        self.there: dict[int, Place] = {}
        self.gone: list[Vanished] = []
        self.horizon = 0
        self.uid_validity = 7
        self.calls: list[str] = []
        self.during_places = lambda: None
        self.page_limit = 10_000

    # --- what others do to the folder

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.cn += 1
            uid = self.uid_next
            self.uid_next += 1
            self.there[uid] = Place(
                INBOX,
                Uid(uid),
                ItemId(uid + 1000),
                ChangeNumber(self.cn),
                ChangeNumber(self.cn),
                ChangeNumber(0),
                Flags.NONE,
                uid * 10,
                uid * 100,
            )

    def remove(self, uid: int) -> None:
        self.cn += 1
        place = self.there.pop(uid)
        self.gone.append(
            Vanished(place.uid, place.item_id, ChangeNumber(self.cn), place.created_cn)
        )

    # --- Records

    async def folder(self, mailbox_id, folder_id):
        self.calls.append("folder")
        if folder_id != INBOX and mailbox_id == BOX:
            raise NotFound("no folder")
        return SimpleNamespace(
            mailbox_id=mailbox_id,
            folder_id=folder_id,
            highest_cn=self.cn,
            uid_validity=self.uid_validity,
        )

    async def place_columns(self, mailbox_id, folder_id, after, limit):
        self.calls.append("places")
        found = [p for uid, p in sorted(self.there.items()) if uid > after][:limit]
        self.during_places()
        return (
            [p.uid for p in found],
            [p.item_id for p in found],
            [p.size_bytes for p in found],
            [p.received_at for p in found],
        )

    async def changes_since(self, mailbox_id, folder_id, since, limit):
        self.calls.append("changes")
        if since < self.horizon:
            raise SyncPointExpired("too old")
        limit = min(limit, self.page_limit)
        places = [(p.changed_cn, p) for p in self.there.values() if p.changed_cn > since]
        gone = [(v.change_number, v) for v in self.gone if v.change_number > since]
        page = sorted(places + gone, key=lambda pair: pair[0])[:limit]
        has_more = len(page) < len(places) + len(gone)
        return ChangePage(
            tuple(x for _, x in page if isinstance(x, Place)),
            tuple(x for _, x in page if isinstance(x, Vanished)),
            page[-1][0] if has_more else ChangeNumber(self.cn),
            has_more,
        )


def check(listing: Listing, records: RecordsOfTests) -> None:
    expected = [p for _, p in sorted(records.there.items())]
    assert len(listing) == listing.count == len(expected)
    assert listing.total_bytes == sum(p.size_bytes for p in expected)
    assert listing.highest_cn == records.cn
    index = 0
    for chunk in listing.chunks:
        assert chunk.start == index
        assert 0 < len(chunk) <= CHUNK_MESSAGES_MAX
        index += len(chunk)
    rows = [
        (c.uids[i], c.item_ids[i], c.sizes[i], c.received_at[i])
        for c, i in map(listing.locate, range(len(listing)))
    ]
    assert rows == [(p.uid, p.item_id, p.size_bytes, p.received_at) for p in expected]


def get(listings: Listings) -> Listing:
    return asyncio.run(listings.get(BOX, INBOX))


def test_nothing_new_costs_one_point_read():
    records = RecordsOfTests()
    records.add(10)
    listings = Listings(records)
    first = get(listings)
    records.calls.clear()
    assert get(listings) is first
    assert records.calls == ["folder"]


def test_an_append_touches_the_last_chunk_only_and_keeps_what_was_rendered():
    records = RecordsOfTests()
    records.add(CHUNK_MESSAGES_MAX * 2 + 5)
    listings = Listings(records)
    first = get(listings)
    first.chunks[2].rendered["list"] = b"five lines"
    records.add(2)
    records.calls.clear()
    second = get(listings)
    assert "places" not in records.calls
    assert [a is b for a, b in zip(first.chunks, second.chunks, strict=True)] == [True, True, False]
    assert second.chunks[2].earlier_count == 5
    assert second.chunks[2].earlier_rendered == {"list": b"five lines"}
    assert second.chunks[2].rendered == {}
    check(second, records)
    records.add(1)
    third = get(listings)  # nobody rendered the second one: the first one's rendering still counts
    assert third.chunks[2].earlier_count == 5
    check(third, records)
    assert len(first) == CHUNK_MESSAGES_MAX * 2 + 5


def test_an_append_beyond_a_full_chunk_makes_a_new_one():
    records = RecordsOfTests()
    records.add(CHUNK_MESSAGES_MAX - 1)
    listings = Listings(records)
    get(listings)
    records.add(1)
    full = get(listings)
    assert len(full.chunks) == 1
    records.add(CHUNK_MESSAGES_MAX + 3)
    more = get(listings)
    assert more.chunks[0] is full.chunks[0]
    assert [len(c) for c in more.chunks] == [CHUNK_MESSAGES_MAX, CHUNK_MESSAGES_MAX, 3]
    check(more, records)


def test_a_vanished_message_renews_the_chunks_from_there_on():
    records = RecordsOfTests()
    records.add(CHUNK_MESSAGES_MAX * 3 + 1)
    listings = Listings(records)
    first = get(listings)
    records.remove(CHUNK_MESSAGES_MAX + 10)
    second = get(listings)
    assert second.chunks[0] is first.chunks[0]
    assert len(second.chunks) == 3
    assert not second.chunks[1].earlier_rendered
    check(second, records)


def test_a_change_of_marks_keeps_every_chunk():
    records = RecordsOfTests()
    records.add(20)
    listings = Listings(records)
    first = get(listings)
    records.cn += 1  # somebody read something
    second = get(listings)
    assert second.chunks == first.chunks
    assert second.highest_cn == records.cn


def test_what_changes_while_a_folder_is_read_is_in_the_listing():
    records = RecordsOfTests()
    records.add(4_500)

    def meanwhile():
        if records.calls.count("places") == 1:
            records.remove(3)
            records.remove(4_499)
            records.add(2)

    records.during_places = meanwhile
    check(get(Listings(records)), records)


def test_all_gone_while_it_is_read_gives_an_empty_listing():
    records = RecordsOfTests()
    records.add(3)
    records.during_places = lambda: [records.remove(uid) for uid in list(records.there)]
    check(get(Listings(records)), records)


def test_a_log_that_does_not_reach_back_means_reading_anew():
    records = RecordsOfTests()
    records.add(10)
    listings = Listings(records)
    get(listings)
    records.remove(5)
    records.gone.clear()
    records.horizon = records.cn
    check(get(listings), records)


def test_a_repaired_folder_is_read_anew():
    records = RecordsOfTests()
    records.add(10)
    listings = Listings(records)
    first = get(listings)
    records.uid_validity += 1
    second = get(listings)
    assert second is not first
    assert second.uid_validity == records.uid_validity


def test_many_who_ask_at_once_share_one_build():
    records = RecordsOfTests()
    records.add(5_000)
    listings = Listings(records)

    async def ask():
        return await asyncio.gather(*(listings.get(BOX, INBOX) for _ in range(20)))

    answers = asyncio.run(ask())
    assert all(answer is answers[0] for answer in answers)
    assert records.calls.count("places") == 3


def test_a_cancelled_or_failed_builder_does_not_take_the_others_along():
    records = RecordsOfTests()
    records.add(5_000)
    listings = Listings(records)

    async def ask():
        tasks = [asyncio.ensure_future(listings.get(BOX, INBOX)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(ask())
    assert isinstance(first, asyncio.CancelledError)
    assert second is third
    check(second, records)


def test_a_failed_build_leaves_nothing_behind():
    records = RecordsOfTests()
    records.add(3)
    listings = Listings(records)

    def refuse():
        raise Unavailable("refused by the test")

    records.during_places = refuse
    with pytest.raises(Unavailable):
        get(listings)
    records.during_places = lambda: None
    check(get(listings), records)


def test_mailboxes_do_not_wait_for_each_other():
    records = RecordsOfTests()
    records.add(9_000)
    listings = Listings(records)

    async def ask():
        big = asyncio.ensure_future(listings.get(BOX, INBOX))
        await asyncio.sleep(0)
        records.there.clear()
        await listings.get(MailboxId(2), INBOX)
        assert not big.done()
        await big

    asyncio.run(ask())


def test_the_cache_is_bounded_by_bytes_and_keeps_the_newest():
    records = RecordsOfTests()
    records.add(1_000)
    listings = Listings(records, bytes_max=250_000)

    async def ask():
        for n in (1, 2, 3, 1):
            await listings.get(MailboxId(n), INBOX)
        records.calls.clear()
        await listings.get(MailboxId(1), INBOX)
        await listings.get(MailboxId(3), INBOX)
        assert "places" not in records.calls
        await listings.get(MailboxId(2), INBOX)
        assert "places" in records.calls

    asyncio.run(ask())


def test_a_missing_folder_is_not_found():
    with pytest.raises(NotFound):
        asyncio.run(Listings(RecordsOfTests()).get(BOX, FolderId(9)))


def test_indices_and_uids_out_of_range():
    records = RecordsOfTests()
    records.add(5)
    records.remove(3)
    listing = get(Listings(records))
    assert [listing.index_of(uid) for uid in range(7)] == [None, 0, 1, None, 2, 3, None]
    for index in (-1, 4):
        with pytest.raises(IndexError):
            listing.locate(index)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 3 * CHUNK_MESSAGES_MAX // 2)),
            st.tuples(st.just("remove"), st.lists(st.floats(0, 1), min_size=1, max_size=8)),
            st.tuples(st.just("marks"), st.none()),
            st.tuples(st.just("look"), st.none()),
        ),
        max_size=12,
    ),
    page_limit=st.sampled_from([1_000, 10_000]),
)
def test_any_history_gives_what_a_fresh_reading_gives(steps, page_limit):
    records = RecordsOfTests()
    records.page_limit = page_limit
    listings = Listings(records)
    for what, how in steps:
        if what == "add":
            records.add(how)
        elif what == "marks":
            records.cn += 1
        elif what == "remove":
            for share in how:
                if records.there:
                    uids = sorted(records.there)
                    records.remove(uids[int(share * (len(uids) - 1))])
        else:
            check(get(listings), records)
    check(get(listings), records)
