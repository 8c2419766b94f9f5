"""Addresses: who gets the mail, and that none of it gets lost in a circle."""

import pytest

from posthouse.model.address import Address
from posthouse.model.errors import AccessDenied, NotFound
from posthouse.model.people import PrincipalKind
from posthouse.model.rights import Rights
from posthouse.services.directory.addresses import Addresses, SendRight
from posthouse.services.directory.memberships import Memberships

GROUP = PrincipalKind.GROUP


@pytest.fixture
def addresses(house):
    return Addresses(house.directory)


def resolve(addresses, text):
    return addresses.resolve(Address.parse(text))


def who(addresses, text):
    """Names of those who get it, and foreign addresses."""
    resolution = resolve(addresses, text)
    assert resolution.is_local
    names = [target.principal.address.partition("@")[0] for target in resolution.deliveries]
    return (*names, *resolution.forwards)


def test_a_person_by_address_alias_and_detail(house, addresses):
    alice = house.add("alice@example.org")
    house.directory.add_alias("al@example.org", alice.principal_id)
    for text, detail in (
        ("alice@example.org", ""),
        ("ALICE@EXAMPLE.org", ""),
        ("al@example.org", ""),
        ("alice+Projects@example.org", "Projects"),
        ("al+a+b@example.org", "a+b"),
        ("alice+@example.org", ""),
    ):
        (target,) = resolve(addresses, text).deliveries
        assert (target.principal.address, target.mailbox_id) == ("alice@example.org", 1)
        assert target.address == Address.parse(text)
        assert target.detail == detail


def test_an_address_with_a_plus_of_its_own_goes_first(house, addresses):
    house.add("alice@example.org")
    house.add("alice+work@example.org")
    assert who(addresses, "alice+work@example.org") == ("alice+work",)
    assert who(addresses, "alice+play@example.org") == ("alice",)


def test_another_separator(house):
    house.add("alice@example.org")
    addresses = Addresses(house.directory, "-")
    assert resolve(addresses, "alice-x@example.org").deliveries[0].detail == "x"
    with pytest.raises(NotFound):
        resolve(addresses, "alice+x@example.org")


def test_foreign_and_unknown(house, addresses):
    house.add("alice@example.org")
    assert not resolve(addresses, "alice@other.example").is_local
    assert addresses.is_local_domain("example.org")
    assert not addresses.is_local_domain("other.example")
    for _ in range(2):
        with pytest.raises(NotFound):
            resolve(addresses, "zoe@example.org")


def test_changes_are_seen(house, addresses):
    with pytest.raises(NotFound):
        resolve(addresses, "alice@example.org")
    alice = house.add("alice@example.org")
    assert who(addresses, "alice@example.org") == ("alice",)
    house.change(alice, forward_to=("x@other.example",))
    assert who(addresses, "alice@example.org") == ("alice", "x@other.example")
    house.directory.add_domain("other.example")
    assert who(addresses, "alice@example.org") == ("alice",)


def test_disabled_people_rooms_and_shared_mailboxes_receive(house, addresses):
    house.add("alice@example.org", is_disabled=True)
    house.add("room@example.org", kind=PrincipalKind.ROOM)
    house.add("info@example.org", kind=PrincipalKind.SHARED)
    for name in ("alice", "room", "info"):
        assert who(addresses, f"{name}@example.org") == (name,)


def test_groups_are_nested_and_may_hold_themselves(house, addresses):
    for name in ("alice", "bob", "carol"):
        house.add(f"{name}@example.org")
    inner = house.add("inner@example.org", kind=GROUP)
    outer = house.add("outer@example.org", kind=GROUP)
    house.directory.set_members(
        inner.principal_id,
        ["bob@example.org", "outer@example.org", "gone@example.org", "X@other.example"],
    )
    house.directory.set_members(
        outer.principal_id,
        ["alice@example.org", "inner@example.org", "bob@example.org", "X@other.example"],
    )
    assert who(addresses, "outer@example.org") == ("alice", "bob", "X@other.example")
    assert who(addresses, "inner@example.org") == ("bob", "alice", "X@other.example")
    # The detail names the group, not its members.
    assert {t.detail for t in resolve(addresses, "outer+x@example.org").deliveries} == {""}


def test_an_empty_group_is_nobody(house, addresses):
    group = house.add("all@example.org", kind=GROUP)
    with pytest.raises(NotFound):
        resolve(addresses, "all@example.org")
    house.directory.set_members(group.principal_id, ["gone@example.org", "not an address"])
    with pytest.raises(NotFound):
        resolve(addresses, "all@example.org")


def test_forwarding_with_and_without_a_copy(house, addresses):
    house.add("bob@example.org")
    house.add("alice@example.org", forward_to=("bob@example.org", "x@other.example"))
    assert who(addresses, "alice@example.org") == ("alice", "bob", "x@other.example")
    house.change(house.directory.by_address("alice@example.org"), keeps_copy=False)
    assert who(addresses, "alice@example.org") == ("bob", "x@other.example")


