"""Parts on their way from one message into another, and the fields of their headers.

Spec: RFC 2045 §6.4 (what encoding a part may have), RFC 2046 §5.2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.mime.charsets import codec_from_charset
from posthouse.formats.mime.compose_parts import (
    base64_lines,
    entity,
    typed_field,
    with_crlf,
)
from posthouse.formats.mime.dots import find_bare_eol
from posthouse.formats.mime.headers import decode_text, first
from posthouse.formats.mime.text import TextLimits, decoded_body
from posthouse.formats.mime.trace import header_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from posthouse.formats.mime.original import Original
    from posthouse.formats.mime.structure import Part

_KNOWN_ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})
_HIDDEN_FIELDS = (b"bcc", b"resent-bcc")
_NAME_MAX = 60


def field_lines(head: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a header block as (lower-case name, raw lines), CRLF-ended, in order.

    A line that is no field has the name b"". What follows an empty line is left out.
    """
    out: list[tuple[bytes, bytes]] = []
    for line in with_crlf(head).split(b"\r\n"):
        if not line:
            break
        raw = line + b"\r\n"
        if out and line.startswith((b" ", b"\t")):
            name, before = out[-1]
            out[-1] = name, before + raw
        else:
            name, colon, _ = line.partition(b":")
            out.append((name.rstrip(b" \t").lower() if colon else b"", raw))
    return out


def replaced_fields(head: bytes, new: Mapping[bytes, bytes]) -> bytes:
    """A header block with these fields (name to raw lines) in place of its own of that name."""
    left = dict(new)
    out = [left.pop(name, b"") if name in new else raw for name, raw in field_lines(head)]
    return b"".join((*out, *left.values()))


def copied_part(source: Original, part: Part, avoid: Sequence[bytes] = ()) -> bytes:
    """A part of the original as an entity; its encoding is kept where it can be.

    Args:
        source: the original.
        part: of it; the message itself goes with the fields about its content alone.
        avoid: octets that must not stand in it; a multipart or message that holds them is copied
            all the same.
    """
    plain = source.plain
    lines = field_lines(plain[part.start : part.body_start])
    if part is source.root:
        lines = [(name, raw) for name, raw in lines if name.startswith(b"content-")]
    head = b"".join(raw for _, raw in lines)
    body = plain[part.body_start : part.end]
    is_leaf = not (part.is_multipart or part.is_message)
    is_text = part.content_type.startswith("text/")
    if is_leaf and (
        any(one in body for one in avoid) or (find_bare_eol(body) >= 0 and not is_text)
    ):
        content = decoded_body(plain, part, TextLimits(part_bytes_max=len(plain)))
        encoding = header_line("Content-Transfer-Encoding", "base64")
        head = replaced_fields(head, {b"content-transfer-encoding": encoding})
        return entity([head], base64_lines(content))
    return entity([head], with_crlf(body))


def whole_part(source: Original) -> bytes:
    """The original as an enclosed message, without the Bcc fields that sent mail keeps."""
    head, rest = source.plain[: source.root.body_start], source.plain[source.root.body_start :]
    if b"bcc" in head.lower():
        lines = field_lines(head)
        kept = [raw for name, raw in lines if name not in _HIDDEN_FIELDS]
        head = b"".join((*kept, b"\r\n"))
    body = with_crlf(head + rest)
    subject = decode_text(first(source.plain, b"subject") or b"")[:_NAME_MAX]
    name = "".join(c if c not in '\\/:*?"<>|' else " " for c in subject).strip() or "message"
    encoding = "7bit" if body.isascii() else "8bit"
    return entity(
        [
            typed_field("Content-Type", "message/rfc822", {}),
            header_line("Content-Transfer-Encoding", encoding),
            typed_field("Content-Disposition", "attachment", {"filename": f"{name}.eml"}),
        ],
        body,
    )


def exact_text(plain: bytes, part: Part) -> str | None:
    """The text of a part; None when it could not be decoded without loss."""
    if part.encoding not in _KNOWN_ENCODINGS:
        return None
    raw = decoded_body(plain, part, TextLimits(part_bytes_max=len(plain)))
    if not raw and plain[part.body_start : part.end].strip():
        return None
    charset = part.parameters.get("charset", "")
    codec = codec_from_charset(charset) if charset else "utf-8"
    if codec is None:
        return None
    for candidate in ("utf-8", "cp1252") if codec in ("utf-8", "utf_8", "cp1252") else (codec,):
        try:
            text = raw.decode(candidate)
            text.encode("utf-8")
        except (UnicodeError, ValueError):
            continue
        return text
    return None
