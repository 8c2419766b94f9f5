"""The message that is answered or forwarded: its words for quoting, and what else it holds.

Spec: RFC 2046 §5.1.4 (alternative), RFC 2387 §3.2 (related), RFC 2392 §2 (cid), RFC 8551 §3
    (S/MIME).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from posthouse.formats.html_text import html_from_text, readable_text
from posthouse.formats.mime.charsets import codec_from_charset, text_from_bytes
from posthouse.formats.mime.headers import decode_text, fields
from posthouse.formats.mime.structure import PKCS7_TYPES, STRUCTURE_LIMITS, scan
from posthouse.formats.mime.text import TextLimits, decoded_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from posthouse.formats.mime.structure import Part

TEXT_TYPES = ("text/plain", "text/html")
SEALED_TYPES = PKCS7_TYPES | {"multipart/encrypted"}
_OPENED = frozenset(
    {"multipart/mixed", "multipart/alternative", "multipart/related", "multipart/report"}
)
_HEADING = (("From", b"from"), ("Sent", b"date"), ("To", b"to"), ("Cc", b"cc"))
_HEADING_MAX = 10_000
_BODY_OCTETS_MAX = 2 << 20
_BODY_START = re.compile(r"<body\b[^<>]*+>", re.IGNORECASE)
_BODY_END = re.compile(r"</(?:body|html)\b", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^<>]*+>", re.IGNORECASE)
_HEAD_END = re.compile(r"</head\b[^<>]*+>", re.IGNORECASE)
_OUTER_TAG = re.compile(r"<(?:/?(?:html|body|head)\b|!doctype)[^<>]*+>", re.IGNORECASE)
_CID = re.compile(r"cid:([^\s\"'<>()]{1,255})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Original:
    """A message read for quoting.

    Attributes:
        plain: its content.
        root: its structure.
        bodies: the parts that are its text, by content type: text/plain, text/html, both or none.
        rest: everything else, in order: files, pictures, enclosed messages, further texts. Not
            another form of the bodies.
        is_sealed: encrypted, too long or opaque otherwise: no words can be taken out.
        is_signed: taken apart it loses its signature.
    """

    plain: bytes
    root: Part
    bodies: dict[str, Part]
    rest: tuple[Part, ...]
    is_sealed: bool
    is_signed: bool

    def words(self, content_type: str) -> str:
        """The body of this type; from the other one when there is none."""
        if content_type in self.bodies:
            return self._text(self.bodies[content_type])
        for other, part in self.bodies.items():
            text = self._text(part)
            return readable_text(text) if other == "text/html" else html_from_text(text)
        return ""

    def _text(self, part: Part) -> str:
        limits = TextLimits(part_bytes_max=len(self.plain))
        return text_from_bytes(
            decoded_body(self.plain, part, limits), part.parameters.get("charset", "")
        )

    def heading(self) -> list[tuple[str, str]]:
        """Who wrote what when to whom, as (label, text)."""
        found: dict[bytes, bytes] = {}
        for field in fields(self.plain[self.root.start : self.root.body_start]):
            found.setdefault(field.name, field.value)
        rows = [(label, decode_text(found.get(name, b""))) for label, name in _HEADING]
        rows.append(("Subject", decode_text(found.get(b"subject", b""))))
        return [(label, text[:_HEADING_MAX]) for label, text in rows if text]

    def pictures(self, source: str) -> list[Part]:
        """The parts of the rest that HTML text shows by their Content-ID, each once."""
        named = {unquote(name) for name in _CID.findall(source)}
        found: dict[str, Part] = {}
        for part in self.rest:
            content_id = part.content_id.strip("<> ")
            if content_id in named:
                found.setdefault(content_id, part)
        return list(found.values())


def read_original(plain: bytes) -> Original:
    """Read a message of any bytes; never raises."""
    root = scan(plain)
    bodies = bodies_of(root)
    is_opaque = root.is_multipart and not root.children
    return Original(
        plain=plain,
        root=root,
        bodies=bodies,
        rest=tuple(_rest(root, bodies)),
        is_sealed=is_opaque
        or root.content_type in SEALED_TYPES
        or is_cut(root)
        or not all(_is_readable(part) for part in bodies.values()),
        is_signed=root.content_type == "multipart/signed",
    )


def is_cut(root: Part) -> bool:
    """Whether the scanner met its limits: then not everything is known."""
    return sum(1 for _ in root.walk()) >= STRUCTURE_LIMITS.parts_max


def _is_readable(part: Part) -> bool:
    """Whether its charset is one we have, or is not named, and its size is that of words."""
    charset = part.parameters.get("charset", "")
    is_known = not charset or codec_from_charset(charset) is not None
    return is_known and part.end - part.body_start <= _BODY_OCTETS_MAX


def bodies_of(part: Part) -> dict[str, Part]:
    """The parts that are the text of a message, by content type.

    Of several texts in a row only the first is; both forms only when they are alternatives.
    """
    if part.disposition == "attachment" or part.is_message:
        return {}
    if not part.is_multipart:
        is_body = part.content_type in TEXT_TYPES and (not part.name or part.section == "1")
        return {part.content_type: part} if is_body else {}
    found: dict[str, Part] = {}
    for child in part.children:
        below = bodies_of(child)
        if part.content_type == "multipart/alternative":
            found = {**below, **found}
        elif below:
            return below
    return found


def _rest(part: Part, bodies: dict[str, Part], *, is_choice: bool = False) -> Iterator[Part]:
    """What of a part is no body; ``is_choice``: it is another form of one when it is text."""
    if any(part is body for body in bodies.values()):
        return
    is_open = part.content_type in _OPENED and part.children
    if is_open and part.disposition != "attachment":
        is_alternative = part.content_type == "multipart/alternative"
        holds_body = is_alternative and any(
            below is body for below in part.walk() for body in bodies.values()
        )
        for child in part.children:
            yield from _rest(child, bodies, is_choice=holds_body)
        return
    is_form = part.content_type.startswith("text/") and part.content_type != "text/calendar"
    if not (is_choice and is_form):
        yield part


# --- HTML


def inner_html(source: str) -> str:
    """What stands inside the body element, to be set into another document.

    Style sheets of the head stay behind: they would dress the words of whoever quotes it.
    """
    if start := _BODY_START.search(source):
        source = source[start.end() :]
    elif start := _HEAD.search(source):
        end = _HEAD_END.search(source, start.end())
        source = source[: start.start()] + (source[end.end() :] if end else "")
    end_at = last_match(_BODY_END, source)
    return _OUTER_TAG.sub("", source if end_at < 0 else source[:end_at])


def last_match(pattern: re.Pattern[str], text: str) -> int:
    """Where the last match begins; -1 when there is none."""
    at = -1
    for match in pattern.finditer(text):
        at = match.start()
    return at