def test_two_who_forward_to_each_other_both_keep_it(house, addresses):
    house.add("alice@example.org", forward_to=("bob@example.org",), keeps_copy=False)
    house.add("bob@example.org", forward_to=("alice@example.org",), keeps_copy=False)
    assert who(addresses, "alice@example.org") == ("alice", "bob")


def test_a_circle_with_a_way_out_keeps_nothing(house, addresses):
    house.add("alice@example.org", forward_to=("bob@example.org",), keeps_copy=False)
    house.add(
        "bob@example.org", forward_to=("alice@example.org", "x@other.example"), keeps_copy=False
    )
    assert who(addresses, "alice@example.org") == ("x@other.example",)


def test_a_forward_to_somebody_gone_keeps_the_mail(house, addresses):
    house.add("alice@example.org", forward_to=("gone@example.org",), keeps_copy=False)
    house.add("bob@example.org")
    group = house.add("all@example.org", kind=GROUP)
    house.directory.set_members(group.principal_id, ["bob@example.org", "alice@example.org"])
    assert who(addresses, "all@example.org") == ("bob", "alice")


def test_a_long_chain_is_followed(house, addresses):
    house.add("u0@example.org")
    for n in range(1, 2000):
        house.add(f"u{n}@example.org", forward_to=(f"u{n - 1}@example.org",), keeps_copy=False)
    assert who(addresses, "u1999@example.org") == ("u0",)


def test_a_group_too_large_is_refused(house, addresses):
    groups = [house.add(f"g{n}@example.org", kind=GROUP) for n in range(3)]
    for n, group in enumerate(groups):
        foreign = [f"x{i}@d{n}.example" for i in range(4000)]
        inner = [f"g{n + 1}@example.org"] if n < 2 else []
        house.directory.set_members(group.principal_id, foreign + inner)
    assert len(resolve(addresses, "g1@example.org").forwards) == 8000
    with pytest.raises(AccessDenied):
        resolve(addresses, "g0@example.org")


def test_catch_all_here_and_abroad(house, addresses):
    house.add("alice@example.org")
    house.add("bob@example.org", forward_to=("alice@example.org",), keeps_copy=False)
    house.directory.set_catch_all("example.org", "bob@example.org")
    assert who(addresses, "anything@example.org") == ("alice",)
    house.directory.set_catch_all("example.org", "x@other.example")
    assert who(addresses, "anything@example.org") == ("x@other.example",)
    assert who(addresses, "alice@example.org") == ("alice",)
    house.directory.set_catch_all("example.org", "gone@example.org")
    with pytest.raises(NotFound):
        resolve(addresses, "anything@example.org")


def test_postmaster_and_abuse_reach_the_first_person(house, addresses):
    with pytest.raises(NotFound):
        resolve(addresses, "postmaster@example.org")
    house.add("zoe@example.org")
    house.add("adam@example.org")
    house.directory.set_catch_all("example.org", "adam@example.org")
    for name in ("postmaster", "Postmaster", "abuse", "abuse+x"):
        assert who(addresses, f"{name}@example.org") == ("zoe",)
    house.change(house.directory.by_address("zoe@example.org"), is_disabled=True)
    assert who(addresses, "abuse@example.org") == ("adam",)
    house.directory.add_alias(
        "postmaster@example.org", house.directory.by_address("zoe@example.org").principal_id
    )
    assert who(addresses, "postmaster@example.org") == ("zoe",)


def test_who_may_send_as_whom(house, addresses):
    alice, bob = house.add("alice@example.org"), house.add("bob@example.org")
    group = house.add("all@example.org", kind=GROUP)
    house.directory.set_members(group.principal_id, ["alice@example.org"])
    house.directory.add_alias("al@example.org", alice.principal_id)
    house.directory.set_catch_all("example.org", "alice@example.org")
    for text in ("alice@example.org", "AL@example.org", "alice+x@example.org"):
        assert addresses.may_send_as(alice, Address.parse(text))
        assert not addresses.may_send_as(bob, Address.parse(text))
    for text in ("bob@example.org", "all@example.org", "any@example.org", "alice@other.example"):
        assert not addresses.may_send_as(alice, Address.parse(text))
    house.directory.remove_alias("al@example.org")
    assert not addresses.may_send_as(alice, Address.parse("al@example.org"))
    # Whoever serves as postmaster may answer as postmaster.
    assert addresses.may_send_as(alice, Address.parse("postmaster@example.org"))


def test_the_caches_are_bounded(house, addresses, monkeypatch):
    monkeypatch.setattr("posthouse.services.directory.addresses.CACHED_MAX", 10)
    alice = house.add("alice@example.org")
    for n in range(50):
        with pytest.raises(NotFound):
            resolve(addresses, f"guess{n}@example.org")
        addresses.may_send_as(alice, Address.parse(f"guess{n}@example.org"))
    assert len(addresses._resolutions) <= 10
    assert len(addresses._senders) <= 10


