"""What the receiving side of SMTP is tested with: a mailflow, logins and a log that only remember."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from tests.transcripts.memory_connection import MemoryConnection

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.formats.mime.dots import unstuff
from posthouse.model.errors import AccessDenied, LoginRefused, NotFound
from posthouse.model.ids import DeviceId, MailboxId, PrincipalId
from posthouse.model.people import Login, Principal, PrincipalKind
from posthouse.protocols.smtp.server import smtp_session_factory
from posthouse.protocols.smtp.session import SmtpServices
from posthouse.protocols.smtp.settings import SmtpLimits, SmtpRole, SmtpSettings
from posthouse.protocols.smtp.wire.limits import WireLimits
from posthouse.runtime.metrics import Metrics
from posthouse.services.directory.login import ScramOffer
from posthouse.services.mailflow.envelope import Accepted

DOMAIN = "example.org"


def in_loop(test):
    """Run an async test."""

    @functools.wraps(test)
    def wrapper(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return wrapper


class FakeLog:
    def __init__(self):
        self.lines = []

    def info(self, event, **fields):
        self.lines.append((event, fields))

    warning = error = info

    def failure(self, event, error, **fields):
        self.lines.append((event, {"error": error, **fields}))

    def events(self):
        return [event for event, _ in self.lines]


class FakeClock:
    def __init__(self):
        self.at_s = 1_000_000.0

    def now_ms(self):
        return int(self.at_s * 1000)

    def monotonic_s(self):
        return self.at_s


class FakeChance:
    def token_bytes(self, count):
        return b"\x07" * count


def login_of(name):
    principal = Principal(
        PrincipalId(1), PrincipalKind.USER, f"{name}@{DOMAIN}", name, MailboxId(1)
    )
    return Login(principal, DeviceId(0))


class FakeMailflow:
    """Everybody but ``nobody`` exists; ``gate`` holds acceptance back."""

    def __init__(self):
        self.received = []
        self.contents = []
        self.settled = []
        self.gate = None
        self.sender_error = None
        self.accept_error = None
        self.recipient_errors = {}
        self.under_way = 0

    async def check_sender(self, sender, origin, size):
        if self.sender_error:
            raise self.sender_error

    async def check_recipient(self, address, origin, size):
        if address.local in self.recipient_errors:
            error, above = self.recipient_errors[address.local]
            if size > above:
                raise error
        if address.domain != DOMAIN and origin.login is None:
            raise AccessDenied("relay")
        if address.domain == DOMAIN and address.local.startswith("nobody"):
            raise NotFound("nobody")

    async def accept(self, received):
        self.under_way += 1
        if self.gate:
            await self.gate.wait()
        self.under_way -= 1
        if self.accept_error:
            raise self.accept_error
        self.received.append(received)
        staged = received.content
        self.contents.append(plain_of(staged))
        return Accepted(f"q{len(self.received)}", hashlib.sha256(staged.data).digest())

    def settle(self, receipt):
        self.settled.append(receipt)


def plain_of(staged):
    """Plain content of a staged blob, after checking that its shape is told right."""
    ref = staged.ref
    data = staged.data
    assert data is not None
    assert data.endswith(b".\r\n")
    assert data == b".\r\n" or data.endswith(b"\r\n.\r\n")
    assert data.find(b"\r\n.\r\n") in (-1, len(data) - 5)
    plain = unstuff(data, lacks_final_eol=ref.lacks_final_eol)
    assert len(plain) == ref.size_bytes
    assert ref.stored_bytes == len(data)
    assert ref.has_dot_lines == (b"\r\n." in data[:-5] or (len(data) > 3 and data[:1] == b"."))
    return plain


class FakeLogins:
    def __init__(self):
        self.passwords = {"alice": b"wonderland"}
        self.attempts = []
        self.error = None
        self.is_good = True
        self.offer = None

    async def by_password(self, attempt):
        self.attempts.append(attempt)
        if self.error:
            raise self.error
        if self.passwords.get(attempt.login.split("@")[0]) != attempt.password:
            raise LoginRefused("no")
        return login_of(attempt.login.split("@")[0])

    def scram_credentials(self, login, door):
        assert isinstance(self.offer, ScramOffer)
        return self.offer

    async def by_scram(self, attempt, device_id):
        self.attempts.append(attempt)
        if device_id is None:
            raise LoginRefused("no")
        return login_of(attempt.login)

    def login_address(self, login):
        return login if "@" in login else f"{login}@{DOMAIN}"

    def is_still_good(self, login):
        return self.is_good


@dataclass
class House:
    role: SmtpRole = SmtpRole.MX
    limits: SmtpLimits = field(default_factory=SmtpLimits)
    options: dict[str, Any] = field(default_factory=dict)
    mailflow: FakeMailflow = field(default_factory=FakeMailflow)
    logins: FakeLogins = field(default_factory=FakeLogins)
    blobs: Any = field(default_factory=MemoryBlobs)
    log: FakeLog = field(default_factory=FakeLog)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self):
        settings = SmtpSettings(
            "mail.example.org", self.role, self.limits, domain=DOMAIN, **self.options
        )
        self.factory = smtp_session_factory(
            SmtpServices(
                self.mailflow,
                self.logins,
                self.blobs,
                settings,
                self.log,
                Metrics(),
                self.clock,
                FakeChance(),
            )
        )

    def connect(self, *, is_tls=False, can_start_tls=True):
        return Client(self.factory(), is_tls=is_tls, can_start_tls=can_start_tls)


class Client:
    """One end of a connection in memory."""

    def __init__(self, session, *, is_tls, can_start_tls):
        self.connection = MemoryConnection(
            session, is_tls=is_tls, can_start_tls=can_start_tls, listener="smtp"
        )
        self.session = session
        session.connected(self.connection)
        self.read()

    def read(self):
        """What the server said since the last time."""
        connection = self.connection
        said = bytes(connection.sent[connection._read :])
        connection._read = len(connection.sent)
        return said

    async def say(self, data, piece=0):
        """Send, and hear what the server has to say to it."""
        await self.connection.feed(data, piece)
        await self.connection.settle()
        return self.read()

    async def codes(self, data, piece=0):
        """Codes of the (last lines of the) replies."""
        return codes_of(await self.say(data, piece))

    async def mail(self, *recipients, hello=b"EHLO client.example\r\n"):
        """Get as far as before DATA."""
        lines = b"".join(b"RCPT TO:<%s>\r\n" % to for to in recipients or (b"bob@example.org",))
        await self.say(hello + b"MAIL FROM:<a@client.example>\r\n" + lines)

    @property
    def is_closed(self):
        return self.connection.is_closed


def codes_of(said):
    return [int(line[:3]) for line in said.split(b"\r\n") if line and line[3:4] != b"-"]


def small_limits(**wire):
    return replace(SmtpLimits(), wire=replace(WireLimits(), **wire))
