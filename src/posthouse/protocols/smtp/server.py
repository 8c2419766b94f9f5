"""The receiving side of SMTP and LMTP: drives the machine, calls the commands, writes the replies.

Spec: RFC 5321 §3, §4.5.3.2 (timeouts); RFC 2033; RFC 2920 (PIPELINING); RFC 3207.

Notes:
    - One turn answers everything that has come, in order, and writes it in one go. A turn is a
      coroutine that rarely waits; the acceptance of a message is another one, which runs to its end
      even if the client goes.
    - While something has to be waited for, input stays in the machine and reading is paused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from posthouse.model.errors import LocalProtocolError, PosthouseError, RemoteProtocolError
from posthouse.protocols.smtp.commands import HANDLERS, bdat
from posthouse.protocols.smtp.delivery import deliver, take_chunk, take_content
from posthouse.protocols.smtp.errors import reply_from_error
from posthouse.protocols.smtp.hearing import Hearing
from posthouse.protocols.smtp.session import SmtpServices, SmtpSession
from posthouse.protocols.smtp.turns import (
    INPUT_ENDED,
    MESSAGE,
    OUTPUT_FULL,
    OVER,
    TLS,
    TURNS_AFTER,
    Turn,
)
from posthouse.protocols.smtp.wire.commands import (
    NEED_DATA,
    Bdat,
    Chunk,
    Content,
    ContentEnd,
    Data,
    Event,
)
from posthouse.protocols.smtp.wire.replies import (
    CHUNK_OK,
    INTERNAL_ERROR,
    PIPELINED_DATA,
    STOPPING,
    TIMED_OUT,
    TOO_MANY_ERRORS,
    Reply,
    reply,
)
from posthouse.protocols.smtp.wire.server_machine import ServerMachine, State
from posthouse.runtime.metrics_table import SMTP_COMMANDS
from posthouse.services.mailflow.rates import SendingRates

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.runtime.connection import Connection, Session

_COMMAND, _CLOSED, _LAST_REPLY = State.COMMAND, State.CLOSED, State.LAST_REPLY
_REPLIES_A_TURN = 64
"""Then what was answered is written and the client must read it before it gets more."""
_BUSY_S = 60.0
_ERROR_CODES = frozenset({500, 501, 502, 503, 504, 530, 535, 538, 555})


def smtp_session_factory(services: SmtpServices) -> Callable[[], Session]:
    """What a listener calls for each connection.

    Args:
        services: of one listener; its sending rates are shared by all its sessions.
    """
    limits = services.settings.limits
    rates = services.rates or SendingRates(
        services.clock, limits.rate_per_hour, limits.rate_per_day
    )
    greeting_word = "LMTP" if services.settings.is_lmtp else "ESMTP"
    greeting = reply(220, "", f"{services.settings.hostname} {greeting_word} Posthouse")
    return lambda: SmtpConversation(services, rates, greeting)


class SmtpConversation:
    """One connection. Implements ``runtime.connection.Session``."""

    __slots__ = (
        "_at_eof",
        "_chunk_refusal",
        "_commands",
        "_connection",
        "_content_end",
        "_greeting",
        "_hearing",
        "_is_busy",
        "_is_delivering",
        "_is_draining",
        "_is_lost",
        "_is_paused",
        "_is_turning",
        "_machine",
        "_out",
        "_progress",
        "_rates",
        "_services",
        "_session",
        "_turn",
    )

    _connection: Connection
    _session: SmtpSession

    def __init__(self, services: SmtpServices, rates: SendingRates, greeting: Reply) -> None:
        self._services = services
        self._rates = rates
        self._greeting = greeting
        self._machine = ServerMachine(services.settings.limits.wire)
        self._hearing = Hearing(services.mailflow)
        self._out: list[bytes] = []
        self._content_end: ContentEnd | None = None
        self._chunk_refusal: Reply | None = None
        self._turn = INPUT_ENDED
        self._commands = 0
        self._progress = 0
        self._is_busy = self._is_turning = self._is_delivering = False
        self._is_paused = self._is_draining = self._is_lost = self._at_eof = False

    # --- called by the runtime

    def connected(self, connection: Connection) -> None:
        """Greet."""
        self._connection = connection
        self._session = SmtpSession(self._services, connection, self._rates)
        connection.set_deadline(self._services.settings.limits.greeting_s)
        connection.write(self._machine.send(self._greeting))

    def data_received(self, data: bytes) -> None:
        """Answer what can be answered now."""
        self._hearing.spoke()
        self._machine.receive_data(data)
        if self._is_busy or self._connection.is_congested:
            self._is_paused = True
            self._connection.pause_reading()
        else:
            self._proceed()

    def writable(self) -> None:
        """The client reads again: go on where we stopped."""
        if not self._is_busy:
            self._proceed()

    def tls_started(self) -> None:
        """Begin anew; nothing said before counts."""
        self._machine.start_over()
        self._session.forget()
        self._connection.set_deadline(self._session.patience_s())

    def timed_out(self) -> None:
        """Say goodbye, unless it is we who are slow."""
        if self._is_busy:
            self._connection.set_deadline(_BUSY_S)
        else:
            self._leave(TIMED_OUT)

    def eof_received(self) -> None:
        """The client says no more; what is under way is still answered."""
        self._at_eof = True
        if not self._is_busy:
            self._connection.close()

    def connection_lost(self, *, was_clean: bool) -> None:
        """Settle what was heard, throw away what was not finished, tell the log."""
        self._is_lost = True
        if was_clean:
            self._hearing.settle()
        if not self._is_delivering:
            self._session.end_transaction()
        self._services.metrics.inc(SMTP_COMMANDS, self._commands)
        self._services.log.info(
            "smtp.session",
            **self._session.summary(),
            commands=self._commands,
            clean=was_clean,
        )

    def drain(self) -> None:
        """Leave at the next command boundary."""
        self._is_draining = True
        if not self._is_busy and not self._machine.is_reading_message:
            self._leave(STOPPING)

    # --- turns

    def _proceed(self) -> None:
        """Take turns until all is answered, something must wait, or the client does not read."""
        if self._is_turning:
            return
        self._is_turning = True
        connection = self._connection
        while not self._is_busy:
            self._is_busy = True
            if self._turn is MESSAGE:
                self._is_delivering = True
                connection.run_shielded(
                    deliver(self._session, self._content_end), self._message_answered
                )
            else:
                connection.run(self._take_turn(), self._turn_taken)
            if self._is_busy or self._is_lost or self._conclude():
                break
        self._is_turning = False

    def _conclude(self) -> bool:
        """After a turn: write, and do what it asks for. True: no further turn now."""
        turn, connection = self._turn, self._connection
        if turn is MESSAGE:
            return False  # its answer leaves together with those before it
        self._write_out()
        if turn is OVER:
            connection.close()
            return True
        if turn is OUTPUT_FULL:
            return connection.is_congested
        if self._is_paused:
            self._is_paused = False
            connection.resume_reading()
        if turn is TLS:
            connection.start_tls()
        elif self._at_eof:
            connection.close()
        elif self._is_draining and not self._machine.is_reading_message:
            self._leave(STOPPING)
        return True

    def _turn_taken(self, turn: Turn | None, error: BaseException | None) -> None:
        self._is_busy = False
        if self._is_lost or isinstance(error, asyncio.CancelledError):
            return
        if turn is None:
            self._note_bug(error)
            self._connection.abort()
            self._is_lost = True
            return
        self._turn = turn
        self._go_on()

    def _message_answered(self, answer: Reply | None, error: BaseException | None) -> None:
        self._is_busy = self._is_delivering = False
        session, machine = self._session, self._machine
        if error is not None:
            self._note_bug(error)
        if self._is_lost:
            session.end_transaction()
            return
        self._say(answer or INTERNAL_ERROR)
        if machine.state is _CLOSED:
            self._turn = OVER
        else:
            self._turn = OUTPUT_FULL if machine.has_unread else INPUT_ENDED
        receipt, session.receipt = session.receipt, b""
        if not self._at_eof:  # else whether the client hears it cannot be known
            self._hearing.said(receipt, is_waited_for=not machine.has_unread)
        self._connection.set_deadline(session.patience_s())
        self._go_on()

    def _go_on(self) -> None:
        """A coroutine has ended; if it had to wait, nobody is turning and we must."""
        if not self._is_turning and not self._conclude():
            self._proceed()

    async def _take_turn(self) -> Turn:
        """Answer what the machine has, as far as it goes."""
        machine, out, session = self._machine, self._out, self._session
        commands = self._commands
        turn = None
        while turn is None:
            if len(out) >= _REPLIES_A_TURN:
                turn = OUTPUT_FULL
                break
            if self._is_draining and machine.state is _COMMAND:
                self._say(STOPPING)
                turn = OVER
                break
            try:
                event = machine.next_event()
            except RemoteProtocolError as e:
                self._commands += 1
                self._say(self._counted(reply_from_error(e)))
                turn = OVER if machine.state is _CLOSED else None
                continue
            handle = HANDLERS.get(type(event))
            if handle is None:
                turn = self._took(event)
                continue
            self._commands += 1
            try:
                answer = await handle(session, event)
            except Exception as e:  # noqa: BLE001  the session's top: to the client our bug is a passing fault
                answer = self._reply_to_failure(e)
            if answer.code in _ERROR_CODES:
                answer = self._reply_to_error(event, answer)
            self._say(answer)
            if machine.state is not _COMMAND:
                turn = TURNS_AFTER.get(machine.state)
        if self._commands != commands:
            self._refresh_deadline()
        return turn

    def _took(self, event: Event) -> Turn | None:
        """What no handler answers: pieces of a message, and the end of what has come."""
        if event is NEED_DATA:
            return INPUT_ENDED
        if isinstance(event, Content):
            take_content(self._session, event)
            self._note_progress(len(event.data))
            self._content_end = event.end
            return None if event.end is None else MESSAGE
        if isinstance(event, Chunk):
            return self._took_chunk(event)
        if not isinstance(event, Bdat):
            raise LocalProtocolError(f"nobody answers {type(event).__name__}")
        self._commands += 1
        self._chunk_refusal = bdat.begin(self._session, event)
        return None

    def _reply_to_failure(self, error: Exception) -> Reply:
        """Of a command; our bugs are noted."""
        answer = reply_from_error(error) if isinstance(error, PosthouseError) else INTERNAL_ERROR
        if answer is INTERNAL_ERROR:
            self._note_bug(error)
        return answer

    def _reply_to_error(self, command: Event, answer: Reply) -> Reply:
        """Count an error of the client."""
        answer = self._counted(answer)
        # The message itself may stand behind it, and must not be read as commands.
        is_pipelined = type(command) is Data and self._machine.has_unread
        return PIPELINED_DATA if is_pipelined else answer

    def _counted(self, answer: Reply) -> Reply:
        """Count an error; the last one allowed is answered with goodbye instead."""
        is_last = self._session.count_error()
        if is_last and self._machine.state is not _LAST_REPLY:
            return TOO_MANY_ERRORS
        return answer

    def _took_chunk(self, event: Chunk) -> Turn | None:
        """Keep octets of BDAT, or let them pass; answer when they are all here."""
        refusal = self._chunk_refusal
        if refusal is None:
            take_chunk(self._session, event)
        self._note_progress(len(event.data))
        if not event.is_end:
            return None
        self._chunk_refusal = None
        if refusal is not None:
            self._say(self._counted(refusal) if refusal.code in _ERROR_CODES else refusal)
            return OVER if self._machine.state is _CLOSED else None
        if event.is_last:
            self._content_end = None
            return MESSAGE
        self._say(CHUNK_OK)
        return None

    # --- writing, waiting, leaving

    def _say(self, answer: Reply) -> None:
        self._out.append(self._machine.send(answer))

    def _write_out(self) -> None:
        out = self._out
        if out:
            self._connection.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _leave(self, last_words: Reply) -> None:
        if self._machine.state is not _CLOSED:
            self._say(last_words)
        self._write_out()
        self._connection.close()

    def _note_progress(self, count: int) -> None:
        """A message must come on; a few octets now and then do not count."""
        limits = self._services.settings.limits
        self._progress += count
        if self._progress >= limits.content_progress_bytes:
            self._progress = 0
            self._connection.set_deadline(limits.content_idle_s)

    def _refresh_deadline(self) -> None:
        """Commands were answered. Before the first hello that buys no time."""
        session = self._session
        if self._machine.is_reading_message:
            self._progress = 0
            self._connection.set_deadline(session.settings.limits.content_idle_s)
        elif session.verb or session.is_barred:
            self._connection.set_deadline(session.patience_s())

    def _note_bug(self, error: BaseException | None) -> None:
        if error is not None:
            session_id = self._connection.session_id
            self._services.log.failure("smtp.bug", error, session=session_id)
