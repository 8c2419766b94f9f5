"""The documents of ActiveSync as WBXML: reading and writing.

Spec: [MS-ASWBXML] v22 §2.1.2.

Notes:
    The format itself is WAP-192-WBXML version 1.3, §5. ActiveSync uses tags, code pages, inline
    strings and opaque data of it. Entities and a small string table are read as well, although no
    known client sends them; attributes, literal tags, extensions and processing instructions are
    refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.protocols.eas.wire.code_pages_table import NAMESPACES, OCTET_TAGS, TOKENS
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

HEADER: Final = b"\x03\x01\x6a\x00"
"""Version 1.3, unknown public identifier, UTF-8, no string table."""

_VERSIONS = (1, 2, 3)
_UNKNOWN_DOCUMENT = 1
_UTF_8 = 0x6A

_SWITCH_PAGE = 0x00
_END = 0x01
_ENTITY = 0x02
_STR_I = 0x03
_HAS_CONTENT = 0x40
_STR_T = 0x83
_OPAQUE = 0xC3

_INTEGER_OCTETS_MAX = 5
_INTEGER_MAX = 0xFFFF_FFFF
_SURROGATES = range(0xD800, 0xE000)
_CODE_POINTS = range(1, 0x11_0000)


@dataclass(frozen=True, slots=True)
class WbxmlLimits:
    """What a document may ask of its reader; its size in octets is bounded before it gets here.

    Attributes:
        depth: elements within each other, the outermost counted.
        tags: elements of a document.
        pieces: strings, octets and entities that are not a whole element's text, and changes of
            the code page.
        table_bytes: size of the string table.
        table_text_bytes: what references to the string table may add up to.
    """

    depth: int = 64
    tags: int = 200_000
    pieces: int = 400_000
    table_bytes: int = 65_536
    table_text_bytes: int = 1_048_576


DEFAULT_LIMITS: Final = WbxmlLimits()


_TAGS: Final = tuple(
    {token | flag: tag for tag, token in tags.items() for flag in (0, _HAS_CONTENT)}
    for tags in TOKENS.values()
)
_SWITCHES: Final = {
    namespace: bytes((_SWITCH_PAGE, page)) for page, namespace in enumerate(NAMESPACES)
}
_TEXT_STARTS: Final = {
    namespace: {
        tag: bytes((token | _HAS_CONTENT, _STR_I))
        for tag, token in tags.items()
        if (namespace, tag) not in OCTET_TAGS
    }
    for namespace, tags in TOKENS.items()
}
"""Tag, content flag and begin of a string, of all tags that hold text."""

_OCTET_TOKENS: Final = tuple(
    frozenset(TOKENS[n][tag] | _HAS_CONTENT for n, tag in OCTET_TAGS if n == namespace)
    for namespace in NAMESPACES
)


def decode(data: bytes, limits: WbxmlLimits = DEFAULT_LIMITS) -> Element:
    """Read a document.

    Tags that hold octets get bytes, however they were written. All others get str from strings and
    bytes from OPAQUE; ``Element.text`` makes no difference.

    Raises:
        RemoteProtocolError: ``reply_hint`` is ``wbxml``, or ``limit`` if one of ``limits`` is met.
    """
    try:
        others, at = _header(data, limits)
        root, end = _document(data, at, others, limits)
    except IndexError as e:
        raise RemoteProtocolError("the document is cut short or has no root", "wbxml") from e
    except UnicodeDecodeError as e:
        raise RemoteProtocolError("a string is not UTF-8", "wbxml") from e
    if end != len(data):
        raise RemoteProtocolError(f"{len(data) - end} octets behind the document", "wbxml")
    return root


def _document(data: bytes, at: int, others: _Others, limits: WbxmlLimits) -> tuple[Element, int]:
    """Read the root and everything in it; where it ends."""
    namespace, tags, octet_tokens = NAMESPACES[0], _TAGS[0], _OCTET_TOKENS[0]
    top: list[Element] = []
    siblings = top
    parents: list[list[Element]] = []
    pieces: list[str | bytes] = []
    left = limits.tags
    while parents or not top:
        token = data[at]
        at += 1
        tag = tags.get(token)
        if tag is not None:
            left -= 1
            if left < 0 or len(parents) >= limits.depth or pieces:
                _refuse(namespace, tag, has_text=bool(pieces))
            if token < _HAS_CONTENT:
                siblings.append(Element(namespace, tag))
                continue
            if data[at] == _STR_I and token not in octet_tokens:
                # Nearly every element is one string: it is read in one go.
                end = data.find(0, at)
                if data[end + 1] == _END and end > 0:
                    siblings.append(Element(namespace, tag, data[at + 1 : end].decode()))
                    at = end + 2
                    continue
            parents.append(siblings)
            children: list[Element] = []
            siblings.append(Element(namespace, tag, children))
            siblings = children
        elif token == _END:
            siblings = parents.pop()
            if pieces or not siblings[-1].content:
                _fill(siblings[-1], pieces)
                pieces = []
        elif token == _SWITCH_PAGE:
            namespace, tags, octet_tokens = others.page(data[at])
            at += 1
        else:
            piece, at = others.piece(token, at)
            pieces.append(piece)
    return top[0], at


def _refuse(namespace: str, tag: str, *, has_text: bool) -> NoReturn:
    if has_text:
        raise RemoteProtocolError(f"{namespace}:{tag} stands behind text", "wbxml")
    raise RemoteProtocolError(f"too many elements, or too deep, at {namespace}:{tag}", "limit")


def _fill(element: Element, pieces: list[str | bytes]) -> None:
    """Give an element that ends what stood in it."""
    if element.content:
        raise RemoteProtocolError(f"text behind the children of {element.name}", "wbxml")
    texts = [piece for piece in pieces if isinstance(piece, str)]
    octets = [piece for piece in pieces if isinstance(piece, bytes)]
    if texts and octets:
        raise RemoteProtocolError(f"{element.name} has both text and octets", "wbxml")
    if octets:
        element.content = b"".join(octets)
    elif texts and (element.namespace, element.tag) in OCTET_TAGS:
        element.content = "".join(texts).encode()
    else:
        element.content = "".join(texts)


def _header(data: bytes, limits: WbxmlLimits) -> tuple[_Others, int]:
    """Read the header; where the body begins."""
    if data[0] not in _VERSIONS:
        raise RemoteProtocolError(f"WBXML version {data[0]:#x}", "wbxml")
    public_id, at = _integer(data, 1)
    charset, at = _integer(data, at)
    if public_id != _UNKNOWN_DOCUMENT or charset != _UTF_8:
        raise RemoteProtocolError(f"public id {public_id}, charset {charset}", "wbxml")
    length, at = _integer(data, at)
    if length > limits.table_bytes:
        raise RemoteProtocolError(f"string table of {length} octets", "limit")
    end = at + length
    if end > len(data):
        raise RemoteProtocolError("the string table is cut short", "wbxml")
    return _Others(data, data[at:end], limits), end


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Read an mb_u_int32; where it ends."""
    value = 0
    for index in range(at, at + _INTEGER_OCTETS_MAX):
        octet = data[index]
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            if value > _INTEGER_MAX:
                break
            return value, index + 1
    raise RemoteProtocolError("an integer has more than 32 bits", "wbxml")


