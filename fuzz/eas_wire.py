"""Invariant: a document or query is read within its limits or refused; reading undoes writing.

Nothing is raised but RemoteProtocolError; a document that was read is written, as octets and as
text, and read again the same.
Run: ``python fuzz/eas_wire.py --seconds 60``; FILE arguments are inputs that were kept.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from driving import drive

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.as_text import element_from_text, text_from_element
from posthouse.protocols.eas.wire.code_pages_table import NAMESPACES, TOKENS
from posthouse.protocols.eas.wire.request_line import COMMANDS, RequestHeaders, request_from_query
from posthouse.protocols.eas.wire.wbxml import HEADER, WbxmlLimits, decode, encode

if TYPE_CHECKING:
    import random

    from posthouse.protocols.eas.wire.element import Element

LIMITS = WbxmlLimits(depth=16, tags=200, pieces=100, table_bytes=64, table_text_bytes=256)
SEEDS = [
    bytes.fromhex("03016a000007565203300001 01"),
    HEADER
    + b"\x45\x5c\x4f\x4b\x031\x00\x01\x52\x035\x00\x01\x56\x47\x5d\x00\x02\x54\x03a\x00"
    + b"\x01" * 7,
    HEADER + b"\x00\x15\x45\x51\x03id\x00\x01\x08\x50\xc3\x04a\r\n\xff\x01\x01",
    b"\x03\x01\x6a\x05abc\x00d\x45\x4b\x83\x01\x02\x41\x03\xc3\xa4\x00\x01\x01",
    b"\x01\x80\x01\x80\x6a\x00\x45\x0f\x00\x19\x60\xc3\x80\x01x\x01\x01",
    *(HEADER + bytes((0, page, 0x45, 0x06, 0x01)) for page in range(len(NAMESPACES))),
    b"Cmd=Sync&User=a%40b.example&DeviceId=d1&DeviceType=iPhone&SaveInSent=T",
    b"Cmd=SmartReply&DeviceId=%7Bd%7D&CollectionId=5&ItemId=5%3A1&AttachmentName=n",
    b"jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l",
    base64.b64encode(b"\xa1\x03\x09\x04\x02d1\x041234\x01t\x07\x01\x03\x08\x01u\x01\x015"),
    b'<Sync xmlns="AirSync" xmlns:Email="Email"><Email:To>&#x41;&amp;</Email:To></Sync>',
    b'<SendMail xmlns="ComposeMail"><Mime opaque="base64">AP8=</Mime><Mime>a</Mime></SendMail>',
]
TOKENS_OF_WBXML = (
    b"\x00",
    b"\x01",
    b"\x02\x41",
    b"\x03",
    b"\x03a\x00\x01",
    b"\x04",
    b"\x45",
    b"\x43",
    b"\x83\x00",
    b"\xc3\x7f",
    b"\xc3\x01a",
    b"\x8f\xff\xff\xff\x7f",
    b"\xff",
    b"&",
    b"=",
    b"%00",
    b"&#x",
    b"</",
    b"/>",
    b' opaque="text"',
    b' xmlns="Email"',
)


def fuzz_one(data: bytes) -> None:
    """One input, taken for each of the three."""
    _document(data)
    _text(data)
    _query(data)


def _hint(error: RemoteProtocolError, *hints: str) -> None:
    assert error.reply_hint in hints


def _document(data: bytes) -> None:
    try:
        root = decode(data, LIMITS)
    except RemoteProtocolError as e:
        _hint(e, "wbxml", "limit")
        return
    assert _measured(root, LIMITS.depth) <= LIMITS.tags
    written = encode(root)
    assert decode(written) == root
    assert encode(decode(written)) == written
    assert element_from_text(text_from_element(root)) == root
    for size in range(len(written)):
        try:
            decode(written[:size])
        except RemoteProtocolError:
            continue
        raise AssertionError("half a document was read")


def _measured(element: Element, depth_left: int) -> int:
    assert depth_left > 0
    assert element.tag in TOKENS[element.namespace]
    return 1 + sum(_measured(child, depth_left - 1) for child in element.children)


def _text(data: bytes) -> None:
    try:
        root = element_from_text(data.decode("utf-8", "surrogateescape"))
    except RemoteProtocolError as e:
        _hint(e, "xml")
        return
    assert element_from_text(text_from_element(root)) == root
    assert decode(encode(root)) == root


def _query(data: bytes) -> None:
    text = data.decode("latin-1")
    for query, headers in (
        (text, RequestHeaders()),
        (base64.b64encode(data).decode(), RequestHeaders()),
        ("Cmd=Ping&DeviceId=d", RequestHeaders(text[:3], text[3:9], text[9:])),
    ):
        try:
            line = request_from_query(query, headers)
        except RemoteProtocolError as e:
            _hint(e, "query", "command", "device")
            continue
        assert query == text or line.command in COMMANDS.values()
        assert 1 <= len(line.device_id) <= 64
        assert all(value.isprintable() for value in (line.user, line.device_type, line.item_id))


def mutated(dice: random.Random) -> bytes:
    """A seed, or two in a row, with octets changed, doubled or lost."""
    data = bytearray(b"".join(dice.choices(SEEDS, k=dice.choice((1, 1, 1, 2)))))
    for _ in range(dice.randint(0, 5)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(4):
            case 0:
                data[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                data[at:at] = data[at : at + dice.randint(1, 40)] * dice.randint(1, 8)
            case 2:
                data[at:at] = dice.choice(TOKENS_OF_WBXML)
            case _:
                del data[at : at + dice.randint(1, 4)]
    return bytes(data[:2000])


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
