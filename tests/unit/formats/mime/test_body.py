from __future__ import annotations

import base64
import email.policy
import quopri
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime import body
from posthouse.formats.mime.body import (
    attachments_of,
    body_parts,
    is_encrypted,
    is_signed,
    is_smime,
    octets_of,
    part_of,
    read_text,
    size_of,
    text_of,
)
from posthouse.formats.mime.card import Card, card_from_message


def message(kind: str, content: bytes = b"", *fields: str) -> bytes:
    head = "".join(f"{field}\r\n" for field in (f"Content-Type: {kind}", *fields))
    return head.encode() + b"\r\n" + content


def multipart(kind: str, *parts: bytes) -> bytes:
    mark = f"b{abs(hash((kind, parts)))}"
    kind, _, rest = kind.partition(";")
    joined = b"".join(b"--%b\r\n%b\r\n" % (mark.encode(), part) for part in parts)
    more = f";{rest}" if rest else ""
    return message(
        f'multipart/{kind}; boundary="{mark}"{more}', joined + b"--%b--\r\n" % mark.encode()
    )


PLAIN = message("text/plain; charset=utf-8", "Grüße".encode())
HTML = message("text/html; charset=utf-8", b"<p>Gr&uuml;&szlig;e</p>")
IMAGE = message("image/png; name=a.png", b"png", "Content-ID: <i@x>", "Content-Disposition: inline")
FILE = message("application/pdf", b"pdf", "Content-Disposition: attachment; filename=b.pdf")
INNER = message("text/plain", b"inner")
ENCLOSED = message("message/rfc822", b"Subject: Inner\r\n" + INNER)


def shown(plain: bytes) -> tuple[list[str], list[str]]:
    parts = body_parts(card_from_message(plain))
    return [p.section for p in parts.plain], [p.section for p in parts.html]


@pytest.mark.parametrize(
    ("plain", "text", "html"),
    [
        (PLAIN, ["1"], ["1"]),
        (HTML, ["1"], ["1"]),
        (multipart("alternative", PLAIN, HTML), ["1"], ["2"]),
        (multipart("alternative", HTML, PLAIN), ["2"], ["1"]),
        (multipart("alternative", PLAIN), ["1"], ["1"]),
        (multipart("alternative", PLAIN, multipart("related", HTML, IMAGE)), ["1"], ["2.1"]),
        (multipart("related", multipart("alternative", PLAIN, HTML), IMAGE), ["1.1"], ["1.2"]),
        (multipart("mixed", multipart("alternative", PLAIN, HTML), FILE), ["1.1"], ["1.2"]),
        (multipart("mixed", PLAIN, IMAGE, PLAIN), ["1", "3"], ["1", "3"]),
        (multipart("mixed", multipart("alternative", PLAIN, HTML), PLAIN), ["1.1", "2"], ["1.2", "2"]),
        (multipart("mixed", PLAIN, message("text/plain; name=log.txt")), ["1"], ["1"]),
        (multipart("mixed", FILE), [], []),
        (multipart("alternative", PLAIN, message("text/calendar; method=REQUEST")), ["1"], ["1"]),
        (multipart("signed", PLAIN, message("application/pgp-signature")), ["1"], ["1"]),
        (multipart("related;start=\"<r>\"", IMAGE, message("text/html", b"", "Content-ID: <r>")), ["2"], ["2"]),
        (ENCLOSED, [], []),
        (multipart("mixed", PLAIN, ENCLOSED), ["1"], ["1"]),
        (message("application/pkcs7-mime; smime-type=enveloped-data"), [], []),
        (message("multipart/mixed"), [], []),
        (b"", ["1"], ["1"]),
    ],
)  # fmt: skip
def test_what_is_shown(plain, text, html):
    assert shown(plain) == (text, html)


def names(plain: bytes) -> list[str]:
    return [one.name for one in attachments_of(card_from_message(plain))]