class _Others:
    """Reads what is no tag and no end."""

    __slots__ = ("_data", "_pieces_left", "_table", "_table_text_left")

    def __init__(self, data: bytes, table: bytes, limits: WbxmlLimits) -> None:
        self._data = data
        self._table = table
        self._pieces_left = limits.pieces
        self._table_text_left = limits.table_text_bytes

    def _count(self) -> None:
        self._pieces_left -= 1
        if self._pieces_left < 0:
            raise RemoteProtocolError("too many strings or changes of the page", "limit")

    def page(self, page: int) -> tuple[str, dict[int, str], frozenset[int]]:
        """Namespace, tags and tokens of octets of a code page."""
        self._count()
        if page >= len(NAMESPACES):
            raise RemoteProtocolError(f"unknown code page {page}", "wbxml")
        return NAMESPACES[page], _TAGS[page], _OCTET_TOKENS[page]

    def piece(self, token: int, at: int) -> tuple[str | bytes, int]:
        """Read what stands behind this token; where it ends."""
        self._count()
        data = self._data
        if token == _STR_I:
            end = data.find(0, at)
            if end < 0:
                raise RemoteProtocolError("a string has no end", "wbxml")
            return data[at:end].decode(), end + 1
        if token == _OPAQUE:
            length, at = _integer(data, at)
            if length > len(data) - at:
                raise RemoteProtocolError(f"{length} octets announced, less are there", "wbxml")
            return data[at : at + length], at + length
        if token == _STR_T:
            offset, at = _integer(data, at)
            return self._from_table(offset), at
        if token == _ENTITY:
            code, at = _integer(data, at)
            if code not in _CODE_POINTS or code in _SURROGATES:
                raise RemoteProtocolError(f"entity {code} is no character", "wbxml")
            return chr(code), at
        raise RemoteProtocolError(f"token {token:#04x} is unknown here", "wbxml")

    def _from_table(self, offset: int) -> str:
        end = self._table.find(0, offset) if offset < len(self._table) else -1
        if end < 0:
            raise RemoteProtocolError(f"no string at {offset} of the table", "wbxml")
        self._table_text_left -= end - offset
        if self._table_text_left < 0:
            raise RemoteProtocolError("references to the string table add up", "limit")
        return self._table[offset:end].decode()


