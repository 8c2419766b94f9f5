"""What messages are written of: header fields, parameters, encoded bodies, multiparts.

Spec: RFC 2045 §6 (transfer encodings), RFC 2046 §5.1 (multipart), RFC 2047 (encoded words), RFC
    2231 §3, §4 (parameters), RFC 5322 §2.1.1, §2.2.3, §3.4.

Notes:
    Everything comes out with CRLF, in lines of at most 998 octets. Text that users wrote cannot
    become a header line: control characters are made spaces here. What only code writes (names of
    fields) is refused instead, with ValueError.
"""

from __future__ import annotations

import binascii
import re
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote

from posthouse.formats.mime.trace import LINE_OCTETS_MAX, header_line
from posthouse.model.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from posthouse.formats.mime.addresses import HeaderAddress

_LINE_USUAL = 76
_WORD_MAX = 75
_WORD_PAYLOAD_MAX = _WORD_MAX - len("=?utf-8?q??=")
_RAW_WORD_MAX = 900
_SHORT_PHRASE = 60
_PARAMETER_PIECE = 55
_NAME_MAX = 255
_ID_MAX = 900
_BASE64_LINE = 57

_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
_SPACES_RUN = re.compile(" {20}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+\Z")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+.^_`{|}~-]+\Z")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}\Z")
_NOT_IN_ID = re.compile(r"[^!-;=?-~]")
_EOL = re.compile(rb"\r\n|\r|\n")
# Octets that stand for themselves in an encoded word, wherever it stands (RFC 2047 §5 (3)).
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def with_crlf(raw: bytes) -> bytes:
    """The same lines, each ended by CRLF; a CR alone ends a line too."""
    lines = raw.count(b"\r\n")
    if raw.count(b"\n") == lines == raw.count(b"\r"):
        return raw
    return _EOL.sub(b"\r\n", raw)


def clean(text: str) -> str:
    """Text fit for a header field: control characters made spaces, outer spaces gone."""
    if not text.isprintable():
        text = text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return text.strip()


# --- header fields


def text_field(name: str, text: str) -> bytes:
    """An unstructured field such as Subject. Raises ValueError for a name that is none."""
    text = clean(text)
    is_plain = text.isascii() and "=?" not in text and _SPACES_RUN.search(text) is None
    if is_plain and all(len(word) <= _RAW_WORD_MAX for word in text.split(" ")):
        return header_line(name, text)
    return field_of_tokens(name, encoded_words(text, len(name) + 2))


def address_field(name: str, entries: Iterable[HeaderAddress]) -> bytes:
    """A list of addresses; b"" for an empty one.

    What is no address stays what it is, a name: nothing that a user typed is lost.
    """
    tokens: list[str] = []
    for entry in entries:
        more = _address_tokens(entry.name, entry.address)
        if tokens and more:
            tokens[-1] += ","
        tokens += more
    return field_of_tokens(name, tokens) if tokens else b""


def id_field(name: str, ids: Iterable[str]) -> bytes:
    """A list of message ids, given without brackets; b"" when none of them can be written."""
    tokens = [f"<{bare}>" for one in ids if (bare := bare_id(one))]
    return field_of_tokens(name, tokens) if tokens else b""


def bare_id(text: str) -> str:
    """A message or content id as it may stand between brackets; "" when it cannot."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    return "" if len(bare) > _ID_MAX or _NOT_IN_ID.search(bare) else bare


def typed_field(name: str, value: str, parameters: Mapping[str, str]) -> bytes:
    """Content-Type or Content-Disposition. ``value`` must be a token or a media type."""
    tokens = [value]
    for key, text in parameters.items():
        for piece in _parameter(key, clean(text)[:_NAME_MAX]):
            tokens[-1] += ";"
            tokens.append(piece)
    return field_of_tokens(name, tokens)


def is_token(text: str) -> bool:
    """Whether it may be the name of a parameter."""
    return _TOKEN.match(text) is not None


def media_type(text: str) -> str:
    """A media type without parameters; "application/octet-stream" for what is none."""
    bare = text.partition(";")[0].strip().lower()
    return bare if _MEDIA_TYPE.match(bare) else "application/octet-stream"


def field_of_tokens(name: str, tokens: Sequence[str]) -> bytes:
    """A field folded between tokens only. Raises ValueError as ``header_line`` does."""
    lines: list[str] = []
    line = ""
    for token in tokens:
        used = len(line) if lines else len(name) + 1 + len(line)
        if line and used + 1 + len(token) > _LINE_USUAL:
            lines.append(line)
            line = ""
        line += f" {token}"
    lines.append(line)
    first = header_line(name, lines[0].removeprefix(" "))
    return first + b"".join(more.encode("utf-8", "replace") + b"\r\n" for more in lines[1:])


def encoded_words(text: str, used: int = 0) -> list[str]:
    """Text as encoded words in UTF-8, each a word of its own for ``field_of_tokens``.

    Args:
        text: any.
        used: octets of the first line that are taken already.
    """
    raw_size = len(text.encode("utf-8", "replace"))
    by_q = sum(_q_size(char) for char in text) <= (raw_size + 2) // 3 * 4
    words: list[str] = []
    piece, size = "", 0
    room = max(_WORD_PAYLOAD_MAX - used, 12)
    for char in text:
        cost = _q_size(char) if by_q else len(char.encode("utf-8", "replace"))
        limit = room if by_q else room // 4 * 3
        if piece and size + cost > limit:
            words.append(_word(piece, by_q=by_q))
            piece, size, room = "", 0, _WORD_PAYLOAD_MAX
        piece += char
        size += cost
    if piece:
        words.append(_word(piece, by_q=by_q))
    return words


def _q_size(char: str) -> int:
    if char == " ":
        return 1
    return sum(1 if octet in _Q_PLAIN else 3 for octet in char.encode("utf-8", "replace"))


def _word(piece: str, *, by_q: bool) -> str:
    raw = piece.encode("utf-8", "replace")
    if not by_q:
        return f"=?utf-8?b?{binascii.b2a_base64(raw, newline=False).decode('ascii')}?="
    out = "".join(
        "_" if octet == 0x20 else chr(octet) if octet in _Q_PLAIN else f"={octet:02X}"
        for octet in raw
    )
    return f"=?utf-8?q?{out}?="


def _address_tokens(name: str, address: str) -> list[str]:
    name = clean(name)
    if not _is_address(address):
        return _phrase(f"{name} {clean(address)}".strip())
    return [*_phrase(name), f"<{address}>"] if name else [address]


def _phrase(name: str) -> list[str]:
    """A display name: as it is, quoted, or in encoded words."""
    if not name:
        return []
    if not name.isascii() or "=?" in name or len(name) > _SHORT_PHRASE:
        return encoded_words(name)
    if _ATOMS.match(name) and "  " not in name:
        return [name]
    return ['"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))]


def _is_address(text: str) -> bool:
    try:
        Address.parse(text)
    except ValueError:
        return False
    return text.isprintable()


def _parameter(name: str, value: str) -> list[str]:
    """One parameter; a long one, or one beyond ASCII, in pieces by RFC 2231."""
    if value.isascii() and len(value) <= _SHORT_PHRASE and "=?" not in value:
        if _TOKEN.match(value):
            return [f"{name}={value}"]
        return ['{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))]
    coded = "utf-8''" + quote(value, safe="", errors="replace")
    pieces: list[str] = []
    while coded:
        end = _PARAMETER_PIECE
        # Never between a percent sign and its digits.
        end -= next((n for n in (1, 2) if coded[end - n : end - n + 1] == "%"), 0)
        pieces.append(coded[:end])
        coded = coded[end:]
    if len(pieces) == 1:
        return [f"{name}*={pieces[0]}"]
    return [f"{name}*{n}*={piece}" for n, piece in enumerate(pieces)]


# --- bodies


def encoded_text(text: str, avoid: Sequence[bytes] = ()) -> tuple[str, bytes]:
    """Text in UTF-8 as a body: its transfer encoding, and the encoded lines.

    Args:
        text: any; its line ends become CRLF.
        avoid: octets that must not stand in the body (delimiters of multiparts around it).
    """
    raw = with_crlf(text.encode("utf-8", "replace"))
    if raw.isascii() and fits_lines(raw) and not _holds(raw, avoid):
        return "7bit", raw
    quoted = with_crlf(binascii.b2a_qp(raw, istext=True))
    if len(quoted) * 3 <= len(raw) * 4 and not _holds(quoted, avoid):
        return "quoted-printable", quoted
    return "base64", base64_lines(raw)


def text_part(content_type: str, text: str, more: Mapping[str, str] | None = None) -> bytes:
    """Text as an entity in UTF-8, with further parameters of its type."""
    encoding, body = encoded_text(text)
    parameters = {"charset": "utf-8", **(more or {})}
    return entity(
        [
            typed_field("Content-Type", content_type, parameters),
            header_line("Content-Transfer-Encoding", encoding),
        ],
        body,
    )


def base64_lines(raw: bytes) -> bytes:
    """Base64 in lines of 76, each CRLF-ended."""
    encode = binascii.b2a_base64
    step = _BASE64_LINE
    lines = [encode(raw[at : at + step], newline=False) for at in range(0, len(raw), step)]
    return b"\r\n".join([*lines, b""])


def fits_lines(raw: bytes) -> bool:
    """Whether CRLF lines can stand in a message as they are: short enough, and without NUL."""
    pos = 0
    while len(raw) - pos > LINE_OCTETS_MAX:
        end = raw.rfind(b"\n", pos, pos + LINE_OCTETS_MAX + 2)
        if end < 0:
            return False
        pos = end + 1
    return b"\0" not in raw


def _holds(raw: bytes, avoid: Sequence[bytes]) -> bool:
    return any(one in raw for one in avoid)


def entity(fields: Iterable[bytes], body: bytes) -> bytes:
    """A part: its header fields, the empty line, its body."""
    return b"".join((*fields, b"\r\n", body))


def multipart(
    subtype: str, parts: Sequence[bytes], parameters: Mapping[str, str] | None = None
) -> bytes:
    """A multipart of entities, as an entity.

    Its boundary stands in none of them; it is made from them, so equal parts give equal bytes.
    """
    boundary = fresh_boundary(parts)
    more = {**(parameters or {}), "boundary": boundary.decode("ascii")}
    return entity(
        [typed_field("Content-Type", f"multipart/{subtype}", more)],
        joined_parts(boundary, parts),
    )


def joined_parts(boundary: bytes, parts: Sequence[bytes]) -> bytes:
    """The body of a multipart."""
    delimiter = b"--" + boundary
    pieces = [piece for part in parts for piece in (delimiter, b"\r\n", part, b"\r\n")]
    return b"".join((*pieces, delimiter, b"--\r\n"))


def fresh_boundary(parts: Sequence[bytes]) -> bytes:
    """A boundary that stands in none of the parts."""
    digest = blake2b(digest_size=12)
    for part in parts:
        digest.update(part)
    while True:
        # "=_" stands neither in base64 nor in quoted-printable (RFC 2045 §6.7).
        boundary = b"=_part_" + digest.hexdigest().encode("ascii")
        if not any(boundary in part for part in parts):
            return boundary
        digest.update(b"again")
