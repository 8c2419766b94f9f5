"""Modified UTF-7: folder names in Maildirs and on IMAP's wire.

Spec: RFC 3501 §5.1.3.

Notes:
    Where a name may not hold a character (the dot in a Maildir folder), ``encode`` takes it as one
    more to shift.
"""

from __future__ import annotations

import binascii


def encode(name: str, shifted: str = "") -> str:
    """The ASCII form of a name.

    Args:
        name: any text without lone surrogates.
        shifted: printable characters to encode although the grammar lets them stand.
    """
    out: list[str] = []
    run: list[str] = []
    for c in [*name, ""]:
        if c and (not " " <= c <= "~" or c in shifted):
            run.append(c)
            continue
        if run:
            octets = "".join(run).encode("utf-16-be", "replace")
            text = binascii.b2a_base64(octets, newline=False).decode("ascii").rstrip("=")
            out.append(f"&{text.replace('/', ',')}-")
            run.clear()
        out.append("&-" if c == "&" else c)
    return "".join(out)


def decode(text: str) -> str:
    """The name behind an ASCII form; what is no modified UTF-7 stays as it is."""
    out: list[str] = []
    pos = 0
    while (start := text.find("&", pos)) >= 0:
        end = text.find("-", start + 1)
        if end < 0:
            break
        out.append(text[pos:start])
        out.append(_shifted(text[start + 1 : end]) if end > start + 1 else "&")
        pos = end + 1
    out.append(text[pos:])
    return "".join(out)


def _shifted(code: str) -> str:
    try:
        octets = binascii.a2b_base64(code.replace(",", "/") + "=" * (-len(code) % 4))
        name = octets.decode("utf-16-be")
    except (ValueError, UnicodeError):
        return f"&{code}-"
    return name if name.isprintable() else f"&{code}-"
