"""Submissions: bound to the login, completed, stripped of Bcc, filed in Sent Items once."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.formats.mime.dots import stuff, unstuff
from posthouse.model.batch import AddItem, Batch, Commit
from posthouse.model.blob import BlobForm
from posthouse.model.errors import AccessDenied
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags, ItemColumns, ItemKind, NewItem
from posthouse.services.directory.addresses import SendRight
from posthouse.services.mailflow.sent import filed_copy
from posthouse.services.mailflow.submission import check_author, without_hidden_recipients

OWN = b"From: Alice <alice@example.org>\r\n"
REST = b"To: bob@example.org\r\nSubject: Plan\r\nMessage-ID: <p1@laptop>\r\nDate: Sat, 03 Jan 2026 10:00:00 +0000\r\n"
BODY = b"\r\nWords.\r\n"


async def submit(house, content, *to):
    return await house.accept(
        *(to or ["bob@example.org"]), sender="alice@example.org", login="alice", content=content
    )


def test_a_copy_lies_in_sent_items_read_and_without_trace(house):
    async def run():
        await house.open()
        await submit(house, OWN + REST + BODY)
        (copy,) = await house.items("alice", FolderRole.SENT)
        (got,) = await house.items("bob")
        assert copy.prefix == b""
        assert copy.blob.blob_hash == got.blob.blob_hash
        assert (await house.places("alice", FolderRole.SENT))[0].flags == Flags.SEEN
        assert b"Received: from client.example.net\r\n" in got.prefix

    asyncio.run(run())


def test_the_copy_is_filed_once_whoever_is_first(house):
    async def run():
        await house.open()
        mailbox_id = house.people["alice"].mailbox_id
        folder = await house.store.role_folder(mailbox_id, FolderRole.SENT)
        own = NewItem(ItemKind.MESSAGE, None, 1, columns=ItemColumns(message_id="p1@laptop"))
        await house.store.apply(Commit((Batch(mailbox_id, (AddItem(folder.folder_id, own),)),)))
        await submit(house, OWN + REST + BODY)
        assert len(await house.items("alice", FolderRole.SENT)) == 1
        assert len(await house.items("bob")) == 1
        place = await filed_copy(house.store, mailbox_id, "p1@laptop")
        assert place.folder_id == folder.folder_id
        assert await filed_copy(house.store, mailbox_id, "other@laptop") is None
        assert await filed_copy(house.store, mailbox_id, "") is None

    asyncio.run(run())


def test_mail_to_oneself_lies_in_both_folders(house):
    async def run():
        await house.open()
        await submit(house, OWN + REST + BODY, "alice@example.org", "x@elsewhere.example")
        assert len(await house.items("alice")) == 1
        assert len(await house.items("alice", FolderRole.SENT)) == 1
        (entry,) = await house.queue()
        assert entry.message.submitted_by == "alice@example.org"
        assert entry.message.prefix.startswith(b"Received: ")

    asyncio.run(run())


def test_missing_message_id_and_date_are_added(house):
    async def run():
        await house.open()
        await submit(house, OWN + b"To: bob@example.org\r\n" + BODY)
        (got,) = await house.items("bob")
        (copy,) = await house.items("alice", FolderRole.SENT)
        assert re.search(rb"\r\nMessage-ID: <[0-9a-f]{24}@mail.example.org>\r\n", got.prefix)
        assert b"\r\nDate: Thu, 28 May 2026 20:26:40 +0000\r\n" in got.prefix
        assert copy.prefix.startswith(b"Message-ID: <")
        assert copy.columns.message_id == got.columns.message_id != ""
        assert got.columns.sent_at == house.clock.now
        assert house.whole(got).endswith(OWN + b"To: bob@example.org\r\n" + BODY)

    asyncio.run(run())


def test_bcc_stays_in_the_copy_only(house):
    async def run():
        await house.open()
        hidden = b"bCC : carol@example.org,\r\n\tx@elsewhere.example\r\nResent-Bcc: y@z.example\r\n"
        await submit(
            house,
            OWN + hidden + REST + BODY,
            "bob@example.org",
            "carol@example.org",
            "x@elsewhere.example",
        )
        for name in ("bob", "carol"):
            (got,) = await house.items(name)
            assert house.blobs.read_plain(got.blob) == OWN + REST + BODY
        (copy,) = await house.items("alice", FolderRole.SENT)
        assert house.blobs.read_plain(copy.blob) == OWN + hidden + REST + BODY
        (entry,) = await house.queue()
        assert house.blobs.read_plain(entry.message.blob) == OWN + REST + BODY

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"From: Bob <bob@example.org>\r\n",
        b"From: alice@example.org, bob@example.org\r\n",
        b"From: alice@example.org\r\nFrom: alice@example.org\r\n",
        b"From: alice@example.org\r\nfrom : bob@example.org\r\n",
        b"From: alice@example.org\r\nFrom\0: bob@example.org\r\n",
        b"From: alice@example.org\r\nFrom\t:\r\n bob@example.org\r\n",
        b"From: alice@example.org\r\nSender: bob@example.org\r\n",
        b"From: alice@example.org\r\nSender: alice@example.org\r\nSender: alice@example.org\r\n",
        b"From: alice@example.org <bob@example.org>\r\n",
        b"From: <alice@example.org> <bob@example.org>\r\n",
        b"From: group:;\r\n",
        b"From: alice\r\n",
        b"From:\r\n",
        b"From: alice@example.net\r\n",
    ],
)
def test_a_forged_author_is_refused(house, head):
    async def run():
        await house.open()
        with pytest.raises(AccessDenied):
            await submit(house, head + REST + BODY)
        assert not await house.items("bob")
        assert not await house.items("alice", FolderRole.SENT)

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        b"From: alice@example.org\r\n",
        b'From: "A, B" <ALICE+x@Example.ORG>\r\n',
        b"From: alice@example.org\r\nSender: Alice <alice@example.org>\r\n",
        b"FROM:\r\n =?utf-8?q?=41lice?= <alice@example.org>\r\n",
    ],
)
def test_an_own_author_passes(house, head):
    async def run():
        await house.open()
        await submit(house, head + REST + BODY)
        assert len(await house.items("bob")) == 1

    asyncio.run(run())


def test_mail_from_outside_may_have_any_author(house):
    async def run():
        await house.open()
        await house.accept(content=b"From: a@b.example\r\nFrom: c@d.example\r\n" + REST + BODY)
        assert len(await house.items("alice")) == 1

    asyncio.run(run())


def test_bcc_is_cut_out_of_a_spooled_message_too(tmp_path):
    blobs = MemoryBlobs()
    plain = OWN + b"Bcc: a@b.c\r\n" + REST + b"\r\n" + b".dot\r\n" + b"x" * 3_000_000
    wire, has_dot_lines, lacks_final_eol = stuff(plain)
    staged = blobs.stage_bytes(
        wire, BlobForm.WIRE, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol
    )
    path = tmp_path / "spooled"
    path.write_bytes(wire)
    got = without_hidden_recipients(replace(staged, data=None, path=path), blobs)
    expected = plain.replace(b"Bcc: a@b.c\r\n", b"")
    assert unstuff(got.data, lacks_final_eol=got.ref.lacks_final_eol) == expected
    assert got.ref.size_bytes == len(expected)


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_check_author_ends_in_a_verdict(noise):
    with pytest.raises(AccessDenied):
        check_author(noise, lambda _: SendRight.NONE)


LINES = st.lists(
    st.sampled_from(
        [b"Bcc: a@b.c\r\n", b"bcc:\r\n", b" fold\r\n", b"To: x\r\n", b".dot: y\r\n", b"Bccx: z\r\n"]
    ),
    max_size=8,
)


@given(LINES, st.sampled_from([b"", b"\r\n", b"\r\n.body\r\n", b"\r\nno end"]))
@settings(max_examples=100)
def test_bcc_is_cut_out_exactly(lines, body):
    blobs = MemoryBlobs()
    plain = b"".join(lines) + body
    if lines and not body:
        plain = plain[:-2]
    wire, has_dot_lines, lacks_final_eol = stuff(plain)
    staged = blobs.stage_bytes(
        wire, BlobForm.WIRE, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol
    )
    got = without_hidden_recipients(staged, blobs)
    kept, is_hidden = [], False
    for line in lines:
        if not line.startswith(b" "):
            is_hidden = line.lower().startswith(b"bcc:")
        if not is_hidden:
            kept.append(line)
    expected = b"".join(kept) + body
    plain_again = unstuff(got.data, lacks_final_eol=got.ref.lacks_final_eol)
    assert plain_again in (expected, expected.removesuffix(b"\r\n"))
    assert got.ref.size_bytes == len(plain_again)
    assert got.ref.stored_bytes == len(got.data)
