"""The way from credentials to TRANSACTION, the same for every mechanism.

Spec: RFC 1939 §4, RFC 2449 §8.1.1 (LOGIN-DELAY).

Notes:
    The folder of a login name is looked for only when it is known who asks; before, a wrong folder
    cannot be told from a wrong password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import LoginDelayed, LoginRefused, Unavailable
from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.texts_table import Text
from posthouse.runtime import metrics_table
from posthouse.services.directory.login import Attempt

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from posthouse.model.people import Login
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.settings import Pop3Services
    from posthouse.protocols.pop3.wire.login_name import LoginName

_REMEMBERED_MAX = 100_000


def attempt_of(session: Pop3Session, name: LoginName, password: bytes) -> Attempt:
    """What the directory is asked."""
    connection = session.connection
    return Attempt(
        name.address,
        password,
        door_of(session),
        connection.peer_host,
        connection.session_id,
    )


def door_of(session: Pop3Session) -> str:
    """The door as the directory and the counters name it."""
    listener = session.connection.listener
    return listener if listener == "pop3s" else "pop3"


async def proved(session: Pop3Session, question: Awaitable[Login]) -> Login:
    """Wait for the directory's verdict, and count it.

    Raises:
        LoginRefused, LoginDelayed, Unavailable: as the directory says.
    """
    outcome = "ok"
    try:
        return await question
    except LoginRefused:
        outcome = "refused"
        raise
    except LoginDelayed:
        outcome = "delayed"
        raise
    except Unavailable:
        outcome = "unavailable"
        raise
    finally:
        slot = metrics_table.LOGINS.slot(door_of(session), outcome)
        session.services.metrics.inc(slot)


async def enter(session: Pop3Session, login: Login, login_text: str, name: LoginName) -> bytes:
    """Open the maildrop and begin TRANSACTION; ``login_text`` is the name as it was given.

    Raises:
        Refused: no such folder, no mailbox, or too soon after the last login.
        Unavailable: the store cannot be read now.
    """
    services = session.services
    session.login_text = login_text
    _keep_delay(services, login)
    maildrop = await services.maildrops.open(login, name)
    session.logged_in(login, maildrop)
    services.metrics.inc(metrics_table.POP3_SESSIONS)
    return session.ok(Text.LOGGED_IN, count=maildrop.count, octets=maildrop.octets)


def _keep_delay(services: Pop3Services, login: Login) -> None:
    delay_s = services.settings.login_delay_s
    if not delay_s:
        return
    key = (login.principal.principal_id, login.device_id)
    now = services.store.clock.monotonic_s()
    last = services.last_logins.get(key)
    if last is not None and now - last < delay_s:
        raise Refused(Text.LOGIN_TOO_SOON, Code.LOGIN_DELAY, is_offence=False, seconds=delay_s)
    if len(services.last_logins) >= _REMEMBERED_MAX:
        services.last_logins.clear()
    services.last_logins[key] = now
