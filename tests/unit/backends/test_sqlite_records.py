"""What only the SQLite engine promises: its file, its locks, its failures, several processes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import apsw
import pytest
from tests.contracts.records_house import NOW, House, staged

from posthouse.backends.sqlite import connection as opening
from posthouse.backends.sqlite import journal_file, reading_changes, upkeep, writer
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.batch import AddItem, Batch, ChangeFlags, ChangeMailbox, Commit, ExpungeItems
from posthouse.model.errors import ConfigurationError, InsufficientSpace, NotFound, Unavailable
from posthouse.model.item import Flags, ItemKind, NewItem
from posthouse.model.queue import NewQueued, QueuedRecipient

ROOT = Path(__file__).parents[3]


@pytest.fixture
def house(tmp_path):
    house = House("sqlite", tmp_path / "store" / "mail.db")
    yield house
    house.records.close()
    house.loop.close()


def test_an_old_library_is_refused():
    opening.require_current_sqlite()
    for version in ("3.40.1", "3.51.2"):
        with pytest.raises(ConfigurationError, match="too old"):
            opening.require_current_sqlite(version)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_disk_is_refused(tmp_path, kind):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    line = f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw shared:1 - {{}} server rw\n"
    mounts.write_text(line.format("ext4"))
    opening.require_local_disk(tmp_path, mounts)
    opening.require_local_disk(tmp_path, tmp_path / "no such file")
    mounts.write_text(line.format(kind))
    with pytest.raises(ConfigurationError, match=kind):
        opening.require_local_disk(tmp_path, mounts)


def test_a_newer_schema_is_refused(house):
    house.records.close()
    with apsw.Connection(str(house.path)) as file:
        file.pragma("user_version", 99)
    with pytest.raises(ConfigurationError, match="newer"):
        house.engine()


def test_the_file_is_as_durable_as_promised(house):
    connection = house.records._writer._connection
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("wal_autocheckpoint") == 0
    with pytest.raises(apsw.ReadOnlyError):
        house.records._readers.get().execute("DELETE FROM place")


def test_what_was_written_is_there_after_opening_again(house):
    ids = house.add_many(3)
    house.records.close()
    house.records = house.engine()
    assert house.ids() == ids
    assert house.add("next") > ids[-1]


PLANTED = [
    ("UPDATE folder SET item_count = 9 WHERE folder_id = 2", "counts 9 items"),
    ("UPDATE folder SET unread_count = 9 WHERE folder_id = 2", "9 unread"),
    ("UPDATE mailbox SET size_bytes = 1 WHERE mailbox_id = 1", "mailbox 1 counts"),
    ("UPDATE mailbox SET highest_cn = 3 WHERE mailbox_id = 1", "mailbox 1 is at 3"),
    ("UPDATE folder SET uid_next = 1 WHERE folder_id = 2", "next uid 1"),
    ("UPDATE place SET mod_cn = 1", "out of order"),
    ("UPDATE place SET created_cn = created_cn - 5 WHERE uid = 2", "before a smaller uid"),
    ("DELETE FROM item WHERE item_id = 1", "no folder or item"),
    ("DELETE FROM place WHERE uid = 1", "lies nowhere"),
    ("DELETE FROM blob", "has no row"),
    ("UPDATE blob SET refs = 7", "counts 7 references"),
    ("UPDATE blob SET dead_since = 7", "dead since 7"),
    ("UPDATE blob SET offset = 0", "two blobs lie"),
    ("DELETE FROM recoverable", "do not agree"),
    ("INSERT INTO item_card VALUES (999, x'')", "left a card"),
    ("INSERT INTO hidden VALUES (1, 1, 999)", "left a card"),
    ("UPDATE folder SET parent_id = 999 WHERE folder_id = 2", "no parent"),
    ("UPDATE mailbox SET highest_cn = 0 WHERE mailbox_id = 0", "above the last"),
    ("UPDATE tombstone SET uid = 1", "gone and there at once"),
    ("UPDATE queue SET next_at = 5", "not until 5"),
    ("DELETE FROM queue_recipient", "waits for nobody"),
]


@pytest.mark.parametrize(("damage", "sentence"), PLANTED)
def test_check_finds(house, damage, sentence):
    ids = house.add_many(3)
    house.do(ExpungeItems(house.inbox, ids[2:], NOW))
    blob = staged("out")
    message = NewQueued("s@x", (QueuedRecipient("a@x", next_at=9),), blob.ref, NOW)
    house.commit(Commit((), (blob,), (message,)))
    assert house.run(house.records.check()) == []
    with apsw.Connection(str(house.path)) as file:
        file.execute(damage)
    assert any(sentence in found for found in house.run(house.records.check()))


class Refusing:
    """A connection whose n-th COMMIT fails."""

    def __init__(self, connection, error):
        self._connection = connection
        self._error = error

    def execute(self, sql, *args):
        if sql == "COMMIT":
            raise self._error
        return self._connection.execute(sql, *args)

    def __getattr__(self, name):
        return getattr(self._connection, name)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (apsw.IOError("told to"), Unavailable),
        (apsw.FullError("told to"), InsufficientSpace),
        (apsw.BusyError("told to"), Unavailable),
    ],
)
def test_a_failed_commit_is_not_acknowledged_and_the_file_is_opened_anew(house, error, kind):
    house.add("before")
    hints = len(house.hints)
    before = house.mailbox(), house.places()
    old = house.records._writer._connection
    house.records._writer._connection = Refusing(old, error)
    with pytest.raises(kind):
        house.add("lost")
    assert (house.mailbox(), house.places(), len(house.hints)) == (*before, hints)
    house.add("after")
    assert house.folder().item_count == 2
    assert house.records._writer._connection is not old
    file = apsw.Connection(str(house.path))
    incidents = file.execute("SELECT incident FROM engine").get
    file.close()
    assert incidents == (0 if isinstance(error, apsw.BusyError) else 1)
    assert house.run(house.records.check()) == []


def test_whoever_waits_too_long_for_the_lock_is_told(house, monkeypatch):
    monkeypatch.setattr(writer, "LOCK_WAIT_S", 0.05)
    item_id = house.add("before")
    house.records._writer._watch.cancel()
    house.records._writer._watch = None
    other = os.open(house.path.with_name("mail.lock"), os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)

    async def refused():
        flags = ChangeFlags(house.inbox, (item_id,), Flags.SEEN, Flags.NONE)
        task = asyncio.ensure_future(house.records.apply(Commit((Batch(house.box, (flags,)),))))
        while not task.done():
            house.clock.now += 1000
            await asyncio.sleep(0.01)
        with pytest.raises(Unavailable, match="lock"):
            await task

    house.run(refused())
    fcntl.flock(other, fcntl.LOCK_UN)
    os.close(other)
    house.add("after")
    assert house.place(item_id).flags == Flags.NONE


def test_a_blob_that_another_process_brings_or_forgets_meanwhile(house):
    other = SqliteRecords(house.path, house.journal, house.hints.append, house.clock)
    blob = staged("both")
    new = NewItem(ItemKind.MESSAGE, blob.ref, NOW)
    commit = Commit((Batch(house.box, (AddItem(house.inbox, new),)),), (blob,))
    look = house.records._writer._write_blobs
    meanwhile = [commit]

    def looked_too_early(*args):
        look(*args)
        while meanwhile:
            asyncio.run(other.apply(meanwhile.pop()))

    house.records._writer._write_blobs = looked_too_early
    house.commit(commit)
    row = house.blob(blob.ref.blob_hash)
    assert row.references == 2
    assert [house.journal.written[at] for at in house.journal.dropped] == [blob.data]
    assert row.ref.location not in house.journal.dropped

    ids = tuple(house.ids())
    house.do(ExpungeItems(house.inbox, ids, NOW, is_final=True))
    forgotten = []

    def forgets(*args):
        look(*args)
        if not forgotten:
            dead = house.run_beside(other.dead_blobs(NOW + 1, 9))
            forgotten.extend(asyncio.run(other.forget_blobs(dead)))

    house.run_beside = asyncio.run
    house.records._writer._write_blobs = forgets
    house.commit(commit)
    assert len(forgotten) == 1
    assert house.blob(blob.ref.blob_hash).references == 1
    assert house.run(house.records.check()) == []
    other.close()


def test_counters_that_another_process_changed_are_read_again(house):
    other = SqliteRecords(house.path, house.journal, house.hints.append, house.clock)
    for n in range(4):
        house.add(f"mine {n}")
        mine, house.records = house.records, other
        house.add(f"theirs {n}")
        house.records = mine
    assert [p.uid for p in house.places()] == list(range(1, 9))
    assert house.run(house.records.check()) == []
    other.close()


def test_a_removal_that_was_cut_short_is_ended_later(house, monkeypatch):
    monkeypatch.setattr(upkeep, "SLICE", 2)
    other = house.create().mailbox_id
    for n in range(5):
        house.add(str(n), box=other)
    submit = house.records._writer.submit
    house.run(submit(lambda books: upkeep.begin_leaving(books, other)))
    assert house.run(submit(lambda books: upkeep.take_away(books, other)))
    assert house.run(house.records.check()) == []
    with pytest.raises(NotFound):
        house.run(house.records.mailbox(other))
    house.run(house.records.checkpoint())
    file = apsw.Connection(str(house.path))
    for table in ("item", "place", "folder", "mailbox_policy"):
        count = file.execute(f"SELECT count(*) FROM {table} WHERE mailbox_id = ?", (other,)).get
        assert count == 0
    file.close()
    assert {row.references for row in house.run(house.records.blob_rows(b"", 99))} == {0}


def test_a_checkpoint_empties_the_journal_for_the_next_writer(house):
    house.add_many(50)
    wal = house.path.with_name("mail.db-wal")
    before = wal.stat().st_size
    house.run(house.records.checkpoint())
    house.add_many(20)
    assert wal.stat().st_size == before


def test_a_long_journal_is_begun_anew_and_keeps_its_length(house, monkeypatch):
    monkeypatch.setattr(journal_file, "_ANEW_BYTES", 0)
    house.add_many(50)
    wal = house.path.with_name("mail.db-wal")
    size = wal.stat().st_size
    head = wal.read_bytes()[:32]
    house.run(house.records.checkpoint())
    house.add_many(2)
    assert wal.stat().st_size == size
    assert wal.read_bytes()[:32] != head


def test_a_journal_that_is_far_too_long_is_cut_off(house, monkeypatch):
    monkeypatch.setattr(journal_file, "_LENGTH_MAX", 4096)
    house.add_many(50)
    house.run(house.records.checkpoint())
    assert house.path.with_name("mail.db-wal").stat().st_size == 0
    assert len(house.places()) == 50


def test_what_is_copied_already_is_not_looked_at_again(house, monkeypatch):
    house.add_many(5)
    house.run(house.records.checkpoint())
    opened = []
    monkeypatch.setattr(journal_file, "open_writer", opened.append)
    house.run(house.records.checkpoint())
    assert not opened


@pytest.mark.parametrize("count", [1, 16, 17, 40, 100])
def test_the_probe_finds_where_new_places_begin(house, count):
    for n in range(count):
        house.do(AddItem(house.inbox, NewItem(ItemKind.NOTE, None, n)))
    places = house.places()
    house.do(ExpungeItems(house.inbox, [p.item_id for p in places[1::3]], NOW, is_final=True))
    execute = house.records._readers.get().execute
    left = house.places()
    for since in range(1, house.mailbox().highest_cn + 1):
        uid = reading_changes._uid_before(execute, (house.box, house.inbox), since, count + 1)
        newer = [p.uid for p in left if p.created_cn > since]
        assert all(u > uid for u in newer)
        between = [p for p in left if uid < p.uid and p.created_cn <= since]
        assert len(between) <= reading_changes._NEAR


CHILD = """
    import asyncio, hashlib, itertools, sys
    from pathlib import Path
    from posthouse.backends.sqlite.records import SqliteRecords
    from posthouse.model.batch import AddItem, Batch, Commit
    from posthouse.model.item import ItemKind, NewItem
    from tests.contracts.records_house import NOW, TestClock, TestJournal, staged

    async def main(path, box, inbox, name, count):
        journal = TestJournal()
        journal.write = lambda blob: type(journal).write(journal, blob).__class__(name, len(journal.written) - 1)
        journal.drop = print
        records = SqliteRecords(Path(path), journal, lambda hint: None, TestClock())
        numbers = itertools.count() if count == 0 else iter(range(count))
        async def client():
            for n in numbers:
                blob = staged(f"{name} {n}")
                new = NewItem(ItemKind.MESSAGE, blob.ref, NOW)
                await records.apply(Commit((Batch(box, (AddItem(inbox, new),)),), (blob,), receipt=b"%d" % n))
                sys.stdout.write(f"{n}\\n")
                sys.stdout.flush()
        await asyncio.gather(*(client() for _ in range(4)))
        records.close()

    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
