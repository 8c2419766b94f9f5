"""Content lines and values on any bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.ical.lines import Property, bytes_from_document, document_from_bytes, fold
from posthouse.formats.ical.values import (
    duration_from_ms,
    items_of_value,
    ms_from_duration,
    text_from_value,
    value_from_text,
)
from posthouse.model.errors import ParserFailed, TooLarge

pieces = st.sampled_from(
    [
        b"BEGIN:VCALENDAR\r\n",
        b"END:VCALENDAR\r\n",
        b"BEGIN:A\n",
        b"END:A\n",
        b"BEGIN:B\r\n",
        b"END:B",
        b"X:y\r\n",
        b"\r\n",
        b" z\r\n",
        b"\xef\xbb\xbf",
        b"\xff\0",
    ]
)
printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(st.lists(pieces).map(b"".join))
def test_any_document_is_given_back(data: bytes) -> None:
    data = b"BEGIN:VCALENDAR\r\n" + data
    with contextlib.suppress(ParserFailed, TooLarge):
        assert bytes_from_document(document_from_bytes(data)) == data


@given(printable)
def test_folds_cut_no_character(text: str) -> None:
    data = fold("X:" + text)
    for line in data.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    assert Property(data).value == text


@given(printable, printable.filter(bool))
def test_parameters_carry_any_text(value: str, text: str) -> None:
    prop = Property(b'X;A=1;keep=x^\'y;B="2":v\r\n').changed(value, {"B": text + "\n"})
    assert prop.value == value
    assert prop.parameter("B") == text + "\n"
    assert b";A=1;keep=x^'y;B=" in prop.raw.replace(b"\r\n ", b"")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"))))
def test_text_lists(texts: list[str]) -> None:
    texts = [text for text in texts if text == text.strip() and text]
    value = ",".join(map(value_from_text, texts))
    assert [text_from_value(item) for item in items_of_value(value, 1000)] == texts


@given(st.integers(-(10**9), 10**9))
def test_durations(seconds: int) -> None:
    assert ms_from_duration(duration_from_ms(seconds * 1000)) == seconds * 1000


def test_what_follows_a_forgotten_end_stays_outside() -> None:
    root = document_from_bytes(b"BEGIN:VCALENDAR\nBEGIN:A\nBEGIN:A\nX:1\nEND:VCALENDAR\n")
    tree = root.components("VCALENDAR")[0]
    tree.children.append(Property(b"Y:2\n"))
    again = document_from_bytes(bytes_from_document(root)).components("VCALENDAR")[0]
    assert again.value("Y") == "2"


@pytest.mark.parametrize(
    ("raw", "name"),
    [(b"X;A=b\r\n", ""), (b":v\r\n", ""), (b"x-y:\r\n", "X-Y"), (b'X;A="b:c\r\n', "")],
)
def test_what_is_a_property(raw: bytes, name: str) -> None:
    assert Property(raw).name == name
