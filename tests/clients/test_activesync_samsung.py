"""A Samsung phone: 14.1, plain addresses, Search, estimates, out of office, replies, meetings, tasks, notes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from tests.clients.eas_device import Device, Told, field_of, xml
from tests.mail import address, inbox, letter, send, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Server

pytestmark = pytest.mark.clients

INBOX, DELETED, SENT, TASKS, CALENDAR, CONTACTS, NOTES = 2, 4, 5, 7, 8, 9, 10
HTML = (
    "<AirSyncBase:BodyPreference><AirSyncBase:Type>2</AirSyncBase:Type>"
    "<AirSyncBase:TruncationSize>200000</AirSyncBase:TruncationSize></AirSyncBase:BodyPreference>"
)
PLAIN = "<AirSyncBase:BodyPreference><AirSyncBase:Type>1</AirSyncBase:Type></AirSyncBase:BodyPreference>"
MAIL_OPTIONS = f"<FilterType>4</FilterType><MIMESupport>0</MIMESupport>{HTML}"

INVITATION = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Samsung//Phone//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:board-1
DTSTAMP:20261201T120000Z
DTSTART:20270111T090000Z
DTEND:20270111T100000Z
SUMMARY:Samsung board
ORGANIZER;CN=alice:mailto:alice@example.org
ATTENDEE;CN=bob;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.org
SEQUENCE:0
END:VEVENT
END:VCALENDAR
"""


def samsung(house: Server, name: str, device_id: str) -> Device:
    return Device(
        house,
        name,
        device_id,
        version="14.1",
        device_type="SamsungDevice",
        user_agent="SAMSUNG-SM-G991B/101.30",
        options=MAIL_OPTIONS,
        timeout_s=90,
    )


@pytest.fixture
def phone(house: Server, request: pytest.FixtureRequest) -> Iterator[Device]:
    """Bob's, set up, a new one for every test."""
    name = "".join(c for c in request.node.name if c.isalnum())[-24:]
    device = samsung(house, "bob", f"SEC{name}")
    yield device.set_up()
    device.close()


def changed(phone: Device, folder: str, tag: str, server_id: str, data: str) -> Told:
    text = (
        f"<{tag}><ServerId>{server_id}</ServerId><ApplicationData>{data}</ApplicationData></{tag}>"
    )
    return phone.sync(folder, text, options=PLAIN)


def added(phone: Device, folder: str, client_id: str, data: str) -> str:
    text = f"<Add><ClientId>{client_id}</ClientId><ApplicationData>{data}</ApplicationData></Add>"
    response = phone.sync(folder, text, options=PLAIN).response()
    assert response.text_of("Status") == "1"
    return response.text_of("ServerId")


def seen_by_another(house: Server, folder: str, server_id: str):
    other = samsung(house, "bob", "SECother").set_up()
    try:
        return other.begin(folder, options=PLAIN)[server_id]
    finally:
        other.close()


def test_mail_of_two_weeks_as_html(house: Server, phone: Device) -> None:
    message = letter("samsung html", to=address("bob"))
    message.add_alternative("<p>Hello <b>you</b></p>", subtype="html")
    send(house, message)
    box = phone.folder(INBOX)
    phone.begin(box)
    shown = phone.items[box][phone.item(box, "samsung html")].child("AirSyncBase:Body")
    assert shown
    assert shown.text_of("Type") == "2"
    assert "<b>you</b>" in shown.text_of("Data")


def test_estimates_count_what_is_to_come(house: Server, phone: Device) -> None:
    box = phone.folder(INBOX)
    phone.begin(box)

    def estimate(key: str) -> tuple[str, int]:
        answer = phone.ask(
            "GetItemEstimate:GetItemEstimate",
            f"<Collections><Collection><AirSync:SyncKey>{key}</AirSync:SyncKey>"
            f"<CollectionId>{box}</CollectionId><AirSync:Options><AirSync:FilterType>4</AirSync:FilterType>"
            "</AirSync:Options></Collection></Collections>",
        )
        response = answer.child("Response")
        assert response
        told = response.child("Collection")
        return response.text_of("Status"), told.number_of("Estimate") if told else 0

    assert estimate(phone.keys[box]) == ("1", 0)
    for number in range(3):
        send(house, letter(f"estimate {number}", to=address("bob")))
    assert estimate(phone.keys[box]) == ("1", 3)
    assert estimate("12345.6")[0] == "4"
    assert estimate("0")[0] == "3"


