"""ItemOperations: fetched whole or in parts, emptied, moved by conversation."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.protocols.eas.eas_items import check
from tests.unit.protocols.eas.house import play
from tests.unit.services.mailflow.conftest import MESSAGE

from posthouse.model.batch import Batch, Commit, MakeFolder
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.message_bag import MessageBag
from posthouse.model.rights import Rights
from posthouse.protocols.eas.session import EasLimits
from posthouse.protocols.eas.wire.email import conversation_id
from posthouse.protocols.eas.wire.item_operations import MULTIPART_TYPE, multipart
from posthouse.protocols.eas.wire.wbxml import decode

FILE = bytes(range(256)) * 8
WITH_FILE = (
    b"From: x@example.net\r\nTo: alice@example.org\r\nSubject: File\r\n"
    b"Message-ID: <f1@example.net>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nSee.\r\n"
    b'--b\r\nContent-Type: image/png; name="a.png"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    + base64.encodebytes(FILE).replace(b"\n", b"\r\n")
    + b"--b--\r\n"
)


def fetch(inner, options="", store="Mailbox"):
    more = f"<Options>{options}</Options>" if options else ""
    return f"<Fetch><Store>{store}</Store>{inner}{more}</Fetch>"


def of_item(folder, item):
    return (
        f"<AirSync:CollectionId>{folder}</AirSync:CollectionId>"
        f"<AirSync:ServerId>{item}</AirSync:ServerId>"
    )


def of_file(reference):
    return f"<AirSyncBase:FileReference>{reference}</AirSyncBase:FileReference>"


def body(kind, more=""):
    return (
        f"<AirSyncBase:BodyPreference><AirSyncBase:Type>{kind}</AirSyncBase:Type>{more}"
        "</AirSyncBase:BodyPreference>"
    )


async def fetched(house, inner, name="alice", **line):
    answer = await house.says("ItemOperations", inner, name, **line)
    check(answer)
    return list(answer.child("Response").each("Fetch"))


def statuses(answers):
    return [int(one.text_of("Status")) for one in answers]


async def with_file(house):
    """Names of the inbox, the message and its file."""
    await house.accept(content=WITH_FILE)
    (item,) = await house.items("alice")
    inbox = await house.folder("alice")
    name = f"{inbox}:{item.item_id}"
    (one,) = await fetched(house, fetch(of_item(inbox, name)))
    files = one.find("Properties", "AirSyncBase:Attachments")
    return inbox, name, files.child("Attachment").text_of("FileReference")


def test_whole_items():
    async def scene(house):
        inbox, name, _ = await with_file(house)
        long_id = f"<Search:LongId>{name}</Search:LongId>"
        mime = "<AirSync:MIMESupport>2</AirSync:MIMESupport>"
        inner = (
            fetch(of_item(inbox, name), body(1))
            + fetch(long_id, mime + body(4))
            + fetch(of_item(inbox, name), mime)
            + fetch(of_item(inbox, name), "<Schema><Email:Subject/></Schema>")
        )
        plain, whole, by_support, subject = await fetched(house, inner)
        assert plain.text_of("AirSync:ServerId") == name
        assert plain.text_of("AirSync:CollectionId") == inbox
        assert plain.text_of("AirSync:Class") == "Email"
        assert plain.find("Properties", "AirSyncBase:Body", "Data").text == "See."
        assert whole.text_of("Search:LongId") == name
        for one in (whole, by_support):
            assert b"--b--" in one.find("Properties", "AirSyncBase:Body", "Data").octets
        assert [one.name for one in subject.child("Properties").children] == ["Email:Subject"]

    play(scene)


def test_what_cannot_be_fetched():
    async def scene(house):
        inbox, name, reference = await with_file(house)
        await house.accept("bob@example.org")
        (theirs,) = await house.items("bob")
        foreign = f"{house.people['bob'].mailbox_id}.{await house.folder('bob')}"
        item = reference.rpartition(":")[0]
        inner = "".join(
            (
                fetch(of_item(inbox, f"{inbox}:999")),
                fetch(of_item(foreign, f"{foreign}:{theirs.item_id}")),
                fetch("<DocumentLibrary:LinkId>x</DocumentLibrary:LinkId>", "", "DocumentLibrary"),
                fetch(""),
                fetch(of_file(f"{item}:77")),
                fetch(of_file(item)),
                fetch(of_file(f"{foreign}:{theirs.item_id}:1")),
                fetch(of_file("rubbish")),
                fetch(of_file(reference), "<Range>9000-9001</Range>"),
                fetch(of_file(reference), "<Range>2-1</Range>"),
                fetch(of_item(inbox, name)),
            )
        )
        assert statuses(await fetched(house, inner)) == [6, 6, 9, 2, 15, 15, 15, 15, 8, 2, 1]
        answer = await house.says("ItemOperations", "")
        check(answer)
        assert answer.text_of("Status") == "2"

    play(scene)


def test_files_whole_and_by_range():
    async def scene(house):
        _, _, reference = await with_file(house)
        quoted = reference.replace(":", "%3A")
        ranged = fetch(of_file(reference), "<Range>100-1000000</Range>")
        whole, part = await fetched(house, fetch(of_file(quoted)) + ranged)
        properties = whole.child("Properties")
        assert base64.b64decode(properties.text_of("Data")) == FILE
        assert properties.text_of("AirSyncBase:ContentType") == "image/png"
        assert properties.child("Range") is None
        assert whole.text_of("AirSyncBase:FileReference") == quoted
        properties = part.child("Properties")
        assert base64.b64decode(properties.text_of("Data")) == FILE[100:]
        assert properties.text_of("Range") == "100-2047"
        assert properties.text_of("Total") == "2048"

    play(scene)


def parts_of(octets):
    (count,) = struct.unpack_from("<I", octets)
    spans = [struct.unpack_from("<II", octets, 4 + 8 * n) for n in range(count)]
    assert spans[-1][0] + spans[-1][1] == len(octets)
    return [octets[at : at + size] for at, size in spans]


def test_in_several_parts():
    async def scene(house):
        inbox, name, reference = await with_file(house)
        inner = fetch(of_file(reference)) + fetch(of_item(inbox, name), body(1))
        answer = await house.says("ItemOperations", inner, accepts_multipart=True)
        assert answer.content_type == MULTIPART_TYPE
        document, file, text = parts_of(answer.body)
        root = decode(document)
        check(root)
        one, two = root.child("Response").each("Fetch")
        assert one.find("Properties", "Part").text == "1"
        assert one.find("Properties", "Data") is None
        assert two.find("Properties", "AirSyncBase:Body", "ItemOperations:Part").text == "2"
        assert (file, text) == (FILE, b"See.")

    play(scene)


@given(st.lists(st.binary(max_size=20), min_size=1))
def test_parts_are_found_again(parts):
    assert parts_of(multipart(parts)) == parts


def test_an_answer_has_an_end():
    async def scene(house):
        _, _, reference = await with_file(house)
        assert statuses(await fetched(house, fetch(of_file(reference)) * 3)) == [1, 11, 11]

    play(scene, EasLimits(message_bytes=2_600))


def test_an_item_that_was_moved_is_found():
    async def scene(house):
        inbox, name, reference = await with_file(house)
        deleted = await house.folder("alice", FolderRole.DELETED)
        move = (
            f"<Move><SrcMsgId>{name}</SrcMsgId><SrcFldId>{inbox}</SrcFldId>"
            f"<DstFldId>{deleted}</DstFldId></Move>"
        )
        await house.says("MoveItems", move)
        inner = fetch(of_item(inbox, name)) + fetch(of_file(reference))
        assert statuses(await fetched(house, inner)) == [1, 1]
        await house.says("ItemOperations", empty(deleted))
        assert statuses(await fetched(house, inner)) == [6, 15], "not from Recoverable Items"

    play(scene)


# --- EmptyFolderContents


def empty(folder, options=""):
    more = f"<Options>{options}</Options>" if options else ""
    return (
        f"<EmptyFolderContents><AirSync:CollectionId>{folder}</AirSync:CollectionId>{more}"
        "</EmptyFolderContents>"
    )


async def emptied(house, *inner, name="alice"):
    answer = await house.says("ItemOperations", "".join(inner), name)
    check(answer)
    return statuses(answer.child("Response").each("EmptyFolderContents"))


def test_folders_are_emptied():
    async def scene(house):
        await house.accept()
        inbox = await house.folder("alice")
        mailbox_id = house.people["alice"].mailbox_id
        made = MakeFolder(int(inbox), "Below", FolderClass.MAIL, FolderRole.NONE)
        await house.store.apply(Commit((Batch(mailbox_id, (made,)),)))
        assert await emptied(house, empty(inbox), empty("999"), empty("")) == [1, 6, 2]
        assert await house.items("alice") == []
        assert len(await house.items("alice", FolderRole.RECOVERABLE)) == 1
        assert "Below" in [one.name for one in await house.records.folders(mailbox_id)]
        assert await emptied(house, empty(inbox, "<DeleteSubFolders/>")) == [1]
        assert "Below" not in [one.name for one in await house.records.folders(mailbox_id)]

    play(scene)


def test_a_shared_folder_is_emptied_by_who_may():
    async def scene(house):
        await house.accept("bob@example.org")
        inbox = await house.shared("bob", FolderRole.INBOX, "alice", Rights.REVIEWER)
        assert await emptied(house, empty(inbox)) == [16]
        assert len(await house.items("bob")) == 1
        await house.shared("bob", FolderRole.INBOX, "alice", Rights.EDITOR)
        assert await emptied(house, empty(inbox)) == [1]
        assert await house.items("bob") == []

    play(scene)


# --- Move


def of_conversation(octets, target, options="<Options><MoveAlways/></Options>"):
    named = f"<ConversationId>{base64.b64encode(octets).decode()}</ConversationId>"
    return f"<Move>{named}<DstFldId>{target}</DstFldId>{options}</Move>"


@pytest.mark.parametrize(
    ("role", "number"),
    [(FolderRole.ARCHIVE, 1), (FolderRole.CALENDAR, 156), (FolderRole.RECOVERABLE, 6)],
)
def test_a_conversation_is_moved(role, number):
    async def scene(house):
        await house.accept(content=MESSAGE)
        answer = MESSAGE.replace(b"m1@", b"m2@").replace(b"Hello", b"Re: Hello")
        await house.accept(content=b"References: <m1@example.net>\r\n" + answer)
        await house.accept(content=WITH_FILE)
        one, two, other = await house.items("alice")
        assert one.columns.thread == two.columns.thread != other.columns.thread
        target = await house.folder("alice", role)
        conversation = conversation_id(MessageBag(), one.columns.thread)
        said = await house.says("ItemOperations", of_conversation(conversation, target))
        check(said)
        assert statuses(said.child("Response").each("Move")) == [number]
        left = [item.item_id for item in await house.items("alice")]
        assert left == ([other.item_id] if number == 1 else [i.item_id for i in (one, two, other)])

    play(scene)


@pytest.mark.parametrize(("octets", "number"), [(b"x" * 16, 6), (b"short", 2)])
def test_a_conversation_that_is_none(octets, number):
    async def scene(house):
        target = await house.folder("alice", FolderRole.ARCHIVE)
        said = await house.says("ItemOperations", of_conversation(octets, target))
        assert statuses(said.child("Response").each("Move")) == [number]

    play(scene)


def test_a_conversation_is_moved_for_ever_or_not_at_all():
    async def scene(house):
        target = await house.folder("alice", FolderRole.ARCHIVE)
        said = await house.says("ItemOperations", of_conversation(b"x" * 16, target, ""))
        assert statuses(said.child("Response").each("Move")) == [155]

    play(scene)
