"""The card of a message: what every door asks for, computed once.

Spec: RFC 9051 §7.5.2 (ENVELOPE, BODYSTRUCTURE), RFC 8970 §3 (preview).

Notes:
    Runs in the parse pool: bytes in, bytes out. The card is JSON; ``version`` grows when its
    meaning changes, and a door that meets another version renders anew. Offsets are those of plain
    content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from posthouse.formats.mime.addresses import parse_addresses
from posthouse.formats.mime.columns import message_id_from_field
from posthouse.formats.mime.headers import decode_text, fields, unfold
from posthouse.formats.mime.structure import STRUCTURE_LIMITS, Part, StructureLimits, scan
from posthouse.formats.mime.text import preview, searchable_text
from posthouse.model.errors import ParserFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

CARD_VERSION = 1
_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_TEXT_MAX = 2_000


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """Header fields as an address book and a list need them.

    Attributes:
        date: the Date field as written.
        subject: decoded.
        raw_subject: as written, when decoding changed it.
        from_: (name, address) pairs; so are the next five.
        sender: see from_.
        reply_to: see from_.
        to: see from_.
        cc: see from_.
        bcc: see from_.
        in_reply_to: as written.
        message_id: without brackets.
    """

    date: str = ""
    subject: str = ""
    raw_subject: str = ""
    from_: list[tuple[str, str]] = msgspec.field(default_factory=list, name="from")
    sender: list[tuple[str, str]] = []
    reply_to: list[tuple[str, str]] = []
    to: list[tuple[str, str]] = []
    cc: list[tuple[str, str]] = []
    bcc: list[tuple[str, str]] = []
    in_reply_to: str = ""
    message_id: str = ""


class PartCard(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part: see ``structure.Part``.

    Attributes:
        section: IMAP's part number.
        offsets: start, body start, end.
        content_type: lower case.
        parameters: of the content type.
        encoding: transfer encoding.
        disposition: "inline", "attachment" or "".
        name: file name.
        content_id: with brackets.
        description: decoded.
        lines: of text and messages.
        parts: below this one.
        envelope: of the message inside a message/rfc822.
    """

    section: str
    offsets: tuple[int, int, int]
    content_type: str
    parameters: dict[str, str] = {}
    encoding: str = "7bit"
    disposition: str = ""
    name: str = ""
    content_id: str = ""
    description: str = ""
    lines: int = 0
    parts: list[PartCard] = []
    envelope: Envelope | None = None


class Card(msgspec.Struct, frozen=True):
    """What is stored beside an item.

    Attributes:
        version: of this form.
        envelope: of the message.
        structure: its parts.
        preview: the first 200 characters of text, on one line.
        attachments: how many parts a client would show as files.
    """

    version: int
    envelope: Envelope
    structure: PartCard
    preview: str
    attachments: int


class Digest(msgspec.Struct, frozen=True, array_like=True):
    """What is taken out of a message when it came.

    Attributes:
        card: as JSON.
        words: all of them, for the index.
    """

    card: bytes
    words: str


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Card)
_CONTENTS = msgspec.msgpack.Decoder(list[bytes])
_DIGESTS = msgspec.msgpack.Decoder(list[Digest])


def card_from_message(plain: bytes, limits: StructureLimits = STRUCTURE_LIMITS) -> Card:
    """The card of a message's plain content; never raises on any bytes."""
    return _card(plain, scan(plain, limits), limits)


def _card(plain: bytes, root: Part, limits: StructureLimits) -> Card:
    return Card(
        version=CARD_VERSION,
        envelope=_envelope(plain, root, limits, limits.header.addresses_max),
        structure=_part_card(plain, root, limits),
        preview=preview(plain, root),
        attachments=len(attachments(root)),
    )


def render(plain: bytes) -> bytes:
    """The card as JSON. Runs in the parse pool."""
    return encode_card(card_from_message(plain))


def encode_card(card: Card) -> bytes:
    """A card as it is stored."""
    return _ENCODER.encode(card)


