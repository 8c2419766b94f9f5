"""What the server says to people, in their language.

Spec: RFC 6856 §3.

Notes:
    After LANG the texts are UTF-8, as the RFC has it; before, they are English and ASCII.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import ENGLISH, GERMAN, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from posthouse.protocols.pop3.wire.codes import Code


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        tag: RFC 5646.
        name: of the language in itself.
        texts: all that can be said.
        retr: the first line of RETR's answer, to be completed by the number of octets.
    """

    tag: str
    name: str
    texts: Mapping[Text, str]
    retr: bytes

    def ok(self, text: Text, **fields: object) -> bytes:
        """A positive answer of one line."""
        return f"+OK {self.texts[text].format_map(fields)}\r\n".encode()

    def err(self, text: Text, code: Code | None = None, **fields: object) -> bytes:
        """A negative answer, with its response code (RFC 2449 §8)."""
        mark = f"[{code}] " if code else ""
        return f"-ERR {mark}{self.texts[text].format_map(fields)}\r\n".encode()


def _language(tag: str, name: str, texts: Mapping[Text, str]) -> Language:
    return Language(tag, name, texts, f"+OK %d {texts[Text.OCTETS]}\r\n".encode())


LANGUAGES: tuple[Language, ...] = (
    _language("en", "English", ENGLISH),
    _language("de", "Deutsch", GERMAN),
)
DEFAULT = LANGUAGES[0]


def language_for(language_range: str) -> Language | None:
    """The language of a basic range (RFC 4647 §3.4, lookup); ``*`` is ours to choose."""
    if language_range == "*":
        return DEFAULT
    wanted = language_range.lower()
    while wanted:
        for language in LANGUAGES:
            if language.tag == wanted:
                return language
        wanted, _, _ = wanted.rpartition("-")
    return None


def language_lines() -> bytes:
    """One line for each language (RFC 6856 §3.2)."""
    return "".join([f"{one.tag} {one.name}\r\n" for one in LANGUAGES]).encode()
