"""What EHLO and LHLO announce.

Spec: RFC 5321 §4.1.1.1; RFC 2033 §4.1.

Notes:
    Not offered: BINARYMIME (RFC 3030), because content is kept with CRLF line ends and bare ones
    are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.protocols.smtp.wire.replies import Reply, reply

if TYPE_CHECKING:
    from collections.abc import Callable

MECHANISMS = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
"""In order of preference. LOGIN has no specification, but many printers know nothing else."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides about the list.

    Attributes:
        hostname: ours.
        size_max: largest message in octets.
        can_start_tls: STARTTLS may be said now.
        can_log_in: AUTH may be said now.
    """

    hostname: str
    size_max: int
    can_start_tls: bool
    can_log_in: bool


@dataclass(frozen=True, slots=True)
class Capability:
    """One row of the list.

    Attributes:
        spec: where it is defined.
        text: the line for these terms, "" when it is not offered.
    """

    spec: str
    text: Callable[[Terms], str]


CAPABILITIES: tuple[Capability, ...] = (
    Capability("RFC 2920", lambda _: "PIPELINING"),
    Capability("RFC 1870", lambda terms: f"SIZE {terms.size_max}"),
    Capability("RFC 6152", lambda _: "8BITMIME"),
    Capability("RFC 6531", lambda _: "SMTPUTF8"),
    Capability("RFC 3030", lambda _: "CHUNKING"),
    Capability("RFC 2034", lambda _: "ENHANCEDSTATUSCODES"),
    Capability("RFC 3461", lambda _: "DSN"),
    Capability("RFC 3207", lambda terms: "STARTTLS" if terms.can_start_tls else ""),
    Capability(
        "RFC 4954", lambda terms: "AUTH " + " ".join(MECHANISMS) if terms.can_log_in else ""
    ),
)


def hello_reply(terms: Terms) -> Reply:
    """The answer to EHLO or LHLO. It does not repeat the client's name."""
    lines = [text for row in CAPABILITIES if (text := row.text(terms))]
    return reply(250, "", terms.hostname, *lines)
