"""A store and a directory in memory, with people, a group and a shared mailbox."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.memory.records import MemoryRecords
from posthouse.model.batch import Batch, Commit, GrantRights, MakeFolder
from posthouse.model.folder import FolderClass, FolderRole, MailboxKind
from posthouse.model.people import PrincipalKind
from posthouse.services.sharing.access import Access
from posthouse.services.sharing.grants import Grants
from posthouse.store.store import Store

MAILBOX_KINDS = {
    PrincipalKind.USER: MailboxKind.USER,
    PrincipalKind.SHARED: MailboxKind.SHARED,
    PrincipalKind.ROOM: MailboxKind.ROOM,
}


class CountingChance:
    def __init__(self):
        self.count = 0

    def token_bytes(self, count):
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(count)


class OwnClock:
    def now_ms(self):
        return 1_780_000_000_000

    def monotonic_s(self):
        return 0.0


class AuditInMemory:
    def __init__(self):
        self.lines = []

    def record(self, event, **fields):
        self.lines.append((event, fields))


class House:
    """alice, bob, carol; the group staff with alice in it; the shared mailbox office."""

    def __init__(self):
        self.chance = CountingChance()
        self.directory = MemoryDirectory(self.chance)
        self.directory.add_domain("example.org")
        blobs, hints = MemoryBlobs(), MemoryHints()
        self.records = MemoryRecords(blobs, hints.publish, OwnClock())
        self.store = Store(self.records, blobs, hints, OwnClock())
        self.audit = AuditInMemory()
        self.access = Access(self.store, self.directory)
        self.grants = Grants(self.store, self.directory, self.audit)
        self.people = {}
        for name in ("alice", "bob", "carol"):
            self.add(name)
        self.add("office", PrincipalKind.SHARED)
        self.add("staff", PrincipalKind.GROUP)
        self.set_members("staff", "alice@example.org")

    def run(self, coroutine):
        return asyncio.run(coroutine)

    def add(self, name, kind=PrincipalKind.USER):
        mailbox_id = 0
        if kind in MAILBOX_KINDS:
            making = self.records.create_mailbox(
                MAILBOX_KINDS[kind], self.chance.token_bytes(16), 7
            )
            mailbox_id = self.run(making).mailbox_id
        self.people[name] = self.directory.add_principal(
            kind, f"{name}@example.org", name.title(), mailbox_id
        )

    def set_members(self, group, *members):
        self.directory.set_members(self.people[group].principal_id, members)

    def box(self, name):
        return self.people[name].mailbox_id

    def folder(self, name, role):
        return self.run(self.store.role_folder(self.box(name), role)).folder_id

    def make_folder(self, name, folder, parent=None):
        above = parent or self.folder(name, FolderRole.ROOT)
        make = MakeFolder(above, folder, FolderClass.MAIL, FolderRole.NONE)
        (result,) = self.apply(name, make)
        return result.results[0].folder_id

    def apply(self, name, *operations):
        return self.run(self.store.apply(Commit((Batch(self.box(name), operations),))))

    def give(self, owner, grantee, rights, role=FolderRole.ROOT):
        self.give_on(owner, grantee, rights, self.folder(owner, role))

    def give_on(self, owner, grantee, rights, folder_id):
        self.apply(owner, GrantRights(folder_id, self.people[grantee].principal_id, rights))

    def rights(self, who, owner, folder_id):
        return self.run(self.access.rights(self.people[who], self.box(owner), folder_id))

    def opened(self, who):
        """Owner -> folder name -> rights."""
        return {
            opened.principal.address.partition("@")[0]: {
                folder.name: rights for folder, rights in opened.folders
            }
            for opened in self.run(self.access.mailboxes_of(self.people[who]))
        }


@pytest.fixture
def house():
    made = House()
    yield made
    made.records.close()
