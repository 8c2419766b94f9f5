"""mbox files in both line ends, quoted and damaged."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats import mbox
from posthouse.formats.mbox import MboxMessage, is_mbox, mbox_entry, read_mbox


class Dribble(io.RawIOBase):
    """Gives a few bytes at a time, as a slow disk might."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data = data
        self.step = step
        self.pos = 0

    def read(self, size: int = -1) -> bytes:
        piece = self.data[self.pos : self.pos + self.step]
        self.pos += self.step
        return piece


def read(data: bytes, step: int = 1 << 20, **limits: int) -> list[MboxMessage]:
    return list(read_mbox(Dribble(data, step), **limits))


ONE = b"Subject: one\n\nFrom here on\n>From quoted\n>>From deeper\n"
TWO = b"Subject: two\n\nbody\n"
FILE = b"From a@b Thu Jan  1 00:00:01 1970\n" + ONE + b"\n"
FILE += b"From mary at example Thu, 1 Jan 1970 00:00:02 +0000\n" + TWO + b"\n"


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_messages_come_out_unquoted(step: int, eol: bytes) -> None:
    found = read(FILE.replace(b"\n", eol), step)
    assert [m.content.replace(eol, b"\n") for m in found] == [
        b"Subject: one\n\nFrom here on\nFrom quoted\n>From deeper\n",
        TWO,
    ]
    assert [m.received_at for m in found] == [1_000, 2_000]
    assert found[0].offset == 0
    assert found[0].end == found[1].offset
    assert found[1].end == len(FILE.replace(b"\n", eol))


def test_a_from_line_needs_an_empty_line_and_a_time() -> None:
    body = b"Subject: x\n\ntext\nFrom a Thu Jan  1 00:00:01 1970\n\nFrom now on, no time\nend\n"
    (message,) = read(b"From a Thu Jan  1 00:00:01 1970\n" + body + b"\n")
    assert message.content == body


def test_too_large_messages_are_left_out_and_the_rest_is_read() -> None:
    big = b"Subject: big\n\n" + b"x\n" * 2_000_000
    data = mbox_entry(TWO, "a", 0) + mbox_entry(big, "b", 0) + mbox_entry(ONE, "c", 0)
    found = read(data, message_bytes_max=100_000)
    assert [m.is_too_large for m in found] == [False, True, False]
    assert [m.content for m in found] == [TWO, b"", ONE]


def test_no_mbox() -> None:
    assert read(b"") == []
    assert read(b"Subject: x\n\nno mbox\n") == []
    assert not is_mbox(b"From: a@b\n")
    assert is_mbox(FILE)


LINES = st.lists(
    st.sampled_from([b"From ", b">From ", b">>", b"a", b"\n", b"\n\n", b"From a 00:00", b":"])
).map(b"".join)


@given(st.lists(LINES.map(lambda text: text + b"\n"), max_size=5), st.integers(1, 50))
def test_read_undoes_write(messages: list[bytes], step: int) -> None:
    data = b"".join(mbox_entry(m, "a@b", 5_000) for m in messages)
    assert [m.content for m in read(data, step)] == messages


@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes(data: bytes, step: int) -> None:
    assert read(b"From a 00:00\n" + data, step) == read(b"From a 00:00\n" + data)


def test_crlf_is_written_as_lf() -> None:
    assert b"\r" not in mbox_entry(b"a\r\nb\r\n", "", 0)
    assert b"a\r\nb\n" in mbox_entry(b"a\r\nb\n", "", 0)


def test_chunks_do_not_hide_separators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbox, "_CHUNK_BYTES", 16)
    assert len(list(read_mbox(io.BytesIO(FILE * 50)))) == 100
