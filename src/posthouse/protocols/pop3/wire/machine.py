"""The POP3 server's machine: octets in, commands out.

Spec: RFC 1939 §3, RFC 2449 §4 (line length), RFC 2595 §4, RFC 5034 §4.

Theory of operation:
    ``receive_data`` takes whatever arrived; ``next_event`` gives the next command, or None when
    more octets are needed, or raises RemoteProtocolError for a line that is none. The caller
    answers each before it asks for the next, and says with ``advance`` what became of it: which
    states follow which stands in ``TRANSITIONS``. Nothing depends on how the octets were cut into
    pieces. A line that is too long, or another protocol's, ends the conversation: the state is
    CLOSED, and what still comes is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.protocols.pop3.wire.grammar import (
    FOREIGN,
    RULES,
    Command,
    Fault,
    Rule,
    SaslCancel,
    SaslResponse,
    State,
    base64_from_octets,
)


@dataclass(frozen=True, slots=True)
class LineLimits:
    """Longest lines, CRLF included, in octets.

    Attributes:
        command: any command (RFC 2449 §4).
        sasl: AUTH with its initial response, and the client's answers to challenges.
    """

    command: int = 255
    sasl: int = 16 * 1024


class Step(Enum):
    """What became of a command, as far as the state is concerned."""

    # Members are compared by identity; Enum's own hash is a function in Python.
    __hash__ = object.__hash__

    CHALLENGED = auto()
    REFUSED = auto()
    LOGGED_IN = auto()
    TLS_BEGINS = auto()
    TLS_STARTED = auto()
    UPDATING = auto()
    ENDED = auto()


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.AUTHORIZATION, Step.CHALLENGED): State.SASL,
    (State.AUTHORIZATION, Step.REFUSED): State.AUTHORIZATION,
    (State.AUTHORIZATION, Step.LOGGED_IN): State.TRANSACTION,
    (State.AUTHORIZATION, Step.TLS_BEGINS): State.TLS,
    (State.AUTHORIZATION, Step.ENDED): State.CLOSED,
    (State.SASL, Step.CHALLENGED): State.SASL,
    (State.SASL, Step.REFUSED): State.AUTHORIZATION,
    (State.SASL, Step.LOGGED_IN): State.TRANSACTION,
    (State.SASL, Step.ENDED): State.CLOSED,
    (State.TLS, Step.TLS_STARTED): State.AUTHORIZATION,
    (State.TLS, Step.ENDED): State.CLOSED,
    (State.TRANSACTION, Step.UPDATING): State.UPDATE,
    (State.TRANSACTION, Step.ENDED): State.CLOSED,
    (State.UPDATE, Step.ENDED): State.CLOSED,
    (State.CLOSED, Step.ENDED): State.CLOSED,
}

# Each member by a name of its own: to look one up in its Enum costs as much as to read a line.
_SASL = State.SASL
_CLOSED = State.CLOSED
_LISTENING = (State.TRANSACTION, State.AUTHORIZATION, State.SASL)
DEFAULT_LIMITS = LineLimits()


class Machine:
    """One conversation. See the module for how to drive it."""

    __slots__ = ("_buffer", "_limits", "_position", "state")

    def __init__(self, limits: LineLimits = DEFAULT_LIMITS) -> None:
        self.state = State.AUTHORIZATION
        self._limits = limits
        self._buffer = b""
        self._position = 0

    def receive_data(self, data: bytes) -> None:
        """Take octets from the peer; after the end they are dropped."""
        if self._buffer:
            self._buffer = self._buffer[self._position :] + data
            self._position = 0
        elif self.state is not _CLOSED:
            self._buffer = data

    @property
    def pending_octets(self) -> int:
        """How many octets wait here, behind the command now under way."""
        return len(self._buffer) - self._position

    def next_event(self) -> Command | None:
        """Give the next command, or None when more octets are needed.

        Raises:
            RemoteProtocolError: the line is wrong; ``reply_hint`` is a Fault. The next call goes on
            behind it.
        """
        buffer = self._buffer
        if not buffer or self.state not in _LISTENING:
            return None
        start = self._position
        end = buffer.find(b"\n", start) + 1
        if not end:
            self._check_partial(start)
            return None
        if end == len(buffer):
            self._buffer = b""
            self._position = 0
        else:
            self._position = end
        length = end - start
        if length > self._limits.command and length > self._limit(buffer, start):
            raise self._closing("line too long", Fault.TOO_LONG)
        line = buffer[start : end - 2]
        if length == 1 or buffer[end - 2] != 13 or b"\r" in line or b"\0" in line:
            raise self._broken("bare CR or LF, or NUL, in a line", Fault.LINE_END)
        if self.state is _SASL:
            return self._sasl(line)
        keyword, _, argument = line.partition(b" ")
        rule = RULES.get(keyword) or self._rule(keyword.upper())
        if self.state not in rule.states:
            raise RemoteProtocolError("not in this state", Fault.STATE)
        return rule.parse(argument)

    def advance(self, step: Step) -> None:
        """Say what became of a command.

        Raises:
            LocalProtocolError: that cannot happen in this state.
        """
        state = TRANSITIONS.get((self.state, step))
        if state is None:
            raise LocalProtocolError(f"{step.name} in {self.state.name}")
        self.state = state
        if state is State.CLOSED or state is State.TLS:
            self._buffer = b""
            self._position = 0

    def _rule(self, keyword: bytes) -> Rule:
        """The rule of a keyword in capitals."""
        rule = RULES.get(keyword)
        if rule is not None:
            return rule
        if keyword in FOREIGN:
            raise self._closing("another protocol", Fault.FOREIGN)
        raise RemoteProtocolError("unknown command", Fault.UNKNOWN)

    def _sasl(self, line: bytes) -> Command:
        if line == b"*":
            return SaslCancel()
        try:
            return SaslResponse(base64_from_octets(line))
        except RemoteProtocolError:
            self.advance(Step.REFUSED)
            raise

    def _limit(self, buffer: bytes, start: int) -> int:
        if self.state is State.SASL or (
            self.state is State.AUTHORIZATION and buffer[start : start + 5].upper() == b"AUTH "
        ):
            return self._limits.sasl
        return self._limits.command

    def _check_partial(self, start: int) -> None:
        """Refuse a line while it comes, as soon as even an LF next would make it too long."""
        length = len(self._buffer) - start + 1
        if length > self._limits.command and length > self._limit(self._buffer, start):
            raise self._closing("line too long", Fault.TOO_LONG)

    def _broken(self, message: str, fault: Fault) -> RemoteProtocolError:
        """A line from which the conversation can go on; a SASL exchange cannot."""
        if self.state is State.SASL:
            self.advance(Step.REFUSED)
        return RemoteProtocolError(message, fault)

    def _closing(self, message: str, fault: Fault) -> RemoteProtocolError:
        self.advance(Step.ENDED)
        return RemoteProtocolError(message, fault)
