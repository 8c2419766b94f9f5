from __future__ import annotations

import pytest
from eas_items import check_sync_answer
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.card import card_from_message
from posthouse.formats.mime.columns import columns_from_head
from posthouse.model.item import Flags
from posthouse.model.message_bag import FollowUp, FollowUpStatus, LastVerb, MessageBag
from posthouse.protocols.eas.wire.body import message_source
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.email import (
    ADDRESSES_MAX,
    MessageFacts,
    address_text,
    conversation_id,
    data_from_message,
    flags_view,
    thread_from_conversation,
)
from posthouse.protocols.eas.wire.email_changes import message_change_from_data
from posthouse.protocols.eas.wire.options import BodyKind, BodyPreference, Version, ViewOptions
from posthouse.protocols.eas.wire.times import ms_from_text
from posthouse.protocols.eas.wire.wbxml import decode, encode

RECEIVED_AT = 1_795_490_400_000
HEAD = (
    b'From: "Anna \\"A\\" Berg" <anna@example.org>\r\nTo: Bob <bob@example.org>, carol@example.org\r\n'
    b"Cc: Dora <dora@example.org>\r\nReply-To: a@example.org, b@example.org\r\n"
    b"Subject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\nImportance: high\r\n"
)
MIXED = HEAD + (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    b"<p>words</p>\r\n--b\r\nContent-Type: image/png; name=i.png\r\nContent-ID: <i@x>\r\n"
    b"Content-Disposition: inline\r\n\r\npng\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: in\r\n\r\nx\r\n--b--\r\n"
)
OPTIONS = ViewOptions(bodies=(BodyPreference(BodyKind.HTML, 500),))


def facts(plain: bytes = MIXED, **more: object) -> MessageFacts:
    given_ = {
        "columns": columns_from_head(plain),
        "card": card_from_message(plain),
        "flags": Flags.NONE,
        "received_at": RECEIVED_AT,
        "bag": MessageBag(),
        "source": message_source(card_from_message(plain), lambda: plain),
        "reference": "5:17",
    }
    return MessageFacts(**(given_ | more))


def shown(made: MessageFacts, options: ViewOptions = OPTIONS) -> dict[str, Element]:
    elements = data_from_message(made, options)
    check_sync_answer(elements)
    names = [element.name for element in elements]
    assert len(names) == len(set(names))
    return {element.name: element for element in elements}


def texts(found: dict[str, Element]) -> dict[str, object]:
    return {name: one.content for name, one in found.items() if not one.children}


@pytest.mark.parametrize("version", list(Version))
def test_a_message(version):
    options = ViewOptions(version=version, bodies=OPTIONS.bodies)
    found = shown(facts(flags=Flags.SEEN), options)
    drafts = {} if version is Version.V14_1 else {"Email2:IsDraft": "0"}
    assert texts(found) == {
        "Email:To": '"Bob" <bob@example.org>, carol@example.org',
        "Email:Cc": '"Dora" <dora@example.org>',
        "Email:From": "\"Anna 'A' Berg\" <anna@example.org>",
        "Email:ReplyTo": "a@example.org; b@example.org",
        "Email:Subject": "Re: Grüße",
        "Email:DateReceived": "2026-11-24T03:20:00.000Z",
        "Email:DisplayTo": "Bob; carol@example.org",
        "Email:ThreadTopic": "Grüße",
        "Email:Importance": "2",
        "Email:Read": "1",
        "Email:MessageClass": "IPM.Note",
        "Email:InternetCPID": "65001",
        "Email:Flag": "",
        "Email:Categories": "",
        "Email:ContentClass": "urn:content-classes:message",
        "AirSyncBase:NativeBodyType": "2",
        "Email2:ConversationId": conversation_id(MessageBag(), columns_from_head(MIXED).thread),
        "Email2:ConversationIndex": bytes.fromhex("dd7b3166d7"),
        **drafts,
    }
    assert found["AirSyncBase:Body"].text_of("Data") == "<p>words</p>"
    image, message = (
        {child.tag: child.content for child in one.children}
        for one in found["AirSyncBase:Attachments"].children
    )
    assert image == {
        "DisplayName": "i.png",
        "FileReference": "5:17:2",
        "Method": "1",
        "EstimatedDataSize": "3",
        "ContentId": "i@x",
        "IsInline": "1",
    }
    assert (message["DisplayName"], message["Method"]) == ("in.eml", "5")


def test_index_is_the_time_without_its_ends():
    at = (
        int.from_bytes(b"\x01" + bytes.fromhex("dd7b3166d7") + b"\0\0") // 10_000
        - 11_644_473_600_000
    )
    assert 0 <= ms_from_text("2026-11-23T10:00:00.000Z") - at <= 7


