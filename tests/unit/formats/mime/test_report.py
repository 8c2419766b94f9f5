"""Delivery status notifications, read back by the standard library."""

import email
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.dots import unstuff
from posthouse.formats.mime.report import Action, DeliveryReport, RecipientFate, render_report

GOLDEN = Path(__file__).parents[3] / "golden" / "formats" / "report-failed.eml"
FAILED = RecipientFate(
    address="bob@example.net",
    action=Action.FAILED,
    status="5.1.1",
    original="rfc822;bob+2Bx@example.net",
    remote_host="mx.example.net",
    reply="550 5.1.1 no such\r\nuser",
    last_attempt_at=60_000,
)
REPORT = DeliveryReport(
    reporting_host="mail.example.org",
    author="postmaster@example.org",
    sender="alice@example.org",
    message_id="r1@mail.example.org",
    made_at=120_000,
    arrived_at=0,
    fates=(FAILED,),
    returned=b"From: alice@example.org\r\nSubject: Hello\r\n.Odd: line\r\n\r\nbody\r\n",
    envelope_id="QQ314159",
    original_message_id="m1@example.org",
    subject="Hello",
)


def parsed(report: DeliveryReport) -> email.message.Message:
    wire, _, lacks_final_eol = render_report(report)
    assert not lacks_final_eol
    assert all(len(line) <= 998 for line in wire.split(b"\r\n"))
    return email.message_from_bytes(unstuff(wire))


def test_golden() -> None:
    """The whole failure report; ``make golden`` rewrites it."""
    plain = unstuff(render_report(REPORT).wire).replace(b"\r\n", b"\n")
    assert plain == GOLDEN.read_bytes()


def test_machine_part() -> None:
    message = parsed(REPORT)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    human, status, returned = message.get_payload()
    assert "bob@example.net" in human.get_payload()
    assert "there is no such recipient" in human.get_payload()
    per_message, per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"] == "dns; mail.example.org"
    assert per_message["Original-Envelope-Id"] == "QQ314159"
    assert per_recipient["Original-Recipient"] == "rfc822;bob+x@example.net"
    assert per_recipient["Final-Recipient"] == "rfc822;bob@example.net"
    assert per_recipient["Action"] == "failed"
    assert per_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert returned.get_content_type() == "text/rfc822-headers"
    assert "body" not in returned.get_payload()


def test_whole_message_is_returned() -> None:
    message = parsed(replace(REPORT, is_whole=True))
    returned = message.get_payload()[2]
    assert returned.get_content_type() == "message/rfc822"
    assert returned.get_payload()[0]["Subject"] == "Hello"


def test_international_report() -> None:
    fate = replace(FAILED, address="jörg@example.net", original="")
    wire = render_report(replace(REPORT, fates=(fate,), is_whole=True)).wire
    assert b"message/global-delivery-status" in wire
    assert "Final-Recipient: utf-8;jörg@example.net".encode() in wire
    assert b"Content-Type: message/rfc822\r\n" in wire


@pytest.mark.parametrize(
    ("subject", "is_whole", "content_type"),
    [
        ("Grüße".encode(), True, "message/global"),
        ("Grüße".encode(), False, "message/global-headers"),
        ("Grüße".encode("latin-1"), True, "message/rfc822"),
        (b"hi", False, "text/rfc822-headers"),
    ],
)
def test_returned_part(subject: bytes, is_whole: bool, content_type: str) -> None:
    returned = b"Subject: " + subject + b"\r\n\r\nbody\r\n"
    message = parsed(replace(REPORT, returned=returned, is_whole=is_whole))
    assert message.get_payload()[2].get_content_type() == content_type


@pytest.mark.parametrize("action", Action)
def test_every_action_has_words(action: Action) -> None:
    message = parsed(replace(REPORT, fates=(replace(FAILED, action=action),)))
    assert message["Subject"]
    assert message.get_payload()[1].get_payload()[1]["Action"] == action.value


def test_boundary_never_stands_in_the_content() -> None:
    first = render_report(replace(REPORT, is_whole=True))
    boundary = email.message_from_bytes(first.wire).get_boundary().encode()
    again = replace(REPORT, is_whole=True, returned=REPORT.returned + b"--" + boundary + b"--\r\n")
    assert email.message_from_bytes(render_report(again).wire).get_boundary().encode() != boundary


@given(reply=st.text(max_size=80), returned=st.binary(max_size=200), is_whole=st.booleans())
def test_any_remote_words(reply: str, returned: bytes, is_whole: bool) -> None:
    fate = replace(FAILED, reply="550 " + reply)
    message = parsed(replace(REPORT, fates=(fate,), returned=returned, is_whole=is_whole))
    assert len(message.get_payload()) == 3
    assert message.get_payload()[1].get_payload()[1]["Action"] == "failed"
