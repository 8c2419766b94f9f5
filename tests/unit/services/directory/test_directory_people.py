"""What the operator does, and what a crash in the middle of it leaves."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from posthouse.model.errors import AlreadyExists, ConfigurationError, LoginRefused, NotFound
from posthouse.model.folder import Mailbox, MailboxKind
from posthouse.model.ids import ChangeNumber, MailboxId
from posthouse.model.people import PrincipalKind
from posthouse.services.directory.login import Attempt
from posthouse.services.directory.orphans import sweep_orphans
from posthouse.services.directory.people import People

USER = PrincipalKind.USER


@dataclass
class Folders:
    uid_validity: int


@dataclass
class MailboxesOnly:
    """As much of Records as making and removing people asks for."""

    mailboxes: dict = field(default_factory=dict)
    made_at: dict = field(default_factory=dict)

    async def create_mailbox(self, kind, guid, uid_validity, *, quota_bytes=0):
        mailbox_id = MailboxId(len(self.made_at) + 1)
        self.made_at[mailbox_id] = uid_validity
        self.mailboxes[mailbox_id] = Mailbox(
            mailbox_id, guid, kind, ChangeNumber(1), 0, 0, 0, quota_bytes, 1, ""
        )
        return self.mailboxes[mailbox_id]

    async def delete_mailbox(self, mailbox_id):
        await self.mailbox(mailbox_id)
        del self.mailboxes[mailbox_id]

    async def mailbox(self, mailbox_id):
        if mailbox_id not in self.mailboxes:
            raise NotFound("no mailbox")
        return self.mailboxes[mailbox_id]

    async def folders(self, mailbox_id):
        return [Folders(self.made_at[mailbox_id])]

    async def mailbox_ids(self, after, limit):
        return [number for number in sorted(self.mailboxes) if number > after][:limit]

    async def apply(self, commit):
        ((mailbox_id, (change,)),) = [(b.mailbox_id, b.operations) for b in commit.batches]
        changes = {
            name: getattr(change, name)
            for name in ("quota_bytes", "settings")
            if getattr(change, name) is not None
        }
        self.mailboxes[mailbox_id] = replace(self.mailboxes[mailbox_id], **changes)
        return ()


@pytest.fixture
def records():
    return MailboxesOnly()


@pytest.fixture
def people(house, records):
    return People(house.directory, records, house.audit, house.clock, house.chance, house.hasher)


def add(people, address, password="wonderland", kind=USER, **more):
    return asyncio.run(people.add(kind, address, "", password, **more))


def come_in(house, login, password):
    attempt = Attempt(login, password, "pop3", "192.0.2.1", "s")
    return asyncio.run(house.logins.by_password(attempt))


def test_a_new_person_has_a_mailbox_and_comes_in(house, people, records):
    alice = add(people, " Alice@Example.ORG ", "gru\u0308n", quota_bytes=1000)
    assert (alice.address, alice.name, alice.kind) == ("alice@example.org", "alice", USER)
    mailbox = records.mailboxes[alice.mailbox_id]
    assert (mailbox.kind, mailbox.quota_bytes, len(mailbox.guid)) == (MailboxKind.USER, 1000, 16)
    assert records.made_at[alice.mailbox_id] == 1000
    assert come_in(house, "alice", "grün").principal == alice
    assert house.audit.lines[0] == ("user-added", {"by": "operator", "address": alice.address})


def test_rooms_and_shared_mailboxes_have_no_login(house, people, records):
    for kind, of in (
        (PrincipalKind.ROOM, MailboxKind.ROOM),
        (PrincipalKind.SHARED, MailboxKind.SHARED),
    ):
        made = add(people, f"{of.name}@example.org", None, kind)
        assert records.mailboxes[made.mailbox_id].kind is of
        with pytest.raises(ConfigurationError, match="no login"):
            people.set_password(made, "x")
        with pytest.raises(ConfigurationError, match="no login"):
            people.add_device(made)
    assert house.audit.lines[-1][0] == "shared-mailbox-added"


@pytest.mark.parametrize(
    ("address", "error", "says"),
    [
        ("nonsense", ConfigurationError, "name@example.org"),
        ("x@other.example", NotFound, "it has example.org"),
        ("bob@example.org", AlreadyExists, "there is a user of that name"),
        ("bo@example.org", AlreadyExists, "alias of bob@example.org"),
    ],
)
def test_what_cannot_be_added_says_why_and_leaves_nothing(people, records, address, error, says):
    bob = add(people, "bob@example.org")
    people.add_alias("bo@example.org", bob)
    with pytest.raises(error, match=says):
        add(people, address)
    with pytest.raises(error, match=says):
        people.add_group(address, "", [])
    assert len(records.mailboxes) == 1


def test_an_unusable_password_leaves_nothing(people, records):
    for password in ("", "tab\there", "x" * 2000):
        with pytest.raises(ConfigurationError, match="password"):
            add(people, "alice@example.org", password)
    assert records.mailboxes == {}


def test_two_adding_the_same_name_at_once_leave_one(house, people, records, monkeypatch):
    add(people, "alice@example.org")
    monkeypatch.setattr(people, "_new_key", lambda text: text)
    with pytest.raises(AlreadyExists):
        add(people, "alice@example.org")
    assert len(records.mailboxes) == 1


def test_a_crash_between_mailbox_and_person_leaves_an_orphan_that_is_swept(
    house, people, records, monkeypatch
):
    alice = add(people, "alice@example.org")

    class Crash(BaseException):
        pass

    def crash(*args, **more):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(house.directory, "add_principal", crash)
        with pytest.raises(Crash):
            add(people, "bob@example.org")
    assert house.directory.by_address("bob@example.org") is None

    def sweep():
        return asyncio.run(sweep_orphans(house.directory, records, house.audit, house.clock))

    assert sweep() == 0, "it may be one that is being made right now"
    house.clock.now_s += 3601
    with_mail = asyncio.run(records.create_mailbox(MailboxKind.USER, b"", 1))
    records.mailboxes[with_mail.mailbox_id] = replace(with_mail, item_count=1)
    public = asyncio.run(records.create_mailbox(MailboxKind.PUBLIC, b"", 1))
    assert sweep() == 1
    left = {alice.mailbox_id, with_mail.mailbox_id, public.mailbox_id}
    assert set(records.mailboxes) == left
    add(people, "bob@example.org")


def test_removal_takes_all_and_may_be_repeated_after_a_crash(house, people, records, monkeypatch):
    alice = add(people, "alice@example.org")
    with monkeypatch.context() as patch:
        patch.setattr(house.directory, "remove_principal", lambda principal_id: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            asyncio.run(people.remove(alice))
    with pytest.raises(LoginRefused):
        come_in(house, "alice", "wonderland")
    overview = asyncio.run(people.overview(people.find("alice@example.org")))
    assert overview.mailbox is None
    asyncio.run(people.remove(alice))
    assert house.directory.by_address("alice@example.org") is None
    assert records.mailboxes == {}


def test_find_says_where_to_look(people):
    alice = add(people, "alice@example.org")
    people.add_alias("al@example.org", alice)
    assert people.find("AL@example.org", USER).address == "alice@example.org"
    with pytest.raises(NotFound, match="posthouse user list"):
        people.find("zoe@example.org", USER)
    with pytest.raises(NotFound, match=r"no group alice@example.org.*posthouse group list"):
        people.find("alice@example.org", PrincipalKind.GROUP)


def test_devices_come_and_go(house, people):
    alice = add(people, "alice@example.org")
    phone = people.add_device(alice, " Phone ", ("pop3",))
    second = people.add_device(alice)
    assert (phone.device.label, second.device.label) == ("Phone", "Device 1")
    assert phone.password not in repr(phone)
    login = come_in(house, "alice", phone.password)
    assert login.device_id == phone.device.device_id
    with pytest.raises(AlreadyExists, match="another label"):
        people.add_device(alice, "Phone")
    for label in ("x" * 65, "a\nb"):
        with pytest.raises(ConfigurationError):
            people.add_device(alice, label)
    people.revoke_device(alice, "Phone")
    assert not house.logins.is_still_good(login)
    with pytest.raises(NotFound, match="device list"):
        people.revoke_device(alice, "Phone")
    assert phone.password not in repr(house.audit.lines)


def test_groups_keep_members_as_they_mean(people):
    add(people, "alice@example.org")
    team = people.add_group("team@example.org", "", ["ALICE@example.org", "Foo@Other.example"])
    assert list(people.members(team)) == ["alice@example.org", "Foo@other.example"]
    people.change_members(team, ["alice+team@example.org"], ["Foo@other.EXAMPLE"])
    assert list(people.members(team)) == ["alice@example.org", "alice+team@example.org"]
    with pytest.raises(NotFound, match="no member"):
        people.change_members(team, [], ["x@y.example"])
    with pytest.raises(NotFound, match=r"nobody at zoe@example.org"):
        people.change_members(team, ["zoe@example.org"])
    asyncio.run(people.remove(team))
    with pytest.raises(NotFound):
        people.find("team@example.org")


def test_forwarding(people):
    alice = add(people, "alice@example.org")
    changed = people.forward(alice, ("X@other.example",), keeps_copy=False)
    assert (changed.forward_to, changed.keeps_copy) == (("X@other.example",), False)
    with pytest.raises(ConfigurationError, match="itself"):
        people.forward(alice, ("ALICE@example.org",), keeps_copy=True)
    changed = people.forward(changed, (), keeps_copy=False)
    assert (changed.forward_to, changed.keeps_copy) == ((), True), "mail must stay somewhere"


def test_mailbox_policy(people, records):
    alice = add(people, "alice@example.org")
    records.mailboxes[1] = replace(records.mailboxes[1], settings='{"other":1}')
    asyncio.run(people.set_quota(alice, 5))
    asyncio.run(people.set_pop_policy(alice, "trash"))
    asyncio.run(people.set_pop_policy(alice, folders=("Sent Items",)))
    mailbox = records.mailboxes[1]
    assert mailbox.quota_bytes == 5
    assert mailbox.settings == '{"other":1,"pop_delete":"trash","pop_folders":["Sent Items"]}'
    assert people.pop_policy(mailbox) == ("trash", ("Sent Items",))
    assert people.pop_policy(None) == ("hide", ())
    team = people.add_group("team@example.org", "", [])
    with pytest.raises(ConfigurationError, match="no mailbox"):
        asyncio.run(people.set_quota(team, 5))


def test_domains_and_names(house, people):
    assert people.add_domain("MÜNCHEN.example") == "xn--mnchen-3ya.example"
    with pytest.raises(ConfigurationError):
        people.add_domain("not a domain")
    alice = add(people, "alice@example.org")
    people.set_catch_all("example.org", "Alice@example.org")
    assert house.directory.catch_all("example.org") == "Alice@example.org"
    assert people.rename(alice, " Alice \t Liddell ").name == "Alice Liddell"
    for name in ("x" * 256, "a\x1b[2J"):
        with pytest.raises(ConfigurationError):
            people.rename(alice, name)
