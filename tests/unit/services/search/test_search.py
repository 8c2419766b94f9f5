"""From the change log into the index, and found."""

import msgspec
import pytest

from posthouse.backends.memory.fulltext import MemoryFullText
from posthouse.backends.sqlite.fulltext import SqliteFullText
from posthouse.formats.mime.card import digest, digests, read_card
from posthouse.model.batch import (
    Batch,
    ChangeFlags,
    ChangeProperties,
    Commit,
    ExpungeItems,
    MoveItems,
    RemoveFolder,
)
from posthouse.model.errors import ParserFailed
from posthouse.model.item import Flags
from posthouse.services.search.indexer import Indexer, folders_behind
from posthouse.services.search.query import TERMS_MAX, parse_query
from posthouse.services.search.search import Search
from posthouse.services.upkeep.finds import INBOX, Found, FoundFolder
from posthouse.services.upkeep.import_mail import Importer


async def at_once(work):
    return work()


class Words:
    """The parse pool: how many messages it was shown, and in how many calls."""

    def __init__(self):
        self.count = 0
        self.calls = 0

    async def __call__(self, contents):
        self.calls += 1
        if b"poison" in contents:
            raise ParserFailed("too odd")
        self.count += len(msgspec.msgpack.decode(contents))
        return digests(contents)


@pytest.fixture(params=["memory", "sqlite"])
def house(request, site, tmp_path):
    fulltext = MemoryFullText() if request.param == "memory" else SqliteFullText(tmp_path / "s.db")
    site.words = Words()
    site.fulltext = fulltext
    site.indexer = Indexer(site.store, fulltext, site.words, at_once)
    site.search = Search(fulltext, site.indexer, site.clock)
    yield site
    fulltext.close()


def add(site, number, body, folder=INBOX):
    found = Found(
        "x", folder, f"Subject: s{number}\r\n\r\n{body}\r\n".encode(), received_at=number * 1000
    )
    site.run(Importer(site.store, site.mailbox_id).run([found]))


def find(site, text, **more):
    ids = site.run(site.search.find(site.mailbox_id, text, **more))
    items = site.run(site.records.items(site.mailbox_id, ids))
    return [item.columns.subject for item in items]


def apply(site, *operations):
    site.run(site.store.apply(Commit((Batch(site.mailbox_id, operations),))))


def ids_in(site, name):
    return tuple(place.item_id for _, place, _ in site.listing(name))


def test_what_was_stored_is_found_at_once_newest_first(house):
    for number in range(250):
        add(house, number, "many words" if number % 100 == 7 else "nothing")
    assert find(house, "many") == ["s207", "s107", "s7"]
    assert find(house, "many", limit=1) == ["s207"]
    assert find(house, "subject:s12") == ["s12"]
    assert house.run(folders_behind(house.records, house.fulltext, house.mailbox_id)) == 0
    assert house.words.count == 250


def test_flags_and_moves_need_no_new_words(house):
    add(house, 1, "plan")
    assert find(house, "plan") == ["s1"]
    folders = house.folders()
    inbox, archive = folders["Inbox"].folder_id, folders["Archive"].folder_id
    apply(house, ChangeFlags(inbox, ids_in(house, "Inbox"), Flags.FLAGGED, Flags.NONE))
    apply(house, MoveItems(inbox, ids_in(house, "Inbox"), archive))
    assert find(house, "plan", folder_ids=[archive]) == ["s1"]
    assert find(house, "plan", folder_ids=[inbox]) == []
    assert house.words.count <= 2


def test_what_is_deleted_is_not_found(house):
    add(house, 1, "plan")
    add(house, 2, "plan", FoundFolder(("Work",)))
    assert find(house, "plan") == ["s2", "s1"]
    inbox = house.folders()["Inbox"].folder_id
    apply(house, ExpungeItems(inbox, ids_in(house, "Inbox"), 5))
    assert find(house, "plan") == ["s2"]
    apply(house, RemoveFolder(house.folders()["Work"].folder_id))
    assert find(house, "plan") == []


