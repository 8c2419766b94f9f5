"""The power fails: what the running server acknowledged is there on whatever the disk had to keep.

A preloaded library writes down, in one order over all processes, each write, sync and name below ``store/`` and
each answer to a client. The disk is then rebuilt as it may look after a cut at any point: what no sync confirmed is
lost, torn or kept. A house is opened on it and asked for everything that was promised before the cut.
"""

from __future__ import annotations

import os
import poplib
import random
import shutil
import smtplib
import struct
import subprocess
import threading
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import apsw
import pytest
from tests.running import PEOPLE, Server

from posthouse.app.wiring import open_house
from posthouse.model.errors import NotFound, Unavailable
from posthouse.model.folder import FolderRole
from posthouse.model.ids import QueueId, Uid

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.app.wiring import House

pytestmark = pytest.mark.faults
_HEAD = struct.Struct("<IIQQQ")
_FLOOR = 'space_floor = "1 MiB"'
ROUNDS = 10
CUTS_ANYWHERE = int(os.environ.get("POSTHOUSE_POWER_CUTS", "20"))
CHECKPOINT_S = 2.2


class Entry(NamedTuple):
    kind: str
    path: Path
    inode: int
    offset: int
    data: bytes


def entries_of(log: Path) -> list[Entry]:
    raw, at, found = memoryview(log.read_bytes()), 0, []
    while at < len(raw):
        kind, path_size, inode, offset, data_size = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        path = Path(bytes(raw[at : at + path_size]).decode())
        at += path_size
        found.append(Entry(chr(kind), path, inode, offset, bytes(raw[at : at + data_size])))
        at += data_size
    return found


