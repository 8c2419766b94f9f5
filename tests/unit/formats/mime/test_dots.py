"""Wire form and back."""

from hypothesis import example, given
from hypothesis import strategies as st

from posthouse.formats.mime.dots import (
    count_dot_lines,
    crlf_from_lf,
    find_bare_eol,
    plain_beginning,
    stuff,
    unstuff,
)

LINES = st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"\n", b"a", b"..", b"\0"])).map(b"".join)


@given(LINES)
@example(b"")
@example(b".")
@example(b"\r\n.\r\n.\r\n")
@example(b".\r\n")
def test_unstuff_undoes_stuff(plain: bytes) -> None:
    wire, has_dot_lines, lacks_final_eol = stuff(plain)
    assert wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"
    assert b"\r\n.\r\n" not in wire[:-3] + b"x"
    assert unstuff(memoryview(wire), lacks_final_eol=lacks_final_eol) == plain
    assert (count_dot_lines(wire) > 0) == has_dot_lines
    assert len(wire) - 3 - count_dot_lines(wire) - 2 * lacks_final_eol == len(plain)


def test_a_dot_that_nobody_doubled_is_lost() -> None:
    assert unstuff(b".a\r\n.b\r\n.\r\n") == b"a\r\nb\r\n"


def bare_eol_slowly(data: bytes, follows_cr: bool) -> int:
    shift = 1 if follows_cr else 0
    whole = b"\r" * shift + data
    for i, c in enumerate(whole):
        if c == 13 and i + 1 < len(whole) and whole[i + 1] != 10:
            return max(i - shift, 0)
        if c == 10 and (i == 0 or whole[i - 1] != 13):
            return i - shift
    return -1


@given(LINES, st.booleans())
def test_bare_line_ends_are_found(data: bytes, follows_cr: bool) -> None:
    assert find_bare_eol(data, follows_cr=follows_cr) == bare_eol_slowly(data, follows_cr)


def test_only_pure_lf_becomes_crlf() -> None:
    assert crlf_from_lf(b"a\nb\n") == b"a\r\nb\r\n"
    assert crlf_from_lf(b"a\r\nb\n") == b"a\r\nb\n"


@given(LINES, st.integers(0, 40))
def test_a_beginning_is_that_of_the_whole(plain: bytes, size: int) -> None:
    wire, has_dot_lines, lacks_final_eol = stuff(plain)
    wanted = min(size, len(plain))
    found = plain_beginning(memoryview(wire), wanted, has_dot_lines=has_dot_lines)
    assert found == plain[:wanted]
    whole = unstuff(wire, lacks_final_eol=lacks_final_eol)
    assert whole.startswith(found)
