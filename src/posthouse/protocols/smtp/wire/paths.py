"""Reverse-path and forward-path.

Spec: RFC 5321 §4.1.2; RFC 6531 §3.3.
Departs: RFC 5321 §3.6.1 and Appendix C, because a source route (``<@a,@b:user@c>``) is a relic that
    only abuse uses today: it is refused, not ignored.

Notes:
    A space between the colon and the path is tolerated, since devices send it. A path without
    brackets is not.
"""

from __future__ import annotations

from functools import lru_cache

from posthouse.model.address import Address
from posthouse.model.errors import RemoteProtocolError

_PATH_OCTETS_MAX = 256 + 64
"""RFC 5321 §4.5.3.1.3 says 256; UTF-8 domains are longer before they become A-labels."""


def split_path(text: str, hint: str) -> tuple[str, str]:
    """Split ``<path> parameters`` into what is inside the brackets and the parameters.

    Args:
        text: what follows ``FROM:`` or ``TO:``.
        hint: the reply hint for a path that cannot be read.

    Raises:
        RemoteProtocolError: no path in brackets.
    """
    text = text.lstrip(" ")
    if text[:1] != "<":
        raise RemoteProtocolError("path without brackets", hint)
    end = text.find(">") if '"' not in text else _end_after_quotes(text)
    if end < 0:
        raise RemoteProtocolError("path without closing bracket", hint)
    parameters = text[end + 1 :]
    if parameters and parameters[0] != " ":
        raise RemoteProtocolError("no space behind the path", hint)
    return text[1:end], parameters


def _end_after_quotes(text: str) -> int:
    """Where the bracket closes; a quoted local part may contain one."""
    is_quoted = is_escaped = False
    for index, c in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif c == "\\":
            is_escaped = is_quoted
        elif c == '"':
            is_quoted = not is_quoted
        elif c == ">" and not is_quoted:
            return index
    return -1


@lru_cache(maxsize=2_048)
def address_from_path(path: str, hint: str) -> Address:
    """Read the mailbox between the brackets.

    Remembered, because the same few addresses are said over and over and reading one costs more
    than the rest of the command.

    Raises:
        RemoteProtocolError: not an address, or a source route.
    """
    if path[:1] == "@":
        raise RemoteProtocolError("source route", "route")
    if len(path.encode()) > _PATH_OCTETS_MAX:
        raise RemoteProtocolError("path too long", hint)
    if hint == "recipient" and path.casefold() == "postmaster":
        return Address(path, "")
    try:
        return Address.parse(path)
    except ValueError as e:
        raise RemoteProtocolError(f"bad address: {e}", hint) from e
