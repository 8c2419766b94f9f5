"""Telephones that mean harm, are broken, belong to others, or were lost."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_device import PATH, Device, field_of, xml
from tests.mail import address, letter, send

from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.request_line import COMMANDS
from posthouse.protocols.eas.wire.wbxml import HEADER, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Server

pytestmark = pytest.mark.clients

INBOX, CONTACTS = 2, 9
SPOKEN = [name for name in COMMANDS.values() if name != "GetAttachment"]
DEEP = HEADER + b"\x45" * 5000 + b"\x01" * 5000
RUBBISH = {
    "nothing like it": b"<?xml version='1.0'?><Sync/>",
    "zeros": bytes(300),
    "ones": b"\xff" * 300,
    "header only": HEADER,
    "deep": DEEP,
    "a code page that is none": HEADER + b"\x00\x63\x45\x01",
    "a tag that is none": HEADER + b"\x00\x00\x7f\x01",
    "a huge opaque": HEADER + b"\x45\x5c\xc3\x8f\xff\xff\xff\x7f" + b"x" * 10,
    "an endless number": HEADER + b"\x45\xc3" + b"\xff" * 200,
    "a string without end": HEADER + b"\x45\x03" + b"a" * 500,
    "a string table of a gigabyte": b"\x03\x01\x6a\x83\xff\xff\xff\x7f" + b"x",
    "too many ends": encode(Element("AirSync", "Sync", [Element("AirSync", "Collections", [])]))
    + b"\x01\x01",
    "no text": HEADER + b"\x45\x4b\x03\xff\xfe\x00\x01\x01",
}


@pytest.fixture
def phone(house: Server) -> Iterator[Device]:
    """Bob's."""
    device = Device(house, "bob", "HOSTILE")
    yield device.set_up()
    device.close()


def status_of(answer: Element) -> str:
    return answer.text_of("Status")


@pytest.mark.parametrize("kind", RUBBISH)
def test_rubbish_gets_a_status_from_every_command(house: Server, phone: Device, kind: str) -> None:
    for command in SPOKEN:
        reply = phone.post(command, RUBBISH[kind])
        assert reply.status == 200, (command, reply.status)
        answer = decode(reply.body)
        assert status_of(answer) not in ("", "1"), (command, answer)
    assert house.is_healthy()


@pytest.mark.parametrize("seed", range(4))
def test_random_octets_never_break_it(house: Server, phone: Device, seed: int) -> None:
    chance = random.Random(seed)
    box = phone.folder(INBOX)
    good = [
        encode(xml("AirSync:Sync", f"<Collections>{phone.collection(box)}</Collections>")),
        encode(xml("Search:Search", "<Store><Name>GAL</Name><Query>x</Query></Store>")),
        encode(xml("Settings:Settings", "<Oof><Get><BodyType>Text</BodyType></Get></Oof>")),
        encode(
            xml(
                "Move:MoveItems",
                f"<Move><SrcMsgId>{box}:1</SrcMsgId><SrcFldId>{box}</SrcFldId><DstFldId>3</DstFldId></Move>",
            )
        ),
    ]
    names = ("Sync", "Search", "Settings", "MoveItems")
    for _ in range(40):
        which = chance.randrange(len(good))
        octets = bytearray(good[which])
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(4, len(octets))] = chance.randrange(256)
        reply = phone.post(names[which], bytes(octets))
        assert reply.status == 200
        if reply.body:
            decode(reply.body)
    assert house.is_healthy()
    assert not house.bugs()


@pytest.mark.parametrize("command", SPOKEN)
def test_every_command_without_a_body_and_with_a_foreign_root(phone: Device, command: str) -> None:
    for body in (
        b"",
        encode(xml("AirSync:ApplicationData")),
        encode(xml("Find:Find", "<SearchId>x</SearchId>")),
    ):
        reply = phone.post(command, body)
        assert reply.status == 200
        assert reply.body, "something is always said"
        assert status_of(decode(reply.body)) != "" or decode(reply.body).children


def test_empty_documents_of_every_command(house: Server, phone: Device) -> None:
    from posthouse.protocols.eas.errors import ROOTS

    for command in SPOKEN:
        answer = phone.command(command, xml(ROOTS[command].name))
        if command in ("Provision", "Ping", "Sync"):
            continue
        assert answer is not None
        assert status_of(answer) not in ("",) or answer.children, command
    assert not house.bugs()


