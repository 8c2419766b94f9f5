from __future__ import annotations

import contextlib

import pytest
from eas_trees import NAME_PAIRS, trees
from hypothesis import given
from hypothesis import strategies as st

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.protocols.eas.wire.code_pages_table import NAMESPACES, OCTET_TAGS, TOKENS
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.wbxml import DEFAULT_LIMITS, HEADER, WbxmlLimits, decode, encode

FOLDER_SYNC = bytes.fromhex("03016a00 0007 56 52 03 30 00 01 01")
"""FolderSync with the SyncKey 0, as every phone begins."""
SYNC = HEADER + b"\x45"
FOLDERS = bytes.fromhex("03016a00 0007")


def hint(data, limits=DEFAULT_LIMITS):
    with pytest.raises(RemoteProtocolError) as e:
        decode(data, limits)
    return e.value.reply_hint


def test_first_words_of_a_phone():
    root = Element("FolderHierarchy", "FolderSync", [Element("FolderHierarchy", "SyncKey", "0")])
    assert decode(FOLDER_SYNC) == root
    assert encode(root) == FOLDER_SYNC


@given(trees)
def test_reading_undoes_writing(tree):
    assert decode(encode(tree)) == tree


@pytest.mark.parametrize(("namespace", "tag"), NAME_PAIRS)
def test_every_tag_of_every_page(namespace, tag):
    page, token = NAMESPACES.index(namespace), TOKENS[namespace][tag]
    switch = bytes((0, page)) if page else b""
    empty = Element(namespace, tag)
    assert encode(empty) == HEADER + switch + bytes((token,))
    for content in ("", "x", b"", b"\x00\xff", [Element(namespace, tag)]):
        element = Element(namespace, tag, content)
        if content == "x" and (namespace, tag) in OCTET_TAGS:
            with pytest.raises(LocalProtocolError):
                encode(element)
        else:
            assert decode(encode(element)) == element


def test_unknown_tokens_are_refused_on_every_page():
    for page, namespace in enumerate(NAMESPACES):
        for token in set(range(0x05, 0x40)) - set(TOKENS[namespace].values()):
            assert hint(HEADER + bytes((0, page, token))) == "wbxml"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"\x01\x01\x6a\x00", None),
        (b"\x02\x01\x6a\x00", None),
        (b"\x03\x01\x6a\x03ab\x00", None),
        (b"\x03\x80\x01\x80\x6a\x80\x00", None),
        (b"\x00\x01\x6a\x00", "wbxml"),
        (b"\x04\x01\x6a\x00", "wbxml"),
        (b"\x03\x00\x6a\x00", "wbxml"),
        (b"\x03\x02\x6a\x00", "wbxml"),
        (b"\x03\x01\x04\x00", "wbxml"),
        (b"\x03\x01\x6a\x7f", "wbxml"),
        (b"\x03\x01\x6a\x8f\xff\xff\xff\x7f", "limit"),
        (b"\x03\x01\x6a\x9f\xff\xff\xff\x7f", "wbxml"),
        (b"\x03\x01\x6a\x80\x80\x80\x80\x80\x00", "wbxml"),
    ],
)
def test_headers(header, expected):
    if expected is None:
        assert decode(header + b"\x05") == Element("AirSync", "Sync")
    else:
        assert hint(header + b"\x05") == expected


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b"\x4b\x01", ""),
        (b"\x4b\x03\x00\x01", ""),
        (b"\x4b\x03a\x00\x03\xc3\xa4\x00\x01", "aä"),
        (b"\x4b\x03a\x00\x02\x26\x02\x87\xec\x0b\x01", "a&\U0001f60b"),
        (b"\x4b\xc3\x00\x01", b""),
        (b"\x4b\xc3\x02a\x00\xc3\x01b\x01", b"a\x00b"),
        (b"\x4b\x00\x00\x03a\x00\x01", "a"),
    ],
)
def test_contents(body, content):
    assert decode(HEADER + body) == Element("AirSync", "SyncKey", content)


def test_string_table():
    table = b"\x03\x01\x6a\x06abc\x00\xc3\xa4"
    assert decode(table + b"\x4b\x83\x00\x83\x02\x01").text == "abcc"
    for reference in (b"\x04", b"\x06", b"\x7f", b"\x8f\xff\xff\xff\x7f"):
        assert hint(table + b"\x4b\x83" + reference + b"\x01") == "wbxml"


