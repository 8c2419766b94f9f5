"""STLS: TLS from here on.

Spec: RFC 2595 §4; RFC 6856 §2.1 (not after UTF8).

Notes:
    Octets that came behind STLS in the clear may be anybody's. They are not obeyed later: the
    connection ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.machine import Step
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Stls


def handle(session: Pop3Session, _command: Stls) -> bytes:
    """Promise the handshake; it follows when the answer is out.

    Raises:
        Refused: TLS is on, or there is none, or something was pipelined.
    """
    connection = session.connection
    if connection.is_tls:
        raise Refused(Text.TLS_ALREADY)
    if not connection.can_start_tls:
        raise Refused(Text.TLS_NONE)
    if session.is_utf8:
        raise Refused(Text.TLS_AFTER_UTF8)
    if session.machine.pending_octets:
        session.end("pipelined behind STLS")
        raise Refused(Text.TLS_PIPELINED)
    session.machine.advance(Step.TLS_BEGINS)
    session.wants_tls = True
    return session.ok(Text.TLS_GO)
