"""Any run of operations leaves every engine in the state that a small model foretells."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.contracts.records_house import NOW, House

from posthouse.model.batch import (
    ChangeFlags,
    ChangeProperties,
    CopyItems,
    ExpungeItems,
    MoveItems,
    RestoreItems,
)
from posthouse.model.errors import NotFound
from posthouse.model.item import Flags

FLAGS = st.sampled_from([Flags.NONE, Flags.SEEN, Flags.FLAGGED, Flags.SEEN | Flags.JUNK])
PICKS = st.lists(st.integers(0, 7), min_size=1, max_size=4)
FOLDERS = st.sampled_from(["inbox", "trash"])


class Client:
    """A folder as a client keeps it: it knows only what ``changes_since`` said."""

    def __init__(self) -> None:
        self.since = 0
        self.flags = {}

    def follow(self, h: House, folder_id: int) -> None:
        while True:
            page = h.changes(self.since, folder_id, limit=3)
            for gone in page.vanished:
                self.flags.pop((gone.uid, gone.item_id), None)
            for place in page.places:
                self.flags[place.uid, place.item_id] = place.flags
            assert page.upto > self.since or not page.has_more
            self.since = page.upto
            if not page.has_more:
                return


class Machine(RuleBasedStateMachine):
    """The model: folder -> item -> flags, and what lies in Recoverable Items."""

    kind = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.h = House(self.kind, Path(self.directory.name) / "mail.db")
        self.folders = {"inbox": {}, "trash": {}}
        self.lost = {}
        self.clients = {"inbox": Client(), "trash": Client()}
        self.texts = {}

    def teardown(self) -> None:
        self.h.close()
        self.directory.cleanup()

    def id(self, folder):
        return {"inbox": self.h.inbox, "trash": self.h.trash, "lost": self.h.lost}[folder]

    def chosen(self, folder, picks):
        known = sorted(self.folders[folder])
        return tuple(dict.fromkeys(known[p % len(known)] for p in picks)) if known else ()

    @rule(folder=FOLDERS, flags=FLAGS, text=st.sampled_from("abc"))
    def add(self, folder, flags, text):
        item_id = self.h.add(text, folder=self.id(folder), flags=flags)
        assert item_id not in self.texts
        self.texts[item_id] = text
        self.folders[folder][item_id] = flags

    @rule(folder=FOLDERS, picks=PICKS, add=FLAGS, remove=FLAGS)
    def change_flags(self, folder, picks, add, remove):
        ids = self.chosen(folder, picks)
        self.h.do(ChangeFlags(self.id(folder), ids, add, remove))
        for item_id in ids:
            self.folders[folder][item_id] = (self.folders[folder][item_id] | add) & ~remove

    @rule(folder=FOLDERS, other=FOLDERS, picks=PICKS)
    def move(self, folder, other, picks):
        ids = self.chosen(folder, picks)
        self.h.do(MoveItems(self.id(folder), ids, self.id(other)))
        for item_id in ids:
            self.folders[other][item_id] = self.folders[folder].pop(item_id)

    @rule(folder=FOLDERS, other=FOLDERS, picks=PICKS)
    def copy(self, folder, other, picks):
        ids = self.chosen(folder, picks)
        result = self.h.one(CopyItems(self.id(folder), ids, self.id(other)))
        for old, new in zip(ids, result.item_ids, strict=True):
            self.texts[new] = self.texts[old]
            self.folders[other][new] = self.folders[folder][old]

    @rule(folder=FOLDERS, picks=PICKS, is_final=st.booleans())
    def expunge(self, folder, picks, is_final):
        ids = self.chosen(folder, picks)
        self.h.do(ExpungeItems(self.id(folder), ids, NOW, is_final=is_final))
        for item_id in ids:
            flags = self.folders[folder].pop(item_id)
            if not is_final:
                self.lost[item_id] = (folder, flags)

    @rule()
    def restore(self):
        self.h.do(RestoreItems(tuple(self.lost), self.h.inbox))
        for item_id, (folder, flags) in self.lost.items():
            self.folders[folder][item_id] = flags
        self.lost = {}

    @rule()
    def expire(self):
        assert self.h.run(self.h.records.expire_recoverable(NOW + 1, 999)) == len(self.lost)
        self.lost = {}

    @rule(folder=FOLDERS, picks=PICKS)
    def change_properties(self, folder, picks):
        for item_id in self.chosen(folder, picks):
            self.h.do(ChangeProperties(item_id, bag=b"b"))

    @rule(folder=FOLDERS)
    def fail(self, folder):
        ids = tuple(self.folders[folder])
        with pytest.raises(NotFound):
            self.h.do(
                ExpungeItems(self.id(folder), ids, NOW, is_final=True),
                CopyItems(self.id(folder), (4711,), self.h.trash),
            )

    @invariant()
    def as_foretold(self):
        for name, model in self.folders.items():
            places = self.h.places(self.id(name))
            assert {p.item_id: p.flags for p in places} == model
            folder = self.h.folder(self.id(name))
            assert folder.item_count == len(model)
            assert folder.unread_count == sum(Flags.SEEN not in f for f in model.values())
            assert folder.size_bytes == sum(p.size_bytes for p in places)
        assert sorted(self.h.ids(self.h.lost)) == sorted(self.lost)

    @invariant()
    def clients_agree(self):
        for name, client in self.clients.items():
            client.follow(self.h, self.id(name))
            places = self.h.places(self.id(name))
            assert client.flags == {(p.uid, p.item_id): p.flags for p in places}

    @invariant()
    def references_are_right(self):
        standing = [i for m in (*self.folders.values(), self.lost) for i in m]
        held = [self.texts[item_id] for item_id in standing]
        for row in self.h.run(self.h.records.blob_rows(b"", 99)):
            text = self.h.journal.written[row.ref.location][:1].decode()
            assert row.references == held.count(text)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_any_run_of_operations(kind):
    machine = type("MachineOf" + kind, (Machine,), {"kind": kind})
    case = machine.TestCase
    case.settings = settings(
        max_examples=15,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    case().runTest()
