from __future__ import annotations

import contextlib

import pytest
from eas_items import application_data, plain_body, rubbish
from hypothesis import given
from msgspec import UNSET

from posthouse.formats.mime.addresses import HeaderAddress
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.message_bag import FollowUp, FollowUpStatus
from posthouse.protocols.eas.wire.as_text import element_from_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.email_changes import (
    Draft,
    MessageChange,
    draft_from_data,
    is_to_be_sent,
    message_change_from_data,
)
from posthouse.protocols.eas.wire.incoming_body import IncomingBody
from posthouse.protocols.eas.wire.options import BodyKind
from posthouse.protocols.eas.wire.times import ms_from_text

DAY = "2026-11-27T00:00:00.000Z"


def data(inner: str) -> Element:
    namespaces = "".join(f' xmlns:{n}="{n}"' for n in ("AirSync", "AirSyncBase", "Email2", "Tasks"))
    return element_from_text(
        f'<AirSync:ApplicationData xmlns="Email"{namespaces}>{inner}</AirSync:ApplicationData>'
    )


def dates(start: str, due: str) -> str:
    return "".join(
        f"<Tasks:{tag}>{day}</Tasks:{tag}>"
        for tag, day in (
            ("StartDate", start),
            ("UtcStartDate", start),
            ("DueDate", due),
            ("UtcDueDate", due),
        )
    )


@pytest.mark.parametrize(
    ("inner", "change"),
    [
        ("", MessageChange()),
        ("<Read>1</Read>", MessageChange(read=True)),
        ("<Read>0</Read><Subject>no</Subject>", MessageChange(read=False)),
        ("<Flag/>", MessageChange(follow_up=None)),
        ("<Flag><Status>0</Status></Flag>", MessageChange(follow_up=None)),
        ("<Categories/>", MessageChange(categories=())),
        (
            "<Categories><Category>Red</Category><Category> b </Category></Categories>",
            MessageChange(categories=("Red", "b")),
        ),
        (
            f"<Flag><Status>2</Status><FlagType>Call</FlagType>{dates(DAY, DAY)}"
            f"<Tasks:ReminderSet>1</Tasks:ReminderSet><Tasks:ReminderTime>{DAY}</Tasks:ReminderTime></Flag>",
            MessageChange(
                follow_up=FollowUp(
                    status=FollowUpStatus.ACTIVE,
                    kind="Call",
                    start_at=ms_from_text(DAY),
                    due_at=ms_from_text(DAY),
                    reminder_at=ms_from_text(DAY),
                )
            ),
        ),
        (
            f"<Flag><Status>1</Status><CompleteTime>{DAY}</CompleteTime></Flag>",
            MessageChange(
                follow_up=FollowUp(status=FollowUpStatus.COMPLETE, completed_at=ms_from_text(DAY))
            ),
        ),
        (
            "<Flag><FlagType>x</FlagType><Tasks:ReminderSet>0</Tasks:ReminderSet></Flag>",
            MessageChange(follow_up=FollowUp(status=FollowUpStatus.ACTIVE, kind="x")),
        ),
    ],
)
def test_marks(inner, change):
    assert message_change_from_data(data(inner)) == change


@pytest.mark.parametrize(
    "inner",
    [
        "<Read>7</Read>",
        "<Flag><Status>3</Status></Flag>",
        "<Flag><Status>1</Status></Flag>",
        "<Flag><Status>2</Status><Tasks:DueDate>rubbish</Tasks:DueDate></Flag>",
        f"<Flag><Status>2</Status><Tasks:DueDate>{DAY}</Tasks:DueDate></Flag>",
        f"<Flag><Status>2</Status>{dates(DAY, '2026-11-26T00:00:00.000Z')}</Flag>",
        "<Flag><Status>2</Status><Tasks:ReminderSet>1</Tasks:ReminderSet></Flag>",
        "<Categories>" + "<Category>a</Category>" * 301 + "</Categories>",
        "<Email2:ConversationId>0123456789abcdef</Email2:ConversationId>",
        "<Email2:ReceivedAsBcc>1</Email2:ReceivedAsBcc>",
        "<Email2:Sender>x@y</Email2:Sender>",
    ],
)
def test_contradictions_are_refused(inner):
    with pytest.raises(RemoteProtocolError) as e:
        message_change_from_data(data(inner))
    assert e.value.reply_hint == "content"


