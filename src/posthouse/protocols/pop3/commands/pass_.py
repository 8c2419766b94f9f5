"""PASS: the password, and with it the login.

Spec: RFC 1939 §7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.entering import attempt_of, enter, proved
from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.login_name import login_name_from_text
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Pass


async def handle(session: Pop3Session, command: Pass) -> bytes:
    """Log in; the name is forgotten whatever comes of it.

    Raises:
        Refused: no USER before, no privacy, no such folder.
        LoginRefused, LoginDelayed, Unavailable: as the directory says.
    """
    session.require_privacy()
    login_text, session.user = session.user, ""
    if not login_text:
        raise Refused(Text.USER_FIRST)
    name = login_name_from_text(login_text)
    attempt = attempt_of(session, name, command.password)
    login = await proved(session, session.services.logins.by_password(attempt))
    return await enter(session, login, login_text, name)