def test_draft():
    plain = (
        b"Subject: d\r\nBcc: "
        + b", ".join(b"b%d@example.org" % i for i in range(100))
        + b"\r\n\r\n"
    )
    made = facts(plain, is_draft=True)
    elements = data_from_message(made, OPTIONS)
    found = {element.name: element for element in elements}
    assert found["Email2:IsDraft"].text == "1"
    assert found["Email2:Bcc"].text.count("@") == 100
    assert found["Email:Cc"].text == ""
    assert "Email2:ReceivedAsBcc" not in found
    old = ViewOptions(version=Version.V14_1, bodies=OPTIONS.bodies)
    assert not {"Email2:Bcc", "Email2:IsDraft"} & set(shown(made, old))


def test_sender_and_blind_copy():
    plain = b"From: a@x.org\r\nSender: s@x.org\r\nBcc: Me@x.org\r\n\r\n"
    found = shown(facts(plain, owner=frozenset({"me@x.org"})))
    assert found["Email2:Sender"].text == "s@x.org"
    assert found["Email2:ReceivedAsBcc"].text == "1"
    found = shown(facts(b"From: a@x.org\r\nSender: a@x.org\r\nBcc: me@x.org\r\n\r\n"))
    assert not {"Email2:Sender", "Email2:ReceivedAsBcc"} & set(found)
    sent = facts(b"From: me@x.org\r\nBcc: me@x.org\r\n\r\n", owner=frozenset({"me@x.org"}))
    assert "Email2:ReceivedAsBcc" not in shown(sent)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/plain", "IPM.Note"),
        ("application/pkcs7-mime", "IPM.Note.SMIME"),
        (
            "multipart/signed; protocol=application/pkcs7-signature",
            "IPM.Note.SMIME.MultipartSigned",
        ),
        ("multipart/signed; protocol=application/pgp-signature", "IPM.Note"),
        ("multipart/report; report-type=delivery-status", "REPORT.IPM.Note.NDR"),
        ("multipart/report; report-type=disposition-notification", "REPORT.IPM.Note.IPNRN"),
        ("multipart/report; report-type=other", "IPM.Note"),
    ],
)
def test_classes(content_type, expected):
    plain = f"Content-Type: {content_type}\r\n\r\n".encode()
    assert shown(facts(plain))["Email:MessageClass"].text == expected


def test_meeting():
    meeting = Element("Email", "MeetingRequest")
    for tag in ("DtStamp", "TimeZone", "GlobalObjId"):
        meeting.add(tag, "2026-11-24T03:20:00.000Z")
    found = shown(facts(meeting=meeting))
    assert found["Email:MeetingRequest"] is meeting
    assert found["Email:MessageClass"].text == "IPM.Schedule.Meeting.Request"
    assert found["Email:ContentClass"].text == "urn:content-classes:calendarmessage"
    found = shown(facts(meeting=meeting, message_class="IPM.Schedule.Meeting.Canceled"))
    assert found["Email:MessageClass"].text == "IPM.Schedule.Meeting.Canceled"


def test_a_message_of_nothing():
    found = shown(facts(b"", received_at=0))
    assert found["Email:DateReceived"].text == "1970-01-01T00:00:00.000Z"
    assert found["Email:Subject"].text == found["Email:To"].text == ""
    assert "Email2:ConversationId" not in found


def flag(made: MessageFacts) -> dict[str, str]:
    return {child.name: child.text for child in shown(made)["Email:Flag"].children}


def test_flags():
    assert flag(facts(flags=Flags.FLAGGED)) == {
        "Email:Status": "2",
        "Email:FlagType": "Flag for follow up",
    }
    due_at = ms_from_text("2026-11-26T23:00:00Z")
    details = FollowUp(
        status=FollowUpStatus.ACTIVE, kind="Call", subject="S\x07", due_at=due_at, sub_ordinal="5"
    )
    bag = MessageBag(follow_up=details)
    assert flag(facts(flags=Flags.FLAGGED, bag=bag)) == {
        "Email:Status": "2",
        "Email:FlagType": "Call",
        "Tasks:Subject": "S",
        "Tasks:StartDate": "2026-11-27T00:00:00.000Z",
        "Tasks:UtcStartDate": "2026-11-26T23:00:00.000Z",
        "Tasks:DueDate": "2026-11-27T00:00:00.000Z",
        "Tasks:UtcDueDate": "2026-11-26T23:00:00.000Z",
        "Tasks:SubOrdinalDate": "5",
    }
    assert flag(facts(bag=bag)) == {}
    done = MessageBag(follow_up=FollowUp(status=FollowUpStatus.COMPLETE, completed_at=due_at))
    assert flag(facts(bag=done))["Tasks:DateCompleted"] == "2026-11-26T23:00:00.000Z"
    assert flag(facts(bag=done))["Email:Status"] == "1"
    assert flag(facts(flags=Flags.FLAGGED, bag=done))["Email:Status"] == "2"


times = st.integers(0, 4_102_444_800).map(lambda s: s * 1_000)


