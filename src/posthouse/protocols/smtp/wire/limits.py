"""Sizes that the wire machine enforces while it reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Sizes in octets.

    Attributes:
        command_bytes: a command line with its CRLF.
        auth_bytes: an AUTH command or a line of its exchange, with its CRLF (RFC 4954 §4).
        message_bytes: plain content of a message; announced by SIZE.
        excess_bytes: how much more than ``message_bytes`` is read and thrown away, so that the
            client hears 552 instead of a broken connection; past that we close.
    """

    command_bytes: int = 2_048
    auth_bytes: int = 12_288
    message_bytes: int = 50 * 1024 * 1024
    excess_bytes: int = 50 * 1024 * 1024
