"""phone, and the code of `user qr`: what is said, printed, logged and asked."""

import asyncio
import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from xml.dom import minidom

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from posthouse.app import cli, console
from posthouse.app.config import load
from posthouse.app.devices import device_rules
from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.model.batch import DropSyncStates
from posthouse.model.errors import ConfigurationError, NotFound, PosthouseError
from posthouse.model.ids import DeviceId, MailboxId
from posthouse.model.partnership import (
    DeviceAccess,
    DeviceInformation,
    DevicePolicy,
    Wipe,
)
from posthouse.model.people import Login, PrincipalKind
from posthouse.protocols.autodiscover.server import PATHS
from posthouse.services.devices.partnerships import Partnerships
from posthouse.services.devices.policies import DeviceRules
from posthouse.services.directory.passwords import HashCost, Hasher
from posthouse.services.directory.people import People

ALICE = "alice@example.org"
BOB = "bob@example.org"


class Chance:
    count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


class Clock:
    ms = 1_700_000_000_000

    def now_ms(self):
        return self.ms

    def monotonic_s(self):
        return 0.0


@dataclass
class Audit:
    lines: list = field(default_factory=list)

    def record(self, event, **fields):
        self.lines.append((event, fields))


class StoreOfTests:
    """Remembers what it is told."""

    def __init__(self):
        self.commits = []

    async def apply(self, commit):
        self.commits.append(commit)


