"""A directory with two people and a clock that stands."""

import hashlib
from dataclasses import dataclass, field

import pytest

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.model.ids import DeviceId, MailboxId
from posthouse.model.people import Login, PrincipalKind


@dataclass
class Clock:
    ms: int = 1_700_000_000_000

    def now_ms(self):
        return self.ms

    def monotonic_s(self):
        return self.ms / 1000


@dataclass
class Chance:
    count: int = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


@dataclass
class Audit:
    lines: list = field(default_factory=list)

    def record(self, event, **fields):
        self.lines.append((event, fields))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def chance():
    return Chance()


@pytest.fixture
def audit():
    return Audit()


@pytest.fixture
def directory(chance):
    made = MemoryDirectory(chance)
    made.add_domain("example.org")
    return made


@pytest.fixture
def alice(directory):
    return directory.add_principal(PrincipalKind.USER, "alice@example.org", "Alice", MailboxId(1))


@pytest.fixture
def bob(directory):
    return directory.add_principal(PrincipalKind.USER, "bob@example.org", "Bob", MailboxId(2))


@pytest.fixture
def login(alice):
    return Login(alice, DeviceId(3))
