"""Turns: how far the server got when it stopped answering."""

from __future__ import annotations

from enum import Enum

from posthouse.protocols.smtp.wire.server_machine import State


class Turn(Enum):
    """Why a turn ended."""

    INPUT_ENDED = "all that has come is answered"
    OUTPUT_FULL = "enough to write for now"
    MESSAGE = "a message is whole"
    TLS = "a handshake is due"
    OVER = "the session is over"


TURNS_AFTER = {State.CLOSED: Turn.OVER, State.TLS: Turn.TLS}
"""Where a reply may have led."""
