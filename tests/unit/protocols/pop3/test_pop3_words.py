"""Names, ids, texts, tags: the pure parts of the door besides its machine."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.formats.mime.dots import stuff
from posthouse.protocols.pop3.wire.capabilities import Circumstances, capability_lines
from posthouse.protocols.pop3.wire.content import folder_tag, header_end, top_end
from posthouse.protocols.pop3.wire.login_name import LoginName, login_name_from_text
from posthouse.protocols.pop3.wire.texts import LANGUAGES, language_for
from posthouse.protocols.pop3.wire.texts_table import Text
from posthouse.protocols.pop3.wire.uidl import (
    ImportedUidls,
    is_uidl,
    item_id_from_own,
    list_lines,
    own_uidl,
    uidl_lines,
    uidl_of,
    without_lines,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("alice@example.org", LoginName("alice@example.org")),
        (" alice ", LoginName("alice")),
        ("alice+Projects@example.org", LoginName("alice@example.org", "Projects")),
        ("alice+Projects/2026@example.org", LoginName("alice@example.org", "Projects/2026")),
        ("alice+Sent Items", LoginName("alice", "Sent Items")),
        ("alice+a+b@example.org", LoginName("alice@example.org", "a+b")),
        ("alice+me@work@example.org", LoginName("alice@example.org", "me@work")),
        ("EXAMPLE\\alice+Projects", LoginName("EXAMPLE\\alice", "Projects")),
        ("recent:alice@example.org", LoginName("alice@example.org", "", is_recent=True)),
        ("RECENT:alice", LoginName("alice", "", is_recent=True)),
        ("recent:alice+Projects", LoginName("alice", "Projects", is_recent=True)),
        ("+Projects@example.org", LoginName("+Projects@example.org")),
        ('"a+b"@example.org', LoginName('"a+b"@example.org')),
        ("alice+@example.org", LoginName("alice@example.org")),
        ("", LoginName("")),
        (
            "alice@example.org\\office@example.org",
            LoginName("alice@example.org", mailbox="office@example.org"),
        ),
        ("alice@example.org\\office", LoginName("alice@example.org", mailbox="office")),
        ("EXAMPLE\\alice\\office", LoginName("EXAMPLE\\alice", mailbox="office")),
        (
            "EXAMPLE\\alice@example.org\\office",
            LoginName("EXAMPLE\\alice@example.org", mailbox="office"),
        ),
        (
            "recent:alice@example.org\\office+Projects/2026@example.org",
            LoginName(
                "alice@example.org", "Projects/2026", is_recent=True, mailbox="office@example.org"
            ),
        ),
        (
            "alice@example.org\\office+a\\b",
            LoginName("alice@example.org", "a\\b", mailbox="office"),
        ),
        ("EXAMPLE\\alice", LoginName("EXAMPLE\\alice")),
        ("EXAMPLE\\alice@example.org", LoginName("EXAMPLE\\alice@example.org")),
        ("alice+me@x\\work@example.org", LoginName("alice@example.org", "me@x\\work")),
        ("EXAMPLE\\alice+a\\b", LoginName("EXAMPLE\\alice", "a\\b")),
        ("alice@example.org\\", LoginName("alice@example.org\\")),
        ('"a@b\\c"@example.org', LoginName('"a@b\\c"@example.org')),
    ],
)
def test_login_names(text: str, name: LoginName) -> None:
    assert login_name_from_text(text) == name


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_every_text_is_a_login_name(text: str) -> None:
    name = login_name_from_text(text)
    assert len(name.address) + len(name.folder) + len(name.mailbox) <= len(text)


@given(st.integers(1, 2**48))
def test_own_uidl_is_grammatical_and_reversible(item_id: int) -> None:
    text = own_uidl(item_id)
    assert is_uidl(text)
    assert item_id_from_own(text) == item_id


@pytest.mark.parametrize("text", ["", "p", "px", "p0a", "pA", "p1_0", "p 1", "p-1", "q1", "p+1"])
def test_what_is_not_an_own_uidl(text: str) -> None:
    assert item_id_from_own(text) is None


def test_imported_uidls_are_kept() -> None:
    imported = ImportedUidls()
    imported.add([(5, "0001f3a2"), (6, "bad id"), (7, "x" * 71), (8, "0001f3a2")])  # type: ignore[list-item]
    assert uidl_of(5, imported.by_item) == "0001f3a2"
    assert uidl_of(6, imported.by_item) == "p6"
    assert uidl_of(7, imported.by_item) == "p7"
    assert uidl_of(8, imported.by_item) == "p8", "the id is taken already"
    assert imported.last_item_id == 8


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.integers(1, 40),
        st.one_of(
            st.integers(1, 50).map(own_uidl),
            st.integers(1, 50).map(lambda i: own_uidl(i) + "~"),
            st.sampled_from(["a", "b"]),
        ),
        max_size=30,
    ),
    st.integers(0, 40),
)
def test_uidls_are_unique_and_what_was_shown_stays(brought: dict[int, str], cut: int) -> None:
    every = sorted(brought.items())
    early, whole = ImportedUidls(), ImportedUidls()
    early.add([(i, t) for i, t in every if i <= cut])  # type: ignore[misc]
    whole.add(every)  # type: ignore[arg-type]
    shown = [uidl_of(i, whole.by_item) for i in range(1, 60)]
    assert len(set(shown)) == len(shown)
    assert [uidl_of(i, early.by_item) for i in range(1, cut + 1)] == shown[:cut]


def test_lines() -> None:
    assert uidl_lines(3, [10, 255], {}) == b"3 pa\r\n4 pff\r\n"
    assert uidl_lines(1, [10, 11], {11: "old"}) == b"1 pa\r\n2 old\r\n"
    assert list_lines(1, [120, 200], 0) == b"1 120\r\n2 200\r\n"
    assert list_lines(1, [120], 30) == b"1 150\r\n"
    assert without_lines(b"3 a\r\n4 b\r\n5 c\r\n", 3, [4]) == b"3 a\r\n5 c\r\n"


def test_all_languages_say_everything_with_the_same_fields() -> None:
    fields = {
        text: {f for _, f, _, _ in string.Formatter().parse(LANGUAGES[0].texts[text]) if f}
        for text in Text
    }
    for language in LANGUAGES:
        assert set(language.texts) == set(Text)
        for text, words in language.texts.items():
            assert {f for _, f, _, _ in string.Formatter().parse(words) if f} == fields[text]
            assert "\r" not in words
            assert "\n" not in words
            # A text that began like a response code would be taken for one (RFC 2449 §8).
            assert not words.startswith("[")
    assert all(words.isascii() for words in LANGUAGES[0].texts.values())


@pytest.mark.parametrize(
    ("language_range", "tag"),
    [("de", "de"), ("DE-at", "de"), ("en-GB-oed", "en"), ("*", "en"), ("fr", None), ("d", None)],
)
def test_languages(language_range: str, tag: str | None) -> None:
    language = language_for(language_range)
    assert (language and language.tag) == tag


def test_answers_fit_their_line() -> None:
    for language in LANGUAGES:
        for text in Text:
            fields = {
                "count": 10**9,
                "octets": 10**12,
                "msg_no": 10**9,
                "seconds": 999,
                "tag": "de",
            }
            assert len(language.err(text, None, **fields)) <= 512


def _capabilities(**changes: object) -> list[str]:
    now = {
        "can_start_tls": True,
        "allows_plain": False,
        "is_logged_in": False,
        "login_delay_s": 0,
        "version": "9.9",
    }
    return capability_lines(Circumstances(**{**now, **changes})).decode().split("\r\n")[:-1]  # type: ignore[arg-type]


def test_capabilities_tell_the_truth() -> None:
    assert _capabilities() == [
        "TOP",
        "UIDL",
        "SASL SCRAM-SHA-256",
        "STLS",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "EXPIRE NEVER",
        "LOGIN-DELAY 0",
        "UTF8 USER",
        "LANG",
        "IMPLEMENTATION Posthouse",
    ]
    inside = _capabilities(can_start_tls=False, allows_plain=True, is_logged_in=True)
    assert "USER" in inside
    assert "STLS" not in inside
    assert "SASL SCRAM-SHA-256 PLAIN" in inside
    assert "IMPLEMENTATION Posthouse-9.9" in inside
    assert "LOGIN-DELAY 60" in _capabilities(login_delay_s=60)


@settings(max_examples=100)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1, max_size=255))
def test_folder_tags_are_one_header_line(name: str) -> None:
    tag = folder_tag(name)
    assert tag.isascii()
    assert tag.endswith(b"\r\n")
    lines = tag[:-2].split(b"\r\n")
    assert all(line.startswith(b" ") for line in lines[1:])
    if name.isascii() and name.isprintable():
        assert tag == b"X-Posthouse-Folder: " + name.encode() + b"\r\n"
    else:
        words = tag.partition(b": ")[2].split()
        assert all(len(word) <= 75 for word in words)
        text = b"".join(base64.b64decode(word[10:-2]) for word in words)
        assert text.decode() == name


_MESSAGE = st.lists(
    st.sampled_from([b"Subject: x", b"", b".", b"..", b"a\r", b"\n", b"y" * 40, b"z" * 16380]),
    max_size=12,
)


@settings(max_examples=200)
@given(_MESSAGE, st.integers(0, 15), st.booleans())
def test_top_is_the_header_and_so_many_lines(lines: list[bytes], count: int, ends: bool) -> None:
    plain = b"\r\n".join(lines) + (b"\r\n" if ends else b"")
    wire = stuff(plain).wire
    head, empty, body = wire[:-3].partition(b"\r\n\r\n")
    if wire.startswith(b"\r\n"):
        head, empty, body = b"", b"\r\n", wire[2:-3]
    expected = head + empty + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:-1][:count])
    if not empty:
        expected = wire[:-3]
    assert wire[: top_end(memoryview(wire), count)] == expected
    assert header_end(memoryview(wire)) == len(head + empty)
