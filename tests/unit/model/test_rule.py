"""Rules as they are kept: there and back, what survives, what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.model.appointment import Importance, Sensitivity
from posthouse.model.rule import (
    DEAR_WORDS_MAX,
    RULES_MAX,
    TEXT_OCTETS_MAX,
    WORDS_MAX,
    Actions,
    Conditions,
    HeaderWords,
    Rule,
    Trait,
    check_rules,
    rules_from_text,
    text_from_rules,
)

word = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
words = st.lists(word, max_size=3).map(tuple)
name = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=20)
address = st.sampled_from(["a@example.org", "b.c@example.net", "ü@example.com"])
addresses = st.lists(address, max_size=2).map(tuple)
number = st.integers(0, 2**31 - 1)
scalar = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | word
beyond = st.dictionaries(
    st.sampled_from(["beyond", "later", "x y", ""]),
    scalar | st.lists(scalar, max_size=2) | st.dictionaries(word, scalar, max_size=2),
    max_size=2,
)
conditions = st.builds(
    Conditions,
    from_addresses=words,
    sender_contains=words,
    subject_contains=words,
    body_contains=words,
    header_contains=st.lists(
        st.builds(HeaderWords, word, st.lists(word, min_size=1, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    importances=st.lists(st.sampled_from(Importance), max_size=2).map(tuple),
    sensitivities=st.lists(st.sampled_from(Sensitivity), max_size=2).map(tuple),
    traits=st.lists(st.sampled_from(Trait), max_size=2).map(tuple),
    is_sent_to_me=st.booleans(),
    has_attachments=st.booleans(),
    size_least=number,
    received_until=st.just(0) | number,
    beyond=beyond,
)
actions = st.builds(
    Actions,
    move_to=st.none() | st.integers(1, 99),
    copy_to=st.lists(st.integers(1, 99), max_size=2).map(tuple),
    marks_read=st.booleans(),
    importance=st.none() | st.sampled_from(Importance),
    categories=words,
    forward_to=addresses,
    redirect_to=addresses,
    reply=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    beyond=beyond,
)
rule = st.builds(
    Rule,
    name=name,
    sequence=number,
    is_enabled=st.booleans(),
    conditions=conditions,
    exceptions=conditions,
    actions=actions,
    stops=st.booleans(),
    beyond=beyond,
)


@given(st.lists(rule, max_size=4).map(tuple))
def test_there_and_back(rules):
    text = text_from_rules(rules)
    assert rules_from_text(text) == rules
    # What an older version does not know passes through it.
    assert text_from_rules(rules_from_text(text), text) == text


def test_what_the_document_says_besides_stays():
    known = '{"version":1,"rules":[{"name":"old"}],"made_by":{"a":1}}'
    assert json.loads(text_from_rules((Rule(name="new"),), known)) == {
        "version": 1,
        "rules": [{"name": "new"}],
        "made_by": {"a": 1},
    }


def test_what_asks_for_more_than_we_know_is_not_understood():
    text = '{"version":1,"rules":[{"name":"a","colour":3},{"name":"b","conditions":{"moon":1}}]}'
    fine, strange = rules_from_text(text)
    assert fine.is_understood
    assert not strange.is_understood


@given(
    st.text()
    | st.recursive(scalar, lambda inner: st.lists(inner) | st.dictionaries(word, inner)).map(
        json.dumps
    )
)
def test_anything_else_is_refused_with_a_value_error(text):
    try:
        rules = rules_from_text(text)
    except ValueError:
        return
    assert isinstance(rules, tuple)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"name": "a", "sequence": "1"}, r"rule 2: .*sequence"),
        ({"name": "a", "conditions": {"subject_contains": "x"}}, "rule 2: .*subject_contains"),
        ({"name": "a", "conditions": {"traits": ["odd"]}}, "rule 2: .*traits"),
        ({"name": "a", "actions": []}, "rule 2: "),
        ({"name": ""}, "rule 2 .* a name has"),
        ({"name": "a\nb"}, "rule 2 .* a name has"),
        ({"name": "a", "sequence": -1}, "out of range"),
        ({"name": "a", "conditions": {"subject_contains": [""]}}, "empty alternative"),
        ({"name": "a", "exceptions": {"header_contains": [["X", []]]}}, "without words"),
        ({"name": "a", "conditions": {"size_least": 5, "size_most": 4}}, "ends before"),
        ({"name": "a", "conditions": {"size_least": -5}}, "negative"),
        ({"name": "a", "conditions": {"lists": ["x"] * 201}}, "at most 200"),
        ({"name": "a", "actions": {"move_to": 0}}, "no folder"),
        ({"name": "a", "actions": {"redirect_to": ["nobody"]}}, "'nobody' is no address"),
        ({"name": "a", "actions": {"forward_to": ["a@b.c"] * 21}}, "more than 20"),
        ({"name": "a", "actions": {"reply": "x" * 40_000}}, "a reply beyond"),
        ({"name": "a", "actions": {"deletes": True, "deletes_permanently": True}}, "two ways"),
        ({"name": "a", "rule_id": 7}, "same number"),
    ],
)
def test_errors_say_which_rule_and_what(row, told):
    text = json.dumps({"version": 1, "rules": [{"name": "fine", "rule_id": 7}, row]})
    with pytest.raises(ValueError, match=told):
        rules_from_text(text)


def test_bounds_of_the_whole():
    with pytest.raises(ValueError, match="version 2"):
        rules_from_text('{"version":2,"rules":[]}')
    with pytest.raises(ValueError, match="at most 500"):
        check_rules((Rule(name="a"),) * (RULES_MAX + 1))
    with pytest.raises(ValueError, match="octets"):
        rules_from_text(" " * (TEXT_OCTETS_MAX + 1))
    wordy = Conditions(sender_contains=tuple("x" * 500 for _ in range(200)))
    with pytest.raises(ValueError, match="octets"):
        text_from_rules((Rule(name="a", conditions=wordy),) * 3)
    many = Conditions(body_contains=("x",) * 200)
    with pytest.raises(ValueError, match=f"at most {DEAR_WORDS_MAX}"):
        check_rules((Rule(name="a", conditions=many),) * 3)
    headers = Conditions(header_contains=(HeaderWords("", ("x",) * 200),))
    with pytest.raises(ValueError, match=f"at most {DEAR_WORDS_MAX}"):
        check_rules((Rule(name="a", conditions=headers),) * 3)
    senders = Conditions(sender_contains=("x",) * 200)
    with pytest.raises(ValueError, match=f"at most {WORDS_MAX}"):
        check_rules((Rule(name="a", conditions=senders),) * 26)
