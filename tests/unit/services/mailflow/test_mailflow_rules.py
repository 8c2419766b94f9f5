"""Rules at delivery: where mail goes, what is sent on, and that none is lost over them."""

from __future__ import annotations

import asyncio
import email
import email.policy

import pytest
from tests.unit.services.mailflow.conftest import MESSAGE, taken

from posthouse.model.appointment import Importance
from posthouse.model.batch import Batch, ChangeMailbox, Commit, KeepRules, MakeFolder, RemoveFolder
from posthouse.model.errors import QuotaExceeded
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Flags
from posthouse.model.message_bag import bag_of
from posthouse.model.people import PrincipalKind
from posthouse.model.queue import Notify
from posthouse.model.rule import Actions, Conditions, Rule
from posthouse.services.mailflow import ruling
from posthouse.services.rules.keeping import InboxRules

INBOX, DELETED, RECOVERABLE = FolderRole.INBOX, FolderRole.DELETED, FolderRole.RECOVERABLE


async def make_folder(house, name, title="Rome", folder_class=FolderClass.MAIL):
    box = house.people[name].mailbox_id
    root = await house.store.role_folder(box, FolderRole.ROOT)
    make = MakeFolder(root.folder_id, title, folder_class, FolderRole.NONE)
    (result,) = await house.store.apply(Commit((Batch(box, (make,)),)))
    return result.results[0].folder_id


async def rule(house, name="alice", conditions=None, more=(), **actions):
    one = Rule(name="one", conditions=conditions or Conditions(), actions=Actions(**actions))
    await InboxRules(house.store).write(house.people[name].mailbox_id, (one, *more))
    await asyncio.sleep(0)  # the hint


async def count(house, name, role=INBOX):
    return len(await house.places(name, role))


def parsed(house, queued):
    return email.message_from_bytes(
        queued.message.prefix + house.blobs.read_plain(queued.message.blob),
        policy=email.policy.default,
    )


def on(house_test):
    """A test of an open house."""

    def test(house):
        async def run():
            await house.open()
            await house_test(house)

        asyncio.run(run())

    test.__name__ = house_test.__name__
    return test


# --- where it goes


@on
async def test_moved_marked_and_categorised(house):
    rome = await make_folder(house, "alice")
    await rule(
        house,
        move_to=rome,
        marks_read=True,
        marks_flagged=True,
        importance=Importance.HIGH,
        categories=("Red", "Blue"),
    )
    await house.accept("alice@example.org", "bob@example.org")
    assert await count(house, "alice") == 0
    (item,) = await house.items("alice", folder_id=rome)
    assert house.whole(item).endswith(MESSAGE)
    assert item.columns.importance == 2
    assert bag_of(item.bag).categories == ("Red", "Blue")
    box = house.people["alice"].mailbox_id
    (place,) = await house.records.item_places(box, item.item_id)
    assert place.flags == Flags.SEEN | Flags.FLAGGED
    (other,) = await house.items("bob")
    assert (other.columns.importance, other.bag) == (1, b"")
    assert house.journal.events("rules.fired") == [{"to": "alice@example.org", "rules": ["one"]}]


@on
async def test_what_is_moved_has_come_to_the_inbox(house):
    """So that whoever follows the Inbox sees it come."""
    rome = await make_folder(house, "alice")
    await rule(house, move_to=rome)
    box = house.people["alice"].mailbox_id
    inbox = await house.store.role_folder(box, INBOX)
    await house.accept()
    (item,) = await house.items("alice", folder_id=rome)
    page = await house.records.changes_since(box, inbox.folder_id, inbox.highest_cn, 10)
    assert [one.item_id for one in page.vanished] == [item.item_id]


@on
async def test_copies(house):
    rome, oslo = await make_folder(house, "alice"), await make_folder(house, "alice", "Oslo")
    await rule(house, copy_to=(rome, oslo), marks_read=True)
    await house.accept()
    assert await count(house, "alice") == 1
    for folder_id in (rome, oslo):
        assert len(await house.items("alice", folder_id=folder_id)) == 1
    inbox = await house.store.role_folder(house.people["alice"].mailbox_id, INBOX)
    assert inbox.unread_count == 0


@on
async def test_moved_with_a_copy_in_the_inbox_is_one_of_each(house):
    rome = await make_folder(house, "alice")
    inbox = await house.store.role_folder(house.people["alice"].mailbox_id, INBOX)
    await rule(house, move_to=rome, copy_to=(inbox.folder_id, rome))
    await house.accept()
    assert await count(house, "alice") == 1
    assert len(await house.items("alice", folder_id=rome)) == 1


