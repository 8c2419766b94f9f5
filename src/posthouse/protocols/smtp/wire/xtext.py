"""xtext: how DSN parameters carry any text in a command line.

Spec: RFC 3461 §4; RFC 6533 §3 (utf-8-addr-xtext carries the same octets for ASCII).
"""

from __future__ import annotations

from posthouse.model.errors import RemoteProtocolError

_HEX = frozenset("0123456789ABCDEF")


def text_from_xtext(raw: str) -> str:
    """Undo ``+HH``.

    Args:
        raw: printable characters as they stood in the command line.

    Raises:
        RemoteProtocolError: not xtext, or it hides a control character.
    """
    if "=" in raw:
        raise RemoteProtocolError("= inside xtext", "parameter-value")
    if "+" not in raw:
        return raw
    pieces = raw.split("+")
    out = [pieces[0]]
    for piece in pieces[1:]:
        if len(piece) < 2 or piece[0] not in _HEX or piece[1] not in _HEX:
            raise RemoteProtocolError("+ without two hex digits in xtext", "parameter-value")
        out.append(chr(int(piece[:2], 16)) + piece[2:])
    text = "".join(out)
    if not text.isascii() or not text.isprintable():
        raise RemoteProtocolError(
            "xtext hides a character that is not printable", "parameter-value"
        )
    return text


def xtext_from_text(text: str) -> str:
    """Encode printable ASCII for a command line; the reverse of ``text_from_xtext``."""
    if not text.isascii() or not text.isprintable():
        raise ValueError("xtext is made of printable ASCII only")
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
