from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.formats.mime.dots import stuff
from posthouse.protocols.smtp.wire.commands import Fault
from posthouse.protocols.smtp.wire.content import DottedContent, Stuffing

BIG = 1 << 30
_TEXT = st.lists(
    st.sampled_from([b"\r\n", b".", b"a", b"\r\n.", b"\r\n..", b"\xff", b"\0", b"word "]),
    max_size=40,
).map(b"".join)
_BROKEN = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", b"\r\n.\r\n", b"\n.\n", b"\r\r\n"]),
    max_size=30,
).map(b"".join)


def pieces(data, cuts):
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


def take_all(content, parts):
    """Feed until the end; what belongs to the content, and the end."""
    out = b""
    for part in parts:
        taken, end = content.take(part)
        out += part[:taken]
        if end is not None:
            return out, end
    return out, None


def has_bare_eol(data):
    rest = data.replace(b"\r\n", b"")
    return b"\r" in rest or b"\n" in rest


@given(_TEXT, st.lists(st.integers(0, 80)), st.binary(max_size=10))
@settings(max_examples=300)
def test_any_split_finds_the_same_end_and_shape(plain, cuts, behind):
    if not plain.endswith(b"\r\n") and plain:
        plain += b"\r\n"
    wire = stuff(plain)
    whole = wire.wire + behind
    out, end = take_all(DottedContent(BIG, 0), pieces(whole, cuts))
    assert out == wire.wire
    assert end.size_bytes == len(plain)
    assert end.has_dot_lines == wire.has_dot_lines
    assert end.fault is Fault.NONE


@given(_BROKEN, st.lists(st.integers(0, 80)))
@settings(max_examples=400)
def test_only_crlf_dot_crlf_ends_and_bare_line_ends_are_always_seen(data, cuts):
    whole = data + b"\r\n.\r\n"
    until = (b"\r\n" + whole).find(b"\r\n.\r\n") + 3
    out, end = take_all(DottedContent(BIG, 0), pieces(whole, cuts))
    assert end is not None
    if has_bare_eol(whole[:until]):
        assert end.fault is Fault.BARE_EOL
    else:
        assert end.fault is Fault.NONE
        assert out == whole[:until]


def test_a_line_with_one_dot_that_was_not_doubled_counts_as_a_dot_line():
    _out, end = take_all(DottedContent(BIG, 0), [b".hidden\r\n.\r\n"])
    assert (end.size_bytes, end.has_dot_lines) == (len(b"hidden\r\n"), True)


def test_the_empty_message():
    out, end = take_all(DottedContent(BIG, 0), [b".", b"\r\n"])
    assert (out, end.size_bytes, end.has_dot_lines) == (b".\r\n", 0, False)


def test_a_message_of_dot_lines_only_is_linear():
    data = b"..\r\n" * 400_000 + b".\r\n"
    _out, end = take_all(DottedContent(BIG, 0), [data])
    assert end.size_bytes == 3 * 400_000


def test_too_large_is_told_at_the_end_and_endless_at_once():
    content = DottedContent(10, 100)
    assert content.take(b"x" * 50) == (50, None)
    assert content.fault is Fault.TOO_LARGE
    taken, end = content.take(b"\r\n.\r\nQUIT\r\n")
    assert (taken, end.fault) == (5, Fault.TOO_LARGE)
    content = DottedContent(10, 100)
    assert content.take(b"x" * 111)[1].fault is Fault.ENDLESS


def test_exactly_the_limit_is_taken():
    for size, fault in ((10, Fault.NONE), (11, Fault.TOO_LARGE)):
        data = b"x" * (size - 2) + b"\r\n.\r\n"
        for cuts in ([], range(len(data))):
            assert take_all(DottedContent(10, 100), pieces(data, cuts))[1].fault is fault


def test_a_client_of_bare_lf_is_told_when_it_waits():
    content = DottedContent(BIG, 0)
    assert content.take(b"Subject: x\n\nbody\n")[1] is None
    assert content.take(b".\n")[1].fault is Fault.BARE_EOL


@given(_TEXT, st.lists(st.integers(0, 80)))
@settings(max_examples=300)
def test_stuffing_is_the_same_over_any_split(plain, cuts):
    stuffing = Stuffing()
    out = b"".join(stuffing.take(part) for part in pieces(plain, cuts))
    closing, end = stuffing.finish(BIG)
    expected = stuff(plain)
    assert out + closing == expected.wire
    assert end.has_dot_lines == expected.has_dot_lines
    assert end.lacks_final_eol == expected.lacks_final_eol
    assert end.size_bytes == len(plain)
    assert end.fault is Fault.NONE


@given(_BROKEN, st.lists(st.integers(0, 80)))
@settings(max_examples=300)
def test_stuffing_sees_every_bare_line_end(data, cuts):
    stuffing = Stuffing()
    for part in pieces(data, cuts):
        stuffing.take(part)
    assert (stuffing.finish(BIG)[1].fault is Fault.BARE_EOL) == has_bare_eol(data)
