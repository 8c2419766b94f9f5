"""An iPhone: 16.1, base64 addresses, Ping, drafts that synchronise; over the running server."""

from __future__ import annotations

import base64
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_device import Device, Later, field_of, xml
from tests.mail import address, inbox, letter, send, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Server

pytestmark = pytest.mark.clients

INBOX, DRAFTS, DELETED, SENT, TASKS, CALENDAR, CONTACTS, NOTES = 2, 3, 4, 5, 7, 8, 9, 10
MAIL_OPTIONS = (
    "<FilterType>5</FilterType><MIMESupport>1</MIMESupport><MIMETruncation>1</MIMETruncation>"
    "<AirSyncBase:BodyPreference><AirSyncBase:Type>1</AirSyncBase:Type>"
    "<AirSyncBase:TruncationSize>500</AirSyncBase:TruncationSize>"
    "<AirSyncBase:Preview>200</AirSyncBase:Preview></AirSyncBase:BodyPreference>"
    "<AirSyncBase:BodyPreference><AirSyncBase:Type>2</AirSyncBase:Type>"
    "<AirSyncBase:TruncationSize>32768</AirSyncBase:TruncationSize></AirSyncBase:BodyPreference>"
)
PLAIN = (
    "<AirSyncBase:BodyPreference><AirSyncBase:Type>1</AirSyncBase:Type>"
    "<AirSyncBase:TruncationSize>32768</AirSyncBase:TruncationSize></AirSyncBase:BodyPreference>"
)
CONTACT = (
    "<Contacts:FileAs>Ada Lovelace</Contacts:FileAs><Contacts:FirstName>Ada</Contacts:FirstName>"
    "<Contacts:LastName>Lovelace</Contacts:LastName>"
    "<Contacts:Email1Address>ada@example.net</Contacts:Email1Address>"
    "<Contacts:MobilePhoneNumber>+44 1</Contacts:MobilePhoneNumber>"
)
PARTY = (
    "<Calendar:Subject>Tea {0}</Calendar:Subject><Calendar:StartTime>20270104T150000Z</Calendar:StartTime>"
    "<Calendar:EndTime>20270104T160000Z</Calendar:EndTime><Calendar:BusyStatus>2</Calendar:BusyStatus>"
    "<Calendar:AllDayEvent>0</Calendar:AllDayEvent><Calendar:Reminder>15</Calendar:Reminder>"
    "<AirSyncBase:Location><AirSyncBase:DisplayName>Garden</AirSyncBase:DisplayName></AirSyncBase:Location>"
    "<Calendar:Attendees><Calendar:Attendee><Calendar:Email>bob@example.org</Calendar:Email>"
    "<Calendar:Name>bob</Calendar:Name><Calendar:AttendeeType>1</Calendar:AttendeeType>"
    "</Calendar:Attendee></Calendar:Attendees>"
    "<AirSyncBase:Body><AirSyncBase:Type>1</AirSyncBase:Type><AirSyncBase:Data>Bring cake</AirSyncBase:Data>"
    "</AirSyncBase:Body>"
)


def body(text: str, kind: int = 1) -> str:
    return (
        f"<AirSyncBase:Body><AirSyncBase:Type>{kind}</AirSyncBase:Type>"
        f"<AirSyncBase:Data>{text}</AirSyncBase:Data></AirSyncBase:Body>"
    )


def add(client_id: str, data: str) -> str:
    return f"<Add><ClientId>{client_id}</ClientId><ApplicationData>{data}</ApplicationData></Add>"


def change(server_id: str, data: str) -> str:
    return f"<Change><ServerId>{server_id}</ServerId><ApplicationData>{data}</ApplicationData></Change>"


def mime(subject: str, *, to: str, sender: str = "alice@example.org") -> bytes:
    message = letter(subject, to=to, sender=sender)
    return message.as_bytes().replace(b"\n", b"\r\n")


@pytest.fixture
def phone(house: Server, request: pytest.FixtureRequest) -> Iterator[Device]:
    """Alice's, set up, a new one for every test."""
    name = "".join(c for c in request.node.name if c.isalnum())[-24:]
    device = Device(house, "alice", f"IOS{name}", is_base64=True, options=MAIL_OPTIONS)
    yield device.set_up()
    device.close()


def test_all_five_classes_from_the_beginning(phone: Device) -> None:
    assert {one.kind for one in phone.folders.values()} >= {2, 3, 4, 5, 7, 8, 9, 10}
    for kind in (INBOX, CALENDAR, CONTACTS, TASKS, NOTES):
        options = MAIL_OPTIONS if kind == INBOX else PLAIN
        phone.begin(phone.folder(kind), options=options)
        again = phone.sync(phone.folder(kind), options=options)
        assert again.is_empty, "nothing is new, so nothing is said"


