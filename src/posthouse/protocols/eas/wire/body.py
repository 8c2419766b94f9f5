"""Bodies as ActiveSync clients want them: which form, how much of it.

Spec: [MS-ASAIRS] §2.2.2.9 (Body), §2.2.2.10 (BodyPart), §2.2.2.3.2 (AllOrNone), §2.2.2.32
    (NativeBodyType); [MS-ASCMD] §2.2.3.110 (MIMESupport); [MS-ASCON] §3.2.5.7.

Notes:
    Of the forms a client takes, the one the text was written in comes first, then the client's
    order. MIME goes before both where it is due. Rich text is never sent: who takes nothing else
    gets plain text. Who states no preference gets the size and no text, which costs nothing.
    A BodyPart is the whole text: what others wrote before is not cut out of it.
    EstimatedDataSize is right when nothing is left out, else a good guess: only as much is decoded
    as is sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from posthouse.formats.html_text import cut_html, cut_text, html_from_text, readable_text
from posthouse.formats.mime.body import (
    BodyParts,
    PartText,
    body_parts,
    is_smime,
    read_text,
    size_of,
)
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import BodyKind, BodyPreference, MimeSupport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.formats.mime.card import Card, PartCard
    from posthouse.protocols.eas.wire.options import ViewOptions

TEXT_MAX: Final = 8 << 20
"""So many octets of text are sent at most; who wants more can have the MIME."""
_SLACK_OCTETS: Final = 8_192
_CONVERTED_MAX: Final = 1 << 20
"""So many octets of HTML are turned into text."""

_PREVIEW_FROM: Final = 4_096
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_SPACES: Final = re.compile(r"\s+")
_LINE_END: Final = re.compile(r"\r?\n|\r")


class BodySource(Protocol):
    """Something with a body. Nothing is read before it is asked for."""

    @property
    def native(self) -> BodyKind:
        """In which form it was written: PLAIN or HTML."""

    @property
    def is_smime(self) -> bool:
        """Whether it is a message signed or encrypted by S/MIME."""

    def size(self, kind: BodyKind) -> int:
        """Octets of the whole in this form, estimated from what is known without reading."""

    def text(self, kind: BodyKind, octets_max: int) -> PartText:
        """PLAIN or HTML: all of it, or enough to fill ``octets_max`` octets in UTF-8."""

    def mime(self) -> bytes | None:
        """The message as it stands; None: it is no message."""

    def preview(self, chars_max: int) -> str:
        """The beginning as plain text on one line."""


def text_source(body: str, html: str = "") -> BodySource:
    """The text of an appointment, a task, a contact or a note; with ``html``, in both forms."""
    return _TextSource(body, html)


def message_source(
    card: Card, plain: Callable[[], bytes], beginning: Callable[[int], bytes] | None = None
) -> BodySource:
    """The text of a message.

    Args:
        card: of the message.
        plain: gives its plain content; called once at most, and only when text is wanted.
        beginning: gives the first octets of it, as many as are asked for; None: all is read.
    """
    return _MessageSource(card, plain, beginning)


class _TextSource:
    __slots__ = ("_body", "_html")

    def __init__(self, body: str, html: str) -> None:
        self._body = body
        self._html = html

    @property
    def native(self) -> BodyKind:
        return BodyKind.HTML if self._html else BodyKind.PLAIN

    @property
    def is_smime(self) -> bool:
        return False

    def size(self, kind: BodyKind) -> int:
        return self.text(kind, TEXT_MAX).octets

    def text(self, kind: BodyKind, octets_max: int) -> PartText:  # noqa: ARG002 -- all is here
        if kind is BodyKind.HTML:
            text = self._html or (html_from_text(self._body) if self._body else "")
        else:
            text = self._body or readable_text(self._html[:_CONVERTED_MAX])
            text = _LINE_END.sub("\r\n", text)
        return PartText(text, len(text) if text.isascii() else len(text.encode("utf-8", "replace")))

    def mime(self) -> bytes | None:
        return None

    def preview(self, chars_max: int) -> str:
        text = self._body[:_PREVIEW_FROM] or readable_text(self._html[:_PREVIEW_FROM], links=False)
        return xml_text(_SPACES.sub(" ", text).strip())[:chars_max]


class _MessageSource:
    __slots__ = ("_beginning", "_card", "_octets", "_parts", "_plain")

    def __init__(
        self,
        card: Card,
        plain: Callable[[], bytes],
        beginning: Callable[[int], bytes] | None = None,
    ) -> None:
        self._card = card
        self._plain = plain
        self._beginning = beginning
        self._octets: bytes | None = None
        self._parts: BodyParts | None = None

    def _shown(self, kind: BodyKind) -> tuple[PartCard, ...]:
        parts = self._parts
        if parts is None:
            parts = self._parts = body_parts(self._card)
        return parts.html if kind is BodyKind.HTML else parts.plain

    @property
    def native(self) -> BodyKind:
        for part in self._shown(BodyKind.HTML):
            if part.content_type == "text/html":
                return BodyKind.HTML
        return BodyKind.PLAIN

    @property
    def is_smime(self) -> bool:
        return is_smime(self._card)

    def size(self, kind: BodyKind) -> int:
        return sum(size_of(part) for part in self._shown(kind))

    def text(self, kind: BodyKind, octets_max: int) -> PartText:
        parts = self._shown(kind)
        if len(parts) == 1:  # nearly always
            return self._part_text(parts[0], kind, octets_max)
        texts: list[str] = []
        octets = 0
        is_whole = True
        for index, part in enumerate(parts):
            if octets > octets_max:
                octets += sum(size_of(other) for other in parts[index:])
                is_whole = False
                break
            found = self._part_text(part, kind, octets_max - octets)
            texts.append(found.text)
            octets += found.octets + 2
            is_whole = is_whole and found.is_whole
        return PartText("\r\n".join(texts), max(octets - 2, 0), is_whole)

    def _part_text(self, part: PartCard, kind: BodyKind, octets_max: int) -> PartText:
        is_html = part.content_type == "text/html"
        if is_html is (kind is BodyKind.HTML):
            return read_text(self._enough(part, octets_max), part, octets_max)
        plain = self._enough(part, _CONVERTED_MAX)
        if not is_html:
            found = read_text(plain, part, octets_max)
            text = html_from_text(found.text)
            return PartText(text, found.octets + len(text) - len(found.text), found.is_whole)
        # Tags take most of HTML: text is a third of it, more or less.
        return _converted(plain, part, octets_max)

    def _enough(self, part: PartCard, octets_max: int) -> bytes:
        """The content up to what is needed of a part: at most four octets for one in UTF-8."""
        if self._octets is not None or self._beginning is None:
            return self.mime()
        _, begin, end = part.offsets
        return self._beginning(min(end, begin + 4 * octets_max + _SLACK_OCTETS))

    def mime(self) -> bytes:
        if self._octets is None:
            self._octets = self._plain()
        return self._octets

    def preview(self, chars_max: int) -> str:
        return xml_text(self._card.preview)[:chars_max]


def _converted(plain: bytes, part: PartCard, octets_max: int) -> PartText:
    """HTML as text, as much of it as is wanted."""
    source_max = min(octets_max * 3 + 1_024, _CONVERTED_MAX)
    while True:
        source = read_text(plain, part, source_max)
        text = _LINE_END.sub("\r\n", readable_text(source.text))
        octets = len(text) if text.isascii() else len(text.encode())
        if source.is_whole:
            return PartText(text, octets)
        if octets >= octets_max or source_max >= _CONVERTED_MAX:
            used = max(len(source.text), 1)
            return PartText(text, octets * max(source.octets, used) // used, is_whole=False)
        source_max = min(source_max * 4, _CONVERTED_MAX)


class _Made(Struct, frozen=True):
    """What a body element says.

    Attributes:
        kind: of the data.
        octets: of all of it.
        data: None: nothing of it is sent.
        is_whole: nothing is left out.
    """

    kind: BodyKind
    octets: int
    data: str | bytes | None
    is_whole: bool


def body_element(source: BodySource, options: ViewOptions) -> list[Element]:
    """Body, BodyPart and NativeBodyType of something, as far as they are wanted.

    Body is there unless only BodyPart is wanted. Data is octets where MIME is no UTF-8.
    """
    elements: list[Element] = []
    native = source.native
    part = options.body_part
    if options.bodies or part is None:
        elements.append(_body(source, native, options))
    if part is not None:
        elements.append(_body_part(source, native, part))
    elements.append(Element("AirSyncBase", "NativeBodyType", _NUMBERS[native]))
    return elements


def take_out_data(elements: list[Element], index: int) -> bytes | None:
    """Put Part in the place of the Body's Data, for an answer in several parts.

    Args:
        elements: as ``body_element`` made them; changed in place.
        index: number of the part within the answer.

    Returns:
        What the part holds; None: there is no Body, or no Data in it, and nothing is changed.
    """
    for element in elements:
        if element.tag != "Body" or element.namespace != "AirSyncBase":
            continue
        data = element.child("Data")
        if data is None:
            return None
        element.content = [child for child in element.children if child is not data]
        element.add("ItemOperations:Part", str(index))
        return data.octets
    return None


def xml_text(text: str) -> str:
    """A text without the characters that XML forbids."""
    if text.isprintable() or not _NOT_XML.search(text):
        return text
    return _NOT_XML.sub("", text)


_NUMBERS: Final = {kind: str(kind.value) for kind in BodyKind}


def _body(source: BodySource, native: BodyKind, options: ViewOptions) -> Element:
    wanted = _in_order(source, native, options)
    if not wanted:
        size = source.size(native)
        return Element("AirSyncBase", "Body", _children(_Made(native, size, None, size == 0)))
    preference, made = _best(source, wanted)
    children = _children(made)
    if preference.preview and not (made.kind is BodyKind.PLAIN and made.data):
        _add(children, "Preview", source.preview(preference.preview))
    return Element("AirSyncBase", "Body", children)


def _best(source: BodySource, wanted: Sequence[BodyPreference]) -> tuple[BodyPreference, _Made]:
    """The first that may be cut or fits whole; else the first, without data."""
    found = [(wanted[0], _made(source, wanted[0]))]
    for preference in wanted[1:]:
        last, made = found[-1]
        if made.is_whole or not last.all_or_none:
            return last, made
        found.append((preference, _made(source, preference)))
    last, made = found[-1]
    if made.is_whole or not last.all_or_none:
        return last, made
    first, made = found[0]
    return first, replace(made, data=None)


def _in_order(
    source: BodySource, native: BodyKind, options: ViewOptions
) -> Sequence[BodyPreference]:
    """Preferences in the order in which they are tried; of kinds that can be had."""
    bodies = options.bodies
    if len(bodies) == 1 and (bodies[0].kind is native):
        return bodies
    support = options.mime_support
    is_due = support is MimeSupport.ALWAYS or (support is MimeSupport.SIGNED and source.is_smime)
    mime = [one for one in bodies if one.kind is BodyKind.MIME]
    texts = [one for one in bodies if one.kind in (BodyKind.PLAIN, BodyKind.HTML)]
    texts.sort(key=lambda one: one.kind is not native)
    if not texts:
        texts = [replace(one, kind=native) for one in mime] or [
            replace(one, kind=BodyKind.PLAIN) for one in bodies
        ]
    is_message = is_due and mime and source.mime() is not None
    return mime + texts if is_message else texts


def _made(source: BodySource, preference: BodyPreference) -> _Made:
    limit = preference.truncation_bytes
    if preference.kind is BodyKind.MIME:
        return _made_of_mime(source.mime() or b"", limit)
    kind = preference.kind
    most = TEXT_MAX if limit is None else min(limit, TEXT_MAX)
    if most == 0:
        size = source.size(kind)
        return _Made(kind, size, None if size else "", size == 0)
    found = source.text(kind, most)
    octets = found.text.encode("utf-8", "replace")
    cleaned = octets.translate(None, _CONTROLS)
    if found.is_whole and len(cleaned) <= most:
        text = found.text if len(cleaned) == len(octets) else cleaned.decode()
        return _Made(kind, len(cleaned), text, is_whole=True)
    kept = (cut_html if kind is BodyKind.HTML else cut_text)(cleaned, most)
    size = len(cleaned) if found.is_whole else max(found.octets, len(cleaned))
    return _Made(kind, size, kept.decode(), is_whole=False)


def _made_of_mime(octets: bytes, limit: int | None) -> _Made:
    kept = octets if limit is None else cut_text(octets, limit)
    is_whole = len(kept) == len(octets)
    data: str | bytes | None = kept
    try:
        text = kept.decode()
        data = text if "\0" not in text else kept
    except UnicodeDecodeError:
        pass
    return _Made(BodyKind.MIME, len(octets), data if kept or is_whole else None, is_whole)


def _children(made: _Made) -> list[Element]:
    children = [
        Element("AirSyncBase", "Type", _NUMBERS[made.kind]),
        Element("AirSyncBase", "EstimatedDataSize", str(made.octets)),
    ]
    if not made.is_whole:
        children.append(Element("AirSyncBase", "Truncated", "1"))
    elif made.kind is BodyKind.MIME:
        children.append(Element("AirSyncBase", "Truncated", "0"))
    if made.data is not None:
        children.append(Element("AirSyncBase", "Data", made.data))
    return children


def _add(children: list[Element], tag: str, text: str) -> None:
    if text:
        children.append(Element("AirSyncBase", tag, text))


def _body_part(source: BodySource, native: BodyKind, preference: BodyPreference) -> Element:
    kind = preference.kind
    if kind not in (BodyKind.PLAIN, BodyKind.HTML):
        preference = replace(preference, kind=native)
    made = _made(source, preference)
    if preference.all_or_none and not made.is_whole:
        made = replace(made, data=None)
    children = [Element("AirSyncBase", "Status", "1"), *_children(made)]
    if preference.preview:
        _add(children, "Preview", source.preview(preference.preview))
    return Element("AirSyncBase", "BodyPart", children)
