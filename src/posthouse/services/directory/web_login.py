"""Logins of HTTP doors: from an Authorization header to who it is.

Spec: RFC 9110 §11.6 (challenge and credentials); RFC 7617 (Basic).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from posthouse.mechanisms.http_basic import credentials_from_header
from posthouse.model.errors import LoginRefused, PosthouseError
from posthouse.services.directory.login import Attempt

if TYPE_CHECKING:
    from posthouse.model.people import Login
    from posthouse.services.directory.login import Logins


class Refusal(Enum):
    """Why somebody does not come in, as far as the client hears of it."""

    CHALLENGE = auto()
    """It should say credentials, or others."""
    LATER = auto()
    """They were not looked at."""


async def login_or_refusal(
    logins: Logins, value: str, *, door: str, host: str, session_id: str
) -> Login | Refusal:
    """Check an Authorization header.

    Args:
        logins: who may come in.
        value: of the header; "" when there is none.
        door: which one, for the scope of device passwords.
        host: the peer's address.
        session_id: of the connection, for the log.
    """
    found = credentials_from_header(value)
    if found is None:
        return Refusal.CHALLENGE
    name, password = found
    attempt = Attempt(name, password, door, host, session_id, is_request=True)
    try:
        return await logins.by_password(attempt)
    except LoginRefused:
        return Refusal.CHALLENGE
    except PosthouseError:
        return Refusal.LATER