def test_delivered_mail_comes_with_a_preview_and_is_read_whole(
    house: Server, phone: Device
) -> None:
    message = letter("ios preview")
    message.set_content("word " * 400)
    send(house, message)
    box = phone.folder(INBOX)
    phone.begin(box)
    item = phone.item(box, "ios preview")
    data = phone.items[box][item]
    assert field_of(data, "Email:Read") == "0"
    shown = data.child("AirSyncBase:Body")
    assert shown
    assert shown.text_of("Type") == "1"
    assert len(shown.text_of("Data").encode()) <= 500
    assert shown.text_of("Truncated") == "1"
    assert shown.number_of("EstimatedDataSize") >= 2000
    whole = phone.ask(
        "ItemOperations:ItemOperations",
        f"<Fetch><Store>Mailbox</Store><AirSync:CollectionId>{box}</AirSync:CollectionId>"
        f"<AirSync:ServerId>{item}</AirSync:ServerId><Options>{PLAIN}</Options></Fetch>",
    )
    fetched = whole.find("Response", "Fetch")
    assert fetched
    assert fetched.text_of("Status") == "1"
    assert field_of(fetched, "Properties", "AirSyncBase:Body", "Data").count("word") == 400


def test_ping_wakes_on_delivery_within_a_second(house: Server, phone: Device) -> None:
    box = phone.folder(INBOX)
    phone.begin(box)
    other = phone.twin()
    for form in ("with folders", "empty"):
        if form == "empty":
            hanging = Later(lambda: other.command("Ping", None))
        else:
            hanging = Later(lambda: other.ping(box))
        time.sleep(0.5)
        assert not hanging.is_there()
        begun = time.monotonic()
        send(house, letter(f"ping {form}"))
        answer = hanging.answer()
        took_s = hanging.came_at - begun
        assert answer.text_of("Status") == "2"
        assert [one.text for one in answer.find("Folders").children] == [box]
        assert took_s < 1, f"{took_s:.2f} s"
        told = phone.sync(box)
        assert field_of(told.added()[1], "Email:Subject") == f"ping {form}"
    other.close()


def test_flags_and_read_marks_go_both_ways(house: Server, phone: Device) -> None:
    send(house, letter("ios flags"))
    box = phone.folder(INBOX)
    phone.begin(box)
    item = phone.item(box, "ios flags")
    told = phone.sync(box, change(item, "<Email:Read>1</Email:Read>"))
    assert told.status == "1"
    assert told.responses == [], "success of a Change is not told"
    flag = "<Email:Flag><Email:Status>2</Email:Status><Email:FlagType>for Follow Up</Email:FlagType></Email:Flag>"
    assert phone.sync(box, change(item, flag)).status == "1"
    assert phone.sync(box).is_empty, "what the phone did itself is not told to it"
    second = Device(house, "alice", "IOSsecond", is_base64=True, options=MAIL_OPTIONS).set_up()
    second.begin(box)
    data = second.items[box][item]
    assert field_of(data, "Email:Read") == "1"
    assert field_of(data, "Email:Flag", "Status") == "2"
    second.sync(box, change(item, "<Email:Read>0</Email:Read><Email:Flag/>"))
    told = phone.sync(box)
    assert list(told.changes) == [item]
    assert field_of(phone.items[box][item], "Email:Read") == "0"
    assert field_of(phone.items[box][item], "Email:Flag", "Status") in ("", "0")
    second.close()


def test_a_contact_is_added_changed_and_deleted(house: Server, phone: Device) -> None:
    folder = phone.folder(CONTACTS)
    phone.begin(folder, options=PLAIN)
    told = phone.sync(folder, add("c1", CONTACT), options=PLAIN)
    assert told.response().text_of("Status") == "1"
    item = told.response().text_of("ServerId")
    told = phone.sync(
        folder,
        change(item, CONTACT + "<Contacts:JobTitle>Countess</Contacts:JobTitle>"),
        options=PLAIN,
    )
    assert told.status == "1"
    other = Device(house, "alice", "IOScontacts", is_base64=True).set_up()
    data = other.begin(folder, options=PLAIN)[item]
    assert field_of(data, "Contacts:FirstName") == "Ada"
    assert field_of(data, "Contacts:JobTitle") == "Countess"
    assert field_of(data, "Contacts:MobilePhoneNumber") == "+44 1"
    phone.sync(folder, f"<Delete><ServerId>{item}</ServerId></Delete>", options=PLAIN)
    assert other.sync(folder, options=PLAIN).deletes == [item]
    other.close()