def test_attachments():
    plain = multipart(
        "mixed",
        multipart("related", multipart("alternative", PLAIN, HTML), IMAGE),
        FILE,
        ENCLOSED,
        message("image/png", b"", "Content-Disposition: attachment"),
        message("text/plain; name=notes/../x.txt", b"12345"),
    )
    card = card_from_message(plain)
    related, file, enclosed, nameless, text = attachments_of(card)
    assert (related.section, related.name, related.content_id) == ("1.2", "a.png", "i@x")
    assert related.is_inline
    assert (file.section, file.name, file.octets, file.is_inline) == ("2", "b.pdf", 3, False)
    assert (enclosed.name, enclosed.is_message) == ("Inner.eml", True)
    assert nameless.name == "attachment-4.png"
    assert (text.name, text.octets) == ("notes_.._x.txt", 5)
    part = part_of(card, "3")
    assert octets_of(plain, part) == b"Subject: Inner\r\n" + INNER
    assert octets_of(memoryview(plain), part_of(card, "2")) == b"pdf"
    assert part_of(card, "9") is None


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        (PLAIN, []),
        (message("text/plain; name=x.txt", b"x"), []),
        (message("application/pdf", b"x"), ["attachment-1.pdf"]),
        (ENCLOSED, ["Inner.eml"]),
        (multipart("mixed", PLAIN, message("message/rfc822; name=a", b"\r\n")), ["a.eml"]),
        (multipart("digest", b"\r\n\r\n\r\nx"), ["message.eml"]),
        (multipart("signed", PLAIN, message("application/pgp-signature; name=s.asc")), []),
        (multipart("alternative", PLAIN, HTML, message("text/x-amp-html")), []),
        (multipart("mixed", PLAIN, message("text/calendar; method=REQUEST")), []),
        (multipart("mixed", PLAIN, message("text/calendar; name=i.ics")), ["i.ics"]),
        (multipart("report", PLAIN, message("message/delivery-status")), ["attachment-2.txt"]),
    ],
)
def test_what_is_a_file(plain, expected):
    assert names(plain) == expected


@pytest.mark.parametrize(
    ("plain", "smime", "signed", "encrypted"),
    [
        (PLAIN, False, False, False),
        (multipart("signed; protocol=\"application/pkcs7-signature\"", PLAIN), True, True, False),
        (multipart("signed; protocol=\"application/pgp-signature\"", PLAIN), False, True, False),
        (multipart("encrypted"), False, False, True),
        (message("application/pkcs7-mime"), True, False, True),
        (message("application/x-pkcs7-mime; smime-type=signed-data"), True, True, False),
        (message("application/octet-stream; name=smime.p7m"), True, False, True),
    ],
)  # fmt: skip
def test_seals(plain, smime, signed, encrypted):
    card = card_from_message(plain)
    assert (is_smime(card), is_signed(card), is_encrypted(card)) == (smime, signed, encrypted)


