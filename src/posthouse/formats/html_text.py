"""HTML for readers of plain text, plain text as HTML, and where either may be cut.

Spec: HTML: The Living Standard §13.2 (what a tag, a comment and a character reference is).

Notes:
    For reading; ``formats/mime/text.py`` has the words alone, for search. No tree is built: tags
    are split off by one expression, and a table says what each does to lines. All of it is linear
    in the source and nothing raises, whatever the source is. Two control characters stand for line
    ends and spaces that must stay as they are; a source that has them loses them.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TAG: Final = re.compile(r"<(?:(/?[a-zA-Z][^\s/>]*+)([^>]*+)|[!?/][^>]*+)>")
_UNFINISHED: Final = re.compile(r"<[a-zA-Z!?/]")
_QUOTED_END: Final = re.compile(r"""=(?:"[^"<>]*+>[^"<]*+"|'[^'<>]*+>[^'<]*+')""")
_SILENT: Final = re.compile(r"<(script|style|title|svg|math|template|iframe)(?=[\s/>])", re.I)
_DROPS_REST: Final = frozenset({"script", "style", "title"})
_CLOSINGS: Final = {
    name: re.compile(f"</{name}(?=[\\s/>])", re.I)
    for name in ("script", "style", "title", "svg", "math", "template", "iframe", "pre")
}
_PRE: Final = re.compile(r"<pre(?=[\s>])[^<>]*+>", re.I)
_TAG_IN_PRE: Final = re.compile(r"<[^<>]*+>")
_ATTRIBUTE: Final = re.compile(
    r"\s(href|alt)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.I
)
_SPACES: Final = re.compile(r" {2,}")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_SCHEME: Final = re.compile(r"(?:https?://|ftp://|mailto:|tel:)", re.I)

_NOTHING: Final = ("", " ")
_KEPT_LINE: Final = "\x01"
_KEPT_SPACE: Final = "\x02"
_QUOTES_SHOWN: Final = 5
_LINK_MAX: Final = 2_000

_GAPS: Final = {
    **{
        slash + name: 2
        for slash in ("", "/")
        for name in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table")
    },
    **{
        slash + name: 1
        for slash in ("", "/")
        for name in (
            *("address", "article", "aside", "body", "center", "dd", "details", "div", "dt"),
            *("fieldset", "figcaption", "figure", "footer", "form", "header", "main", "nav"),
            *("option", "section", "summary", "tbody", "tfoot", "thead", "tr"),
        )
    },
    "/li": 1,
}
"""Tags that end a line: 1; with an empty line between what was and what comes: 2."""


def readable_text(source: str, *, links: bool = True) -> str:
    """HTML as lines of text, joined by LF, without white space at either end.

    Quotes begin with ``> ``, items of lists with ``- ``. Scripts, styles, titles and comments are
    left out.

    Args:
        source: HTML, whole or a piece of it; an unfinished tag at its end is left out.
        links: show where a link leads, unless its text says it.
    """
    if _KEPT_LINE in source or _KEPT_SPACE in source:
        source = source.replace(_KEPT_LINE, "").replace(_KEPT_SPACE, "")
    source = _without_silent(_without_comments(source))
    source = _QUOTED_END.sub(_escaped_end, _with_kept_spaces(source))
    # Behind the last ">" is no tag: so each "<" before it meets one, and the split is linear.
    end = source.rfind(">") + 1
    if unfinished := _UNFINISHED.search(source, end):
        source = source[: unfinished.start()]
    for space in "\r\n\t\f":
        source = source.replace(space, " ")
    while "  " in source:
        source = source.replace("  ", " ")
    return _lines(source, links=links)


def _without_comments(source: str) -> str:
    start = source.find("<!--")
    if start < 0:
        return source
    kept: list[str] = []
    at = 0
    while start >= 0:
        kept.append(source[at:start])
        end = source.find("-->", start + 2)
        if end < 0:
            return "".join(kept)
        at = end + 3
        start = source.find("<!--", at)
    kept.append(source[at:])
    return "".join(kept)


def _without_silent(source: str) -> str:
    kept: list[str] = []
    hopeless: set[str] = set()
    at = look = 0
    while found := _SILENT.search(source, look):
        name = found[1].lower()
        look = found.end()
        if name in hopeless:
            continue
        closing = _CLOSINGS[name].search(source, look)
        if closing is None:
            if name in _DROPS_REST:
                return "".join([*kept, source[at : found.start()]])
            hopeless.add(name)
            continue
        kept.append(source[at : found.start()])
        at = look = closing.start()
    return "".join([*kept, source[at:]]) if at else source


def _with_kept_spaces(source: str) -> str:
    """What stands in ``pre`` with marks in the place of its white space."""
    kept: list[str] = []
    at = 0
    while found := _PRE.search(source, at):
        closing = _CLOSINGS["pre"].search(source, found.end())
        end = closing.start() if closing else len(source)
        inner = source[found.end() : end].replace("\r\n", "\n").removeprefix("\n")
        kept.append(source[at : found.end()])
        kept.append(_TAG_IN_PRE.sub("", inner).replace("\n", _KEPT_LINE).replace(" ", _KEPT_SPACE))
        at = end
    return "".join([*kept, source[at:]]) if at else source


def _escaped_end(quoted: re.Match[str]) -> str:
    return quoted[0].replace(">", "&gt;")


def _lines(source: str, *, links: bool) -> str:
    pieces = _TAG.split(source)
    writer = _Writer(links=links)
    line = writer.line
    if pieces[0]:
        writer.text(pieces[0])
    for name, attributes, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        if name:
            key = name if name.islower() else name.lower()
            gap = _GAPS.get(key)
            if gap is not None:
                if line or gap > writer.owed:
                    writer.gap(gap)
            elif (other := _OTHERS.get(key)) is not None:
                other(writer, attributes)
        if _KEPT_LINE in text:
            writer.text(text)
        elif line or text not in _NOTHING:
            line.append(text)
    writer.gap(0)
    whole = html.unescape("\n".join(writer.lines)).replace("\xa0", " ").replace(_KEPT_SPACE, " ")
    whole = "\n".join([one.rstrip() for one in whole.split("\n")])
    return _BLANK_LINES.sub("\n\n", whole).strip("\n")


class _Writer:
    """Puts lines together.

    Attributes:
        lines: those that are done.
        line: pieces of the next one.
        owed: the gap before it.
    """

    __slots__ = (
        "_depth",
        "_href",
        "_is_fresh",
        "_label_at",
        "_last_depth",
        "_links",
        "_mark",
        "line",
        "lines",
        "owed",
    )

    def __init__(self, *, links: bool) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.owed = 0
        self._depth = 0
        self._last_depth = 0
        self._mark = ""
        self._href = ""
        self._label_at = 0
        self._links = links
        self._is_fresh = False

    def text(self, text: str) -> None:
        """Text that may have line ends to be kept."""
        first, *others = text.split(_KEPT_LINE)
        self.line.append(first)
        for one in others:
            self.line_end("")
            self.line.append(one)

    def gap(self, size: int) -> None:
        """End the line; with 2 there is an empty one before the next."""
        line = self.line
        if line:
            text = "".join(line).strip(" ")
            line.clear()
            self._label_at = 0
            if text:
                self._write(_SPACES.sub(" ", text))
        self._is_fresh = False
        if size > self.owed:
            self.owed = size

    def _write(self, text: str) -> None:
        depth = min(self._depth, _QUOTES_SHOWN)
        if self.owed == 2 and self.lines:
            self.lines.append("> " * min(depth, self._last_depth))
        self.lines.append("> " * depth + self._mark + text)
        self._last_depth = depth
        self.owed = 0
        self._mark = ""

    def line_end(self, _attributes: str) -> None:
        """Tag br: the second one in a row leaves a line empty."""
        was_fresh = self._is_fresh
        count = len(self.lines)
        self.gap(1)
        if was_fresh and count == len(self.lines):
            self.owed = 2
        self._is_fresh = True

    def item(self, _attributes: str) -> None:
        """Tag li."""
        self.gap(1)
        self._mark = "- "

    def cell(self, _attributes: str) -> None:
        """Tags td and th: a row is a line."""
        if self.line:
            self.line.append(" ")

    def quote(self, _attributes: str) -> None:
        """Tag blockquote."""
        self.gap(2)
        self._depth += 1

    def quote_end(self, _attributes: str) -> None:
        """Tag /blockquote."""
        self.gap(2)
        self._depth = max(0, self._depth - 1)

    def rule(self, _attributes: str) -> None:
        """Tag hr."""
        self.gap(1)
        self.line.append("---")
        self.gap(1)

    def image(self, attributes: str) -> None:
        """Tag img: what it says of itself."""
        if alt := _attribute(attributes, "alt").strip():
            self.line.append(f"[{alt}]")

    def link(self, attributes: str) -> None:
        """Tag a."""
        self._href = _attribute(attributes, "href").strip() if self._links else ""
        self._label_at = len(self.line)

    def link_end(self, _attributes: str) -> None:
        """Tag /a."""
        href, self._href = self._href, ""
        scheme = _SCHEME.match(href)
        if scheme is None or len(href) > _LINK_MAX:
            return
        label = "".join(self.line[self._label_at :]).strip()
        target = href[7:] if href[:7].lower() == "mailto:" else href
        if label and href[scheme.end() :].strip("/") not in label:
            self.line.append(f" &lt;{target}&gt;")


_OTHERS: Final[dict[str, Callable[[_Writer, str], None]]] = {
    "br": _Writer.line_end,
    "li": _Writer.item,
    "td": _Writer.cell,
    "th": _Writer.cell,
    "blockquote": _Writer.quote,
    "/blockquote": _Writer.quote_end,
    "hr": _Writer.rule,
    "img": _Writer.image,
    "a": _Writer.link,
    "/a": _Writer.link_end,
}


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found[1].lower() == name:
            return found[2] or found[3] or found[4] or ""
    return ""


def html_from_text(text: str) -> str:
    """Plain text as an HTML document that keeps its lines and spaces."""
    return (
        '<html><head><meta charset="utf-8"></head><body><div style="white-space: pre-wrap">'
        f"{html.escape(text, quote=False)}</div></body></html>"
    )


_TAG_START: Final = re.compile(rb"<(?=[a-zA-Z!?/]|\Z)")
_WHOLE_TAG: Final = re.compile(
    rb"<(?:!--.*?-->|[^>=]*+(?:=\s*+(?:\"[^\"]*+\"|'[^']*+'|(?![\"']))[^>=]*+)*+>)", re.S
)
_UNFINISHED_REFERENCE: Final = re.compile(rb"&#?[a-zA-Z0-9]*+\Z")
_REFERENCE_MAX: Final = 34
_CUTS_MAX: Final = 16


def cut_text(text: bytes, size: int) -> bytes:
    """The beginning of text in UTF-8, of at most ``size`` octets.

    It ends between characters, and never between CR and LF. Octets that are no UTF-8 are cut
    somewhere.
    """
    if len(text) <= size:
        return text
    end = size
    for _ in range(3):
        if end and text[end] & 0xC0 == 0x80:
            end -= 1
    if end and text[end] == 0x0A and text[end - 1] == 0x0D:
        end -= 1
    return text[:end]


def cut_html(source: bytes, size: int) -> bytes:
    """The beginning of HTML in UTF-8, of at most ``size`` octets.

    It ends as ``cut_text`` does, and neither within a tag nor within a character reference.
    """
    if len(source) <= size:
        return source
    kept = cut_text(source, size)
    for _ in range(_CUTS_MAX):
        start = _last_tag(kept)
        if start < 0 or _WHOLE_TAG.match(kept, start):
            break
        kept = kept[:start]
    else:
        kept = kept[: max(kept.rfind(b">") + 1, 0)]
    found = _UNFINISHED_REFERENCE.search(kept, max(len(kept) - _REFERENCE_MAX, 0))
    return kept[: found.start()] if found else kept


def _last_tag(source: bytes) -> int:
    """Where the last tag begins; -1 there is none."""
    end = len(source)
    while (start := source.rfind(b"<", 0, end)) >= 0:
        if _TAG_START.match(source, start):
            return start
        end = start
    return -1
