"""From what goes wrong to Autodiscover's own codes.

Spec: [MS-OXDSCLI] §2.2.4.1.1.2 (Error).
"""

from __future__ import annotations

from enum import IntEnum

from posthouse.model.errors import PosthouseError


class Code(IntEnum):
    """ErrorCode of a POX answer."""

    BAD_ADDRESS = 501
    INVALID_REQUEST = 600
    PROVIDER_NOT_AVAILABLE = 601
    SERVER_BUSY = 602


TEXTS = {
    Code.BAD_ADDRESS: "There is no mailbox of that address here.",
    Code.INVALID_REQUEST: "Invalid Request",
    Code.PROVIDER_NOT_AVAILABLE: "Provider is not available",
    Code.SERVER_BUSY: "The server is busy; ask again later.",
}


class NotAnswered(PosthouseError):
    """A question that is answered by a code."""

    def __init__(self, code: Code) -> None:
        super().__init__(TEXTS[code])
        self.code = code
