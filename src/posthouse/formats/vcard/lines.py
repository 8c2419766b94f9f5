"""Content lines of a vCard: where each begins and ends, its parameters, its raw value.

Spec: RFC 6350 §3.2, §3.3 and §5; RFC 2426 §2.4.1 (binary) and §2.6 (folding); RFC 6868 §3
    (carets); RFC 2045 §6.7 (soft line breaks of vCard 2.1).

Notes:
    The raw bytes of the lines, one after the other, and the tail are the input, octet for octet.
    What is no property of the first card (junk, a card inside ``AGENT``, a line beyond the limits)
    is a line without a name. LF alone is taken as a line end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from posthouse.formats.content_lines import carets_from_text, folded, text_from_carets
from posthouse.formats.mime.charsets import text_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class VcardLimits:
    """What is looked at; the rest is stored and served, but not in the view.

    Attributes:
        card_bytes_max: of the whole card.
        lines_max: logical lines of the card.
        line_bytes_max: of one line with its folds.
        text_bytes_max: of a value that is no picture.
        head_bytes_max: of a line's name and parameters.
        params_max: of one line.
        parts_max: of one list or structured value.
    """

    card_bytes_max: int = 16 << 20
    lines_max: int = 5_000
    line_bytes_max: int = 8 << 20
    text_bytes_max: int = 1 << 20
    head_bytes_max: int = 8 << 10
    params_max: int = 100
    parts_max: int = 1_000


LIMITS = VcardLimits()

# Alternatives exclude each other, so time is linear. No possessive repeat of a group: Python 3.11.2
# leaves the octets of a last, broken-off turn in the match.
_FOLDED = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*\n?")
_MORE_FOLDS = re.compile(rb"(?:[ \t][^\n]*+\n?)*")
_SOFT_MORE = re.compile(
    rb"(?:(?!END:VCARD)[^\n]*+\n(?:(?<==\n)|(?<==\r\n)))*(?!END:VCARD)[^\n]*+\n?", re.IGNORECASE
)
_BARE_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/=]++[ \t]*+(?:\r?\n|\Z))*(?:[ \t]*+\r?\n)?")
_ENCODED = re.compile(
    rb'(?>[^":\r\n]|"[^"\r\n]{0,1024}"|"){0,1024}?;'
    rb"(?:ENCODING=)?(?:(QUOTED-PRINTABLE)|BASE64|B)[;:]",
    re.IGNORECASE,
)
_BEGIN = re.compile(rb"^(?:\xef\xbb\xbf)?BEGIN[ \t]*:[ \t]*VCARD[ \t\r]*$", re.I | re.M)
_VERSION = re.compile(rb"^VERSION[^:\n]*:[ \t]*(2\.1|3\.0|4\.0)[ \t\r]*$", re.I | re.M)
_HEAD = re.compile(rb'((?:[^":]++|"[^"]*+")*):')
_PIECE = re.compile(rb'(?:[^";]++|"[^"]*+"|")+')
_PARAM_VALUE = re.compile(rb'(?:[^",]++|"[^"]*+"|")+')
_LABEL = re.compile(rb"(?:([A-Za-z0-9_.\-]+)\.)?([A-Za-z0-9_\-]+)")
_UNFOLD = re.compile(rb"\r?\n[ \t]")
# vCard 2.1 folds where white space is, and keeps it.
_UNFOLD_21 = re.compile(rb"\r?\n(?=[ \t])")
_SOFT_BREAK = re.compile(rb"=(?:\r?\n|\Z)")
_BARE_ENCODINGS = frozenset({"QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"})
_BARE_VALUES = frozenset({"INLINE", "URL", "CONTENT-ID", "CID"})


class NotVcard(ValueError):
    """The bytes hold no ``BEGIN:VCARD``."""


class Version(Enum):
    """Of the vCard format."""

    V21 = "2.1"
    V30 = "3.0"
    V40 = "4.0"


class Form(NamedTuple):
    """How a card's lines are written.

    Attributes:
        version: its version; 3.0 when it names none that is known.
        eol: CRLF, or LF where the original has that.
    """

    version: Version
    eol: bytes


class Param(NamedTuple):
    """A parameter.

    Attributes:
        name: upper case; a bare one of vCard 2.1 has the name it stands for; "" for what is none.
        values: decoded, in order.
        raw: as written, quotes and all.
    """

    name: str
    values: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line.

    Attributes:
        raw: as written, folds and line ends and all.
        group: upper case ("" none).
        name: of the property, upper case ("" for what is none).
        label: group and name as written.
        params: in order.
        value: unfolded, still encoded and escaped.
    """

    raw: bytes
    group: str = ""
    name: str = ""
    label: bytes = b""
    params: tuple[Param, ...] = ()
    value: bytes = b""

    def param(self, name: str) -> str:
        """First value of the first parameter of this (upper-case) name; "" without."""
        for param in self.params:
            if param.name == name and param.values:
                return param.values[0]
        return ""

    @property
    def types(self) -> frozenset[str]:
        """All values of TYPE, upper case."""
        return frozenset(v.upper() for p in self.params if p.name == "TYPE" for v in p.values)