def encode(root: Element) -> bytes:
    """Write a document.

    Raises:
        LocalProtocolError: an unknown tag, text where octets belong, text with NUL or a lone
            surrogate, or elements deeper than a reader follows.
    """
    try:
        return _written(root)
    except UnicodeEncodeError as e:
        raise LocalProtocolError("a text has half a character") from e


def _written(root: Element) -> bytes:
    out = bytearray(HEADER)
    namespace, texts = NAMESPACES[0], _TEXT_STARTS[NAMESPACES[0]]
    waiting: list[Iterator[Element]] = []
    elements = iter((root,))
    while True:
        for element in elements:
            if element.namespace != namespace:
                namespace = element.namespace
                out += _switch(namespace)
                texts = _TEXT_STARTS[namespace]
            content = element.content
            start = texts.get(element.tag)
            if isinstance(content, str) and content and start and "\0" not in content:
                out += start
                out += content.encode()
                out += b"\x00\x01"
            elif isinstance(content, list) and content:
                out.append(_token(element) | _HAS_CONTENT)
                waiting.append(elements)
                elements = iter(content)
                break
            else:
                out += _rare(element)
        else:
            if not waiting:
                return bytes(out)
            out.append(_END)
            elements = waiting.pop()
        if len(waiting) >= DEFAULT_LIMITS.depth:
            raise LocalProtocolError("elements are too deep")


def _switch(namespace: str) -> bytes:
    switch = _SWITCHES.get(namespace)
    if switch is None:
        raise LocalProtocolError(f"unknown namespace {namespace}")
    return switch


def _token(element: Element) -> int:
    token = TOKENS[element.namespace].get(element.tag)
    if token is None:
        raise LocalProtocolError(f"unknown tag {element.name}")
    return token


def _rare(element: Element) -> bytes:
    """An element that is empty or has octets."""
    content = element.content
    token = _token(element)
    if isinstance(content, bytes):
        length = _integer_octets(len(content))
        return b"%c%c%b%b%c" % (token | _HAS_CONTENT, _OPAQUE, length, content, _END)
    if content:
        raise LocalProtocolError(f"{element.name} has text with NUL, or instead of octets")
    return bytes((token,))


def _integer_octets(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
