"""Messages that come as MIME without an envelope, on the way of every submission, once each."""

import asyncio

import pytest

from posthouse.formats.mime.headers import all_of, first
from posthouse.model.batch import ChangeFlags, ChangeProperties, ExpungeItems
from posthouse.model.errors import (
    AccessDenied,
    NotFound,
    ParserFailed,
    QuotaExceeded,
    TooLarge,
    Unavailable,
)
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags
from posthouse.services.mailflow.outgoing import Outgoing
from posthouse.services.mailflow.rates import SendingRates

DRAFT = (
    b"From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Hi\r\n\r\nText\r\n.dot\r\n"
)


def run(scenario):
    asyncio.run(scenario)


@pytest.fixture
def sending(house):
    async def send(mime=DRAFT, login="alice", worker=None, **more):
        outgoing = Outgoing(house.store, worker or house.mailflow, house.addresses)
        return await outgoing.send(house.origin(login, "HTTPS"), mime, **more)

    return send


def test_a_message_goes_the_way_of_a_submission(house, sending):
    async def scenario():
        await house.open()
        mime = (
            b"From: Alice <alice@example.org>\nTo: bob@example.org, x@else.net\n"
            b"Cc: Carol <carol@example.org>, bob@example.org\nBcc: hid@else.net\n"
            b"Subject: Hi\n\nText\n.dot\nlast"
        )
        accepted = await sending(mime)
        (got,) = await house.items("bob")
        plain = house.whole(got)
        assert plain.endswith(b"Subject: Hi\r\n\r\nText\r\n.dot\r\nlast")
        assert first(plain, b"bcc") is None
        assert first(plain, b"return-path").strip() == b"<alice@example.org>"
        assert b"192.0.2.7" not in plain
        assert accepted.queue_id.encode() in plain
        assert got.columns.message_id
        assert len(await house.items("carol")) == 1
        (queued,) = await house.queue()
        away = [one.address for one in queued.message.recipients]
        assert away == ["x@else.net", "hid@else.net"]
        (copy,) = await house.items("alice", FolderRole.SENT)
        assert first(house.whole(copy), b"bcc").strip() == b"hid@else.net"
        (place,) = await house.places("alice", FolderRole.SENT)
        assert place.flags == Flags.SEEN

    run(scenario())


def test_without_a_copy(house, sending):
    async def scenario():
        await house.open()
        await sending(saves_copy=False)
        assert len(await house.items("bob")) == 1
        assert await house.items("alice", FolderRole.SENT) == []

    run(scenario())


@pytest.mark.parametrize("author", [b"", b"From:\r\n", b"from: Alice\r\n the First\r\n"])
def test_a_missing_author_is_the_login(house, sending, author):
    async def scenario():
        await house.open()
        house.directory.add_domain("other.example")
        await sending(author + b"To: bob@example.org\r\nX-Kept: yes\r\n\r\nText\r\n")
        (got,) = await house.items("bob")
        plain = house.whole(got)
        assert [one.strip() for one in all_of(plain, b"from")] == [b"Alice <alice@example.org>"]
        assert first(plain, b"x-kept").strip() == b"yes"
        assert plain.endswith(b"\r\n\r\nText\r\n")

    run(scenario())


def test_recipients_that_the_header_does_not_name(house, sending):
    async def scenario():
        await house.open()
        await sending(bcc=["Carol <carol@example.org>", "bob@example.org"])
        assert len(await house.items("carol")) == 1
        assert len(await house.items("bob")) == 1
        assert b"carol" not in house.whole((await house.items("bob"))[0])
        (copy,) = await house.items("alice", FolderRole.SENT)
        shown = first(house.whole(copy), b"bcc").strip()
        assert shown == b"Carol <carol@example.org>"

    run(scenario())


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (b"Subject: x\r\n", NotFound),
        (b"To: undisclosed-recipients:;\r\n", NotFound),
        (b"To: Bob\r\n", NotFound),
        (b"To: nobody@example.org\r\n", NotFound),
        (b"To: bob@example.org, carol@@example.org\r\n", ParserFailed),
        (b"To: bob@-bad-.org\r\n", ParserFailed),
        (b"From: bob@example.org\r\nTo: carol@example.org\r\n", AccessDenied),
        (b"From: a@x.net\r\nTo: carol@example.org\r\n", AccessDenied),
        (
            b"From: alice@example.org\r\nSender: bob@example.org\r\nTo: carol@example.org\r\n",
            AccessDenied,
        ),
        (b"To: " + b",".join(b"u%d@else.net" % n for n in range(1_001)) + b"\r\n", TooLarge),
        (b"To: bob@example.org\r\n" + b"X: y\r\n" * 6_000, TooLarge),
        (b"To: bob@example.org" + b",\r\n x@else.net" * 20_000 + b"\r\n", TooLarge),
    ],
    ids=lambda value: value[:24].decode() if isinstance(value, bytes) else "",
)
def test_what_cannot_be_sent(house, sending, header, error):
    async def scenario():
        await house.open()
        with pytest.raises(error):
            await sending(header + b"\r\nText\r\n")
        for name in ("alice", "bob", "carol"):
            assert await house.items(name) == []
        assert await house.items("alice", FolderRole.SENT) == []
        assert list(await house.queue()) == []

    run(scenario())


def test_words_beside_an_address_are_nobody(house, sending):
    async def scenario():
        await house.open()
        await sending(b"To: Doe, Bob <bob@example.org>\r\n\r\nText\r\n")
        assert len(await house.items("bob")) == 1

    run(scenario())


