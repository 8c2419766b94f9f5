"""AUTH: who it is.

Spec: RFC 4954 §4, §6; RFC 4616 (PLAIN); RFC 5802, RFC 7677 (SCRAM-SHA-256).

Notes:
    LOGIN has no standard; its two questions are sent in the words that every client expects.
    SCRAM's last message goes out as a challenge that the client answers with an empty line (RFC
    4422 §5, point 9b of the profile in RFC 4954 §4): the login counts only then.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING

from posthouse.mechanisms.plain import message_from_octets
from posthouse.mechanisms.scram import ScramServer
from posthouse.model.errors import (
    LoginDelayed,
    LoginError,
    LoginRefused,
    RemoteProtocolError,
    Unavailable,
)
from posthouse.protocols.smtp.errors import reply_from_error
from posthouse.protocols.smtp.wire.replies import (
    LOGGED_IN,
    LOGIN_CANCELLED,
    LOGIN_GARBLED,
    LOGIN_NEEDS_TLS,
    MECHANISM_UNKNOWN,
    WRONG_ORDER,
    Reply,
    reply,
)
from posthouse.runtime.metrics_table import LOGINS
from posthouse.services.directory.login import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.people import Login
    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.commands import Auth, AuthLine
    from posthouse.services.directory.login import ScramOffer

DOOR = "submission"
_NONCE_OCTETS = 18
_NAME_OCTETS_MAX = 1024
_ASK_NAME = reply(334, "", b64encode(b"Username:").decode())
_ASK_PASSWORD = reply(334, "", b64encode(b"Password:").decode())
_ASK_FIRST = Reply(334, b"334 \r\n")


async def handle(session: SmtpSession, command: Auth) -> Reply:
    """Begin an exchange."""
    if not session.settings.is_submission or session.login is not None or session.transaction:
        return WRONG_ORDER
    if not session.can_log_in:
        return LOGIN_NEEDS_TLS
    make = _MECHANISMS.get(command.mechanism)
    if make is None:
        return MECHANISM_UNKNOWN
    exchange = make()
    session.exchange = exchange
    if command.initial is None:
        return exchange.opening
    try:
        initial = b"" if command.initial == "=" else _octets(command.initial)
    except RemoteProtocolError:
        return LOGIN_GARBLED
    return await _step(session, exchange, initial)


async def go_on(session: SmtpSession, command: AuthLine) -> Reply:
    """Hear the client's next line."""
    exchange = session.exchange
    if exchange is None:
        return WRONG_ORDER
    return await exchange.answer(session, command)


async def _step(session: SmtpSession, exchange: _Exchange, octets: bytes) -> Reply:
    """One step; whatever ends the exchange is booked here."""
    try:
        answer = await exchange.step(session, octets)
    except RemoteProtocolError:
        session.exchange = None
        return LOGIN_GARBLED
    except (LoginError, Unavailable) as e:
        session.exchange = None
        _count(session, e)
        return reply_from_error(e)
    if answer.code != 334:
        session.exchange = None
    return answer


def _count(session: SmtpSession, error: LoginError | Unavailable | None) -> None:
    match error:
        case None:
            outcome = "ok"
        case LoginDelayed():
            outcome = "delayed"
        case Unavailable():
            outcome = "unavailable"
        case _:
            outcome = "refused"
    session.services.metrics.inc(LOGINS.slot(session.connection.listener, outcome))


def _welcome(session: SmtpSession, login: Login) -> Reply:
    session.logged_in(login)
    _count(session, None)
    return LOGGED_IN


def _octets(text: str) -> bytes:
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (Base64Error, UnicodeEncodeError) as e:
        raise RemoteProtocolError("AUTH response is not base64") from e


def _text(octets: bytes) -> str:
    if not 0 < len(octets) <= _NAME_OCTETS_MAX:
        raise RemoteProtocolError("empty or overlong name")
    try:
        return octets.decode()
    except UnicodeDecodeError as e:
        raise RemoteProtocolError("name is not UTF-8") from e


