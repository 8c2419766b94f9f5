"""What a telephone does when answers get lost: it asks again; and when it waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_device import Device, Later, field_of, told_from
from tests.mail import letter, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Server

    from posthouse.protocols.eas.wire.element import Element

pytestmark = pytest.mark.clients

INBOX, CALENDAR, CONTACTS = 2, 8, 9
PLAIN = "<AirSyncBase:BodyPreference><AirSyncBase:Type>1</AirSyncBase:Type></AirSyncBase:BodyPreference>"
ADA = "<Contacts:FirstName>Ada {0}</Contacts:FirstName><Contacts:FileAs>Ada {0}</Contacts:FileAs>"


@pytest.fixture(params=["16.1", "16.0", "14.1"])
def phone(house: Server, request: pytest.FixtureRequest) -> Iterator[Device]:
    """Alice's, set up, a new one for every test and version."""
    name = "".join(c for c in request.node.name if c.isalnum())[-28:]
    device = Device(house, "alice", f"RE{name}", version=request.param, options=PLAIN)
    yield device.set_up()
    device.close()


def only(answer: Element | None) -> Element:
    assert answer is not None
    holder = answer.child("Collections")
    assert holder
    (collection,) = holder.children
    return collection


def test_the_same_key_twice_gives_the_same_items_under_a_usable_key(
    house: Server, phone: Device
) -> None:
    box = phone.folder(INBOX)
    phone.begin(box)
    for number in range(3):
        send(house, letter(f"replay {phone.version} {number}"))
    request = phone.collection(box)
    first = told_from(only(phone.sync_text(request)))
    second = told_from(only(phone.sync_text(request)))
    assert len(first.adds) == 3
    assert list(first.adds) == list(second.adds)
    assert first.key != phone.keys[box]
    phone.keys[box] = second.key
    assert phone.sync(box).is_empty
    send(house, letter(f"replay {phone.version} after"))
    assert field_of(phone.sync(box).added()[1], "Email:Subject") == f"replay {phone.version} after"


def test_a_repeated_beginning_gives_the_same_key(phone: Device) -> None:
    request = phone.collection(phone.folder(CONTACTS), key="0")
    first = told_from(only(phone.sync_text(request)))
    second = told_from(only(phone.sync_text(request)))
    assert first.key == second.key
    phone.keys[phone.folder(CONTACTS)] = first.key
    phone.catch_up(phone.folder(CONTACTS))


def test_a_repeated_add_makes_one_item(house: Server, phone: Device) -> None:
    folder = phone.folder(CONTACTS)
    before = len(phone.begin(folder))
    data = ADA.format(phone.version)
    request = phone.collection(
        folder, f"<Add><ClientId>7</ClientId><ApplicationData>{data}</ApplicationData></Add>"
    )
    names = set()
    for _ in range(3):
        told = told_from(only(phone.sync_text(request)))
        assert told.response().text_of("Status") == "1"
        names.add(told.response().text_of("ServerId"))
    assert len(names) == 1
    assert len(phone.begin(folder)) == before + 1
    # The same ClientId under the next key is another contact.
    data = ADA.format("two")
    more = f"<Add><ClientId>7</ClientId><ApplicationData>{data}</ApplicationData></Add>"
    assert phone.sync(folder, more).response().text_of("ServerId") not in names


def test_a_repeated_delete_is_no_error(house: Server, phone: Device) -> None:
    send(house, letter(f"delete twice {phone.version}"))
    box = phone.folder(INBOX)
    phone.begin(box)
    item = phone.item(box, f"delete twice {phone.version}")
    request = phone.collection(box, f"<Delete><ServerId>{item}</ServerId></Delete>")
    first = told_from(only(phone.sync_text(request)))
    second = told_from(only(phone.sync_text(request)))
    assert (first.status, second.status) == ("1", "1")
    assert {one.text_of("Status") for one in second.responses} <= {"1", "8"}
    phone.keys[box] = second.key
    assert phone.sync(box).is_empty


@pytest.mark.parametrize("key", ["1", "12345.1", "x", "99999999999999999999", "-1", "1.0"])
def test_unknown_keys_begin_anew(house: Server, key: str) -> None:
    phone = Device(house, "alice", "REkeys").set_up()
    box = phone.folder(INBOX)
    told = phone.sync(box, key=key)
    assert told.status == "3"
    phone.begin(box)
    answer = phone.ask("FolderHierarchy:FolderSync", f"<SyncKey>{key}</SyncKey>")
    assert answer.text_of("Status") == "9"
    phone.close()


def test_two_generations_back_is_too_far(house: Server, phone: Device) -> None:
    box = phone.folder(INBOX)
    phone.begin(box)
    old = phone.keys[box]
    for number in range(3):
        send(house, letter(f"generation {number}"))
        assert phone.sync(box).adds
    assert phone.sync(box, key=old).status == "3"


def test_a_lost_answer_of_foldersync(house: Server, phone: Device) -> None:
    name = f"Lost {phone.version}"
    other = Device(house, "alice", "REmaker").set_up()
    made = other.ask(
        "FolderHierarchy:FolderCreate",
        f"<SyncKey>{other.hierarchy_key}</SyncKey><ParentId>0</ParentId>"
        f"<DisplayName>{name}</DisplayName><Type>12</Type>",
    )
    assert made.text_of("Status") == "1"
    request = f"<SyncKey>{phone.hierarchy_key}</SyncKey>"
    lost = phone.ask("FolderHierarchy:FolderSync", request)
    again = phone.ask("FolderHierarchy:FolderSync", request)
    assert lost.child("Changes") == again.child("Changes")
    phone.take_folders(again)
    assert phone.folder(name) == made.text_of("ServerId")
    assert phone.folder_sync().child("Changes").number_of("Count") == 0
    other.close()