"""


def child(house, name, count):
    arguments = [str(house.path), str(house.box), str(house.inbox), str(name), str(count)]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), *arguments], stdout=subprocess.PIPE, cwd=ROOT
    )


@pytest.mark.faults
def test_a_killed_process_loses_nothing_it_acknowledged(house):
    for name in (10, 11):
        with child(house, name, 0) as process:
            told = [process.stdout.readline() for _ in range(60)]
            process.send_signal(signal.SIGKILL)
            told += process.stdout.read().splitlines()
        acknowledged = {int(line) for line in told if line.strip()}
        assert len(acknowledged) >= 60
        found = 0
        for n in acknowledged:
            found += house.records.locate(staged(f"{name} {n}").ref.blob_hash) is not None
        assert found == len(acknowledged)
        assert house.folder().item_count >= len(acknowledged)
        assert house.run(house.records.check()) == []
    house.add("life goes on")


@pytest.mark.faults
def test_a_reader_misses_nothing_that_other_processes_write(house):
    writers = [child(house, name, 60) for name in (20, 21)]
    since, seen = house.mailbox().highest_cn, []
    while True:
        is_over = all(process.poll() is not None for process in writers)
        page = house.changes(since, limit=5)
        seen += [place.item_id for place in page.places]
        since = page.upto
        if is_over and not page.has_more:
            break
    for process in writers:
        process.stdout.close()
        assert process.wait() == 0
    assert sorted(seen) == house.ids()
    assert len(seen) == 120
    assert house.run(house.records.check()) == []


def test_reads_work_in_other_threads(house):
    house.add("x")

    async def elsewhere():
        return await asyncio.to_thread(house.records.locate, staged("x").ref.blob_hash)

    assert house.run(elsewhere()) == house.records.locate(staged("x").ref.blob_hash)


def test_quota_is_seen_by_a_policy_change_in_the_same_group(house):
    async def both():
        blob = staged("x")
        new = NewItem(ItemKind.MESSAGE, blob.ref, NOW)
        policy = Batch(house.box, (ChangeMailbox(quota_bytes=1),))
        add = Batch(house.box, (AddItem(house.inbox, new),))
        commits = Commit((policy,)), Commit((add,), (blob,))
        return await asyncio.gather(*map(house.records.apply, commits), return_exceptions=True)

    results = house.run(both())
    assert "no room" in str(results[1])
