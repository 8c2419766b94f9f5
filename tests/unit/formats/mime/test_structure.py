"""The offset scanner, against the standard library where that can be trusted, and against bombs."""

import email
import email.policy
import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.card import (
    card_from_message,
    digest,
    digests,
    pack_contents,
    read_card,
    read_digests,
    render,
)
from posthouse.formats.mime.structure import Part, StructureLimits, scan
from posthouse.formats.mime.text import decoded_body, preview, text_from_html
from posthouse.model.errors import ParserFailed


def sample() -> bytes:
    inner = EmailMessage()
    inner["Subject"] = "Inner"
    inner["From"] = "carol@example.org"
    inner.set_content("innermost words\n")
    outer = EmailMessage()
    outer["From"] = '"Jörg M." <joerg@example.org>'
    outer["To"] = "alice@example.org, bob@example.org"
    outer["Subject"] = "Übersicht"
    outer["Message-ID"] = "<m@example.org>"
    outer.set_content("Grüße und Küsse\n")
    outer.add_alternative("<p>Grüße <b>und</b> Küsse</p>", subtype="html")
    outer.add_attachment(b"\0\1" * 500, maintype="application", subtype="pdf", filename="Büro.pdf")
    outer.add_attachment(inner)
    return outer.as_bytes(policy=email.policy.SMTP)


def shape(part: Part) -> list:
    return [part.content_type, [shape(child) for child in part.children]]


def stdlib_shape(message: email.message.Message) -> list:
    payload = message.get_payload()
    children = [stdlib_shape(p) for p in payload] if isinstance(payload, list) else []
    return [message.get_content_type(), children]


def test_same_parts_as_the_standard_library() -> None:
    plain = sample()
    root = scan(plain)
    assert shape(root) == stdlib_shape(email.message_from_bytes(plain))
    bodies = [decoded_body(plain, part) for part in root.walk() if not part.children]
    expected = [
        m.get_payload(decode=True)
        for m in email.message_from_bytes(plain).walk()
        if not m.is_multipart()
    ]
    assert [body.rstrip(b"\r\n") for body in bodies] == [e.rstrip(b"\r\n") for e in expected]


def test_sections_and_offsets() -> None:
    plain = sample()
    parts = {part.section: part for part in scan(plain).walk()}
    assert parts["2"].name == "Büro.pdf"
    assert parts["3"].content_type == "message/rfc822"
    assert parts["3.1"].content_type == "text/plain"
    for part in parts.values():
        assert 0 <= part.start <= part.body_start <= part.end <= len(plain)
    assert plain[parts["1.1"].body_start : parts["1.1"].end].startswith(b"Gr")


def test_card() -> None:
    card = read_card(render(sample()))
    assert card is not None
    assert card.envelope.subject == "Übersicht"
    assert card.envelope.from_ == [("Jörg M.", "joerg@example.org")]
    assert [address for _, address in card.envelope.to] == ["alice@example.org", "bob@example.org"]
    assert card.preview == "Grüße und Küsse"
    assert card.attachments == 2
    assert card.structure.parts[2].envelope is not None
    assert card.structure.parts[2].envelope.subject == "Inner"
    assert read_card(b"{}") is None
    assert read_card(render(b"").replace(b'"version":1', b'"version":9')) is None


def test_search_text_takes_one_alternative() -> None:
    words = digest(sample()).words
    assert words.count("Küsse") == 1
    assert "Büro.pdf" in words
    assert "innermost words" in words


def test_digests_are_cards_and_words() -> None:
    plain = sample()
    raw = digests(pack_contents([plain, b""]))
    first, second = read_digests(raw, 2)
    assert (first.card, second.card) == (render(plain), render(b""))
    assert "innermost words" in first.words
    assert read_digests(digests(pack_contents([])), 0) == []
    for bad, count in ((b"", 0), (b"x", 1), (raw[:-1], 2), (raw, 1)):
        with pytest.raises(ParserFailed):
            read_digests(bad, count)


def test_the_preview_looks_as_far_as_it_must() -> None:
    plain = b"\r\n" + b" \r\n" * 2_000 + b"first\twords\x07" + b" more" * 100
    assert card_from_message(plain).preview == ("first words " + " more" * 100)[:200]
    assert card_from_message(b"\r\n \r\n").preview == ""


def multipart(boundary: str, *parts: str, tail: str = "") -> bytes:
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\npreamble\r\n'
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return (head + body + f"--{boundary}--\r\n{tail}").encode()


