"""The SMTP client: the courier of the outbound queue.

Spec: RFC 5321 §4.5.3.2 (time limits), §4.5.4.1 (trying addresses), RFC 3207 (STARTTLS), RFC 7435
    (opportunistic
security).

Notes:
    Opportunistic TLS takes any certificate, since the other choice is no TLS at all. When the
    handshake itself fails the host is tried once more without: a broken TLS set-up must not stop
    mail that plain text would have carried. A stop that demands TLS is never tried without.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.ports.courier import (
    Attempt,
    Fate,
    Parcel,
    Stop,
    TlsNeed,
    Unreachable,
    Verdict,
    Visit,
)
from posthouse.protocols.smtp.outstream import OutStream
from posthouse.protocols.smtp.wire.client_events import (
    BeginTls,
    ContentWanted,
    Done,
    Expect,
    Failed,
    NeedData,
    Ready,
)
from posthouse.protocols.smtp.wire.client_machine import ClientMachine
from posthouse.protocols.smtp.wire.envelope_commands import UnfitAddress, content_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK = 256 << 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for the other side, in seconds.

    Attributes:
        connect_s: for a TCP connection.
        tls_s: for a TLS handshake.
        command_s: for the greeting and for answers to commands.
        data_s: for the answer to DATA.
        block_s: for room to send the next piece of content.
        content_s: for the answer to the content.
        goodbye_s: for the answer to QUIT.
    """

    connect_s: float = 30.0
    tls_s: float = 60.0
    command_s: float = 300.0
    data_s: float = 120.0
    block_s: float = 180.0
    content_s: float = 600.0
    goodbye_s: float = 2.0

    def waiting_for(self, expect: Expect) -> float:
        """The limit for one answer."""
        return {Expect.DATA: self.data_s, Expect.CONTENT: self.content_s}.get(
            expect, self.command_s
        )


