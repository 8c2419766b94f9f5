"""USER: the name, for PASS to come.

Spec: RFC 1939 §7.

Notes:
    Every name is taken: whether anybody has it is told by nothing, not even after PASS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import User


def handle(session: Pop3Session, command: User) -> bytes:
    """Remember the name.

    Raises:
        Refused: the password would be overheard; better said before it is sent.
    """
    session.require_privacy()
    session.user = command.name
    return session.ok(Text.SEND_PASS)