def _attempt(session: SmtpSession, name: str, password: bytes) -> Attempt:
    connection = session.connection
    return Attempt(name, password, DOOR, connection.peer_host, connection.session_id)


def _check_acting(session: SmtpSession, authzid: str, authcid: str) -> None:
    """Nobody acts for anybody else here."""
    logins = session.services.logins
    if authzid and logins.login_address(authzid) != logins.login_address(authcid):
        raise LoginRefused("asks to act for somebody else")


class _Exchange:
    """What the mechanisms have in common."""

    __slots__ = ()
    opening = _ASK_FIRST

    async def answer(self, session: SmtpSession, command: AuthLine) -> Reply:
        """Decode the line and step on; ``*`` cancels."""
        if command.text == "*":
            session.exchange = None
            return LOGIN_CANCELLED
        try:
            octets = _octets(command.text)
        except RemoteProtocolError:
            session.exchange = None
            return LOGIN_GARBLED
        return await _step(session, self, octets)

    async def step(self, session: SmtpSession, octets: bytes) -> Reply:
        """The client said this."""
        raise NotImplementedError


class _Plain(_Exchange):
    """PLAIN: all in one message."""

    __slots__ = ()

    async def step(self, session: SmtpSession, octets: bytes) -> Reply:
        """Check name and password."""
        message = message_from_octets(octets)
        _check_acting(session, message.authzid, message.authcid)
        attempt = _attempt(session, message.authcid, message.password)
        return _welcome(session, await session.services.logins.by_password(attempt))


class _LoginMechanism(_Exchange):
    """LOGIN: name, then password."""

    __slots__ = ("_name",)
    opening = _ASK_NAME

    def __init__(self) -> None:
        self._name = ""

    async def step(self, session: SmtpSession, octets: bytes) -> Reply:
        """Remember the name, or check the password."""
        if not self._name:
            self._name = _text(octets)
            return _ASK_PASSWORD
        if not 0 < len(octets) <= _NAME_OCTETS_MAX:
            raise RemoteProtocolError("empty or overlong password")
        attempt = _attempt(session, self._name, octets)
        return _welcome(session, await session.services.logins.by_password(attempt))


class _Scram(_Exchange):
    """SCRAM-SHA-256."""

    __slots__ = ("_login", "_name", "_offer", "_server")

    def __init__(self) -> None:
        self._server: ScramServer | None = None
        self._offer: ScramOffer | None = None
        self._name = ""
        self._login: Login | None = None

    async def step(self, session: SmtpSession, octets: bytes) -> Reply:
        """Client's first message, its proof, its nod."""
        if self._login is not None:
            if octets:
                raise RemoteProtocolError("SCRAM: nothing is expected after the server's proof")
            return _welcome(session, self._login)
        if self._server is None or self._offer is None:
            return self._challenge(session, octets)
        outcome = self._server.finish(octets, self._offer.verifiers)
        attempt = _attempt(session, self._name, b"")
        self._login = await session.services.logins.by_scram(attempt, outcome.device_id)
        return _challenge_reply(outcome.server_final)

    def _challenge(self, session: SmtpSession, octets: bytes) -> Reply:
        services = session.services
        self._server = ScramServer(services.chance.token_bytes(_NONCE_OCTETS))
        names = self._server.first(octets)
        _check_acting(session, names.authzid, names.authcid)
        self._name = names.authcid
        self._offer = services.logins.scram_credentials(names.authcid, DOOR)
        return _challenge_reply(self._server.challenge(self._offer.salt, self._offer.iterations))


def _challenge_reply(octets: bytes) -> Reply:
    return Reply(334, b"334 " + b64encode(octets) + b"\r\n")


_MECHANISMS: dict[str, Callable[[], _Exchange]] = {
    "PLAIN": _Plain,
    "LOGIN": _LoginMechanism,
    "SCRAM-SHA-256": _Scram,
}