@dataclass(frozen=True, slots=True)
class Card:
    """The first vCard of a file.

    Attributes:
        form: how its lines are written.
        lines: in order, from what stands before BEGIN to END.
        tail: what follows, unread.
        is_open: its END is missing or beyond the limits.
        limits: by which it was read.
    """

    form: Form
    lines: tuple[Line, ...]
    tail: bytes
    is_open: bool
    limits: VcardLimits


def read_card(data: bytes, limits: VcardLimits = LIMITS) -> Card:
    """The lines of the first card.

    Raises:
        NotVcard: no line says ``BEGIN:VCARD``.
    """
    block = data[: limits.card_bytes_max]
    begin = _BEGIN.search(block)
    if begin is None:
        raise NotVcard("no BEGIN:VCARD")
    version = _VERSION.search(block, begin.start())
    newline = block.find(b"\n")
    form = Form(
        Version(version[1].decode()) if version else Version.V30,
        b"\n" if newline > 0 and block[newline - 1] != 13 else b"\r\n",
    )
    lines = [Line(block[: begin.start()])] if begin.start() else []
    pos = begin.start()
    depth = 0
    for start, end in _spans(block, pos, limits.lines_max):
        raw = block[start:end]
        line = line_from_bytes(raw, form.version, limits)
        mark = line.name if line.value.strip().upper() == b"VCARD" else ""
        depth += mark == "BEGIN"
        lines.append(line if depth == 1 else Line(raw))
        depth -= mark == "END"
        pos = end
        if not depth:
            break
    return Card(form, tuple(lines), data[pos:], depth > 0, limits)


def _spans(block: bytes, pos: int, lines_max: int) -> Iterator[tuple[int, int]]:
    """Where each logical line begins and ends."""
    for _ in range(lines_max):
        if pos >= len(block):
            return
        folded = _FOLDED.match(block, pos)
        end = folded.end() if folded else len(block)
        encoded = _ENCODED.match(block, pos, end)
        if encoded:
            more = None
            if not encoded[1]:
                more = _BARE_BASE64.match(block, end)
            elif block.endswith((b"=\n", b"=\r\n"), pos, end):
                more = _SOFT_MORE.match(block, end)
            folds = _MORE_FOLDS.match(block, more.end()) if more else None
            end = folds.end() if folds else end
        yield pos, end
        pos = end


