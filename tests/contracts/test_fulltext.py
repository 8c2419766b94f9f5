"""The full-text index's contract: one suite, every backend."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posthouse.backends.memory.fulltext import MemoryFullText
from posthouse.backends.sqlite.fulltext import SqliteFullText
from posthouse.ports.fulltext import IndexEntry, IndexPage, Query, Term, Where
from posthouse.services.search.query import parse_query

GUID = b"g" * 16


@pytest.fixture(params=["memory", "sqlite"])
def index(request, tmp_path):
    made = MemoryFullText() if request.param == "memory" else SqliteFullText(tmp_path / "s.db")
    yield made
    made.close()


def entry(item_id, subject="", body="", sender="", recipients="", cn=1):
    return IndexEntry(item_id, cn, 1000 - item_id, sender, recipients, subject, body)


def put(index, *entries, mailbox=1, folder=5, guid=GUID, **more):
    since = index.positions(mailbox, guid).get(folder, 0)
    return index.write(IndexPage(mailbox, guid, folder, since, since + 10, entries, **more))


def find(index, text, mailbox=1, folders=None, limit=10):
    return list(index.find(mailbox, folders, parse_query(text), limit))


def test_words_phrases_fields_and_prefixes(index):
    put(
        index,
        entry(1, "Quarterly report", "the numbers are good", "Alice <alice@example.org>"),
        entry(2, "Re: Bericht", "Die Zahlen: größer als übrig", "bob@example.org", "alice@x"),
        entry(3, "numbers game", "good are the odds"),
    )
    assert find(index, "numbers") == [1, 3]
    assert find(index, "NUMBERS good") == [1, 3]
    assert find(index, '"numbers are"') == [1]
    assert find(index, "subject:numbers") == [3]
    assert find(index, "from:alice") == [1]
    assert find(index, "to:alice") == [2]
    assert find(index, "alice@example.org") == [1]
    assert find(index, "num*") == [1, 3]
    assert find(index, "nu") == []
    assert find(index, "ubrig") == [2]
    assert find(index, "GRÖSSER") in ([2], [])
    assert find(index, "numbers nowhere") == []
    assert find(index, "") == []
    assert find(index, "numbers", limit=1) == [1]


@pytest.mark.parametrize(
    "text", ['"', "AND", "NOT x", "box:1", "a OR b", "x^2", "(", "*", "-a", "sender:a"]
)
def test_nothing_typed_is_an_operator(index, text):
    put(index, entry(1, "and not box or b"))
    find(index, text)


def test_mailboxes_and_folders_are_apart(index):
    put(index, entry(1, "plan"))
    put(index, entry(2, "plan"), folder=6)
    put(index, entry(1, "plan mailbox1"), mailbox=2)
    assert find(index, "plan") == [1, 2]
    assert find(index, "plan", folders=[6]) == [2]
    assert find(index, "plan", folders=[]) == []
    assert find(index, "plan", mailbox=2) == [1]
    assert find(index, "mailbox1") == []
    assert find(index, "mailbox1", mailbox=2) == [1]


def test_steps_fit_or_are_refused(index):
    first = IndexPage(1, GUID, 5, 0, 10, (entry(1, "one"),))
    assert index.write(first)
    assert not index.write(first)
    assert not index.write(IndexPage(1, GUID, 5, 9, 20, (entry(2, "two"),)))
    assert find(index, "two") == []
    assert index.positions(1, GUID) == {5: 10}
    assert index.known(1, [1, 2]) == {1: 1}


def test_changes_moves_and_removals(index):
    put(index, entry(1, "old"), entry(2, "stays"))
    put(index, entry(1, "new", cn=11))
    assert (find(index, "old"), find(index, "new")) == ([], [1])
    put(index, folder=6, moved=(1,))
    put(index, vanished=(1, 2))
    assert find(index, "new", folders=[6]) == [1]
    assert find(index, "stays") == []


def test_forgetting(index):
    put(index, entry(1, "plan"))
    put(index, entry(2, "plan"), folder=6)
    put(index, entry(3, "plan"), mailbox=2)
    index.forget_folder(1, 5)
    assert find(index, "plan") == [2]
    assert index.positions(1, GUID) == {6: 10}
    assert list(index.mailbox_ids()) == [1, 2]
    index.forget_mailbox(1)
    assert find(index, "plan") == []
    assert list(index.mailbox_ids()) == [2]


def test_another_guid_begins_anew(index):
    put(index, entry(1, "plan"))
    other = b"h" * 16
    assert index.positions(1, other) == {}
    assert put(index, entry(2, "plan"), folder=6, guid=other)
    assert find(index, "plan") == [2]
    assert index.positions(1, GUID) == {}


def test_a_damaged_or_foreign_file_is_made_anew(tmp_path):
    path = tmp_path / "s.db"
    path.write_bytes(b"no database" * 1000)
    index = SqliteFullText(path)
    put(index, entry(1, "plan"))
    index._connection.pragma("user_version", 99)
    index.close()
    again = SqliteFullText(path)
    assert again.positions(1, GUID) == {}
    put(again, entry(1, "plan"))
    assert find(again, "plan") == [1]
    again.close()


def test_two_processes_share_the_file(tmp_path):
    here, there = SqliteFullText(tmp_path / "s.db"), SqliteFullText(tmp_path / "s.db")
    put(here, entry(1, "plan"))
    assert find(there, "plan") == [1]
    assert not there.write(IndexPage(1, GUID, 5, 0, 10))
    here.close()
    there.close()


WORDS = st.lists(st.sampled_from(["ab", "abc", "b", "ba", "c", "d"]), max_size=4).map(" ".join)
TERMS = st.builds(
    Term,
    st.sampled_from(["a", "ab", "b ba", "abc", "c d"]),
    st.sampled_from(list(Where)),
    st.booleans(),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(WORDS, WORDS), max_size=6), st.lists(TERMS, min_size=1, max_size=3))
def test_both_find_the_same(tmp_path_factory, rows, terms):
    memory = MemoryFullText()
    sqlite = SqliteFullText(tmp_path_factory.mktemp("fts") / "s.db")
    entries = [entry(n, subject, body) for n, (subject, body) in enumerate(rows, 1)]
    for one in (memory, sqlite):
        put(one, *entries)
    query = Query(tuple(terms))
    assert list(memory.find(1, None, query, 99)) == list(sqlite.find(1, None, query, 99))
    sqlite.close()


@given(st.text(max_size=80))
def test_any_text_is_a_query(text):
    index = SHARED
    index.find(1, None, parse_query(text), 5)


class _Lazy:
    """One in-memory file for the query fuzzing."""

    def __init__(self):
        self.made = None

    def find(self, *args):
        if self.made is None:
            import tempfile
            from pathlib import Path

            self.folder = tempfile.TemporaryDirectory()
            self.made = SqliteFullText(Path(self.folder.name) / "s.db")
            put(self.made, entry(1, "words to find"))
        return self.made.find(*args)


SHARED = _Lazy()
