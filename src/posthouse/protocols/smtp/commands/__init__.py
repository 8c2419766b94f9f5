"""The commands of SMTP and LMTP, one file each; the table says what is supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from posthouse.protocols.smtp.commands import auth, data, hello, mail, rcpt, simple, starttls
from posthouse.protocols.smtp.wire.commands import (
    Auth,
    AuthLine,
    Data,
    Expn,
    Hello,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Starttls,
    Vrfy,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from posthouse.protocols.smtp.session import SmtpSession
    from posthouse.protocols.smtp.wire.replies import Reply

HANDLERS: dict[type, Callable[[SmtpSession, Any], Awaitable[Reply]]] = {
    Hello: hello.handle,
    Mail: mail.handle,
    Rcpt: rcpt.handle,
    Data: data.handle,
    Rset: simple.rset,
    Noop: simple.noop,
    Quit: simple.quit_,
    Help: simple.help_,
    Vrfy: simple.vrfy,
    Expn: simple.expn,
    Starttls: starttls.handle,
    Auth: auth.handle,
    AuthLine: auth.go_on,
}
"""Every command but BDAT, whose answer waits for its octets: see ``bdat`` and ``server``."""
