"""Dot-stuffing: between plain content and wire form.

Spec: RFC 5321 §4.5.2 (transparency), RFC 1939 §3 (multi-line responses).

Notes:
    Only CRLF ends a line here. A bare CR or LF is content; doors that must refuse it ask
    ``find_bare_eol``.
"""

from __future__ import annotations

from typing import NamedTuple

TERMINATOR = b".\r\n"


class Stuffed(NamedTuple):
    """Content in wire form.

    Attributes:
        wire: CRLF lines, leading dots doubled, a final CRLF, then the terminator.
        has_dot_lines: some line was doubled.
        lacks_final_eol: the plain content did not end in CRLF.
    """

    wire: bytes
    has_dot_lines: bool
    lacks_final_eol: bool


def stuff(plain: bytes) -> Stuffed:
    """Wire form of plain content; ``unstuff`` is its inverse."""
    has_dot_lines = plain.startswith(b".") or b"\r\n." in plain
    lacks_final_eol = not plain.endswith(b"\r\n") and plain != b""
    ending = b"\r\n.\r\n" if lacks_final_eol else TERMINATOR
    if not has_dot_lines:
        return Stuffed(plain + ending, has_dot_lines, lacks_final_eol)
    lead = b"." if plain.startswith(b".") else b""
    body = plain.replace(b"\r\n.", b"\r\n..")
    return Stuffed(b"".join((lead, body, ending)), has_dot_lines, lacks_final_eol)


def unstuff(wire: bytes | memoryview, *, lacks_final_eol: bool = False) -> bytes:
    """Plain content of a wire form that ends with its terminator.

    A line's first dot goes whether or not another follows (RFC 5321 §4.5.2), so a sender who forgot
    to double a dot loses it here as at any other receiver.

    Args:
        wire: whole stored form, terminator included.
        lacks_final_eol: take the last CRLF away too.
    """
    size = len(wire) - len(TERMINATOR)
    if lacks_final_eol:
        size -= 2
    plain = bytes(wire[: max(size, 0)])
    if b"\r\n." in plain:
        plain = plain.replace(b"\r\n.", b"\r\n")
    return plain[1:] if plain.startswith(b".") else plain


def plain_beginning(wire: bytes | memoryview, size: int, *, has_dot_lines: bool) -> bytes:
    """The first octets of the plain content, without undoing all of a long message.

    Args:
        wire: whole stored form, terminator included.
        size: octets wanted; at most as many as the plain content has.
        has_dot_lines: some line begins with a doubled dot.
    """
    if not has_dot_lines:
        return bytes(wire[:size])
    taken = size + 64
    while True:
        plain = bytes(wire[:taken]).replace(b"\r\n.", b"\r\n")
        plain = plain.removeprefix(b".")
        if len(plain) >= size or taken >= len(wire):
            return plain[:size]
        taken *= 2


def count_dot_lines(wire: bytes) -> int:
    """How many content lines begin with a dot: plain size = stored size - 3 - this."""
    count = wire.count(b"\r\n.") + wire.startswith(b".")
    return count - 1 if wire.endswith(b"\r\n.\r\n") or wire == TERMINATOR else count


def find_bare_eol(data: bytes | bytearray, *, follows_cr: bool = False) -> int:
    """Where the first CR without LF or LF without CR stands; -1 when there is none.

    Args:
        data: a piece of a stream. A CR at its very end is not counted: the next piece tells.
        follows_cr: the piece before ended in CR.
    """
    pairs = data.count(b"\r\n")
    lone_lf_ok = follows_cr and data.startswith(b"\n")
    lone_cr_ok = data.endswith(b"\r")
    if (
        data.count(b"\n") - lone_lf_ok == pairs == data.count(b"\r") - lone_cr_ok
        and follows_cr == lone_lf_ok
    ) or not data:
        return -1
    return _locate_bare_eol(data, follows_cr=follows_cr)


def _locate_bare_eol(data: bytes | bytearray, *, follows_cr: bool) -> int:
    if follows_cr and not data.startswith(b"\n"):
        return 0
    pos = 1 if follows_cr else 0
    last = len(data) - 1
    while True:
        lf = data.find(b"\n", pos)
        cr = data.find(b"\r", pos, lf if lf >= 0 else last)
        if cr >= 0 and cr + 1 != lf:
            return cr
        if lf < 0:
            return -1
        if lf == 0 or data[lf - 1] != 13:
            return lf
        pos = lf + 1


def crlf_from_lf(data: bytes) -> bytes:
    """Content without any CRLF, with every LF made one; anything else as it is."""
    if b"\r\n" not in data:
        return data.replace(b"\n", b"\r\n")
    return data