def test_an_appointment_with_attendees_invites_them(house: Server, phone: Device) -> None:
    folder = phone.folder(CALENDAR)
    phone.begin(folder, options=PLAIN)
    told = phone.sync(folder, add("e1", PARTY.format("for two")), options=PLAIN)
    assert told.response().text_of("Status") == "1", told.responses
    item = told.response().text_of("ServerId")
    other = Device(house, "alice", "IOScalendar", is_base64=True).set_up()
    data = other.begin(folder, options=PLAIN)[item]
    assert field_of(data, "Calendar:OrganizerEmail") == "alice@example.org"
    assert field_of(data, "Calendar:StartTime") == "20270104T150000Z"
    assert field_of(data, "AirSyncBase:Location", "DisplayName") == "Garden"
    attendees = data.child("Calendar:Attendees")
    assert attendees
    assert [one.text_of("Email") for one in attendees.children] == ["bob@example.org"]
    assert field_of(data, "AirSyncBase:Body", "Data").strip() == "Bring cake"
    wait_for(lambda: any("Tea for two" in one for one in inbox(house, "bob")))
    bob = Device(house, "bob", "IOSbob", is_base64=True, options=MAIL_OPTIONS).set_up()
    box = bob.folder(INBOX)
    bob.begin(box)
    invitation = next(
        one for one in bob.items[box].values() if "Tea for two" in field_of(one, "Email:Subject")
    )
    assert field_of(invitation, "Email:MessageClass") == "IPM.Schedule.Meeting.Request"
    assert invitation.child("Email:MeetingRequest")
    other.close()
    bob.close()


def test_a_draft_is_written_changed_and_sent(house: Server, phone: Device) -> None:
    drafts = phone.folder(DRAFTS)
    phone.begin(drafts)
    text = "<Email:To>carol@example.org</Email:To><Email:Subject>ios draft</Email:Subject>"
    told = phone.sync(drafts, add("d1", text + body("half of it")))
    response = told.response()
    assert response.text_of("Status") == "1"
    item = response.text_of("ServerId")
    told = phone.sync(drafts, change(item, text + body("all of it")))
    assert told.status == "1"
    assert not [one for one in told.responses if one.text_of("Status") != "1"]
    phone.begin(drafts)
    assert "ios draft" in phone.subjects(drafts)
    item = phone.item(drafts, "ios draft")
    assert "ios draft" not in inbox(house, "carol")
    sent = (
        f"<Change><ServerId>{item}</ServerId><Email2:Send/>"
        f"<ApplicationData>{text}{body('all of it')}</ApplicationData></Change>"
    )
    assert phone.sync(drafts, sent).status == "1"
    wait_for(lambda: "ios draft" in inbox(house, "carol"))
    phone.catch_up(drafts)
    assert "ios draft" not in phone.subjects(drafts)
    box = phone.folder(SENT)
    phone.begin(box)
    assert phone.subjects(box).count("ios draft") == 1


def test_send_mail_once_however_often_it_is_asked(house: Server, phone: Device) -> None:
    octets = mime("ios sends", to="carol@example.org")
    for _ in range(3):
        assert phone.send_mail(octets, "sendmail-1") is None
    wait_for(lambda: "ios sends" in inbox(house, "carol"))
    assert inbox(house, "carol").count("ios sends") == 1
    box = phone.folder(SENT)
    phone.begin(box)
    assert phone.subjects(box).count("ios sends") == 1


def test_an_attachment_is_fetched_without_a_range(house: Server, phone: Device) -> None:
    message: EmailMessage = letter("ios attachment")
    content = bytes(range(256)) * 200
    message.add_attachment(content, "application", "octet-stream", filename="Grüße.bin")
    send(house, message)
    box = phone.folder(INBOX)
    phone.begin(box)
    data = phone.items[box][phone.item(box, "ios attachment")]
    holder = data.child("AirSyncBase:Attachments")
    assert holder
    (attachment,) = holder.children
    assert attachment.text_of("DisplayName") == "Grüße.bin"
    reference = attachment.text_of("FileReference")
    answer = phone.ask(
        "ItemOperations:ItemOperations",
        "<Fetch><Store>Mailbox</Store>"
        f"<AirSyncBase:FileReference>{reference}</AirSyncBase:FileReference></Fetch>",
    )
    fetched = answer.find("Response", "Fetch")
    assert fetched
    assert fetched.text_of("Status") == "1"
    properties = fetched.child("Properties")
    assert properties
    assert properties.child("Data").octets in (content, base64.b64encode(content))
    assert field_of(properties, "AirSyncBase:ContentType").startswith("application/octet-stream")


