"""Where a message comes from that a device sends.

Spec: RFC 5321 §4.4 (trace).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.services.mailflow.envelope import Origin

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call


def origin_of(call: Call) -> Origin:
    """The device's address is not told to recipients, as with every login."""
    head = call.head
    protocol = "HTTPS" if head.is_tls else "HTTP"
    return Origin(head.host, 0, "", protocol, call.login, head.session_id)
