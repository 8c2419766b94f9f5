"""Header blocks: where they end, their fields, their text.

Spec: RFC 5322 §2.2, RFC 2047 (encoded words), RFC 6532 (UTF-8 in header fields).

Notes:
    Nothing here raises on any bytes, and everything is linear in what ``HeaderLimits`` lets
    through. Values are slices of the input, still folded; ``unfold`` and ``decode_text`` work on
    one value. LF alone is taken as a line end here, since imported mail may have it.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import NamedTuple

from posthouse.formats.mime.charsets import text_from_bytes


@dataclass(frozen=True, slots=True)
class HeaderLimits:
    """What is looked at; the rest is stored and served, but not indexed.

    Attributes:
        header_bytes_max: of the whole block.
        lines_max: of the block.
        field_bytes_max: of one field.
        addresses_max: of one message.
        encoded_words_max: of one value.
    """

    header_bytes_max: int = 1 << 20
    lines_max: int = 5_000
    field_bytes_max: int = 256 << 10
    addresses_max: int = 10_000
    encoded_words_max: int = 1_000


LIMITS = HeaderLimits()

_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
_CHARSET_OCTETS_MAX = 64
# Possessive repeats: no way back, so time is linear and no memory is taken for one.
_FIELD = re.compile(rb"\n([!-9;-~]++)[ \t]*+:(.*(?:\n[ \t].*)*+)")
_WORD_OCTETS_MAX = 2_048


class Field(NamedTuple):
    """One header field.

    Attributes:
        name: lower case.
        value: raw, still folded, without the final line end.
    """

    name: bytes
    value: bytes


def header_block(head: bytes) -> int:
    """Offset of the body: behind the empty line, or the length of ``head`` when there is none."""
    if head.startswith((b"\r\n", b"\n")):
        return 2 if head[0] == 13 else 1
    end = head.find(b"\n\r\n")
    bare = head.find(b"\n\n", 0, end if end >= 0 else len(head))
    if bare >= 0:
        return bare + 2
    return end + 3 if end >= 0 else len(head)


def fields(head: bytes, limits: HeaderLimits = LIMITS) -> list[Field]:
    """The fields of the header block at the start of ``head``, in order.

    Lines that are neither field nor continuation are passed over, and so are continuations of them.
    """
    block = bounded_block(head, limits)
    bound = limits.field_bytes_max
    return [
        Field(name.lower(), value[:bound].removesuffix(b"\r"))
        for name, value in _FIELD.findall(block)
    ]


def bounded_block(head: bytes, limits: HeaderLimits = LIMITS) -> bytes:
    """The header block within the limits of bytes and lines, led by a line end."""
    block = b"\n" + head[: min(header_block(head), limits.header_bytes_max)]
    if len(block) > limits.lines_max and block.count(b"\n") > limits.lines_max:
        kept = block.split(b"\n", limits.lines_max + 1)[: limits.lines_max + 1]
        return b"\n".join(kept)
    return block


def all_of(head: bytes, name: bytes, limits: HeaderLimits = LIMITS) -> list[bytes]:
    """Raw values of every field of this (lower-case) name."""
    return [field.value for field in fields(head, limits) if field.name == name]


def first(head: bytes, name: bytes, limits: HeaderLimits = LIMITS) -> bytes | None:
    """Raw value of the first field of this (lower-case) name."""
    found = all_of(head, name, limits)
    return found[0] if found else None


def unfold(raw: bytes) -> bytes:
    """The value on one line: line ends gone, outer white space too."""
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\r", b"").replace(b"\n", b"")
    return raw.strip(b" \t")


def decode_text(raw: bytes, limits: HeaderLimits = LIMITS) -> str:
    """Readable text of an unstructured value: unfolded, decoded, without control characters."""
    raw = unfold(raw[: limits.field_bytes_max])
    text = _decode_words(raw, limits) if b"=?" in raw else text_from_bytes(raw)
    if not text.isprintable():
        text = text.translate(_CONTROLS)
    return text.strip()


def decode_phrase(text: str, limits: HeaderLimits = LIMITS) -> str:
    """The same for a display name that is text already."""
    if "=?" not in text:
        return text.strip() if text.isprintable() else text.translate(_CONTROLS).strip()
    return decode_text(text.encode("utf-8", "replace"), limits)


class _Word(NamedTuple):
    charset: bytes
    data: bytes
    end: int


def _decode_words(raw: bytes, limits: HeaderLimits) -> str:
    """Decode encoded words; neighbours are joined as bytes, since senders split characters."""
    out: list[str] = []
    pending: list[bytes] = []
    charset = b""
    pos = literal = 0
    for _ in range(limits.encoded_words_max):
        start = raw.find(b"=?", pos)
        if start < 0:
            break
        word = _word_at(raw, start)
        if word is None:
            pos = start + 2
            continue
        between = raw[literal:start]
        if between and (not pending or between.strip(b" \t")):
            _flush(out, pending, charset)
            out.append(text_from_bytes(between))
        if word.charset != charset:
            _flush(out, pending, charset)
            charset = word.charset
        pending.append(word.data)
        pos = literal = word.end
    _flush(out, pending, charset)
    out.append(text_from_bytes(raw[literal:]))
    return "".join(out)


def _flush(out: list[str], pending: list[bytes], charset: bytes) -> None:
    if pending:
        out.append(text_from_bytes(b"".join(pending), charset.decode("ascii", "replace")))
        pending.clear()


def _word_at(raw: bytes, start: int) -> _Word | None:
    mark = raw.find(b"?", start + 2, start + 2 + _CHARSET_OCTETS_MAX)
    if mark <= start + 2 or raw[mark + 2 : mark + 3] != b"?":
        return None
    end = raw.find(b"?=", mark + 3, mark + 3 + _WORD_OCTETS_MAX)
    if end < 0:
        return None
    text = raw[mark + 3 : end]
    encoding = raw[mark + 1 : mark + 2]
    if encoding in b"qQ":
        data = binascii.a2b_qp(text, header=True)
    elif encoding in b"bB":
        data = base64_tolerant(text)
    else:
        return None
    return _Word(raw[start + 2 : mark].partition(b"*")[0].lower(), data, end + 2)


def base64_tolerant(text: bytes) -> bytes:
    """As much as can be read of damaged base64."""
    try:
        return binascii.a2b_base64(text + b"==")
    except binascii.Error:
        pass
    kept = text.translate(None, b" \t\r\n=")
    try:
        return binascii.a2b_base64(kept[: len(kept) // 4 * 4])
    except binascii.Error:
        return b""
