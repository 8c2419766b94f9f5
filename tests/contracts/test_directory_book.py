"""The address book and send grants, for every backend of the directory."""

import hashlib

import pytest

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.sqlite.directory import SqliteDirectory
from posthouse.model.book import BookEntry, Details, Photo
from posthouse.model.errors import NotFound
from posthouse.model.ids import MailboxId, PrincipalId
from posthouse.model.people import PrincipalKind
from posthouse.model.rights import Rights
from posthouse.ports.directory import SendGrant

NOBODY = PrincipalId(99)
DETAILS = Details(first_name="Änne", phone="+49 30 1234", is_hidden=True)
PHOTO = Photo("image/png", b"\x89PNG\0\xff", 1_700_000_000_000)


class CountingChance:
    def __init__(self):
        self.count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


@pytest.fixture(params=["memory", "sqlite"])
def directory(request, tmp_path):
    if request.param == "memory":
        made = MemoryDirectory(CountingChance())
    else:
        made = SqliteDirectory(tmp_path / "directory.db", CountingChance())
    yield made
    made.close()


def add(directory, name, kind=PrincipalKind.USER, mailbox_id=1):
    return directory.add_principal(
        kind, f"{name}@example.org", name.title(), MailboxId(mailbox_id)
    ).principal_id


def entry(directory, principal_id):
    (found,) = directory.book_entries([principal_id])
    return found


def test_whose_mailbox(directory):
    alice, bob = add(directory, "alice", mailbox_id=7), add(directory, "bob", mailbox_id=8)
    add(directory, "all", PrincipalKind.GROUP, 0)
    assert directory.by_mailbox(MailboxId(7)).principal_id == alice
    assert directory.by_mailbox(MailboxId(8)).principal_id == bob
    assert directory.by_mailbox(MailboxId(9)) is None
    assert directory.by_mailbox(MailboxId(0)) is None


def test_groups_of_somebody_by_any_address(directory):
    alice, bob = add(directory, "alice"), add(directory, "bob")
    groups = [add(directory, name, PrincipalKind.GROUP, 0) for name in ("one", "two", "three")]
    directory.add_alias("al@example.org", alice)
    directory.set_members(groups[2], ["al@example.org", "alice@example.org"])
    directory.set_members(groups[0], ["bob@example.org", "alice@example.org"])
    directory.set_members(groups[1], ["one@example.org", "x@y.example"])
    assert list(directory.groups_of(alice)) == [groups[0], groups[2]]
    assert list(directory.groups_of(bob)) == [groups[0]]
    assert list(directory.groups_of(groups[0])) == [groups[1]]
    assert list(directory.groups_of(NOBODY)) == []


def test_entries_come_back_as_made(directory):
    alice, bob = add(directory, "alice"), add(directory, "bob")
    directory.add_alias("b@example.org", alice)
    directory.add_alias("a@example.org", alice)
    directory.set_details(alice, DETAILS)
    directory.set_photo(alice, PHOTO)
    assert entry(directory, alice) == BookEntry(
        directory.principal(alice), ("a@example.org", "b@example.org"), DETAILS, has_photo=True
    )
    assert entry(directory, bob) == BookEntry(directory.principal(bob))
    assert {found.principal_id for found in directory.book_entries()} == {alice, bob}
    assert list(directory.book_entries([NOBODY])) == []
    assert list(directory.book_entries([])) == []


def test_details_are_replaced_whole(directory):
    alice = add(directory, "alice")
    directory.set_details(alice, DETAILS)
    directory.set_details(alice, Details(title="Clerk"))
    assert entry(directory, alice).details == Details(title="Clerk")
    with pytest.raises(NotFound):
        directory.set_details(NOBODY, DETAILS)


def test_photos(directory):
    alice = add(directory, "alice")
    assert directory.photo(alice) is None
    directory.set_photo(alice, Photo("image/jpeg", b"x", 1))
    directory.set_photo(alice, PHOTO)
    assert directory.photo(alice) == PHOTO
    directory.set_photo(alice, None)
    assert directory.photo(alice) is None
    assert not entry(directory, alice).has_photo
    assert directory.photo(NOBODY) is None
    with pytest.raises(NotFound):
        directory.set_photo(NOBODY, PHOTO)


def test_send_grants(directory):
    office = add(directory, "office", PrincipalKind.SHARED)
    alice, bob = add(directory, "alice"), add(directory, "bob")
    directory.set_send_grant(office, bob, Rights.SEND_AS | Rights.SEND_ON_BEHALF)
    directory.set_send_grant(office, alice, Rights.SEND_ON_BEHALF)
    directory.set_send_grant(alice, bob, Rights.SEND_AS)
    assert list(directory.send_grants(office)) == [
        SendGrant(office, alice, Rights.SEND_ON_BEHALF),
        SendGrant(office, bob, Rights.SEND_AS | Rights.SEND_ON_BEHALF),
    ]
    directory.set_send_grant(office, bob, Rights.SEND_AS)
    directory.set_send_grant(office, alice, Rights.NONE)
    assert list(directory.send_grants(office)) == [SendGrant(office, bob, Rights.SEND_AS)]
    assert list(directory.send_grants(NOBODY)) == []
    for pair in ((NOBODY, bob), (office, NOBODY)):
        before = directory.version()
        with pytest.raises(NotFound):
            directory.set_send_grant(*pair, Rights.SEND_AS)
        assert directory.version() == before


def test_a_removal_takes_grants_of_both_sides_and_the_entry_along(directory):
    office, alice = add(directory, "office"), add(directory, "alice")
    bob = add(directory, "bob")
    directory.set_send_grant(office, alice, Rights.SEND_AS)
    directory.set_send_grant(office, bob, Rights.SEND_AS)
    directory.set_send_grant(alice, bob, Rights.SEND_AS)
    directory.set_details(alice, DETAILS)
    directory.set_photo(alice, PHOTO)
    directory.remove_principal(alice)
    assert list(directory.send_grants(office)) == [SendGrant(office, bob, Rights.SEND_AS)]
    assert list(directory.send_grants(alice)) == []
    assert directory.photo(alice) is None
    again = add(directory, "alice")
    assert entry(directory, again) == BookEntry(directory.principal(again))


def test_what_the_book_shows_of_somebody_moves_both_versions(directory):
    alice, bob = add(directory, "alice"), add(directory, "bob")
    changes = [
        lambda: directory.set_details(alice, DETAILS),
        lambda: directory.set_photo(alice, PHOTO),
        lambda: directory.set_photo(alice, None),
        lambda: directory.add_alias("al@example.org", alice),
        lambda: directory.set_send_grant(alice, bob, Rights.SEND_AS),
        lambda: directory.set_send_grant(bob, alice, Rights.SEND_AS),
    ]
    for change in changes:
        before = directory.version(), dict(directory.principal_versions())
        change()
        after = dict(directory.principal_versions())
        assert directory.version() > before[0]
        assert after[alice] > before[1][alice]
        assert after == {p.principal_id: p.version for p in directory.principals(None)}
