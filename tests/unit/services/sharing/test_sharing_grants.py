"""Grants: what the operator gives and takes."""

from __future__ import annotations

import pytest

from posthouse.model.errors import ConfigurationError, NotFound
from posthouse.model.folder import FolderRole
from posthouse.model.rights import Rights
from posthouse.services.sharing.grants import LEVELS, Wish

SEND_BOTH = Rights.SEND_AS | Rights.SEND_ON_BEHALF


def grant(house, owner, grantee, **wish):
    return house.run(house.grants.grant(house.people[owner], house.people[grantee], Wish(**wish)))


def revoke(house, owner, grantee, **wish):
    return house.run(house.grants.revoke(house.people[owner], house.people[grantee], Wish(**wish)))


def listed(house, owner):
    return [
        (share.grantee.address.partition("@")[0], share.rights, share.folder)
        for share in house.run(house.grants.listed(house.people[owner]))
    ]


def test_levels_open_the_whole_mailbox_or_a_folder(house):
    house.make_folder("office", "2026", house.make_folder("office", "Projects"))
    grant(house, "office", "bob", level="editor")
    grant(house, "office", "staff", level="reviewer", folder="projects/2026")
    grant(house, "office", "carol", level="owner", folder="2026")
    assert listed(house, "office") == [
        ("bob", "editor", ""),
        ("carol", "owner", "Projects/2026"),
        ("staff", "reviewer", "Projects/2026"),
    ]
    inbox = house.folder("office", FolderRole.INBOX)
    assert house.rights("bob", "office", inbox) == Rights.EDITOR
    assert house.opened("alice") == {"office": {"2026": Rights.REVIEWER}}


def test_a_level_takes_the_place_of_the_one_before(house):
    grant(house, "office", "bob", level="owner")
    grant(house, "office", "bob", level="reviewer")
    assert listed(house, "office") == [("bob", "reviewer", "")]


def test_free_busy_is_for_calendars(house):
    grant(house, "alice", "bob", level="free-busy")
    assert listed(house, "alice") == [("bob", "free-busy", "Calendar")]
    assert house.opened("bob") == {"alice": {"Calendar": LEVELS["free-busy"]}}
    with pytest.raises(ConfigurationError, match="Inbox is none"):
        grant(house, "alice", "bob", level="free-busy", folder="Inbox")


def test_sending_is_the_directorys_and_adds_up(house):
    office, bob = (house.people[name].principal_id for name in ("office", "bob"))
    grant(house, "office", "bob", send=Rights.SEND_ON_BEHALF)
    grant(house, "office", "bob", level="editor", send=Rights.SEND_AS)
    (kept,) = house.directory.send_grants(office)
    assert (kept.grantee_id, kept.rights) == (bob, SEND_BOTH)
    assert listed(house, "office") == [
        ("bob", "editor", ""),
        ("bob", "send-as", ""),
        ("bob", "send-on-behalf", ""),
    ]
    grant(house, "staff", "alice", send=Rights.SEND_AS)
    assert listed(house, "staff") == [("alice", "send-as", "")]


def test_revoking_everything_one_folder_or_one_way_to_send(house):
    grant(house, "office", "bob", level="editor", send=SEND_BOTH)
    grant(house, "office", "bob", level="owner", folder="Inbox")
    grant(house, "office", "carol", level="reviewer", folder="Inbox")
    revoke(house, "office", "bob", folder="inbox")
    assert ("bob", "owner", "Inbox") not in listed(house, "office")
    (lost,) = revoke(house, "office", "bob", send=Rights.SEND_AS)
    assert lost.rights == "send-as"
    assert listed(house, "office") == [
        ("bob", "editor", ""),
        ("bob", "send-on-behalf", ""),
        ("carol", "reviewer", "Inbox"),
    ]
    assert len(revoke(house, "office", "bob")) == 2
    assert listed(house, "office") == [("carol", "reviewer", "Inbox")]
    assert house.opened("bob") == {}
    for wish in ({}, {"folder": "Inbox"}, {"send": Rights.SEND_AS}):
        with pytest.raises(NotFound, match=r"posthouse share list office@example\.org"):
            revoke(house, "office", "bob", **wish)


def test_what_makes_no_sense_is_said_in_words(house):
    for owner, grantee, wish, words in (
        ("office", "office", {"level": "editor"}, "grant to a user or a group"),
        ("alice", "alice", {"level": "editor"}, "own already"),
        ("alice", "office", {"level": "editor"}, "is a shared mailbox"),
        ("staff", "bob", {"level": "editor"}, "has no folders"),
        ("office", "bob", {}, "nothing to grant"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            grant(house, owner, grantee, **wish)
    with pytest.raises(NotFound, match="it has Archive, Calendar"):
        grant(house, "office", "bob", level="editor", folder="Nowhere")
    with pytest.raises(NotFound):
        grant(house, "office", "bob", level="editor", folder="Recoverable Items")
    for above in ("A", "B"):
        house.make_folder("office", "Same", house.make_folder("office", above))
    with pytest.raises(ConfigurationError, match="A/Same, B/Same"):
        grant(house, "office", "bob", level="editor", folder="Same")
    assert house.audit.lines == []


def test_everything_is_in_the_audit_log(house):
    house.grants.actor = "root"
    grant(house, "office", "bob", level="editor", send=Rights.SEND_AS)
    revoke(house, "office", "bob")
    about = {"by": "root", "address": "office@example.org", "to": "bob@example.org"}
    assert house.audit.lines == [
        ("share-granted", about | {"rights": ("editor", "send-as")}),
        ("share-revoked", about | {"rights": ("editor", "send-as")}),
    ]


def test_removed_people_and_rights_of_other_doors_are_listed_as_they_are(house):
    house.give("office", "carol", Rights.CREATE)
    grant(house, "office", "bob", level="editor", send=Rights.SEND_AS)
    house.directory.remove_principal(house.people["bob"].principal_id)
    assert listed(house, "office") == [("carol", "0x2", "")]
