"""Contract of the records: settings and rules change only from what was read."""

from __future__ import annotations

import pytest

from posthouse.model.batch import ChangeMailbox, KeepRules, PolicyUnchanged
from posthouse.model.errors import Conflict


def test_policy_changes_only_from_what_was_read(records_house):
    h = records_house
    settings = h.mailbox().settings
    h.do(ChangeMailbox(settings='{"a": 1}'), preconditions=(PolicyUnchanged(settings=settings),))
    h.do(KeepRules("[1]"), preconditions=(PolicyUnchanged(rules=""),))
    for stale in (
        PolicyUnchanged(settings=settings + " "),
        PolicyUnchanged(rules=""),
        PolicyUnchanged(settings='{"a": 1}', rules="[2]"),
    ):
        with pytest.raises(Conflict):
            h.do(ChangeMailbox(settings="{}"), preconditions=(stale,))
    assert h.mailbox().settings == '{"a": 1}'
    both = PolicyUnchanged(settings='{"a": 1}', rules="[1]")
    h.do(ChangeMailbox(settings="{}"), preconditions=(both, PolicyUnchanged()))
    assert h.mailbox().settings == "{}"
