"""Values of vCard properties: text, lists, structures, dates, pictures.

Spec: RFC 6350 §3.4, §4.1 (text), §4.3 (dates) and §6.2.4 (PHOTO); RFC 2426 §4; RFC 2045 §6.7.

Notes:
    Reading takes whatever comes and raises nothing. vCard 2.1 knows no escaping but of what
    divides a structured value, and no line ends but in quoted-printable.
"""

from __future__ import annotations

import binascii
import re
from datetime import date
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from posthouse.formats.content_lines import OCTETS_MAX
from posthouse.formats.mime.charsets import text_from_bytes
from posthouse.formats.mime.headers import base64_tolerant
from posthouse.formats.vcard.lines import LIMITS, Version, line_from_parts
from posthouse.model.contact import YEAR_UNKNOWN, Photo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.formats.vcard.lines import Form, Line

_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)])
_ESCAPED = re.compile(r"\\([nN,;:\\])")
_ESCAPED_21 = re.compile(r"\\([,;\\])")
_NEEDS_ESCAPE = re.compile(r"[\\,;\n]")
_PLAIN_21 = re.compile(r"[\t\x20-\x7e]*+")
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ].*)?", re.ASCII)
_DAY_OF_NO_YEAR = re.compile(r"--(\d{2})-?(\d{2})(?:[T ].*)?", re.ASCII)
_DATA_URI = re.compile(rb"data:([^,]*),", re.IGNORECASE)
_MAGIC = ((b"\x89PNG", "image/png"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))
_SUBTYPE = re.compile(r"[a-z0-9.+\-]{1,60}")
_TRANSFER_PARAMS = frozenset({"ENCODING", "CHARSET"})
_URI_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")


class Day(NamedTuple):
    """A date as a vCard writes it.

    Attributes:
        value: the property's value.
        omits_year: the year stands there only because the version has no other way.
    """

    value: bytes
    omits_year: bool