@pytest.mark.parametrize(
    ("action", "role"), [("deletes", DELETED), ("deletes_permanently", RECOVERABLE)]
)
def test_deleted(house, action, role):
    async def run():
        await house.open()
        await rule(house, conditions=Conditions(subject_contains=("hello",)), **{action: True})
        await house.accept()
        assert await count(house, "alice") == 0
        assert await count(house, "alice", role) == 1
        await house.accept(content=MESSAGE.replace(b"Hello", b"News").replace(b"m1@", b"m2@"))
        assert await count(house, "alice") == 1

    asyncio.run(run())


@on
async def test_a_folder_that_the_address_names_stays_without_a_move(house):
    rome = await make_folder(house, "alice")
    oslo = await make_folder(house, "alice", "Oslo")
    await rule(house, marks_read=True)
    await house.accept("alice+rome@example.org")
    assert len(await house.items("alice", folder_id=rome)) == 1
    await rule(house, move_to=oslo)
    await house.accept("alice+rome@example.org", content=MESSAGE.replace(b"m1@", b"m2@"))
    assert len(await house.items("alice", folder_id=rome)) == 1
    assert len(await house.items("alice", folder_id=oslo)) == 1


@on
async def test_conditions_see_body_and_addresses(house):
    rome = await make_folder(house, "alice")
    house.directory.add_alias("al@example.org", house.people["alice"].principal_id)
    seen = Conditions(body_contains=("a dot",), is_sent_only_to_me=True)
    await rule(house, conditions=seen, move_to=rome)
    await house.accept(content=MESSAGE.replace(b"alice@", b"AL+x@"))
    assert len(await house.items("alice", folder_id=rome)) == 1
    await house.accept(content=MESSAGE.replace(b"alice@", b"bob@").replace(b"m1@", b"m2@"))
    assert await count(house, "alice") == 1


# --- nothing is lost


@on
async def test_a_rule_whose_folder_is_gone_is_skipped(house):
    rome = await make_folder(house, "alice")
    calendar = await make_folder(house, "alice", "Days", FolderClass.CALENDAR)
    hidden = await house.store.role_folder(house.people["alice"].mailbox_id, RECOVERABLE)
    more = tuple(
        Rule(name=f"to {n}", actions=Actions(move_to=n)) for n in (calendar, hidden.folder_id, 9999)
    )
    await rule(house, move_to=rome, marks_read=True, more=more)
    await house.store.apply(
        Commit((Batch(house.people["alice"].mailbox_id, (RemoveFolder(rome),)),))
    )
    await house.accept()
    (place,) = await house.places("alice")
    assert place.flags == Flags.NONE
    (told,) = house.journal.events("rules.skipped")
    assert told["rules"] == ["one", *(one.name for one in more)]


@on
async def test_a_folder_that_goes_between_the_look_and_the_commit(house):
    rome = await make_folder(house, "alice")
    await rule(house, move_to=rome)
    box = house.people["alice"].mailbox_id
    apply = house.records.apply

    async def removing_first(commit):
        house.records.apply = apply
        await apply(Commit((Batch(box, (RemoveFolder(rome),)),)))
        return await apply(commit)

    house.records.apply = removing_first
    await house.accept()
    assert await count(house, "alice") == 1


def test_what_cannot_be_worked_out_lies_in_the_inbox(house, monkeypatch):
    async def run():
        await house.open()
        await rule(house, deletes=True, redirect_to=("x@example.net",))

        def broken(*told):
            raise RuntimeError("a bug")

        monkeypatch.setattr(ruling, "evaluate", broken)
        await house.accept()
        assert await count(house, "alice") == 1
        assert not await house.queue()
        (told,) = house.journal.events("rules.failed")
        assert told["reason"] == "RuntimeError('a bug')"

    asyncio.run(run())


@on
async def test_unreadable_rules_do_nothing(house):
    box = house.people["alice"].mailbox_id
    await house.store.apply(Commit((Batch(box, (KeepRules("{"),)),)))
    await house.accept()
    assert await count(house, "alice") == 1
    assert house.journal.events("rules.unreadable")


