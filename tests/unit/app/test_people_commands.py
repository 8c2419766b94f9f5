"""user, alias, group, room, device: what is said, printed and answered with which status."""

import asyncio
import hashlib
import json
import os
import pty
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from posthouse.app import cli, console
from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.model.errors import PosthouseError, Unavailable
from posthouse.model.folder import Mailbox
from posthouse.model.ids import ChangeNumber, DeviceId, MailboxId
from posthouse.services.directory.passwords import HashCost, Hasher
from posthouse.services.directory.people import People

ALICE = "alice@example.org"
BOB = "bob@example.org"


class CountingChance:
    def __init__(self):
        self.count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


class FixedClock:
    def now_ms(self):
        return 1_700_000_000_000

    def monotonic_s(self):
        return 0.0


class MailboxesOnly:
    """As much of Records as these commands ask for."""

    def __init__(self):
        self.mailboxes = {}

    async def create_mailbox(self, kind, guid, uid_validity, *, quota_bytes=0):
        mailbox_id = MailboxId(len(self.mailboxes) + 1)
        made = Mailbox(mailbox_id, guid, kind, ChangeNumber(1), 3, 2048, 0, quota_bytes, 1, "")
        self.mailboxes[mailbox_id] = made
        return made

    async def delete_mailbox(self, mailbox_id):
        del self.mailboxes[mailbox_id]

    async def mailbox(self, mailbox_id):
        return self.mailboxes[mailbox_id]

    async def apply(self, commit):
        (batch,) = commit.batches
        (change,) = batch.operations
        changes = {"quota_bytes": change.quota_bytes, "settings": change.settings}
        known = {name: value for name, value in changes.items() if value is not None}
        self.mailboxes[batch.mailbox_id] = replace(self.mailboxes[batch.mailbox_id], **known)


class AuditInMemory:
    def __init__(self):
        self.lines = []

    def record(self, event, **fields):
        self.lines.append((event, fields))


@dataclass
class Operator:
    """Types commands."""

    directory: MemoryDirectory
    records: MailboxesOnly
    audit: AuditInMemory
    people: People
    config: SimpleNamespace
    paths: list

    def run(self, coroutine):
        return asyncio.run(coroutine)

    def types(self, *words, stdin=""):
        self.result = CliRunner().invoke(
            cli.posthouse, list(words), input=stdin, env={"POSTHOUSE_DATA": "/somewhere"}
        )
        return self.result

    def does(self, *words, stdin=""):
        """It works; the answer is what was printed."""
        result = self.types(*words, stdin=stdin)
        assert result.exit_code == 0, (result.output, result.exception)
        assert result.stderr == ""
        return result.stdout

    def asks(self, *words, stdin=""):
        """The same with --json."""
        lines = self.does(*words, "--json", stdin=stdin).splitlines()
        assert len(lines) == 1
        return json.loads(lines[0])

    def errs(self, *words, stdin=""):
        """A wrong argument; the answer is the sentence."""
        result = self.types(*words, stdin=stdin)
        assert result.exit_code == 2
        assert result.stdout == ""
        return result.stderr.partition("Error: ")[2]

    def fails(self, *words, stdin=""):
        """A failure of the house, which ``cli.main`` prints."""
        result = self.types(*words, stdin=stdin)
        assert isinstance(result.exception, PosthouseError), result.output
        return str(result.exception)


@pytest.fixture
def operator(monkeypatch):
    chance, records, audit = CountingChance(), MailboxesOnly(), AuditInMemory()
    directory = MemoryDirectory(chance)
    directory.add_domain("example.org")
    hasher = Hasher(chance, HashCost(memory_kib=8, passes=1))
    people = People(directory, records, audit, FixedClock(), chance, hasher)
    config = SimpleNamespace(store=SimpleNamespace(default_quota=1 << 30))
    made = Operator(directory, records, audit, people, config, [])

    @contextmanager
    def opened(data):
        made.paths.append(str(data))
        yield made

    monkeypatch.setattr(console, "opened", opened)
    return made


@pytest.fixture
def with_alice(operator):
    operator.does("user", "add", ALICE, "--name", "Alice L.", "--password-stdin", stdin="pw\n")
    return operator


