"""From everything that can go wrong to POP3's answer: the one table.

Spec: RFC 2449 §8 (response codes), RFC 3206 §4 (when SYS/TEMP, SYS/PERM and AUTH).

Notes:
    Texts are fixed for each class, so that nothing inside shows; details go to the log.
    An offence is the client's fault and counts towards the errors a session may make.
"""

from __future__ import annotations

from dataclasses import dataclass

from posthouse.model import errors as model
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.grammar import Fault
from posthouse.protocols.pop3.wire.texts_table import Text


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said.

    Attributes:
        text: the words.
        code: for programs; None where the words are all.
        is_offence: counts as the client's error.
    """

    text: Text
    code: Code | None = None
    is_offence: bool = False


class Refused(model.PosthouseError):
    """A command that POP3 itself refuses, with the answer and what the words need."""

    def __init__(
        self, text: Text, code: Code | None = None, *, is_offence: bool = True, **fields: object
    ) -> None:
        super().__init__(text.name)
        self.answer = Answer(text, code, is_offence)
        self.fields = fields


_OURS = Answer(Text.INTERNAL, Code.SYS_PERM)

ERRORS: dict[type[BaseException], Answer] = {
    model.PosthouseError: _OURS,
    model.StoreError: _OURS,
    model.NotFound: Answer(Text.NO_MESSAGE, is_offence=True),
    model.AlreadyExists: _OURS,
    model.AccessDenied: Answer(Text.DENIED, Code.SYS_PERM, is_offence=True),
    model.QuotaExceeded: Answer(Text.FULL, Code.SYS_TEMP),
    model.Conflict: Answer(Text.CONFLICT, Code.IN_USE),
    model.InvalidSyncPoint: _OURS,
    model.Repeated: _OURS,
    model.SyncPointExpired: Answer(Text.UNAVAILABLE, Code.SYS_TEMP),
    model.Repeated: _OURS,
    model.Unavailable: Answer(Text.UNAVAILABLE, Code.SYS_TEMP),
    model.InsufficientSpace: Answer(Text.NO_SPACE, Code.SYS_TEMP),
    model.TooLarge: Answer(Text.TOO_LARGE, Code.SYS_PERM),
    model.LoginError: Answer(Text.REFUSED, Code.AUTH, is_offence=True),
    model.LoginRefused: Answer(Text.REFUSED, Code.AUTH, is_offence=True),
    model.LoginDelayed: Answer(Text.DELAYED, Code.AUTH, is_offence=True),
    model.ProtocolError: Answer(Text.SYNTAX, is_offence=True),
    model.RemoteProtocolError: Answer(Text.SYNTAX, is_offence=True),
    model.LocalProtocolError: _OURS,
    model.MailLoop: _OURS,
    model.ParserFailed: _OURS,
    model.ConfigurationError: _OURS,
}

FAULTS: dict[str, Answer] = {
    Fault.SYNTAX: Answer(Text.SYNTAX, is_offence=True),
    Fault.UNKNOWN: Answer(Text.UNKNOWN, is_offence=True),
    Fault.STATE: Answer(Text.STATE, is_offence=True),
    Fault.LINE_END: Answer(Text.LINE_END, is_offence=True),
    Fault.TOO_LONG: Answer(Text.TOO_LONG, is_offence=True),
    Fault.FOREIGN: Answer(Text.FOREIGN, is_offence=True),
    Fault.SASL: Answer(Text.SASL_BROKEN, is_offence=True),
}


def answer_to(error: BaseException) -> Answer:
    """The answer; what is not in the table is a bug of ours."""
    if isinstance(error, Refused):
        return error.answer
    if isinstance(error, model.RemoteProtocolError):
        return FAULTS.get(error.reply_hint, ERRORS[model.RemoteProtocolError])
    for kind in type(error).__mro__:
        answer = ERRORS.get(kind)
        if answer is not None:
            return answer
    return _OURS


def is_bug(error: BaseException) -> bool:
    """Whether the error must be looked at by whoever keeps this server."""
    return answer_to(error) is _OURS