@on
async def test_a_full_mailbox_hands_nothing_on(house):
    await rule(house, redirect_to=("x@example.net",))
    box = house.people["alice"].mailbox_id
    await house.store.apply(Commit((Batch(box, (ChangeMailbox(quota_bytes=1),)),)))
    await house.accept("alice@example.org", "bob@example.org")
    assert not [
        q for q in await house.queue() if q.message.recipients[0].address == "x@example.net"
    ]
    with pytest.raises(QuotaExceeded):
        await house.accept(content=MESSAGE.replace(b"m1@", b"m2@"))


@on
async def test_all_of_it_is_one_commit(house):
    rome = await make_folder(house, "alice")
    await rule(house, move_to=rome, copy_to=(rome,), redirect_to=("x@example.net",), reply="Thanks")
    calls = []
    apply = house.records.apply

    async def counting(commit):
        calls.append(commit)
        return await apply(commit)

    house.records.apply = counting
    await house.accept()
    (commit,) = calls
    assert len(commit.queued) == 2


@on
async def test_without_rules_the_records_are_asked_once(house):
    asked = []
    rules = house.records.rules

    async def counting(mailbox_id):
        asked.append(mailbox_id)
        return await rules(mailbox_id)

    house.records.rules = counting
    for n in range(5):
        await house.accept(content=MESSAGE.replace(b"m1@", b"m%d@" % n))
    assert asked == [house.people["alice"].mailbox_id]


# --- handed on


@on
async def test_redirected(house):
    await rule(house, redirect_to=("x@example.net", "y@example.net"))
    await house.accept(notify=Notify.SUCCESS, envelope_id="e1")
    assert await count(house, "alice") == 1
    entry, report = (q.message for q in await house.queue())
    assert report.recipients[0].address == "someone@example.net"
    assert entry.sender == "someone@example.net"
    assert [r.address for r in entry.recipients] == ["x@example.net", "y@example.net"]
    assert {r.notify for r in entry.recipients} == {Notify.FAILURE}
    assert entry.prefix.startswith(b"Delivered-To: alice@example.org\r\nReceived: ")
    assert house.blobs.read_plain(entry.blob) == MESSAGE


@on
async def test_redirected_and_discarded_as_sieve_does(house):
    await rule(house, redirect_to=("x@example.net",), deletes_permanently=True)
    await house.accept()
    assert await count(house, "alice") == 0
    assert len(await house.queue()) == 1


@pytest.mark.parametrize("as_attachment", [True, False])
def test_forwarded(house, as_attachment):
    async def run():
        await house.open()
        key = "forward_as_attachment_to" if as_attachment else "forward_to"
        await rule(house, **{key: ("x@example.net",)})
        await house.accept()
        (queued,) = await house.queue()
        assert queued.message.sender == "alice@example.org"
        mail = parsed(house, queued)
        assert mail["Delivered-To"] == "alice@example.org"
        assert mail["From"] == "Alice <alice@example.org>"
        assert mail["Subject"] == "FW: Hello"
        if as_attachment:
            (enclosed,) = mail.iter_attachments()
            assert enclosed.get_content()["Message-ID"] == "<m1@example.net>"
        else:
            assert ".A dot." in mail.get_content()

    asyncio.run(run())


@on
async def test_what_came_automatically_is_forwarded_from_nobody(house):
    await rule(house, forward_to=("x@example.net",))
    await house.accept(sender="")
    automatic = MESSAGE.replace(b"Subject", b"Auto-Submitted: auto-generated\r\nSubject")
    await house.accept(content=automatic.replace(b"m1@", b"m2@"))
    assert [q.message.sender for q in await house.queue()] == ["", ""]
    assert {r.notify for q in await house.queue() for r in q.message.recipients} == {Notify.NEVER}


@on
async def test_nobody_gets_it_twice(house):
    """Neither its owner, nor anybody where it has been."""
    house.directory.add_alias("al@example.org", house.people["alice"].principal_id)
    house.directory.add_alias("robert@example.org", house.people["bob"].principal_id)
    been = b"Delivered-To: bob@example.org\r\nDelivered-To: was@example.net\r\n"
    targets = ("al@example.org", "Robert@example.org", "was@example.net", "new@example.net")
    await rule(house, redirect_to=targets)
    await house.accept(content=been + MESSAGE)
    (queued,) = await house.queue()
    assert [r.address for r in queued.message.recipients] == ["new@example.net"]


@on
async def test_two_who_redirect_to_each_other(house):
    await rule(house, "alice", redirect_to=("bob@example.org",))
    await rule(house, "bob", redirect_to=("alice@example.org",))
    await house.accept()
    runner = house.runner()
    for _ in range(5):
        await runner.run_once()
    assert await count(house, "alice") == await count(house, "bob") == 1
    assert not await house.queue()