def test_search_without_a_collection(house: Server, phone: Device) -> None:
    send(house, letter("haystack samsung", to=address("bob")))

    def found() -> list[str]:
        answer = phone.ask(
            "Search:Search",
            "<Store><Name>Mailbox</Name><Query><And><AirSync:Class>Email</AirSync:Class>"
            "<FreeText>haystack</FreeText></And></Query><Options><RebuildResults/><DeepTraversal/>"
            f"<Range>0-9</Range>{PLAIN}</Options></Store>",
        )
        assert answer.text_of("Status") == "1"
        store = answer.find("Response", "Store")
        assert store
        assert store.text_of("Status") == "1"
        return [one.text_of("LongId") for one in store.each("Result") if one.child("LongId")]

    (long_id,) = wait_for(found)
    fetched = phone.ask(
        "ItemOperations:ItemOperations",
        f"<Fetch><Store>Mailbox</Store><Search:LongId>{long_id}</Search:LongId>"
        f"<Options>{PLAIN}</Options></Fetch>",
    ).find("Response", "Fetch")
    assert fetched
    assert fetched.text_of("Status") == "1"
    assert field_of(fetched, "Properties", "Email:Subject") == "haystack samsung"


def test_the_address_book_is_searched(phone: Device) -> None:
    answer = phone.ask(
        "Search:Search",
        "<Store><Name>GAL</Name><Query>car</Query><Options><Range>0-9</Range></Options></Store>",
    )
    store = answer.find("Response", "Store")
    assert store
    names = [field_of(one, "Properties", "GAL:EmailAddress") for one in store.each("Result")]
    assert names == ["carol@example.org"]


def test_recipients_are_resolved(phone: Device) -> None:
    answer = phone.ask(
        "ResolveRecipients:ResolveRecipients",
        "<To>carol@example.org</To><To>nobody-here</To><Options><Availability>"
        "<StartTime>2027-01-04T00:00:00.000Z</StartTime><EndTime>2027-01-05T00:00:00.000Z</EndTime>"
        "</Availability></Options>",
    )
    assert answer.text_of("Status") == "1"
    first, second = answer.each("Response")
    assert first.text_of("Status") == "1"
    recipient = first.child("Recipient")
    assert recipient
    assert recipient.text_of("EmailAddress") == "carol@example.org"
    assert len(field_of(recipient, "Availability", "MergedFreeBusy")) == 48
    assert second.text_of("Status") == "4"


def test_out_of_office_is_set_and_read(house: Server, phone: Device) -> None:
    message = "<OofMessage>{}<Enabled>1</Enabled><ReplyMessage>Away {}</ReplyMessage><BodyType>Text</BodyType></OofMessage>"
    answer = phone.ask(
        "Settings:Settings",
        "<Oof><Set><OofState>1</OofState>"
        + message.format("<AppliesToInternal/>", "in")
        + message.format("<AppliesToExternalKnown/>", "out")
        + message.format("<AppliesToExternalUnknown/>", "out")
        + "</Set></Oof>",
    )
    assert answer.text_of("Status") == "1"
    assert field_of(answer, "Oof", "Status") == "1"
    answer = phone.ask("Settings:Settings", "<Oof><Get><BodyType>Text</BodyType></Get></Oof>")
    told = answer.find("Oof", "Get")
    assert told
    assert told.text_of("OofState") == "1"
    texts = [one.text_of("ReplyMessage") for one in told.each("OofMessage")]
    assert texts == ["Away in", "Away out", "Away out"]
    phone.ask("Settings:Settings", "<Oof><Set><OofState>0</OofState></Set></Oof>")
    answer = phone.ask("Settings:Settings", "<Oof><Get><BodyType>Text</BodyType></Get></Oof>")
    assert field_of(answer, "Oof", "Get", "OofState") == "0"
    answer = phone.ask("Settings:Settings", "<UserInformation><Get/></UserInformation>")
    assert "bob@example.org" in str(answer)


