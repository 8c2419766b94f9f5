"""A document of ActiveSync as a tree: what command handlers read and build.

Spec: [MS-ASWBXML] v22 §2.1.2.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.protocols.eas.wire.code_pages_table import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGITS_MAX = 10


class Element(Struct, gc=False):
    """An element of a document: it has text, octets or children, never two of them.

    Helpers take a name as ``Tag``, in the element's own namespace, or as ``Namespace:Tag``. Those
    that read raise RemoteProtocolError with the hint ``content``, for they are meant for what a
    client sent.

    Attributes:
        namespace: as in Microsoft's schemas: AirSync, Email, AirSyncBase.
        tag: as in Microsoft's schemas.
        content: "" is an empty element; bytes are written as OPAQUE, even without any.
    """

    # A tree has no cycles: without the collector's header an answer is made a tenth faster.
    namespace: str
    tag: str
    content: str | bytes | list[Element] = ""

    @property
    def name(self) -> str:
        """``Namespace:Tag``."""
        return f"{self.namespace}:{self.tag}"

    @property
    def children(self) -> list[Element]:
        """In order; none if the element has text or octets."""
        return self.content if isinstance(self.content, list) else []

    @property
    def text(self) -> str:
        """The text, for some clients write it as OPAQUE.

        Raises:
            RemoteProtocolError: there are children, or the octets are not UTF-8.
        """
        content = self.content
        if isinstance(content, str):
            return content
        try:
            return self.octets.decode()
        except UnicodeDecodeError as e:
            raise RemoteProtocolError(f"{self.name} is not UTF-8", "content") from e

    @property
    def octets(self) -> bytes:
        """The octets; those of the text if it has some.

        Raises:
            RemoteProtocolError: there are children.
        """
        content = self.content
        if isinstance(content, bytes):
            return content
        if content and isinstance(content, list):
            raise RemoteProtocolError(f"{self.name} has children", "content")
        return content.encode() if isinstance(content, str) else b""

    def child(self, name: str) -> Element | None:
        """The first child of this name."""
        content = self.content
        if isinstance(content, list):
            namespace, tag = NAMES.get(name) or (self.namespace, name)
            for child in content:
                if child.tag == tag and child.namespace == namespace:
                    return child
        return None

    def each(self, name: str) -> Iterator[Element]:
        """All children of this name, in order."""
        namespace, tag = NAMES.get(name) or (self.namespace, name)
        for child in self.children:
            if child.tag == tag and child.namespace == namespace:
                yield child

    def find(self, *path: str) -> Element | None:
        """The first child of the first name, of that the first of the second name, and so on."""
        found: Element | None = self
        for name in path:
            found = found.child(name) if found else None
        return found

    def text_of(self, name: str, default: str = "") -> str:
        """Text of the first child of this name.

        Raises:
            RemoteProtocolError: as ``text``.
        """
        child = self.child(name)
        return default if child is None else child.text

    def number_of(self, name: str, default: int = 0) -> int:
        """Number in the first child of this name, from 0.

        Raises:
            RemoteProtocolError: it is no number, or has more than ten digits.
        """
        child = self.child(name)
        if child is None:
            return default
        content = child.content
        text = content if isinstance(content, str) else child.text
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
            raise RemoteProtocolError(f"{child.name} is no number", "content")
        return int(text)

    def add(self, name: str, content: str | bytes | list[Element] = "") -> Element:
        """Put an element behind the children and return it.

        Raises:
            LocalProtocolError: this element has text or octets.
        """
        namespace, tag = NAMES.get(name) or (self.namespace, name)
        element = Element(namespace, tag, content)
        siblings = self.content
        if isinstance(siblings, list):
            siblings.append(element)
        elif siblings == "":
            self.content = [element]
        else:
            raise LocalProtocolError(f"{self.name} has text, {name} cannot be its child")
        return element