def test_add_list_show(operator):
    out = operator.does("user", "add", ALICE, "--password-stdin", stdin="wonderland\nmore\n")
    assert out == "Added alice@example.org.\n"
    assert operator.asks("user", "add", BOB, "--no-password", "--quota", "1.5 MiB") == {
        "address": BOB,
        "name": "bob",
        "kind": "user",
        "is_disabled": False,
        "state": "",
    }
    assert operator.asks("user", "add", "info@example.org", "--shared")["kind"] == "shared"
    assert [row["address"] for row in operator.asks("user", "list")] == [
        ALICE,
        BOB,
        "info@example.org",
    ]
    assert operator.does("user", "list").splitlines()[:2] == [
        "Address            Name   Kind    State",
        "alice@example.org  alice  user",
    ]
    alice, bob = operator.asks("user", "show", ALICE), operator.asks("user", "show", BOB)
    assert (alice["has_password"], bob["has_password"]) == (True, False)
    assert (alice["quota_bytes"], bob["quota_bytes"]) == (1 << 30, 3 << 19)
    assert (alice["size_bytes"], alice["item_count"]) == (2048, 3)


def test_show_for_people(with_alice):
    with_alice.does("device", "add", ALICE, "--label", "Phone", "--scope", "POP3, smtp")
    with_alice.does("device", "add", ALICE)
    with_alice.directory.note_use(
        with_alice.directory.by_address(ALICE).principal_id, DeviceId(1), 1_700_000_000_000, "pop3"
    )
    with_alice.does("alias", "add", "al@example.org", ALICE)
    with_alice.does("user", "set", ALICE, "--forward-to", "x@other.example", "--no-keep-copy")
    shown = with_alice.does("user", "show", ALICE)
    for line in (
        "Address       alice@example.org",
        "Name          Alice L.",
        "Aliases       al@example.org",
        "Forwarding    x@other.example (keeping none)",
        "Mailbox       3 items, 2.0 KiB of 1.0 GiB",
        "Phone     2023-11-14T22:13:20Z  2023-11-14T22:13:20Z  pop3  pop3, smtp",
        "Device 1  2023-11-14T22:13:20Z",
    ):
        assert line in shown.splitlines()
    devices = with_alice.asks("user", "show", ALICE)["devices"]
    assert devices[1]["last_used_at"] is None


def test_passwords(with_alice):
    before = with_alice.directory.credentials(1).secrets
    with_alice.does("user", "passwd", ALICE, "--password-stdin", stdin="new one\r\n")
    assert with_alice.directory.credentials(1).secrets != before
    assert "--password-stdin" in with_alice.errs("user", "passwd", ALICE)
    assert "--password-stdin" in with_alice.errs("user", "add", BOB)
    assert "no password" in with_alice.errs("user", "passwd", ALICE, "--password-stdin")
    assert "no password" in with_alice.errs(
        "user", "passwd", ALICE, "--password-stdin", stdin="x" * 5000
    )
    assert "UTF-8" in with_alice.errs("user", "passwd", ALICE, "--password-stdin", stdin=b"\xff\n")
    with_alice.errs("user", "add", BOB, "--no-password", "--password-stdin", stdin="x\n")
    assert "cannot be used" in with_alice.fails(
        "user", "passwd", ALICE, "--password-stdin", stdin="a\tb\n"
    )
    assert not [line for line in with_alice.audit.lines if "new one" in repr(line)]


def test_a_terminal_is_asked_twice(monkeypatch, capsys):
    asked = []

    def prompt(text, **how):
        asked.append((text, how))
        return "typed"

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.prompt", prompt)
    assert console.read_password(from_stdin=False) == "typed"
    assert asked == [("Password", {"hide_input": True, "confirmation_prompt": True, "err": True})]


