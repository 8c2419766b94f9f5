"""Logins of HTTP doors: from an Authorization header to who it is.

Spec: RFC 9110 §11.6 (challenge and credentials); RFC 7617 (Basic).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.mechanisms.http_basic import credentials_from_header
from posthouse.model.errors import AccessDenied, LoginRefused
from posthouse.services.directory.login import Attempt

if TYPE_CHECKING:
    from posthouse.model.people import Login
    from posthouse.services.directory.login import Logins


async def login_from_header(
    logins: Logins, value: str, *, door: str, host: str, session_id: str
) -> Login:
    """Check an Authorization header.

    Args:
        logins: who may come in.
        value: of the header; "" when there is none.
        door: which one, for the scope of device passwords.
        host: the peer's address.
        session_id: of the connection, for the log.

    Raises:
        AccessDenied: no credentials, or none that can be read: challenge the client.
        LoginRefused: they are wrong: the same.
        LoginDelayed, Unavailable: they were not looked at.
    """
    found = credentials_from_header(value)
    if found is None:
        raise AccessDenied("no credentials")
    name, password = found
    return await logins.by_password(
        Attempt(name, password, door, host, session_id, is_request=True)
    )


def is_for_challenge(error: Exception) -> bool:
    """Whether the client should be asked for credentials (again)."""
    return isinstance(error, (AccessDenied, LoginRefused))
