"""Address lists of header fields.

Spec: RFC 5322 §3.4 (address specification), §4.4 (obsolete forms), RFC 6854 (groups in From).

Notes:
    One pass from special character to special character: linear, without recursion, and never
    raising. What is no address comes out with ``address == ""`` and the text as name, so that
    nothing a sender wrote disappears.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from posthouse.formats.mime.charsets import text_from_bytes
from posthouse.formats.mime.headers import LIMITS, HeaderLimits, decode_phrase, unfold

_SPECIAL = re.compile(r'[",:;<>()\\\[]')
_QUOTE_END = re.compile(r'["\\]')
_NOT_ADDRESS = re.compile(r'[\s",:;<>()\\\[\]@]')
_NOT_DOMAIN = re.compile(r'[\s",;<>()\\@]')
_COMMENT = re.compile(r"[()\\]")


class HeaderAddress(NamedTuple):
    """One entry of an address list.

    Attributes:
        name: display name, decoded ("" none).
        address: ``local@domain`` as written, quotes kept; "" when what stands there is no address.
        group: display name of the group it stands in ("" none).
    """

    name: str
    address: str
    group: str = ""


def parse_addresses(
    raw: bytes, limits: HeaderLimits = LIMITS, *, addresses_max: int | None = None
) -> list[HeaderAddress]:
    """The addresses of one field's raw value, in order; those past the limit are left out."""
    text = text_from_bytes(unfold(raw[: limits.field_bytes_max]))
    bound = limits.addresses_max if addresses_max is None else addresses_max
    return _Scanner(text, limits, bound).run()


class _Scanner:
    """State of one pass."""

    __slots__ = ("angle", "bound", "comment", "found", "group", "limits", "pos", "text", "words")

    def __init__(self, text: str, limits: HeaderLimits, bound: int) -> None:
        self.text = text
        self.limits = limits
        self.bound = bound
        self.pos = 0
        self.words: list[str] = []
        self.angle: str | None = None
        self.comment = ""
        self.group = ""
        self.found: list[HeaderAddress] = []

    def run(self) -> list[HeaderAddress]:
        """Read to the end or the bound."""
        text = self.text
        while len(self.found) < self.bound:
            match = _SPECIAL.search(text, self.pos)
            if match is None:
                self.words.append(text[self.pos :])
                self.pos = len(text)
                self._finish_address()
                break
            self.words.append(text[self.pos : match.start()])
            self.pos = match.end()
            self._take(match.group())
        return self.found

    def _take(self, special: str) -> None:
        match special:
            case '"':
                self._quoted_string()
            case "(":
                self._skip_comment()
            case "<":
                self._angle_address()
            case "[":
                self._literal()
            case ":":
                # A colon inside an address that has an @ is damage, not a group.
                if self.angle is None and "@" not in "".join(self.words):
                    self.group = decode_phrase(" ".join("".join(self.words).split()), self.limits)
                    self._clear()
            case "," | ";":
                self._finish_address()
                if special == ";":
                    self.group = ""
            case _:
                pass

    def _quoted_string(self) -> None:
        """Its text, with the quotes kept where it is a local part."""
        text, start = self.text, self.pos
        pos = start
        while match := _QUOTE_END.search(text, pos):
            pos = match.end()
            if match.group() == '"':
                break
            pos += 1
        else:
            pos = len(text)
        self.pos = min(pos, len(text))
        inner = text[start : self.pos].removesuffix('"')
        if text.startswith("@", self.pos):
            self.words.append(f'"{inner}"')
        else:
            self.words.append(_unescaped(inner))

    def _skip_comment(self) -> None:
        text, start, depth = self.text, self.pos, 1
        pos = start
        while depth and (match := _COMMENT.search(text, pos)):
            pos = match.end()
            if match.group() == "\\":
                pos += 1
            else:
                depth += 1 if match.group() == "(" else -1
        if depth:
            pos = len(text)
        self.pos = min(pos, len(text))
        if not self.comment:
            self.comment = text[start : self.pos].removesuffix(")")
        self.words.append(" ")

    def _angle_address(self) -> None:
        if self.angle is not None:
            self._finish_address()
        text = self.text
        end = text.find(">", self.pos)
        if end < 0:
            end = len(text)
        inner = text[self.pos : end]
        # A '<' inside, or a quoted '>' in the local part: take the innermost, as clients do.
        inner = inner.rpartition("<")[2]
        if inner.count('"') == 1 and (close := text.find('"', end)) >= 0:
            after = text.find(">", close)
            end = after if after >= 0 else len(text)
            inner = text[self.pos : end]
        self.pos = end + 1
        if inner.startswith("@") and ":" in inner:
            inner = inner.partition(":")[2]
        self.angle = _without_spaces(inner)

    def _literal(self) -> None:
        end = self.text.find("]", self.pos)
        end = len(self.text) if end < 0 else end + 1
        self.words.append(self.text[self.pos - 1 : end])
        self.pos = end

    def _finish_address(self) -> None:
        phrase = " ".join("".join(self.words).split())
        if self.angle is not None:
            name = decode_phrase(phrase, self.limits)
            self.found.append(HeaderAddress(name, _checked(self.angle), self.group))
        elif phrase:
            address = _checked(_without_spaces(phrase))
            name = self.comment if address else phrase
            self.found.append(HeaderAddress(decode_phrase(name, self.limits), address, self.group))
        self._clear()

    def _clear(self) -> None:
        self.words.clear()
        self.angle = None
        self.comment = ""


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text


def _without_spaces(text: str) -> str:
    """White space around dots and @ is obsolete but allowed; in a quoted local part it counts."""
    return text.strip() if '"' in text else "".join(text.split())


def _checked(text: str) -> str:
    """The text when it is an address, else ""."""
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or not text.isprintable() or len(text) > 1_000:
        return ""
    is_quoted = len(local) > 1 and local[0] == local[-1] == '"'
    if (not is_quoted and _NOT_ADDRESS.search(local)) or _NOT_DOMAIN.search(domain):
        return ""
    return text
