"""The POP3 door: the only file that touches a connection. Read, feed the machine, dispatch, write.

Spec: RFC 1939 §3; RFC 2449 §6.6 (PIPELINING); RFC 8314 §3.3 (implicit TLS).

Notes:
    - One command is under way at a time; those behind it wait in the machine, and no more is read
      meanwhile. Most commands are answered without waiting, and then all that arrived together is
      answered together.
    - When the client does not take our answers, no further command is looked at until it does.
    - Departs: RFC 1939 §4, because the maildrop is not locked: each device has its own view, DELE
      hides there, and under the other policies a message that another session took away is answered
      with [SYS/TEMP].
"""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING

from posthouse.protocols.pop3.commands import COMMANDS
from posthouse.protocols.pop3.errors import Answer, Refused, answer_to, is_bug
from posthouse.protocols.pop3.session import Pop3Session
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.grammar import State
from posthouse.protocols.pop3.wire.machine import Step
from posthouse.protocols.pop3.wire.texts_table import Text
from posthouse.runtime import metrics_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.people import Login
    from posthouse.protocols.pop3.settings import Pop3Services
    from posthouse.runtime.connection import Connection, Session

GOOD_FOR_S = 1.0
"""How long a login is taken for good without asking again."""

CONGESTED_PATIENCE = 6
"""How many idle times a client may take for one answer: 50 MiB in an hour with the defaults."""


def pop3_session_factory(services: Pop3Services) -> Callable[[], Session]:
    """What the listeners ``pop3`` and ``pop3s`` call for each connection."""
    return lambda: Pop3Door(services)


