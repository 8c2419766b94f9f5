"""Contacts, tasks, notes and appointments from one phone to another of the same person."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_office import (
    CALENDAR,
    CONTACTS,
    NINE,
    NOTES,
    TASKS,
    body_of,
    change,
    daily,
    delete,
    does,
    entry,
    folder_of,
    hang_up,
    inside,
    made,
    meeting,
    of_subject,
    phone,
    serving,
    settled,
    span,
)
from tests.running import Server

from posthouse.model.folder import FolderRole
from posthouse.services.groupware.entries import Entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.eas_device import Device

    from posthouse.protocols.eas.wire.element import Element

pytestmark = pytest.mark.clients

PEOPLE = ("anna", "ben")
JPEG = base64.b64encode(
    b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 8 + b"\xff\xd9"
).decode()
QUIET_S = 0.7


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """People of these tests alone."""
    with serving(tmp_path_factory.mktemp("groupware") / "data", PEOPLE) as server:
        yield server


@pytest.fixture(autouse=True)
def _connections() -> Iterator[None]:
    yield
    hang_up()


def texts(data: Element, namespace: str) -> dict[str, str]:
    """Elements of a namespace that hold text."""
    return {
        one.tag: one.text
        for one in data.children
        if one.namespace == namespace and not one.children
    }


def names(data: Element, tag: str) -> list[str]:
    holder = data.child(tag)
    return [one.text for one in holder.children] if holder else []


def plain(text: str) -> str:
    return (
        "<AirSyncBase:Body><AirSyncBase:Type>1</AirSyncBase:Type>"
        f"<AirSyncBase:Data>{text}</AirSyncBase:Data></AirSyncBase:Body>"
    )


def both(office: Server, name: str, kind: int) -> tuple[Device, Device]:
    """A person's two phones, at the beginning of a folder."""
    new, old = phone(office, name), phone(office, name, "14.1")
    for device in (new, old):
        device.begin(device.folder(kind))
    return new, old


def only(device: Device, kind: int) -> Element:
    """The one item that the folder comes to hold."""
    found: Element = settled(device, kind, lambda items: items[0] if len(items) == 1 else None)
    return found


def test_a_contact_from_one_phone_to_another(office: Server) -> None:
    new, old = both(office, "anna", CONTACTS)
    told = {"FirstName": "Zoë", "LastName": "Müller", "FileAs": "Müller, Zoë", "CompanyName": "A & B",
            "Email1Address": '"Zoë" &lt;zoe@example.net&gt;', "MobilePhoneNumber": "+49 170 1",
            "HomeAddressCity": "Köln", "Birthday": "1980-02-29T00:00:00.000Z", "Picture": JPEG}  # fmt: skip
    data = "".join(
        f"<Contacts:{tag}>{text.replace(' & ', ' &amp; ')}</Contacts:{tag}>"
        for tag, text in told.items()
    )
    data += (
        "<Contacts:Categories><Contacts:Category>Friends</Contacts:Category>"
        "<Contacts:Category>Köln</Contacts:Category></Contacts:Categories>"
        "<Contacts2:NickName>Zo</Contacts2:NickName>" + plain("Likes tea.")
    )
    server_id = made(new, CONTACTS, data)
    seen = only(old, CONTACTS)
    shown = texts(seen, "Contacts")
    for tag, text in told.items():
        assert tag in ("Email1Address", "Birthday") or shown[tag] == text, tag
    assert shown["Birthday"][:10] == "1980-02-29"
    assert "zoe@example.net" in shown["Email1Address"]
    assert shown["Picture"] == JPEG
    assert names(seen, "Contacts:Categories") == ["Friends", "Köln"]
    assert seen.text_of("Contacts2:NickName") == "Zo"
    assert body_of(seen) == "Likes tea."

    kept = [one for one in seen.children if one.tag not in ("Picture", "Body", "NativeBodyType")]
    shorter = "".join(
        f"<{one.namespace}:{one.tag}>{one.text.replace('&', '&amp;').replace('<', '&lt;')}</{one.namespace}:{one.tag}>"
        for one in kept
        if not one.children and one.tag != "MobilePhoneNumber"
    )
    does(old, CONTACTS, change(server_id, shorter + "<Contacts:Picture/>"))
    new.begin(new.folder(CONTACTS))
    back = only(new, CONTACTS)
    assert back.child("Contacts:Picture") is None
    assert back.child("Contacts:Categories") is None
    assert back.child("Contacts:MobilePhoneNumber") is None
    assert back.text_of("Contacts:HomeAddressCity") == "Köln"
    assert body_of(back) == "Likes tea.", "a body that is not told stays"
    does(old, CONTACTS, delete(server_id))
    settled(new, CONTACTS, lambda items: not items)


