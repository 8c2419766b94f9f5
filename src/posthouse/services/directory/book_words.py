"""Words of the address book: how names, addresses and numbers are compared."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.book import BookEntry

TEXT_MAX = 256
WORDS_MAX = 16
PHONE_DIGITS_MIN = 3
_WORD = re.compile(r"[^\W_]+")
_PHONE = re.compile(r"[\d\s()+./-]+\Z", re.ASCII)
_RUN = re.compile(r"\d+", re.ASCII)
_STROKES = str.maketrans("øłđðħŧ\u0131", "olddhti")
"""Letters that Unicode does not take apart, but people type without the stroke."""


def folded(text: str) -> str:
    """Text as it is compared: without letter case, accents and compatibility forms."""
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFKD", text).casefold().translate(_STROKES)
    return "".join(c for c in unicodedata.normalize("NFKD", spread) if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """Folded words of a text, in order."""
    return _WORD.findall(folded(text))


def name_key(name: str) -> tuple[str, ...]:
    """What two ways to write the same name have in common: ``Lee, Anna`` and ``anna lee``."""
    return tuple(sorted(words(name[:TEXT_MAX])))


def sort_key(entry: BookEntry) -> tuple[str, str]:
    """Order of the book: by name, then by address."""
    return folded(entry.name), entry.address


def keys_of(entry: BookEntry) -> set[str]:
    """Everything an entry is found by."""
    details, addresses = entry.details, [entry.address, *entry.aliases]
    locals_ = [address.rpartition("@")[0] for address in addresses]
    names = (entry.name, details.first_name, details.last_name, details.alias, details.office)
    found = set(words("\n".join((*names, *locals_))))
    found.update(map(folded, addresses))
    for phone in details.phones:
        found |= _phone_keys(phone)
    return found


def search_keys(text: str) -> list[list[str]]:
    """Ways to read what somebody typed: in each, all keys have to fit.

    Returns:
        Ways without keys are left out; an address or a number is one key.
    """
    text = text.strip()[:TEXT_MAX]
    if "@" in text:
        return [[folded(text)]]
    ways = [list(dict.fromkeys(words(text)))[:WORDS_MAX]]
    if _PHONE.match(text):
        digits = "".join(_RUN.findall(text))
        if len(digits) >= PHONE_DIGITS_MIN:
            ways.append([digits.lstrip("0")])
    return [keys for keys in ways if keys and keys[0]]


def _phone_keys(phone: str) -> set[str]:
    """Digits from each group on: with country code, without, the extension alone."""
    runs = _RUN.findall(phone)
    return {"".join(runs[i:]).lstrip("0") for i in range(len(runs))} - {""}
