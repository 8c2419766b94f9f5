"""Sync with Wait, Ping, FolderSync: waiting, what is not to be seen, what is gone."""

import asyncio

from msgspec.structs import replace
from tests.unit.protocols.eas.eas_items import check
from tests.unit.protocols.eas.eas_phone import Phone, apply, deliver, phone_of, told
from tests.unit.protocols.eas.house import play
from tests.unit.services.mailflow.conftest import until
from tests.unit.services.meetings.conftest import meeting

from posthouse.model.batch import ChangeFolder, MakeFolder, RemoveFolder
from posthouse.model.folder import FolderClass, FolderRole


def test_how_long_it_may_wait():
    async def scene(house):
        phone, _ = await phone_of(house)
        for wait, limit in (
            ("<Wait>60</Wait>", "59"),
            ("<Wait>0</Wait>", "1"),
            ("<HeartbeatInterval>5</HeartbeatInterval>", "60"),
            ("<HeartbeatInterval>9999</HeartbeatInterval>", "3540"),
        ):
            answer = await phone.ask(wait=wait)
            check(answer)
            assert (answer.text_of("Status"), answer.text_of("Limit")) == ("14", limit)

    play(scene)


def test_waiting_for_a_change():
    async def scene(house):
        phone, folder = await phone_of(house)
        await phone.drain()
        asking = asyncio.create_task(phone.ask(wait="<Wait>5</Wait>"))
        await asyncio.sleep(0.01)
        assert not asking.done()
        await deliver(house, folder, 1)
        await until(asking.done)
        assert len(told(asking.result())) == 1
        phone.take(asking.result())
        assert await phone.sync() is None

    play(scene)


def test_two_requests_with_one_key_lose_nothing():
    async def scene(house):
        phone, folder = await phone_of(house)
        await phone.drain()
        given_up = asyncio.create_task(phone.ask(wait="<Wait>5</Wait>"))
        await asyncio.sleep(0.01)
        other = asyncio.create_task(phone.ask(wait="<Wait>5</Wait>"))
        await asyncio.sleep(0.01)
        await deliver(house, folder, 1)
        await until(lambda: given_up.done() and other.done())
        phone.take(other.result())
        await deliver(house, folder, 2)
        await phone.drain()
        assert len(phone.items) == 2

    play(scene)


def test_what_a_device_does_not_get_to_see_makes_no_loop():
    async def scene(house):
        await house.call(meeting("bob"))
        (entry,) = await house.items("alice", FolderRole.CALENDAR)
        deleted = await house.folder("alice", FolderRole.DELETED)
        calendar = await house.folder("alice", FolderRole.CALENDAR)
        phones = [Phone(house, "alice", deleted), Phone(house, "alice", calendar)]
        house.clock.now += 90 * 86_400_000
        phones[1].options = "<FilterType>4</FilterType>"
        for phone in phones:
            await phone.begin()
            await phone.drain()
            assert phone.items == {}
        mailbox_id = house.people["alice"].mailbox_id
        await house.entries.change(
            mailbox_id, entry.item_id, lambda known: replace(known, subject="Old")
        )
        assert await phones[1].drain() <= 1
        await house.says(
            "MoveItems",
            f"<Move><SrcMsgId>{calendar}:{entry.item_id}</SrcMsgId><SrcFldId>{calendar}</SrcFldId>"
            f"<DstFldId>{deleted}</DstFldId></Move>",
        )
        assert await phones[0].drain() == 0
        ping = (
            "<HeartbeatInterval>60</HeartbeatInterval><Folders><Folder>"
            f"<Id>{deleted}</Id><Class>Email</Class></Folder></Folders>"
        )
        asking = asyncio.create_task(house.says("Ping", ping))
        await asyncio.sleep(0.01)
        assert not asking.done()
        asking.cancel()

    play(scene)


def test_what_ping_refuses():
    async def scene(house):
        inbox = await house.folder("alice")
        one = f"<Folders><Folder><Id>{inbox}</Id><Class>Email</Class></Folder></Folders>"
        gone = "<Folders><Folder><Id>777</Id><Class>Email</Class></Folder></Folders>"
        for inner, status in (
            ("", "3"),
            (f"<HeartbeatInterval>5</HeartbeatInterval>{one}", "5"),
            (f"<HeartbeatInterval>60</HeartbeatInterval>{gone}", "7"),
        ):
            answer = await house.says("Ping", inner)
            check(answer)
            assert answer.text_of("Status") == status

    play(scene)


def test_a_collection_that_is_gone():
    async def scene(house):
        phone, _ = await phone_of(house)
        root = await house.store.role_folder(house.people["alice"].mailbox_id, FolderRole.ROOT)
        make = MakeFolder(root.folder_id, "Own", FolderClass.MAIL, FolderRole.NONE)
        (made,) = await apply(house, make)
        gone = made.results[0].folder_id
        await apply(house, RemoveFolder(gone))
        one = f"<Collection><SyncKey>0</SyncKey><CollectionId>{gone}</CollectionId></Collection>"
        here = (
            f"<Collection><SyncKey>0</SyncKey><CollectionId>{phone.collection_id}"
            "</CollectionId></Collection>"
        )
        both = await house.says("Sync", f"<Collections>{one}{here}</Collections>")
        assert len(both.child("Collections").children) == 1
        alone = await house.says("Sync", f"<Collections>{one}</Collections>")
        check(alone)
        assert alone.text_of("Status") == "12"

    play(scene)


def test_folders_as_they_change():
    async def scene(house):
        first = await house.says("FolderSync", "<SyncKey>0</SyncKey>")
        check(first)
        root = await house.store.role_folder(house.people["alice"].mailbox_id, FolderRole.ROOT)
        key = first.text_of("SyncKey")
        make = MakeFolder(root.folder_id, "Own", FolderClass.MAIL, FolderRole.NONE)
        (made,) = await apply(house, make)
        folder = made.results[0].folder_id
        for operation, tag in (
            (None, "Add"),
            (ChangeFolder(folder, "Other"), "Update"),
            (RemoveFolder(folder), "Delete"),
        ):
            if operation is not None:
                await apply(house, operation)
            answer = await house.says("FolderSync", f"<SyncKey>{key}</SyncKey>")
            check(answer)
            changes = [one for one in answer.child("Changes").children if one.tag != "Count"]
            assert [(one.tag, one.text_of("ServerId")) for one in changes] == [(tag, str(folder))]
            repeat = await house.says("FolderSync", f"<SyncKey>{key}</SyncKey>")
            assert repeat.child("Changes") == answer.child("Changes")
            key = answer.text_of("SyncKey")
        answer = await house.says("FolderSync", "<SyncKey>5.5</SyncKey>")
        assert answer.text_of("Status") == "9"

    play(scene)
