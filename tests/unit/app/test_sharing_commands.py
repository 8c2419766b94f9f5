"""shared, share, user details, user photo: what is said, printed and answered with which status."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from posthouse.app import cli, console
from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.memory.records import MemoryRecords
from posthouse.model.errors import PosthouseError
from posthouse.model.people import PrincipalKind
from posthouse.services.directory.passwords import HashCost, Hasher
from posthouse.services.directory.people import People
from posthouse.store.store import Store

ALICE, BOB, OFFICE = "alice@example.org", "bob@example.org", "office@example.org"
PNG = b"\x89PNG\r\n\x1a\nrest"


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


class AuditInMemory:
    def __init__(self):
        self.lines = []

    def record(self, event, **fields):
        self.lines.append((event, fields))


@dataclass
class Operator:
    """Types commands."""

    directory: MemoryDirectory
    store: Store
    audit: AuditInMemory
    people: People
    config: Any

    def run(self, coroutine):
        return asyncio.run(coroutine)

    def types(self, *words):
        return CliRunner().invoke(cli.posthouse, list(words), env={"POSTHOUSE_DATA": "/somewhere"})

    def does(self, *words):
        result = self.types(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    def asks(self, *words):
        (line,) = self.does(*words, "--json").splitlines()
        return json.loads(line)

    def errs(self, *words):
        result = self.types(*words)
        assert result.exit_code == 2, result.output
        return result.stderr.partition("Error: ")[2]

    def fails(self, *words):
        result = self.types(*words)
        assert isinstance(result.exception, PosthouseError), result.output
        return str(result.exception)


@pytest.fixture
def operator(monkeypatch):
    chance, clock, audit = CountingChance(), FixedClock(), AuditInMemory()
    blobs, hints = MemoryBlobs(), MemoryHints()
    records = MemoryRecords(blobs, hints.publish, clock)
    directory = MemoryDirectory(chance)
    directory.add_domain("example.org")
    hasher = Hasher(chance, HashCost(memory_kib=8, passes=1))
    people = People(directory, records, audit, clock, chance, hasher)
    people.actor = "root"
    config = SimpleNamespace(store=SimpleNamespace(default_quota=1 << 30))
    made = Operator(directory, Store(records, blobs, hints, clock), audit, people, config)
    for address in (ALICE, BOB):
        made.run(people.add(PrincipalKind.USER, address, address.partition("@")[0].title()))
    people.add_group("staff@example.org", "Staff", [ALICE])

    @contextmanager
    def opened(_data):
        yield made

    monkeypatch.setattr(console, "opened", opened)
    yield made
    records.close()


def test_shared_mailboxes_come_and_go(operator):
    assert "posthouse share grant office@example.org" in operator.does(
        "shared", "add", OFFICE, "--name", "The office"
    )
    assert operator.asks("shared", "list") == [{"address": OFFICE, "name": "The office"}]
    assert "The office" in operator.does("shared", "list")
    assert "alice@example.org is taken" in operator.fails("shared", "add", ALICE)
    assert "there is no shared mailbox" in operator.fails("shared", "remove", ALICE, "--yes")
    assert operator.asks("shared", "remove", OFFICE, "--yes") == {
        "address": OFFICE,
        "removed": True,
    }
    assert operator.asks("shared", "list") == []


def test_grant_list_revoke(operator):
    operator.does("shared", "add", OFFICE)
    words = ("share", "grant", OFFICE, "--to", "staff@example.org")
    assert operator.asks(*words, "--rights", "editor", "--send-as") == {
        "address": OFFICE,
        "to": "staff@example.org",
        "granted": [
            {"to": "staff@example.org", "name": "Staff", "rights": "editor", "folder": None},
            {"to": "staff@example.org", "name": "Staff", "rights": "send-as", "folder": None},
        ],
    }
    said = operator.does(
        "share", "grant", OFFICE, "--to", BOB, "--rights", "reviewer", "--folder", "inbox"
    )
    assert said == "bob@example.org now has on office@example.org: reviewer (Inbox).\n"
    assert [
        (row["to"][:3], row["rights"], row["folder"])
        for row in operator.asks("share", "list", OFFICE)
    ] == [
        ("bob", "reviewer", "Inbox"),
        ("sta", "editor", None),
        ("sta", "send-as", None),
    ]
    table = operator.does("share", "list", OFFICE)
    assert table.splitlines()[0].split() == ["To", "Name", "May", "Where"]
    assert "all folders" in table
    assert (
        operator.asks("share", "revoke", OFFICE, "--from", BOB)["revoked"][0]["rights"]
        == "reviewer"
    )
    assert "has lost on office@example.org: send-as." in operator.does(
        "share", "revoke", OFFICE, "--from", "staff@example.org", "--send-as"
    )
    assert len(operator.asks("share", "list", OFFICE)) == 1
    events = [(event, fields["by"]) for event, fields in operator.audit.lines if "share-" in event]
    assert events == [("share-granted", "root")] * 2 + [("share-revoked", "root")] * 2


def test_free_busy_and_sending_alone(operator):
    said = operator.does("share", "grant", ALICE, "--to", BOB, "--rights", "free-busy")
    assert said == "bob@example.org now has on alice@example.org: free-busy (Calendar).\n"
    operator.does("share", "grant", "staff@example.org", "--to", ALICE, "--send-on-behalf")
    assert operator.asks("share", "list", "staff@example.org")[0]["rights"] == "send-on-behalf"


def test_what_makes_no_sense(operator):
    assert "say what" in operator.errs("share", "grant", ALICE, "--to", BOB)
    assert "goes with --rights" in operator.errs(
        "share", "grant", ALICE, "--to", BOB, "--send-as", "--folder", "Inbox"
    )
    assert "no folder 'Nowhere'" in operator.fails(
        "share", "grant", ALICE, "--to", BOB, "--rights", "editor", "--folder", "Nowhere"
    )
    assert "granted nothing" in operator.fails("share", "revoke", ALICE, "--from", BOB)
    assert "there is no" in operator.fails("share", "list", "nobody@example.org")
    assert "--to" in operator.errs("share", "grant", ALICE, "--rights", "editor")


def test_copies_in_sent_items(operator):
    operator.does("user", "set", ALICE, "--pop-delete", "trash")
    assert operator.asks("share", "keep-sent", ALICE, "yes") == {
        "address": ALICE,
        "keeps_sent": True,
    }
    mailbox = operator.run(operator.store.records.mailbox(operator.people.find(ALICE).mailbox_id))
    assert json.loads(mailbox.settings) == {"pop_delete": "trash", "keeps_sent": True}
    assert "does not keep" in operator.does("share", "keep-sent", ALICE, "no")
    assert "there is no user" in operator.fails("share", "keep-sent", "staff@example.org", "yes")


def test_details(operator):
    shown = operator.asks(
        "user",
        "details",
        ALICE,
        "--set",
        "phone=+49 30 1",
        "--set",
        "First-Name= Alice ",
        "--set",
        "hidden=yes",
    )
    assert (shown["phone"], shown["first_name"], shown["is_hidden"]) == ("+49 30 1", "Alice", True)
    assert "Phone         +49 30 1" in operator.does("user", "details", ALICE)
    assert operator.asks("user", "details", ALICE, "--set", "phone=")["phone"] == ""
    assert operator.asks("user", "details", ALICE)["first_name"] == "Alice"
    assert operator.audit.lines[-1] == (
        "details-changed",
        {"by": "root", "address": ALICE, "phone": ""},
    )
    assert "one of first-name, last-name" in operator.errs(
        "user", "details", ALICE, "--set", "fax=1"
    )
    assert "yes or no" in operator.errs("user", "details", ALICE, "--set", "hidden=perhaps")
    assert "at most 255" in operator.fails("user", "details", ALICE, "--set", f"title={'x' * 256}")
    assert "at most 255" in operator.fails("user", "details", ALICE, "--set", "title=a\nb")


def test_photo(operator, tmp_path):
    file = tmp_path / "alice.jpg"
    file.write_bytes(PNG)
    assert operator.does("user", "photo", ALICE) == "alice@example.org has no photo.\n"
    assert operator.asks("user", "photo", ALICE, str(file)) == {
        "address": ALICE,
        "media_type": "image/png",
        "size_bytes": len(PNG),
        "changed_at": "2023-11-14T22:13:20Z",
    }
    assert operator.directory.photo(operator.people.find(ALICE).principal_id).data == PNG
    assert "image/png" in operator.does("user", "photo", ALICE)
    assert operator.asks("user", "photo", ALICE, "--remove")["media_type"] is None
    assert "contradict" in operator.errs("user", "photo", ALICE, str(file), "--remove")
    for data, words in (
        (b"GIF89a", "neither JPEG nor PNG"),
        (b"", "neither"),
        (PNG + bytes(512_000), "500 KiB"),
    ):
        file.write_bytes(data)
        assert words in operator.fails("user", "photo", ALICE, str(file))
    assert [event for event, _ in operator.audit.lines if "photo" in event] == ["photo-changed"] * 2
