"""PLAIN messages: read as RFC 4616 says, or refused."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.mechanisms.plain import message_from_octets
from posthouse.model.errors import RemoteProtocolError

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)


def test_names_and_password_are_told_apart():
    message = message_from_octets(b"\0alice\0pass word")
    assert (message.authzid, message.authcid, message.password) == ("", "alice", b"pass word")
    message = message_from_octets("bob\0älice\0p".encode())
    assert (message.authzid, message.authcid) == ("bob", "älice")


def test_the_password_is_not_shown():
    assert "geheim" not in repr(message_from_octets(b"\0alice\0geheim"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"alice",
        b"alice\0pass",
        b"\0\0pass",
        b"\0alice\0",
        b"\0alice\0pass\0more",
        b"\0\xff\0pass",
        b"\0" + b"a" * 1025 + b"\0pass",
        b"\0alice\0" + b"p" * 1025,
    ],
)
def test_anything_else_is_refused(raw):
    with pytest.raises(RemoteProtocolError):
        message_from_octets(raw)


@settings(max_examples=100)
@given(TEXT, TEXT.filter(bool), st.binary(min_size=1, max_size=50).filter(lambda b: b"\0" not in b))
def test_whatever_is_said_comes_back(authzid, authcid, password):
    raw = authzid.encode() + b"\0" + authcid.encode() + b"\0" + password
    message = message_from_octets(raw)
    assert (message.authzid, message.authcid, message.password) == (authzid, authcid, password)


@settings(max_examples=100)
@given(st.binary(max_size=100))
def test_no_input_does_worse_than_being_refused(raw):
    with contextlib.suppress(RemoteProtocolError):
        message_from_octets(raw)
