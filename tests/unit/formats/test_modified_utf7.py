"""Folder names in ASCII."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.formats.modified_utf7 import decode, encode


@pytest.mark.parametrize(
    ("name", "text"),
    [("Entwürfe", "Entw&APw-rfe"), ("A&B", "A&-B"), ("台北", "&U,BTFw-"), ("plain", "plain")],
)
def test_names(name: str, text: str) -> None:
    assert encode(name) == text
    assert decode(text) == name


def test_more_to_shift() -> None:
    assert encode("a.b/c", "./") == "a&AC4-b&AC8-c"
    assert decode("a&AC4-b&AC8-c") == "a.b/c"


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Zl", "Zp"]))
)
def test_decode_undoes_encode(name: str) -> None:
    if name.isprintable():
        assert decode(encode(name, ".")) == name


@given(st.text(max_size=30))
def test_any_text(text: str) -> None:
    decode(text)
