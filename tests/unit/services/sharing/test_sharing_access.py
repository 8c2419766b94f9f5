"""Access: what a grant opens, and for whom."""

from __future__ import annotations

import pytest

from posthouse.model.errors import AccessDenied, NotFound
from posthouse.model.folder import FolderRole
from posthouse.model.ids import FolderId, MailboxId
from posthouse.model.rights import Rights

BUSY = Rights.FREE_BUSY_SIMPLE | Rights.FREE_BUSY_DETAILED
INBOX, CALENDAR, ROOT = FolderRole.INBOX, FolderRole.CALENDAR, FolderRole.ROOT


def test_an_owner_may_do_everything_and_a_stranger_nothing(house):
    inbox = house.folder("alice", INBOX)
    assert house.rights("alice", "alice", inbox) == Rights.ALL
    assert house.rights("bob", "alice", inbox) == Rights.NONE
    assert house.opened("bob") == {}


def test_one_grant_on_the_root_holds_for_all_folders_also_for_later_ones(house):
    house.give("office", "bob", Rights.EDITOR)
    made = house.make_folder("office", "Projects")
    below = house.make_folder("office", "2026", made)
    for folder_id in (house.folder("office", INBOX), made, below):
        assert house.rights("bob", "office", folder_id) == Rights.EDITOR
    (opened,) = house.opened("bob").values()
    assert {"Inbox", "Sent Items", "Projects", "2026", "Calendar"} <= set(opened)
    assert "Recoverable Items" not in opened
    recoverable = house.folder("office", FolderRole.RECOVERABLE)
    assert house.rights("bob", "office", recoverable) == Rights.NONE


def test_a_grant_on_a_folder_holds_for_that_one_alone(house):
    made = house.make_folder("alice", "Projects")
    below = house.make_folder("alice", "2026", made)
    house.give_on("alice", "bob", Rights.REVIEWER, made)
    assert house.rights("bob", "alice", made) == Rights.REVIEWER
    assert house.rights("bob", "alice", below) == Rights.NONE
    assert house.opened("bob") == {"alice": {"Projects": Rights.REVIEWER}}


def test_grants_add_up_over_folders_and_groups(house):
    house.give("office", "staff", Rights.REVIEWER)
    house.give("office", "alice", Rights.CREATE, INBOX)
    inbox, sent = house.folder("office", INBOX), house.folder("office", FolderRole.SENT)
    assert house.rights("alice", "office", inbox) == Rights.REVIEWER | Rights.CREATE
    assert house.rights("alice", "office", sent) == Rights.REVIEWER
    assert house.opened("alice")["office"]["Inbox"] == Rights.REVIEWER | Rights.CREATE
    assert house.rights("bob", "office", inbox) == Rights.NONE
    house.set_members("staff", "bob@example.org")
    assert house.rights("alice", "office", inbox) == Rights.CREATE
    assert house.rights("bob", "office", inbox) == Rights.REVIEWER


def test_everybody_sees_when_a_calendar_is_busy_and_a_reader_sees_more(house):
    calendar = house.folder("alice", CALENDAR)
    assert house.rights("bob", "alice", calendar) == Rights.FREE_BUSY_SIMPLE
    assert house.opened("bob") == {}
    house.give("alice", "bob", Rights.FREE_BUSY_DETAILED, CALENDAR)
    assert house.rights("bob", "alice", calendar) == BUSY
    assert house.opened("bob") == {"alice": {"Calendar": BUSY}}
    house.give("alice", "bob", Rights.REVIEWER, CALENDAR)
    assert house.rights("bob", "alice", calendar) == Rights.REVIEWER | BUSY
    house.give("alice", "carol", BUSY)
    assert house.rights("carol", "alice", house.folder("alice", INBOX)) == Rights.NONE
    assert house.opened("carol") == {"alice": {"Calendar": BUSY}}


@pytest.mark.parametrize(
    ("granted", "means"),
    [
        (Rights.READ_ANY, Rights.READ_ANY | Rights.VISIBLE),
        (Rights.EDIT_ANY, Rights.EDIT_ANY | Rights.EDIT_OWNED),
        (Rights.DELETE_ANY, Rights.DELETE_ANY | Rights.DELETE_OWNED),
        (Rights.OWNER, Rights.OWNER | Rights.VISIBLE),
        (Rights.CREATE, Rights.CREATE),
    ],
)
def test_rights_include_others(house, granted, means):
    house.give("office", "bob", granted, INBOX)
    assert house.rights("bob", "office", house.folder("office", INBOX)) == means


def test_require(house):
    inbox, box = house.folder("office", INBOX), house.box("office")

    def require(who, wanted, folder_id=inbox, mailbox_id=box):
        return house.run(house.access.require(house.people[who], mailbox_id, folder_id, wanted))

    with pytest.raises(NotFound):
        require("bob", Rights.READ_ANY)
    house.give("office", "bob", Rights.CREATE)
    assert require("bob", Rights.CREATE) == Rights.CREATE
    with pytest.raises(NotFound):
        require("bob", Rights.READ_ANY)
    house.give("office", "bob", Rights.REVIEWER)
    assert require("bob", Rights.READ_ANY) == Rights.REVIEWER
    with pytest.raises(AccessDenied):
        require("bob", Rights.READ_ANY | Rights.DELETE_ANY)
    assert require("alice", Rights.DELETE_ANY, mailbox_id=house.box("alice")) == Rights.ALL
    for place in ({"folder_id": FolderId(999)}, {"mailbox_id": MailboxId(999)}):
        with pytest.raises(NotFound):
            require("bob", Rights.READ_ANY, **place)


def test_what_was_opened_is_remembered_until_something_changes(house):
    def look():
        return house.run(house.access.mailboxes_of(house.people["alice"]))

    house.give("office", "staff", Rights.REVIEWER)
    first = look()
    assert look() is first
    for change in (
        lambda: house.make_folder("office", "Projects"),
        lambda: house.give("office", "alice", Rights.EDITOR),
        lambda: house.give("carol", "alice", Rights.REVIEWER),
        lambda: house.directory.add_alias("desk@example.org", house.people["office"].principal_id),
    ):
        before = look()
        change()
        assert look() is not before
    assert [one.principal.address[:6] for one in look()] == ["carol@", "office"]
    house.set_members("staff")
    house.give("office", "alice", Rights.NONE)
    house.give("carol", "alice", Rights.NONE)
    assert look() == ()


def test_a_mailbox_by_address(house):
    house.directory.add_alias("desk@example.org", house.people["office"].principal_id)

    def opened(address):
        return house.run(house.access.opened(house.people["bob"], address))

    for address in ("office@example.org", "nobody@example.org", "staff@example.org"):
        with pytest.raises(NotFound):
            opened(address)
    house.give("office", "bob", Rights.REVIEWER)
    assert opened("desk@example.org") == opened("office@example.org")
    assert opened("office@example.org").mailbox_id == house.box("office")


def test_own_mailboxes_and_those_that_are_gone_are_not_shared(house):
    house.give("bob", "bob", Rights.REVIEWER)
    house.give("office", "bob", Rights.REVIEWER)
    house.give("carol", "bob", Rights.REVIEWER)
    house.directory.remove_principal(house.people["carol"].principal_id)
    assert list(house.opened("bob")) == ["office"]
    house.run(house.records.delete_mailbox(house.box("office")))
    assert house.opened("bob") == {}
