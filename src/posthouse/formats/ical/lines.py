"""Content lines and components: a document as a tree that gives back its own bytes.

Spec: RFC 5545 §3.1 (content lines, folding), §3.2 (parameters), §3.6 (components); RFC 6868 §3.

Notes:
    Every property keeps the bytes it came with, so a tree written without a change is the document
    that was read. Lines that are no property, an END without its BEGIN and whatever stands around
    the calendar are kept as they are, too. LF alone is taken as a line end; lines that are made
    here end as those of the document do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from posthouse.formats.content_lines import carets_from_text, folded, text_from_carets
from posthouse.formats.mime.charsets import text_from_bytes
from posthouse.model.errors import ParserFailed, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class IcalLimits:
    """What is read; a document beyond is refused whole.

    Attributes:
        document_bytes_max: of the document.
        lines_max: unfolded lines and folds together.
        depth_max: of components in each other.
        components_max: of all depths.
        parameters_max: of one property; what follows is kept, but not looked at.
        values_max: of one list: dates of an EXDATE, categories, attendees.
    """

    document_bytes_max: int = 16 << 20
    lines_max: int = 200_000
    depth_max: int = 16
    components_max: int = 5_000
    parameters_max: int = 100
    values_max: int = 5_000


LIMITS = IcalLimits()

_BOM = b"\xef\xbb\xbf"
_NAME = re.compile(r"[A-Za-z0-9-]++")
# Possessive repeats: no way back, so time is linear.
_PARAMETER = re.compile(r";([A-Za-z0-9_.-]++)=((?:\"[^\"]*+\"|[^\";:,]++|,)*+)")
_VALUE = re.compile(r"\"([^\"]*+)\"|([^\",]++)")
_CONTROLS = dict.fromkeys([*range(9), *range(0x0B, 0x20), 0x7F])
_CONTROLS_AND_EOL = {**_CONTROLS, 10: None}


class Parameter(NamedTuple):
    """One parameter.

    Attributes:
        name: upper case.
        values: unquoted, RFC 6868 undone.
        raw: as it stands in the line, with the leading semicolon.
    """

    name: str
    values: tuple[str, ...]
    raw: str


class Property:
    """One property, or a line that is none (its name is "" then).

    Attributes:
        raw: its bytes with folds and line end.
        name: upper case.
        parameters: in order.
        value: as it stands in the line, still escaped.
    """

    __slots__ = ("_head", "name", "parameters", "raw", "value")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        line = _unfolded(raw)
        match = _NAME.match(line)
        self._head = match[0] if match else ""
        pos = len(self._head)
        found: list[Parameter] = []
        while match and len(found) < LIMITS.parameters_max and line.startswith(";", pos):
            piece = _PARAMETER.match(line, pos)
            if piece is None:
                break
            found.append(Parameter(piece[1].upper(), _values(piece[2]), piece[0]))
            pos = piece.end()
        is_property = bool(match) and line.startswith(":", pos)
        self.name = self._head.upper() if is_property else ""
        self.parameters = tuple(found) if is_property else ()
        self.value = line[pos + 1 :] if is_property else ""

    def __repr__(self) -> str:
        return f"Property({self.raw!r})"

    def parameter(self, name: str) -> str:
        """First value of this (upper-case) parameter; "" none."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter.values[0] if parameter.values else ""
        return ""

    def changed(
        self, value: str | None = None, parameters: dict[str, str | None] | None = None
    ) -> Property:
        """The same with another value or other parameters; those not named stay as they stand.

        Args:
            value: as it shall stand in the line, escaped; None: as it is.
            parameters: by upper-case name; None or "" takes it away.
        """
        value = self.value if value is None else value
        wanted = dict(parameters or {})
        pieces = [self._head]
        for parameter in self.parameters:
            if parameter.name not in wanted:
                pieces.append(parameter.raw)
            elif text := wanted.pop(parameter.name):
                pieces.append(_parameter_text(parameter.name, text))
                wanted[parameter.name] = None
        pieces += [_parameter_text(name, text) for name, text in wanted.items() if text]
        line = f"{''.join(pieces)}:{value}"
        return Property(fold(line, b"\r\n" if self.raw.endswith(b"\r\n") else b"\n"))