@given(
    st.builds(
        FollowUp,
        status=st.sampled_from([FollowUpStatus.ACTIVE, FollowUpStatus.COMPLETE]),
        kind=st.just("k"),
        subject=st.sampled_from(["", "s"]),
        start_at=times,
        reminder_at=times,
        completed_at=times,
        ordinal_at=times,
        sub_ordinal=st.sampled_from(["", "55"]),
    )
)
def test_flags_come_back_as_they_were(follow_up):
    made = facts(
        flags=Flags.FLAGGED if follow_up.status is FollowUpStatus.ACTIVE else Flags.NONE,
        bag=MessageBag(follow_up=follow_up),
    )
    back = message_change_from_data(
        Element("AirSync", "ApplicationData", flags_view(made))
    ).follow_up
    is_done = follow_up.status is FollowUpStatus.COMPLETE
    assert back.due_at == back.start_at == follow_up.start_at
    assert back.completed_at == ((follow_up.completed_at or RECEIVED_AT) if is_done else 0)
    for name in ("status", "kind", "subject", "reminder_at", "ordinal_at", "sub_ordinal"):
        assert getattr(back, name) == getattr(follow_up, name)


def test_flags_alone():
    made = facts(flags=Flags.SEEN, bag=MessageBag(categories=("Red", "", "Blue\x07")))
    elements = flags_view(made)
    check_sync_answer(elements)
    assert [one.tag for one in elements] == ["Read", "Flag", "Categories"]
    assert [one.text for one in elements[2].children] == ["Red", "Blue"]
    assert [one.tag for one in flags_view(made, flag=False, categories=False)] == ["Read"]


def test_verbs():
    bag = MessageBag(last_verb=LastVerb.REPLY_ALL, last_verb_at=RECEIVED_AT)
    found = shown(facts(bag=bag, flags=Flags.FORWARDED))
    assert found["Email2:LastVerbExecuted"].text == "2"
    assert found["Email2:LastVerbExecutionTime"].text == "2026-11-24T03:20:00.000Z"
    found = shown(facts(flags=Flags.ANSWERED | Flags.FORWARDED))
    assert found["Email2:LastVerbExecuted"].text == "1"
    assert shown(facts(flags=Flags.FORWARDED))["Email2:LastVerbExecuted"].text == "3"


@given(st.integers(1, (1 << 63) - 1))
def test_conversations(thread):
    made = conversation_id(MessageBag(), thread)
    assert len(made) == 16
    assert thread_from_conversation(made) == thread
    assert thread_from_conversation(made[:15]) is None


def test_conversations_of_others():
    theirs = "00112233445566778899aabbccddeeff"
    assert conversation_id(MessageBag(conversation=theirs), 5) == bytes.fromhex(theirs)
    assert thread_from_conversation(bytes.fromhex(theirs)) is None
    assert len(conversation_id(MessageBag(conversation="rubbish"), 5)) == 16
    assert conversation_id(MessageBag(), 0) == b""
    bag = MessageBag(conversation=theirs, conversation_index="ca2cfa8a23" * 300)
    found = shown(facts(bag=bag))
    assert found["Email2:ConversationIndex"].octets.startswith(bytes.fromhex("ca2cfa8a23ca"))
    assert len(found["Email2:ConversationIndex"].octets) <= 1_024


def test_addresses():
    assert address_text([("A", "a@x"), ("", "b@x"), ("only words", ""), ("", "")]) == (
        '"A" <a@x>, b@x, "only words"'
    )
    many = address_text([("Some Name", f"{i:05}@example.org") for i in range(5_000)])
    assert ADDRESSES_MAX - 50 < len(many) <= ADDRESSES_MAX
    assert many.endswith("@example.org>")


FIELDS = st.sampled_from(
    [
        *(b"From: \x00\x07 <a@b>", b'To: "\\"" <x@y>, =?utf-8?q?=00=1F?= <c@d>', b"Cc: ,,;:<>"),
        *(b"Subject: =?utf-8?b?AAECAw==?= \xff\xfe", b"Date: never", b"Reply-To: words alone"),
        *(
            b"Sender: <>",
            b"Content-Type: multipart/mixed; boundary=x",
            b"--x",
            b"",
            b"\x00\x01\x0b",
        ),
        *(b'Content-Type: image/png; name="\x01\x1f"', b"Content-ID: <\x02>", b"Importance: \xff"),
        b"Content-Type: text/html; charset=utf-7",
    ]
)


@given(st.lists(FIELDS, max_size=20), st.sampled_from([BodyKind.PLAIN, BodyKind.HTML]))
def test_hostile_messages_are_clean_xml(lines, kind):
    plain = b"\r\n".join(lines)
    shown(facts(plain), ViewOptions(bodies=(BodyPreference(kind, 100, preview=50),)))


@given(st.binary(max_size=400))
def test_any_octets_make_an_item(plain):
    elements = data_from_message(facts(plain), OPTIONS)
    tree = Element("AirSync", "ApplicationData", elements)
    assert decode(encode(tree)).name == tree.name
