"""What an SMTP or LMTP session knows: who speaks, what was said, how far the message is.

Spec: RFC 5321 §4.1.4 (order of commands), §3.3 (a mail transaction).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from posthouse.protocols.smtp.incoming import Incoming
from posthouse.protocols.smtp.wire.replies import CHUNKS_BEGAN, MAIL_FIRST, RECIPIENT_FIRST
from posthouse.runtime.clock import SystemChance, SystemClock
from posthouse.services.mailflow.envelope import Origin

if TYPE_CHECKING:
    from posthouse.model.people import Login
    from posthouse.ports.blobs import Blobs
    from posthouse.ports.clock import Chance, Clock
    from posthouse.protocols.smtp.settings import SmtpSettings
    from posthouse.protocols.smtp.wire.commands import AuthLine, Mail
    from posthouse.protocols.smtp.wire.content import Stuffing
    from posthouse.protocols.smtp.wire.replies import Reply
    from posthouse.runtime.connection import Connection
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics
    from posthouse.services.directory.login import Logins
    from posthouse.services.mailflow.accept import Mailflow, Recipient
    from posthouse.services.mailflow.rates import SendingRates


@dataclass(frozen=True, slots=True)
class SmtpServices:
    """What the door stands on.

    Attributes:
        mailflow: where mail goes.
        logins: who may come in.
        blobs: where content is staged.
        settings: this listener's.
        log: for one line a session and one for each refused message (the mailflow logs those it
            takes).
        metrics: figures.
        clock: for the sending rates and the time before a login.
        chance: for SCRAM's nonce.
        rates: shared between the submission listeners of a process; made from the settings when
            None.
    """

    mailflow: Mailflow
    logins: Logins
    blobs: Blobs
    settings: SmtpSettings
    log: Log
    metrics: Metrics
    clock: Clock = field(default_factory=SystemClock)
    chance: Chance = field(default_factory=SystemChance)
    rates: SendingRates | None = None


class Exchange(Protocol):
    """An AUTH exchange under way."""

    async def answer(self, session: SmtpSession, command: AuthLine) -> Reply:
        """Hear the client's next line; ends with any reply but 334."""
        ...


class Transaction:
    """From MAIL to the reply to its content.

    Attributes:
        mail: what MAIL said.
        origin: where from.
        recipients: accepted by RCPT, each once.
        answers: how many replies LMTP owes: one for each accepted RCPT, repeated ones included.
        incoming: the content, once DATA or BDAT began.
        stuffing: set while the content comes by BDAT.
    """

    __slots__ = ("answers", "incoming", "mail", "origin", "recipients", "stuffing")

    def __init__(self, mail: Mail, origin: Origin) -> None:
        self.mail = mail
        self.origin = origin
        self.recipients: dict[str, Recipient] = {}
        self.answers: list[str] = []
        self.incoming: Incoming | None = None
        self.stuffing: Stuffing | None = None


