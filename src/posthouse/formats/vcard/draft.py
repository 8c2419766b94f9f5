"""A card being changed: lines replaced, taken away, added; all others as they were.

Spec: RFC 6350 §3.3 (groups).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.vcard.lines import line_from_parts, runs_on
from posthouse.formats.vcard.values import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.formats.vcard.lines import Card, Line, Version

_ABOUT_OTHERS = frozenset({"X-ABLABEL", "X-ABADR"})


class Draft:
    """Lines by key; a key stays with its line.

    Attributes:
        form: of the card.
        adds_last: new lines come behind all others; False when the end is out of sight.
    """

    def __init__(self, card: Card) -> None:
        self.form = card.form
        self._tail = card.tail
        self._lines: dict[int, Line] = dict(enumerate(card.lines))
        self._next = len(card.lines)
        self._first_new = self._next
        self.adds_last = not card.is_open
        self._place = _place_for_new(card)
        self._groups: dict[str, set[int]] = {}
        self._last_group = 0
        for key, line in self._lines.items():
            self._groups.setdefault(line.group, set()).add(key)

    @property
    def version(self) -> Version:
        """Of the card."""
        return self.form.version

    def lines(self) -> list[tuple[int, Line]]:
        """All lines with their keys, in order."""
        old = [(key, line) for key, line in self._lines.items() if key < self._first_new]
        new = [(key, line) for key, line in self._lines.items() if key >= self._first_new]
        at = next((i for i, (key, _) in enumerate(old) if key >= self._place), len(old))
        return old[:at] + new + old[at:]

    def line(self, key: int) -> Line:
        """The line of this key."""
        return self._lines[key]

    def replace(self, key: int, line: Line) -> None:
        """Another line in its place."""
        self._lines[key] = line

    def add(
        self,
        label: bytes,
        types: Sequence[str],
        write: Callable[[Line], Line],
        ab_label: str = "",
    ) -> int:
        """A new property behind the others, with Apple's label where it has one.

        Args:
            label: the property's name.
            types: the values of TYPE.
            write: gives the new line its value.
            ab_label: which of Apple's built-in labels ("" none).

        Returns:
            The property's key.
        """
        group = self._free_group() if ab_label else b""
        params = types_params(types, self.version.value)
        key = self.append(write(line_from_parts(group + label, params, b"", self.form)))
        if ab_label:
            text = escape(f"_$!<{ab_label}>!$_", self.version).encode()
            self.append(line_from_parts(group + b"X-ABLabel", (), text, self.form))
        return key

    def remove(self, key: int) -> None:
        """Take a line away, and what Apple says of it when nothing else is in its group."""
        group = self._lines.pop(key).group
        fellows = self._groups[group]
        fellows.discard(key)
        if group and all(self._lines[fellow].name in _ABOUT_OTHERS for fellow in fellows):
            for fellow in fellows:
                del self._lines[fellow]
            del self._groups[group]

    def append(self, line: Line) -> int:
        """A line behind the others; its key."""
        key = self._next
        self._next += 1
        self._lines[key] = line
        self._groups.setdefault(line.group, set()).add(key)
        return key

    def to_bytes(self) -> bytes:
        """The card."""
        pieces: list[bytes] = []
        before = -1
        for key, line in self.lines():
            if pieces and key != before + 1 and runs_on(pieces[-1], line.raw):
                pieces.append(self.form.eol)
            pieces.append(line.raw)
            before = key
        return b"".join(pieces) + self._tail

    def _free_group(self) -> bytes:
        self._last_group += 1
        while f"ITEM{self._last_group}" in self._groups:
            self._last_group += 1
        return f"item{self._last_group}.".encode()


def _place_for_new(card: Card) -> int:
    """Before END; behind BEGIN and VERSION where there is none, since the last line may be half."""
    names = [line.name for line in card.lines]
    if not card.is_open:
        return len(names) - 1
    begin = names.index("BEGIN") + 1
    return begin + (names[begin : begin + 1] == ["VERSION"])


def types_params(types: Sequence[str], version: str) -> list[bytes]:
    """TYPE as each version writes it."""
    if version == "2.1":
        return [kind.encode() for kind in types]
    if version == "4.0":
        types = [kind.lower() for kind in types if kind != "INTERNET"]
    return [b"TYPE=" + ",".join(types).encode()] if types else []