def test_epilogue_prefixes_and_missing_end() -> None:
    root = scan(multipart("a", "\r\none", "\r\n--ab\r\ntwo", tail="--a\r\nnot a part"))
    assert len(root.children) == 2
    open_ended = multipart("a", "\r\none").removesuffix(b"--a--\r\n")
    assert [part.end for part in scan(open_ended).children] == [len(open_ended)]


def test_part_without_a_blank_line_ends_at_the_delimiter() -> None:
    root = scan(multipart("a", "Content-Type: text/html", "\r\ntwo"))
    assert [child.content_type for child in root.children] == ["text/html", "text/plain"]


def test_inner_multipart_may_repeat_the_boundary() -> None:
    inner = multipart("a", "\r\nx").decode().removesuffix("\r\n")
    root = scan(multipart("a", inner, "\r\nlast"))
    assert len(root.children[0].children) == 1
    assert len(root.children) == 2


def nested(depth: int) -> bytes:
    out = [b""]
    for level in range(depth):
        out.append(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level))
    return b"".join(out) + b"\r\nbottom"


def test_depth_and_parts_are_bounded() -> None:
    assert sum(1 for _ in scan(nested(1_000)).walk()) <= 102
    assert sum(1 for _ in scan(multipart("a", *["\r\nx"] * 5_000)).walk()) == 1_000
    limits = StructureLimits(depth_max=2, parts_max=5)
    assert sum(1 for _ in scan(nested(9), limits).walk()) == 3
    render(nested(1_000))


PIECES = st.sampled_from(
    [
        *(b"--a", b"--b", b"--", b"\r\n", b"\n", b"\r\n\r\n", b"x", b";", b"\xff"),
        *(b"Content-Type: ", b"text/html", b"message/rfc822", b"<script", b"&#"),
        *(b"multipart/mixed; boundary=a", b"multipart/digest; boundary=b", b"=?utf-8?b?"),
        *(b"Content-Transfer-Encoding: base64", b"filename*1*=utf-8''%"),
    ]
)


@given(st.lists(PIECES, max_size=60))
def test_any_bytes(pieces: list[bytes]) -> None:
    plain = b"".join(pieces)
    for part in scan(plain).walk():
        assert 0 <= part.start <= part.body_start <= part.end <= len(plain)
        for child in part.children:
            assert part.body_start <= child.start
            assert child.end <= part.end
    assert read_card(render(plain)) == card_from_message(plain)
    assert digest(plain).card == render(plain)


BOMBS = {
    "nesting": nested(50_000),
    "parts": multipart("a", *["\r\nx"] * 100_000),
    "dashes": multipart("a") + b"\n--" * 1_500_000,
    "no blank lines": multipart("a", *["X: y"] * 50_000),
    "boundary": b"Content-Type: multipart/mixed; boundary=" + b"x" * 2_000_000,
    "rfc2231": b"Content-Type: a/b" + b"".join(b"; n*%d=x" % n for n in range(50_000)),
    "messages": b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
    "html": b"Content-Type: text/html\r\n\r\n" + b"<" * 2_000_000,
    "scripts": b"Content-Type: text/html\r\n\r\n" + b"<script>" * 250_000,
    "references": b"Content-Type: text/html\r\n\r\n" + b"&#" + b"9" * 1_000_000,
    "comments": b"Content-Type: text/html\r\n\r\n" + b"<!-" * 500_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_cheap(name: str) -> None:
    begun = time.process_time()
    render(BOMBS[name])
    digest(BOMBS[name])
    assert time.process_time() - begun < 3


def test_five_megabytes_in_milliseconds() -> None:
    attachment = "Content-Transfer-Encoding: base64\r\n\r\n" + ("QUJD" * 19 + "\r\n") * 65_000
    plain = multipart("a", "\r\nwords", attachment)
    begun = time.process_time()
    scan(plain)
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>a</p><p>b&amp;c</p>", "a b&c"),
        ("a<b>b</b>c", "abc"),
        ("<style>p{}</style>x<script>if (a<b) {}</SCRIPT>y", "x y"),
        ("1 < 2 <!-- <p> --> 3", "1 < 2  3"),
        ("a<br", "a"),
        ("&nosuch; &#65; &#x42;", "&nosuch; A B"),
    ],
)
def test_html(source: str, words: str) -> None:
    assert " ".join(text_from_html(source).split()) == " ".join(words.split())


def test_preview_is_one_line() -> None:
    plain = b"Subject: x\r\n\r\n" + b"word \r\n" * 500
    text = preview(plain, scan(plain))
    assert len(text) == 200
    assert "\n" not in text
