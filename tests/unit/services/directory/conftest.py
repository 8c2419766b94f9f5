"""A directory with a clock that we own, cheap hashes and people in it."""

import hashlib
from dataclasses import dataclass, field

import pytest

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.mechanisms.scram import ITERATIONS, verifier_from_password
from posthouse.model.ids import DeviceId, MailboxId
from posthouse.model.people import PrincipalKind, Secret
from posthouse.services.directory.guesses import Guesses
from posthouse.services.directory.login import Logins
from posthouse.services.directory.passwords import HashCost, Hasher, device_hash


class CountingChance:
    def __init__(self):
        self.count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


@dataclass
class OwnClock:
    """Time that passes by sleeping only."""

    now_s: float = 1_000.0
    slept: list = field(default_factory=list)

    def now_ms(self):
        return int(self.now_s * 1000)

    def monotonic_s(self):
        return self.now_s

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_s += seconds


class AuditInMemory:
    def __init__(self):
        self.lines = []

    def note(self, event, **fields):
        self.lines.append((event, fields))

    record = note


class CountingThread:
    """Runs the work at once and counts it."""

    def __init__(self):
        self.count = 0

    async def __call__(self, work):
        self.count += 1
        return work()


@dataclass
class House:
    """What the tests ask for."""

    directory: MemoryDirectory
    clock: OwnClock
    chance: CountingChance
    audit: AuditInMemory
    thread: CountingThread
    hasher: Hasher
    guesses: Guesses
    logins: Logins

    def secret(self, principal_id, password, scope=(), *, is_device=False):
        salt = self.directory.credentials(principal_id).scram_salt
        raw = password.encode()
        password_hash = device_hash(raw) if is_device else self.hasher.hash(raw)
        return Secret(
            DeviceId(0), password_hash, verifier_from_password(raw, salt, ITERATIONS), scope
        )

    def add(self, address, password="", kind=PrincipalKind.USER, **changes):
        mailbox_id = 0 if kind is PrincipalKind.GROUP else len(self.directory.principals(None)) + 1
        made = self.directory.add_principal(kind, address, address, MailboxId(mailbox_id))
        if password:
            self.directory.set_secret(made.principal_id, self.secret(made.principal_id, password))
        return self.change(made, **changes) if changes else made

    def add_device(self, principal, label, password, scope=()):
        secret = self.secret(principal.principal_id, password, scope, is_device=True)
        return self.directory.add_device(principal.principal_id, label, secret, 0)

    def change(self, principal, **changes):
        from dataclasses import replace

        current = self.directory.principal(principal.principal_id)
        return self.directory.change_principal(replace(current, **changes))


@pytest.fixture
def house():
    chance, clock, audit, thread = CountingChance(), OwnClock(), AuditInMemory(), CountingThread()
    directory = MemoryDirectory(chance)
    directory.add_domain("example.org")
    hasher = Hasher(chance, HashCost(memory_kib=8, passes=1), thread)
    guesses = Guesses(clock, 1, clock.sleep)
    logins = Logins(directory, audit, clock, chance, hasher, guesses)
    return House(directory, clock, chance, audit, thread, hasher, guesses, logins)
