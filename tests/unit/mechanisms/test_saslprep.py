"""SASLprep by the examples of RFC 4013 §3, and what we do around it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.mechanisms.saslprep import (
    password_from_octets,
    prepared_for_check,
    prepared_for_keeping,
    saslprep,
)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("u\u0308", "\u00fc"),
    ],
)
def test_examples_of_the_rfc(text, prepared):
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u06271", "\u0627a\u0627", "\ue000", "\ufffd"])
def test_prohibited(text):
    with pytest.raises(ValueError, match="character"):
        saslprep(text)


def test_a_code_point_newer_than_unicode_3_2_may_be_asked_for_but_not_kept():
    assert saslprep("\u1f600"[0] + "\U0001f600") == "\u1f60\U0001f600"
    with pytest.raises(ValueError, match=r"Unicode 3\.2"):
        saslprep("\U0001f600", is_stored=True)


def test_octets_are_utf8_or_else_what_desktops_send():
    assert password_from_octets("grün".encode()) == "grün"
    assert password_from_octets("grün€".encode("cp1252")) == "grün€"
    assert password_from_octets(b"\xfc\x81") == "ü\x81"


def test_a_password_is_the_same_however_it_was_typed():
    kept = prepared_for_keeping("gru\u0308n")
    for typed in ("grün", "grün".encode(), "gru\u0308n".encode(), "grün".encode("cp1252")):
        assert prepared_for_check(typed) == kept


def test_what_cannot_be_prepared_is_compared_as_it_came():
    assert prepared_for_check("a\u0007") == b"a\x07"


@pytest.mark.parametrize("password", ["", "\u00ad", "x" * 1025, "tab\there"])
def test_what_may_not_be_a_password(password):
    with pytest.raises(ValueError, match=r"\w"):
        prepared_for_keeping(password)


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_any_password_can_be_checked(password):
    assert isinstance(prepared_for_check(password), bytes)