def test_mail_is_moved_and_the_move_repeated(house: Server, phone: Device) -> None:
    send(house, letter("ios moves"))
    made = phone.ask(
        "FolderHierarchy:FolderCreate",
        f"<SyncKey>{phone.hierarchy_key}</SyncKey><ParentId>0</ParentId>"
        "<DisplayName>Moved here</DisplayName><Type>12</Type>",
    )
    assert made.text_of("Status") == "1"
    phone.hierarchy_key = made.text_of("SyncKey")
    target, box = made.text_of("ServerId"), phone.folder(INBOX)
    phone.begin(box)
    phone.begin(target)
    item = phone.item(box, "ios moves")
    move = f"<Move><SrcMsgId>{item}</SrcMsgId><SrcFldId>{box}</SrcFldId><DstFldId>{target}</DstFldId></Move>"
    names = set()
    for _ in range(2):
        response = phone.ask("Move:MoveItems", move).child("Response")
        assert response
        assert response.text_of("Status") == "3"
        assert response.text_of("SrcMsgId") == item
        names.add(response.text_of("DstMsgId"))
    assert len(names) == 1
    assert phone.sync(box).deletes == [item]
    assert list(phone.sync(target).adds) == list(names)
    same = move.replace(f"<DstFldId>{target}", f"<DstFldId>{box}")
    answers = {
        same: "4",
        move.replace(f"<DstFldId>{target}", "<DstFldId>99999"): "2",
        move.replace(item, f"{box}:999999"): "1",
    }
    for asked, status in answers.items():
        response = phone.ask("Move:MoveItems", asked).child("Response")
        assert response
        assert response.text_of("Status") == status


def test_deleted_mail_is_in_deleted_items_or_gone(house: Server, phone: Device) -> None:
    for subject in ("ios trash", "ios gone"):
        send(house, letter(subject))
    box, trash = phone.folder(INBOX), phone.folder(DELETED)
    phone.begin(box)
    first, second = phone.item(box, "ios trash"), phone.item(box, "ios gone")
    phone.sync(
        box,
        f"<Delete><ServerId>{first}</ServerId></Delete>",
        inner="<DeletesAsMoves>1</DeletesAsMoves>",
    )
    phone.sync(
        box,
        f"<Delete><ServerId>{second}</ServerId></Delete>",
        inner="<DeletesAsMoves>0</DeletesAsMoves>",
    )
    phone.begin(trash)
    assert "ios trash" in phone.subjects(trash)
    assert "ios gone" not in phone.subjects(trash)
    told = phone.sync(box, f"<Delete><ServerId>{first}</ServerId></Delete>")
    assert told.status == "1"
    assert {one.text_of("Status") for one in told.responses} <= {"1", "8"}


def test_a_second_beginning_shows_everything_again(house: Server, phone: Device) -> None:
    send(house, letter("ios again"))
    box = phone.folder(INBOX)
    before = set(phone.begin(box))
    assert before
    assert set(phone.begin(box)) == before
    assert phone.sync(box).is_empty


def test_newest_mail_comes_first_in_windows(house: Server) -> None:
    for number in range(7):
        send(house, letter(f"window {number}", to=address("carol")))
    phone = Device(house, "carol", "IOSwindow", is_base64=True, options=MAIL_OPTIONS).set_up()
    box = phone.folder(INBOX)
    phone.sync(box, key="0")
    told = phone.sync(box, window=3)
    assert told.has_more
    assert [field_of(one, "Email:Subject") for one in told.adds.values()] == [
        "window 6",
        "window 5",
        "window 4",
    ]
    send(house, letter("window 7", to=address("carol")))
    phone.catch_up(box, window=3)
    assert phone.subjects(box)[-8:] == [f"window {n}" for n in range(8)]
    phone.close()


def test_find_looks_in_the_mailbox_and_the_address_book(house: Server, phone: Device) -> None:
    send(house, letter("ios needle"))
    asked = (
        "<SearchId>0f8fad5b-d9cb-469f-a165-70867728950e</SearchId><ExecuteSearch><MailBoxSearchCriterion>"
        "<Query><AirSync:Class>Email</AirSync:Class><FreeText>needle</FreeText></Query>"
        "<Options><Range>0-9</Range></Options></MailBoxSearchCriterion></ExecuteSearch>"
    )

    def found() -> bool:
        answer = phone.ask("Find:Find", asked)
        assert answer.text_of("Status") == "1"
        response = answer.child("Response")
        assert response
        return "ios needle" in [
            field_of(one, "Properties", "Email:Subject") for one in response.each("Result")
        ]

    wait_for(found)
    people = phone.command(
        "Find",
        xml(
            "Find:Find",
            "<SearchId>0f8fad5b-d9cb-469f-a165-70867728950e</SearchId><ExecuteSearch><GalSearchCriterion>"
            "<Query>bob</Query><Options><Range>0-9</Range></Options></GalSearchCriterion></ExecuteSearch>",
        ),
    )
    assert people
    names = [
        field_of(one, "Properties", "GAL:EmailAddress")
        for one in people.child("Response").each("Result")
    ]
    assert names == ["bob@example.org"]
