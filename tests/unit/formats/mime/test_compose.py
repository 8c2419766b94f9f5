"""Messages made from fields: read back, nothing is lost, and nothing becomes a header line."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.addresses import HeaderAddress, parse_addresses
from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.compose import NewAttachment, NewMessage, compose
from posthouse.formats.mime.compose_parts import (
    address_field,
    clean,
    encoded_text,
    fits_lines,
    text_field,
    typed_field,
    with_crlf,
)
from posthouse.formats.mime.dots import find_bare_eol
from posthouse.formats.mime.headers import decode_text, fields, first
from posthouse.formats.mime.parameters import parse_parameterised
from posthouse.formats.mime.structure import scan
from posthouse.formats.mime.text import TextLimits, decoded_body

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
NASTY = st.lists(
    st.sampled_from(
        [
            *("\r\nBcc: x@y", "\r", "\n", "\0", "=?utf-8?q?=41?=", '"', "\\", " " * 30, ","),
            *("x" * 1_200, "Jörg", "日本語" * 30, "👨‍👩‍👧", "a b", "<a@b>", ";", "\t", "=", "_"),
        ]
    ),
    max_size=8,
).map("".join)


def check_lines(raw: bytes) -> None:
    assert find_bare_eol(raw) == -1
    assert fits_lines(raw)


def shape(part):
    return [part.content_type, [shape(child) for child in part.children]]


def body(plain, part):
    return decoded_body(plain, part, TextLimits(part_bytes_max=len(plain)))


@given(TEXT | NASTY)
def test_a_subject_comes_back(text):
    raw = text_field("Subject", text)
    check_lines(raw)
    found = fields(raw + b"\r\n")
    assert [field.name for field in found] == [b"subject"]
    assert decode_text(found[0].value) == clean(text)
    assert all(len(line) <= 78 or b"=?" not in line for line in raw.split(b"\r\n"))


ADDRESSES = st.sampled_from(
    ["a@example.org", "jörg@example.org", '"odd one"@example.org', "x@[192.0.2.1]", "A.B+c@d.ef"]
)


@given(st.lists(st.tuples(TEXT | NASTY, ADDRESSES), max_size=20))
def test_addresses_come_back(entries):
    raw = address_field("To", [HeaderAddress(*one) for one in entries])
    if not entries:
        assert raw == b""
        return
    check_lines(raw)
    found = fields(raw + b"\r\n")
    assert [field.name for field in found] == [b"to"]
    back = parse_addresses(found[0].value)
    assert [entry.address for entry in back] == [address for _, address in entries]
    for entry, (name, _) in zip(back, entries, strict=True):
        assert " ".join(entry.name.split()) == " ".join(clean(name).split())


@given(NASTY)
def test_what_is_no_address_stays_a_name(text):
    raw = address_field("To", [HeaderAddress("", text), HeaderAddress("Bob", "bob@example.org")])
    check_lines(raw)
    found = fields(raw + b"\r\n")
    assert [field.name for field in found] == [b"to"]
    assert "bob@example.org" in [entry.address for entry in parse_addresses(found[0].value)]


@given(TEXT | NASTY)
def test_file_names_come_back(text):
    raw = typed_field("Content-Disposition", "attachment", {"filename": text})
    check_lines(raw)
    found = fields(raw + b"\r\n")
    assert [field.name for field in found] == [b"content-disposition"]
    name = parse_parameterised(found[0].value).parameters["filename"]
    wanted = clean(text)[:255]
    assert name == "".join(c if c.isprintable() else " " for c in wanted) or name == wanted


@given(TEXT | NASTY)
def test_texts_come_back(text):
    encoding, raw = encoded_text(text)
    check_lines(raw)
    plain = b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + raw
    assert body(plain, scan(plain)) == with_crlf(text.encode())


def test_a_text_that_holds_a_delimiter_is_hidden():
    assert encoded_text("--b\r\n")[0] == "7bit"
    assert encoded_text("--b\r\n", [b"--b"])[0] == "base64"


def test_the_lightest_encoding_is_taken():
    assert encoded_text("plain\n") == ("7bit", b"plain\r\n")
    assert encoded_text("Grüße aus Köln und noch viel mehr Text\n")[0] == "quoted-printable"
    assert encoded_text("日本語" * 50)[0] == "base64"
    assert encoded_text("x" * 998)[0] == "7bit"
    assert encoded_text("x" * 999)[0] == "quoted-printable"


def whole() -> NewMessage:
    return NewMessage(
        from_=HeaderAddress("Jörg Müller", "joerg@example.org"),
        sender=HeaderAddress("", "office@example.org"),
        to=(HeaderAddress("Doe, John", "john@example.net"), HeaderAddress("bob", "")),
        cc=(HeaderAddress("", "carol@example.net"),),
        bcc=(HeaderAddress("", "dan@example.net"),),
        reply_to=(HeaderAddress("", "list@example.org"),),
        subject="Übersicht über das Quartal",
        sent_at=1_780_000_000_000,
        message_id="m1@example.org",
        in_reply_to="m0@example.net",
        references=("r@example.net", "m0@example.net"),
        importance=2,
        text="Grüße\n.\n",
        html='<p>Grüße <img src="cid:logo"></p>',
        calendar=b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        calendar_method="REQUEST",
        attachments=(
            NewAttachment(
                name="logo.png", content_type="image/png", content=b"\x89PNG\r\n\0",
                content_id="logo", is_inline=True,
            ),
            NewAttachment(name="Büro plan.pdf", content_type="application/pdf", content=b"x" * 500),
            NewAttachment(
                name="m.eml", content_type="message/rfc822", content=b"Subject: in\n\nwords\n"
            ),
        ),
        headers=(("Auto-Submitted", "auto-replied"), ("X-Note", "grün")),
    )  # fmt: skip


def test_a_whole_message():
    plain = compose(whole())
    check_lines(plain)
    assert plain == compose(whole())
    root = scan(plain)
    assert shape(root) == [
        "multipart/mixed",
        [
            [
                "multipart/alternative",
                [
                    ["text/plain", []],
                    ["multipart/related", [["text/html", []], ["image/png", []]]],
                    ["text/calendar", []],
                ],
            ],
            ["application/pdf", []],
            ["message/rfc822", [["text/plain", []]]],
        ],
    ]
    parts = {part.section: part for part in root.walk()}
    assert body(plain, parts["1.1"]) == "Grüße\r\n.\r\n".encode()
    assert body(plain, parts["1.2.2"]) == b"\x89PNG\r\n\0"
    assert parts["1.2.2"].content_id == "<logo>"
    assert parts["1.2.2"].disposition == "inline"
    assert parts["1.3"].parameters["method"] == "REQUEST"
    assert parts["2"].name == "Büro plan.pdf"
    assert body(plain, parts["3"]) == b"Subject: in\r\n\r\nwords\r\n"
    columns = columns_from_head(plain)
    assert columns.subject == "Übersicht über das Quartal"
    assert columns.sent_at == 1_780_000_000_000
    assert columns.message_id == "m1@example.org"
    assert columns.importance == 2
    assert columns.has_attachments
    assert first(plain, b"references").split() == [b"<r@example.net>", b"<m0@example.net>"]
    assert [e.name for e in parse_addresses(first(plain, b"to"))] == ["Doe, John", "bob"]
    assert first(plain, b"bcc").strip() == b"dan@example.net"


def test_the_standard_library_reads_the_same():
    found = email.message_from_bytes(compose(whole()), policy=email.policy.compat32)
    assert found.defects == []
    names = [part.get_filename() for part in found.walk() if part.get_filename()]
    assert names == ["logo.png", "Büro plan.pdf", "m.eml"]
    texts = [
        p.get_payload(decode=True) for p in found.walk() if p.get_content_type() == "text/html"
    ]
    assert texts[0].decode() == whole().html


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (NewMessage(), ["text/plain", []]),
        (NewMessage(text="x"), ["text/plain", []]),
        (NewMessage(html="x"), ["text/html", []]),
        (
            NewMessage(text="x", html="y"),
            ["multipart/alternative", [["text/plain", []], ["text/html", []]]],
        ),
        (
            NewMessage(text="x", attachments=(NewAttachment(content=b"y", is_inline=True),)),
            ["multipart/mixed", [["text/plain", []], ["application/octet-stream", []]]],
        ),
    ],
)
def test_levels_of_one_part_are_left_out(message, expected):
    assert shape(scan(compose(message))) == expected


def test_an_enclosed_message_of_long_lines_becomes_a_file():
    long = b"Subject: x\r\n\r\n" + b"y" * 2_000
    message = NewMessage(attachments=(NewAttachment(content=long, content_type="message/rfc822"),))
    plain = compose(message)
    check_lines(plain)
    part = scan(plain).children[1]
    assert part.content_type == "application/octet-stream"
    assert body(plain, part) == long


@pytest.mark.parametrize("name", ["From", "content-type", "X\r\nBcc", "", "a b"])
def test_names_of_further_fields_are_checked(name):
    with pytest.raises(ValueError, match=r"name|attributes"):
        compose(NewMessage(headers=((name, "x"),)))


@pytest.mark.parametrize("bad", ["a b@c", "a>\r\nX: y", "é@x", "x" * 901, ""])
def test_ids_that_cannot_be_written_are_left_out(bad):
    message = NewMessage(
        message_id=bad, in_reply_to=bad, references=(bad, "good@x"),
        attachments=(NewAttachment(content=b"", content_id=bad),),
    )  # fmt: skip
    plain = compose(message)
    names = [field.name for field in fields(plain)]
    assert b"message-id" not in names
    assert b"in-reply-to" not in names
    assert first(plain, b"references").strip() == b"<good@x>"


def test_many_references_keep_the_root_and_the_last():
    ids = tuple(f"{n}@x" for n in range(500))
    plain = compose(NewMessage(references=ids))
    check_lines(plain)
    found = first(plain, b"references").split()
    assert len(found) == 100
    assert (found[0], found[1], found[-1]) == (b"<0@x>", b"<401@x>", b"<499@x>")


@given(NASTY, NASTY, NASTY)
def test_nothing_a_user_writes_becomes_a_field(subject, name, text):
    message = NewMessage(
        from_=HeaderAddress(name, "a@example.org"), subject=subject, text=text,
        attachments=(NewAttachment(name=name, content=text.encode(), content_type=subject),),
        headers=(("X-Note", subject),),
    )  # fmt: skip
    plain = compose(message)
    check_lines(plain)
    names = [field.name for field in fields(plain)]
    assert set(names) <= {b"from", b"subject", b"x-note", b"mime-version", b"content-type"}
    root = scan(plain)
    assert len(root.children) == 2
    assert body(plain, root.children[1]) == text.encode()