@pytest.mark.parametrize("command", ["SmartReply", "SmartForward"])
def test_a_reply_and_a_forward_hold_what_they_answer(
    house: Server, phone: Device, command: str
) -> None:
    subject = f"samsung {command}"
    original = letter(subject, to=address("bob"))
    original.add_attachment(b"PDF" * 100, "application", "pdf", filename="plan.pdf")
    send(house, original)
    box = phone.folder(INBOX)
    phone.begin(box)
    item = phone.item(box, subject)
    mail = letter(f"answer {subject}", to=address("carol"), sender=address("bob"))
    request = xml(
        f"ComposeMail:{command}",
        f"<ClientId>smart-{command}</ClientId><SaveInSentItems/><Source><FolderId>{box}</FolderId>"
        f"<ItemId>{item}</ItemId></Source>",
    )
    request.add("Mime", mail.as_bytes().replace(b"\n", b"\r\n"))
    for _ in range(2):
        assert phone.command(command, request) is None
    carol = samsung(house, "carol", f"SEC{command}").set_up()
    there = carol.folder(INBOX)

    def arrived() -> bool:
        carol.catch_up(there)
        return f"answer {subject}" in carol.subjects(there)

    wait_for(arrived)
    assert carol.subjects(there).count(f"answer {subject}") == 1
    data = carol.items[there][carol.item(there, f"answer {subject}")]
    assert field_of(data, "AirSyncBase:Body", "Data").count("A line that begins with a dot.") == 2
    assert (data.child("AirSyncBase:Attachments") is not None) == (command == "SmartForward")
    phone.catch_up(box)
    verb = {"SmartReply": "1", "SmartForward": "3"}[command]
    mark = field_of(phone.items[box][item], "Email2:LastVerbExecuted")
    assert mark == verb, "the original shows what was done with it"
    carol.close()


def test_a_meeting_is_accepted(house: Server, phone: Device) -> None:
    alice = samsung(house, "alice", "SEChost").set_up()
    calendar = alice.folder(CALENDAR)
    alice.begin(calendar, options=PLAIN)
    meeting = added(
        alice,
        calendar,
        "m1",
        "<Calendar:Timezone>" + base64.b64encode(bytes(172)).decode() + "</Calendar:Timezone>"
        "<Calendar:AllDayEvent>0</Calendar:AllDayEvent><Calendar:BusyStatus>2</Calendar:BusyStatus>"
        "<Calendar:OrganizerName>alice</Calendar:OrganizerName>"
        "<Calendar:OrganizerEmail>alice@example.org</Calendar:OrganizerEmail>"
        "<Calendar:DtStamp>20261201T120000Z</Calendar:DtStamp><Calendar:EndTime>20270111T100000Z</Calendar:EndTime>"
        "<Calendar:Sensitivity>0</Calendar:Sensitivity><Calendar:Subject>Samsung board</Calendar:Subject>"
        "<Calendar:StartTime>20270111T090000Z</Calendar:StartTime><Calendar:UID>board-1</Calendar:UID>"
        "<Calendar:MeetingStatus>1</Calendar:MeetingStatus><Calendar:Attendees><Calendar:Attendee>"
        "<Calendar:Name>bob</Calendar:Name><Calendar:Email>bob@example.org</Calendar:Email>"
        "<Calendar:AttendeeType>1</Calendar:AttendeeType></Calendar:Attendee></Calendar:Attendees>",
    )
    assert meeting
    # Until 14.1 it is the phone that mails the invitation.
    mail = letter("Samsung board", to=address("bob"), sender=address("alice"))
    mail.add_alternative(INVITATION, subtype="calendar", params={"method": "REQUEST"})
    alice.send_mail(mail.as_bytes().replace(b"\n", b"\r\n"), "invite-1")
    box = phone.folder(INBOX)

    def invited() -> bool:
        phone.catch_up(box)
        return "Samsung board" in phone.subjects(box)

    wait_for(invited)
    item = phone.item(box, "Samsung board")
    assert field_of(phone.items[box][item], "Email:MessageClass") == "IPM.Schedule.Meeting.Request"
    answer = phone.ask(
        "MeetingResponse:MeetingResponse",
        f"<Request><UserResponse>1</UserResponse><CollectionId>{box}</CollectionId>"
        f"<RequestId>{item}</RequestId></Request>",
    )
    result = answer.child("Result")
    assert result
    assert result.text_of("Status") == "1"
    mine = result.text_of("CalendarId")
    diary = phone.folder(CALENDAR)
    data = phone.begin(diary, options=PLAIN)[mine]
    assert field_of(data, "Calendar:Subject") == "Samsung board"
    assert field_of(data, "Calendar:ResponseType") == "3"
    unknown = phone.ask(
        "MeetingResponse:MeetingResponse",
        f"<Request><UserResponse>1</UserResponse><CollectionId>{box}</CollectionId>"
        f"<RequestId>{box}:999999</RequestId></Request>",
    ).child("Result")
    assert unknown
    assert unknown.text_of("Status") == "2"
    alice.close()


