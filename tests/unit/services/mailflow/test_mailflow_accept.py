"""Taking mail in: who gets what, in one commit."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.unit.services.mailflow.conftest import MESSAGE, until

from posthouse.model.address import Address
from posthouse.model.batch import AddItem, Batch, ChangeMailbox, Commit, MakeFolder
from posthouse.model.errors import (
    AccessDenied,
    InsufficientSpace,
    MailLoop,
    NotFound,
    QuotaExceeded,
    TooLarge,
    Unavailable,
)
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Flags, ItemKind, NewItem
from posthouse.model.people import PrincipalKind
from posthouse.model.queue import Notify
from posthouse.services.mailflow.envelope import Policy


def test_a_local_message_lies_in_the_inbox_with_its_trace(house):
    async def run():
        await house.open()
        accepted = await house.accept()
        (item,) = await house.items("alice")
        assert house.whole(item).endswith(b"\r\n" + MESSAGE)
        assert item.prefix.splitlines() == [
            b"Return-Path: <someone@example.net>",
            b"Delivered-To: alice@example.org",
            b"Received: from client.example.net ([192.0.2.7])",
            b"\tby mail.example.org with ESMTP",
            f"\tid {accepted.queue_id}".encode(),
            b"\tfor <alice@example.org>; Thu, 28 May 2026 20:26:40 +0000",
        ]
        assert item.columns.subject == "Hello"
        assert item.columns.message_id == "m1@example.net"
        assert (await house.places("alice"))[0].flags == Flags.NONE
        assert not await house.queue()

    asyncio.run(run())


def test_several_recipients_share_one_commit_and_one_blob(house):
    async def run():
        await house.open()
        calls = []
        apply = house.store.records.apply

        async def counting(commit):
            calls.append(commit)
            return await apply(commit)

        house.records.apply = counting
        await house.accept("alice@example.org", "bob@example.org", "ALICE+x@example.org")
        assert len(calls) == 1
        (a,), (b,) = await house.items("alice"), await house.items("bob")
        assert a.blob.blob_hash == b.blob.blob_hash
        assert b"for <" not in a.prefix
        assert b"Delivered-To: bob@example.org\r\n" in b.prefix

    asyncio.run(run())


def test_the_null_sender_is_told_in_return_path(house):
    async def run():
        await house.open()
        await house.accept(sender="")
        (item,) = await house.items("alice")
        assert item.prefix.startswith(b"Return-Path: <>\r\n")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("detail", "arrives"),
    [("projects", True), ("Sent+Items", False), ("nothing", False), ("calendar", False)],
)
def test_a_detail_names_a_mail_folder(house, detail, arrives):
    async def run():
        await house.open()
        mailbox_id = house.people["alice"].mailbox_id
        root = next(f for f in await house.records.folders(mailbox_id) if f.role is FolderRole.ROOT)
        make = MakeFolder(root.folder_id, "Projects", FolderClass.MAIL, FolderRole.NONE)
        (result,) = await house.store.apply(Commit((Batch(mailbox_id, (make,)),)))
        await house.accept(f"alice+{detail}@example.org")
        found = await house.items("alice", folder_id=result.results[0].folder_id)
        assert len(found) == arrives
        assert len(await house.items("alice")) == (not arrives)

    asyncio.run(run())


def test_groups_aliases_and_forwards_expand_without_doubling(house):
    async def run():
        await house.open()
        team = house.directory.add_principal(PrincipalKind.GROUP, "team@example.org", "Team", 0)
        house.directory.set_members(
            team.principal_id, ["alice@example.org", "bob@example.org", "x@elsewhere.example"]
        )
        house.directory.add_alias("al@example.org", house.people["alice"].principal_id)
        house.directory.change_principal(
            replace(house.people["bob"], forward_to=("bob@away.example",), keeps_copy=False)
        )
        await house.accept("team@example.org", "al@example.org", "alice@example.org")
        assert len(await house.items("alice")) == 1
        assert not await house.items("bob")
        (entry,) = await house.queue()
        assert {r.address for r in entry.message.recipients} == {
            "x@elsewhere.example",
            "bob@away.example",
        }
        assert entry.message.sender == "someone@example.net"
        assert entry.message.prefix.startswith(b"Delivered-To: team@example.org\r\nReceived: ")

    asyncio.run(run())


def test_foreign_recipients_need_a_login(house):
    async def run():
        await house.open()
        with pytest.raises(AccessDenied):
            await house.accept("x@elsewhere.example", "alice@example.org")
        assert not await house.items("alice")
        with pytest.raises(AccessDenied):
            await house.mailflow.check_recipient(
                Address.parse("x@elsewhere.example"), house.origin(), 0
            )
        await house.mailflow.check_recipient(
            Address.parse("x@elsewhere.example"), house.origin("alice"), 0
        )
        with pytest.raises(NotFound):
            await house.mailflow.check_recipient(
                Address.parse("nobody@example.org"), house.origin(), 0
            )

    asyncio.run(run())


def test_check_sender_binds_the_login_and_guards_the_disk(house):
    async def run():
        await house.open()
        origin = house.origin("alice")
        await house.mailflow.check_sender(Address.parse("Alice+work@example.org"), origin, 100)
        await house.mailflow.check_sender(None, origin, 100)
        with pytest.raises(AccessDenied):
            await house.mailflow.check_sender(Address.parse("bob@example.org"), origin, 100)
        with pytest.raises(TooLarge):
            await house.mailflow.check_sender(None, house.origin(), (50 << 20) + 1)
        house.blobs.free_bytes = lambda: (1 << 30) - 1
        with pytest.raises(InsufficientSpace):
            await house.mailflow.check_sender(None, house.origin(), 0)

    asyncio.run(run())


def test_a_full_mailbox_alone_refuses(house):
    async def run():
        await house.open()
        await house.add_person("full", quota_bytes=100)
        with pytest.raises(QuotaExceeded):
            await house.mailflow.check_recipient(
                Address.parse("full@example.org"), house.origin(), 101
            )
        with pytest.raises(QuotaExceeded):
            await house.accept("full@example.org")
        assert not await house.items("full")

    asyncio.run(run())


def test_a_full_mailbox_among_others_is_reported_to_a_local_sender(house):
    async def run():
        await house.open()
        await house.add_person("full", quota_bytes=100)
        content = MESSAGE.replace(b"someone@example.net>", b"bob@example.org>", 1)
        await house.accept(
            "alice@example.org", "full@example.org", sender="bob@example.org", content=content
        )
        assert len(await house.items("alice")) == 1
        (report,) = await house.items("bob")
        text = house.whole(report)
        assert text.startswith(b"Return-Path: <>\r\nDelivered-To: bob@example.org\r\n")
        assert (
            b"Final-Recipient: rfc822;full@example.org\r\nAction: failed\r\nStatus: 5.2.2" in text
        )
        assert b"alice@example.org\r\nAction" not in text
        assert b"Text.\r\n.A dot." in text

    asyncio.run(run())


def test_a_full_mailbox_among_others_is_reported_to_a_foreign_sender(house):
    async def run():
        await house.open()
        await house.add_person("full", quota_bytes=100)
        await house.accept("alice@example.org", "full@example.org")
        (entry,) = await house.queue()
        assert entry.message.sender == ""
        assert [r.address for r in entry.message.recipients] == ["someone@example.net"]
        assert entry.message.recipients[0].notify == Notify.NEVER

    asyncio.run(run())


def test_the_null_sender_never_gets_a_report(house):
    async def run():
        await house.open()
        await house.add_person("full", quota_bytes=100)
        await house.accept("alice@example.org", "full@example.org", sender="")
        assert not await house.queue()
        assert len(await house.items("alice")) == 1

    asyncio.run(run())


def test_a_success_report_comes_when_asked_for(house):
    async def run():
        await house.open()
        await house.accept("alice@example.org", sender="bob@example.org", notify=Notify.SUCCESS)
        (report,) = await house.items("bob")
        assert b"Action: delivered\r\nStatus: 2.1.5" in house.whole(report)

    asyncio.run(run())


def test_fifty_received_lines_are_a_loop(house):
    async def run():
        await house.open()
        line = b"Received: from a by b; Sat, 03 Jan 2026 10:00:00 +0000\r\n"
        await house.accept(content=line * 49 + MESSAGE)
        with pytest.raises(MailLoop):
            await house.accept(content=line * 50 + MESSAGE.replace(b"m1@", b"m2@"))
        in_body = MESSAGE.replace(b"m1@", b"m3@") + line * 60
        await house.accept(content=in_body)
        assert len(await house.items("alice")) == 2

    asyncio.run(run())


def test_own_delivered_to_is_a_loop(house):
    async def run():
        await house.open()
        been = b"Delivered-To:  <Alice@Example.org>\r\n"
        with pytest.raises(MailLoop):
            await house.accept(content=been + MESSAGE)
        await house.accept("bob@example.org", content=been + MESSAGE)
        assert len(await house.items("bob")) == 1

    asyncio.run(run())


def test_an_echo_is_acknowledged_without_a_second_copy(house):
    async def run():
        await house.open()
        first = await house.accept()
        again = await house.another_worker().accept(house.received())
        assert again.was_echo
        assert again.receipt == first.receipt
        assert len(await house.items("alice")) == 1
        other = await house.accept(content=MESSAGE.replace(b"Text", b"Other"))
        assert not other.was_echo

    asyncio.run(run())


def test_a_settled_message_may_be_sent_again_also_through_another_worker(house):
    async def run():
        await house.open()
        for _ in range(3):
            accepted = await house.accept()
            assert not accepted.was_echo
            house.mailflow.settle(accepted.receipt)
        await house.mailflow.flush_settled()
        accepted = await house.another_worker().accept(house.received())
        assert not accepted.was_echo
        assert len(await house.items("alice")) == 4
        again = await house.another_worker().accept(house.received())
        assert again.was_echo

    asyncio.run(run())


def test_another_worker_sees_on_the_board_what_the_records_do_not_know_yet(house):
    async def run():
        await house.open()
        workers = [house.another_worker() for _ in range(3)]
        for turn in range(9):
            worker = workers[turn % 3]
            accepted = await worker.accept(house.received())
            assert not accepted.was_echo
            assert (await worker.accept(house.received())).was_echo
            worker.settle(accepted.receipt)
            assert await house.records.receipt_stands(accepted.receipt)
        assert len(await house.items("alice")) == 9

    asyncio.run(run())


def test_settled_receipts_ride_along_with_the_next_commit(house):
    async def run():
        await house.open()
        house.mailflow.settle((await house.accept()).receipt)
        await house.accept("bob@example.org")
        assert not (await house.another_worker().accept(house.received())).was_echo

    asyncio.run(run())


def test_keep_settled_flushes_by_itself(house):
    async def run():
        await house.open()
        receipt = (await house.accept()).receipt
        keeper = asyncio.ensure_future(house.mailflow.keep_settled())
        house.mailflow.settle(receipt)

        async def is_forgotten():
            return not await house.records.receipt_stands(receipt)

        await until(is_forgotten)
        keeper.cancel()

    asyncio.run(run())


def test_a_repeat_while_the_first_is_being_committed_waits_for_it(house):
    async def run():
        await house.open()
        answers = await asyncio.gather(*(house.accept() for _ in range(5)))
        assert sorted(a.was_echo for a in answers) == [False, True, True, True, True]
        assert len(await house.items("alice")) == 1

    asyncio.run(run())


def test_a_failed_commit_leaves_nothing_and_can_be_repeated(house):
    async def run():
        await house.open()
        settled = (await house.accept("bob@example.org")).receipt
        house.mailflow.settle(settled)
        apply = house.records.apply

        async def failing(commit):
            raise Unavailable("disk full")

        house.records.apply = failing
        with pytest.raises(Unavailable):
            await house.accept()
        house.records.apply = apply
        assert not (await house.accept()).was_echo
        assert not await house.records.receipt_stands(settled)
        assert len(await house.items("alice")) == 1

    asyncio.run(run())


def test_messages_without_message_id_are_never_echoes(house):
    async def run():
        await house.open()
        bare = MESSAGE.replace(b"Message-ID: <m1@example.net>\r\n", b"")
        for _ in range(2):
            accepted = await house.accept(content=bare)
            assert accepted.receipt == b""
        assert len(await house.items("alice")) == 2

    asyncio.run(run())


def test_a_group_of_nobody_is_not_found(house):
    async def run():
        await house.open()
        house.directory.add_principal(PrincipalKind.GROUP, "empty@example.org", "Empty", 0)
        with pytest.raises(NotFound):
            await house.accept("empty@example.org")

    asyncio.run(run())


def test_a_folder_that_vanishes_meanwhile_costs_only_the_detail(house):
    async def run():
        await house.open()
        wrong = house.mailflow._filing._placement

        async def stale(mailbox_id, detail=""):
            return 9999 if detail else await wrong.special(mailbox_id, FolderRole.INBOX)

        wrong.inbox = stale
        await house.accept("alice+gone@example.org")
        assert len(await house.items("alice")) == 1

    asyncio.run(run())


def test_too_large_is_refused(house):
    async def run():
        house.policy = Policy("mail.example.org", message_bytes_max=100)
        await house.open()
        with pytest.raises(TooLarge):
            await house.accept()

    asyncio.run(run())


def test_a_submitter_without_room_is_told_and_nobody_gets_it(house):
    async def run():
        await house.open()
        mailbox_id = house.people["alice"].mailbox_id
        await house.store.apply(Commit((Batch(mailbox_id, (ChangeMailbox(quota_bytes=10),)),)))
        content = MESSAGE.replace(b"someone@example.net", b"alice@example.org")
        with pytest.raises(QuotaExceeded):
            await house.accept(
                "bob@example.org", sender="alice@example.org", login="alice", content=content
            )
        assert not await house.items("bob")

    asyncio.run(run())


def test_an_item_that_is_no_message_does_not_disturb(house):
    async def run():
        await house.open()
        mailbox_id = house.people["alice"].mailbox_id
        folder = await house.store.role_folder(mailbox_id, FolderRole.INBOX)
        note = AddItem(folder.folder_id, NewItem(ItemKind.NOTE, None, 1))
        await house.store.apply(Commit((Batch(mailbox_id, (note,)),)))
        await house.accept()
        assert len(await house.items("alice")) == 2

    asyncio.run(run())
