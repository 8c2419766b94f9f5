"""The receiving side of SMTP and LMTP as a machine: octets in, commands and content out.

Spec: RFC 5321 §2.3.8, §3.3, §4.1.1; RFC 2920 (PIPELINING); RFC 3030 §2; RFC 3207 §4; RFC 4954 §4.

Notes:
    - The state follows our replies: a 354 makes the machine read content, a 334 an AUTH line, a 220
      to STARTTLS waits for TLS, a 221 or 421 ends it. ``TRANSITIONS`` has them all.
    - After DATA, AUTH and STARTTLS nothing is read before they are answered, so what a client
      pipelines behind them can never be taken for something else than it is.
    - A line end that is not CRLF is fatal: the machine wants one last reply and reads nothing any
      more. This is what closes SMTP smuggling, whoever stands on the other side.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.protocols.smtp.wire.commands import (
    NEED_DATA,
    Auth,
    AuthLine,
    Bdat,
    Chunk,
    Command,
    Content,
    Data,
    Event,
    Fault,
    NeedData,
    Starttls,
)
from posthouse.protocols.smtp.wire.content import DottedContent
from posthouse.protocols.smtp.wire.grammar import command_from_line, text_from_line

if TYPE_CHECKING:
    from posthouse.protocols.smtp.wire.limits import WireLimits
    from posthouse.protocols.smtp.wire.replies import Reply


class State(Enum):
    """What the machine is waiting for."""

    GREETING = "our greeting"
    COMMAND = "a command"
    DATA_ASKED = "our answer to DATA"
    CONTENT = "content of DATA"
    CHUNK = "octets of BDAT"
    AUTH_ASKED = "our answer to AUTH"
    AUTH_LINE = "a line of the AUTH exchange"
    TLS_ASKED = "our answer to STARTTLS"
    TLS = "the TLS handshake"
    LAST_REPLY = "our last reply"
    CLOSED = "nothing"


TRANSITIONS: dict[tuple[State, int], State] = {
    (State.GREETING, 220): State.COMMAND,
    (State.DATA_ASKED, 354): State.CONTENT,
    (State.AUTH_ASKED, 334): State.AUTH_LINE,
    (State.TLS_ASKED, 220): State.TLS,
}
"""What a reply with a code of its own does."""

OTHERWISE: dict[State, State] = {
    State.GREETING: State.CLOSED,
    State.COMMAND: State.COMMAND,
    State.DATA_ASKED: State.COMMAND,
    State.AUTH_ASKED: State.COMMAND,
    State.TLS_ASKED: State.COMMAND,
    State.LAST_REPLY: State.CLOSED,
}
"""What any other reply does; in states that are not here only 421 may be said."""

_FATAL_HINTS = frozenset({"bare-eol", "line", "http", "chunk", "chunk-size", "tls-pipelined"})
_GOODBYES = (221, 421)
# Looking a member up in its class costs as much as a call.
_COMMAND, _CONTENT, _CHUNK = State.COMMAND, State.CONTENT, State.CHUNK
_DATA_ASKED, _CLOSED, _LAST_REPLY = State.DATA_ASKED, State.CLOSED, State.LAST_REPLY


class ServerMachine:
    """One connection's machine.

    Attributes:
        state: what it is waiting for.
    """

    __slots__ = ("_at", "_buffer", "_chunk_is_last", "_chunk_left", "_content", "_limits", "state")

    def __init__(self, limits: WireLimits) -> None:
        self.state = State.GREETING
        self._limits = limits
        self._buffer = b""
        self._at = 0
        self._content: DottedContent | None = None
        self._chunk_left = 0
        self._chunk_is_last = False

    @property
    def has_unread(self) -> bool:
        """Whether octets wait behind what was read last: the client does not await our answer."""
        return self._at < len(self._buffer)

    @property
    def is_reading_message(self) -> bool:
        """Whether what comes now is content."""
        return self.state is _CONTENT or self.state is _CHUNK

    def receive_data(self, data: bytes) -> None:
        """Take what came over the wire."""
        if self.state is _CLOSED or self.state is _LAST_REPLY:
            return
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._at :] + data
        self._at = 0

    def next_event(self) -> Event:
        """What the client wants next, or NEED_DATA.

        Raises:
            RemoteProtocolError: the client broke the grammar; answer it from ``GRAMMAR_REPLIES``
                and go on, or close if that leaves the machine CLOSED.
            LocalProtocolError: the last event was not answered yet.
        """
        if self._at == len(self._buffer) and not self._is_chunk_end():
            return NEED_DATA
        state = self.state
        if state is _COMMAND:
            return self._command()
        if state is _CONTENT:
            return self._more_content()
        if state is _CHUNK:
            return self._more_of_chunk()
        if state is State.AUTH_LINE:
            return self._auth_line()
        if state in (State.TLS, _CLOSED):
            return NEED_DATA
        raise LocalProtocolError(f"read while waiting for {state.value}")

    def send(self, reply: Reply) -> bytes:
        """What to write for a reply; moves the state.

        Raises:
            LocalProtocolError: no reply is due.
        """
        state, code = self.state, reply.code
        if state is _COMMAND and code not in _GOODBYES:
            return reply.wire  # nearly always, so without asking the table
        if code in _GOODBYES and state is not _CLOSED:
            self._close()
            return reply.wire
        following = TRANSITIONS.get((state, code)) or OTHERWISE.get(state)
        if following is None:
            raise LocalProtocolError(f"{code} while waiting for {state.value}")
        if following is _CONTENT:
            self._content = DottedContent(self._limits.message_bytes, self._limits.excess_bytes)
        elif following is _CLOSED:
            self._close()
        self.state = following
        return reply.wire

    def start_over(self) -> None:
        """TLS is on: nothing that came before counts."""
        if self.state is not State.TLS:
            raise LocalProtocolError("TLS without STARTTLS")
        self.state = _COMMAND
        self._drop_buffer()

    def _close(self) -> None:
        self.state = _CLOSED
        self._content = None
        self._drop_buffer()

    def _drop_buffer(self) -> None:
        self._buffer = b""
        self._at = 0

    def _command(self) -> Command | NeedData:
        line = self._line(self._limits.command_bytes)
        if line is None:
            return NEED_DATA
        try:
            command = command_from_line(line)
        except RemoteProtocolError as e:
            if e.reply_hint in _FATAL_HINTS:
                self._fail()
            raise
        kind = type(command)
        if kind is Data:
            self.state = _DATA_ASKED
        elif isinstance(command, Bdat):
            self._begin_chunk(command)
        elif kind is Auth:
            self.state = State.AUTH_ASKED
        elif kind is Starttls:
            if self.has_unread:
                self._fail()
                raise RemoteProtocolError("octets behind STARTTLS", "tls-pipelined")
            self.state = State.TLS_ASKED
        return command

    def _auth_line(self) -> AuthLine | NeedData:
        line = self._line(self._limits.auth_bytes)
        if line is None:
            return NEED_DATA
        self.state = State.AUTH_ASKED
        # A line that cannot be read is still an answer: the exchange fails, not the connection.
        try:
            return AuthLine(text_from_line(line))
        except RemoteProtocolError:
            return AuthLine("")

    def _line(self, limit: int) -> bytes | None:
        """The next line without its CRLF, None when it is not all here.

        Raises:
            RemoteProtocolError: it is too long, or has a bare CR or LF.
        """
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n", at, at + limit)
        if end < 0:
            if buffer[at : at + 5].upper() == b"AUTH " and limit < self._limits.auth_bytes:
                return self._line(self._limits.auth_bytes)
            self._check_half_line(limit)
            return None
        line = buffer[at:end]
        if b"\n" in line or b"\r" in line:
            self._fail()
            raise RemoteProtocolError("bare CR or LF in command", "bare-eol")
        self._at = end + 2
        if self._at == len(buffer):
            self._drop_buffer()
        return line

    def _check_half_line(self, limit: int) -> None:
        half = self._buffer[self._at : self._at + limit]
        if b"\n" in half or half.find(b"\r", 0, -1) >= 0:
            self._fail()
            raise RemoteProtocolError("bare CR or LF in command", "bare-eol")
        if len(half) >= limit:
            self._fail()
            raise RemoteProtocolError("command line too long", "line")

    def _fail(self) -> None:
        self.state = _LAST_REPLY
        self._drop_buffer()

    def _more_content(self) -> Content:
        content = self._content
        if content is None:
            raise LocalProtocolError("content without DATA")
        data = self._buffer[self._at :] if self._at else self._buffer
        taken, end = content.take(data)
        if taken == len(data):
            self._drop_buffer()
        else:
            self._at += taken
            data = data[:taken]
        if end is not None:
            self._content = None
            self.state = _COMMAND
            if not content.is_sound and end.fault in (Fault.BARE_EOL, Fault.ENDLESS):
                self._fail()
        return Content(data if content.is_sound else b"", end)

    def _begin_chunk(self, command: Bdat) -> None:
        if command.size_bytes > self._limits.message_bytes + self._limits.excess_bytes:
            self._fail()
            raise RemoteProtocolError("chunk far too large", "chunk-size")
        self.state = _CHUNK
        self._chunk_left = command.size_bytes
        self._chunk_is_last = command.is_last

    def _is_chunk_end(self) -> bool:
        return self.state is _CHUNK and self._chunk_left == 0

    def _more_of_chunk(self) -> Chunk:
        buffer, at = self._buffer, self._at
        stop = at + self._chunk_left
        if at == 0 and stop >= len(buffer):
            data = buffer
            self._drop_buffer()
        else:
            data = buffer[at:stop]
            self._at += len(data)
        self._chunk_left -= len(data)
        is_end = self._chunk_left == 0
        if is_end:
            self.state = _COMMAND
        return Chunk(data, is_end, is_end and self._chunk_is_last)