class Operator:
    """Types commands."""

    def __init__(self, path):
        chance = Chance()
        self.clock, self.audit = Clock(), Audit()
        self.directory = MemoryDirectory(chance)
        self.directory.add_domain("example.org")
        hasher = Hasher(chance, HashCost(memory_kib=8, passes=1))
        self.people = People(self.directory, None, self.audit, self.clock, chance, hasher)
        self.people.actor = "root"
        self.path = path
        self.store = StoreOfTests()
        self.configure("")
        for mailbox_id, address in enumerate((ALICE, BOB), 1):
            self.directory.add_principal(
                PrincipalKind.USER, address, address.partition("@")[0], MailboxId(mailbox_id)
            )
        self.phones = Partnerships(self.directory, self.clock, chance, DeviceRules())

    def configure(self, text):
        (self.path / "posthouse.toml").write_text(text)
        self.config = load(self.path)

    def meets(self, eas_id, address=ALICE, *, version=161, device_id=0, **said):
        login = Login(self.directory.by_address(address), DeviceId(device_id))
        met = self.phones.meet(login, eas_id, device_type="iPhone", host="::1", version=version)
        return self.phones.describe(met, DeviceInformation(**said))

    def kept(self, eas_id, address=ALICE):
        return self.directory.partnership(self.directory.by_address(address).principal_id, eas_id)

    def run(self, coroutine):
        return asyncio.run(coroutine)

    def types(self, *words, stdin=""):
        return CliRunner().invoke(
            cli.posthouse, list(words), input=stdin, env={"POSTHOUSE_DATA": "/somewhere"}
        )

    def does(self, *words):
        result = self.types(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        assert result.stderr == ""
        return result.stdout

    def asks(self, *words):
        (line,) = self.does(*words, "--json").splitlines()
        return json.loads(line)

    def fails(self, *words):
        result = self.types(*words)
        assert isinstance(result.exception, PosthouseError), result.output
        return result.exception


@pytest.fixture
def operator(monkeypatch, tmp_path):
    made = Operator(tmp_path)

    @contextmanager
    def opened(data):
        yield made

    monkeypatch.setattr(console, "opened", opened)
    return made


def test_no_phones(operator):
    assert operator.does("phone", "list") == "Address  Id  Phone  System  Last seen  State\n"
    assert operator.asks("phone", "list", ALICE) == []


def test_lists_are_by_person_and_then_by_first_sight(operator):
    operator.meets("B2", BOB)
    operator.meets("A2", friendly_name="Alice's tablet", model="iPad", os="iPadOS 26.1")
    operator.meets("A1", model="iPhone14C2")
    assert operator.does("phone", "list").splitlines() == [
        "Address            Id  Phone           System       Last seen             State",
        "alice@example.org  A2  Alice's tablet  iPadOS 26.1  2023-11-14T22:13:20Z",
        "alice@example.org  A1  iPhone14C2                   2023-11-14T22:13:20Z",
        "bob@example.org    B2  iPhone                       2023-11-14T22:13:20Z",
    ]
    assert [row["id"] for row in operator.asks("phone", "list", BOB)] == ["B2"]
    assert isinstance(operator.fails("phone", "list", "carol@example.org"), NotFound)


def test_show(operator):
    made = operator.people.add_device(operator.directory.by_address(ALICE), "Phone")
    operator.meets(
        "ApplABC",
        device_id=made.device.device_id,
        model="iPhone14C2",
        os="iOS 26.1",
        friendly_name="\x1b[31mred",
        phone_number="+49 30 1234",
    )
    shown = operator.does("phone", "show", ALICE, "applabc")
    assert shown.splitlines() == [
        "Address     alice@example.org",
        "Id          ApplABC",
        "Phone       \ufffd[31mred",
        "Type        iPhone",
        "System      iOS 26.1",
        "ActiveSync  16.1",
        "Number      +49 30 1234",
        "Password    Phone",
        "First seen  2023-11-14T22:13:20Z",
        "Last seen   2023-11-14T22:13:20Z",
        "From        ::1",
        "Policy      none",
    ]
    assert operator.asks("phone", "show", ALICE, "ApplABC") == {
        "address": ALICE,
        "id": "ApplABC",
        "name": "\x1b[31mred",
        "type": "iPhone",
        "model": "iPhone14C2",
        "friendly_name": "\x1b[31mred",
        "os": "iOS 26.1",
        "os_language": "",
        "user_agent": "",
        "version": "16.1",
        "phone_number": "+49 30 1234",
        "mobile_operator": "",
        "imei": "",
        "password": "Phone",
        "first_seen_at": "2023-11-14T22:13:20Z",
        "last_seen_at": "2023-11-14T22:13:20Z",
        "last_host": "::1",
        "access": "allowed",
        "policy": "none",
        "wipe": "none",
        "wipes_device": False,
        "wipe_at": None,
        "state": "",
    }
    error = operator.fails("phone", "show", ALICE, "other")
    assert "see `posthouse phone list alice@example.org`" in str(error)


def test_passwords_that_are_the_own_or_gone(operator):
    operator.meets("own")
    operator.meets("gone", device_id=9)
    assert operator.asks("phone", "show", ALICE, "own")["password"] == "the person's own"
    assert operator.asks("phone", "show", ALICE, "gone")["password"] == ""


def test_policies_in_words(operator):
    phone = operator.meets("x")
    operator.configure("[activesync.policy]\nrequire_encryption = true")
    assert operator.asks("phone", "show", ALICE, "x")["policy"] == "not taken"
    operator.phones.rules = device_rules(operator.config)
    phone = operator.phones.begin_provision(phone)
    operator.phones.acknowledge(phone, phone.pending_policy_key, 1)
    assert operator.asks("phone", "show", ALICE, "x")["policy"] == "taken"
    operator.configure("")
    assert operator.asks("phone", "show", ALICE, "x")["policy"] == "an older one"


@pytest.mark.parametrize(
    ("word", "access", "state"),
    [
        ("allow", "allowed", ""),
        ("block", "blocked", "blocked"),
        ("quarantine", "quarantined", "waits for `posthouse phone allow`"),
    ],
)
def test_in_and_out(operator, word, access, state):
    operator.meets("ApplABC")
    assert operator.does("phone", word, ALICE, "APPLABC") == (
        f"ApplABC of alice@example.org: {access}.\n"
    )
    value = operator.asks("phone", word, ALICE, "ApplABC")
    assert (value["access"], value["state"]) == (access, state)
    assert operator.kept("ApplABC").access.name.lower() == access
    assert (
        operator.audit.lines
        == [(f"phone-{access}", {"by": "root", "address": ALICE, "phone": "ApplABC"})] * 2
    )


def test_a_wipe_is_asked_for_by_name(operator):
    operator.meets("ApplABC", friendly_name="Alice's")
    asked = operator.types("phone", "wipe", ALICE, "ApplABC")
    assert asked.exit_code == 2
    assert "add --yes" in asked.stderr
    assert operator.kept("ApplABC").wipe is Wipe.NONE
    said = operator.does("phone", "wipe", ALICE, "ApplABC", "--yes")
    assert said.startswith("ApplABC of alice@example.org will erase this account on it when")
    kept = operator.kept("ApplABC")
    assert (kept.wipe, kept.wipes_device) == (Wipe.REQUESTED, False)
    value = operator.asks("phone", "wipe", ALICE, "ApplABC", "--whole-device", "--yes")
    assert (value["wipe"], value["wipes_device"]) == ("requested", True)
    assert value["state"] == "will be wiped when it comes next"
    assert operator.audit.lines[-1] == (
        "phone-wiped",
        {"by": "root", "address": ALICE, "phone": "ApplABC", "whole_device": True},
    )


@pytest.mark.parametrize(("answer", "wipe"), [("y\n", Wipe.REQUESTED), ("n\n", Wipe.NONE)])
def test_a_wipe_asks_on_a_terminal(operator, monkeypatch, answer, wipe):
    operator.meets("ApplABC", friendly_name="Alice's \x1b[2J")
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    result = operator.types("phone", "wipe", ALICE, "applabc", "--whole-device", stdin=answer)
    assert result.stderr.startswith(
        "Erase EVERYTHING on it: Alice's \ufffd[2J (ApplABC) of alice@example.org? [y/N]: "
    )
    assert operator.kept("ApplABC").wipe is wipe


def test_an_old_phone_is_not_wiped_by_half(operator):
    operator.meets("old", version=141)
    error = operator.fails("phone", "wipe", ALICE, "old", "--yes")
    assert isinstance(error, ConfigurationError)
    assert "--whole-device" in str(error)
    assert operator.kept("old").wipe is Wipe.NONE


@pytest.mark.parametrize(
    ("wipe", "state"), [(Wipe.SENT, "was told to wipe itself"), (Wipe.DONE, "wiped")]
)
def test_how_far_a_wipe_has_come(operator, wipe, state):
    phone = operator.meets("x")
    operator.directory.keep_partnership(
        replace(phone, access=DeviceAccess.BLOCKED, wipe=wipe, wipe_at=Clock.ms)
    )
    value = operator.asks("phone", "show", ALICE, "x")
    assert (value["state"], value["wipe_at"]) == (state, "2023-11-14T22:13:20Z")
    back = operator.asks("phone", "allow", ALICE, "x")
    assert (back["state"], back["wipe"], back["wipe_at"]) == ("", "none", None)


def test_forget(operator):
    number = operator.meets("x").device_number
    assert operator.does("phone", "forget", ALICE, "X") == "Forgot x of alice@example.org.\n"
    assert operator.kept("x") is None
    (commit,) = operator.store.commits
    assert commit.batches[0].operations == (DropSyncStates(number),), "nothing is left of it"
    operator.meets("x")
    assert operator.asks("phone", "forget", ALICE, "x") == {
        "address": ALICE,
        "id": "x",
        "forgotten": True,
    }
    assert isinstance(operator.fails("phone", "forget", ALICE, "x"), NotFound)


def test_a_phone_that_is_not_wiped_yet_is_forgotten_only_by_wish(operator):
    operator.meets("x")
    operator.does("phone", "wipe", ALICE, "x", "--yes")
    asked = operator.types("phone", "forget", ALICE, "x")
    assert asked.exit_code == 2
    assert operator.kept("x") is not None
    operator.does("phone", "forget", ALICE, "x", "--yes")
    assert operator.kept("x") is None


def test_a_person_takes_the_phones_along(operator):
    operator.meets("x")
    operator.directory.remove_principal(operator.directory.by_address(ALICE).principal_id)
    assert operator.asks("phone", "list") == []


def test_the_rules_of_the_configuration(operator):
    assert device_rules(operator.config) == DeviceRules()
    operator.configure(
        """
        [activesync]
        new_devices = "quarantine"
        devices_per_person = 7
        enforce_provisioning = false
        accept_partial = true
        [activesync.policy]
        password_required = true
        password_length_min = 6
        password_letters = true
        allow_simple_password = false
        password_days = 90
        wipe_after_failures = 10
        lock_after = "5 min"
        require_encryption = true
        require_card_encryption = true
        allow_camera = false
        """
    )
    assert device_rules(operator.config) == DeviceRules(
        DeviceAccess.QUARANTINED,
        7,
        enforces=False,
        accepts_partial=True,
        policy=DevicePolicy(True, 6, True, False, 90, 300, 10, True, True, False),
    )


# --- the code

URL = "https://mail.example.org/mobileconfig?email=alice@example.org"
PUBLIC = 'profile = "public"\nhostname = "mail.example.org"\n'


@pytest.fixture
def public(operator):
    operator.configure(PUBLIC)
    return operator


def test_the_address_of_the_profile(public):
    assert public.asks("user", "qr", ALICE) == {"address": ALICE, "url": URL}
    assert public.asks("user", "qr", ALICE.upper())["address"] == ALICE
    assert isinstance(public.fails("user", "qr", "carol@example.org"), NotFound)
    public.configure(PUBLIC + '[listen]\nhttps = "none"\n')
    assert "listen.https is closed" in str(public.fails("user", "qr", ALICE))


def test_odd_letters_of_an_address(public):
    public.directory.add_principal(PrincipalKind.USER, "a+b&c@example.org", "A", MailboxId(3))
    assert public.asks("user", "qr", "a+b&c@example.org")["url"] == (
        "https://mail.example.org/mobileconfig?email=a%2Bb%26c@example.org"
    )


def modules_from_lines(lines):
    """What a camera would see: rows of booleans, dark is true."""
    halves = {"\u2588": (1, 1), "\u2580": (1, 0), "\u2584": (0, 1), " ": (0, 0)}
    rows = []
    for line in lines:
        pairs = [halves[character] for character in line]
        rows += [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]
    return rows


def test_the_code_on_a_terminal_is_the_one_of_the_url(public):
    segno = pytest.importorskip("segno")
    lines = public.does("user", "qr", ALICE).splitlines()
    assert lines[-2:] == [
        URL,
        "The device asks for the password: `posthouse device add` makes one for each.",
    ]
    expected = [list(row) for row in segno.make_qr(URL, error="m").matrix_iter(border=4)]
    seen = modules_from_lines(line.ljust(len(expected)) for line in lines[:-2])
    assert seen[: len(expected)] == expected
    assert not any(map(any, seen[len(expected) :]))


def test_colours_only_where_they_are_seen(public):
    shown = CliRunner().invoke(
        cli.posthouse, ["user", "qr", ALICE], env={"POSTHOUSE_DATA": "/somewhere"}, color=True
    )
    assert shown.stdout.startswith("\x1b[38;5;16;48;5;231m ")
    assert "\x1b" not in public.does("user", "qr", ALICE)


def test_a_file_instead(public, tmp_path):
    path = tmp_path / "code.svg"
    assert public.does("user", "qr", ALICE, "--svg", str(path)).splitlines()[0] == URL
    root = minidom.parse(str(path)).documentElement
    assert root.tagName == "svg"
    again = tmp_path / "again.svg"
    public.asks("user", "qr", ALICE, "--svg", str(again))
    assert again.read_bytes() == path.read_bytes()
    wrong = public.fails("user", "qr", ALICE, "--svg", str(tmp_path / "none" / "x.svg"))
    assert "cannot be written: No such file" in str(wrong)


def test_who_tries_things_out_is_told_that_no_phone_reaches_it(operator):
    said = operator.does("user", "qr", ALICE)
    assert "https://localhost:2443/mobileconfig?email=alice@example.org" in said
    assert 'Nobody but this machine reaches it: `profile` is "loopback".' in said


def test_the_door_answers_where_the_code_leads():
    assert urlsplit(URL).path in PATHS
