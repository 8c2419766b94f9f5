"""XML from outside: read without entities, DOCTYPE or network, within limits; and written.

Spec: Extensible Markup Language 1.0 (fifth edition); Namespaces in XML 1.0.
"""

from __future__ import annotations

from typing import Any

from lxml import etree
from msgspec import Struct

Element = Any
"""An element of lxml."""


class XmlLimits(Struct, frozen=True):
    """What is read.

    Attributes:
        depth: of elements within each other.
        nodes: elements.
        attributes: of one element.
    """

    depth: int = 100
    nodes: int = 200_000
    attributes: int = 1_000


LIMITS = XmlLimits()


def element_from_xml(data: bytes, limits: XmlLimits = LIMITS) -> Element:
    """The root element.

    Args:
        data: a whole document; its size is the caller's to bound.
        limits: see there.

    Raises:
        ValueError: not well-formed, with a DOCTYPE, or beyond the limits.
    """
    # Nobody but an attacker sends a DOCTYPE; it is refused before the parser sees it.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"<\0!\0D\0O\0C" in data:
        raise ValueError("a DOCTYPE is not allowed")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as e:
        raise ValueError(f"not well-formed: {e}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a DOCTYPE is not allowed")
    _check(root, limits)
    return root


def _check(root: Element, limits: XmlLimits) -> None:
    depth = nodes = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        nodes += event == "start"
        if depth > limits.depth or nodes > limits.nodes:
            raise ValueError("too deep or too many elements")
        if len(element.attrib) > limits.attributes:
            raise ValueError("too many attributes")


def local_name(element: Element) -> str:
    """The name without its namespace; "" for comments and instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(element: Element) -> str:
    """The namespace's name; "" none."""
    tag = element.tag
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag[:1] == "{" else ""


def first_text(root: Element, name: str) -> str:
    """Text of the first element of this local name, stripped; "" none."""
    for element in root.iter("{*}" + name):
        return (element.text or "").strip()
    return ""


def xml_from_element(root: Element) -> bytes:
    """The document, UTF-8, with declaration."""
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def made(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    """A child of ``parent`` in its namespace. What XML cannot carry is left out of ``text``."""
    space = namespace(parent)
    child = etree.SubElement(parent, f"{{{space}}}{name}" if space else name, attributes)
    if text:
        child.text = "".join(c for c in text if c >= " " or c in "\t\n\r")
    return child


def root_of(name: str, space: str, prefixes: dict[str | None, str] | None = None) -> Element:
    """A new root element; ``space`` is the default namespace unless ``prefixes`` say otherwise."""
    nsmap: Any = prefixes or {None: space}  # the stubs know no default namespace
    return etree.Element(f"{{{space}}}{name}", nsmap=nsmap)
