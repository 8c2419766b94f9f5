"""The courier: takes messages to another host, as the queue runner asks for it.

Spec: RFC 5321 §4.5.4 (sending strategy), RFC 3463 (status codes), RFC 8461, RFC 7672 (what TLS a
    domain may demand).

Notes:
    A courier never raises for what the other side does: whatever happens becomes a ``Verdict`` for
    each recipient. It decides nothing about trying again; that is the queue's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.queue import QueuedRecipient


class TlsNeed(Enum):
    """What TLS a stop is worth."""

    NEVER = "never"
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS when offered, whoever's certificate; plain when not."""
    REQUIRED = "required"
    """No mail without TLS, whoever's certificate."""
    VERIFIED = "verified"
    """No mail without TLS and a certificate that names the host."""
    IMPLICIT = "implicit"
    """TLS from the first byte, certificate verified."""


class TlsPolicy(Protocol):
    """What a domain demands of those who bring it mail (MTA-STS, DANE)."""

    async def need(self, domain: str, host: str) -> TlsNeed | None:
        """For one of the domain's hosts; None: mail for the domain must not go to this host."""
        ...


@dataclass(frozen=True, slots=True)
class Stop:
    """A host to bring mail to.

    Attributes:
        host: its name, for TLS and the log.
        addresses: IP addresses to try, in order.
        port: TCP port.
        tls: what TLS it is worth.
        login: to log in with ("" not at all).
        password: for it; only ever said inside TLS.
        is_smarthost: it takes mail for everyone, so its greeting may bear any name.
    """

    host: str
    addresses: tuple[str, ...]
    port: int = 25
    tls: TlsNeed = TlsNeed.OPPORTUNISTIC
    login: str = ""
    password: str = ""
    is_smarthost: bool = False

    def __repr__(self) -> str:
        """Without the password."""
        return f"Stop({self.host}:{self.port}, {self.tls.value})"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for some recipients at one stop.

    Attributes:
        sender: MAIL FROM, "" is the null sender.
        recipients: at least one, at most what the courier takes at once.
        prefix: header lines to send first.
        wire: content in wire form, terminator included.
        size_bytes: of prefix and plain content together.
        envelope_id: ENVID, xtext undone ("" none).
        wants_headers_only: RET=HDRS.
        needs_smtputf8: the next host must take SMTPUTF8.
        is_8bit: the content has octets above 127.
    """

    sender: str
    recipients: tuple[QueuedRecipient, ...]
    prefix: bytes
    wire: memoryview | bytes
    size_bytes: int
    envelope_id: str = ""
    wants_headers_only: bool = False
    needs_smtputf8: bool = False
    is_8bit: bool = False


class Fate(Enum):
    """What became of one recipient in one attempt."""

    TAKEN = "taken"
    DEFERRED = "deferred"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one recipient, and in whose words.

    Attributes:
        fate: what.
        status: enhanced status code.
        reply: the remote's words with its reply code; our own when no remote spoke.
        is_remote: they are the remote's.
    """

    fate: Fate
    status: str
    reply: str
    is_remote: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a parcel.

    Attributes:
        verdicts: one per recipient, in order.
        passes_reports: the host understood NOTIFY and reports in our stead.
    """

    verdicts: tuple[Verdict, ...]
    passes_reports: bool = False


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A stop that could not be used at all.

    Attributes:
        verdict: what that means for every recipient.
        is_host_down: nobody answered, or not in time: the host is worth leaving alone for a while.
    """

    verdict: Verdict
    is_host_down: bool = True


class Visit(Protocol):
    """One open connection, ready for parcels one after the other."""

    stop: Stop

    @property
    def is_open(self) -> bool:
        """Whether another parcel may be tried."""
        ...

    async def deliver(self, parcel: Parcel) -> Attempt:
        """Hand over one parcel."""
        ...

    async def leave(self) -> None:
        """Say goodbye and close; never raises."""
        ...


class Courier(Protocol):
    """Opens connections."""

    recipients_max: int
    """Recipients of one parcel."""

    async def visit(self, stop: Stop) -> Visit | Unreachable:
        """Connect, greet, start TLS and log in as the stop asks for."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """Where a domain's mail goes.

    Attributes:
        stops: hosts to try in order; empty when there is none.
        trouble: why there is none.
    """

    stops: Sequence[Stop] = ()
    trouble: Verdict | None = None