def test_a_new_draft():
    inner = (
        '<To>"Berg, Anna" &lt;anna@x.org&gt;, bob@x.org</To><Cc/><Subject>A\nB</Subject>'
        "<ReplyTo>a@x.org; b@x.org</ReplyTo><Importance>2</Importance><Read>1</Read>"
        "<Email2:Bcc>c@x.org</Email2:Bcc><Email2:Send/>"
        "<AirSyncBase:Attachments><AirSyncBase:Add><AirSyncBase:ClientId>c1</AirSyncBase:ClientId>"
        "<AirSyncBase:Method>1</AirSyncBase:Method><AirSyncBase:ContentType>image/png</AirSyncBase:ContentType>"
        "<AirSyncBase:Content>png</AirSyncBase:Content><AirSyncBase:DisplayName>i.png</AirSyncBase:DisplayName>"
        "<AirSyncBase:ContentId>&lt;i@x&gt;</AirSyncBase:ContentId><AirSyncBase:IsInline/></AirSyncBase:Add>"
        "<AirSyncBase:Add><AirSyncBase:ClientId>c2</AirSyncBase:ClientId><AirSyncBase:Method>5</AirSyncBase:Method>"
        "<AirSyncBase:Content/><AirSyncBase:DisplayName>m.eml</AirSyncBase:DisplayName></AirSyncBase:Add>"
        "<AirSyncBase:Delete><AirSyncBase:FileReference>5:17:2</AirSyncBase:FileReference></AirSyncBase:Delete>"
        "</AirSyncBase:Attachments>"
    )
    element = data(inner)
    element.content += plain_body("<p>words</p>", "2")
    draft = draft_from_data(element)
    assert draft.to == (HeaderAddress("Berg, Anna", "anna@x.org"), HeaderAddress("", "bob@x.org"))
    assert draft.cc == ()
    assert [one.address for one in draft.bcc] == ["c@x.org"]
    assert [one.address for one in draft.reply_to] == ["a@x.org", "b@x.org"]
    assert (draft.subject, draft.importance, draft.is_sent) == ("A B", 2, True)
    assert draft.body == IncomingBody(BodyKind.HTML, "<p>words</p>")
    image, message = draft.adds
    assert (image.client_id, image.name, image.content_type) == ("c1", "i.png", "image/png")
    assert (image.content, image.content_id, image.is_inline) == (b"png", "i@x", True)
    assert (message.is_message, message.content, message.is_inline) == (True, b"", False)
    assert draft.deletes == ("5:17:2",)
    assert draft.change == MessageChange(read=True)


def test_what_is_not_said_stays():
    assert draft_from_data(data("")) == Draft()
    assert draft_from_data(data("")).subject is UNSET
    assert is_to_be_sent(Element("AirSync", "Change", [Element("Email2", "Send")]))


def test_a_draft_in_mime():
    octets = b"Subject: x\r\n\r\n\xff"
    body = Element("AirSyncBase", "Body")
    body.add("Type", "4")
    body.add("Data", octets)
    assert draft_from_data(application_data([body])).body == IncomingBody(
        BodyKind.MIME, octets=octets
    )


@pytest.mark.parametrize(
    "inner",
    [
        "<Importance>3</Importance>",
        "<To>" + "a@x.org, " * 1_001 + "</To>",
        "<AirSyncBase:Attachments><AirSyncBase:Add/></AirSyncBase:Attachments>",
        "<AirSyncBase:Attachments><AirSyncBase:Delete/></AirSyncBase:Attachments>",
        "<AirSyncBase:Attachments>" + "<AirSyncBase:Add/>" * 501 + "</AirSyncBase:Attachments>",
        "<AirSyncBase:Body><AirSyncBase:Type>3</AirSyncBase:Type><AirSyncBase:Data>x</AirSyncBase:Data></AirSyncBase:Body>",
        "<AirSyncBase:Body><AirSyncBase:Type>9</AirSyncBase:Type><AirSyncBase:Data>x</AirSyncBase:Data></AirSyncBase:Body>",
        "<Email2:Sender>x@y</Email2:Sender>",
    ],
)
def test_drafts_that_are_refused(inner):
    with pytest.raises(RemoteProtocolError) as e:
        draft_from_data(data(inner))
    assert e.value.reply_hint == "content"


@given(rubbish("Email", "Email2", "Tasks", "AirSyncBase"))
def test_rubbish_is_refused_or_read(element):
    for read in (message_change_from_data, draft_from_data):
        with contextlib.suppress(RemoteProtocolError):
            read(element)
