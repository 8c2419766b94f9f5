"""A document of ActiveSync as XML text, for logs and transcripts, and read back.

Spec: [MS-ASWBXML] v22 §2.1.2.1.

Notes:
    The root's namespace is the default one; a tag of another namespace has that namespace's name as
    its prefix. Octets that are no text stand there in base64, marked by an attribute, since
    ActiveSync itself has no attributes. A text may have control characters, which XML forbids: they
    are written as references nevertheless.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.code_pages_table import NAMES, OCTET_TAGS, TOKENS
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH_MAX = 64
_MARK: Final = re.compile(
    r"<(?:/(?P<ended>[\w:]++)\s*+|(?P<tag>[\w:]++)(?P<attributes>(?:\s[^<>]*?)?)(?P<empty>/)?)>",
    re.A,
)
_ATTRIBUTE: Final = re.compile(r'\s+([\w:]+)="([^"&]*)"', re.A)
_DECLARATION: Final = re.compile(r"\s*(?:<\?xml [^<>]*\?>\s*)?")
_REFERENCE: Final = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|(\w+));|&", re.A)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ENTITIES: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_ESCAPES: Final = {
    **{
        code: f"&#x{code:X};"
        for code in (*range(9), 0x0B, 0x0C, *range(0x0D, 0x20), 0xFFFE, 0xFFFF)
    },
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord("&"): "&amp;",
}


def text_from_element(root: Element) -> str:
    """Indented by two, a line for each element without children; the last line ends too."""
    others = sorted({element.namespace for element in _all(root)} - {root.namespace})
    declared = "".join(f' xmlns:{namespace}="{namespace}"' for namespace in others)
    lines: list[str] = []
    stack: list[Element | str] = [root]
    depth = 0
    while stack:
        element = stack.pop()
        if isinstance(element, str):
            depth -= 1
            lines.append(f"{'  ' * depth}</{element}>")
            continue
        tag = element.tag if element.namespace == root.namespace else element.name
        attributes = f' xmlns="{root.namespace}"{declared}' if element is root else ""
        if element.children:
            lines.append(f"{'  ' * depth}<{tag}{attributes}>")
            depth += 1
            stack.append(tag)
            stack.extend(reversed(element.children))
        else:
            lines.append("  " * depth + _leaf(element, tag, attributes))
    return "\n".join(lines) + "\n"


def _all(root: Element) -> Iterator[Element]:
    stack = [root]
    while stack:
        element = stack.pop()
        yield element
        stack.extend(element.children)


def _leaf(element: Element, tag: str, attributes: str) -> str:
    content = element.content
    if isinstance(content, bytes):
        text = _printable(content)
        if text is None:
            attributes += ' opaque="base64"'
            text = base64.b64encode(content).decode()
        elif not text or (element.namespace, element.tag) not in OCTET_TAGS:
            attributes += ' opaque="text"'
    else:
        text = content if isinstance(content, str) else ""
    if not text:
        return f"<{tag}{attributes}/>"
    return f"<{tag}{attributes}>{text.translate(_ESCAPES)}</{tag}>"


def _printable(octets: bytes) -> str | None:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def element_from_text(text: str) -> Element:
    """Read what ``text_from_element`` writes, and what is written like it by hand.

    White space between elements is passed over; within an element without children it is text.

    Raises:
        RemoteProtocolError: it is not such text, or a tag is unknown; the hint is ``xml``.
    """
    return _Reader(text).root()


def _wrong(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(what, "xml")


class _Reader:
    """Goes from mark to mark.

    Attributes:
        _default: namespace of tags without a prefix.
        _opaque: the mark of octets on the element that began last.
        _open: elements that have begun, with the tag as written and the default namespace outside.
        _top: holds the root as its only child.
    """

    __slots__ = ("_default", "_opaque", "_open", "_text", "_top")

    def __init__(self, text: str) -> None:
        self._text = text
        self._default = ""
        self._opaque = ""
        self._top = Element("", "")
        self._open: list[tuple[Element, str, str]] = []

    def root(self) -> Element:
        text = self._text
        if "\0" in text:
            raise _wrong("NUL in the text")
        begin = _DECLARATION.match(text)
        at = begin.end() if begin else 0
        while self._open or not self._top.children:
            less = text.find("<", at)
            mark = _MARK.match(text, less) if less >= 0 else None
            if mark is None:
                raise _wrong(f"no tag where one belongs, at character {less}")
            between = text[at:less]
            at = mark.end()
            if mark["ended"]:
                self._end(mark["ended"], between)
            else:
                self._begin(mark, between)
        if text[at:].strip():
            raise _wrong("something stands behind the root")
        return self._top.children[0]

    def _begin(self, mark: re.Match[str], between: str) -> None:
        if between.strip() or self._opaque:
            raise _wrong(f"text or octets before {mark['tag']}")
        if len(self._open) >= _DEPTH_MAX:
            raise _wrong("too deep")
        outside = self._default
        written = mark["tag"]
        self._opaque = self._attributes(mark["attributes"])
        name = written if ":" in written else f"{self._default}:{written}"
        if name not in NAMES:
            raise _wrong(f"unknown tag {name}")
        parent = self._open[-1][0] if self._open else self._top
        element = parent.add(name)
        self._open.append((element, written, outside))
        if mark["empty"]:
            self._end(written, "")

    def _attributes(self, attributes: str) -> str:
        """Take the declarations; what the mark of octets says, or ""."""
        opaque = ""
        seen: set[str] = set()
        at = 0
        while attribute := _ATTRIBUTE.match(attributes, at):
            at = attribute.end()
            key, value = attribute.groups()
            if key in seen:
                raise _wrong(f"{key} stands twice")
            seen.add(key)
            if key == "opaque" and value in ("text", "base64"):
                opaque = value
            elif key == "xmlns" and value in TOKENS:
                self._default = value
            elif value not in TOKENS or key != f"xmlns:{value}":
                raise _wrong(f"unknown attribute {key}")
        if attributes[at:].strip():
            raise _wrong(f"no attribute: {attributes[at:]}")
        return opaque

    def _end(self, tag: str, between: str) -> None:
        if not self._open or self._open[-1][1] != tag:
            raise _wrong(f"{tag} ends here, but did not begin")
        element, _, self._default = self._open.pop()
        opaque, self._opaque = self._opaque, ""
        if not element.content:
            element.content = self._content(element, between, opaque)
        elif between.strip() or opaque:
            raise _wrong(f"text behind the children of {tag}")

    def _content(self, element: Element, between: str, opaque: str) -> str | bytes:
        text = _REFERENCE.sub(_character, between)
        if opaque == "base64":
            try:
                return base64.b64decode(text, validate=True)
            except ValueError as e:
                raise _wrong(f"{element.tag} is not base64") from e
        is_octets = opaque or (text and (element.namespace, element.tag) in OCTET_TAGS)
        try:
            octets = text.encode()
        except UnicodeEncodeError as e:
            raise _wrong(f"{element.tag} has half a character") from e
        return octets if is_octets else text


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name = reference.groups()
    if name is None and (hexadecimal or decimal):
        code = int(hexadecimal, 16) if hexadecimal else int(decimal)
        if 0 < code < 0x11_0000:
            return chr(code)
    elif name in _ENTITIES:
        return _ENTITIES[name]
    raise _wrong(f"no character: {reference[0]}")