def clean(text: str) -> str:
    """The text as the model has it: LF alone, no other control characters but tab."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text if text.isprintable() else text.translate(_CONTROLS)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def is_uri(text: str) -> bool:
    """Whether it begins with a scheme and has no white space."""
    return _URI_SCHEME.fullmatch(text) is not None


def octets(line: Line) -> bytes:
    """The value without its transfer encoding."""
    match line.param("ENCODING").upper():
        case "QUOTED-PRINTABLE":
            return binascii.a2b_qp(line.value)
        case "BASE64" | "B":
            return base64_tolerant(line.value)
        case _:
            return line.value


def escaped_text(line: Line) -> str:
    """The value as text, its escapes still in it."""
    return clean(text_from_bytes(octets(line), line.param("CHARSET")))


def with_text(line: Line, escaped: str, form: Form, drop: Iterable[str] = ()) -> Line:
    """The line with another value and its own parameters, but for those that spoke of the old one.

    Args:
        line: gives label and parameters.
        escaped: the new value, as ``escape`` and the like made it.
        form: of the card.
        drop: upper-case names of more parameters to leave out.
    """
    gone = _TRANSFER_PARAMS.union(drop)
    params = [param.raw for param in line.params if param.name not in gone]
    if form.version is not Version.V21 or _PLAIN_21.fullmatch(escaped):
        return line_from_parts(line.label, params, escaped.encode("utf-8", "replace"), form)
    if not escaped.isascii():
        params.append(b"CHARSET=UTF-8")
    params.append(b"ENCODING=QUOTED-PRINTABLE")
    data = escaped.replace("\n", "\r\n").encode("utf-8", "replace")
    value = binascii.b2a_qp(data, istext=False).replace(b"=\n", b"=" + form.eol)
    return line_from_parts(line.label, params, value, form)


def unescape(text: str, version: Version) -> str:
    """A text value."""
    if version is Version.V21 or "\\" not in text:
        return text
    return _ESCAPED.sub(lambda m: "\n" if m[1] in "nN" else m[1], text)


def escape(text: str, version: Version) -> str:
    """A text value, as it is written."""
    if version is Version.V21:
        return text
    return _NEEDS_ESCAPE.sub(lambda m: "\\n" if m[0] == "\n" else "\\" + m[0], text)


def escape_uri(text: str, version: Version) -> str:
    """A URI: commas and semicolons are its own, so only what would be read as an escape is one."""
    if version is Version.V21:
        return text
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def unescape_part(part: str, version: Version) -> str:
    """A part of a list or structured value."""
    if version is Version.V21:
        return _ESCAPED_21.sub(r"\1", part)
    return unescape(part, version)


def escape_part(text: str, version: Version) -> str:
    """A part of a list or structured value, as it is written."""
    if version is Version.V21:
        return re.sub(r"[\\,;]", r"\\\g<0>", text)
    return escape(text, version)


def split_parts(text: str, sign: str, parts_max: int = LIMITS.parts_max) -> list[str]:
    """The parts between unescaped signs, still escaped; never none."""
    pieces = text.split(sign, parts_max)
    if "\\" not in text:
        return pieces
    parts = []
    begun: list[str] = []
    for piece in pieces:
        begun.append(piece)
        if (len(piece) - len(piece.rstrip("\\"))) % 2 == 0:
            parts.append(sign.join(begun))
            begun = []
    if begun:
        parts.append(sign.join(begun))
    return parts


def listed(text: str, version: Version) -> tuple[str, ...]:
    """The items of a list with commas, without outer white space and without empty ones."""
    items = (unescape_part(part, version).strip() for part in split_parts(text, ","))
    return tuple(item for item in items if item)


def list_value(items: Iterable[str], version: Version) -> str:
    """A list with commas, as it is written."""
    return ",".join(escape_part(item, version) for item in items)


def components(text: str, count: int, version: Version) -> list[str]:
    """The first components of a structured value, as many as asked for."""
    parts = [unescape_part(part, version) for part in split_parts(text, ";")[:count]]
    return parts + [""] * (count - len(parts))


def with_components(text: str, wanted: Sequence[str], version: Version) -> str:
    """A structured value in which those components that read otherwise are replaced.

    Args:
        text: the value as it is.
        wanted: the first components, unescaped.
        version: of the card.
    """
    parts = split_parts(text, ";")
    if len(parts) < len(wanted):
        # A backslash at the end of all would escape the semicolon that follows now.
        parts[-1] = escape_part(unescape_part(parts[-1], version), version)
    parts += [""] * (len(wanted) - len(parts))
    for index, want in enumerate(wanted):
        if unescape_part(parts[index], version) != want:
            parts[index] = escape_part(want, version)
    return ";".join(parts)


def date_from_line(line: Line) -> str | None:
    """ISO date, in ``YEAR_UNKNOWN`` when the card has none; None for what is no whole date."""
    text = escaped_text(line).strip()
    if found := _DAY_OF_NO_YEAR.fullmatch(text):
        year, month, day = YEAR_UNKNOWN, int(found[1]), int(found[2])
    elif found := _DAY.fullmatch(text):
        year, month, day = int(found[1]), int(found[2]), int(found[3])
        if line.param("X-APPLE-OMIT-YEAR") == found[1]:
            year = YEAR_UNKNOWN
    else:
        return None
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def day_from_date(iso: str, version: Version) -> Day:
    """How the card writes an ISO date."""
    omits_year = iso.startswith(f"{YEAR_UNKNOWN}-")
    if version is not Version.V40:
        return Day(iso.encode(), omits_year)
    basic = iso.replace("-", "")
    return Day((f"--{basic[4:]}" if omits_year else basic).encode(), omits_year=False)


def photo_from_line(line: Line) -> Photo | None:
    """The picture in the line; None when it is elsewhere or nothing can be read of it."""
    found = _DATA_URI.match(line.value)
    if found:
        kind, *options = found[1].decode("ascii", "replace").lower().replace("\\", "").split(";")
        rest = line.value[found.end() :]
        data = base64_tolerant(rest) if "base64" in options else unquote_to_bytes(rest)
    elif line.param("ENCODING").upper() in {"B", "BASE64"}:
        data = base64_tolerant(line.value)
        kind = line.param("MEDIATYPE") or line.param("TYPE")
    else:
        return None
    return Photo(data, _media_type(kind.lower(), data)) if data else None


def _media_type(kind: str, data: bytes) -> str:
    subtype = kind.removeprefix("image/")
    if _SUBTYPE.fullmatch(subtype):
        return "image/jpeg" if subtype == "jpg" else f"image/{subtype}"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "image/jpeg")


_PHOTO_PARAMS = frozenset(
    {"ENCODING", "CHARSET", "TYPE", "VALUE", "MEDIATYPE", "X-ABCROP-RECTANGLE"}
)


def with_photo(line: Line, photo: Photo, form: Form) -> Line:
    """The line with another picture in it."""
    params = [param.raw for param in line.params if param.name not in _PHOTO_PARAMS]
    value = binascii.b2a_base64(photo.data, newline=False)
    kind = photo.media_type.removeprefix("image/").upper().encode("ascii", "replace")
    if form.version is Version.V40:
        value = b"data:" + photo.media_type.encode("ascii", "replace") + b";base64," + value
        return line_from_parts(line.label, params, value, form)
    if form.version is Version.V30:
        return line_from_parts(line.label, [*params, b"ENCODING=b", b"TYPE=" + kind], value, form)
    room = OCTETS_MAX - 1
    folded = b"".join(form.eol + b" " + value[at : at + room] for at in range(0, len(value), room))
    # vCard 2.1 ends a value in base64 with an empty line.
    return line_from_parts(
        line.label, [*params, b"ENCODING=BASE64", b"TYPE=" + kind], folded + form.eol, form
    )
