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


# Looking a member up in its class costs as much as a call; these are compared for every command.
INPUT_ENDED, OUTPUT_FULL, MESSAGE, TLS, OVER = Turn

TURNS_AFTER = {State.CLOSED: OVER, State.TLS: TLS}
"""Where a reply may have led."""