def test_what_was_found_is_believed_for_milliseconds_and_nobody_is_turned_away_unlooked(house):
    addresses = Addresses(house.directory, clock=house.clock)
    alice = house.add("alice@example.org")
    with pytest.raises(NotFound):
        resolve(addresses, "al@example.org")
    house.directory.add_alias("al@example.org", alice.principal_id)
    assert who(addresses, "al@example.org") == ("alice",)
    house.directory.remove_alias("al@example.org")
    assert who(addresses, "al@example.org") == ("alice",)
    house.clock.now_s += 0.005
    with pytest.raises(NotFound):
        resolve(addresses, "al@example.org")


def send_right(addresses, principal, text):
    return addresses.send_right(principal, Address.parse(text))


def grant(house, owner, grantee, rights):
    house.directory.set_send_grant(owner.principal_id, grantee.principal_id, rights)


def test_send_grants_to_a_person(house, addresses):
    alice, bob = house.add("alice@example.org"), house.add("bob@example.org")
    office = house.add("office@example.org", kind=PrincipalKind.SHARED)
    house.directory.add_alias("desk@example.org", office.principal_id)
    for rights, right in (
        (Rights.NONE, SendRight.NONE),
        (Rights.SEND_ON_BEHALF, SendRight.ON_BEHALF),
        (Rights.SEND_AS, SendRight.AS),
        (Rights.SEND_AS | Rights.SEND_ON_BEHALF, SendRight.AS),
    ):
        grant(house, office, alice, rights)
        for text in ("office@example.org", "DESK+x@example.org"):
            assert send_right(addresses, alice, text) is right
            assert addresses.may_send_as(alice, Address.parse(text)) is (right is SendRight.AS)
        assert send_right(addresses, bob, "office@example.org") is SendRight.NONE
        assert send_right(addresses, office, "alice@example.org") is SendRight.NONE
    assert send_right(addresses, alice, "alice@example.org") is SendRight.OWN
    assert send_right(addresses, alice, "office@example.net") is SendRight.NONE


def test_send_grants_to_a_group_reach_all_in_it(house, addresses):
    alice, bob, carol = (house.add(f"{name}@example.org") for name in ("alice", "bob", "carol"))
    office = house.add("office@example.org", kind=PrincipalKind.SHARED)
    staff, inner, outer = (house.add(f"{n}@example.org", kind=GROUP) for n in ("s", "i", "o"))
    house.directory.set_members(staff.principal_id, ["i@example.org", "bob@example.org"])
    house.directory.set_members(inner.principal_id, ["alice@example.org", "s@example.org"])
    house.directory.set_members(outer.principal_id, ["carol@example.org", "bob+x@example.org"])
    grant(house, office, staff, Rights.SEND_ON_BEHALF)
    assert send_right(addresses, alice, "office@example.org") is SendRight.ON_BEHALF
    assert send_right(addresses, bob, "office@example.org") is SendRight.ON_BEHALF
    assert send_right(addresses, carol, "office@example.org") is SendRight.NONE
    grant(house, office, outer, Rights.SEND_AS)
    assert send_right(addresses, carol, "office@example.org") is SendRight.AS
    assert send_right(addresses, bob, "office@example.org") is SendRight.ON_BEHALF
    house.directory.set_members(inner.principal_id, [])
    assert send_right(addresses, alice, "office@example.org") is SendRight.NONE


def test_a_groups_own_address_may_be_granted(house, addresses):
    alice, staff = house.add("alice@example.org"), house.add("staff@example.org", kind=GROUP)
    house.directory.set_members(staff.principal_id, ["alice@example.org"])
    assert send_right(addresses, alice, "staff@example.org") is SendRight.NONE
    grant(house, staff, staff, Rights.SEND_AS)
    assert send_right(addresses, alice, "staff@example.org") is SendRight.AS


def test_identities_are_remembered_until_the_directory_changes(house):
    alice, staff = house.add("alice@example.org"), house.add("staff@example.org", kind=GROUP)
    memberships = Memberships(house.directory)
    assert memberships.identities(alice.principal_id) == {alice.principal_id}
    house.directory.set_members(staff.principal_id, ["alice@example.org"])
    both = {alice.principal_id, staff.principal_id}
    assert memberships.identities(alice.principal_id) == both
    assert memberships.identities(alice.principal_id) is memberships.identities(alice.principal_id)


def test_whose_address(house, addresses):
    alice = house.add("alice@example.org")
    house.add("staff@example.org", kind=GROUP)
    assert addresses.owner(Address.parse("Alice+x@example.org")) == alice
    assert addresses.owner(Address.parse("staff@example.org")).kind is GROUP
    assert addresses.owner(Address.parse("nobody@example.org")) is None
    assert addresses.owner(Address.parse("alice@example.net")) is None
