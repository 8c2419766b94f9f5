"""Address lists."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.addresses import HeaderAddress, parse_addresses


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a@b.c", [("", "a@b.c", "")]),
        (b" Alice <a@b.c>,\r\n Bob\t<b@b.c> ,", [("Alice", "a@b.c", ""), ("Bob", "b@b.c", "")]),
        (b'"Last, First" <a@b.c>', [("Last, First", "a@b.c", "")]),
        (b'"A \\"B\\" C" <a@b.c>', [('A "B" C', "a@b.c", "")]),
        (b"a@b.c (Alice (from work))", [("Alice (from work)", "a@b.c", "")]),
        (b'"x y"@b.c', [("", '"x y"@b.c', "")]),
        (b'X <"a>b"@b.c>', [("X", '"a>b"@b.c', "")]),
        (b"Team: a@b, B <c@d>;, e@f", [("", "a@b", "Team"), ("B", "c@d", "Team"), ("", "e@f", "")]),
        (b"undisclosed-recipients:;", []),
        (b"<@r,@s:z@q>", [("", "z@q", "")]),
        (b"=?utf-8?q?J=C3=B6?= <j@x>", [("Jö", "j@x", "")]),
        (b"<a@b> <c@d>", [("", "a@b", ""), ("", "c@d", "")]),
        (b"nobody", [("nobody", "", "")]),
        (b"a @ b . c", [("", "a@b.c", "")]),
        (b"a@[192.0.2.1]", [("", "a@[192.0.2.1]", "")]),
        (b"<>", [("", "", "")]),
        ("ä@ü.example".encode(), [("", "ä@ü.example", "")]),
        (b'"Open <a@b', [("Open <a@b", "", "")]),
    ],
)
def test_lists(raw: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert parse_addresses(raw) == [HeaderAddress(*row) for row in expected]


PIECES = st.sampled_from([*'",:;<>()\\[]@ab. ', "=?utf-8?q?", "?=", "\r\n "])


@given(st.lists(PIECES, max_size=60))
def test_any_text(pieces: list[str]) -> None:
    for entry in parse_addresses("".join(pieces).encode()):
        assert "\n" not in entry.name + entry.address
        assert entry.address == "" or entry.address.rpartition("@")[0]


def test_bound() -> None:
    assert len(parse_addresses(b"a@b," * 20_000)) == 10_000
    assert len(parse_addresses(b"a@b," * 20, addresses_max=3)) == 3


@pytest.mark.parametrize(
    "bomb", [b"(", b'"', b"<", b":", b"a:", b"[", b"\\", b'<"', b'<">', b"(\\", b"a<b>c"]
)
def test_bombs_are_linear(bomb: bytes) -> None:
    begun = time.process_time()
    parse_addresses(bomb * 100_000)
    assert time.process_time() - begun < 1.5