@dataclass(slots=True)
class Component:
    """A component: what stands between BEGIN and END.

    Attributes:
        name: upper case; "" for a whole document.
        begin: bytes of the BEGIN line.
        end: bytes of the END line; b"" when it was missing.
        children: properties and components in order.
    """

    name: str
    begin: bytes = b""
    end: bytes = b""
    children: list[Property | Component] = field(default_factory=list)

    @property
    def eol(self) -> bytes:
        """How its lines end."""
        return b"\n" if self.begin.endswith(b"\n") and not self.begin.endswith(b"\r\n") else b"\r\n"

    def components(self, name: str) -> list[Component]:
        """Those of this (upper-case) name right below."""
        return [c for c in self.children if isinstance(c, Component) and c.name == name]

    def properties(self, name: str) -> list[Property]:
        """All of this (upper-case) name."""
        return [c for c in self.children if isinstance(c, Property) and c.name == name]

    def first(self, name: str) -> Property | None:
        """The first of this (upper-case) name."""
        for child in self.children:
            if isinstance(child, Property) and child.name == name:
                return child
        return None

    def value(self, name: str) -> str:
        """Raw value of the first of this name; "" none."""
        found = self.first(name)
        return found.value if found else ""

    def replace(self, old: Property | Component, new: Property | Component) -> None:
        """Put another in its place."""
        self.children[self._index(old)] = new

    def replace_all(self, old: list[Property], new: list[Property]) -> None:
        """Put new ones in the places of old ones, in order; the rest is appended or taken out."""
        places = {id(child) for child in old}
        coming = iter(new)
        children: list[Property | Component] = []
        for child in self.children:
            if id(child) not in places:
                children.append(child)
            elif (following := next(coming, None)) is not None:
                children.append(following)
        self.children = children
        self.add(*coming)

    def remove(self, *old: Property | Component) -> None:
        """Take these out."""
        gone = {id(child) for child in old}
        self.children = [child for child in self.children if id(child) not in gone]

    def add(self, *new: Property) -> None:
        """Put properties behind the last one."""
        at = len(self.children)
        while at and isinstance(self.children[at - 1], Component):
            at -= 1
        self.children[at:at] = new

    def insert_before(self, mark: Component, new: Component) -> None:
        """Put a component before another one."""
        self.children.insert(self._index(mark), new)

    def set(self, name: str, value: str, parameters: dict[str, str | None] | None = None) -> None:
        """Give the first of this name this raw value, or append it; further ones are taken out."""
        found = self.properties(name)
        if not found:
            self.add(self.new_property(name, value, parameters))
            return
        self.replace(found[0], found[0].changed(value, parameters))
        self.remove(*found[1:])

    def drop(self, *names: str) -> None:
        """Take out all properties of these names."""
        self.remove(*(p for name in names for p in self.properties(name)))

    def new_property(
        self, name: str, value: str, parameters: dict[str, str | None] | None = None
    ) -> Property:
        """A property that ends as the lines of this component do."""
        return Property(name.encode() + b":" + self.eol).changed(value, parameters)

    def _index(self, wanted: Property | Component) -> int:
        return next(index for index, child in enumerate(self.children) if child is wanted)


def new_component(name: str, eol: bytes = b"\r\n") -> Component:
    """An empty one."""
    return Component(name, b"BEGIN:%s%s" % (name.encode(), eol), b"END:%s%s" % (name.encode(), eol))


