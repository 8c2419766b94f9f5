"""The address book: who is found by what, and that it keeps up with the directory."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.model.book import Details, Photo
from posthouse.model.ids import MailboxId, PrincipalId
from posthouse.model.people import PrincipalKind
from posthouse.services.directory import address_book
from posthouse.services.directory.address_book import AddressBook
from posthouse.services.directory.book_words import folded, keys_of, search_keys, words

GROUP, ROOM = PrincipalKind.GROUP, PrincipalKind.ROOM


class Zeros:
    def token_bytes(self, count):
        return b"\0" * count


class Organisation:
    """A directory and its book."""

    def __init__(self):
        self.directory = MemoryDirectory(Zeros())
        self.directory.add_domain("example.org")
        self.book = AddressBook(self.directory)
        self.numbers = itertools.count(1)

    def add(self, local, name="", kind=PrincipalKind.USER, aliases=(), **details):
        mailbox_id = 0 if kind is GROUP else next(self.numbers)
        made = self.directory.add_principal(
            kind, f"{local}@example.org", name or local, MailboxId(mailbox_id)
        )
        for alias in aliases:
            self.directory.add_alias(f"{alias}@example.org", made.principal_id)
        if details:
            self.directory.set_details(made.principal_id, Details(**details))
        return made.principal_id

    def group(self, local, *members, name=""):
        made = self.add(local, name, GROUP)
        self.directory.set_members(made, members)
        return made

    def finds(self, text, limit=100, offset=0):
        return locals_of(self.book.search(text, limit, offset))

    def resolves(self, text):
        return locals_of(self.book.resolve(text))


def locals_of(found):
    return [entry.address.partition("@")[0] for entry in found.entries]


@pytest.fixture
def org():
    made = Organisation()
    made.add(
        "alice", "Alice Müller", aliases=["al.work"], first_name="Alice", phone="+49 30 123-45"
    )
    made.add("bob", "Bob Müller-Łukasz", alias="bobby", mobile_phone="0170 999")
    made.add("carol", "Carol O'Brien", title="Clerk", last_name="Öztürk", office="Haus B")
    made.add("hidden", "Alice Hidden", is_hidden=True)
    return made


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("ali", ["alice"]),
        ("MULL", ["alice", "bob"]),
        ("müller", ["alice", "bob"]),
        ("muller ali", ["alice"]),
        ("ali ali", ["alice"]),
        ("ali bob", []),
        ("lukasz", ["bob"]),
        ("bobb", ["bob"]),
        ("o'brien", ["carol"]),
        ("brien", ["carol"]),
        ("ozt", ["carol"]),
        ("clerk", []),
        ("haus b", ["carol"]),
        ("work", ["alice"]),
        ("AL.wo", ["alice"]),
        ("al.work@ex", ["alice"]),
        ("bob@EXAMPLE", ["bob"]),
        ("@example", []),
        ("liddell", []),
        ("", []),
        (" - ", []),
        ("*", []),
        ("hidden", []),
        ("+49 (30) 123", ["alice"]),
        ("030 12345", ["alice"]),
        ("12345", ["alice"]),
        ("0170-99", ["bob"]),
        ("17", ["bob"]),
        ("0-1", []),
    ],
)
def test_search(org, text, who):
    assert org.finds(text) == who


def test_a_search_comes_in_pages_in_order_of_name(org):
    org.add("zoe", "Alice Abel")
    org.add("anna", "Alice Müller")
    assert org.finds("alice") == ["zoe", "alice", "anna"]
    assert org.finds("alice", 2) == ["zoe", "alice"]
    assert org.finds("alice", 5, 1) == ["alice", "anna"]
    assert org.finds("alice", 0) == []
    assert org.book.search("alice", 1).total == 3
    everybody = org.book.listed(2, 1)
    assert (locals_of(everybody), everybody.total) == (["alice", "anna"], 5)


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("alice@example.org", ["alice"]),
        ("  SMTP:AL.Work@example.org ", ["alice"]),
        ("Alice <alice@example.org>", ["alice"]),
        ("ali", ["alice"]),
        ("müller", ["alice", "bob"]),
        ("nobody", []),
        ("nobody@example.org", []),
        ("hidden@example.org", []),
        ("Alice Hidden", []),
        ("", []),
        (">", []),
    ],
)
def test_resolve(org, text, who):
    assert org.resolves(text) == who


def test_an_exact_name_wins_over_longer_ones_and_several_are_ambiguous(org):
    org.add("li", "Li")
    org.add("lisa", "Lisa")
    org.add("anna", "Anna Lee")
    org.add("annie", "Anna Leeman")
    assert org.resolves("LI") == ["li"]
    assert org.resolves("lee, anna") == ["anna"]
    assert org.book.resolve("li").one.address == "li@example.org"
    assert org.book.resolve("l").one is None
    org.add("lz", "Li")
    assert org.resolves("li") == ["li", "lz"]
    ambiguous = org.book.resolve("li", limit=1)
    assert (len(ambiguous.entries), ambiguous.total, ambiguous.one) == (1, 2, None)
    assert org.book.resolve("nobody").total == 0


def test_an_entry_tells_what_is_known(org):
    entry = org.book.by_address("al.work@example.org")
    assert (entry.name, entry.alias, entry.details.phones) == (
        "Alice Müller",
        "alice",
        ("+49 30 123-45",),
    )
    assert org.book.by_address("bob@example.org").alias == "bobby"
    assert org.book.by_address("hidden@example.org").details.is_hidden
    assert org.book.by_address("x@y.example") is None
    assert org.book.entry(entry.principal_id) is entry
    assert org.book.entry(PrincipalId(99)) is None


def test_photos(org):
    photo = Photo("image/png", b"x", 1)
    number = org.book.by_address("bob@example.org").principal_id
    assert not org.book.entry(number).has_photo
    org.directory.set_photo(number, photo)
    assert org.book.entry(number).has_photo
    assert org.book.photo(number) == photo


def test_members_as_they_stand_and_expanded(org):
    inner = org.group("inner", "bob@example.org", "x@y.example", "outer@example.org")
    outer = org.group("outer", "inner@example.org", "al.work@example.org", "alice@example.org")
    direct = org.book.members(outer, 10)
    assert [member.address for member in direct.members] == [
        "inner@example.org",
        "al.work@example.org",
        "alice@example.org",
    ][:2]
    assert direct.total == 2
    everybody = org.book.members(outer, 2, is_nested=True)
    assert [member.entry.address for member in everybody.members] == [
        "alice@example.org",
        "bob@example.org",
    ]
    assert everybody.total == 3
    (foreign,) = (m for m in org.book.members(inner, 10).members if m.entry is None)
    assert foreign.address == "x@y.example"
    assert org.book.members(PrincipalId(99), 10).total == 0


def test_rooms_and_lists_of_rooms(org):
    org.add("small", "Small room", ROOM)
    org.add("big", "Big room", ROOM)
    org.group("floor", "small@example.org", "big@example.org")
    org.group("mixed", "small@example.org", "alice@example.org")
    org.group("foreign", "x@y.example")
    empty = org.group("empty")
    assert [entry.address[:3] for entry in org.book.rooms()] == ["big", "sma"]
    assert [entry.address[:5] for entry in org.book.room_lists()] == ["floor"]
    org.directory.set_members(empty, ["big@example.org"])
    assert [entry.address[:5] for entry in org.book.room_lists()] == ["empty", "floor"]


def test_the_book_follows_the_directory(org):
    assert org.finds("alice") == ["alice"]
    dora = org.add("dora", "Alice Dora")
    assert org.finds("alice") == ["dora", "alice"]
    org.directory.set_details(dora, Details(is_hidden=True))
    assert org.finds("alice") == ["alice"]
    org.directory.set_details(dora, Details())
    org.directory.remove_principal(org.book.by_address("alice@example.org").principal_id)
    assert org.finds("alice") == ["dora"]
    assert org.book.by_address("al.work@example.org") is None
    org.directory.add_alias("al.work@example.org", dora)
    assert org.finds("work") == ["dora"]
    org.directory.set_catch_all("example.org", "dora@example.org")
    assert org.finds("alice") == ["dora"]


NAMES = st.text(alphabet="aÄbßﬁŁ .-'1", max_size=8)
CHANGES = st.lists(st.tuples(st.integers(0, 5), NAMES, st.booleans(), st.booleans()), max_size=12)
TEXTS = st.lists(st.text(alphabet="aäbsfL 1@", max_size=4), min_size=1, max_size=4)


def fits(entry, text):
    """By going through everything: what the index must come to."""
    keys = keys_of(entry)
    return any(
        all(any(key.startswith(wanted) for key in keys) for wanted in way)
        for way in search_keys(text)
    )


@settings(max_examples=60, deadline=None)
@given(CHANGES, TEXTS, st.sampled_from([0, 200]))
def test_kept_up_or_read_anew_it_finds_what_fits(changes, texts, anew_from):
    org = Organisation()
    before = address_book._ANEW_FROM
    address_book._ANEW_FROM = anew_from
    try:
        for number, name, is_hidden, stays in changes:
            known = org.directory.by_address(f"p{number}@example.org")
            if known is not None and not stays:
                org.directory.remove_principal(known.principal_id)
            elif known is not None:
                details = Details(alias=name, is_hidden=is_hidden)
                org.directory.set_details(known.principal_id, details)
            else:
                org.add(f"p{number}", name, phone=name)
            org.book.listed(1)
        for text in texts:
            found = org.book.search(text, 100)
            shown = org.book.listed(100).entries
            assert list(found.entries) == [entry for entry in shown if fits(entry, text)]
            assert found.total == len(found.entries)
            assert locals_of(AddressBook(org.directory).search(text, 100)) == locals_of(found)
    finally:
        address_book._ANEW_FROM = before


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_any_text_is_folded_once_and_for_all(text):
    once = folded(text)
    assert folded(once) == once
    assert folded(text.upper().lower()) == folded(text.upper())
    assert words(once) == words(text)
    for way in search_keys(text):
        assert way
        assert all(way)


@pytest.mark.parametrize(
    ("text", "same"),
    [("Ärger", "arger"), ("ŁÓDŹ", "lodz"), ("Straße", "STRASSE"), ("ﬁne", "fine"), ("ΣΑΣ", "σας")],
)
def test_what_is_the_same_to_people(text, same):
    assert folded(text) == folded(same)
