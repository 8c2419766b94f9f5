"""What a telephone does at the other doors, and what they do on the telephone."""

from __future__ import annotations

import json
import smtplib
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_device import Device, field_of
from tests.mail import address, inbox, letter, pop, send, subjects, submit, trusting, wait_for
from tests.running import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = (
    "anna",
    "ben",
    "cleo",
    "dan",
    "eva",
    "finn",
    "gina",
    "hugo",
    "ida",
    "jan",
    "karl",
    "lena",
    "max",
    "nora",
    "otto",
    "yann",
    "zoe",
)
INBOX, DRAFTS, DELETED, SENT = 2, 3, 4, 5
PLAIN = "<AirSyncBase:BodyPreference><AirSyncBase:Type>1</AirSyncBase:Type></AirSyncBase:BodyPreference>"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A town of this file's own: what its people have is counted here."""
    server = Server(tmp_path_factory.mktemp("phones") / "data", people=NAMES, workers=2)
    server.start()
    yield server
    bugs = server.bugs()
    assert server.stop() == 0
    assert not bugs


def phone_of(town: Server, name: str, password: str = "wonderland") -> Device:
    device = Device(town, name, f"CROSS{name}", password=password, options=PLAIN).set_up()
    device.begin(device.folder(INBOX))
    return device


def seen(device: Device, kind: int = INBOX) -> list[str]:
    """Subjects that the phone shows now."""
    folder = device.folder(kind)
    if folder not in device.keys:
        device.begin(folder)
    device.catch_up(folder)
    return device.subjects(folder)


def delete_by_pop(town: Server, name: str, subject: str, password: str = "wonderland") -> None:
    client = pop(town, name, password)
    client.dele(subjects(client).index(subject) + 1)
    client.quit()


def delete_on_phone(device: Device, subject: str, *, for_good: bool = False) -> None:
    box = device.folder(INBOX)
    device.catch_up(box)
    item = device.item(box, subject)
    moves = "" if not for_good else "<DeletesAsMoves>0</DeletesAsMoves>"
    told = device.sync(box, f"<Delete><ServerId>{item}</ServerId></Delete>", inner=moves)
    assert told.status == "1"
    device.items[box].pop(item, None)


def test_delivered_mail_is_on_the_phone_and_in_pop(town: Server) -> None:
    device = phone_of(town, "anna")
    send(town, letter("both see it", to=address("anna")))
    assert seen(device) == ["both see it"]
    assert inbox(town, "anna") == ["both see it"]
    data = device.items[device.folder(INBOX)][device.item(device.folder(INBOX), "both see it")]
    assert (
        field_of(data, "AirSyncBase:Body", "Data").splitlines()[1]
        == ".A line that begins with a dot."
    )
    device.close()


@pytest.mark.parametrize("policy", ["hide", "trash", "expunge"])
def test_deleted_on_the_phone_is_in_deleted_items_and_leaves_pop(town: Server, policy: str) -> None:
    name = {"hide": "ben", "trash": "cleo", "expunge": "dan"}[policy]
    town.command("user", "set", address(name), "--pop-delete", policy)
    pop_device = town.add_device(name, "Laptop")
    device = phone_of(town, name)
    for subject in ("kept", "thrown", "shredded"):
        send(town, letter(subject, to=address(name)))
    live = pop(town, name, pop_device)
    delete_on_phone(device, "thrown")
    delete_on_phone(device, "shredded", for_good=True)
    assert subjects(live) == ["kept", "thrown", "shredded"], "a session keeps its numbers"
    assert b"Subject: thrown" in live.retr(2)[1], "and what it was shown may be read"
    live.quit()
    assert seen(device) == ["kept"]
    assert seen(device, DELETED) == ["thrown"]
    assert inbox(town, name, pop_device) == ["kept"], "POP shows the inbox, which it has left"
    assert inbox(town, f"{name}+Deleted Items") == ["thrown"]
    device.close()


def test_hidden_by_pop_stays_on_the_phone(town: Server) -> None:
    device, laptop = phone_of(town, "eva"), town.add_device("eva", "Laptop")
    send(town, letter("hidden", to=address("eva")))
    assert seen(device) == ["hidden"]
    delete_by_pop(town, "eva", "hidden", laptop)
    assert inbox(town, "eva", laptop) == []
    assert device.sync(device.folder(INBOX)).deletes == []
    assert seen(device) == ["hidden"]
    assert seen(device, DELETED) == []
    device.close()


def test_trash_by_pop_is_in_deleted_items_of_the_phone(town: Server) -> None:
    town.command("user", "set", address("finn"), "--pop-delete", "trash")
    device = phone_of(town, "finn")
    send(town, letter("trashed", to=address("finn")))
    assert seen(device) == ["trashed"]
    assert seen(device, DELETED) == []
    delete_by_pop(town, "finn", "trashed")
    assert seen(device) == []
    assert seen(device, DELETED) == ["trashed"]
    device.close()


def test_expunged_by_pop_is_gone_from_the_phone(town: Server) -> None:
    town.command("user", "set", address("gina"), "--pop-delete", "expunge")
    device = phone_of(town, "gina")
    send(town, letter("expunged", to=address("gina")))
    box = device.folder(INBOX)
    assert seen(device) == ["expunged"]
    item = device.item(box, "expunged")
    delete_by_pop(town, "gina", "expunged")
    assert device.sync(box).deletes == [item]
    assert seen(device, DELETED) == []
    device.close()