def test_a_lost_answer_of_foldercreate(house: Server, phone: Device) -> None:
    request = (
        f"<SyncKey>{phone.hierarchy_key}</SyncKey><ParentId>0</ParentId>"
        f"<DisplayName>Made {phone.version}</DisplayName><Type>12</Type>"
    )
    first = phone.ask("FolderHierarchy:FolderCreate", request)
    assert first.text_of("Status") == "1"
    again = phone.ask("FolderHierarchy:FolderCreate", request)
    assert again.text_of("Status") in ("1", "2", "9")
    phone.hierarchy_key = "0"
    phone.folder_sync()
    names = [one.name for one in phone.folders.values()]
    assert names.count(f"Made {phone.version}") == 1


@pytest.mark.parametrize("wait", ["<Wait>1</Wait>", "<HeartbeatInterval>60</HeartbeatInterval>"])
def test_a_hanging_sync_is_woken_by_delivery(house: Server, wait: str) -> None:
    phone = Device(house, "alice", "REhanging", options=PLAIN).set_up()
    box, calendar = phone.folder(INBOX), phone.folder(CALENDAR)
    phone.begin(box)
    phone.begin(calendar)
    both = phone.collection(box) + phone.collection(calendar)
    other = phone.twin()
    hanging = Later(lambda: other.sync_text(both, wait))
    time.sleep(0.5)
    assert not hanging.is_there()
    begun = time.monotonic()
    send(house, letter("hanging"))
    answer = hanging.answer()
    assert hanging.came_at - begun < 1
    told = phone.take(box, answer)
    assert field_of(told.added()[1], "Email:Subject") == "hanging"
    # An empty request is the last one again, whose answer was lost.
    both = phone.collection(box) + phone.collection(calendar)
    lost = phone.twin()
    Later(lambda: lost.sync_text(both, wait))
    time.sleep(0.3)
    lost.hang_up()
    empty = Later(lambda: other.command("Sync", None))
    time.sleep(0.3)
    assert not empty.is_there()
    send(house, letter("hanging again"))
    told = phone.take(box, empty.answer())
    assert field_of(told.added()[1], "Email:Subject") == "hanging again"
    other.close()
    phone.close()


def test_a_hanging_request_hears_of_a_new_folder(house: Server) -> None:
    phone = Device(house, "alice", "REfolders", options=PLAIN).set_up()
    box = phone.folder(INBOX)
    phone.begin(box)
    ping, sync = phone.twin(), phone.twin()
    hanging = Later(lambda: ping.ping(box))
    waiting = Later(lambda: sync.sync_text(phone.collection(box), "<Wait>1</Wait>"))
    time.sleep(0.3)
    other = Device(house, "alice", "REfolders2").set_up()
    other.ask(
        "FolderHierarchy:FolderCreate",
        f"<SyncKey>{other.hierarchy_key}</SyncKey><ParentId>0</ParentId>"
        f"<DisplayName>Fresh</DisplayName><Type>12</Type>",
    )
    assert hanging.answer().text_of("Status") == "7"
    assert waiting.answer().text_of("Status") == "12"
    for one in (ping, sync, other, phone):
        one.close()


def test_heartbeats_out_of_range_are_told_the_limits(house: Server) -> None:
    phone = Device(house, "alice", "REheart", options=PLAIN).set_up()
    box = phone.folder(INBOX)
    phone.begin(box)
    for asked, nearest in ((1, 60), (100_000, 3540)):
        answer = phone.ping(box, heartbeat_s=asked)
        assert answer.text_of("Status") == "5"
        assert answer.number_of("HeartbeatInterval") == nearest
        heartbeat = f"<HeartbeatInterval>{asked}</HeartbeatInterval>"
        refused = phone.sync_text(phone.collection(box), heartbeat)
        assert refused
        assert refused.text_of("Status") == "14"
        assert refused.number_of("Limit") == nearest
    refused = phone.sync_text(phone.collection(box), "<Wait>60</Wait>")
    assert refused
    assert (refused.text_of("Status"), refused.number_of("Limit")) == ("14", 59)
    phone.close()


def test_a_first_ping_without_folders_is_incomplete(house: Server) -> None:
    phone = Device(house, "alice", "REempty").set_up()
    answer = phone.command("Ping", None)
    assert answer
    assert answer.text_of("Status") == "3"
    refused = phone.command("Sync", None)
    assert refused
    assert refused.text_of("Status") == "13"
    phone.close()


def test_ping_tells_at_once_of_what_came_before(house: Server) -> None:
    phone = Device(house, "alice", "REbefore", options=PLAIN).set_up()
    box = phone.folder(INBOX)
    phone.begin(box)
    send(house, letter("before the ping"))
    answer = phone.ping(box)
    assert answer.text_of("Status") == "2"
    assert phone.ping("99999").text_of("Status") == "7"
    phone.close()


def test_a_phone_that_chokes_on_an_item_gets_past_it(house: Server) -> None:
    phone = Device(house, "alice", "REchokes", options=PLAIN).set_up()
    box = phone.folder(INBOX)
    phone.begin(box)
    for number in range(3):
        send(house, letter(f"choke {number}"))
    request = phone.collection(box)
    sizes, seen = [], []
    for _ in range(8):
        told = told_from(only(phone.sync_text(request)))
        sizes.append(len(told.adds))
        seen.append(tuple(told.adds))
    assert sizes[0] == 3
    assert sizes[3] == 1
    assert seen[-1] == (seen[0][1],), "in the end the first item is left out"
    phone.keys[box] = told.key
    assert list(phone.sync(box).adds) == [seen[0][2]], "and no other"
    phone.close()