class Pop3Door:
    """One connection's conversation: implements ``runtime.session.Session``."""

    __slots__ = (
        "_commands",
        "_connection",
        "_good_until_s",
        "_is_at_eof",
        "_is_busy",
        "_is_lost",
        "_is_pumping",
        "_is_told",
        "_machine",
        "_patience",
        "_services",
        "_session",
    )

    _connection: Connection
    _session: Pop3Session

    def __init__(self, services: Pop3Services) -> None:
        self._services = services
        self._commands = 0
        self._patience = CONGESTED_PATIENCE
        self._good_until_s = 0.0
        self._is_at_eof = self._is_busy = self._is_lost = self._is_pumping = self._is_told = False

    # --- what the connection calls

    def connected(self, connection: Connection) -> None:
        """Greet."""
        self._connection = connection
        session = self._session = Pop3Session(self._services, connection)
        self._machine = session.machine
        connection.set_deadline(self._services.settings.login_deadline_s)
        connection.write(session.ok(Text.GREETING))

    def data_received(self, data: bytes) -> None:
        """Take octets; answer the commands in them."""
        self._machine.receive_data(data)
        if self._is_busy:
            self._connection.pause_reading()
        else:
            self._pump()

    def writable(self) -> None:
        """The client has taken what was sent: go on."""
        self._patience = CONGESTED_PATIENCE
        if not self._is_busy:
            self._pump()

    def tls_started(self) -> None:
        """Begin anew inside TLS."""
        self._session.forget()
        self._machine.advance(Step.TLS_STARTED)
        self._connection.set_deadline(self._services.settings.login_deadline_s)

    def timed_out(self) -> None:
        """Too long without a command, or without taking an answer."""
        if self._connection.is_congested and self._session.login is not None:
            self._patience -= 1
            if self._patience > 0:
                self._connection.set_deadline(self._services.settings.idle_s)
                return
        self._leave("timeout", Answer(Text.IDLE, Code.SYS_TEMP))

    def eof_received(self) -> None:
        """The client says no more; what it asked for is still answered."""
        self._is_at_eof = True
        if not (self._is_busy or self._connection.is_congested):
            self._close("eof")

    def connection_lost(self, *, was_clean: bool) -> None:
        """Write the session's line in the log, once nothing is under way any more."""
        self._session.end("closed" if was_clean else "lost")
        self._session.rest()
        self._is_lost = True
        if not self._is_busy:
            self._tell()

    def drain(self) -> None:
        """The server stops: say so between two commands."""
        if self._is_busy:
            self._session.end("drain")
        else:
            self._leave("drain", Answer(Text.STOPPING, Code.SYS_TEMP))

    # --- commands

    def _pump(self) -> None:
        """Answer what there is, until a command waits or the client takes no more."""
        session, machine, connection = self._session, self._machine, self._connection
        if session.login is not None and not self._may_go_on(session.login):
            self._leave("revoked", Answer(Text.REVOKED, Code.AUTH))
            return
        self._is_pumping = True
        while not (self._is_busy or connection.is_congested or session.ending):
            try:
                command = machine.next_event()
                if command is None:
                    break
                self._commands += 1
                row = COMMANDS[type(command)]
                reply = row.handle(session, command)
            except Exception as error:  # noqa: BLE001  the table in errors.py knows what to make of it
                self._done(None, error)
                continue
            if isinstance(reply, (bytes, tuple)):
                self._done(reply, None)
            else:
                self._is_busy = True
                run = connection.run_shielded if row.finishes else connection.run
                run(reply, self._done)
        self._is_pumping = False
        if self._is_at_eof and not (self._is_busy or connection.is_congested or session.ending):
            self._close("eof")

    def _may_go_on(self, login: Login) -> bool:
        """Whether the login is still good; the silence begins anew.

        Looked at once a second at most, since it costs a read.
        """
        services = self._services
        now = services.store.clock.monotonic_s()
        if now < self._good_until_s:
            return True
        self._good_until_s = now + GOOD_FOR_S
        # Counted from the last command, which may come at the end of this second.
        self._connection.set_deadline(services.settings.idle_s + GOOD_FOR_S)
        return services.logins.is_still_good(login)

    def _done(
        self, reply: bytes | tuple[bytes | memoryview, ...] | None, error: BaseException | None
    ) -> None:
        """A command is answered."""
        self._is_busy = False
        session, connection = self._session, self._connection
        if self._is_lost:
            self._tell()
            return
        if error is not None:
            self._refuse(error)
        elif type(reply) is tuple:
            connection.write(*reply)
        elif type(reply) is bytes:
            connection.write(reply)
        if session.wants_tls:
            session.wants_tls = False
            connection.start_tls()
        elif session.ending:
            self._end_now()
        elif not self._is_pumping:
            connection.resume_reading()
            self._pump()

    def _refuse(self, error: BaseException) -> None:
        """Answer an error; end the session over too many, or a hopeless one."""
        session = self._session
        if isinstance(error, CancelledError):
            session.end("cancelled")
            return
        answer = answer_to(error)
        fields = error.fields if isinstance(error, Refused) else {}
        if is_bug(error):
            self._services.log.failure(
                "pop3.bug", error, session=self._connection.session_id, login=session.login_text
            )
        self._services.metrics.inc(metrics_table.POP3_ERRORS)
        self._connection.write(session.language.err(answer.text, answer.code, **fields))
        session.errors += answer.is_offence
        settings = self._services.settings
        limit = settings.errors_before_login_max if session.login is None else settings.errors_max
        if self._machine.state is State.CLOSED:
            self._close(answer.text.name.lower().replace("_", "-"))
        elif session.errors >= limit:
            self._leave("errors", Answer(Text.TOO_MANY_ERRORS))

    # --- the end

    def _leave(self, reason: str, answer: Answer) -> None:
        """Close with a last word."""
        connection = self._connection
        if connection.is_congested:
            self._session.end(reason)
            connection.abort()
            return
        connection.write(self._session.language.err(answer.text, answer.code))
        self._close(reason)

    def _end_now(self) -> None:
        """A command has ended the session, or something else did while it was under way."""
        session = self._session
        if session.ending == "drain":
            self._connection.write(session.language.err(Text.STOPPING, Code.SYS_TEMP))
        self._close(session.ending)

    def _close(self, reason: str) -> None:
        self._session.end(reason)
        self._machine.advance(Step.ENDED)
        self._connection.close()

    def _tell(self) -> None:
        """The session's line in the log, and its figures."""
        if self._is_told:
            return
        self._is_told = True
        session, services = self._session, self._services
        metrics = services.metrics
        metrics.inc(metrics_table.POP3_COMMANDS, self._commands)
        if session.retrieved_octets:
            metrics.inc(metrics_table.POP3_MESSAGES_SENT, session.retrieved)
            metrics.inc(metrics_table.POP3_BYTES_SENT, session.retrieved_octets)
        if session.deleted:
            metrics.inc(metrics_table.POP3_MESSAGES_DELETED, session.deleted)
        login = session.login
        services.log.info(
            "pop3.session",
            session=self._connection.session_id,
            host=self._connection.peer_host,
            login=session.login_text,
            user=login.principal.address if login else "",
            device=login.device_id if login else 0,
            tls=self._connection.is_tls,
            commands=self._commands,
            retrieved=session.retrieved,
            bytes=session.retrieved_octets,
            deleted=session.deleted,
            errors=session.errors,
            reason=session.ending,
        )
