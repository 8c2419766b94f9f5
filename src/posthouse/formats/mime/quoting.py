"""A reply or a forwarded message, for clients that leave the original to the server.

Spec: [MS-ASCMD] §2.2.1.19 (SmartForward), §2.2.1.20 (SmartReply), §2.2.3.148 (ReplaceMime); RFC
    5322 §3.6.4 (In-Reply-To, References).

Notes:
    - What the client wrote is changed only where it must be: the text parts that are added to come
      out in UTF-8, everything else keeps its bytes. Where a text cannot be decoded without loss, or
      is signed, nothing is added to it.
    - Whatever cannot be quoted is not lost on the way: a forwarded message that is sealed, signed
      or unreadable goes along whole.
    - A draft that is encrypted gets nothing added: the original would travel beside it in clear.
"""

from __future__ import annotations

import html
import re
from enum import Enum
from typing import TYPE_CHECKING

from posthouse.formats.mime.columns import message_id_from_field
from posthouse.formats.mime.compose_parts import (
    bare_id,
    encoded_text,
    entity,
    id_field,
    is_token,
    joined_parts,
    multipart,
    typed_field,
    with_crlf,
)
from posthouse.formats.mime.headers import first, header_block, unfold
from posthouse.formats.mime.original import (
    SEALED_TYPES,
    Original,
    bodies_of,
    inner_html,
    is_cut,
    last_match,
    read_original,
)
from posthouse.formats.mime.original_parts import (
    copied_part,
    exact_text,
    field_lines,
    replaced_fields,
    whole_part,
)
from posthouse.formats.mime.structure import scan
from posthouse.formats.mime.trace import header_line

if TYPE_CHECKING:
    from posthouse.formats.mime.structure import Part

_ID = re.compile(rb"<[^<>\s]{1,900}>")
_REFERENCES_MAX = 100
_DOCUMENT_END = re.compile(r"</(?:body|html)\b", re.IGNORECASE)
_MIME_VERSION = b"MIME-Version: 1.0\r\n"

_Edit = tuple[int, int, bytes]


class How(Enum):
    """What is done with the original."""

    REPLY = "reply"
    FORWARD = "forward"


def with_original(new: bytes, original: bytes, how: How, *, replaces_mime: bool = False) -> bytes:
    """The client's message with the original quoted below its text.

    Args:
        new: the client's MIME.
        original: plain content of the message answered or forwarded.
        how: a reply takes along the pictures that the quoted text shows; a forwarded message all
            other parts too.
        replaces_mime: the client has put the original in itself: only threading fields are added.

    Returns:
        CRLF lines. ``In-Reply-To`` and ``References`` are added where the client wrote none.
    """
    draft = with_crlf(new)
    lines = _threading(draft, original)
    return lines + (draft if replaces_mime else _merged(draft, read_original(original), how))


def _threading(draft: bytes, original: bytes) -> bytes:
    head = original[: header_block(original)]
    message_id = bare_id(message_id_from_field(first(head, b"message-id") or b""))
    if not message_id:
        return b""
    out = b""
    if first(draft, b"in-reply-to") is None:
        out += id_field("In-Reply-To", [message_id])
    if first(draft, b"references") is None:
        known = first(head, b"references") or first(head, b"in-reply-to") or b""
        ids = [found[1:-1].decode("utf-8", "replace") for found in _ID.findall(unfold(known))]
        ids = [*(one for one in ids if one != message_id), message_id]
        if len(ids) > _REFERENCES_MAX:
            ids = [ids[0], *ids[1 - _REFERENCES_MAX :]]
        out += id_field("References", ids)
    return out


def _merged(draft: bytes, source: Original, how: How) -> bytes:
    root = scan(draft)
    is_forward = how is How.FORWARD
    if root.content_type in SEALED_TYPES:
        return draft
    texts = _texts(draft, root)
    if not texts or source.is_sealed or (is_forward and source.is_signed):
        if not is_forward:
            return draft
        return _wrapped(draft, "mixed", [whole_part(source)], is_message=True)
    work = _Draft(draft, root, source)
    shown = work.quote(texts)
    rest = [part for part in source.rest if part not in shown] if is_forward else []
    return work.finished(rest)


def _texts(draft: bytes, root: Part) -> dict[str, str]:
    """The client's texts by type; none when one of them cannot be added to."""
    if root.content_type == "multipart/signed" or is_cut(root):
        return {}
    found: dict[str, str] = {}
    for content_type, part in bodies_of(root).items():
        text = exact_text(draft, part)
        if text is None:
            return {}
        found[content_type] = text
    return found


