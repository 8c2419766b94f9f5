"""Sync and GetItemEstimate: keys, repeats, conflicts, what may not be done, bounds."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.unit.protocols.eas.eas_items import check
from tests.unit.protocols.eas.eas_phone import Phone, apply, contact, deliver, meet, phone_of, told
from tests.unit.protocols.eas.house import play

from posthouse.model.batch import (
    ChangeFlags,
    ExpungeItems,
)
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags
from posthouse.model.rights import Rights
from posthouse.protocols.eas.commands import sync
from posthouse.protocols.eas.session import EasLimits

INBOX, CONTACTS = FolderRole.INBOX, FolderRole.CONTACTS


async def rename(house, item_id, name):
    await house.entries.change(
        house.people["alice"].mailbox_id, item_id, lambda known: replace(known, last=name)
    )


def statuses(collection):
    responses = collection.child("Responses")
    return [(one.tag, one.text_of("Status")) for one in responses.children] if responses else []


def change(item, name):
    return f"<Change><ServerId>{item}</ServerId>{contact(name)}</Change>"


def delete(item):
    return f"<Delete><ServerId>{item}</ServerId></Delete>"


def test_a_key_begins_and_is_void():
    async def scene(house):
        phone, _ = await phone_of(house)
        first, phone.key = phone.key, "0"
        again = await phone.ask()
        check(again)
        assert again.find("Collections", "Collection").text_of("SyncKey") == first
        for key in ("5.5", "rubbish", f"{first.split('.')[0]}.2"):
            phone.key = key
            answer = await phone.ask()
            check(answer)
            assert answer.find("Collections", "Collection").text_of("Status") == "3"

    play(scene)


def test_a_lost_answer_is_given_again_and_at_last_an_item_is_left_out():
    async def scene(house):
        phone, _ = await phone_of(house, count=6)
        first, second, third, fourth, fifth = [await phone.ask(window=5) for _ in range(5)]
        assert first == second
        assert len(told(first)) == 5
        assert told(third) == told(fourth) == told(first)[:1]
        assert told(fifth) == told(first)[1:2]
        ((left),) = house.journal.events("eas.item_left_out")
        assert left["item"] == told(first)[0]
        phone.take(fifth)
        await phone.drain()
        assert sorted(phone.items) == sorted(f"{phone.collection_id}:{n}" for n in range(1, 6))

    play(scene)


def test_mail_that_was_read_before_it_was_told_is_not_lost():
    async def scene(house):
        phone, folder = await phone_of(house)
        await phone.drain()
        ids = [await deliver(house, folder, number) for number in range(3)]
        await apply(house, ChangeFlags(folder, ids[:2], Flags.SEEN, Flags.NONE))
        await phone.drain(window=1)
        assert [phone.items[f"{folder}:{one}"][1] for one in ids] == [True, True, False]
        assert phone.faults == []

    play(scene)


def test_own_changes_are_not_told_again():
    async def scene(house):
        phone, folder = await phone_of(house, CONTACTS, 2)
        await phone.drain()
        one, two = sorted(phone.items)
        add = f"<Add><ClientId>c1</ClientId>{contact('New')}</Add>"
        phone.pending["c1"] = "New"
        commands = add + change(one, "Other") + delete(two)
        answer = await phone.ask(commands)
        check(answer)
        assert answer.find("Collections", "Collection", "Commands") is None
        assert await phone.ask(commands) == answer, "its own repeat is no conflict"
        phone.take(answer)
        assert await phone.sync() is None
        assert len(await house.items("alice", CONTACTS)) == 2
        ping = (
            "<HeartbeatInterval>60</HeartbeatInterval><Folders><Folder>"
            f"<Id>{folder}</Id><Class>Contacts</Class></Folder></Folders>"
        )
        asking = asyncio.create_task(house.says("Ping", ping))
        await asyncio.sleep(0)
        await meet(house, folder, "Third")
        answer = await asking
        check(answer)
        assert answer.text_of("Status") == "2"

    play(scene)


@pytest.mark.parametrize("wins", [0, 1])
def test_both_sides_change_an_item(wins):
    async def scene(house):
        phone, _ = await phone_of(house, CONTACTS, 1)
        phone.options = f"<Conflict>{wins}</Conflict>"
        await phone.drain()
        (name,) = phone.items
        await rename(house, int(name.partition(":")[2]), "Server")
        collection = await phone.sync(change(name, "Client"))
        assert statuses(collection) == ([("Change", "7")] if wins else [])
        (item,) = await house.items("alice", CONTACTS)
        entry = await house.entries.read(house.people["alice"].mailbox_id, item.item_id)
        assert entry.value.last == phone.items[name] == ("Server" if wins else "Client")

    play(scene)


def test_what_was_done_here_as_well_is_told():
    async def scene(house):
        phone, folder = await phone_of(house, INBOX, 1)
        await phone.drain()
        (name,) = phone.items
        await apply(house, ChangeFlags(folder, (1,), Flags.SEEN, Flags.NONE))
        mark = (
            f"<Change><ServerId>{name}</ServerId><ApplicationData><Email:Categories>"
            "<Email:Category>Red</Email:Category></Email:Categories></ApplicationData></Change>"
        )
        await phone.sync(mark)
        assert phone.items[name] == ("Mail 0", True)

    play(scene)


def test_an_added_item_that_is_removed_here_before_the_device_asks():
    async def scene(house):
        phone, folder = await phone_of(house, CONTACTS)
        phone.pending["c1"] = "New"
        add = f"<Add><ClientId>c1</ClientId>{contact('New')}</Add>"
        await phone.sync(add, more="<GetChanges>0</GetChanges>")
        (item,) = await house.items("alice", CONTACTS)
        assert len(phone.items) == 1
        await apply(house, ExpungeItems(folder, (item.item_id,), 1))
        await phone.drain()
        assert phone.items == {}

    play(scene)


def test_a_folder_that_may_only_be_read():
    async def scene(house):
        await house.accept("bob@example.org")
        shared = await house.shared("bob", INBOX, "alice", Rights.REVIEWER)
        phone = Phone(house, "alice", shared)
        await phone.begin()
        await phone.drain()
        (name,) = phone.items
        read = (
            f"<Change><ServerId>{name}</ServerId><ApplicationData><Email:Read>1</Email:Read>"
            "</ApplicationData></Change>"
        )
        phone.items[name] = ("Hello", True)
        collection = await phone.sync(read)
        assert statuses(collection) == [("Change", "6")]
        assert phone.items[name] == ("Hello", False)
        del phone.items[name]
        assert statuses(await phone.sync(delete(name))) == [("Delete", "6")]
        assert name in phone.items
        assert len(await house.items("bob")) == 1

    play(scene)


@pytest.mark.parametrize(("moves", "role"), [(0, FolderRole.RECOVERABLE), (1, FolderRole.DELETED)])
def test_where_deleted_mail_goes(moves, role):
    async def scene(house):
        phone, folder = await phone_of(house, INBOX, 1)
        await phone.drain()
        (name,) = phone.items
        more = f"<DeletesAsMoves>{moves}</DeletesAsMoves>"
        assert statuses(await phone.sync(delete(name), more=more)) == []
        assert len(await house.items("alice", role)) == 1
        unknown = await phone.sync(delete(f"{folder}:999"))
        assert statuses(unknown) == [("Delete", "8")]

    play(scene)


def test_requests_that_leave_out_what_was_said():
    async def scene(house):
        answer = await sync.handle(house.eas_call("Sync"), None)
        check(answer)
        assert answer.text_of("Status") == "13"
        phone, folder = await phone_of(house, INBOX, 1)
        await phone.drain()
        await deliver(house, folder, 7)
        lost = await sync.handle(house.eas_call("Sync"), None)
        assert len(told(lost)) == 1
        again = await sync.handle(house.eas_call("Sync"), None)
        assert told(again) == told(lost), "the answer was lost, with the mail in it"
        phone.take(again)
        contacts = await house.folder("alice", CONTACTS)
        inner = (
            "<Collections><Collection><SyncKey>0</SyncKey>"
            f"<CollectionId>{contacts}</CollectionId></Collection></Collections><Partial/>"
        )
        answer = await house.says("Sync", inner)
        named = [one.text_of("CollectionId") for one in answer.child("Collections").children]
        assert named == [contacts, str(folder)]

    play(scene)


def test_estimates():
    async def scene(house):
        phone, folder = await phone_of(house, INBOX, 3)

        async def ask(key, name=folder):
            answer = await house.says(
                "GetItemEstimate",
                f"<Collections><Collection><AirSync:SyncKey>{key}</AirSync:SyncKey>"
                f"<CollectionId>{name}</CollectionId></Collection></Collections>",
            )
            check(answer)
            response = answer.child("Response")
            count = response.find("Collection", "Estimate")
            return response.text_of("Status"), count and count.text

        assert await ask(phone.key) == ("1", "3")
        await phone.drain()
        await deliver(house, folder, 9)
        assert await ask(phone.key) == ("1", "1")
        assert await ask("0") == ("3", None)
        assert await ask("5.5") == ("4", None)
        assert await ask("5.5", 777) == ("2", None)

    play(scene)


def test_answers_are_bounded_by_octets():
    async def scene(house):
        inbox = int(await house.folder("alice"))
        for number in range(4):
            await deliver(house, inbox, number, size=5 << 20 if number == 2 else 0)
        phone = Phone(house, "alice", str(inbox))
        phone.options = (
            "<MIMESupport>2</MIMESupport><AirSyncBase:BodyPreference>"
            "<AirSyncBase:Type>4</AirSyncBase:Type></AirSyncBase:BodyPreference>"
        )
        await phone.begin()
        sizes = []
        while (answer := await phone.ask()) is not None:
            sizes.append(len(told(answer)))
            phone.take(answer)
        assert sizes == [2, 2]
        assert len(phone.items) == 4

    play(scene, EasLimits(answer_bytes=100_000))


def test_many_of_one_age_become_too_old_one_by_one():
    async def scene(house):
        phone, _ = await phone_of(house, INBOX, 5)
        phone.options = "<FilterType>1</FilterType>"
        await phone.drain()
        house.clock.now += 5 * 86_400_000
        assert await phone.drain(window=1, most=10) == 5
        assert phone.items == {}

    play(scene)
