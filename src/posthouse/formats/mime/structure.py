"""The parts of a message, found by their byte offsets.

Spec: RFC 2045, RFC 2046 §5.1 (multipart) and §5.2 (message).

Notes:
    One pass from one line that begins with two dashes to the next, with the open boundaries in a
    table: linear in the message, whatever its nesting. What lies deeper than ``depth_max`` or
        behind ``parts_max`` stays one opaque
    part. Nothing is decoded and nothing is copied but header blocks. Never raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.formats.mime.headers import LIMITS, HeaderLimits, decode_text, fields, header_block
from posthouse.formats.mime.parameters import Parameterised, parse_parameterised

if TYPE_CHECKING:
    from collections.abc import Iterator

PKCS7_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
"""Of S/MIME messages in one piece (RFC 8551 §3.2)."""
_BOUNDARY_MAX = 250
_NAME_MAX = 255
_LOOKALIKES_MAX = 100


@dataclass(frozen=True, slots=True)
class StructureLimits:
    """How far the scanner looks.

    Attributes:
        depth_max: nesting of multiparts and messages.
        parts_max: all parts together.
        part_header_bytes_max: header block of one inner part.
        delimiters_max: lines that look like delimiters.
        header: limits of header blocks.
    """

    depth_max: int = 100
    parts_max: int = 1_000
    part_header_bytes_max: int = 64 << 10
    delimiters_max: int = 200_000
    header: HeaderLimits = LIMITS


STRUCTURE_LIMITS = StructureLimits()


@dataclass(slots=True)
class Part:
    """One entity: the message itself, or a part of it. Offsets count plain content.

    Attributes:
        start: of its header block.
        body_start: behind the empty line.
        end: behind its last byte; the line end before a delimiter belongs to the delimiter.
        section: IMAP's part number, e.g. "1.2"; of a multipart that is a message's body: the
            message's own ("" at the top).
        content_type: lower case.
        parameters: of the content type.
        encoding: content transfer encoding, lower case.
        disposition: "inline", "attachment" or "".
        name: file name, decoded ("" none).
        content_id: as written, with brackets ("" none).
        description: decoded.
        line_count: lines of the body, counted for text and messages only.
        children: parts of a multipart; the one message of a message/rfc822.
    """

    start: int
    body_start: int
    end: int = 0
    section: str = ""
    content_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    encoding: str = "7bit"
    disposition: str = ""
    name: str = ""
    content_id: str = ""
    description: str = ""
    line_count: int = 0
    children: list[Part] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        """Whether its body is a row of parts (an opaque one has none)."""
        return self.content_type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        """Whether its body is a message of its own."""
        return self.content_type in ("message/rfc822", "message/global")

    def walk(self) -> Iterator[Part]:
        """This part and all below it, in order of their place in the message."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))


def scan(plain: bytes, limits: StructureLimits = STRUCTURE_LIMITS) -> Part:
    """The structure of a message. ``plain`` is its content, header block first."""
    return _Scan(plain, limits).run()


class _Open:
    """An entity whose end is not known yet."""

    __slots__ = ("boundary", "outer", "part")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.boundary = b""
        self.outer: int | None = None


