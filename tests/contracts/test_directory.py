"""The directory's contract: one suite, every backend."""

import hashlib
from dataclasses import replace

import pytest

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.sqlite.directory import SqliteDirectory
from posthouse.model.errors import AlreadyExists, NotFound
from posthouse.model.ids import DeviceId, MailboxId, PrincipalId
from posthouse.model.people import PrincipalKind, ScramVerifier, Secret


class CountingChance:
    """Never the same octets twice, and always the same in a test."""

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


def secret(text="x", scope=()):
    return Secret(DeviceId(0), text, ScramVerifier(b"s" * 32, b"k" * 32), scope)


def add(directory, address, kind=PrincipalKind.USER, mailbox_id=1, **more):
    return directory.add_principal(kind, address, address.title(), MailboxId(mailbox_id), **more)


def test_domains_keep_their_order_and_the_first_is_the_default(directory):
    directory.add_domain("zeta.example")
    directory.add_domain("alpha.example", catch_all="all@zeta.example")
    assert list(directory.domains()) == ["zeta.example", "alpha.example"]
    assert directory.catch_all("zeta.example") == ""
    assert directory.catch_all("alpha.example") == "all@zeta.example"
    directory.set_catch_all("zeta.example", "x@y.example")
    assert directory.catch_all("zeta.example") == "x@y.example"
    assert directory.catch_all("nowhere.example") == ""
    with pytest.raises(AlreadyExists):
        directory.add_domain("zeta.example")
    with pytest.raises(NotFound):
        directory.set_catch_all("nowhere.example", "")
    version = directory.version()
    directory.remove_domain("zeta.example")
    assert list(directory.domains()) == ["alpha.example"]
    assert directory.version() != version
    with pytest.raises(NotFound):
        directory.remove_domain("zeta.example")


def test_a_principal_comes_back_as_made(directory):
    made = directory.add_principal(
        PrincipalKind.USER, "alice@example.org", "Alice Ä", MailboxId(7), secret=secret("hash")
    )
    assert (made.kind, made.address, made.name, made.mailbox_id) == (
        PrincipalKind.USER,
        "alice@example.org",
        "Alice Ä",
        7,
    )
    assert not made.is_disabled
    assert made.forward_to == ()
    assert made.keeps_copy
    assert directory.principal(made.principal_id) == made
    assert directory.by_address("alice@example.org") == made
    assert directory.by_address("bob@example.org") is None
    assert directory.credentials(made.principal_id).secrets == (secret("hash"),)


def test_no_name_is_given_twice(directory):
    alice = add(directory, "alice@example.org")
    bob = add(directory, "bob@example.org")
    directory.add_alias("al@example.org", alice.principal_id)
    before = directory.version()
    for name in ("alice@example.org", "al@example.org"):
        with pytest.raises(AlreadyExists):
            add(directory, name)
        with pytest.raises(AlreadyExists):
            directory.add_alias(name, bob.principal_id)
    assert directory.principal(bob.principal_id) == bob
    assert directory.version() == before
    assert [p.address for p in directory.principals(None)] == [
        "alice@example.org",
        "bob@example.org",
    ]


def test_principals_are_listed_by_kind_in_order_of_address(directory):
    add(directory, "b@example.org")
    add(directory, "c@example.org", PrincipalKind.ROOM)
    add(directory, "a@example.org")
    add(directory, "d@example.org", PrincipalKind.GROUP, 0)
    assert [p.address[0] for p in directory.principals(PrincipalKind.USER)] == ["a", "b"]
    assert [p.address[0] for p in directory.principals(PrincipalKind.ROOM)] == ["c"]
    assert [p.address[0] for p in directory.principals(None)] == ["a", "b", "c", "d"]


def test_change_keeps_what_it_may_not_change(directory):
    alice = add(directory, "alice@example.org", mailbox_id=3)
    changed = directory.change_principal(
        replace(
            alice,
            name="A",
            is_disabled=True,
            forward_to=("x@y.example", "z@y.example"),
            keeps_copy=False,
            address="other@example.org",
            mailbox_id=MailboxId(9),
        )
    )
    assert changed.version > alice.version
    assert (changed.address, changed.mailbox_id) == ("alice@example.org", 3)
    assert (changed.name, changed.is_disabled, changed.keeps_copy) == ("A", True, False)
    assert changed.forward_to == ("x@y.example", "z@y.example")
    assert directory.by_address("alice@example.org") == changed
    with pytest.raises(NotFound):
        directory.change_principal(replace(alice, principal_id=PrincipalId(99)))


def test_removal_takes_names_memberships_and_secrets_along(directory):
    alice = add(directory, "alice@example.org", secret=secret())
    group = add(directory, "all@example.org", PrincipalKind.GROUP, 0)
    directory.add_alias("al@example.org", alice.principal_id)
    directory.set_members(
        group.principal_id, ["alice@example.org", "x@y.example", "al@example.org"]
    )
    group_before = directory.principal(group.principal_id)
    directory.remove_principal(alice.principal_id)
    assert directory.by_address("alice@example.org") is None
    assert directory.by_address("al@example.org") is None
    assert list(directory.members(group.principal_id)) == ["x@y.example"]
    assert directory.principal(group.principal_id).version > group_before.version
    for ask in (directory.principal, directory.credentials, directory.remove_principal):
        with pytest.raises(NotFound):
            ask(alice.principal_id)
    assert list(directory.devices(alice.principal_id)) == []
    # A new person of that name is another person.
    assert add(directory, "alice@example.org").principal_id > group.principal_id