@pytest.mark.parametrize("key", ["forward_to", "forward_as_attachment_to"])
def test_three_who_forward_in_a_circle(house, key):
    async def run():
        await house.open()
        names = ("alice", "bob", "carol")
        for name, following in zip(names, names[1:] + names[:1], strict=True):
            await rule(house, name, **{key: (f"{following}@example.org",)})
        await house.accept()
        runner = house.runner()
        for _ in range(9):
            await runner.run_once()
        assert [await count(house, name) for name in names] == [1, 1, 1]
        assert not await house.queue()

    asyncio.run(run())


@on
async def test_a_message_that_has_come_far_is_not_handed_on(house):
    house.policy = type(house.policy)("mail.example.org", received_max=3)
    house.mailflow = house.another_worker()
    await rule(house, "alice", redirect_to=("bob@example.org",))
    await rule(house, "bob", redirect_to=("x@example.net",), forward_to=("y@example.net",))
    await house.accept(content=b"Received: a\r\nReceived: b\r\n" + MESSAGE)
    await house.runner().run_once()
    assert await count(house, "bob") == 1
    assert not await house.queue()
    assert house.journal.events("rules.loop") == [{"to": "bob@example.org", "received": 3}]


# --- replies


async def replies(house):
    return [
        q
        for q in await house.queue()
        if b"Automatic reply" in house.blobs.read_plain(q.message.blob)
    ]


@on
async def test_a_reply_goes_to_a_sender_once_a_week(house):
    await rule(house, reply="Thank you.")
    for n in range(3):
        await house.accept(content=MESSAGE.replace(b"m1@", b"m%d@" % n))
    await house.accept(sender="other@example.net", content=MESSAGE.replace(b"m1@", b"m7@"))
    first, second = await replies(house)
    assert first.message.sender == ""
    assert [r.address for r in first.message.recipients] == ["someone@example.net"]
    assert [r.address for r in second.message.recipients] == ["other@example.net"]
    mail = parsed(house, first)
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["In-Reply-To"] == "<m0@example.net>"
    assert mail.get_content().strip() == "Thank you."
    house.clock.now += 7 * 86_400_000
    await house.accept(content=MESSAGE.replace(b"m1@", b"m9@"))
    assert len(await replies(house)) == 3


@on
async def test_no_reply_to_what_is_automatic_or_not_for_me(house):
    await rule(house, reply="Thank you.")
    await house.accept(sender="")
    await house.accept(
        content=b"Auto-Submitted: auto-replied\r\n" + MESSAGE.replace(b"m1@", b"m2@")
    )
    await house.accept(content=MESSAGE.replace(b"alice@", b"all@").replace(b"m1@", b"m3@"))
    assert await count(house, "alice") == 3
    assert not await house.queue()


# --- mail from the queue


@on
async def test_rules_go_for_queued_mail_that_turns_local(house):
    rome = await make_folder(house, "bob")
    await rule(house, "bob", move_to=rome, redirect_to=("x@example.net",))
    await rule(house, "alice", redirect_to=("bob@example.org",))
    await house.accept()
    await house.runner().run_once()
    (item,) = await house.items("bob", folder_id=rome)
    assert item.prefix.count(b"Delivered-To: ") == 2
    (queued,) = await house.queue()
    assert [r.address for r in queued.message.recipients] == ["x@example.net"]
    assert queued.message.prefix.count(b"Delivered-To: ") == 2
    # A change is seen at once: nothing is remembered there.
    await InboxRules(house.store).write(house.people["bob"].mailbox_id, ())
    await house.accept("alice@example.org", content=MESSAGE.replace(b"m1@", b"m2@"))
    house.courier.says["x@example.net"] = taken()
    await house.runner().run_once()
    assert await count(house, "bob") == 1


@on
async def test_a_person_with_forwards_of_the_directory_has_rules_too(house):
    shared = house.directory.add_principal(PrincipalKind.GROUP, "all@example.org", "All", 0)
    house.directory.set_members(shared.principal_id, ["alice@example.org", "bob@example.org"])
    rome = await make_folder(house, "alice")
    await rule(house, conditions=Conditions(is_not_sent_to_me=True), move_to=rome)
    await house.accept("all@example.org", content=MESSAGE.replace(b"alice@", b"all@"))
    assert len(await house.items("alice", folder_id=rome)) == 1
    assert await count(house, "bob") == 1