class _Scan:
    """State of one pass."""

    __slots__ = ("boundaries", "count", "limits", "plain", "stack")

    def __init__(self, plain: bytes, limits: StructureLimits) -> None:
        self.plain = plain
        self.limits = limits
        self.stack: list[_Open] = []
        self.boundaries: dict[bytes, int] = {}
        self.count = 0

    def run(self) -> Part:
        """From delimiter to delimiter."""
        plain = self.plain
        pos = self._open(0, "", default_type="text/plain")
        root = self.stack[0].part
        for _ in range(self.limits.delimiters_max):
            if not self.boundaries:
                break
            dashes = plain.find(b"\n--", max(pos - 1, 0))
            if dashes < 0:
                break
            level, is_last, line_end = self._names_boundary(plain, dashes + 1)
            if level is None:
                pos = dashes + 3
                continue
            self._close_down_to(level, self._end_before(dashes + 1))
            pos = line_end
            if is_last:
                self._forget_boundary(level)
            elif self.count >= self.limits.parts_max:
                break
            else:
                pos = self._open_child(level, line_end)
        self._close_down_to(-1, len(plain))
        return root

    def _open_child(self, level: int, start: int) -> int:
        parent = self.stack[level].part
        number = len(parent.children) + 1
        prefix = f"{parent.section}." if parent.section else ""
        is_digest = parent.content_type == "multipart/digest"
        default_type = "message/rfc822" if is_digest else "text/plain"
        return self._open(start, f"{prefix}{number}", default_type=default_type)

    def _open(self, start: int, section: str, *, default_type: str) -> int:
        """Open the entity at ``start`` and, in a message/rfc822, those it begins with.

        Returns:
            Where to look for the next delimiter.
        """
        is_message = not self.stack
        while True:
            part = self._entity(start, section, default_type)
            if self.stack:
                self.stack[-1].part.children.append(part)
            opened = _Open(part)
            self.stack.append(opened)
            self.count += 1
            if len(self.stack) > self.limits.depth_max:
                return part.body_start
            if is_message and not part.is_multipart:
                # IMAP gives the one body of a message a number of its own.
                part.section = f"{section}.1" if section else "1"
            if part.is_multipart:
                self._remember_boundary(opened)
                return part.body_start
            is_plain = part.encoding in ("7bit", "8bit", "binary")
            if not (part.is_message and is_plain and self.count < self.limits.parts_max):
                return part.body_start
            start = part.body_start
            default_type = "text/plain"
            section = part.section
            is_message = True

    def _entity(self, start: int, section: str, default_type: str) -> Part:
        limits = self.limits
        window = limits.part_header_bytes_max if self.stack else limits.header.header_bytes_max
        head = self.plain[start : start + window]
        size = self._header_size(head)
        part = Part(start, start + size, section=section, content_type=default_type)
        _describe(part, head[:size], limits.header)
        return part

    def _header_size(self, head: bytes) -> int:
        """Size of a part's header block; a delimiter ends it too."""
        size = header_block(head)
        if not self.boundaries:
            return size
        dashes = -1
        for _ in range(_LOOKALIKES_MAX):
            if self._names_boundary(head, dashes + 1)[0] is not None:
                return dashes + 1
            dashes = head.find(b"\n--", dashes + 1, size)
            if dashes < 0:
                break
        return size

    def _names_boundary(self, data: bytes, start: int) -> tuple[int | None, bool, int]:
        """Level of the multipart whose delimiter the line is, whether its last one, line end."""
        if not data.startswith(b"--", start):
            return None, False, start
        bound = start + _BOUNDARY_MAX
        end = data.find(b"\n", start, bound)
        if end < 0:
            if len(data) > bound:
                return None, False, start
            end = len(data)
        line = data[start + 2 : end].rstrip(b" \t\r")
        level = self.boundaries.get(line)
        if level is not None:
            return level, False, min(end + 1, len(data))
        if line.endswith(b"--"):
            level = self.boundaries.get(line[:-2].rstrip(b" \t"))
        return level, True, min(end + 1, len(data))

    def _end_before(self, line_start: int) -> int:
        """Where the content ends whose delimiter line begins here."""
        end = line_start - 1
        return end - 1 if end > 0 and self.plain[end - 1] == 13 else end

    def _close_down_to(self, level: int, end: int) -> None:
        while len(self.stack) > level + 1:
            part = self.stack[-1].part
            # A part cut short by a delimiter of an outer one ends before its own header did.
            part.end = end
            part.body_start = min(part.body_start, end)
            part.start = min(part.start, end)
            if part.content_type.startswith("text/") or part.is_message:
                part.line_count = self.plain.count(b"\n", part.body_start, part.end)
            self._forget_boundary(len(self.stack) - 1)
            self.stack.pop()

    def _remember_boundary(self, opened: _Open) -> None:
        boundary = opened.part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        if 0 < len(boundary) < _BOUNDARY_MAX - 8:
            opened.boundary = boundary
            opened.outer = self.boundaries.get(boundary)
            self.boundaries[boundary] = len(self.stack) - 1

    def _forget_boundary(self, level: int) -> None:
        """After its end an outer multipart of the same boundary counts again."""
        opened = self.stack[level]
        if not opened.boundary:
            return
        if opened.outer is None:
            self.boundaries.pop(opened.boundary, None)
        else:
            self.boundaries[opened.boundary] = opened.outer
        opened.boundary = b""


def _describe(part: Part, head: bytes, limits: HeaderLimits) -> None:
    """Fill in what the MIME fields of the header block say; the first of each counts."""
    found: dict[bytes, bytes] = {}
    for item in fields(head, limits):
        if item.name.startswith(b"content-"):
            found.setdefault(item.name, item.value)
    if not found:
        return
    if raw := found.get(b"content-type"):
        kind = parse_parameterised(raw)
        if kind.value.count("/") == 1 and not kind.value.startswith("/"):
            part.content_type = kind.value
        part.parameters = kind.parameters
    disposition = Parameterised("", {})
    if raw := found.get(b"content-disposition"):
        disposition = parse_parameterised(raw)
        part.disposition = disposition.value
    name = disposition.parameters.get("filename") or part.parameters.get("name", "")
    part.name = name[:_NAME_MAX]
    encoding = decode_text(found.get(b"content-transfer-encoding", b"7bit")).lower()
    part.encoding = encoding.partition(";")[0].strip()[:40] or "7bit"
    part.content_id = decode_text(found.get(b"content-id", b""))[:_NAME_MAX]
    part.description = decode_text(found.get(b"content-description", b""))[:_NAME_MAX]
