"""What CAPA says, one row a capability.

Spec: RFC 2449 §5, §6; RFC 2595 §4; RFC 3206 §2; RFC 5034 §3; RFC 6856 §2, §3.

Notes:
    - EXPIRE NEVER: this server takes away no message of its own accord, whatever DELE does in a
      mailbox. Under the policy ``hide`` not even the client can: DELE only puts a message out of
      that device's sight.
    - LOGIN-DELAY 0 where none is enforced: a client may then poll as often as it likes.
    - APOP is no capability; it is refused, since it needs every password kept in clear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the answer depends on.

    Attributes:
        can_start_tls: STLS is possible now.
        allows_plain: a password may be sent as things are.
        is_logged_in: after login the server says its version.
        login_delay_s: seconds that must lie between two logins; 0 none.
        version: of this server.
    """

    can_start_tls: bool
    allows_plain: bool
    is_logged_in: bool
    login_delay_s: int
    version: str


def mechanisms(*, allows_plain: bool) -> tuple[str, ...]:
    """SASL mechanisms on offer, the best first."""
    return ("SCRAM-SHA-256", "PLAIN") if allows_plain else ("SCRAM-SHA-256",)


def _sasl(now: Circumstances) -> str:
    return " ".join(("SASL", *mechanisms(allows_plain=now.allows_plain)))


def _implementation(now: Circumstances) -> str:
    return (
        f"IMPLEMENTATION Posthouse-{now.version}"
        if now.is_logged_in
        else "IMPLEMENTATION Posthouse"
    )


CAPABILITIES: tuple[Callable[[Circumstances], str], ...] = (
    lambda _: "TOP",  # RFC 1939 §7
    lambda _: "UIDL",  # RFC 1939 §7
    lambda now: "USER" if now.allows_plain else "",  # RFC 1939 §7
    _sasl,  # RFC 5034 §3
    lambda now: "STLS" if now.can_start_tls else "",  # RFC 2595 §4
    lambda _: "RESP-CODES",  # RFC 2449 §6.4
    lambda _: "AUTH-RESP-CODE",  # RFC 3206 §6
    lambda _: "PIPELINING",  # RFC 2449 §6.6
    lambda _: "EXPIRE NEVER",  # RFC 2449 §6.7
    lambda now: f"LOGIN-DELAY {now.login_delay_s}",  # RFC 2449 §6.5
    lambda _: "UTF8 USER",  # RFC 6856 §2
    lambda _: "LANG",  # RFC 6856 §3
    _implementation,  # RFC 2449 §6.9
)


def capability_lines(now: Circumstances) -> bytes:
    """The lines of the answer, without its first and its last."""
    said = [row(now) for row in CAPABILITIES]
    return "".join([f"{line}\r\n" for line in said if line]).encode()
