"""Header lines that this server writes: trace fields and any other.

Spec: RFC 5321 §4.4 (trace information), RFC 3848 (protocol names), RFC 9228 (Delivered-To).

Notes:
    The one writer of header lines. CR, LF and NUL are refused here whoever passes them, so nothing
    a peer said can become a header line of its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from posthouse.formats.mime.dates import date_text

LINE_OCTETS_MAX = 998
_NAME = re.compile(r"[!-9;-~]{1,76}\Z")
_CONTROL = re.compile("[\x00-\x1f\x7f()\\\\\u0080-\u009f]")


def header_line(name: str, value: str) -> bytes:
    """One header field, CRLF-ended.

    A value longer than a line is folded at spaces where it has any.

    Raises:
        ValueError: CR, LF or NUL in name or value, or a name that is none.
    """
    _refuse_line_ends(value)
    if not _NAME.match(name):
        raise ValueError(f"not a field name: {name!r}")
    line = f"{name}: {value}".encode("utf-8", "replace")
    return (line if len(line) <= 78 else _folded(line)) + b"\r\n"


def _folded(line: bytes) -> bytes:
    """Break before a space so that lines stay within 78 octets; a longer word stays whole."""
    out: list[bytes] = []
    while len(line) > 78:
        at = line.rfind(b" ", 1, 78)
        if at <= 0 or not line[:at].strip(b" \t") or (not out and at <= line.find(b":") + 1):
            at = line.find(b" ", 78)
        if at < 0 or not line[at:].strip(b" \t"):
            break
        out.append(line[:at])
        line = line[at:]
    out.append(line)
    return b"\r\n".join(out)


def _refuse_line_ends(text: str) -> None:
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError("CR, LF or NUL in a header line")


def _quiet(text: str) -> str:
    """Peer's words fit for a Received line: no controls, no parentheses, at most 255 characters."""
    _refuse_line_ends(text)
    if text.isalnum():
        return text[:255]
    return _CONTROL.sub("?", text)[:255]


class Hop(NamedTuple):
    """What a Received field tells.

    Attributes:
        helo: what the peer called itself ("" when it did not).
        host: the peer's IP address ("" to keep a submitter's address private).
        by: this server's name.
        protocol: ESMTP, ESMTPS, ESMTPSA, LMTP and so on (RFC 3848).
        queue_id: names the message in our log.
        at_ms: when it was taken in.
        for_address: the recipient, where there is only one.
        tls: protocol version and cipher, as a comment.
    """

    helo: str
    host: str
    by: str
    protocol: str
    queue_id: str
    at_ms: int
    for_address: str = ""
    tls: str = ""


def received_line(hop: Hop) -> bytes:
    """The Received field for a message taken in.

    Raises:
        ValueError: CR, LF or NUL in any part.
    """
    target = f"\r\n\tfor <{_quiet(hop.for_address)}>" if hop.for_address else ""
    text = (
        f"{_whence(hop.helo, hop.host, hop.by, hop.protocol, hop.tls)}"
        f"{_quiet(hop.queue_id)}{target}; {date_text(hop.at_ms)}\r\n"
    )
    return text.encode("utf-8", "replace")


@lru_cache(maxsize=1_024)
def _whence(helo: str, host: str, by: str, protocol: str, tls: str) -> str:
    """The part of a Received field that is the same for all messages of a session."""
    literal = f" ([{_quiet(host)}])" if host else ""
    comment = f" ({_quiet(tls)})" if tls else ""
    return (
        f"Received: from {_quiet(helo) or 'unknown'}{literal}\r\n"
        f"\tby {_quiet(by)} with {_quiet(protocol)}{comment}\r\n\tid "
    )


def return_path(sender: str) -> bytes:
    """The Return-Path field; "" is the null sender. Raises ValueError as ``header_line``."""
    _refuse_line_ends(sender)
    return b"Return-Path: <%b>\r\n" % sender.encode("utf-8", "replace")


def delivered_to(address: str) -> bytes:
    """The Delivered-To field. Raises ValueError as ``header_line``."""
    _refuse_line_ends(address)
    return b"Delivered-To: %b\r\n" % address.encode("utf-8", "replace")