def test_sent_by_the_phone_is_filed_once_and_arrives_once(town: Server) -> None:
    device = phone_of(town, "hugo")
    mail = letter("from the phone", to=address("ida"), sender=address("hugo"))
    for _ in range(2):
        device.send_mail(mail.as_bytes().replace(b"\n", b"\r\n"), "cross-1")
    wait_for(lambda: inbox(town, "ida"))
    assert inbox(town, "ida") == ["from the phone"]
    assert seen(device, SENT) == ["from the phone"]
    assert inbox(town, "hugo+Sent Items") == ["from the phone"]
    # The same message by SMTP, as a program that sends on both: still one.
    submit(town, "hugo", mail)
    assert seen(device, SENT) == ["from the phone"]
    device.close()


def test_sent_by_smtp_is_in_sent_items_of_the_phone(town: Server) -> None:
    device = phone_of(town, "jan")
    assert seen(device, SENT) == []
    submit(town, "jan", letter("from the laptop", to=address("karl"), sender=address("jan")))
    assert seen(device, SENT) == ["from the laptop"]
    device.close()


def test_a_draft_is_never_in_pop(town: Server) -> None:
    device = phone_of(town, "karl")
    drafts = device.folder(DRAFTS)
    device.begin(drafts)
    before = inbox(town, "karl")
    device.sync(
        drafts,
        "<Add><ClientId>1</ClientId><ApplicationData><Email:To>lena@example.org</Email:To>"
        "<Email:Subject>unfinished</Email:Subject></ApplicationData></Add>",
    )
    device.begin(drafts)
    assert device.subjects(drafts) == ["unfinished"]
    assert inbox(town, "karl") == before
    assert inbox(town, "lena") == []
    device.close()


def test_reading_by_pop_and_on_the_phone(town: Server) -> None:
    device, other = (
        phone_of(town, "lena"),
        Device(town, "lena", "CROSSlena2", options=PLAIN).set_up(),
    )
    send(town, letter("read me", to=address("lena")))
    box = device.folder(INBOX)
    device.catch_up(box)
    other.begin(box)
    item = device.item(box, "read me")
    client = pop(town, "lena")
    client.retr(1)
    client.quit()
    device.catch_up(box)
    before = field_of(device.items[box][item], "Email:Read")
    device.sync(
        box,
        f"<Change><ServerId>{item}</ServerId><ApplicationData><Email:Read>1</Email:Read></ApplicationData></Change>",
    )
    other.catch_up(box)
    assert field_of(other.items[box][item], "Email:Read") == "1"
    assert before == "0", "a program that fetches is nobody who reads"
    assert inbox(town, "lena") == ["read me"], "what was read elsewhere is still fetched"
    device.close()
    other.close()


def test_mail_moved_on_the_phone_is_in_that_folder_by_pop(town: Server) -> None:
    device = phone_of(town, "max")
    made = device.ask(
        "FolderHierarchy:FolderCreate",
        f"<SyncKey>{device.hierarchy_key}</SyncKey><ParentId>0</ParentId>"
        "<DisplayName>Projects</DisplayName><Type>12</Type>",
    )
    target, box = made.text_of("ServerId"), device.folder(INBOX)
    send(town, letter("moved", to=address("max")))
    device.catch_up(box)
    before = pop(town, "max")
    uidl = before.uidl()[1][0].split()[1]
    before.quit()
    item = device.item(box, "moved")
    device.ask(
        "Move:MoveItems",
        f"<Move><SrcMsgId>{item}</SrcMsgId><SrcFldId>{box}</SrcFldId><DstFldId>{target}</DstFldId></Move>",
    )
    assert inbox(town, "max") == []
    after = pop(town, "max+Projects")
    assert subjects(after) == ["moved"]
    assert after.uidl()[1][0].split()[1] == uidl, "the same message has the same UIDL"
    after.quit()
    device.close()


def test_a_device_password_opens_the_phone_and_revoking_it_shuts_it(town: Server) -> None:
    password = town.add_device("nora", "Phone")
    device = phone_of(town, "nora", password)
    town.command("device", "revoke", address("nora"), "Phone")
    wait_for(lambda: device.post("Ping").status == 401)
    device.close()


def test_a_full_mailbox_takes_no_item_of_the_phone(town: Server) -> None:
    town.command("user", "set", address("otto"), "--quota", "20KiB")
    device = phone_of(town, "otto")
    drafts = device.folder(DRAFTS)
    device.begin(drafts)
    told = device.sync(
        drafts,
        "<Add><ClientId>1</ClientId><ApplicationData><Email:Subject>big</Email:Subject><AirSyncBase:Body>"
        f"<AirSyncBase:Type>1</AirSyncBase:Type><AirSyncBase:Data>{'x' * 40_000}</AirSyncBase:Data>"
        "</AirSyncBase:Body></ApplicationData></Add>",
    )
    assert told.response().text_of("Status") == "9"
    device.close()


def test_what_the_phone_writes_of_others_is_refused_as_by_smtp(town: Server) -> None:
    device = phone_of(town, "yann")
    forged = letter("forged", to=address("zoe"), sender=address("anna"))
    answer = device.send_mail(forged.as_bytes().replace(b"\n", b"\r\n"), "forged-1")
    assert answer is not None
    assert answer.text_of("Status") == "120"
    with smtplib.SMTP_SSL(
        "127.0.0.1", town.ports["submissions"], context=trusting(town), timeout=20
    ) as client:
        client.login(address("yann"), "wonderland")
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.send_message(forged)
    assert inbox(town, "zoe") == []
    rows = json.loads(town.command("phone", "list", address("yann"), "--json"))
    assert len(rows) == 1
    device.close()
