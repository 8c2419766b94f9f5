"""Fields: what a client says of an item otherwise than it was shown.

Spec: [MS-ASCMD] §2.2.3.24 (Change), §2.2.3.179 (Supported).

Notes:
    Clients send whole items back, with all that they did not change. Only what differs from what
    they were shown is said; the rest stays as it is, also where ActiveSync shows less of it than
    there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.formats.recurrence.pattern import DAY_MS
from posthouse.formats.vcard.values import clean
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.code_pages_table import NAMES
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.times import ms_from_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

NAMES_MAX: Final = 300
"""Categories or children of an item."""

_YEAR_1601_AT = -11_644_473_600_000
# Outlook writes "no date" as the first day of 4501, at midnight wherever it is.
_NO_DATE_AT = 79_870_665_600_000


class Told:
    """What one ApplicationData says. Names are ``Namespace:Tag``."""

    __slots__ = ("_children", "_supported")

    def __init__(
        self, data: Element, *, is_partial: bool, supported: Collection[str] | None = None
    ) -> None:
        """Look through it once.

        Args:
            data: ApplicationData; of several children of one name the first counts.
            is_partial: what is not there stays as it is; else it is taken away.
            supported: without ``is_partial``: only these tags can be taken away by not being
                there, the others are ghosted; None: all.
        """
        self._children: dict[tuple[str, str], Element] = {}
        for child in data.children:
            self._children.setdefault((child.namespace, child.tag), child)
        self._supported = frozenset[str]() if is_partial else supported

    def element(self, name: str) -> Element | None:
        """The child of this name."""
        return self._children.get(NAMES[name])

    def is_taken_away(self, name: str) -> bool:
        """Whether it is not there, and that means something."""
        if self.element(name) is not None:
            return False
        return self._supported is None or NAMES[name][1] in self._supported

    def text(self, name: str) -> str | None:
        """As the model has texts; "" taken away; None: stays as it is.

        Raises:
            RemoteProtocolError: the element has children, or is not UTF-8.
        """
        element = self.element(name)
        if element is not None:
            return clean(element.text)
        return "" if self.is_taken_away(name) else None

    def changed_texts(self, names: Iterable[str], shown: Mapping[str, str]) -> dict[str, str]:
        """Those of these names that say something else than was shown ("" or missing: nothing).

        Raises:
            RemoteProtocolError: as ``text``.
        """
        told = {name: self.text(name) for name in names}
        return {
            name: text
            for name, text in told.items()
            if text is not None and text != shown.get(name, "")
        }

    def names(self, name: str, item: str, known: tuple[str, ...]) -> tuple[str, ...]:
        """The names in a list, or those known when they were all there is to show.

        Raises:
            RemoteProtocolError: more than NAMES_MAX, or one is no text.
        """
        element = self.element(name)
        if element is None:
            return () if self.is_taken_away(name) and shown_names(known) else known
        found = shown_names([clean(one.text) for one in element.each(item)])
        if len(element.children) > NAMES_MAX:
            raise RemoteProtocolError(f"{name} has more than {NAMES_MAX} names", "content")
        return known if found == shown_names(known) else found


def shown_names(names: Iterable[str]) -> tuple[str, ...]:
    """Those that can be shown: none empty, none above the limit."""
    cleaned = (clean(name).strip() for name in names)
    return tuple(name for name in cleaned if name)[:NAMES_MAX]


def names_elements(name: str, item: str, names: Iterable[str]) -> list[Element]:
    """The list as an element; none for no name."""
    namespace, tag = NAMES[name]
    found = [Element(namespace, item, one) for one in shown_names(names)]
    return [Element(namespace, tag, found)] if found else []


def text_elements(shown: Mapping[str, str]) -> list[Element]:
    """One for each text, the empty ones too."""
    return [Element(*NAMES[name], text) for name, text in shown.items()]


def number_from_text(name: str, text: str, last: int, default: int) -> int:
    """A number from 0 to ``last``; "" is the default. Raises RemoteProtocolError for any other."""
    if not text:
        return default
    if text not in map(str, range(last + 1)):
        raise RemoteProtocolError(f"{name} is not 0 to {last}", "content")
    return int(text)


def time_from_text(text: str) -> int | None:
    """Milliseconds of whole seconds; None: no time, or what Outlook writes for that.

    Raises:
        RemoteProtocolError: no time, or one before the year 1601.
    """
    return kept_time(ms_from_text(text)) if text else None


def kept_time(at: int) -> int | None:
    """The same for a time that has been read."""
    if at < _YEAR_1601_AT:
        raise RemoteProtocolError("a time before 1601", "content")
    return at // 1000 * 1000 if at < _NO_DATE_AT else None


def nearest_midnight(at: int) -> int:
    """Of UTC, for what a client has sent as midnight of its own; noon counts to its day."""
    return (at + DAY_MS // 2 - 1) // DAY_MS * DAY_MS