def test_a_message_the_parser_dies_of_is_found_by_its_header(house):
    add(house, 1, "poison")
    assert find(house, "s1") == ["s1"]
    assert find(house, "poison") == []


def test_a_lost_index_is_rebuilt(house):
    add(house, 1, "plan")
    find(house, "plan")
    house.fulltext.forget_mailbox(house.mailbox_id)
    again = Indexer(house.store, house.fulltext, house.words, at_once)
    assert house.run(again.run_once()) > 0
    assert house.run(again.run_once()) == 0
    assert house.run(folders_behind(house.records, house.fulltext, house.mailbox_id)) == 0
    add(house, 2, "plan")
    assert house.run(folders_behind(house.records, house.fulltext, house.mailbox_id)) == 1
    assert house.run(again.run_once()) == 1
    assert find(house, "plan") == ["s2", "s1"]


def test_a_mailbox_that_is_no_more_is_forgotten(house):
    add(house, 1, "plan")
    find(house, "plan")
    house.run(house.records.delete_mailbox(house.mailbox_id))
    house.run(house.indexer.run_once())
    assert list(house.fulltext.mailbox_ids()) == []


def test_a_question_waits_no_longer_than_it_may(house):
    add(house, 1, "plan")

    class Hasty:
        def monotonic_s(self):
            return house.clock.monotonic_s() - 100

    search = Search(house.fulltext, house.indexer, Hasty())
    assert list(house.run(search.find(house.mailbox_id, "plan"))) == []
    assert house.words.count == 0


def test_queries_are_bounded():
    assert len(parse_query("a " * 500).terms) == TERMS_MAX
    assert parse_query("x" * 5000).terms[0].text == "x" * 200
    assert parse_query("!!! *").terms == ()


def test_every_message_gets_its_card_a_page_at_a_time(house):
    for number in range(150):
        add(house, number, "words")
    add(house, 150, "poison")
    commits = []
    apply_really = house.records.apply

    async def counted(commit):
        commits.append(commit)
        return await apply_really(commit)

    house.records.apply = counted
    assert house.run(house.indexer.run_once()) > 0
    assert len(commits) == 2
    # Two pages; of the second every message alone, since one is too odd.
    assert house.words.calls == 1 + 1 + 51
    cards = {item.columns.subject: read_card(item.card) for _, _, item in house.listing("Inbox")}
    assert cards.pop("s150") is None
    assert all(card.envelope.subject == subject for subject, card in cards.items())
    assert house.run(house.indexer.run_once()) == 0
    assert len(commits) == 2


def test_a_card_that_is_there_is_not_written_again(house):
    add(house, 1, "words")
    (item_id,) = ids_in(house, "Inbox")
    (_, _, item) = house.listing("Inbox")[0]
    card = digest_of(house, item).card
    apply(house, ChangeProperties(item_id, card=card))
    apply_really, house.records.apply = house.records.apply, None
    assert house.run(house.indexer.run_once()) > 0
    house.records.apply = apply_really
    assert find(house, "words") == ["s1"]


def digest_of(house, item):
    return digest(house.store.blobs.read_plain(item.blob))


def test_what_many_got_is_looked_at_once(house):
    for folder in ("Work", "Home", "Club"):
        add(house, 1, "the same", FoundFolder((folder,)))
    house.run(house.indexer.run_once())
    assert house.words.count == 1
    assert find(house, "same") == ["s1"] * 3


def test_a_slice_of_time_ends_it_and_the_rest_comes_later(house):
    add(house, 1, "plan")
    mailbox_id, now = house.mailbox_id, house.clock.monotonic_s()
    assert house.run(house.indexer.advance([mailbox_id, 99], now)) == [mailbox_id, 99]
    assert house.words.count == 0
    assert house.run(house.indexer.advance([mailbox_id, 99], now + 1)) == []
    assert house.words.count == 1