def test_a_task_is_made_and_done(house: Server, phone: Device) -> None:
    folder = phone.folder(TASKS)
    phone.begin(folder, options=PLAIN)
    text = (
        "<Tasks:Subject>{}</Tasks:Subject><Tasks:Importance>2</Tasks:Importance>"
        "<Tasks:UtcStartDate>2027-01-04T00:00:00.000Z</Tasks:UtcStartDate>"
        "<Tasks:StartDate>2027-01-04T00:00:00.000Z</Tasks:StartDate>"
        "<Tasks:UtcDueDate>2027-01-05T00:00:00.000Z</Tasks:UtcDueDate>"
        "<Tasks:DueDate>2027-01-05T00:00:00.000Z</Tasks:DueDate><Tasks:Sensitivity>0</Tasks:Sensitivity>"
    )
    item = added(phone, folder, "t1", text.format("Paint") + "<Tasks:Complete>0</Tasks:Complete>")
    done = "<Tasks:Complete>1</Tasks:Complete><Tasks:DateCompleted>2027-01-05T00:00:00.000Z</Tasks:DateCompleted>"
    told = changed(phone, folder, "Change", item, text.format("Paint it") + done)
    assert told.status == "1"
    assert told.responses == []
    data = seen_by_another(house, folder, item)
    assert field_of(data, "Tasks:Subject") == "Paint it"
    assert field_of(data, "Tasks:Complete") == "1"
    assert field_of(data, "Tasks:DueDate") == "2027-01-05T00:00:00.000Z"
    assert phone.sync(folder, options=PLAIN).is_empty


def test_a_note_is_made_and_changed(house: Server, phone: Device) -> None:
    folder = phone.folder(NOTES)
    phone.begin(folder, options=PLAIN)
    text = (
        "<Notes:Subject>Shopping</Notes:Subject><Notes:MessageClass>IPM.StickyNote</Notes:MessageClass>"
        "<AirSyncBase:Body><AirSyncBase:Type>1</AirSyncBase:Type><AirSyncBase:Data>{}</AirSyncBase:Data></AirSyncBase:Body>"
    )
    item = added(phone, folder, "n1", text.format("Milk"))
    assert changed(phone, folder, "Change", item, text.format("Milk, Brot")).status == "1"
    data = seen_by_another(house, folder, item)
    assert field_of(data, "Notes:Subject") == "Shopping"
    assert field_of(data, "AirSyncBase:Body", "Data").strip() == "Milk, Brot"


def test_what_a_14_1_phone_leaves_out_of_a_contact_is_cleared(house: Server, phone: Device) -> None:
    folder = phone.folder(CONTACTS)
    phone.begin(folder, options=PLAIN)
    text = "<Contacts:FirstName>Grace</Contacts:FirstName><Contacts:LastName>Hopper</Contacts:LastName>"
    item = added(phone, folder, "c1", text + "<Contacts:JobTitle>Admiral</Contacts:JobTitle>")
    changed(phone, folder, "Change", item, text)
    data = seen_by_another(house, folder, item)
    assert field_of(data, "Contacts:LastName") == "Hopper"
    assert field_of(data, "Contacts:JobTitle") == ""


def test_ghosted_fields_stay(house: Server, phone: Device) -> None:
    folder = phone.folder(CONTACTS)
    supported = "<Supported><Contacts:FirstName/><Contacts:LastName/></Supported>"
    phone.sync(folder, key="0", inner=supported, options=PLAIN)
    phone.catch_up(folder, options=PLAIN)
    text = (
        "<Contacts:FirstName>Alan</Contacts:FirstName><Contacts:LastName>Turing</Contacts:LastName>"
    )
    item = added(phone, folder, "c2", text + "<Contacts:JobTitle>Reader</Contacts:JobTitle>")
    changed(phone, folder, "Change", item, "<Contacts:FirstName>A. M.</Contacts:FirstName>")
    data = seen_by_another(house, folder, item)
    assert field_of(data, "Contacts:FirstName") == "A. M."
    assert field_of(data, "Contacts:LastName") == "", "said to be supported, and not said: cleared"
    assert field_of(data, "Contacts:JobTitle") == "Reader"


