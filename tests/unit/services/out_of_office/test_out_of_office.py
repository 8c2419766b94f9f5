"""Out of office: settings, who gets an answer, and that it is one."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.services.mailflow.conftest import MESSAGE, House

from posthouse.model.batch import (
    AddItem,
    Batch,
    ChangeFlags,
    ChangeMailbox,
    Commit,
    MoveItems,
)
from posthouse.model.errors import Unavailable
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.item import Flags, ItemColumns, ItemKind, NewItem
from posthouse.model.out_of_office import TEXT_MAX, Audience, OofState, OutOfOffice
from posthouse.model.people import PrincipalKind
from posthouse.model.rule import Actions, Rule
from posthouse.services.assistants.follower import Follower
from posthouse.services.out_of_office.assistant import OutOfOfficeAssistant
from posthouse.services.out_of_office.keeping import OutOfOffices, out_of_office_of
from posthouse.services.rules.keeping import InboxRules
from posthouse.store.settings import settings_of

DAY = 86_400_000
AWAY = OutOfOffice(state=OofState.ENABLED, internal="Gone fishing.", external="Away.")


class Office(House):
    """A house with the assistant."""

    async def open(self):
        await super().open()
        self.box = self.people["alice"].mailbox_id
        self.keeping = OutOfOffices(self.store, self.clock)
        self.follower = self.another_follower()
        await self.follower.run_once()
        self.sent = 0
        return self

    def another_follower(self):
        assistant = OutOfOfficeAssistant(
            self.store, self.addresses, self.clock, self.chance, "mail.example.org", self.journal
        )
        return Follower(self.store, self.directory, (assistant,), journal=self.journal)

    async def settle(self, value=AWAY, **changes):
        self.clock.now += 1_000
        return await self.keeping.write(self.box, replace(value, **changes))

    async def come(self, content=MESSAGE, follow=True, to=("alice@example.org",), **fields):
        """A message comes and is looked at; the replies so far."""
        self.clock.now += 1_000
        self.sent += 1
        await self.accept(*to, content=content.replace(b"m1@", b"m%d@" % self.sent), **fields)
        if follow:
            await self.follower.run_once()
        return await self.replies()

    async def replies(self):
        return [queued.message for queued in await self.queue()]

    def read(self, message):
        return email.message_from_bytes(
            self.blobs.read_plain(message.blob), policy=email.policy.default
        )


@pytest.fixture
def office():
    office = Office()
    yield office
    office.close()


def on(office_test):
    """A test of an open office."""

    def test(office):
        async def run():
            await office.open()
            await office_test(office)

        asyncio.run(run())

    test.__name__ = office_test.__name__
    return test


# --- settings

values = st.builds(
    OutOfOffice,
    state=st.sampled_from([OofState.DISABLED, OofState.ENABLED]),
    start_at=st.integers(0, 2**40),
    end_at=st.integers(0, 2**40),
    internal=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    external=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    is_internal_html=st.booleans(),
    is_external_html=st.booleans(),
    audience=st.sampled_from(Audience),
)


@given(values)
def test_settings_there_and_back(value):
    async def run():
        office = await Office().open()
        kept = await office.keeping.write(office.box, value)
        assert replace(kept, period_at=0) == value
        assert await office.keeping.read(office.box) == kept

    asyncio.run(run())


@on
async def test_keys_of_others_stay(office):
    text = '{"pop_delete":"trash","calendar":{"auto_process":false}}'
    await office.store.apply(Commit((Batch(office.box, (ChangeMailbox(settings=text),)),)))
    await office.settle()
    settings = settings_of((await office.records.mailbox(office.box)).settings)
    assert settings.pop("out_of_office")["internal"] == "Gone fishing."
    assert settings == json.loads(text)


@on
async def test_a_period_begins_with_every_change_but_with_no_repetition(office):
    first = (await office.settle()).period_at
    assert first == office.clock.now
    assert (await office.settle()).period_at == first
    second = (await office.settle(internal="Still fishing.")).period_at
    assert second > first
    assert (await office.settle(OutOfOffice())).period_at == second
    assert (await office.settle(internal="Still fishing.")).period_at > second


@pytest.mark.parametrize(
    "value",
    [
        OutOfOffice(state=OofState.SCHEDULED, start_at=5, end_at=5),
        OutOfOffice(state=OofState.SCHEDULED),
        OutOfOffice(internal="x" * (TEXT_MAX + 1)),
        OutOfOffice(start_at=-1),
    ],
)
def test_what_cannot_be_kept_to_is_refused(office, value):
    async def run():
        await office.open()
        with pytest.raises(ValueError, match=r"reply of|ends before|before 1970"):
            await office.keeping.write(office.box, value)

    asyncio.run(run())


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"out_of_office": 5}', '{"out_of_office": {"state": "later"}}']
)
def test_what_cannot_be_read_is_off(text):
    assert out_of_office_of(text) == OutOfOffice()


@on
async def test_when_it_is_active(office):
    scheduled = OutOfOffice(state=OofState.SCHEDULED, start_at=10, end_at=20)
    assert [scheduled.is_active(at) for at in (9, 10, 19, 20)] == [False, True, True, False]
    mailbox = await office.records.mailbox(office.box)
    assert not office.keeping.is_active(mailbox, 5)
    await office.settle()
    assert office.keeping.is_active(await office.records.mailbox(office.box), 5)


# --- the reply


@on
async def test_a_stranger_gets_the_external_text(office):
    await office.settle()
    (reply,) = await office.come()
    assert reply.sender == ""
    assert [r.address for r in reply.recipients] == ["someone@example.net"]
    mail = office.read(reply)
    assert mail["Subject"] == "Automatic reply: Hello"
    assert mail["From"] == "Alice <alice@example.org>"
    assert mail["To"] == "Someone <someone@example.net>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["In-Reply-To"] == mail["References"] == "<m1@example.net>"
    assert mail.get_content().strip() == "Away."


@on
async def test_a_colleague_gets_the_internal_one(office):
    await office.settle(internal="<p>Gone <b>fishing</b></p>", is_internal_html=True)
    (reply,) = await office.come(sender="bob@example.org")
    mail = office.read(reply)
    assert mail.get_body(("plain",)).get_content().strip() == "Gone fishing"
    assert "<b>fishing</b>" in mail.get_body(("html",)).get_content()
    await office.runner().run_once()
    (item,) = await office.items("bob")
    assert item.prefix.startswith(b"Return-Path: <>\r\n")


@on
async def test_replies_are_not_answered(office):
    """Two who are away do not write to each other for ever."""
    bob = office.people["bob"].mailbox_id
    await office.settle()
    await office.keeping.write(bob, AWAY)
    await office.come(sender="bob@example.org")
    for _ in range(4):
        await office.runner().run_once()
        await office.follower.run_once()
    assert not await office.queue()
    assert len(await office.items("bob")) == len(await office.items("alice")) == 1


@on
async def test_once_per_sender_and_period(office):
    await office.settle()
    assert len(await office.come()) == 1
    assert len(await office.come()) == 1
    assert len(await office.come(sender="SOMEONE@example.net")) == 1
    assert len(await office.come(sender="other@example.net")) == 2
    assert len(await office.come()) == 2
    await office.settle(OutOfOffice())
    assert len(await office.come(sender="third@example.net")) == 2
    await office.settle()
    assert len(await office.come()) == 3


@on
async def test_only_what_came_meanwhile(office):
    await office.come(follow=False)
    await office.settle()
    await office.follower.run_once()
    assert not await office.replies()
    now = office.clock.now
    await office.settle(state=OofState.SCHEDULED, start_at=now + DAY, end_at=now + 2 * DAY)
    assert not await office.come()
    office.clock.now = now + DAY
    assert len(await office.come()) == 1
    await office.come(sender="late@example.net", follow=False)
    office.clock.now = now + 2 * DAY
    await office.follower.run_once()
    assert len(await office.come(sender="later@example.net")) == 1


# --- who gets none

HELLO = b"Subject: Hello"


@pytest.mark.parametrize(
    "content",
    [
        MESSAGE.replace(HELLO, b"Auto-Submitted: auto-generated\r\nSubject: x"),
        MESSAGE.replace(HELLO, b"Precedence: bulk\r\nSubject: x"),
        MESSAGE.replace(HELLO, b"List-Id: <a.b>\r\nSubject: x"),
        MESSAGE.replace(HELLO, b"X-Auto-Response-Suppress: OOF\r\nSubject: x"),
        MESSAGE.replace(b"To: Alice <alice@", b"To: All <all@"),
        MESSAGE.replace(b"To: Alice <alice@example.org>\r\n", b""),
    ],
)
def test_messages_that_get_no_answer(office, content):
    async def run():
        await office.open()
        await office.settle()
        assert not await office.come(content)
        assert office.journal.events("out-of-office.silent")

    asyncio.run(run())


@pytest.mark.parametrize(
    "sender",
    ["", "alice@example.org", "mailer-daemon@example.net", "owner-x@y.z", "no-reply@y.z"],
)
def test_senders_that_get_no_answer(office, sender):
    async def run():
        await office.open()
        await office.settle()
        assert not await office.come(sender=sender)
        assert len(await office.items("alice")) == 1

    asyncio.run(run())


@on
async def test_aliases_are_mine_and_groups_are_not(office):
    office.directory.add_alias("al@example.org", office.people["alice"].principal_id)
    group = office.directory.add_principal(PrincipalKind.GROUP, "all@example.org", "All", 0)
    office.directory.set_members(group.principal_id, ["alice@example.org"])
    await office.settle()
    to_all = MESSAGE.replace(b"Alice <alice@", b"All <all@")
    assert not await office.come(to_all, to=("all@example.org",))
    assert len(await office.come(MESSAGE.replace(b"alice@", b"al@"), to=("al@example.org",))) == 1


@on
async def test_junk_gets_no_answer(office):
    junk = await office.store.role_folder(office.box, FolderRole.JUNK)
    rule = Rule(name="junk", actions=Actions(move_to=junk.folder_id))
    await InboxRules(office.store).write(office.box, (rule,))
    await office.settle()
    assert not await office.come()
    assert len(await office.items("alice", FolderRole.JUNK)) == 1


@on
async def test_what_a_rule_put_elsewhere_is_answered(office):
    archive = await office.store.role_folder(office.box, FolderRole.ARCHIVE)
    rule = Rule(name="file", actions=Actions(move_to=archive.folder_id))
    await InboxRules(office.store).write(office.box, (rule,))
    await office.settle()
    assert len(await office.come()) == 1
    assert len(await office.items("alice", FolderRole.ARCHIVE)) == 1


@on
async def test_what_a_client_files_is_not_answered(office):
    await office.settle()
    await office.come(follow=False)
    (item,) = await office.items("alice")
    inbox = await office.store.role_folder(office.box, FolderRole.INBOX)
    new = NewItem(ItemKind.MESSAGE, item.blob, office.clock.now, columns=item.columns)
    away = MoveItems(inbox.folder_id, (item.item_id,), inbox.folder_id)
    await office.store.apply(Commit((Batch(office.box, (AddItem(inbox.folder_id, new), away)),)))
    await office.follower.run_once()
    assert len(await office.replies()) == 1


@on
async def test_rooms_do_not_answer(office):
    mailbox = await office.records.create_mailbox(MailboxKind.ROOM, bytes(16), 7)
    room = office.directory.add_principal(
        PrincipalKind.ROOM, "room@example.org", "Room", mailbox.mailbox_id
    )
    await office.keeping.write(room.mailbox_id, AWAY)
    content = MESSAGE.replace(b"Alice <alice@", b"Room <room@")
    assert not await office.come(content, to=("room@example.org",))


# --- external audience


async def add_contact(office, sender, subfolder=None):
    folder = (
        subfolder or (await office.store.role_folder(office.box, FolderRole.CONTACTS)).folder_id
    )
    columns = ItemColumns(sender=sender, item_class="IPM.Contact")
    new = NewItem(ItemKind.CONTACT, None, 5, columns=columns)
    await office.store.apply(Commit((Batch(office.box, (AddItem(folder, new),)),)))


@on
async def test_nobody_outside(office):
    await office.settle(audience=Audience.NONE)
    assert not await office.come()
    assert len(await office.come(sender="bob@example.org")) == 1


@on
async def test_only_those_in_the_contacts(office):
    await office.settle(audience=Audience.KNOWN)
    await add_contact(office, "other@example.net")
    assert not await office.come()
    await add_contact(office, "Someone@Example.net")
    assert len(await office.come()) == 1
    assert len(await office.come(sender="bob@example.org")) == 2


@on
async def test_no_text_is_no_answer(office):
    await office.settle(external=" ")
    assert not await office.come()
    # And nobody counts as answered: with a text they are.
    await office.settle(external="x")
    assert len(await office.come()) == 1


# --- crashes


@on
async def test_a_crash_before_the_commit_repeats_nothing_and_loses_nothing(office):
    await office.settle()
    await office.come(follow=False)
    apply = office.records.apply

    async def failing(commit):
        raise Unavailable("the disk")

    office.records.apply = failing
    with pytest.raises(Unavailable):
        await office.follower.run_once()
    office.records.apply = apply
    assert not await office.replies()
    await office.another_follower().run_once()
    assert len(await office.replies()) == 1


@on
async def test_a_crash_after_the_commit_repeats_nothing(office):
    await office.settle()
    await office.come(follow=False)
    apply = office.records.apply

    async def dying(commit):
        await apply(commit)
        raise asyncio.CancelledError

    office.records.apply = dying
    with pytest.raises(asyncio.CancelledError):
        await office.follower.run_once()
    office.records.apply = apply
    await office.another_follower().run_once()
    assert len(await office.replies()) == 1
    # Who was answered is remembered by whoever comes next.
    office.follower = office.another_follower()
    assert len(await office.come()) == 1


@on
async def test_marks_of_junk_count(office):
    await office.settle()
    await office.come(follow=False)
    (item,) = await office.items("alice")
    inbox = await office.store.role_folder(office.box, FolderRole.INBOX)
    mark = ChangeFlags(inbox.folder_id, (item.item_id,), Flags.JUNK, Flags.NONE)
    await office.store.apply(Commit((Batch(office.box, (mark,)),)))
    await office.follower.run_once()
    assert not await office.replies()