@pytest.mark.parametrize(
    "folder_id",
    ["alice's", "99.1", "0", "-1", "3.", ".3", "1.1.1", "3 ", "٣", "9" * 40, "../3", "'"],
)
def test_folders_of_others_are_not_there(house: Server, phone: Device, folder_id: str) -> None:
    if folder_id == "alice's":
        refuse_every_mailbox(house, phone)
        return
    told = phone.sync(folder_id, key="0")
    assert told.status in ("12", "4", "8"), told
    assert phone.ping(folder_id).text_of("Status") in ("7", "4")
    fetched = phone.ask(
        "ItemOperations:ItemOperations",
        f"<Fetch><Store>Mailbox</Store><AirSync:CollectionId>{folder_id}</AirSync:CollectionId>"
        f"<AirSync:ServerId>{folder_id}:1</AirSync:ServerId></Fetch>",
    )
    inner = fetched.find("Response", "Fetch")
    assert (inner or fetched).text_of("Status") not in ("", "1")
    moved = phone.ask(
        "Move:MoveItems",
        f"<Move><SrcMsgId>{folder_id}:1</SrcMsgId><SrcFldId>{folder_id}</SrcFldId>"
        f"<DstFldId>{phone.folder(INBOX)}</DstFldId></Move>",
    ).child("Response")
    assert moved
    assert moved.text_of("Status") == "1"
    estimate = phone.ask(
        "GetItemEstimate:GetItemEstimate",
        "<Collections><Collection><AirSync:SyncKey>1.1</AirSync:SyncKey>"
        f"<CollectionId>{folder_id}</CollectionId></Collection></Collections>",
    ).child("Response")
    assert estimate
    assert estimate.text_of("Status") == "2"


def refuse_every_mailbox(house: Server, phone: Device) -> None:
    """Alice's inbox under each number that her mailbox may have; once it is the phone's own."""
    send(house, letter("alice's own", to=address("alice")))
    alice = Device(house, "alice", "HOSTILEowner").set_up()
    there = alice.folder(INBOX)
    (item, *_) = alice.begin(there)
    statuses = []
    for mailbox in range(1, 12):
        name = f"{mailbox}.{there}"
        answer = phone.sync_text(phone.collection(name, key="0"))
        assert answer
        statuses.append(status_of(answer))
        fetched = phone.ask(
            "ItemOperations:ItemOperations",
            f"<Fetch><Store>Mailbox</Store><AirSync:CollectionId>{name}</AirSync:CollectionId>"
            f"<AirSync:ServerId>{mailbox}.{item}</AirSync:ServerId></Fetch>",
        )
        assert "alice's own" not in str(fetched)
    assert statuses.count("12") >= 10, statuses
    alice.close()


def test_an_item_of_another_folder_is_not_found_in_this_one(house: Server, phone: Device) -> None:
    send(house, letter("mine", to=address("bob")))
    box, contacts = phone.folder(INBOX), phone.folder(CONTACTS)
    phone.begin(box)
    phone.begin(contacts)
    item = phone.item(box, "mine").partition(":")[2]
    told = phone.sync(
        contacts,
        f"<Change><ServerId>{contacts}:{item}</ServerId><ApplicationData><Contacts:FirstName>X</Contacts:FirstName>"
        "</ApplicationData></Change>",
    )
    assert told.response("Change").text_of("Status") == "8"


def test_a_key_of_one_collection_opens_no_other(house: Server, phone: Device) -> None:
    phone.begin(phone.folder(INBOX))
    told = phone.sync(phone.folder(CONTACTS), key=phone.keys[phone.folder(INBOX)])
    assert told.status == "3"
    alice = Device(house, "alice", "HOSTILEalice").set_up()
    assert alice.sync(alice.folder(INBOX), key=phone.keys[phone.folder(INBOX)]).status == "3"
    alice.close()


def test_contents_that_are_rubbish_fail_alone(house: Server, phone: Device) -> None:
    folder = phone.folder(CONTACTS)
    phone.begin(folder)
    bad = "<Contacts:Birthday>yesterday</Contacts:Birthday>"
    good = "<Contacts:FirstName>Good</Contacts:FirstName>"
    told = phone.sync(
        folder,
        "".join(
            f"<Add><ClientId>{name}</ClientId><ApplicationData>{data}</ApplicationData></Add>"
            for name, data in (("1", bad), ("2", good))
        ),
    )
    statuses = {one.text_of("ClientId"): one.text_of("Status") for one in told.responses}
    assert statuses == {"1": "6", "2": "1"}


