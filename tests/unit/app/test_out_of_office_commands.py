"""out-of-office: what is said, kept and answered with which status."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from posthouse.app import cli
from posthouse.app.wiring import open_house
from posthouse.model.errors import ConfigurationError, NotFound

ALICE = "alice@example.org"


def run(*words, status=0):
    done = CliRunner().invoke(cli.posthouse, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    data = tmp_path_factory.mktemp("house") / "data"
    run("init", "--data", data, "--domain", "example.org")
    run("user", "add", "--data", data, ALICE, "--no-password")
    run("group", "add", "--data", data, "all@example.org", ALICE)
    return data


def ooo(data, what, *words, address=ALICE, status=0):
    out = run("out-of-office", what, "--data", data, address, *words, "--json", status=status)
    return json.loads(out) if not status else out


@pytest.fixture
def clean(data):
    ooo(data, "clear")
    return data


OFF = {
    "address": ALICE,
    "state": "disabled",
    "is_active": False,
    "from": None,
    "until": None,
    "internal": "",
    "external": "",
    "audience": "all",
}


def test_set_show_clear(clean):
    assert ooo(clean, "show") == OFF
    told = ooo(clean, "set", "--internal", "Gone.", "--external", "Away.", "--known-only")
    assert told == OFF | {
        "state": "enabled",
        "is_active": True,
        "internal": "Gone.",
        "external": "Away.",
        "audience": "known",
    }
    assert ooo(clean, "show") == told
    shown = run("out-of-office", "show", "--data", clean, ALICE)
    assert "To colleagues  Gone." in shown
    assert ooo(clean, "clear") == OFF
    assert "answers no mail" in run("out-of-office", "clear", "--data", clean, ALICE)


def test_without_a_text_for_others_they_get_none(clean):
    assert ooo(clean, "set", "--internal", "Gone.")["audience"] == "none"


def test_a_time(clean):
    words = ("--internal", "x", "--from", "2031-07-01", "--until", "2031-07-14")
    told = ooo(clean, "set", *words)
    assert told["state"] == "scheduled"
    assert (told["from"], told["until"]) == ("2031-07-01T00:00:00Z", "2031-07-15T00:00:00Z")
    words = ("--internal", "x", "--from", "2031-07-01T08:00+02:00", "--until", "2031-07-14T18:00")
    told = ooo(clean, "set", *words)
    assert (told["from"], told["until"]) == ("2031-07-01T06:00:00Z", "2031-07-14T18:00:00Z")
    words = ("set", "--data", clean, ALICE, "--internal", "x", "--until", "2099-01-01T00:00Z")
    assert "until 2099-01-01T00:00:00Z" in run("out-of-office", *words)
    assert ooo(clean, "show")["is_active"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--internal", "x", "--until", "soon"), "'soon' is no time"),
        (("--internal", "x", "--until", "1969-01-01"), "is no time"),
        (("--internal", "x", "--from", "9999-99-99"), "is no time"),
        (("--internal", "x", "--from", "2031-01-01"), "--from goes with --until"),
        (("--internal", "x", "--known-only"), "--known-only goes with --external"),
        (("--external", "x"), "--internal"),
    ],
)
def test_wrong_arguments(clean, words, told):
    assert told in ooo(clean, "set", *words, status=2)
    assert ooo(clean, "show") == OFF


def test_what_cannot_be_kept_to(clean):
    with pytest.raises(ConfigurationError, match="ends before it begins"):
        ooo(clean, "set", "--internal", "x", "--from", "2031-02-02", "--until", "2031-01-01")
    with pytest.raises(ConfigurationError, match="at most 32000"):
        ooo(clean, "set", "--internal", "x" * 32_001)
    with pytest.raises(ConfigurationError, match="no mailbox"):
        ooo(clean, "show", address="all@example.org")
    with pytest.raises(NotFound):
        ooo(clean, "show", address="nobody@example.org")


def test_it_is_in_the_audit_log_and_leaves_other_settings_alone(clean):
    run("user", "set", "--data", clean, ALICE, "--pop-delete", "trash")
    ooo(clean, "set", "--internal", "Gone.")
    lines = (clean / "log" / "audit.jsonl").read_text().splitlines()
    assert '"out-of-office-changed"' in lines[-1]
    with open_house(clean) as house:
        mailbox = house.run(house.store.records.mailbox(house.people.find(ALICE).mailbox_id))
        assert house.people.pop_policy(mailbox)[0] == "trash"
