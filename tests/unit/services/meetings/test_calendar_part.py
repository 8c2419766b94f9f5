"""Finding the scheduling message in a mail."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.services.meetings.conftest import NOW, mail_of, meeting, person

from posthouse.formats.ical.itip import cancellation, counter_proposal, reply, request
from posthouse.model.appointment import Response
from posthouse.model.errors import ParserFailed, TooLarge
from posthouse.services.meetings.calendar_part import (
    authors,
    item_class,
    may_hold_calendar,
    scheduling_messages,
)
from posthouse.services.meetings.document import MESSAGE_LIMITS

REQUEST = request(meeting(subject="Größe"), NOW)


def mail(*parts, head=b"From: A <alice@example.org>\r\n"):
    body = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"
    return head + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + body


def part(content, kind=b"text/calendar; method=REQUEST; charset=utf-8", more=b""):
    return b"Content-Type: " + kind + b"\r\n" + more + b"\r\n" + content


def subjects(plain):
    return [told.message.appointment.subject for told in scheduling_messages(plain)]


def test_our_own_mail_is_read():
    plain = mail_of("REQUEST", REQUEST)
    assert may_hold_calendar(plain)
    (told,) = scheduling_messages(plain)
    assert told.message.method == "REQUEST"
    assert told.message.appointment.subject == "Größe"
    assert authors(plain) == {"alice@example.org"}


@pytest.mark.parametrize(
    "plain",
    [
        mail(part(b"text", b"text/plain"), part(REQUEST)),
        mail(part(b"text", b"text/plain"), part(REQUEST, b"TEXT/Calendar")),
        mail(part(base64.encodebytes(REQUEST), more=b"Content-Transfer-Encoding: base64\r\n")),
        mail(part(REQUEST.decode().encode("latin-1"), b"text/calendar; charset=iso-8859-1")),
        mail(
            part(
                REQUEST, b"application/ics; name=invite.ics", b"Content-Disposition: attachment\r\n"
            )
        ),
        mail(part(b"rubbish"), part(REQUEST)),
        b"From: a@b.c\r\nContent-Type: text/calendar\r\n\r\n" + REQUEST,
    ],
)
def test_wherever_it_stands(plain):
    assert may_hold_calendar(plain)
    assert subjects(plain) == ["Größe"]


def test_text_comes_before_a_file():
    other = REQUEST.replace("Größe".encode(), b"File")
    assert subjects(mail(part(other, b"application/ics"), part(REQUEST))) == ["Größe"]


@pytest.mark.parametrize(
    "plain",
    [
        mail(part(REQUEST.replace(b"METHOD:REQUEST\r\n", b""))),
        mail(part(REQUEST.replace(b"METHOD:REQUEST\r\n", b""), b"application/ics")),
        mail(
            part(b"From: b@c.d\r\nContent-Type: text/calendar\r\n\r\n" + REQUEST, b"message/rfc822")
        ),
        mail(part(REQUEST, b"text/plain")),
        b"\r\n",
    ],
)
def test_no_message(plain):
    assert scheduling_messages(plain) == []


def test_what_nobody_can_read():
    with pytest.raises(ParserFailed):
        scheduling_messages(mail(part(b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n")))
    padding = b"X-A:b\r\n" * (MESSAGE_LIMITS.lines_max + 1)
    with pytest.raises(TooLarge):
        scheduling_messages(
            mail(part(REQUEST.replace(b"BEGIN:VEVENT\r\n", b"BEGIN:VEVENT\r\n" + padding)))
        )


def test_several_occurrences_are_told_one_by_one():
    one = REQUEST.replace(b"SUMMARY", b"RECURRENCE-ID:20260105T090000Z\r\nSUMMARY")
    event = one[one.index(b"BEGIN:VEVENT") : one.index(b"END:VCALENDAR")]
    two = event.replace(b"20260105T", b"20260106T")
    told = scheduling_messages(mail(part(one.replace(b"END:VCALENDAR", two + b"END:VCALENDAR"))))
    assert [t.message.recurrence_at for t in told] == [1767603600000, 1767690000000]
    assert all(t.data.count(b"BEGIN:VEVENT") == 1 for t in told)


def test_alarms_and_notes_of_ours_do_not_come_by_mail():
    bad = (
        b"X-POSTHOUSE-REVISION:99/20990101T000000Z\r\nBEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-PT5M\r\n"
        b"ATTENDEE:mailto:victim@example.net\r\nEND:VALARM\r\nEND:VEVENT"
    )
    (told,) = scheduling_messages(mail(part(REQUEST.replace(b"END:VEVENT", bad))))
    assert b"VALARM" not in told.data
    assert b"X-POSTHOUSE" not in told.data


def test_an_answer_without_times_is_an_answer():
    data = reply(meeting(), person("bob", response=Response.ACCEPTED), NOW)
    lines = [line for line in data.split(b"\r\n") if not line.startswith((b"DTSTART", b"DTEND"))]
    (told,) = scheduling_messages(mail(part(b"\r\n".join(lines))))
    assert told.message.attendees[0].response is Response.ACCEPTED


def test_classes():
    def of(data):
        (told,) = scheduling_messages(mail(part(data)))
        return item_class(told)

    assert of(REQUEST) == "IPM.Schedule.Meeting.Request"
    assert of(cancellation(meeting(), NOW)) == "IPM.Schedule.Meeting.Canceled"
    said = {Response.ACCEPTED: "Pos", Response.TENTATIVE: "Tent", Response.DECLINED: "Neg"}
    for response, word in said.items():
        data = reply(meeting(), person("bob", response=response), NOW)
        assert of(data) == f"IPM.Schedule.Meeting.Resp.{word}"
    counter = counter_proposal(meeting(), person("bob", response=Response.ACCEPTED), NOW)
    assert of(counter) == "IPM.Schedule.Meeting.Resp.Tent"
    assert of(REQUEST.replace(b"METHOD:REQUEST", b"METHOD:PUBLISH")) == ""


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"From: A <Alice@Example.org>, b@c.d\r\n\r\n", {"alice@example.org", "b@c.d"}),
        (b"From: a@b.c\r\nFrom: d@e.f\r\n\r\n", set()),
        (b"To: a@b.c\r\n\r\nFrom: a@b.c\r\n", set()),
    ],
)
def test_authors(head, expected):
    assert authors(head) == expected


@given(st.binary(max_size=300), st.integers(0, len(REQUEST)), st.integers(0, 40))
def test_no_bytes_bring_it_down(noise, at, cut):
    broken = REQUEST[:at] + noise + REQUEST[at + cut :]
    with suppress(ParserFailed, TooLarge):
        scheduling_messages(mail(part(broken)))
