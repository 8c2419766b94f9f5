"""What the content lines of iCalendar and vCard have in common.

Spec: RFC 5545 §3.1 (folding); RFC 6868 §3.1 (carets in parameters).
"""

from __future__ import annotations

import re

OCTETS_MAX = 75
"""In a line, without its end."""

_CARET = re.compile(r"\^([n'^])")
_CARET_TEXT = {"n": "\n", "'": '"', "^": "^"}


def folded(text: bytes, eol: bytes) -> bytes:
    """At most 75 octets a line, broken between characters of UTF-8, and ended."""
    pieces = []
    start, room = 0, OCTETS_MAX
    while len(text) - start > room:
        end = start + room
        for back in range(4):
            if text[end - back] & 0xC0 != 0x80:
                end -= back
                break
        pieces.append(text[start:end])
        start, room = end, OCTETS_MAX - 1
    pieces.append(text[start:])
    return (eol + b" ").join(pieces) + eol


def text_from_carets(text: str) -> str:
    """A parameter's value with its carets undone."""
    return _CARET.sub(lambda found: _CARET_TEXT[found[1]], text)


def carets_from_text(text: str) -> str:
    """A parameter's value fit to stand between quotes."""
    return text.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
