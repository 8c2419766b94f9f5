"""Automatic replies: who gets none, who got one, what one looks like; forwarded mail."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.addresses import HeaderAddress
from posthouse.services.rules.answered import Answered, answered_from_state, mark_of
from posthouse.services.rules.automatic import ANY_REPLY, OUT_OF_OFFICE, is_automatic, why_not
from posthouse.services.rules.letters import Stamp, automatic_reply, forwarded

MINE = {"alice@example.org", "office@example.org"}
HEAD = b"From: bob@example.net\r\nTo: Alice <alice@example.org>\r\nSubject: x\r\n"


def is_mine(address):
    return address.casefold() in MINE


def reason(head=HEAD, sender="bob@example.net", forbidding=OUT_OF_OFFICE):
    return why_not(head + b"\r\nbody", sender, is_mine, forbidding)


def test_an_ordinary_message_may_be_answered():
    assert reason() == ""
    assert reason(HEAD + b"Auto-Submitted: no\r\nPrecedence: first-class\r\n") == ""
    assert reason(HEAD + b"X-Auto-Response-Suppress: DR, RN, NRN\r\n") == ""


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        ("", "null sender"),
        ("not an address", "no address"),
        ("Alice@example.org", "myself"),
        ("office@example.org", "myself"),
        ("MAILER-DAEMON@example.net", "program"),
        ("listserv@example.net", "program"),
        ("owner-rome@example.net", "program"),
        ("rome-request@example.net", "program"),
        ("noreply@example.net", "program"),
        ("No-Reply-5@example.net", "program"),
        ("do_not_reply@example.net", "program"),
        ("donotreply@example.net", "program"),
        ("bounces+a=b.c@example.net", "program"),
        ("bounce-77@example.net", "program"),
    ],
)
def test_senders_that_nobody_answers(sender, told):
    assert told in reason(sender=sender)


@pytest.mark.parametrize(
    "sender", ["noreen@example.net", "requester@x.y", "bounceberg@x.y", "nor@x.y"]
)
def test_people_whose_names_look_like_programs(sender):
    assert reason(sender=sender) == ""


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("Auto-Submitted: auto-generated", "automatically"),
        ("Auto-Submitted: AUTO-REPLIED (vacation); a=b", "automatically"),
        ("Auto-Submitted:", "automatically"),
        ("Precedence: bulk", "bulk"),
        ("Precedence: List", "bulk"),
        ("Precedence: junk", "bulk"),
        ("List-Id: <a.b.c>", "list"),
        ("List-Unsubscribe: <mailto:a@b.c>", "list"),
        ("X-Auto-Response-Suppress: OOF", "no reply"),
        ("X-Auto-Response-Suppress: DR, AutoReply", "no reply"),
        ("X-Auto-Response-Suppress: All", "no reply"),
        ("Content-Type: multipart/report; report-type=x", "report"),
    ],
)
def test_messages_that_nobody_answers(field, told):
    assert told in reason(HEAD + field.encode() + b"\r\n")


def test_rules_may_answer_what_forbids_only_out_of_office_replies():
    assert reason(HEAD + b"X-Auto-Response-Suppress: OOF\r\n", forbidding=ANY_REPLY) == ""


@pytest.mark.parametrize(
    ("recipients", "is_for_me"),
    [
        (b"Cc: office@example.org\r\n", True),
        (b"To: x@y.z\r\nTo: Alice <ALICE@example.org>\r\n", True),
        (b"To: x@y.z\r\nResent-To: alice@example.org\r\n", True),
        (b"Bcc: alice@example.org\r\n", True),
        (b"To: everybody@example.org\r\n", False),
        (b"To: undisclosed-recipients:;\r\n", False),
        (b"Subject: alice@example.org\r\n", False),
        (b"", False),
    ],
)
def test_only_what_is_addressed_to_me(recipients, is_for_me):
    assert (reason(b"From: bob@example.net\r\n" + recipients) == "") == is_for_me


def test_what_a_program_sent():
    assert is_automatic(b"Auto-Submitted: auto-generated\r\n\r\n")
    assert not is_automatic(b"Auto-Submitted: no\r\n\r\nAuto-Submitted: yes")


@given(st.binary(max_size=200), st.text(max_size=30))
def test_anything_gives_an_answer(head, sender):
    assert isinstance(why_not(head, sender, is_mine), str)


# --- who has been answered

marks = st.lists(st.binary(min_size=8, max_size=8), max_size=20)


@given(st.integers(0, 2**63), marks, st.binary(min_size=8, max_size=8))
def test_answered_there_and_back(period, known, other):
    answered = Answered(period)
    for one in known:
        answered = answered.added(one)
    again = answered_from_state(answered.kept("x").state, period)
    assert again == answered
    assert all(again.has(one) for one in known)
    assert again.has(other) == (other in known)
    assert answered_from_state(answered.kept("x").state, period + 1).marks == b""


@given(st.binary(max_size=40))
def test_a_state_of_anybody_else_says_nothing_wrong(state):
    assert len(answered_from_state(state, 5).marks) % 8 == 0


def test_when_it_is_full_the_oldest_are_forgotten():
    answered = Answered(7)
    for n in range(9_000):
        answered = answered.added(n.to_bytes(8, "big"))
    assert len(answered.kept("x").state) <= 64 << 10
    assert answered.has((8_999).to_bytes(8, "big"))
    assert not answered.has((1).to_bytes(8, "big"))


def test_marks_know_a_sender_again_in_one_mailbox():
    assert mark_of(b"g" * 16, "Bob@Example.net") == mark_of(b"g" * 16, "bob@example.net")
    assert mark_of(b"g" * 16, "bob@example.net") != mark_of(b"h" * 16, "bob@example.net")
    assert len(mark_of(b"g" * 16, "bob@example.net")) == 8


# --- what is sent

STAMP = Stamp(
    HeaderAddress("Älice", "alice@example.org"), "new@mail.example.org", 1_780_000_000_000
)
ORIGINAL = (
    "From: Bob <bob@example.net>\r\nTo: alice@example.org\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <m1@example.net>\r\n"
    "References: <m0@example.net>\r\nDate: Sat, 03 Jan 2026 10:00:00 +0000\r\n"
)


def read(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_a_reply():
    raw = automatic_reply(
        (ORIGINAL + "\r\nText").encode(),
        STAMP,
        HeaderAddress("Bob", "bob@example.net"),
        "Späte\nAntwort.",
    )
    mail = read(raw)
    assert mail["Subject"] == "Automatic reply: Grüße"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["In-Reply-To"] == "<m1@example.net>"
    assert mail["References"] == "<m0@example.net> <m1@example.net>"
    assert mail["From"] == "Älice <alice@example.org>"
    assert mail["To"] == "Bob <bob@example.net>"
    assert mail["Date"]
    assert mail["Message-ID"] == "<new@mail.example.org>"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == ["Späte", "Antwort."]


def test_a_reply_in_html_has_words_as_well():
    mail = read(
        automatic_reply(
            ORIGINAL.encode(),
            STAMP,
            HeaderAddress("", "bob@example.net"),
            "<p>Back <b>soon</b></p>",
            is_html=True,
        )
    )
    assert mail.get_body(("html",)).get_content().strip() == "<p>Back <b>soon</b></p>"
    assert mail.get_body(("plain",)).get_content().strip() == "Back soon"


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("AUTOMATIC REPLY: x", "Automatic reply: x"),
        ("a\r\n b", "Automatic reply: a b"),
        ("=?utf-8?q?a=0D=0ABcc:_x@y.z?=", "Automatic reply: a  Bcc: x@y.z"),
    ],
)
def test_subjects(subject, told):
    head = f"Subject: {subject}\r\n\r\n".encode()
    mail = read(automatic_reply(head, STAMP, HeaderAddress("", "bob@example.net"), "x"))
    assert " ".join(mail["Subject"].split()) == " ".join(told.split())
    assert mail["Bcc"] is None


def test_forwarded_in_a_message_of_ones_own():
    original = (
        ORIGINAL + "Content-Type: text/plain; charset=utf-8\r\n\r\nSchöne Worte\r\n"
    ).encode()
    mail = read(
        forwarded(original, STAMP, (HeaderAddress("", "x@y.z"), HeaderAddress("", "u@v.w")))
    )
    assert mail["Subject"] == "FW: Grüße"
    assert mail["To"] == "x@y.z, u@v.w"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "Schöne Worte" in mail.get_content()
    assert "bob@example.net" in mail.get_content()


def test_forwarded_html_stays_html_and_files_go_along():
    original = email.message.EmailMessage()
    original["From"] = "bob@example.net"
    original.set_content("<p>Rich <b>words</b></p>", subtype="html")
    original.add_attachment(b"\x00\x01", "application", "pdf", filename="plan.pdf")
    raw = original.as_bytes(policy=email.policy.SMTP)
    mail = read(forwarded(raw, STAMP, (HeaderAddress("", "x@y.z"),)))
    assert "<b>words</b>" in mail.get_body(("html",)).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["plan.pdf"]


@pytest.mark.parametrize("size", [10, 5 << 20])
def test_forwarded_enclosed(size):
    original = (ORIGINAL + "\r\n" + "Word and word.\r\n" * (size // 16)).encode()
    mail = read(forwarded(original, STAMP, (HeaderAddress("", "x@y.z"),), as_attachment=size == 10))
    (enclosed,) = mail.iter_attachments()
    assert enclosed.get_content_type() == "message/rfc822"
    assert enclosed.get_filename() == "Grüße.eml"
    assert enclosed.get_content()["Message-ID"] == "<m1@example.net>"


@given(st.binary(max_size=300))
def test_anything_can_be_handed_on(original):
    for as_attachment in (True, False):
        raw = forwarded(original, STAMP, (HeaderAddress("", "x@y.z"),), as_attachment=as_attachment)
        head = raw[: raw.index(b"\r\n\r\n")]
        assert head.count(b"\r\nTo: x@y.z") == 1
        assert b"\r\nAuto-Submitted: auto-generated" in head
    automatic_reply(original, STAMP, HeaderAddress("", "x@y.z"), "text")