@dataclass
class Disk:
    """What a disk may hold after a cut."""

    entries: list[Entry]
    names: dict[Path, int]
    contents: dict[int, bytes]
    syncs: dict[object, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, entry in enumerate(self.entries):
            if entry.kind in "YD":
                key = entry.inode if entry.kind == "Y" else entry.path
                self.syncs.setdefault(key, []).append(index)

    def is_sure(self, index: int, key: object, cut: int) -> bool:
        """Whether a sync stands between the entry and the cut."""
        syncs = self.syncs.get(key, [])
        at = bisect_left(syncs, index)
        return at < len(syncs) and syncs[at] < cut

    def after(self, cut: int, keeps: Callable[[], float]) -> dict[Path, bytes | None]:
        """Files (None: directories). ``keeps``: the share that is kept of what is not sure."""
        names: dict[Path, int] = dict(self.names)
        contents = {inode: bytearray(data) for inode, data in self.contents.items()}
        folders: set[Path] = set()
        for index, (kind, path, inode, offset, data) in enumerate(self.entries[:cut]):
            if kind in "WT":
                share = 1.0 if self.is_sure(index, inode, cut) else keeps()
                content = contents.setdefault(inode, bytearray())
                if kind == "T":
                    if share == 1.0:
                        del content[offset:]
                        content.extend(bytes(offset - len(content)))
                    continue
                kept = data[: int(len(data) * share)]
                if kept:
                    content.extend(bytes(max(0, offset + len(kept) - len(content))))
                    content[offset : offset + len(kept)] = kept
            elif kind in "CLMUR":
                if kind == "C":
                    contents[inode] = bytearray()
                if not (self.is_sure(index, path.parent, cut) or keeps() >= 0.5):
                    continue
                if kind == "M":
                    folders.add(path)
                elif kind in "UR":
                    names.pop(path, None)
                    if kind == "R":
                        names[Path(data.decode())] = inode
                else:
                    names[path] = inode
        found: dict[Path, bytes | None] = dict.fromkeys(folders)
        for path, inode in names.items():
            found[path] = bytes(contents.get(inode, b""))
        return found


class Promise(NamedTuple):
    """Something acknowledged: at which entry its answer left."""

    at: int
    kind: str
    mark: str


def text(mark: str, size: int) -> bytes:
    head = f"From: <x@example.net>\r\nSubject: {mark}\r\nMessage-ID: <{mark}@example.net>\r\n\r\n"
    return head.encode() + (mark.encode() + b" 0123456789abcdef\r\n") * (size // (18 + len(mark)))


SIZES = (800, 60_000, 9_000, 1_500_000)


class Storyteller(threading.Thread):
    """Delivers messages; remembers what was answered."""

    def __init__(self, server: Server, prefix: str) -> None:
        super().__init__(daemon=True)
        self.server, self.prefix = server, prefix
        self.heard: list[tuple[bytes, str, str]] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            with smtplib.SMTP("127.0.0.1", self.server.ports["smtp"], timeout=20) as client:
                client.ehlo("x.example.net")
                for serial in range(ROUNDS):
                    if serial == ROUNDS // 2:
                        time.sleep(CHECKPOINT_S)  # which has its own order of syncs
                    mark = f"{self.prefix}{serial}"
                    client.mail("x@example.net")
                    for name in PEOPLE:
                        client.rcpt(f"{name}@example.org")
                    code, said = client.data(text(mark, SIZES[serial % len(SIZES)]))
                    assert code == 250, said
                    self.heard.append((b"250 " + said, "mail", mark))
                    self._aside(serial, mark)
        except Exception as error:
            self.error = error

    def _aside(self, serial: int, mark: str) -> None:
        if serial % 3:
            return
        if self.prefix == "a":
            client = poplib.POP3("127.0.0.1", self.server.ports["pop3"], timeout=20)
            client.user("alice@example.org")
            client.pass_("wonderland")
            subject = next(x for x in client.retr(1)[1] if x.startswith(b"Subject: "))[9:].decode()
            client.dele(1)
            self.heard.append((client.quit(), "gone", subject))
        else:
            with smtplib.SMTP("127.0.0.1", self.server.ports["submission"], timeout=20) as client:
                client.login("bob@example.org", "wonderland")
                client.mail("bob@example.org")
                client.rcpt(f"{mark}@elsewhere.example")
                head = f"From: bob@example.org\r\nSubject: out-{mark}\r\nMessage-ID: <o{mark}@x>\r\n\r\n"
                code, said = client.data(head.encode())
                assert code == 250, said
                self.heard.append((b"250 " + said, "queued", mark))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Disk, list[Promise]]:
    """The server's day: its data directory before it, what the disk saw, what was promised."""
    tmp_path = tmp_path_factory.mktemp("story")
    gcc = shutil.which("gcc") or shutil.which("cc")
    if not gcc:
        pytest.skip("no C compiler for the recorder")
    library = tmp_path / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    subprocess.run(
        [gcc, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True
    )
    server = Server(
        tmp_path / "data",
        settings="allow_plaintext_auth = true",
        workers=2,
        people=PEOPLE,
        tables={"limits": _FLOOR, "queue": 'smarthost = "127.0.0.1:9"'},
        environment={
            "LD_PRELOAD": str(library),
            "RECORD_TO": str(tmp_path / "record"),
            "RECORD_BELOW": f"{tmp_path}/data/store/",
        },
    )
    server.command("user", "set", "alice@example.org", "--pop-delete", "expunge")
    before = tmp_path / "before"
    shutil.copytree(server.data, before)
    files = [path for path in (server.data / "store").rglob("*") if path.is_file()]
    names = {path: path.stat().st_ino for path in files}
    contents = {names[path]: path.read_bytes() for path in files}
    server.start()
    tellers = [Storyteller(server, prefix) for prefix in ("a", "b")]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join(60)
        assert not teller.error, teller.error
    server.kill()
    entries = entries_of(tmp_path / "record")
    assert Counter(e.kind for e in entries)["Y"] > ROUNDS
    promises = [p for teller in tellers for p in promises_of(teller, entries)]
    return before, Disk(entries, names, contents), promises


def promises_of(teller: Storyteller, entries: list[Entry]) -> list[Promise]:
    """Where each answer stands; the only POP3 client is this teller's, so its goodbyes are its own."""
    said = [(i, e.data) for i, e in enumerate(entries) if e.kind == "S"]
    found: list[Promise] = []
    at = -1
    for reply, kind, mark in teller.heard:
        at = next(i for i, data in said if i > at and reply in data)
        found.append(Promise(at, kind, mark))
    return found


def put(disk: dict[Path, bytes | None], before: Path, old: Path, new: Path) -> None:
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(before, new, ignore=shutil.ignore_patterns("store"))
    for path in (before / "store", *(before / "store").rglob("*")):
        if path.is_dir():
            (new / path.relative_to(before)).mkdir()
    for path in sorted(disk, key=lambda p: len(p.parts)):
        content = disk[path]
        target = new / path.relative_to(old)
        if path.name.endswith("-shm") or not target.parent.exists():
            continue
        if content is None:
            target.mkdir(exist_ok=True)
        else:
            target.write_bytes(content)


async def inbox_of(house: House, name: str) -> Counter[str]:
    """Subjects; every message must be whole."""
    principal = house.people.find(f"{name}@example.org")
    inbox = await house.store.role_folder(principal.mailbox_id, FolderRole.INBOX)
    places = await house.records.places(principal.mailbox_id, inbox.folder_id, Uid(0), 2000)
    items = await house.records.items(principal.mailbox_id, [p.item_id for p in places])
    assert len(items) == len(places)
    for item in items:
        assert item.blob
        content = bytes(house.store.blobs.read_plain(item.blob))
        mark = item.columns.subject
        serial = int(mark[1:])
        assert content == text(mark, SIZES[serial % len(SIZES)]), "torn content"
    return Counter(item.columns.subject for item in items)


async def check(house: House, promised: list[Promise]) -> None:
    mail = {p.mark for p in promised if p.kind == "mail"}
    gone = {p.mark for p in promised if p.kind == "gone"}
    for name in PEOPLE:
        found = await inbox_of(house, name)
        assert not found or set(found.values()) == {1}, "doubled"
        if name == "alice":
            assert not gone & set(found), "deleted mail is back"
            continue
        assert not mail - set(found), "lost"
    waiting = await house.records.queued(QueueId(0), 500)
    addresses = {r.address.partition("@")[0] for q in waiting for r in q.message.recipients}
    assert {p.mark for p in promised if p.kind == "queued"} <= addresses, "lost from the queue"
    assert not await house.records.check()


def test_what_was_acknowledged_survives_a_cut_at_any_point(
    story: tuple[Path, Disk, list[Promise]], tmp_path: Path
) -> None:
    before, disk, promises = story
    dice = random.Random(7)
    cuts = [(p.at, lambda: 0.0) for p in promises]
    anywhere = dice.sample(range(len(disk.entries)), min(CUTS_ANYWHERE, len(disk.entries)))
    cuts += [(cut, lambda: dice.choice((0.0, 0.3, 1.0))) for cut in anywhere]
    cuts += [(len(disk.entries), lambda: 0.0), (len(disk.entries), lambda: 1.0)]
    for cut, keeps in cuts:
        put(disk.after(cut, keeps), before, before.with_name("data"), tmp_path / "after")
        with open_house(tmp_path / "after") as house:
            # A promise leaves with its answer: the entry of the answer itself is behind the cut.
            house.run(check(house, [p for p in promises if p.at <= cut]))


@pytest.mark.parametrize(
    "unheard", [("Y", ".pack"), ("Y", "-wal"), ("D", "packs"), ("Y", "large")], ids=str
)
def test_it_would_show_if_a_sync_were_missing(
    story: tuple[Path, Disk, list[Promise]], tmp_path: Path, unheard: tuple[str, str]
) -> None:
    before, disk, promises = story
    kind, where = unheard
    heard = [e for e in disk.entries if not (e.kind == kind and where in str(e.path))]
    assert len(heard) < len(disk.entries)
    deaf = Disk(heard, disk.names, disk.contents)
    put(deaf.after(len(heard), lambda: 0.0), before, before.with_name("data"), tmp_path / "after")
    with (
        pytest.raises((AssertionError, NotFound, Unavailable, apsw.Error)),
        open_house(tmp_path / "after") as house,
    ):
        house.run(check(house, promises))
