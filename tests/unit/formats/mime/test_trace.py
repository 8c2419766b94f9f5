"""Header lines we write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.mime.headers import fields, unfold
from posthouse.formats.mime.trace import Hop, delivered_to, header_line, received_line, return_path


def test_received() -> None:
    hop = Hop("mx (x", "192.0.2.1", "mail.example.org", "ESMTPS", "q1", 0, "a@b", "TLSv1.3 X")
    assert received_line(hop) == (
        b"Received: from mx ?x ([192.0.2.1])\r\n"
        b"\tby mail.example.org with ESMTPS (TLSv1.3 X)\r\n"
        b"\tid q1\r\n\tfor <a@b>; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
    )


def test_others() -> None:
    assert return_path("") == b"Return-Path: <>\r\n"
    assert delivered_to("a@b") == b"Delivered-To: a@b\r\n"


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", "a\r\nBcc: x"])
def test_line_ends_are_refused(bad: str) -> None:
    for write in (
        lambda: header_line("X", bad),
        lambda: header_line(bad, "x"),
        lambda: return_path(bad),
        lambda: delivered_to(bad),
        lambda: received_line(Hop(bad, "", "b", "SMTP", "q", 0)),
        lambda: received_line(Hop("h", "", "b", "SMTP", "q", 0, bad)),
    ):
        with pytest.raises(ValueError, match=r"CR, LF or NUL|not a field name"):
            write()


@given(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=300))
def test_any_value_is_one_field(value: str) -> None:
    line = header_line("X-Test", value)
    assert line.endswith(b"\r\n")
    (field,) = fields(line + b"\r\n")
    assert unfold(field.value).decode() == value.strip(" \t")