def test_set(with_alice):
    with_alice.does("user", "set", ALICE, "--quota", "none", "--pop-delete", "trash")
    with_alice.does("user", "set", ALICE, "--pop-folders", "Sent Items, Projects,")
    with_alice.does("user", "set", ALICE, "--name", "A. L.")
    shown = with_alice.asks("user", "show", ALICE)
    assert shown["quota_bytes"] == 0
    assert (shown["pop_delete"], shown["pop_folders"]) == ("trash", ["Sent Items", "Projects"])
    assert shown["name"] == "A. L."
    with_alice.does("user", "set", ALICE, "--pop-folders", "")
    assert with_alice.asks("user", "show", ALICE)["pop_folders"] == []
    with_alice.does(
        "user", "set", ALICE, "--forward-to", "x@y.example", "--forward-to", "z@y.example"
    )
    shown = with_alice.asks("user", "show", ALICE)
    assert (shown["forward_to"], shown["keeps_copy"]) == (["x@y.example", "z@y.example"], True)
    with_alice.does("user", "set", ALICE, "--no-keep-copy")
    assert not with_alice.asks("user", "show", ALICE)["keeps_copy"]
    with_alice.does("user", "set", ALICE, "--no-forward")
    shown = with_alice.asks("user", "show", ALICE)
    assert (shown["forward_to"], shown["keeps_copy"]) == ([], True)
    with_alice.errs("user", "set", ALICE)
    with_alice.errs("user", "set", ALICE, "--no-forward", "--forward-to", "x@y.example")
    assert "500MiB" in with_alice.errs("user", "set", ALICE, "--quota", "lots")
    with_alice.errs("user", "set", ALICE, "--pop-delete", "burn")


def test_disable_enable_remove(with_alice):
    assert with_alice.does("user", "disable", ALICE) == "Disabled alice@example.org.\n"
    assert with_alice.asks("user", "list")[0]["is_disabled"]
    assert not with_alice.asks("user", "enable", ALICE)["is_disabled"]
    assert "--yes" in with_alice.errs("user", "remove", ALICE)
    assert with_alice.directory.by_address(ALICE)
    with_alice.does("user", "remove", ALICE, "--yes")
    assert with_alice.directory.by_address(ALICE) is None
    assert with_alice.records.mailboxes == {}
    assert [event for event, _ in with_alice.audit.lines] == [
        "user-added",
        "user-disabled",
        "user-enabled",
        "user-removed",
    ]


def test_wrong_words_and_missing_people(operator):
    assert operator.errs("user", "show", "alice").startswith("Invalid value for 'ADDRESS'")
    assert operator.fails("user", "show", ALICE) == (
        "there is no user alice@example.org; see what there is with `posthouse user list`"
    )
    assert "posthouse room list" in operator.fails("room", "remove", ALICE, "--yes")
    result = CliRunner().invoke(cli.posthouse, ["user", "list"], env={"POSTHOUSE_DATA": ""})
    assert result.exit_code == 2
    assert "POSTHOUSE_DATA" in result.stderr
    operator.does("user", "list", "--data", "/elsewhere")
    assert operator.paths[-1] == "/elsewhere"


