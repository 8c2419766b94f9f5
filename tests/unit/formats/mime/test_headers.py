"""Header blocks on any bytes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.headers import (
    HeaderLimits,
    all_of,
    decode_text,
    fields,
    first,
    header_block,
    unfold,
)

HEAD = (
    b"Received: a\r\n\tb\r\nTo : x\r\nReceived: c\r\n"
    b"no field\r\n more\r\n: odd\r\n\r\nSubject: body\r\n"
)


def test_fields_in_order() -> None:
    assert fields(HEAD) == [(b"received", b" a\r\n\tb"), (b"to", b" x"), (b"received", b" c")]
    assert first(HEAD, b"to") == b" x"
    assert first(HEAD, b"subject") is None
    assert [unfold(v) for v in all_of(HEAD, b"received")] == [b"a\tb", b"c"]


@pytest.mark.parametrize(
    ("head", "offset"),
    [(b"", 0), (b"\r\nx", 2), (b"\nx", 1), (b"a: b\r\n\r\nx", 8), (b"a: b\n\nx", 6), (b"a: b", 4)],
)
def test_body_offset(head: bytes, offset: int) -> None:
    assert header_block(head) == offset


def test_limits() -> None:
    head = b"A: 1\r\n" * 100 + b"B: " + b"x" * 100 + b"\r\n\r\n"
    assert len(fields(head, HeaderLimits(lines_max=10))) == 10
    assert len(fields(head, HeaderLimits(header_bytes_max=12))) == 2
    assert fields(head, HeaderLimits(field_bytes_max=5))[-1].value == b" xxxx"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b" =?utf-8?q?J=C3=B6rg_M?= =?utf-8?b?w7xsbGVy?=", "Jörg Müller"),
        (b"=?utf-8?b?w7w=?=\r\n =?utf-8?b?w7w=?=", "üü"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        (b"a =?iso-8859-1*de?Q?=FC?= b", "a ü b"),
        (b"=?utf-8?q?a=0D=0ABcc:_x?=", "a  Bcc: x"),
        (b"=?nonsense?q?a?=", "a"),
        (b"=?utf-8?x?a?= =?broken =? =?a?b", "=?utf-8?x?a?= =?broken =? =?a?b"),
        (b"=?utf-7?q?+2AA-?=", "?"),
        (b"=?utf-8?b?w7x?=", "ü"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        (b"a\r\n\tb\0c", "a b c"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
    ],
)
def test_text(raw: bytes, text: str) -> None:
    assert decode_text(raw) == text


@given(st.lists(st.sampled_from([b"=?", b"?=", b"utf-8?q?", b"utf-7?b?", b"=C3", b" ", b"\r\n "])))
def test_text_is_always_fit_to_store(pieces: list[bytes]) -> None:
    text = decode_text(b"".join(pieces))
    text.encode()
    assert not any(c < " " for c in text)


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    decode_text(data).encode()
    assert 0 <= header_block(data) <= len(data)
    assert all(field.name.islower() or field.name.isascii() for field in fields(data))


@pytest.mark.parametrize(
    "bomb",
    [
        b"Subject: " + b"=?" * 100_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 20_000,
        b"Subject: " + b"=?utf-8?q?" * 25_000,
        b"To: a\r\n" * 200_000,
        b"To:" + b"\r\n " * 340_000,
        b"a" * 1_000_000,
        b"\n" * 1_000_000,
    ],
    ids=["open", "words", "unended", "fields", "folds", "name", "lines"],
)
def test_bombs_are_linear(bomb: bytes) -> None:
    begun = time.process_time()
    fields(bomb)
    decode_text(bomb)
    assert time.process_time() - begun < 1