def encoded(octets: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(octets).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return quopri.encodestring(octets)
    return octets


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(
    "charset", ["utf-8", "iso-8859-15", "utf-16", "gb18030", "iso-2022-jp", ""]
)
@pytest.mark.parametrize("text", ["words and words\n" * 400, "日本語と日本語\n" * 300, "é€" * 900])
def test_text_and_its_beginning(encoding, charset, text):
    try:
        octets = text.encode(charset or "utf-8")
    except UnicodeEncodeError:
        return
    kind = f"text/plain; charset={charset}" if charset else "text/plain"
    plain = message(kind, encoded(octets, encoding), f"Content-Transfer-Encoding: {encoding}")
    part = card_from_message(plain).structure
    assert text_of(plain, part).replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
    assert read_text(plain, part, 1 << 20).is_whole
    size = len(text.encode())
    for wanted in (1, 100, 999, 3000, size):
        found = read_text(plain, part, wanted)
        beginning = found.text.replace("\r\n", "\n").rstrip("\n")
        assert text.startswith(beginning)
        assert len(beginning.encode()) >= min(wanted, size) * 0.9 - 16 or found.is_whole
        assert found.octets == pytest.approx(size, rel=0.35)


def test_only_the_beginning_is_decoded(monkeypatch):
    plain = message(
        "text/plain", encoded(b"x" * 1_000_000, "base64"), "Content-Transfer-Encoding: base64"
    )
    looked_at = []
    decoder = body.base64_tolerant
    monkeypatch.setattr(
        body, "base64_tolerant", lambda raw: looked_at.append(len(raw)) or decoder(raw)
    )
    found = read_text(plain, card_from_message(plain).structure, 500)
    assert sum(looked_at) < 2_000
    assert found.octets == pytest.approx(1_000_000, rel=0.02)
    assert not found.is_whole


def test_html_without_a_charset_says_it_itself():
    plain = message("text/html", '<meta charset="koi8-r"><p>Привет</p>'.encode("koi8-r"))
    assert "Привет" in text_of(plain, card_from_message(plain).structure)


def test_byte_order_marks_are_no_text():
    plain = message("text/plain; charset=utf-8", "\ufeffhi".encode())
    assert text_of(plain, card_from_message(plain).structure) == "hi"


@given(st.binary(max_size=300))
def test_damaged_encodings_give_what_they_have(octets):
    for encoding in ("base64", "quoted-printable", "x-unknown"):
        plain = message("text/plain", octets, f"Content-Transfer-Encoding: {encoding}")
        part = card_from_message(plain).structure
        for wanted in (0, 10, 1_000):
            read_text(plain, part, wanted)
        assert len(octets_of(plain, part)) <= max(len(octets), 1) * 2


def check(card: Card, plain: bytes) -> None:
    parts = body_parts(card)
    assert len(parts.plain) <= 100
    for part in (*parts.plain, *parts.html):
        found = read_text(plain, part, 100)
        found.text.encode()
        assert found.octets >= 0
    for one in attachments_of(card):
        assert one.name
        assert not {"/", "\\", "\n"} & set(one.name)
        part = part_of(card, one.section)
        assert part is not None
        assert len(octets_of(plain, part)) <= max(2 * size_of(part), 64)


LINES = st.sampled_from(
    [
        *(b"--a", b"--a--", b"--b", b"--b--", b"", b"text", b"=E", b"QUJD", b"\xff\xfe"),
        b"Content-Type: multipart/mixed; boundary=a",
        b"Content-Type: multipart/alternative; boundary=b",
        *(b"Content-Type: text/html", b"Content-Type: message/rfc822", b"Content-ID: <x>"),
        b'Content-Disposition: attachment; filename="../\\\\x"',
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        *(b"Content-Type: text/plain; charset=utf-16", b"Content-Type: text/calendar"),
    ]
)


@given(st.lists(LINES, max_size=30))
def test_hostile_messages(lines):
    plain = b"\r\n".join(lines)
    check(card_from_message(plain), plain)


def test_a_deep_message():
    plain = b""
    for depth in range(150):
        plain += message(f"multipart/alternative; boundary=b{depth}") + f"--b{depth}\r\n".encode()
    check(card_from_message(plain), plain)


def test_many_parts():
    plain = multipart("mixed", *[PLAIN] * 2_000)
    card = card_from_message(plain)
    assert len(body_parts(card).plain) == 100
    check(card, plain)


def test_what_others_write():
    made = EmailMessage()
    made.set_content("Grüße\n")
    made.add_alternative("<p>Grüße</p><img src=cid:p>", subtype="html")
    made.get_payload()[1].add_related(b"png", "image", "png", cid="<p>")
    made.add_attachment(b"\0" * 1_000, maintype="application", subtype="pdf", filename="Büro.pdf")
    plain = made.as_bytes(policy=email.policy.SMTP)
    card = card_from_message(plain)
    parts = body_parts(card)
    assert text_of(plain, parts.plain[0]) == "Grüße\r\n"
    assert text_of(plain, parts.html[0]).startswith("<p>Grüße</p>")
    image, file = attachments_of(card)
    assert image.is_inline
    assert file.name == "Büro.pdf"
    assert file.octets == pytest.approx(1_000, rel=0.05)
    assert octets_of(plain, part_of(card, file.section)) == b"\0" * 1_000