class _Draft:
    """The client's message while the original is worked in."""

    def __init__(self, draft: bytes, root: Part, source: Original) -> None:
        self._draft = draft
        self._root = root
        self._source = source
        self._bodies = bodies_of(root)
        self._edits: list[_Edit] = []
        parts = list(root.walk())
        self._parents = {id(child): part for part in parts for child in part.children}
        self._content_ids = {part.content_id for part in parts if part.content_id}
        # A line like one of these inside what is added would end a part of the client's.
        self._delimiters = tuple(b"--" + _boundary(part) for part in parts if _boundary(part))

    def quote(self, texts: dict[str, str]) -> list[Part]:
        """Put the original's words below the client's; answers the pictures that came along."""
        shown: list[Part] = []
        for content_type, text in texts.items():
            part = self._bodies[content_type]
            if content_type == "text/html":
                source = inner_html(self._source.words(content_type))
                if content_type in self._source.bodies:
                    shown = [
                        picture
                        for picture in self._source.pictures(source)
                        if picture.content_id not in self._content_ids
                    ]
                self._edit_html(part, _with_html(text, source, self._source), shown)
            else:
                is_flowed = part.parameters.get("format", "").lower() == "flowed"
                merged = _with_lines(text, self._source, is_flowed=is_flowed)
                self._edits.append((part.start, part.end, self._rewritten(part, merged)))
        return shown

    def _edit_html(self, part: Part, text: str, shown: list[Part]) -> None:
        new = self._rewritten(part, text)
        pictures = [copied_part(self._source, picture, self._delimiters) for picture in shown]
        parent = self._parents.get(id(part))
        if pictures and parent is not None and parent.content_type == "multipart/related":
            self._edits.append(self._appended(parent, pictures))
        elif pictures:
            new = _wrapped(
                new, "related", pictures, {"type": "text/html"}, is_message=part is self._root
            )
        self._edits.append((part.start, part.end, new))

    def finished(self, rest: list[Part]) -> bytes:
        """The message with these parts of the original beside its text."""
        root = self._root
        copies = [copied_part(self._source, part) for part in rest]
        fits = not any(one in copy for one in self._delimiters for copy in copies)
        if copies and fits and root.content_type == "multipart/mixed" and root.children:
            self._edits.append(self._appended(root, copies))
            copies = []
        out: list[bytes] = []
        pos = 0
        for start, end, new in sorted(self._edits, key=lambda edit: edit[:2]):
            out += [self._draft[pos:start], new]
            pos = end
        merged = b"".join((*out, self._draft[pos:]))
        return _wrapped(merged, "mixed", copies, is_message=True) if copies else merged

    def _rewritten(self, part: Part, text: str) -> bytes:
        """A text part with other words: its fields stay, but for charset and encoding."""
        encoding, body = encoded_text(text, self._delimiters)
        parameters = {n: v for n, v in part.parameters.items() if is_token(n) and n != "charset"}
        fields = {
            b"content-type": typed_field(
                "Content-Type", part.content_type, {"charset": "utf-8", **parameters}
            ),
            b"content-transfer-encoding": header_line("Content-Transfer-Encoding", encoding),
        }
        if part is self._root and first(self._draft, b"mime-version") is None:
            fields[b"mime-version"] = _MIME_VERSION
        head = replaced_fields(self._draft[part.start : part.body_start], fields)
        return entity([head], body)

    def _appended(self, parent: Part, parts: list[bytes]) -> _Edit:
        """More parts at the end of a multipart."""
        at = parent.children[-1].end
        boundary = _boundary(parent)
        new = b"\r\n" + joined_parts(boundary, parts)
        closing = b"--" + boundary + b"--"
        if closing in self._draft[at : parent.end]:
            # The client's own last delimiter closes it.
            new = new.removesuffix(b"\r\n" + closing + b"\r\n")
        return (at, at, new)


def _boundary(part: Part) -> bytes:
    if not part.is_multipart:
        return b""
    return part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")


def _wrapped(
    inner: bytes,
    subtype: str,
    parts: list[bytes],
    parameters: dict[str, str] | None = None,
    *,
    is_message: bool,
) -> bytes:
    """An entity as the first part of a multipart that takes its place.

    The fields about content go inside with it; all others stay outside.
    """
    size = header_block(inner)
    lines = field_lines(inner[:size])
    inside = [raw for name, raw in lines if name.startswith(b"content-")]
    outside = [raw for name, raw in lines if not name.startswith(b"content-")]
    if is_message and all(name != b"mime-version" for name, _ in lines):
        outside.append(_MIME_VERSION)
    first_part = entity(inside, inner[size:])
    return b"".join((*outside, multipart(subtype, [first_part, *parts], parameters)))


# --- the words


def _with_lines(text: str, source: Original, *, is_flowed: bool) -> str:
    """Plain text with the original below it."""
    heading = [f"{label}: {said}" for label, said in source.heading()]
    words = source.words("text/plain").replace("\r\n", "\n").split("\n")
    block = ["", "", "-----Original Message-----", *heading, "", *words]
    if is_flowed:
        # Their lines end where they end (RFC 3676 §4.1, §4.4).
        block = [
            " " + line if line.startswith((" ", "From ")) else line
            for line in (line.rstrip(" ") for line in block)
        ]
    return text + "\r\n".join(block) + "\r\n"


def _with_html(text: str, quoted: str, source: Original) -> str:
    """HTML with the original below it."""
    heading = "<br>\n".join(
        f"<b>{label}:</b> {html.escape(said, quote=False)}" for label, said in source.heading()
    )
    block = (
        '\n<div><br></div>\n<hr style="display:inline-block;width:98%">\n'
        f"<div>{heading}</div>\n<div><br></div>\n"
        f'<blockquote type="cite">\n{quoted}\n</blockquote>\n'
    )
    end = last_match(_DOCUMENT_END, text)
    before = text[:end] if end >= 0 else text
    # "</body></html>": the block goes before the first of the two.
    at = last_match(_DOCUMENT_END, before.rstrip())
    if at >= 0 and not before[at:].partition(">")[2].strip():
        end = at
    return text + block if end < 0 else text[:end] + block + text[end:]