def test_references_to_the_string_table_do_not_multiply():
    data = b"\x03\x01\x6a\x81\x00" + b"a" * 127 + b"\x00" + b"\x4b" + b"\x83\x00" * 9 + b"\x01"
    assert len(decode(data, WbxmlLimits(table_text_bytes=9 * 127)).text) == 9 * 127
    assert hint(data, WbxmlLimits(table_text_bytes=9 * 127 - 1)) == "limit"
    assert hint(data, WbxmlLimits(table_bytes=127)) == "limit"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\x03a\x00",
        b"\x03a\x00\x05",
        b"\x45",
        b"\x00",
        b"\x00\x1a\x05",
        b"\x00\xff\x05",
        b"\x85\x01",
        b"\xc5\x01\x01",
        b"\x04\x00",
        b"\x44\x00\x01",
        b"\x45\x03a\x00\x05\x01",
        b"\x45\x05\x03a\x00\x01",
        b"\x45\x03a\x00\xc3\x01b\x01",
        b"\x4b\x03a",
        b"\x4b\x03\xff\x00\x01",
        b"\x4b\x03\xc3\x00\x03\xa4\x00\x01",
        b"\x4b\x03\xed\xa0\x80\x00\x01",
        b"\x4b\xc3\x02a\x01",
        b"\x4b\xc3\xff\xff\xff\xff\x0fa\x01",
        b"\x4b\xc3\x8f\xff\xff\xff\x7fa\x01",
        b"\x4b\x02\x00\x01",
        b"\x4b\x02\x83\xb0\x00\x01",
        b"\x4b\x02\xc4\x80\x00\x01",
        b"\x4b\x83\x00\x01",
        b"\x45\x40x\x00\x01",
        b"\x45\x80\x00\x01",
        b"\x45\xc0\x01",
        b"\x45\x43\x05\x01",
        b"\x05\x05",
        b"\x05\x01",
        b"\x05\x00",
    ],
)
def test_refusals(body):
    assert hint(HEADER + body) == "wbxml"


def deep(n):
    return HEADER + b"\x45" * (n - 1) + b"\x05" + b"\x01" * (n - 1)


def many(n):
    return SYNC + b"\x05" * (n - 1) + b"\x01"


def test_depth():
    assert decode(deep(64))
    assert hint(deep(65)) == "limit"
    assert hint(HEADER + b"\x45" * 1_000_000) == "limit"
    root = inner = Element("AirSync", "Sync")
    for _ in range(63):
        inner = inner.add("Sync")
    assert encode(root) == deep(64)
    inner.add("Sync")
    with pytest.raises(LocalProtocolError, match="deep"):
        encode(root)


def test_number_of_elements():
    assert len(decode(many(200_000)).children) == 199_999
    assert hint(many(200_001)) == "limit"


def test_number_of_pieces():
    pieces = HEADER + b"\x4b" + b"\x03a\x00" * 400_000
    assert decode(pieces + b"\x01").text == "a" * 400_000
    assert hint(pieces + b"\x03a\x00\x01") == "limit"
    assert hint(HEADER + b"\x00\x00" * 400_001 + b"\x05") == "limit"


@given(trees, st.data())
def test_cut_anywhere_is_refused(tree, draw):
    data = encode(tree)
    for at in range(len(data)) if len(data) < 200 else [draw.draw(st.integers(0, len(data) - 1))]:
        assert hint(data[:at]) == "wbxml"


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(data):
    for lead in (b"", HEADER, SYNC, FOLDERS, b"\x03\x01\x6a\x05ab\x00cd"):
        with contextlib.suppress(RemoteProtocolError):
            root = decode(lead + data)
            assert decode(encode(root)) == root


def test_octet_tags_get_octets_however_written():
    mime = bytes.fromhex("03016a00 0015 50")
    for body in (b"\x03a\x00\x01", b"\xc3\x01a\x01"):
        assert decode(mime + body).content == b"a"


@pytest.mark.parametrize(
    "element",
    [
        Element("AirSync", "Subject"),
        Element("AirSync:", "Sync"),
        Element("AirSync", "Email:Subject"),
        Element("AirSync", "SyncKey", "a\0"),
        Element("AirSync", "SyncKey", "\ud800"),
        Element("Email2", "ConversationId", "text"),
        Element("AirSync", "Sync", [Element("Email", "Sync")]),
    ],
)
def test_what_is_not_written(element):
    with pytest.raises(LocalProtocolError):
        encode(element)


def test_helpers():
    sync = Element("AirSync", "Sync")
    collection = sync.add("Collections").add("Collection")
    collection.add("SyncKey", "7")
    data = collection.add("ApplicationData")
    data.add("Email:Subject", "Hello")
    data.add("AirSyncBase:Body").add("Data", "ä".encode())
    assert sync.find("Collections", "Collection") is collection
    assert sync.find("Collections", "Nothing", "Collection") is None
    assert collection.number_of("SyncKey") == 7
    assert collection.number_of("WindowSize", 100) == 100
    assert collection.text_of("Class", "Email") == "Email"
    assert data.child("Subject") is None
    assert data.text_of("Email:Subject") == "Hello"
    body = data.child("AirSyncBase:Body")
    assert body.text_of("Data") == "ä"
    assert body.name == "AirSyncBase:Body"
    assert [child.tag for child in data.each("Email:Subject")] == ["Subject"]
    assert Element("AirSync", "SyncKey", "ä").octets == "ä".encode()
    assert Element("AirSync", "Sync", []).octets == b""
    assert Element("AirSync", "SyncKey", "x").children == []


def test_helpers_blame_the_client():
    sync = Element("AirSync", "Sync", [Element("AirSync", "WindowSize", "x")])
    bad = Element("AirSync", "SyncKey", b"\xff")
    for read in (
        lambda: sync.text,
        lambda: sync.number_of("WindowSize"),
        lambda: Element("AirSync", "Sync", [Element("AirSync", "Wait", "²")]).number_of("Wait"),
        lambda: Element("AirSync", "Sync", [Element("AirSync", "Wait", "1" * 11)]).number_of(
            "Wait"
        ),
        lambda: bad.text,
    ):
        with pytest.raises(RemoteProtocolError) as e:
            read()
        assert e.value.reply_hint == "content"
    with pytest.raises(LocalProtocolError):
        bad.add("Sync")