def any_certificate() -> ssl.SSLContext:
    """A context that encrypts to whoever is there."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class _HandshakeFailed(Exception):
    """TLS did not come about."""


class SmtpCourier:
    """Visits hosts by SMTP."""

    recipients_max = 100
    """RFC 5321 §4.5.3.1.8: every host takes that many."""

    def __init__(
        self,
        helo: str,
        *,
        patience: Patience | None = None,
        unverified: ssl.SSLContext | None = None,
        verified: ssl.SSLContext | None = None,
        source_addresses: tuple[str, ...] = (),
    ) -> None:
        """Make a courier.

        Args:
            helo: our name; it should be the one that our address's PTR gives.
            patience: time limits.
            unverified: context for opportunistic TLS.
            verified: context where the certificate must be right.
            source_addresses: of our own, to connect from (one per address family).
        """
        self._helo = helo
        self._patience = patience or Patience()
        unverified = unverified or any_certificate()
        verified = verified or ssl.create_default_context()
        self._contexts: Mapping[TlsNeed, ssl.SSLContext] = {
            TlsNeed.OPPORTUNISTIC: unverified,
            TlsNeed.REQUIRED: unverified,
            TlsNeed.VERIFIED: verified,
            TlsNeed.IMPLICIT: verified,
        }
        self._sources = {":" in address: address for address in source_addresses}

    async def visit(self, stop: Stop) -> Visit | Unreachable:
        """Connect, greet, start TLS and log in; the addresses are tried in order."""
        outcome: SmtpVisit | Unreachable = _unreachable("4.4.4", f"{stop.host} has no address")
        for address in stop.addresses:
            outcome = await self._visit_address(stop, address)
            if isinstance(outcome, SmtpVisit) or not outcome.is_host_down:
                break
        return outcome

    async def _visit_address(self, stop: Stop, address: str) -> SmtpVisit | Unreachable:
        try:
            return await self._open(stop, address)
        except _HandshakeFailed as error:
            if stop.tls is not TlsNeed.OPPORTUNISTIC:
                return _unreachable("4.7.5", f"no TLS with {stop.host}: {error}")
            return await self._visit_address(replace(stop, tls=TlsNeed.NEVER), address)
        except TimeoutError:
            return _unreachable("4.4.1", f"{stop.host} [{address}] did not answer in time")
        except OSError as error:
            return _unreachable("4.4.1", f"{stop.host} [{address}]: {_words(error)}")
        except RemoteProtocolError as error:
            return _unreachable("4.5.0", f"{stop.host} [{address}]: {error}")

    async def _open(self, stop: Stop, address: str) -> SmtpVisit | Unreachable:
        patience = self._patience
        source = self._sources.get(":" in address)
        async with asyncio.timeout(patience.connect_s):
            _, stream = await asyncio.get_running_loop().create_connection(
                OutStream, address, stop.port, local_addr=(source, 0) if source else None
            )
        is_tls = stop.tls is TlsNeed.IMPLICIT
        machine = ClientMachine(stop, self._helo, is_tls=is_tls)
        visit = SmtpVisit(stop, stream, machine, patience)
        is_up = False
        try:
            if is_tls:
                await self._start_tls(stream, stop)
            failure = await self._greet(visit)
            is_up = failure is None
        finally:
            if not is_up:
                stream.close()
        return failure or visit

    async def _greet(self, visit: SmtpVisit) -> Unreachable | None:
        while True:
            match await visit.step():
                case Ready():
                    return None
                case BeginTls():
                    await visit.flush()
                    await self._start_tls(visit.stream, visit.stop)
                    visit.machine.tls_started()
                case Failed(verdict, is_host_down):
                    return Unreachable(verdict, is_host_down)
                case _:
                    raise LocalProtocolError("content before the opening was done")

    async def _start_tls(self, stream: OutStream, stop: Stop) -> None:
        try:
            async with asyncio.timeout(self._patience.tls_s):
                await stream.start_tls(self._contexts[stop.tls], stop.host)
        except TimeoutError as error:
            raise _HandshakeFailed("no answer in time") from error
        except OSError as error:
            raise _HandshakeFailed(_words(error)) from error


class SmtpVisit:
    """One open connection."""

    def __init__(
        self, stop: Stop, stream: OutStream, machine: ClientMachine, patience: Patience
    ) -> None:
        self.stop = stop
        self.stream = stream
        self.machine = machine
        self._patience = patience

    @property
    def is_open(self) -> bool:
        """Whether another parcel may be tried."""
        return not self.machine.is_over

    async def step(self) -> BeginTls | Ready | ContentWanted | Done | Failed:
        """Write and read until the machine has something to say.

        Raises:
            OSError: the connection broke, or TimeoutError.
            RemoteProtocolError: not SMTP.
        """
        while True:
            event = self.machine.next_event()
            if not isinstance(event, NeedData):
                return event
            async with asyncio.timeout(self._patience.waiting_for(event.waits_for)):
                await self.flush()
                data = await self.stream.read()
            self.machine.receive_data(data)

    async def flush(self) -> None:
        """Write what the machine has gathered."""
        if output := self.machine.take_output():
            await self.stream.write(output)

    async def deliver(self, parcel: Parcel) -> Attempt:
        """Hand over one parcel; whatever goes wrong becomes verdicts."""
        fault = content_fault(parcel.prefix, parcel.wire)
        if fault:
            verdict = Verdict(Fate.REFUSED, "5.6.0", f"not sent: {fault}", is_remote=False)
            return Attempt((verdict,) * len(parcel.recipients))
        try:
            self.machine.send(parcel)
            return await self._conversation(parcel)
        except TimeoutError:
            return self._given_up("4.4.2", f"{self.stop.host} did not answer in time")
        except OSError as error:
            return self._given_up("4.4.2", f"{self.stop.host}: {_words(error)}")
        except RemoteProtocolError as error:
            return self._given_up("4.5.0", f"{self.stop.host}: {error}")
        except UnfitAddress as error:
            verdict = Verdict(Fate.REFUSED, "5.1.3", str(error), is_remote=False)
            return Attempt((verdict,) * len(parcel.recipients))

    async def _conversation(self, parcel: Parcel) -> Attempt:
        while True:
            match await self.step():
                case Done(attempt):
                    if not self.is_open:
                        self.stream.close()
                    return attempt
                case ContentWanted():
                    await self._send_content(parcel)
                    self.machine.content_sent()
                case event:
                    raise LocalProtocolError(f"{event} in the middle of a parcel")

    async def _send_content(self, parcel: Parcel) -> None:
        await self.flush()
        wire = memoryview(parcel.wire)
        first = _BLOCK - len(parcel.prefix) if len(parcel.prefix) < _BLOCK else 0
        async with asyncio.timeout(self._patience.block_s):
            await self.stream.write(parcel.prefix + bytes(wire[:first]))
        for start in range(first, len(wire), _BLOCK):
            async with asyncio.timeout(self._patience.block_s):
                await self.stream.write(wire[start : start + _BLOCK])

    def _given_up(self, status: str, text: str) -> Attempt:
        """The connection is of no more use; recipients without a verdict wait."""
        self.stream.close()
        self.machine.give_up(Verdict(Fate.DEFERRED, status, text, is_remote=False))
        event = self.machine.next_event()
        if not isinstance(event, Done):
            raise LocalProtocolError("no parcel was under way")
        return event.attempt

    async def leave(self) -> None:
        """Say goodbye and close; never raises."""
        try:
            if self.is_open:
                self.machine.quit()
                async with asyncio.timeout(self._patience.goodbye_s):
                    await self.flush()
                    await self.stream.read()
        except OSError:
            pass
        finally:
            self.stream.close()


def _unreachable(status: str, text: str) -> Unreachable:
    return Unreachable(Verdict(Fate.DEFERRED, status, text, is_remote=False))


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