class SmtpSession:
    """One session. Command handlers read and change it; ``server`` drives it.

    Attributes:
        services: what the door stands on.
        settings: of the listener.
        connection: for its facts; nothing here writes to it.
        verb: EHLO, HELO or LHLO; "" before it.
        name: what the client calls itself.
        login: who it is.
        transaction: the mail transaction under way.
        exchange: the AUTH exchange under way.
        receipt: of the message just accepted, until ``server`` takes it.
        errors: broken grammar and order so far.
        unknown: recipients refused as unknown.
        refused: recipients refused for another reason.
        recipients: accepted in all transactions.
        messages: accepted.
    """

    __slots__ = (
        "_began_at",
        "_origin",
        "connection",
        "errors",
        "exchange",
        "login",
        "messages",
        "name",
        "rates",
        "receipt",
        "recipients",
        "refused",
        "services",
        "settings",
        "transaction",
        "unknown",
        "verb",
    )

    def __init__(self, services: SmtpServices, connection: Connection, rates: SendingRates) -> None:
        self.services = services
        self.settings = services.settings
        self.connection = connection
        self.rates = rates
        self.verb = ""
        self.name = ""
        self.login: Login | None = None
        self.transaction: Transaction | None = None
        self.exchange: Exchange | None = None
        self.receipt = b""
        self.errors = 0
        self.unknown = 0
        self.refused = 0
        self.recipients = 0
        self.messages = 0
        self._origin: Origin | None = None
        self._began_at = services.clock.monotonic_s()

    @property
    def can_log_in(self) -> bool:
        """Whether AUTH may be said now."""
        settings = self.settings
        return (
            settings.is_submission
            and self.login is None
            and (self.connection.is_tls or settings.allow_plaintext_auth)
        )

    @property
    def is_barred(self) -> bool:
        """Whether nothing but a login helps."""
        return self.settings.is_submission and self.login is None

    def said_hello(self, verb: str, name: str) -> None:
        """EHLO, HELO or LHLO: also ends a transaction (RFC 5321 §4.1.4)."""
        self.end_transaction()
        self.verb = verb
        self.name = name
        self._origin = None

    def logged_in(self, login: Login) -> None:
        """AUTH succeeded."""
        self.login = login
        self._origin = None
        self.connection.logged_in()

    def count_error(self) -> bool:
        """Grammar or order was broken; True when it was once too often."""
        self.errors += 1
        limits = self.settings.limits
        allowed = limits.errors_after_login if self.login else limits.errors_before_login
        return self.errors >= allowed

    def forget(self) -> None:
        """TLS is on: nothing said before counts (RFC 3207 §4.2)."""
        self.end_transaction()
        self.verb = self.name = ""
        self.login = None
        self.exchange = None
        self._origin = None

    def begin_transaction(self, mail: Mail) -> None:
        """MAIL was accepted."""
        self.transaction = Transaction(mail, self.origin(mail))

    def end_transaction(self, *, was_accepted: bool = False) -> None:
        """The transaction is over; what was received and is not in the store is thrown away."""
        transaction = self.transaction
        if transaction is None:
            return
        self.transaction = None
        if transaction.incoming is not None:
            transaction.incoming.discard()
        if self.login is not None and not was_accepted:
            self.rates.give_back(self.login.principal.principal_id, len(transaction.recipients))

    def refusal_of_content(self, *, by_chunks: bool) -> Reply | None:
        """Why DATA or BDAT makes no sense now, None when it does."""
        transaction = self.transaction
        if transaction is None:
            return MAIL_FIRST
        if not transaction.recipients:
            return RECIPIENT_FIRST
        if not by_chunks and transaction.stuffing is not None:
            return CHUNKS_BEGAN
        return None

    def begin_content(self, transaction: Transaction) -> Incoming:
        """DATA or the first BDAT was accepted."""
        transaction.incoming = Incoming(self.services.blobs)
        return transaction.incoming

    def add_recipient(self, recipient: Recipient) -> None:
        """RCPT was accepted; a repeated one changes nothing but the number of LMTP's replies."""
        transaction = self.transaction
        if transaction is None:
            return
        key = recipient.address.key
        transaction.recipients.setdefault(key, recipient)
        transaction.answers.append(key)
        self.recipients += 1

    def origin(self, mail: Mail) -> Origin:
        """Where a message comes from, as the mailflow wants it."""
        if mail.needs_smtputf8:
            return self._made_origin(self._protocol(is_utf8=True))
        if self._origin is None:
            self._origin = self._made_origin(self._protocol(is_utf8=False))
        return self._origin

    def patience_s(self) -> float:
        """How long the next command may take from now."""
        limits = self.settings.limits
        if not self.is_barred:
            return limits.idle_s if self.verb else limits.greeting_s
        left = self._began_at + limits.greeting_s - self.services.clock.monotonic_s()
        return max(min(left, limits.unauthenticated_idle_s), 0.0)

    def summary(self) -> dict[str, object]:
        """What the log says of the session in the end."""
        connection = self.connection
        return {
            "session": connection.session_id,
            "listener": connection.listener,
            "host": connection.peer_host,
            "hello": self.name,
            "login": self.login.principal.address if self.login else "",
            "tls": connection.is_tls,
            "messages": self.messages,
            "recipients": self.recipients,
            "refused": self.refused,
            "errors": self.errors,
        }

    def _made_origin(self, protocol: str) -> Origin:
        connection = self.connection
        tls = ""
        if connection.is_tls:
            tls = f"{connection.tls_version} {connection.tls_cipher}".strip()
        return Origin(
            connection.peer_host,
            connection.peer_port,
            self.name,
            protocol,
            self.login,
            connection.session_id,
            tls,
        )

    def _protocol(self, *, is_utf8: bool) -> str:
        """The word for the Received line: RFC 3848 §4, RFC 6531 §4.3."""
        if self.verb == "LHLO":
            base = "UTF8LMTP" if is_utf8 else "LMTP"
        elif is_utf8:
            base = "UTF8SMTP"
        elif self.verb == "HELO":
            return "SMTP"
        else:
            base = "ESMTP"
        return f"{base}{'S' if self.connection.is_tls else ''}{'A' if self.login else ''}"