def line_from_bytes(raw: bytes, version: Version, limits: VcardLimits = LIMITS) -> Line:
    """One logical line; without a name when it is no property or beyond the limits."""
    if len(raw) > limits.line_bytes_max:
        return Line(raw)
    text = unfold(raw, version)
    match = _HEAD.match(text)
    head, _, value = text.partition(b":")
    if match:
        head, value = match[1], text[match.end() :]
    elif len(head) == len(text):
        return Line(raw)
    if len(head) > limits.head_bytes_max:
        return Line(raw)
    first, *rest = _PIECE.findall(head.removeprefix(b"\xef\xbb\xbf")) or [b""]
    label = _LABEL.fullmatch(first.strip())
    if label is None or len(rest) > limits.params_max:
        return Line(raw)
    name = label[2].decode().upper()
    if len(value) > limits.text_bytes_max and name != "PHOTO":
        return Line(raw)
    return Line(
        raw,
        group=(label[1] or b"").decode().upper(),
        name=name,
        label=first.strip(),
        params=tuple(_param(piece) for piece in rest),
        value=value,
    )


def runs_on(raw: bytes, following: bytes) -> bool:
    """Whether a line, put before another one, would take that for a part of itself."""
    encoded = _ENCODED.match(raw)
    if encoded is None or not raw.endswith(b"\n"):
        return not raw.endswith(b"\n")
    if encoded[1]:
        return raw.endswith((b"=\n", b"=\r\n"))
    bare = _BARE_BASE64.match(following)
    return bare is not None and bare.end() > 0


def unfold(raw: bytes, version: Version) -> bytes:
    """The line without folds, soft line breaks and final line end."""
    body = raw.removesuffix(b"\n").rstrip(b"\r")
    encoded = _ENCODED.match(body)
    if encoded and encoded[1]:
        body = _SOFT_BREAK.sub(b"", body)
    fold = _UNFOLD_21 if version is Version.V21 else _UNFOLD
    return fold.sub(b"", body)


def _is_paired(piece: bytes) -> bool:
    """Whether the quotation marks are; else the parameter would swallow the value."""
    return piece.count(b'"') % 2 == 0


def _param(piece: bytes) -> Param:
    if not _is_paired(piece):
        return Param("", (), piece)
    name, equals, rest = piece.partition(b"=")
    if not equals:
        value = text_from_bytes(piece.strip())
        upper = value.upper()
        stands_for = "ENCODING" if upper in _BARE_ENCODINGS else "TYPE"
        stands_for = "VALUE" if upper in _BARE_VALUES else stands_for
        return Param(stands_for, (value,), piece)
    values = [_param_value(value) for value in _PARAM_VALUE.findall(rest)]
    upper = text_from_bytes(name.strip()).upper()
    if upper == "TYPE":
        values = [part.strip() for value in values for part in value.split(",")]
    return Param(upper, tuple(values), piece)


def _param_value(raw: bytes) -> str:
    text = text_from_bytes(raw)
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    return text_from_carets(text)


def param_bytes(name: str, value: str) -> bytes:
    """A parameter of one value, quoted."""
    return f'{name}="{carets_from_text(value)}"'.encode("utf-8", "replace")


def line_from_parts(label: bytes, params: Sequence[bytes], value: bytes, form: Form) -> Line:
    """A line made new, and folded unless it is of vCard 2.1 or has its own line breaks.

    Args:
        label: group and name.
        params: as written, without semicolons between them.
        value: encoded and escaped.
        form: of the card it goes to.
    """
    text = _head(label, params) + b":" + value
    as_is = form.version is Version.V21 or b"\n" in value
    raw = text + form.eol if as_is else folded(text, form.eol)
    return line_from_bytes(raw, form.version)


def with_params(line: Line, params: Sequence[bytes], form: Form) -> Line:
    """The line with other parameters and the value as it stands there, its line breaks too."""
    if form.version is not Version.V21 and not _ENCODED.match(line.raw):
        return line_from_parts(line.label, params, line.value, form)
    found = _HEAD.match(line.raw)
    colon = found.end() - 1 if found else line.raw.index(b":")
    raw = _head(line.label, params) + line.raw[colon:]
    return line_from_bytes(raw, form.version)


def _head(label: bytes, params: Sequence[bytes]) -> bytes:
    return b";".join((label, *filter(_is_paired, params)))
