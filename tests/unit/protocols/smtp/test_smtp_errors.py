from __future__ import annotations

import pytest

from posthouse.model import errors as model
from posthouse.protocols.smtp.errors import REPLIES, reply_from_error
from posthouse.protocols.smtp.wire import replies
from posthouse.protocols.smtp.wire.replies import Reply

EVERY = [
    kind
    for kind in vars(model).values()
    if isinstance(kind, type) and issubclass(kind, model.PosthouseError)
]


def test_the_table_is_total():
    assert set(REPLIES) == set(EVERY)


@pytest.mark.parametrize("kind", [model.Unavailable, model.InsufficientSpace, model.QuotaExceeded])
def test_passing_faults_are_4xx(kind):
    assert 400 <= reply_from_error(kind("x")).code < 500


@pytest.mark.parametrize(
    "kind", [model.NotFound, model.AccessDenied, model.TooLarge, model.MailLoop]
)
def test_their_faults_are_5xx(kind):
    assert 500 <= reply_from_error(kind("x")).code < 600


def test_what_nobody_expected_is_a_passing_fault():
    assert reply_from_error(KeyError("x")).code == 451


def test_the_message_of_an_error_never_reaches_the_client():
    for kind in EVERY:
        arguments = ("secret path", 1.0) if kind is model.LoginDelayed else ("secret path",)
        assert b"secret" not in reply_from_error(kind(*arguments)).wire


def test_every_fixed_reply_has_an_enhanced_code_of_its_class():
    fixed = [v for v in vars(replies).values() if isinstance(v, Reply)]
    fixed += [*replies.GRAMMAR_REPLIES.values(), *REPLIES.values()]
    for one in fixed:
        for line in one.wire.decode("ascii").splitlines():
            assert line == line.strip()
            if one.code == 354:
                continue
            code, enhanced = line.split(" ")[:2]
            parts = enhanced.split(".")
            assert len(parts) == 3
            assert all(part.isdigit() for part in parts)
            assert parts[0] == code[0]