def test_aliases(directory):
    alice = add(directory, "alice@example.org")
    directory.add_alias("b@example.org", alice.principal_id)
    directory.add_alias("a@example.org", alice.principal_id)
    assert list(directory.aliases(alice.principal_id)) == ["a@example.org", "b@example.org"]
    assert directory.by_address("a@example.org").principal_id == alice.principal_id
    directory.remove_alias("a@example.org")
    assert directory.by_address("a@example.org") is None
    for name in ("a@example.org", "alice@example.org"):
        with pytest.raises(NotFound):
            directory.remove_alias(name)
    with pytest.raises(NotFound):
        directory.add_alias("c@example.org", PrincipalId(99))


def test_members_keep_their_order_each_once(directory):
    group = add(directory, "all@example.org", PrincipalKind.GROUP, 0)
    directory.set_members(group.principal_id, ["z@y.example", "a@y.example", "z@y.example"])
    assert list(directory.members(group.principal_id)) == ["z@y.example", "a@y.example"]
    directory.set_members(group.principal_id, [])
    assert list(directory.members(group.principal_id)) == []
    with pytest.raises(NotFound):
        directory.set_members(PrincipalId(99), [])


def test_own_password_is_replaced_and_devices_stand_beside_it(directory):
    alice = add(directory, "alice@example.org", secret=secret("one"))
    phone = directory.add_device(alice.principal_id, "Phone", secret("p", ("pop3", "smtp")), 1000)
    laptop = directory.add_device(alice.principal_id, "Läptop", secret("l"), 2000)
    directory.set_secret(alice.principal_id, secret("two"))
    kept = directory.credentials(alice.principal_id)
    assert [(s.device_id, s.password_hash, s.scope) for s in kept.secrets] == [
        (0, "two", ()),
        (phone.device_id, "p", ("pop3", "smtp")),
        (laptop.device_id, "l", ()),
    ]
    assert kept.secrets[0].scram == ScramVerifier(b"s" * 32, b"k" * 32)
    assert list(directory.devices(alice.principal_id)) == [phone, laptop]
    assert (phone.label, phone.created_at, phone.scope) == ("Phone", 1000, ("pop3", "smtp"))
    with pytest.raises(AlreadyExists):
        directory.add_device(alice.principal_id, "Phone", secret(), 3000)
    with pytest.raises(NotFound):
        directory.add_device(PrincipalId(99), "Phone", secret(), 3000)


def test_a_revoked_devices_number_never_comes_back(directory):
    alice = add(directory, "alice@example.org")
    phone = directory.add_device(alice.principal_id, "Phone", secret("p"), 1)
    directory.revoke_device(alice.principal_id, phone.device_id)
    assert directory.credentials(alice.principal_id).secrets == ()
    again = directory.add_device(alice.principal_id, "Phone", secret("p"), 1)
    assert again.device_id > phone.device_id
    for device_id in (phone.device_id, DeviceId(0)):
        with pytest.raises(NotFound):
            directory.revoke_device(alice.principal_id, device_id)


def test_noting_a_use_moves_no_version(directory):
    alice = add(directory, "alice@example.org", secret=secret())
    phone = directory.add_device(alice.principal_id, "Phone", secret("p"), 1)
    before = directory.version(), directory.principal(alice.principal_id).version
    directory.note_use(alice.principal_id, phone.device_id, 5_000, "pop3")
    directory.note_use(alice.principal_id, DeviceId(0), 5_000, "pop3")
    directory.note_use(PrincipalId(99), DeviceId(5), 5_000, "pop3")
    (noted,) = directory.devices(alice.principal_id)
    assert (noted.last_used_at, noted.last_used_for) == (5_000, "pop3")
    assert (directory.version(), directory.principal(alice.principal_id).version) == before


def test_every_change_of_a_person_moves_both_versions(directory):
    alice = add(directory, "alice@example.org")
    principal_id = alice.principal_id
    changes = [
        lambda: directory.set_secret(principal_id, secret()),
        lambda: directory.add_device(principal_id, "Phone", secret(), 1),
        lambda: directory.revoke_device(principal_id, DeviceId(1)),
        lambda: directory.add_alias("al@example.org", principal_id),
        lambda: directory.remove_alias("al@example.org"),
        lambda: directory.change_principal(directory.principal(principal_id)),
        lambda: directory.set_members(principal_id, ["x@y.example"]),
    ]
    for change in changes:
        before = directory.version(), directory.principal(principal_id).version
        change()
        assert directory.version() > before[0]
        assert directory.principal(principal_id).version > before[1]
    before = directory.version()
    directory.remove_principal(principal_id)
    assert directory.version() > before


def test_salts_differ_and_a_given_one_is_kept(directory):
    alice = add(directory, "alice@example.org")
    bob = add(directory, "bob@example.org", scram_salt=b"0123456789abcdef")
    salts = [directory.credentials(p.principal_id).scram_salt for p in (alice, bob)]
    assert len(salts[0]) == 16
    assert salts[1] == b"0123456789abcdef"
    assert directory.credentials(alice.principal_id).scram_iterations >= 4096


def test_installation_secrets_stay(directory):
    first = directory.installation_secret("scram")
    assert len(first) == 32
    assert directory.installation_secret("scram") == first
    assert directory.installation_secret("other") != first
