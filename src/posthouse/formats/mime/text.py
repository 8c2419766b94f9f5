"""Text of messages: bodies decoded, HTML stripped, for search and previews.

Spec: RFC 2045 §6 (transfer encodings), RFC 2046 §4.1 (text).

Notes:
    The HTML stripper is for words, not for display: it knows tags, comments and character
    references and nothing else. Linear, bounded, never raising.
"""

from __future__ import annotations

import binascii
import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.formats.mime.charsets import text_from_bytes
from posthouse.formats.mime.headers import base64_tolerant

if TYPE_CHECKING:
    from posthouse.formats.mime.structure import Part

_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
_TAG_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9]{0,15})")
_SILENT = frozenset({"script", "style", "title", "head", "svg", "math", "template"})
_SILENT_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _SILENT - {"head"}}
_INLINE = frozenset(
    {"a", "b", "i", "u", "em", "strong", "span", "font", "small", "big", "sup", "sub"}
)


@dataclass(frozen=True, slots=True)
class TextLimits:
    """How much text is taken.

    Attributes:
        part_bytes_max: of one part as it stands in the message.
        chars_max: of all parts together.
    """

    part_bytes_max: int = 4 << 20
    chars_max: int = 1 << 20


TEXT_LIMITS = TextLimits()


def decoded_body(plain: bytes, part: Part, limits: TextLimits = TEXT_LIMITS) -> bytes:
    """The part's body without its transfer encoding; damaged or overlong ones as far as they go."""
    raw = plain[part.body_start : min(part.end, part.body_start + limits.part_bytes_max)]
    if part.encoding == "base64":
        return base64_tolerant(raw)
    if part.encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    return raw


def part_text(plain: bytes, part: Part, limits: TextLimits = TEXT_LIMITS) -> str:
    """The words of one text part; "" for any other."""
    if part.content_type not in ("text/plain", "text/html", "text/enriched", "text/calendar"):
        return ""
    text = text_from_bytes(decoded_body(plain, part, limits), part.parameters.get("charset", ""))
    if part.content_type == "text/html":
        text = text_from_html(text)
    return text[: limits.chars_max]


def searchable_text(plain: bytes, root: Part, limits: TextLimits = TEXT_LIMITS) -> str:
    """The words of all text parts and the names of all files.

    Of a multipart/alternative only the first part that has text counts: the others say the same.
    """
    out: list[str] = []
    left = limits.chars_max
    waiting = [root]
    while waiting and left > 0:
        part = waiting.pop()
        if part.content_type == "multipart/alternative" and part.children:
            chosen = next((c for c in part.children if c.content_type == "text/plain"), None)
            rest = [c for c in part.children if not c.content_type.startswith("text/")]
            waiting.extend(reversed([chosen, *rest] if chosen else part.children))
            continue
        waiting.extend(reversed(part.children))
        text = part_text(plain, part, limits)
        if part.disposition == "attachment":
            text = ""
        if part.name:
            text = f"{text}\n{part.name}" if text else part.name
        if text:
            out.append(text[:left])
            left -= len(text)
    return "\n".join(out)


def preview(plain: bytes, root: Part, chars: int = 200) -> str:
    """The beginning of the first body that has words, on one line."""
    limits = TextLimits(part_bytes_max=64 << 10, chars_max=16 << 10)
    for part in root.walk():
        if part.disposition == "attachment":
            continue
        text = part_text(plain, part, limits)
        # Mostly the beginning has words enough.
        line = " ".join(text[: 4 * chars].split())
        if len(line) < chars < len(text):
            line = " ".join(text.split())
        if line:
            line = line[:chars]
            if line.isprintable():
                return line
            return "".join(c if c.isprintable() else " " for c in line)
    return ""


def text_from_html(source: str) -> str:
    """The words between the tags; scripts, styles and comments are left out."""
    out: list[str] = []
    pos = 0
    while (start := source.find("<", pos)) >= 0:
        out.append(source[pos:start])
        if source.startswith("<!--", start):
            end = source.find("-->", start + 4)
            pos = len(source) if end < 0 else end + 3
            continue
        match = _TAG_NAME.match(source, start + 1)
        if match is None and source[start + 1 : start + 2] not in ("!", "?", "/"):
            out.append("<")
            pos = start + 1
            continue
        end = source.find(">", start)
        if end < 0:
            pos = len(source)
            break
        pos = end + 1
        name = match[1].lower() if match else ""
        if name not in _INLINE:
            out.append(" ")
        closing = _SILENT_END.get(name)
        if closing is not None and source[start + 1] != "/" and source[end - 1] != "/":
            found = closing.search(source, pos)
            pos = len(source) if found is None else found.start()
    out.append(source[pos:])
    return _REFERENCE.sub(lambda match: html.unescape(match[0]), "".join(out))
