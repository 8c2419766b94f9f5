"""SENDMAIL: sends a message.

Spec: [MS-ASCMD] §2.2.1.17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.eas.sending import send

if TYPE_CHECKING:
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.element import Element


async def handle(call: Call, request: Element | None) -> Element | None:
    """See ``sending.send``."""
    return await send(call, request, None)