def test_a_task_from_one_phone_to_another(office: Server) -> None:
    new, old = both(office, "anna", TASKS)
    day = time.strftime("%Y-%m-%dT00:00:00.000Z", time.gmtime(NINE / 1000))
    data = (
        "<Tasks:Subject>Water plants</Tasks:Subject><Tasks:Importance>2</Tasks:Importance>"
        f"<Tasks:UtcStartDate>{day}</Tasks:UtcStartDate><Tasks:StartDate>{day}</Tasks:StartDate>"
        f"<Tasks:UtcDueDate>{day}</Tasks:UtcDueDate><Tasks:DueDate>{day}</Tasks:DueDate>"
        "<Tasks:Categories><Tasks:Category>Home</Tasks:Category></Tasks:Categories>"
        "<Tasks:Recurrence><Tasks:Type>1</Tasks:Type>"
        f"<Tasks:Start>{day}</Tasks:Start><Tasks:Occurrences>5</Tasks:Occurrences>"
        "<Tasks:Interval>2</Tasks:Interval><Tasks:DayOfWeek>4</Tasks:DayOfWeek></Tasks:Recurrence>"
        "<Tasks:Complete>0</Tasks:Complete><Tasks:Sensitivity>0</Tasks:Sensitivity>"
        "<Tasks:ReminderSet>0</Tasks:ReminderSet>" + plain("All of them.")
    )
    server_id = made(new, TASKS, data)
    seen = only(old, TASKS)
    assert seen.text_of("Tasks:Subject") == "Water plants"
    assert seen.text_of("Tasks:DueDate") == day
    assert seen.text_of("Tasks:Importance") == "2"
    assert names(seen, "Tasks:Categories") == ["Home"]
    assert body_of(seen) == "All of them."
    recurrence = seen.child("Tasks:Recurrence")
    assert recurrence
    pattern = {
        tag: recurrence.text_of(tag) for tag in ("Type", "Interval", "DayOfWeek", "Occurrences")
    }
    assert pattern == {"Type": "1", "Interval": "2", "DayOfWeek": "4", "Occurrences": "5"}

    done = data.replace(
        "<Tasks:Complete>0", f"<Tasks:DateCompleted>{day}</Tasks:DateCompleted><Tasks:Complete>1"
    )
    single = (
        done[: done.index("<Tasks:Recurrence>")] + done[done.index("</Tasks:Recurrence>") + 19 :]
    )
    does(old, TASKS, change(server_id, single))
    back = settled(
        new,
        TASKS,
        lambda items: next((one for one in items if one.text_of("Tasks:Complete") == "1"), None),
    )
    assert back.text_of("Tasks:DateCompleted")[:10] == day[:10]


def test_a_note_from_one_phone_to_another(office: Server) -> None:
    new, old = both(office, "anna", NOTES)
    data = (
        "<Notes:Subject>Shopping</Notes:Subject><Notes:MessageClass>IPM.StickyNote</Notes:MessageClass>"
        "<Notes:Categories><Notes:Category>Home</Notes:Category></Notes:Categories>"
        + plain("Milk, Käse")
    )
    server_id = made(new, NOTES, data)
    seen = only(old, NOTES)
    assert seen.text_of("Notes:Subject") == "Shopping"
    assert names(seen, "Notes:Categories") == ["Home"]
    assert body_of(seen) == "Milk, Käse"
    does(old, NOTES, change(server_id, data.replace("Milk", "Bread")))
    settled(new, NOTES, lambda items: items and body_of(items[0]) == "Bread, Käse")


def test_what_phones_do_not_know_survives_them(office: Server) -> None:
    new, old = phone(office, "ben"), phone(office, "ben", "14.1")
    data = meeting("Alone").replace("<Calendar:MeetingStatus>1", "<Calendar:MeetingStatus>0")
    data = data.replace("<Calendar:Attendees></Calendar:Attendees>", "") + daily(3)
    server_id = made(new, CALENDAR, data)
    entry(old, "Alone")
    item_id = int(server_id.partition(":")[2])
    with inside(office) as opened:
        mailbox_id = folder_of(opened, "ben", FolderRole.CALENDAR).mailbox_id
        entries = Entries(opened.store, opened.clock, opened.chance, "mail.example.org")
        before = opened.run(entries.read(mailbox_id, item_id)).original
        strange = b"X-WEATHER;X-SURE=yes:fair\r\nCONFERENCE;VALUE=URI:https://meet.example/7\r\nEND:VEVENT"
        opened.run(
            entries.replace_original(mailbox_id, item_id, before.replace(b"END:VEVENT", strange, 1))
        )

    settled(new, CALENDAR, of_subject("Alone"))
    does(new, CALENDAR, change(server_id, "<Calendar:Subject>Together</Calendar:Subject>"))
    shown = settled(old, CALENDAR, of_subject("Together"))
    assert shown.child("Calendar:Recurrence")
    whole = (
        f"<Calendar:Timezone>{shown.text_of('Calendar:Timezone')}</Calendar:Timezone>"
        f"<Calendar:UID>{shown.text_of('Calendar:UID')}</Calendar:UID>"
        "<Calendar:Subject>As ever</Calendar:Subject><Calendar:Location>Here</Calendar:Location>"
        f"{span(NINE)}{daily(3)}"
    )
    does(old, CALENDAR, change(server_id, whole))
    settled(new, CALENDAR, of_subject("As ever"))
    with inside(office) as opened:
        entries = Entries(opened.store, opened.clock, opened.chance, "mail.example.org")
        after = opened.run(entries.read(mailbox_id, item_id)).original
    for line in strange.split(b"\r\n"):
        assert line in after
    assert b"SUMMARY:As ever" in after