def test_nobody_sends_without_a_login(house):
    async def scenario():
        await house.open()
        outgoing = Outgoing(house.store, house.mailflow, house.addresses)
        with pytest.raises(AccessDenied):
            await outgoing.send(house.origin(), DRAFT)

    run(scenario())


def test_a_full_mailbox_refuses_the_copy(house, sending):
    async def scenario():
        await house.open()
        await house.add_person("dan", quota_bytes=10)
        with pytest.raises(QuotaExceeded):
            await sending(DRAFT.replace(b"alice", b"dan"), login="dan")
        assert await house.items("bob") == []
        await sending(DRAFT.replace(b"alice", b"dan"), login="dan", saves_copy=False)
        assert len(await house.items("bob")) == 1

    run(scenario())


def test_too_large(house, sending):
    async def scenario():
        await house.open()
        with pytest.raises(TooLarge):
            await sending(DRAFT + b"x" * (house.policy.message_bytes_max + 1))

    run(scenario())


def test_the_same_key_is_sent_once(house, sending):
    async def scenario():
        await house.open()
        outgoing = Outgoing(house.store, house.mailflow, house.addresses)
        assert not await outgoing.was_sent(house.login("alice"), b"k1")
        first_one = await sending(key=b"k1")
        again = await sending(DRAFT.replace(b"Text", b"Other"), key=b"k1")
        assert (first_one.was_echo, again.was_echo) == (False, True)
        assert first_one.receipt == again.receipt == b""
        assert await outgoing.was_sent(house.login("alice"), b"k1")
        assert not await outgoing.was_sent(house.login("bob"), b"k1")
        assert not await outgoing.was_sent(house.login("alice"), b"")
        assert len(await house.items("bob")) == 1
        assert len(await house.items("alice", FolderRole.SENT)) == 1
        await sending(key=b"k2")
        await sending(DRAFT.replace(b"alice", b"carol"), login="carol", key=b"k1")
        assert len(await house.items("bob")) == 3

    run(scenario())


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_key_at_the_same_time(house, sending, workers):
    async def scenario():
        await house.open()
        others = [house.mailflow, house.another_worker()][:workers]
        accepted = await asyncio.gather(
            *(sending(key=b"k", worker=others[n % workers]) for n in range(6))
        )
        assert [one.was_echo for one in accepted].count(False) == 1
        assert len(await house.items("bob")) == 1

    run(scenario())


def test_a_key_that_failed_may_be_tried_again(house, sending):
    async def scenario():
        await house.open()
        with pytest.raises(NotFound):
            await sending(DRAFT.replace(b"bob@", b"nobody@"), key=b"k")
        assert not (await sending(key=b"k")).was_echo
        assert len(await house.items("bob")) == 1

    run(scenario())


async def deliver_to_alice(house):
    await house.accept("alice@example.org")
    inbox = await house.store.role_folder(house.people["alice"].mailbox_id, FolderRole.INBOX)
    (item,) = await house.items("alice")
    return inbox.folder_id, item.item_id


def test_marks_are_made_in_the_same_commit(house, sending):
    async def scenario():
        await house.open()
        folder_id, item_id = await deliver_to_alice(house)
        mailbox_id = house.people["alice"].mailbox_id
        also = (
            (mailbox_id, ChangeFlags(folder_id, (item_id,), Flags.ANSWERED, Flags.NONE)),
            (mailbox_id, ChangeProperties(item_id, bag=b'{"last_verb":1}')),
        )
        await sending(also=also, key=b"k")
        (place,) = await house.places("alice")
        assert place.flags & Flags.ANSWERED
        assert (await house.items("alice"))[0].bag == b'{"last_verb":1}'
        assert len(await house.items("alice", FolderRole.SENT)) == 1

    run(scenario())


def test_marks_on_what_is_gone_hold_nothing_up(house, sending):
    async def scenario():
        await house.open()
        folder_id, item_id = await deliver_to_alice(house)
        mailbox_id = house.people["alice"].mailbox_id
        also = (
            (mailbox_id, ExpungeItems(folder_id, (item_id,), 5)),
            (mailbox_id, ChangeProperties(item_id + 99, bag=b"{}")),
        )
        await sending(also=also)
        assert len(await house.items("bob")) == 1
        assert len(await house.items("alice")) == 1

    run(scenario())


def test_a_disk_that_refuses_leaves_nothing(house, sending):
    async def scenario():
        await house.open()
        mime = DRAFT + b"x\r\n" * 10

        async def refuse(commit):
            raise Unavailable("no")

        apply, house.records.apply = house.records.apply, refuse
        with pytest.raises(Unavailable):
            await sending(mime, key=b"k")
        house.records.apply = apply
        assert not (await sending(mime, key=b"k")).was_echo

    run(scenario())


def test_a_login_sends_no_more_than_its_rate(house):
    async def scenario():
        await house.open()
        rates = SendingRates(house.clock, per_hour=2, per_day=0)
        outgoing = Outgoing(house.store, house.mailflow, house.addresses, rates)
        origin = house.origin("alice", "HTTPS")
        await outgoing.send(origin, DRAFT, key=b"k")
        assert (await outgoing.send(origin, DRAFT, key=b"k")).was_echo, "counts once"
        with pytest.raises(Unavailable):
            await outgoing.send(origin, DRAFT.replace(b"To: ", b"To: carol@example.org, "))
        await outgoing.send(origin, DRAFT, key=b"l")
        with pytest.raises(Unavailable):
            await outgoing.send(origin, DRAFT, key=b"m")
        assert len(await house.items("bob")) == 2

    run(scenario())
