"""The commands: one row each, from the command's value to what answers it.

In which states a command may be said, and how it is read, stands in ``wire/grammar.py``; which
state follows, in ``wire/machine.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posthouse.protocols.pop3.commands import (
    apop,
    auth,
    capa,
    dele,
    lang,
    noop,
    pass_,
    retr,
    rset,
    stat,
    stls,
    top,
    uidl,
    user,
    utf8,
)
from posthouse.protocols.pop3.commands import (
    list as list_,
)
from posthouse.protocols.pop3.commands import (
    quit as quit_,
)
from posthouse.protocols.pop3.wire import grammar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from posthouse.protocols.pop3.session import Pop3Session

    Reply = bytes | tuple[bytes | memoryview, ...]
    Handle = Callable[[Pop3Session, Any], Reply | Coroutine[Any, Any, Reply]]


@dataclass(frozen=True, slots=True)
class Row:
    """One command.

    Attributes:
        handle: answers it at once, or with a coroutine where it may have to wait; raises what
            ``errors.py`` knows.
        finishes: runs to its end even when the client is gone (a commit under way).
    """

    handle: Handle
    finishes: bool = False


COMMANDS: dict[type[grammar.Command], Row] = {
    # RFC 1939 §5, §6
    grammar.Stat: Row(stat.handle),
    grammar.List: Row(list_.handle),
    grammar.Retr: Row(retr.handle),
    grammar.Dele: Row(dele.handle),
    grammar.Noop: Row(noop.handle),
    grammar.Rset: Row(rset.handle),
    grammar.Quit: Row(quit_.handle, finishes=True),
    # RFC 1939 §7
    grammar.Top: Row(top.handle),
    grammar.Uidl: Row(uidl.handle),
    grammar.User: Row(user.handle),
    grammar.Pass: Row(pass_.handle),
    grammar.Apop: Row(apop.handle),
    # RFC 2449, RFC 2595
    grammar.Capa: Row(capa.handle),
    grammar.Stls: Row(stls.handle),
    # RFC 5034
    grammar.Auth: Row(auth.handle),
    grammar.SaslResponse: Row(auth.respond),
    grammar.SaslCancel: Row(auth.cancel),
    # RFC 6856
    grammar.Utf8: Row(utf8.handle),
    grammar.Lang: Row(lang.handle),
}