def read_card(card: bytes) -> Card | None:
    """A stored card; None when it is of another version or no card."""
    try:
        found = _DECODER.decode(card)
    except msgspec.MsgspecError:
        return None
    return found if found.version == CARD_VERSION else None


def digests(contents: bytes) -> bytes:
    """Cards and words of several messages, each looked at once. Runs in the parse pool.

    Args:
        contents: as ``pack_contents`` wrote them.

    Returns:
        For ``read_digests``.
    """
    return msgspec.msgpack.encode([digest(one) for one in _CONTENTS.decode(contents)])


def digest(plain: bytes) -> Digest:
    """Card and words of one message; never raises on any bytes."""
    root = scan(plain)
    words = searchable_text(plain, root).encode("utf-8", "replace").decode("utf-8")
    return Digest(encode_card(_card(plain, root, STRUCTURE_LIMITS)), words)


def pack_contents(contents: Sequence[bytes]) -> bytes:
    """Plain contents in one piece, for ``digests``."""
    return msgspec.msgpack.encode(contents)


def read_digests(raw: bytes, count: int) -> list[Digest]:
    """What ``digests`` wrote, ``count`` of them. Raises ParserFailed for anything else."""
    try:
        found = _DIGESTS.decode(raw)
    except msgspec.MsgspecError as error:
        raise ParserFailed(f"no digests: {error}") from error
    if len(found) != count:
        raise ParserFailed(f"{len(found)} digests instead of {count}")
    return found


def attachments(root: Part) -> list[Part]:
    """The parts that a client would show as files; an enclosed message is one of them."""
    found: list[Part] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.is_message and part is not root:
            found.append(part)
        elif part.children:
            waiting.extend(reversed(part.children))
        elif _is_file(part):
            found.append(part)
    return found


def _is_file(part: Part) -> bool:
    if part.is_multipart:
        return False
    if part.disposition == "attachment":
        return True
    if part.content_type in ("text/plain", "text/html"):
        return bool(part.name) and part.section != "1"
    return part.disposition != "inline" or not part.content_id


def _part_card(plain: bytes, part: Part, limits: StructureLimits) -> PartCard:
    """Recursion is bounded by ``depth_max`` of the scanner."""
    envelope = None
    if part.is_message and part.children:
        envelope = _envelope(plain, part.children[0], limits, 100)
    return PartCard(
        section=part.section,
        offsets=(part.start, part.body_start, part.end),
        content_type=part.content_type,
        parameters=part.parameters,
        encoding=part.encoding,
        disposition=part.disposition,
        name=part.name,
        content_id=part.content_id,
        description=part.description,
        lines=part.line_count,
        parts=[_part_card(plain, child, limits) for child in part.children],
        envelope=envelope,
    )


def _envelope(plain: bytes, part: Part, limits: StructureLimits, addresses_max: int) -> Envelope:
    head = plain[part.start : part.body_start]
    found: dict[bytes, bytes] = {}
    for item in fields(head, limits.header):
        found.setdefault(item.name, item.value)
    lists: dict[bytes, list[tuple[str, str]]] = {}
    left = addresses_max
    for name in _ADDRESS_FIELDS:
        raw = found.get(name)
        entries = parse_addresses(raw, limits.header, addresses_max=left) if raw else []
        left -= len(entries)
        lists[name] = [(entry.name[:_TEXT_MAX], entry.address) for entry in entries]
    written = found.get(b"subject", b"")
    raw_subject = unfold(written).decode("utf-8", "replace")[:_TEXT_MAX]
    subject = decode_text(written)[:_TEXT_MAX]
    return Envelope(
        date=decode_text(found.get(b"date", b""))[:_TEXT_MAX],
        subject=subject,
        raw_subject=raw_subject if raw_subject != subject else "",
        from_=lists[b"from"],
        sender=lists[b"sender"],
        reply_to=lists[b"reply-to"],
        to=lists[b"to"],
        cc=lists[b"cc"],
        bcc=lists[b"bcc"],
        in_reply_to=decode_text(found.get(b"in-reply-to", b""))[:_TEXT_MAX],
        message_id=message_id_from_field(found.get(b"message-id", b"")),
    )
