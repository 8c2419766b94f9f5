from __future__ import annotations

import inspect

from posthouse.model import errors as model
from posthouse.protocols.pop3.commands import COMMANDS
from posthouse.protocols.pop3.errors import ERRORS, FAULTS, Refused, answer_to, is_bug
from posthouse.protocols.pop3.wire import grammar
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.texts_table import Text


def test_the_table_is_total() -> None:
    kinds = {
        kind
        for _, kind in inspect.getmembers(model, inspect.isclass)
        if issubclass(kind, model.PosthouseError)
    }
    assert set(ERRORS) == kinds
    assert set(FAULTS) == set(grammar.Fault)


def test_every_command_has_a_row() -> None:
    assert set(COMMANDS) == set(grammar.Command.__args__)


def test_answers() -> None:
    assert answer_to(model.Unavailable("disk")).code is Code.SYS_TEMP
    assert answer_to(model.LoginRefused("wrong")).code is Code.AUTH
    assert answer_to(model.RemoteProtocolError("x", "too-long")).text is Text.TOO_LONG
    assert answer_to(model.RemoteProtocolError("x", "what?")).text is Text.SYNTAX
    assert answer_to(Refused(Text.NO_MESSAGE)).text is Text.NO_MESSAGE


def test_anything_else_is_our_bug() -> None:
    assert answer_to(KeyError("x")).code is Code.SYS_PERM
    assert is_bug(KeyError("x"))
    assert is_bug(model.LocalProtocolError("x"))
    assert not is_bug(model.NotFound("x"))
