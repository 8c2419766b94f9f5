"""Parameters of Content-Type and Content-Disposition.

Spec: RFC 2045 §5.1, RFC 2183 §2, RFC 2231 §3 (continuations) and §4 (charset and percent-encoding).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from posthouse.formats.mime.charsets import text_from_bytes
from posthouse.formats.mime.headers import decode_text, unfold

_OCTETS_MAX = 16_384
_COUNT_MAX = 200
_VALUE_MAX = 1_024
_QUOTED = re.compile(rb'((?:[^"\\]++|\\.)*+)"?', re.DOTALL)


class Parameterised(NamedTuple):
    """A value with parameters.

    Attributes:
        value: lower case, without white space, e.g. "text/plain".
        parameters: by lower-case name, decoded, at most 1 024 characters each.
    """

    value: str
    parameters: dict[str, str]


def parse_parameterised(raw: bytes) -> Parameterised:
    """Read ``type/subtype; name=value; ...``; never raises. The first of equal names counts."""
    line = unfold(raw[:_OCTETS_MAX])
    value, _, rest = line.partition(b";")
    plain: dict[str, bytes] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    pos = 0
    for _ in range(_COUNT_MAX):
        if pos >= len(rest):
            break
        name, text, pos = _next_parameter(rest, pos)
        base, star, index = name.partition("*")
        if not star:
            plain.setdefault(name, text)
        else:
            number = index.removesuffix("*")
            key = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
            pieces.setdefault(base, {}).setdefault(key, (text, name.endswith("*")))
    # An encoded word in a parameter is forbidden and common.
    decoded = {name: decode_text(text)[:_VALUE_MAX] for name, text in plain.items() if name}
    decoded.update({name: _joined(found)[:_VALUE_MAX] for name, found in pieces.items() if name})
    kind = b"".join(value.split()).lower().decode("utf-8", "replace")
    return Parameterised(kind[:_VALUE_MAX], decoded)


def _next_parameter(rest: bytes, pos: int) -> tuple[str, bytes, int]:
    """The parameter at ``pos`` and where the next one begins."""
    end = rest.find(b";", pos)
    end = len(rest) if end < 0 else end
    equals = rest.find(b"=", pos, end)
    if equals < 0:
        return "", b"", end + 1
    name = rest[pos:equals].strip().lower().decode("ascii", "replace")
    start = equals + 1
    while rest[start : start + 1] in (b" ", b"\t"):
        start += 1
    if rest[start : start + 1] != b'"':
        return name, rest[start:end].strip(), end + 1
    match = _QUOTED.match(rest, start + 1)
    text = match[1] if match else b""
    if b"\\" in text:
        text = re.sub(rb"\\(.)", rb"\1", text, flags=re.DOTALL)
    behind = rest.find(b";", match.end() if match else start)
    return name, text, len(rest) if behind < 0 else behind + 1


def _joined(pieces: dict[int, tuple[bytes, bool]]) -> str:
    """Continuations in order, up to the first gap."""
    charset = ""
    out: list[bytes] = []
    for index in range(len(pieces)):
        if index not in pieces:
            break
        text, is_encoded = pieces[index]
        if index == 0 and is_encoded and text.count(b"'") >= 2:
            raw_charset, _, tail = text.partition(b"'")
            charset = raw_charset.decode("ascii", "replace")
            text = tail.partition(b"'")[2]
        out.append(unquote_to_bytes(text) if is_encoded else text)
    joined = text_from_bytes(b"".join(out), charset)
    if joined.isprintable():
        return joined
    return "".join(c if c.isprintable() else " " for c in joined)
