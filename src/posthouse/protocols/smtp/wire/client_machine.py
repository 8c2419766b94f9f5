"""The sending side of SMTP, without I/O.

Spec: RFC 5321 §3.1 to 3.3, §4.1.4 (order), RFC 2920 (PIPELINING), RFC 3207 (STARTTLS), RFC 4954
    (AUTH), RFC 1870
(SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3461 (DSN).

Notes:
    Theory of operation: the driver feeds bytes (``receive_data``), asks for events (``next_event``)
    and writes out what has gathered (``take_output``) whenever it is told NeedData. The opening
    ends with Ready or Failed. From Ready on each ``send`` ends with Done, or with Failed when the
    connection is of no more use. What is expected next is a queue of expectations, one per command
    on its way: pipelining is the case of more than one. A reply that nobody expects is an error,
    but for 421 (the server closes). Bytes that stand in the buffer when TLS begins were said by
    whoever sits on the wire: the connection is given up.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from typing import TYPE_CHECKING

from posthouse.model.errors import LocalProtocolError, RemoteProtocolError
from posthouse.ports.courier import Attempt, Fate, TlsNeed, Verdict
from posthouse.protocols.smtp.wire.client_events import (
    BeginTls,
    ContentWanted,
    Done,
    Errand,
    Event,
    Expect,
    Failed,
    NeedData,
    Ready,
)
from posthouse.protocols.smtp.wire.envelope_commands import mail_command, rcpt_command
from posthouse.protocols.smtp.wire.remote_replies import RemoteReply, ReplyReader

if TYPE_CHECKING:
    from posthouse.ports.courier import Parcel, Stop


class ClientMachine:
    """One connection to one host.

    Attributes:
        is_over: nothing more can be sent.
    """

    def __init__(self, stop: Stop, helo: str, *, is_tls: bool = False) -> None:
        self._stop = stop
        self._helo = helo
        self._is_tls = is_tls
        self._reader = ReplyReader()
        self._output: list[bytes] = []
        self._expected: deque[Expect] = deque([Expect.GREETING])
        self._events: deque[Event] = deque()
        self._offers: dict[str, str] = {}
        self._errand: Errand | None = None
        self._is_ready = False
        self.is_over = False

    # --- driver's side

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the host; b"" means it closed. Raises RemoteProtocolError."""
        if not data:
            self._closed()
            return
        self._reader.receive_data(data)

    def next_event(self) -> Event:
        """What the driver shall do next.

        Raises:
            RemoteProtocolError: the host does not speak SMTP; close.
        """
        while not self._events:
            if self.is_over or not self._expected:
                raise LocalProtocolError("nothing is expected")
            reply = self._reader.next_reply()
            if reply is None:
                return NeedData(self._expected[0])
            self._take(reply)
        return self._events.popleft()

    def take_output(self) -> bytes:
        """What shall be written now."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def tls_started(self) -> None:
        """The handshake is done: everything said before is forgotten."""
        self._is_tls = True
        self._offers.clear()
        self._command(f"EHLO {self._helo}", Expect.EHLO)

    def send(self, parcel: Parcel) -> None:
        """Begin with a parcel whose content has been checked.

        Raises:
            UnfitAddress: an address that would not stay one word of a command; nothing was sent.
        """
        if not self._is_ready or self._errand is not None or self.is_over:
            raise LocalProtocolError("not ready for a parcel")
        refusal = self._local_refusal(parcel)
        count = len(parcel.recipients)
        if refusal is not None:
            self._events.append(Done(Attempt((refusal,) * count)))
            return
        mail = mail_command(parcel, self._offers)
        rcpts = [rcpt_command(recipient, self._offers) for recipient in parcel.recipients]
        self._errand = Errand(parcel, rcpts, [None] * count)
        self._command(mail, Expect.MAIL)
        if "PIPELINING" in self._offers:
            for rcpt in rcpts:
                self._command(rcpt, Expect.RCPT)
            self._command("DATA", Expect.DATA)

    def content_sent(self) -> None:
        """The content, terminator included, has been written."""
        self._expected.append(Expect.CONTENT)

    def quit(self) -> None:
        """Say goodbye; the answer may be waited for or not."""
        self.is_over = True
        self._output.append(b"QUIT\r\n")

    # --- replies

    def _command(self, line: str, expect: Expect) -> None:
        raw = line.encode("utf-8")
        if b"\r" in raw or b"\n" in raw or b"\0" in raw:
            raise LocalProtocolError("CR, LF or NUL in a command")
        self._output.append(raw + b"\r\n")
        self._expected.append(expect)

    def _take(self, reply: RemoteReply) -> None:
        expect = self._expected.popleft()
        if reply.code == 421 and expect is not Expect.GREETING:
            self.give_up(_verdict_of(reply))
            return
        match expect:
            case Expect.GREETING:
                self._on_greeting(reply)
            case Expect.EHLO:
                self._on_ehlo(reply)
            case Expect.HELO:
                self._on_helo(reply)
            case Expect.STARTTLS:
                self._on_starttls(reply)
            case Expect.AUTH | Expect.AUTH_LOGIN_NAME | Expect.AUTH_LOGIN_PASSWORD:
                self._on_auth(expect, reply)
            case Expect.RSET:
                self._on_rset(reply)
            case Expect.QUIT:
                self.is_over = True
            case _:
                self._on_errand(expect, reply)

    def _on_greeting(self, reply: RemoteReply) -> None:
        if reply.code != 220:
            down = not reply.is_for_good
            self._fail(_verdict_of(reply), is_host_down=down)
            return
        name = reply.lines[0].partition(" ")[0].rstrip(".").lower()
        if name == self._helo.lower() and not self._stop.is_smarthost:
            text = f"{self._stop.host} turned out to be this server itself"
            self._fail(Verdict(Fate.REFUSED, "5.4.6", text, is_remote=False))
            return
        self._command(f"EHLO {self._helo}", Expect.EHLO)

    def _on_ehlo(self, reply: RemoteReply) -> None:
        if reply.code == 250:
            for line in reply.lines[1:]:
                keyword, _, arguments = line.partition(" ")
                self._offers[keyword.upper()] = arguments.strip()
            self._opened()
        elif reply.is_for_good:
            self._command(f"HELO {self._helo}", Expect.HELO)
        else:
            self._fail(_verdict_of(reply))

    def _on_helo(self, reply: RemoteReply) -> None:
        if reply.code == 250:
            self._opened()
        else:
            self._fail(_verdict_of(reply))

    def _opened(self) -> None:
        """EHLO or HELO is answered: TLS, then login, then ready."""
        need = self._stop.tls
        if not self._is_tls and need is not TlsNeed.NEVER:
            if "STARTTLS" in self._offers:
                self._command("STARTTLS", Expect.STARTTLS)
                return
            if need is not TlsNeed.OPPORTUNISTIC:
                self._fail(_no_tls("does not offer TLS, which this mail needs"))
                return
        if self._stop.login:
            self._log_in()
        else:
            self._ready()

    def _on_starttls(self, reply: RemoteReply) -> None:
        if reply.code == 220:
            if not self._reader.is_empty:
                raise RemoteProtocolError("bytes before TLS that nobody asked for")
            self._events.append(BeginTls())
        elif self._stop.tls is TlsNeed.OPPORTUNISTIC:
            self._offers.pop("STARTTLS", None)
            self._opened()
        else:
            self._fail(_no_tls(f"did not start TLS: {reply.text}"))

    def _log_in(self) -> None:
        if not self._is_tls:
            self._fail(_no_tls("offers no TLS, and the password is not said without"))
            return
        mechanisms = self._offers.get("AUTH", "").upper().split()
        login, password = self._stop.login, self._stop.password
        if "PLAIN" in mechanisms:
            response = _b64(f"\0{login}\0{password}")
            self._command(f"AUTH PLAIN {response}", Expect.AUTH)
        elif "LOGIN" in mechanisms:
            self._command("AUTH LOGIN", Expect.AUTH_LOGIN_NAME)
        else:
            text = f"{self._stop.host} offers no way to log in that is known here"
            self._fail(Verdict(Fate.DEFERRED, "4.7.0", text, is_remote=False))

    def _on_auth(self, expect: Expect, reply: RemoteReply) -> None:
        match expect, reply.code:
            case Expect.AUTH, 235:
                self._ready()
            case Expect.AUTH_LOGIN_NAME, 334:
                self._command(_b64(self._stop.login), Expect.AUTH_LOGIN_PASSWORD)
            case Expect.AUTH_LOGIN_PASSWORD, 334:
                self._command(_b64(self._stop.password), Expect.AUTH)
            case _:
                # Our password being wrong is our operator's matter: no message shall be lost over
                # it.
                self._fail(Verdict(Fate.DEFERRED, "4.7.8", f"login failed: {reply.text}"))

    def _ready(self) -> None:
        self._is_ready = True
        self._events.append(Ready())

    def _on_rset(self, reply: RemoteReply) -> None:
        if self._errand is None:
            return
        attempt = self._errand.attempt(passes_reports="DSN" in self._offers)
        self._errand = None
        if not reply.is_good:
            self.is_over = True
        self._events.append(Done(attempt))

    # --- one parcel

    def _local_refusal(self, parcel: Parcel) -> Verdict | None:
        """Why this host cannot take the parcel at all, found out without asking it."""
        host = self._stop.host
        limit = self._offers.get("SIZE", "")
        if limit.isascii() and limit.isdigit() and 0 < int(limit) < parcel.size_bytes:
            text = f"{host} takes messages up to {limit} bytes; this one has {parcel.size_bytes}"
            return Verdict(Fate.REFUSED, "5.3.4", text, is_remote=False)
        if parcel.needs_smtputf8 and "SMTPUTF8" not in self._offers:
            text = f"{host} cannot take international addresses"
            return Verdict(Fate.REFUSED, "5.6.7", text, is_remote=False)
        if parcel.is_8bit and "8BITMIME" not in self._offers:
            text = f"{host} cannot take 8-bit content"
            return Verdict(Fate.REFUSED, "5.6.3", text, is_remote=False)
        return None

    def _on_errand(self, expect: Expect, reply: RemoteReply) -> None:
        errand = self._errand
        if errand is None:
            raise RemoteProtocolError("a reply that nobody asked for")
        if expect is Expect.MAIL:
            self._on_mail(errand, reply)
        elif expect is Expect.RCPT:
            self._on_rcpt(errand, reply)
        elif expect is Expect.DATA:
            self._on_data(errand, reply)
        else:
            errand.settle(_verdict_of(reply))
            self._errand = None
            self._events.append(Done(errand.attempt(passes_reports="DSN" in self._offers)))

    def _on_mail(self, errand: Errand, reply: RemoteReply) -> None:
        if not reply.is_good:
            errand.settle(_verdict_of(reply))
        if self._expected:
            return
        if reply.is_good:
            self._command(errand.rcpts[0], Expect.RCPT)
        else:
            self._command("RSET", Expect.RSET)

    def _on_rcpt(self, errand: Errand, reply: RemoteReply) -> None:
        index = errand.asked
        errand.asked += 1
        if errand.verdicts[index] is None and not reply.is_good:
            errand.verdicts[index] = _verdict_of(reply)
        if self._expected:
            return
        if errand.asked < len(errand.verdicts):
            self._command(errand.rcpts[errand.asked], Expect.RCPT)
        elif errand.has_takers:
            self._command("DATA", Expect.DATA)
        else:
            self._command("RSET", Expect.RSET)

    def _on_data(self, errand: Errand, reply: RemoteReply) -> None:
        if reply.code < 400 and reply.code != 354:
            raise RemoteProtocolError(f"{reply.code} to DATA")
        if reply.code == 354 and errand.has_takers:
            self._events.append(ContentWanted())
        elif reply.code == 354:
            # Pipelined DATA, and yet no recipient: end the empty message, whatever it answers.
            self._output.append(b".\r\n")
            self._expected.append(Expect.CONTENT)
        else:
            errand.settle(_verdict_of(reply))
            self._command("RSET", Expect.RSET)

    # --- endings

    def _fail(self, verdict: Verdict, *, is_host_down: bool = False) -> None:
        self.is_over = True
        self._events.append(Failed(verdict, is_host_down))

    def _closed(self) -> None:
        text = f"{self._stop.host} closed the connection"
        self.give_up(Verdict(Fate.DEFERRED, "4.4.2", text, is_remote=False))

    def give_up(self, verdict: Verdict) -> None:
        """The connection is of no more use: recipients without a verdict get this one."""
        self.is_over = True
        self._expected.clear()
        if self._errand is None:
            self._events.append(Failed(verdict, is_host_down=not self._is_ready))
            return
        self._errand.settle(verdict)
        self._events.append(Done(self._errand.attempt(passes_reports="DSN" in self._offers)))
        self._errand = None


def _verdict_of(reply: RemoteReply) -> Verdict:
    if reply.is_good:
        return Verdict(Fate.TAKEN, reply.status, reply.text)
    if reply.is_for_good:
        return Verdict(Fate.REFUSED, reply.status, reply.text)
    status = reply.status if reply.code >= 400 else "4.5.0"
    return Verdict(Fate.DEFERRED, status, reply.text)


def _no_tls(text: str) -> Verdict:
    return Verdict(Fate.DEFERRED, "4.7.10", text, is_remote=False)


def _b64(text: str) -> str:
    return b64encode(text.encode("utf-8")).decode("ascii")