def test_a_certificate_that_is_none_is_not_valid(phone: Device) -> None:
    answer = phone.ask(
        "ValidateCert:ValidateCert",
        "<Certificates><Certificate>"
        + base64.b64encode(b"none").decode()
        + "</Certificate></Certificates>",
    )
    certificate = answer.child("Certificate")
    assert certificate
    assert certificate.text_of("Status") != "1"


def test_folders_are_made_renamed_and_deleted(phone: Device) -> None:
    def ask(command: str, inner: str) -> str:
        answer = phone.ask(
            f"FolderHierarchy:{command}", f"<SyncKey>{phone.hierarchy_key}</SyncKey>{inner}"
        )
        assert answer.text_of("Status") == "1"
        phone.hierarchy_key = answer.text_of("SyncKey")
        return answer.text_of("ServerId")

    made = ask(
        "FolderCreate", "<ParentId>0</ParentId><DisplayName>Boats</DisplayName><Type>12</Type>"
    )
    ask(
        "FolderUpdate",
        f"<ServerId>{made}</ServerId><ParentId>0</ParentId><DisplayName>Ships</DisplayName>",
    )
    phone.hierarchy_key = "0"
    phone.folder_sync()
    assert phone.folders[made].name == "Ships"
    ask("FolderDelete", f"<ServerId>{made}</ServerId>")
    phone.folder_sync()
    phone.hierarchy_key = "0"
    phone.folder_sync()
    assert made not in phone.folders
    again = phone.ask(
        "FolderHierarchy:FolderDelete",
        f"<SyncKey>{phone.hierarchy_key}</SyncKey><ServerId>{phone.folder(INBOX)}</ServerId>",
    )
    assert again.text_of("Status") == "3", "the inbox stays"


def test_the_folder_is_emptied(house: Server, phone: Device) -> None:
    send(house, letter("samsung empties", to=address("bob")))
    box, trash = phone.folder(INBOX), phone.folder(DELETED)
    phone.begin(box)
    item = phone.item(box, "samsung empties")
    phone.sync(box, f"<Delete><ServerId>{item}</ServerId></Delete>")
    phone.begin(trash)
    assert "samsung empties" in phone.subjects(trash)
    answer = phone.ask(
        "ItemOperations:ItemOperations",
        f"<EmptyFolderContents><AirSync:CollectionId>{trash}</AirSync:CollectionId>"
        "<Options><DeleteSubFolders/></Options></EmptyFolderContents>",
    )
    assert field_of(answer, "Response", "EmptyFolderContents", "Status") == "1"
    phone.catch_up(trash)
    assert phone.subjects(trash) == []
    assert "samsung empties" not in inbox(house, "bob")


@pytest.mark.parametrize("parts", ["T", "F"])
def test_parts_of_an_answer(house: Server, phone: Device, parts: str) -> None:
    from posthouse.protocols.eas.wire.wbxml import decode, encode

    message = letter(f"parts {parts}", to=address("bob"))
    message.add_attachment(b"0123456789", "application", "octet-stream", filename="ten.bin")
    send(house, message)
    box = phone.folder(INBOX)
    phone.begin(box)
    data = phone.items[box][phone.item(box, f"parts {parts}")]
    reference = field_of(data, "AirSyncBase:Attachments", "Attachment", "FileReference")
    request = xml(
        "ItemOperations:ItemOperations",
        f"<Fetch><Store>Mailbox</Store><AirSyncBase:FileReference>{reference}</AirSyncBase:FileReference>"
        "<Options><Range>2-5</Range></Options></Fetch>",
    )
    reply = phone.post("ItemOperations", encode(request), headers={"MS-ASAcceptMultiPart": parts})
    assert reply.status == 200
    if parts == "F":
        properties = decode(reply.body).find("Response", "Fetch", "Properties")
        assert properties
        assert properties.text_of("Range") == "2-5"
        assert base64.b64decode(properties.text_of("Data")) == b"2345"
        return
    assert reply.headers["Content-Type"] == "application/vnd.ms-sync.multipart"
    numbers = [int.from_bytes(reply.body[at : at + 4], "little") for at in range(0, 20, 4)]
    assert numbers[0] == 2
    assert numbers[1] == 20
    answer = decode(reply.body[numbers[1] : numbers[1] + numbers[2]])
    assert field_of(answer, "Response", "Fetch", "Properties", "Part") == "1"
    assert reply.body[numbers[3] : numbers[3] + numbers[4]] == b"2345"
