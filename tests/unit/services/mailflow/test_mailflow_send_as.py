"""Sending as others: who stands in From and Sender, in the envelope, and where copies are filed."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace

import pytest

from posthouse.model.address import Address
from posthouse.model.batch import AddItem, Batch, ChangeMailbox, Commit
from posthouse.model.errors import AccessDenied, QuotaExceeded
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.item import ItemColumns, ItemKind, NewItem
from posthouse.model.people import PrincipalKind
from posthouse.model.rights import Rights
from posthouse.services.mailflow.sent import keeps_sent

REST = b"To: bob@example.org\r\nMessage-ID: <p1@laptop>\r\nDate: Sat, 03 Jan 2026 10:00:00 +0000\r\n\r\nWords.\r\n"


async def opened(house, rights=Rights.SEND_AS, quota_bytes=0):
    """A shared mailbox ``office`` whose address alice may use."""
    await house.open()
    mailbox = await house.records.create_mailbox(
        MailboxKind.SHARED, house.chance.token_bytes(16), 7, quota_bytes=quota_bytes
    )
    house.people["office"] = house.directory.add_principal(
        PrincipalKind.SHARED, "office@example.org", "Office", mailbox.mailbox_id
    )
    grant(house, "office", rights)


def grant(house, owner, rights, grantee="alice"):
    owner_id, grantee_id = (house.people[name].principal_id for name in (owner, grantee))
    house.directory.set_send_grant(owner_id, grantee_id, rights)


async def submit(house, head, *to, sender="alice@example.org"):
    return await house.accept(
        *(to or ["bob@example.org"]), sender=sender, login="alice", content=head + REST
    )


async def settle(house, name, settings):
    change = ChangeMailbox(settings=settings)
    await house.store.apply(Commit((Batch(house.people[name].mailbox_id, (change,)),)))


async def sent(house, name):
    return len(await house.items(name, FolderRole.SENT))


@pytest.mark.parametrize(
    "head",
    [
        b"From: office@example.org\r\n",
        b"From: alice@example.org\r\nSender: office@example.org\r\n",
        b"From: office@example.org\r\nSender: alice@example.org\r\n",
        b"From: office@example.org, alice@example.org\r\n",
    ],
)
def test_send_as(house, head):
    async def run():
        await opened(house)
        await submit(house, head, sender="office@example.org")
        (got,) = await house.items("bob")
        assert b"\r\nSender:" not in got.prefix

    asyncio.run(run())


def test_on_behalf_needs_an_own_sender_which_is_added_where_it_is_missing(house):
    async def run():
        await opened(house, Rights.SEND_ON_BEHALF)
        await submit(
            house, b"From: Office <office@example.org>\r\n", "bob@example.org", "x@y.example"
        )
        (got,) = await house.items("bob")
        (copy,) = await house.items("alice", FolderRole.SENT)
        (entry,) = await house.queue()
        assert re.findall(rb"(?m)^Sender: (.*)\r$", got.prefix) == [b"<alice@example.org>"]
        assert copy.prefix == b"Sender: <alice@example.org>\r\n"
        assert b"\r\nSender: <alice@example.org>\r\n" in entry.message.prefix
        await submit(
            house, b"From: office@example.org\r\nSender: ALICE+x@example.org\r\nSubject: 2\r\n"
        )
        assert b"Sender" not in (await house.items("bob"))[1].prefix

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        b"From: office@example.org\r\nSender: office@example.org\r\n",
        b"From: alice@example.org\r\nSender: office@example.org\r\n",
        b"From: office@example.org\r\nSender: bob@example.org\r\n",
        b"From: office@example.org\r\nSender: desk@example.org\r\n",
        b"From: office@example.org, bob@example.org\r\n",
    ],
)
def test_on_behalf_is_not_as(house, head):
    async def run():
        await opened(house, Rights.SEND_ON_BEHALF)
        await house.add_person("desk")
        grant(house, "desk", Rights.SEND_AS)
        with pytest.raises(AccessDenied):
            await submit(house, head)
        assert not await house.items("bob")

    asyncio.run(run())


@pytest.mark.parametrize("rights", [Rights.SEND_AS, Rights.SEND_ON_BEHALF])
def test_the_envelope_may_name_whom_one_sends_for(house, rights):
    async def run():
        await opened(house, rights)
        office = Address.parse("office@example.org")
        await house.mailflow.check_sender(office, house.origin("alice"), 0)
        for login in ("bob", "carol"):
            with pytest.raises(AccessDenied):
                await house.mailflow.check_sender(office, house.origin(login), 0)
        grant(house, "office", Rights.NONE)
        with pytest.raises(AccessDenied):
            await house.mailflow.check_sender(office, house.origin("alice"), 0)

    asyncio.run(run())


@pytest.mark.parametrize("rights", [Rights.SEND_AS, Rights.SEND_ON_BEHALF])
def test_a_shared_mailbox_keeps_a_copy_of_what_is_sent_in_its_name(house, rights):
    async def run():
        await opened(house, rights)
        await submit(house, b"From: office@example.org\r\n")
        assert (await sent(house, "office"), await sent(house, "alice")) == (1, 1)
        await submit(house, b"From: alice@example.org\r\nSubject: own\r\n")
        assert await sent(house, "office") == 1

    asyncio.run(run())


def test_a_persons_mailbox_keeps_one_by_wish_and_a_shared_one_none(house):
    async def run():
        await opened(house)
        grant(house, "carol", Rights.SEND_AS)
        await submit(house, b"From: carol@example.org\r\n")
        assert await sent(house, "carol") == 0
        await settle(house, "carol", '{"keeps_sent": true}')
        await settle(house, "office", '{"keeps_sent": false}')
        both = b"From: carol@example.org, office@example.org\r\nSubject: 2\r\n"
        await submit(house, both, "bob@example.org", "alice@example.org")
        assert (await sent(house, "carol"), await sent(house, "office")) == (1, 0)

    asyncio.run(run())


@pytest.mark.parametrize("early", ["alice", "office"])
def test_a_copy_filed_early_keeps_no_other_away(house, early):
    async def run():
        await opened(house)
        mailbox_id = house.people[early].mailbox_id
        folder = await house.store.role_folder(mailbox_id, FolderRole.SENT)
        own = NewItem(ItemKind.MESSAGE, None, 1, columns=ItemColumns(message_id="p1@laptop"))
        await house.store.apply(Commit((Batch(mailbox_id, (AddItem(folder.folder_id, own),)),)))
        await submit(house, b"From: office@example.org\r\n")
        assert (await sent(house, "office"), await sent(house, "alice")) == (1, 1)
        assert len(await house.items("bob")) == 1

    asyncio.run(run())


def test_a_full_shared_mailbox_gets_no_copy_and_the_mail_goes_all_the_same(house):
    async def run():
        await opened(house, quota_bytes=10)
        await submit(house, b"From: office@example.org\r\n")
        assert (await sent(house, "office"), await sent(house, "alice")) == (0, 1)
        assert len(await house.items("bob")) == 1
        with pytest.raises(QuotaExceeded):
            await submit(house, b"From: office@example.org\r\nSubject: 2\r\n", "office@example.org")

    asyncio.run(run())


def test_a_shared_mailbox_that_is_gone_gets_no_copy(house):
    async def run():
        await opened(house)
        await submit(house, b"From: office@example.org\r\n")
        await house.records.delete_mailbox(house.people["office"].mailbox_id)
        await submit(house, b"From: office@example.org\r\nSubject: 2\r\n")
        assert len(await house.items("bob")) == 2

    asyncio.run(run())


def test_settings_that_nobody_understands_are_the_default():
    for kind, settings, keeps in (
        (MailboxKind.SHARED, "", True),
        (MailboxKind.SHARED, "[", True),
        (MailboxKind.SHARED, '{"keeps_sent": "no"}', True),
        (MailboxKind.SHARED, '{"keeps_sent": false, "pop_delete": "hide"}', False),
        (MailboxKind.USER, "{}", False),
    ):
        assert keeps_sent(SimpleNamespace(kind=kind, settings=settings)) is keeps
