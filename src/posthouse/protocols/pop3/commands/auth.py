"""AUTH: SASL PLAIN and SCRAM-SHA-256.

Spec: RFC 5034 §4, RFC 4616, RFC 5802, RFC 7677.

Notes:
    An exchange is a function that takes the client's next message; it stands in the session while
    it goes on. POP3 has no room for data beside ``+OK``, so SCRAM's last word goes out as a
    challenge of its own, which the client answers with an empty line (RFC 5034 §4).
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from posthouse.mechanisms.plain import message_from_octets
from posthouse.mechanisms.scram import ScramServer
from posthouse.model.errors import LoginRefused, RemoteProtocolError
from posthouse.protocols.pop3.entering import attempt_of, door_of, enter, proved
from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.capabilities import mechanisms
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.grammar import Fault
from posthouse.protocols.pop3.wire.login_name import LoginName, login_name_from_text
from posthouse.protocols.pop3.wire.machine import Step
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from posthouse.model.people import Login
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Auth, SaslCancel, SaslResponse
    from posthouse.services.directory.login import ScramOffer

    Exchange = Callable[[bytes], Awaitable[bytes]]

NONCE_OCTETS = 18


async def handle(session: Pop3Session, command: Auth) -> bytes:
    """Begin an exchange, with the client's first message if it is there already.

    Raises:
        Refused: unknown mechanism, or PLAIN where it would be overheard.
        LoginRefused, LoginDelayed, Unavailable: as the directory says.
    """
    if not command.mechanism:
        names = mechanisms(allows_plain=session.allows_plain)
        return (
            session.ok(Text.MECHANISMS_FOLLOW)
            + "".join(f"{n}\r\n" for n in names).encode()
            + b".\r\n"
        )
    exchange: Exchange
    match command.mechanism:
        case "PLAIN":
            session.require_privacy()
            exchange = _Plain(session).message
        case "SCRAM-SHA-256":
            exchange = _Scram(session).first
        case _:
            raise Refused(Text.MECHANISM_UNKNOWN)
    if command.initial is None:
        return _challenge(session, exchange, b"")
    return await _go_on(session, exchange, command.initial)


async def respond(session: Pop3Session, command: SaslResponse) -> bytes:
    """Go on with the exchange.

    Raises:
        As ``handle``; the exchange is over then.
    """
    exchange = session.exchange
    if exchange is None:
        raise Refused(Text.SASL_BROKEN)
    return await _go_on(session, exchange, command.data)


def cancel(session: Pop3Session, _command: SaslCancel) -> bytes:
    """The client gives up."""
    session.exchange = None
    session.machine.advance(Step.REFUSED)
    raise Refused(Text.SASL_CANCELLED)


def _challenge(session: Pop3Session, exchange: Exchange, data: bytes) -> bytes:
    session.exchange = exchange
    session.machine.advance(Step.CHALLENGED)
    return b"+ %b\r\n" % b64encode(data)


async def _go_on(session: Pop3Session, exchange: Exchange, data: bytes) -> bytes:
    try:
        return await exchange(data)
    except BaseException as e:
        session.exchange = None
        session.machine.advance(Step.REFUSED)
        if isinstance(e, RemoteProtocolError):
            raise RemoteProtocolError(str(e), Fault.SASL) from e
        raise


def _check_authzid(authzid: str, authcid: str) -> None:
    """Whoever names somebody else to act for is refused; naming oneself is harmless."""
    if authzid and authzid.casefold() != authcid.casefold():
        raise Refused(Text.AUTHZID_REFUSED, Code.AUTH)


class _Plain:
    """One message, and it is done."""

    __slots__ = ("_session",)

    def __init__(self, session: Pop3Session) -> None:
        self._session = session

    async def message(self, data: bytes) -> bytes:
        session = self._session
        said = message_from_octets(data)
        _check_authzid(said.authzid, said.authcid)
        name = login_name_from_text(said.authcid)
        attempt = attempt_of(session, name, said.password)
        login = await proved(session, session.services.logins.by_password(attempt))
        return await enter(session, login, said.authcid, name)


class _Scram:
    """First message, proof, and the empty line behind our own proof."""

    __slots__ = ("_login", "_login_text", "_name", "_offer", "_server", "_session")

    def __init__(self, session: Pop3Session) -> None:
        self._session = session
        self._server = ScramServer(session.services.chance.token_bytes(NONCE_OCTETS))
        self._login_text = ""
        self._name = LoginName("")
        self._offer: ScramOffer | None = None
        self._login: Login | None = None

    async def first(self, data: bytes) -> bytes:
        session = self._session
        names = self._server.first(data)
        _check_authzid(names.authzid, names.authcid)
        self._login_text = names.authcid
        name = self._name = login_name_from_text(names.authcid)
        logins = session.services.logins
        offer = self._offer = logins.scram_credentials(name.address, door_of(session))
        challenge = self._server.challenge(offer.salt, offer.iterations)
        return _challenge(session, self.final, challenge)

    async def final(self, data: bytes) -> bytes:
        session = self._session
        if self._offer is None:
            raise LoginRefused("no exchange")
        outcome = self._server.finish(data, self._offer.verifiers)
        attempt = attempt_of(session, self._name, b"")
        verdict = session.services.logins.by_scram(attempt, outcome.device_id)
        self._login = await proved(session, verdict)
        return _challenge(session, self.heard, outcome.server_final)

    async def heard(self, data: bytes) -> bytes:
        if data or self._login is None:
            raise Refused(Text.SASL_BROKEN)
        return await enter(self._session, self._login, self._login_text, self._name)