def test_the_way_in(house: Server, phone: Device) -> None:
    assert phone.post("Sync", headers={"Authorization": "Basic eDp5"}).status == 401
    assert phone.post("Sync", headers={"Authorization": ""}).status == 401
    assert phone.post("Sync", headers={"MS-ASProtocolVersion": "2.5"}).status == 400
    assert phone.post("Nonsense").status in (400, 501)
    for query in ("", "=", "Cmd=Sync", "%", "A" * 9000, "////", "Cmd=Sync&DeviceId=" + "x" * 400):
        assert phone.post("Sync", query=query).status == 400, query
    assert phone._connection
    phone._connection.request(
        "OPTIONS", PATH, headers={"Authorization": "Basic Ym9iQGV4YW1wbGUub3JnOndvbmRlcmxhbmQ="}
    )
    answer = phone._connection.getresponse()
    answer.read()
    assert answer.status == 200
    assert answer.headers["MS-ASProtocolVersions"] == "14.1,16.0,16.1"
    assert set(SPOKEN) <= set(answer.headers["MS-ASProtocolCommands"].split(","))


def test_without_provisioning_nothing_is_shown(house: Server) -> None:
    phone = Device(house, "bob", "HOSTILEnew")
    answer = phone.ask("FolderHierarchy:FolderSync", "<SyncKey>0</SyncKey>")
    first = status_of(answer)
    phone.policy_key = 4711
    wrong = status_of(phone.ask("FolderHierarchy:FolderSync", "<SyncKey>0</SyncKey>"))
    assert first in ("1", "142")
    assert wrong in ("1", "142", "144")
    phone.policy_key = 0
    phone.provision()
    assert status_of(phone.folder_sync()) == "1"
    phone.close()


def test_a_blocked_phone_is_told_so_everywhere(house: Server) -> None:
    phone = Device(house, "bob", "HOSTILEblocked").set_up()
    house.command("phone", "block", address("bob"), "HOSTILEblocked")
    for command in ("Sync", "Ping", "FolderSync", "Provision", "Settings", "SendMail"):
        answer = decode(phone.post(command).body)
        assert status_of(answer) == "129", command
    house.command("phone", "allow", address("bob"), "HOSTILEblocked")
    assert status_of(phone.folder_sync()) == "1"
    phone.close()


def test_a_quarantined_phone_sees_no_item(house: Server) -> None:
    phone = Device(house, "bob", "HOSTILEquarantine").set_up()
    house.command("phone", "quarantine", address("bob"), "HOSTILEquarantine")
    assert status_of(phone.folder_sync()) == "1"
    answer = decode(phone.post("Sync").body)
    assert status_of(answer) == "129"
    house.command("phone", "allow", address("bob"), "HOSTILEquarantine")
    phone.begin(phone.folder(INBOX))
    phone.close()


@pytest.mark.parametrize("whole", [False, True], ids=["account", "device"])
def test_a_lost_phone_is_wiped(house: Server, whole: bool) -> None:
    name = f"HOSTILElost{int(whole)}"
    phone = Device(house, "bob", name).set_up()
    more = ("--whole-device",) if whole else ()
    house.command("phone", "wipe", address("bob"), name, *more, "--yes")
    refused = phone.ask("FolderHierarchy:FolderSync", "<SyncKey>0</SyncKey>")
    assert status_of(refused) == "140"
    told = phone.command("Provision", xml("Provision:Provision"))
    assert told
    tag = "RemoteWipe" if whole else "AccountOnlyRemoteWipe"
    assert told.child(tag) is not None
    again = phone.command("Provision", xml("Provision:Provision"))
    assert again
    assert again.child(tag) is not None, "it is told until it says that it has"
    done = phone.ask("Provision:Provision", f"<{tag}><Status>1</Status></{tag}>")
    assert status_of(done) == "1"
    assert done.child(tag) is None
    shown = json.loads(house.command("phone", "show", address("bob"), name, "--json"))
    assert "wiped" in str(shown["state"])
    assert status_of(phone.ask("FolderHierarchy:FolderSync", "<SyncKey>0</SyncKey>")) != "1"
    phone.close()


def test_the_operator_sees_the_phones(house: Server) -> None:
    phone = Device(house, "bob", "HOSTILEseen", user_agent="Apple-iPhone14C5/2001.55").set_up()
    rows = json.loads(house.command("phone", "list", address("bob"), "--json"))
    (mine,) = [row for row in rows if row["id"] == "HOSTILEseen"]
    assert mine["os"] == "OS 1"
    assert field_of(phone.provision(), "Data", "EASProvisionDoc", "DevicePasswordEnabled") == "0"
    phone.close()