def document_from_bytes(data: bytes, limits: IcalLimits = LIMITS) -> Component:
    """Read a document.

    Returns:
        A nameless component whose children are the calendars and what stands around them.

    Raises:
        ParserFailed: it has no VCALENDAR, or one of vCalendar 1.0.
        TooLarge: it passes a limit.
    """
    if len(data) > limits.document_bytes_max:
        raise TooLarge(f"calendar of {len(data)} bytes")
    if data.count(b"\n") > limits.lines_max:
        raise TooLarge(f"calendar of more than {limits.lines_max} lines")
    root = Component("", begin=_BOM if data.startswith(_BOM) else b"")
    open_ones = [root]
    count = 0
    for raw in _logical_lines(data[len(root.begin) :]):
        start = raw[:6].upper()
        if start == b"BEGIN:":
            count += 1
            if len(open_ones) > limits.depth_max or count > limits.components_max:
                raise TooLarge(f"calendar with {count} components, {len(open_ones)} deep")
            component = Component(_unfolded(raw)[6:].strip().upper(), raw)
            open_ones[-1].children.append(component)
            open_ones.append(component)
        elif start[:4] == b"END:" and _closes(open_ones, _unfolded(raw)[4:].strip().upper()):
            open_ones.pop().end = raw
        else:
            open_ones[-1].children.append(Property(raw))
    _check_version(root)
    return root


def bytes_from_document(root: Component) -> bytes:
    """The document's bytes; of an unchanged tree exactly those it was read from."""
    out: list[bytes] = []
    _collect(root, out)
    out = [raw for raw in out if raw]
    for index, raw in enumerate(out[:-1]):
        # The last line of a document may be without an end, and something put behind it.
        if raw != _BOM and not raw.endswith(b"\n"):
            out[index] = raw + b"\r\n"
    return b"".join(out)


def fold(line: str, eol: bytes = b"\r\n") -> bytes:
    """A content line as bytes: at most 75 octets in each, no UTF-8 sequence cut, ended."""
    data = line.translate(_CONTROLS_AND_EOL).encode("utf-8", "replace")
    return folded(data, eol)


def _logical_lines(data: bytes) -> Iterator[bytes]:
    """Lines with their folds and ends."""
    start = pos = 0
    while pos < len(data):
        end = data.find(b"\n", pos) + 1
        pos = end or len(data)
        if data[pos : pos + 1] not in (b" ", b"\t"):
            yield data[start:pos]
            start = pos


def _unfolded(raw: bytes) -> str:
    line = raw.rstrip(b"\r\n")
    if b"\n" in line:
        line = re.sub(rb"\r?\n[ \t]", b"", line)
    return text_from_bytes(line)


def _closes(open_ones: list[Component], name: str) -> bool:
    """Whether an END of this name closes something; ENDs forgotten before it are passed over."""
    for depth in range(len(open_ones) - 1, 0, -1):
        if open_ones[depth].name == name:
            del open_ones[depth + 1 :]
            return True
    return False


def _check_version(root: Component) -> None:
    calendars = root.components("VCALENDAR")
    if not calendars:
        raise ParserFailed("no VCALENDAR in the document")
    if calendars[0].value("VERSION").strip() == "1.0":
        raise ParserFailed("vCalendar 1.0 is not supported, only iCalendar 2.0")


def _collect(component: Component, out: list[bytes], *, must_end: bool = False) -> None:
    """Its bytes; with ``must_end`` an END that was missing is put in, so that more may follow."""
    out.append(component.begin)
    needs_end = must_end and not component.end
    for index, child in enumerate(component.children, 1):
        if isinstance(child, Component):
            _collect(child, out, must_end=needs_end or index < len(component.children))
        else:
            out.append(child.raw)
    out.append(
        b"END:%s%s" % (component.name.encode(), component.eol) if needs_end else component.end
    )


def _values(raw: str) -> tuple[str, ...]:
    return tuple(text_from_carets(found[1] or found[2] or "") for found in _VALUE.finditer(raw))


def _parameter_text(name: str, text: str) -> str:
    """A parameter of one value, quoted when it must be."""
    text = carets_from_text(text.translate(_CONTROLS))
    return f';{name}="{text}"' if re.search(r"[;:,]", text) else f";{name}={text}"