def test_a_failure_is_one_sentence_and_status_1(operator, monkeypatch, capsys):
    def fail(*kinds):
        raise Unavailable("directory.db: disk full")

    monkeypatch.setattr(operator.people, "all_of", fail)
    monkeypatch.setattr("sys.argv", ["posthouse", "user", "list", "--data", "/x"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "posthouse: directory.db: disk full\n"


def test_devices(with_alice):
    made = with_alice.asks("device", "add", ALICE, "--label", "Phone", "--scope", "pop3,smtp")
    assert made["label"] == "Phone"
    assert len(made["password"]) == 23
    assert made["scope"] == ["pop3", "smtp"]
    out = with_alice.does("device", "add", ALICE)
    assert out.startswith("Device 1 of alice@example.org: ")
    rows = with_alice.asks("device", "list", ALICE)
    assert [row["label"] for row in rows] == ["Phone", "Device 1"]
    assert not any("password" in row for row in rows)
    with_alice.does("device", "revoke", ALICE, "Phone")
    with_alice.does("device", "revoke", ALICE, "--label", "Device 1")
    assert with_alice.asks("device", "list", ALICE) == []
    with_alice.errs("device", "revoke", ALICE)
    assert "pop3" in with_alice.errs("device", "add", ALICE, "--scope", "gopher")
    assert "device list" in with_alice.fails("device", "revoke", ALICE, "Phone")


def test_aliases_in_either_order(with_alice):
    assert with_alice.asks("alias", "add", "al@example.org", ALICE) == {
        "alias": "al@example.org",
        "address": ALICE,
    }
    with_alice.does("alias", "add", ALICE, "a.l@example.org")
    rows = with_alice.asks("alias", "list")
    assert [row["alias"] for row in rows] == ["a.l@example.org", "al@example.org"]
    assert with_alice.asks("alias", "list", ALICE) == rows
    assert "is taken" in with_alice.fails("alias", "add", "al@example.org", ALICE)
    with_alice.does("alias", "remove", "al@example.org")
    assert "alias list" in with_alice.fails("alias", "remove", "al@example.org")
    assert "alias list" in with_alice.fails("alias", "remove", ALICE)


def test_groups(with_alice):
    made = with_alice.asks("group", "add", "team@example.org", ALICE, "--member", "x@y.example")
    assert made["members"] == [ALICE, "x@y.example"]
    assert with_alice.asks("group", "list")[0]["member_count"] == 2
    changed = with_alice.asks(
        "group", "members", "team@example.org", "--add", "z@y.example", "--remove", ALICE
    )
    assert changed["members"] == ["x@y.example", "z@y.example"]
    assert with_alice.does("group", "members", "team@example.org") == (
        "Member\nx@y.example\nz@y.example\n"
    )
    with_alice.does("group", "remove", "team@example.org", "--yes")
    assert with_alice.asks("group", "list") == []


def test_rooms(operator):
    assert operator.asks("room", "add", "red@example.org", "--name", "Red")["name"] == "Red"
    assert operator.asks("room", "list") == [{"address": "red@example.org", "name": "Red"}]
    assert "no user" in operator.fails("user", "disable", "red@example.org")
    operator.does("room", "remove", "red@example.org", "--yes")
    assert operator.asks("room", "list") == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("none", 0), ("17", 17), ("1k", 1024), ("5GiB", 5 << 30), ("500 MB", 500 << 20)],
)
def test_sizes(text, size):
    assert console.SizeType().convert(text, None, None) == size


def test_sizes_for_people():
    assert [console.size_from_bytes(n) for n in (0, 1023, 1536, 5 << 30, 1 << 60)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "1048576.0 TiB",
    ]


def test_output_plays_no_tricks_on_a_terminal():
    assert console.shown("a\x1b[2Jb\u202e") == "a\ufffd[2Jb\ufffd"
    assert console.shown(("a", True, None, 3)) == "a, yes, , 3"


def test_a_terminal_gets_a_drawn_table(monkeypatch, capsys):
    main, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        console.show_rows({"a": "Heading"}, [{"a": "[bold]x"}], as_json=False)
    drawn = os.read(main, 4096)
    os.close(main)
    assert b"Heading" in drawn
    assert b"[bold]x" in drawn


def test_domains(with_alice):
    operator = with_alice
    assert operator.asks("domain", "add", "Second.Example") == {
        "domain": "second.example",
        "catch_all": "",
    }
    assert operator.asks("domain", "catch-all", "second.example", ALICE)["catch_all"] == ALICE
    assert operator.does("domain", "list").split() == [
        "Domain",
        "Catch-all",
        "example.org",
        "second.example",
        ALICE,
    ]
    assert operator.directory.catch_all("second.example") == ALICE
    out = operator.does("domain", "catch-all", "second.example", "--none")
    assert out == "Mail for unknown addresses of second.example is turned away.\n"
    assert "--none" in operator.errs("domain", "catch-all", "second.example")
    operator.does("alias", "add", "a@second.example", ALICE)
    assert "a@second.example is still there" in operator.fails("domain", "remove", "second.example")
    operator.does("alias", "remove", "a@second.example")
    assert operator.does("domain", "remove", "second.example") == "Removed second.example.\n"
    assert "only domain" in operator.fails("domain", "remove", "example.org")
    assert "domain list" in operator.fails("domain", "remove", "elsewhere.example")
    assert "no domain name" in operator.fails("domain", "add", "not a domain")
    events = [event for event, _ in operator.audit.lines if "domain" in event or "catch" in event]
    assert events == [
        "domain-added",
        "catch-all-changed",
        "catch-all-changed",
        "domain-removed",
    ]
