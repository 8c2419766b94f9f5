"""Bodies and attachments of a message, found by its card: no MIME is scanned.

Spec: RFC 2046 §5.1.3 (mixed), §5.1.4 (alternative); RFC 2387 §3 (related); RFC 8551 §3 (S/MIME);
    RFC 3156 §4 and §5 (PGP/MIME).

Notes:
    A message shows all its texts that are no files, one behind the other; of alternatives it shows
    one for plain text and one for HTML. What it does not show is an attachment, but for signatures
    and for alternatives that we cannot show. Nothing here raises: a damaged part gives what can be
    read of it.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.formats.mime.charsets import codec_from_charset, text_from_bytes
from posthouse.formats.mime.headers import base64_tolerant
from posthouse.formats.mime.structure import PKCS7_TYPES

if TYPE_CHECKING:
    from posthouse.formats.mime.card import Card, PartCard

_SHOWN: Final = frozenset({"text/plain", "text/html"})
_SHOWN_MAX: Final = 100
_SIGNATURES: Final = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
    }
)
_ENDINGS: Final = {
    "application/pdf": ".pdf",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "text/calendar": ".ics",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/rfc822-headers": ".txt",
}
_NOT_IN_NAMES: Final = re.compile(r"[/\\\x00-\x1f\x7f]")
_NAME_MAX: Final = 255

_META_CHARSET: Final = re.compile(rb"<meta\s[^>]*?charset\s*+=\s*+[\"']?([\w.:-]{1,40})", re.I)
_META_WITHIN: Final = 1_024
_OCTETS_IN_CHARACTER: Final = {"utf_16": 2, "utf_16_le": 2, "utf_16_be": 2, "utf_32": 4}
_UTF_8: Final = frozenset({None, "utf_8", "utf_8_sig", "cp1252"})


class BodyParts(Struct, frozen=True):
    """The texts that a message shows.

    Attributes:
        plain: in order, text/plain where there is a choice.
        html: in order, text/html where there is a choice; the same parts as in ``plain`` where
            there is none.
    """

    plain: tuple[PartCard, ...] = ()
    html: tuple[PartCard, ...] = ()

    @property
    def is_html(self) -> bool:
        """Whether the sender wrote HTML, in any part of it."""
        return any(part.content_type == "text/html" for part in self.html)


class PartText(Struct, frozen=True):
    """Text of a part, or its beginning.

    Attributes:
        text: decoded, without byte order mark; line ends as they were sent.
        octets: what all of the text takes in UTF-8; an estimate unless ``is_whole``.
        is_whole: nothing is left out.
    """

    text: str
    octets: int
    is_whole: bool = True


class AttachmentCard(Struct, frozen=True):
    """A part that is shown as a file.

    Attributes:
        section: number of the part.
        name: never empty, without directories; of a message it ends in ``.eml``.
        content_type: lower case.
        octets: size once decoded, estimated.
        content_id: without brackets ("" none).
        is_inline: shown within the HTML, which names it by its content id.
        is_message: a message of its own.
    """

    section: str
    name: str
    content_type: str
    octets: int
    content_id: str = ""
    is_inline: bool = False
    is_message: bool = False


def body_parts(card: Card) -> BodyParts:
    """The texts to show; none if there is no text, or only an encrypted one."""
    root = card.structure
    if not root.parts and _is_shown(root):
        return BodyParts((root,), (root,))
    found = _texts(root)
    return BodyParts(found.plain[:_SHOWN_MAX], found.html[:_SHOWN_MAX])


def _texts(part: PartCard) -> BodyParts:
    """Recursion is bounded by ``depth_max`` of the scanner."""
    kind = part.content_type
    if not kind.startswith("multipart/"):
        return BodyParts((part,), (part,)) if _is_shown(part) else BodyParts()
    if kind == "multipart/alternative":
        return _chosen([_texts(child) for child in part.parts])
    if kind == "multipart/related":
        return _texts(_related_root(part)) if part.parts else BodyParts()
    plain: list[PartCard] = []
    html: list[PartCard] = []
    for child in part.parts:
        texts = _texts(child)
        plain.extend(texts.plain)
        html.extend(texts.html)
        if len(plain) > _SHOWN_MAX:
            break
    return BodyParts(tuple(plain), tuple(html))


def _chosen(found: list[BodyParts]) -> BodyParts:
    """Alternatives stand in growing order of what their sender holds them to be worth."""
    with_text = [one for one in found if one.html]
    if not with_text:
        return BodyParts()
    rich = [one for one in with_text if one.is_html]
    html = rich[-1] if rich else with_text[0]
    simple = [one for one in with_text if one.plain[0].content_type == "text/plain"]
    return BodyParts((simple[0] if simple else html).plain, html.html)


def _related_root(part: PartCard) -> PartCard:
    start = part.parameters.get("start", "")
    if start:
        for child in part.parts:
            if child.content_id == start:
                return child
    return part.parts[0]


def _is_shown(part: PartCard) -> bool:
    if part.content_type not in _SHOWN or part.disposition == "attachment":
        return False
    return not part.name or part.section == "1"


def is_signed(card: Card) -> bool:
    """Whether the whole message is signed, by S/MIME or PGP/MIME, and not hidden as well."""
    root = card.structure
    if root.content_type in PKCS7_TYPES:
        return root.parameters.get("smime-type", "").lower() == "signed-data"
    return root.content_type == "multipart/signed"


def is_encrypted(card: Card) -> bool:
    """Whether the whole message is encrypted, by S/MIME or PGP/MIME."""
    root = card.structure
    if root.content_type == "multipart/encrypted":
        return True
    return is_smime(card) and not is_signed(card)


def is_smime(card: Card) -> bool:
    """Whether the whole message is signed or encrypted by S/MIME."""
    root = card.structure
    if root.content_type == "multipart/signed":
        return "pgp" not in root.parameters.get("protocol", "").lower()
    if root.content_type in PKCS7_TYPES:
        return True
    # Some gateways no longer know the type.
    return root.content_type == "application/octet-stream" and root.name.lower().endswith(".p7m")


def attachments_of(card: Card) -> list[AttachmentCard]:
    """What a client shows as files, in order, and the images that belong to the HTML."""
    root = card.structure
    if not root.parts and _is_shown(root):
        return []
    found: list[AttachmentCard] = []
    waiting = [(root, "")]
    while waiting:
        part, parent = waiting.pop()
        if part.content_type.startswith("multipart/"):
            waiting.extend((child, part.content_type) for child in reversed(part.parts))
        elif _is_attachment(part, parent):
            found.append(_attachment(part, parent))
    return found


def _is_attachment(part: PartCard, parent: str) -> bool:
    if _is_shown(part):
        return False
    if part.content_type in _SIGNATURES and parent == "multipart/signed":
        return False
    if part.name or part.disposition == "attachment":
        return True
    if part.content_type == "text/calendar":
        return False
    return not (parent == "multipart/alternative" and part.content_type.startswith("text/"))


def _attachment(part: PartCard, parent: str) -> AttachmentCard:
    is_message = part.content_type in ("message/rfc822", "message/global")
    has_id = bool(part.content_id)
    return AttachmentCard(
        section=part.section,
        name=_name(part, is_message=is_message),
        content_type=part.content_type,
        octets=size_of(part),
        content_id=part.content_id.strip("<> \t"),
        is_inline=has_id and (parent == "multipart/related" or part.disposition == "inline"),
        is_message=is_message,
    )


def _name(part: PartCard, *, is_message: bool) -> str:
    name = part.name or part.description
    if is_message:
        if not name and part.envelope is not None:
            name = part.envelope.subject
        name = name or "message"
        name = name if name.lower().endswith(".eml") else f"{name[: _NAME_MAX - 4]}.eml"
    elif not name:
        ending = _ENDINGS.get(part.content_type, ".bin")
        name = f"attachment-{part.section or '1'}{ending}"
    return _NOT_IN_NAMES.sub("_", name)[-_NAME_MAX:].strip() or "attachment"


def part_of(card: Card, section: str) -> PartCard | None:
    """The part of this number; None when there is none.

    A message's own number means the message, not the multipart that is its body.
    """
    waiting = [card.structure]
    while waiting:
        part = waiting.pop()
        if part.section == section:
            return part
        waiting.extend(reversed(part.parts))
    return None


def size_of(part: PartCard) -> int:
    """Octets of a part once decoded: exact for parts that are not encoded, else an estimate."""
    raw = part.offsets[2] - part.offsets[1]
    # Lines of 76 characters, of which each four stand for three octets, and CRLF.
    return raw * 57 // 78 if part.encoding == "base64" else raw


def octets_of(plain: bytes | memoryview, part: PartCard, octets_max: int = 1 << 30) -> bytes:
    """The content of a part, decoded; of a message, the message.

    Args:
        plain: content of the whole message.
        part: one of its card's parts.
        octets_max: so many octets of the part are looked at.
    """
    _start, begin, end = part.offsets
    return _decoded(bytes(plain[begin : min(end, begin + octets_max)]), part.encoding)


def _decoded(raw: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64_tolerant(raw)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    return raw


def text_of(plain: bytes | memoryview, part: PartCard, octets_max: int = 4 << 20) -> str:
    """The text of a part as its sender wrote it, of at least ``octets_max`` octets if it has them.

    See ``read_text``.
    """
    return read_text(plain, part, octets_max).text


def read_text(plain: bytes | memoryview, part: PartCard, octets_max: int) -> PartText:
    """The text of a part, or enough of its beginning to fill ``octets_max`` octets in UTF-8.

    No more is decoded than that needs, and a little. Characters at the end are whole.
    """
    _start, begin, end = part.offsets
    charset = part.parameters.get("charset", "")
    codec = codec_from_charset(charset) if charset else None
    wanted = octets_max * _OCTETS_IN_CHARACTER.get(codec or "", 1) + 16
    raw, used = _beginning(memoryview(plain)[begin:end], part.encoding, wanted)
    if codec is None and part.content_type == "text/html":
        found = _META_CHARSET.search(raw, 0, _META_WITHIN)
        charset = found[1].decode("ascii", "replace") if found else ""
        codec = codec_from_charset(charset) if charset else None
    is_whole = used >= end - begin
    if not is_whole and codec in _UTF_8:
        raw = _whole_characters(raw)
    text = text_from_bytes(raw, charset)
    if not is_whole and codec not in _UTF_8:
        text = text.rstrip("\ufffd")
    text = text.removeprefix("\ufeff")
    octets = len(text) if text.isascii() else len(text.encode())
    if not is_whole:
        octets = octets * (end - begin) // max(used, 1)
    return PartText(text, octets, is_whole)


def _beginning(body: memoryview, encoding: str, wanted: int) -> tuple[bytes, int]:
    """At least ``wanted`` decoded octets, if there are as many; how many raw ones they took."""
    size = len(body)
    factor = {"base64": 1.4, "quoted-printable": 1.25}.get(encoding, 1)
    used = int(wanted * factor) + 256
    while True:
        if used >= size:
            return _decoded(bytes(body), encoding), size
        raw = bytes(body[:used])
        if encoding == "quoted-printable" and (mark := raw.rfind(b"=", used - 2)) >= 0:
            raw = raw[:mark]
        octets = _decoded(raw, encoding)
        if len(octets) >= wanted:
            return octets, len(raw)
        used *= 2


def _whole_characters(raw: bytes) -> bytes:
    """Without the beginning of a UTF-8 character at the end."""
    for back in range(1, min(4, len(raw) + 1)):
        octet = raw[-back]
        if octet >= 0xC0:
            needs = 2 if octet < 0xE0 else 3 if octet < 0xF0 else 4
            return raw[:-back] if needs > back else raw
        if octet < 0x80:
            break
    return raw
