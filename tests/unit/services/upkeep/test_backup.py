"""Backup beside writers, in both forms; restore, and what must not come back."""

import json
import os
import socket
import tarfile
import threading
from pathlib import Path

import pytest

from posthouse.backends.sqlite.backup import SqliteBackup, SqliteBackupCheck
from posthouse.backends.sqlite.directory import SqliteDirectory
from posthouse.model.errors import AlreadyExists, ConfigurationError, Conflict
from posthouse.services.upkeep.backup import Backup
from posthouse.services.upkeep.finds import INBOX, Found
from posthouse.services.upkeep.import_mail import Importer
from posthouse.services.upkeep.restore import Restore, examine


class Zeros:
    def token_bytes(self, count):
        return b"\0" * count


def add(site, *bodies: bytes):
    found = [Found("x", INBOX, b"Subject: s\r\n\r\n" + body) for body in bodies]
    site.run(Importer(site.store, site.mailbox_id).run(found))


@pytest.fixture
def full_site(site):
    SqliteDirectory(site.data / "directory.db", Zeros()).close()
    (site.data / "posthouse.toml").write_text("x = 1\n")
    (site.data / "tls").mkdir()
    (site.data / "tls" / "ca.pem").write_text("pem")
    add(site, b"one", b"two", b"z" * 2_000_000)
    return site


def backup(site, target, at=0):
    maker = Backup(site.data, SqliteBackup(site.data), SqliteBackupCheck(), "0")
    return maker.make(target, at)


def restore(data, path, **more):
    return Restore(data, SqliteBackup(data), SqliteBackupCheck()).run(path, 9_000, **more)


def subjects_in(data):
    """Sizes of everything in mailbox 1's inbox, read from the restored files."""
    import asyncio

    from posthouse.backends.files.area import FileBlobs
    from posthouse.backends.files.journal import FileBlobJournal
    from posthouse.backends.sqlite.records import SqliteRecords

    class Clock:
        def now_ms(self):
            return 1

        def monotonic_s(self):
            return 1.0

    async def read():
        root = data / "store" / "blobs"
        journal = FileBlobJournal(root)
        records = SqliteRecords(data / "store" / "mail.db", journal, lambda _: None, Clock())
        blobs = FileBlobs(root, records, Clock())
        mailbox = await records.mailbox(1)
        (inbox,) = [f for f in await records.folders(1) if f.name == "Inbox"]
        places = await records.places(1, inbox.folder_id, 0, 2000)
        items = await records.items(1, [p.item_id for p in places])
        bodies = [blobs.read_plain(item.blob).partition(b"\r\n\r\n")[2] for item in items]
        problems = list(await records.check())
        records.close()
        return bodies, mailbox, inbox, problems

    return asyncio.run(read())


@pytest.mark.parametrize("name", ["backups", "one.tar"])
def test_round_trip(full_site, tmp_path, name):
    before = full_site.run(full_site.records.mailbox(1))
    inbox = full_site.folders()["Inbox"]
    report = backup(full_site, tmp_path / name, at=1_000)
    assert report.problems == []
    assert report.files >= 6
    assert examine(tmp_path / name).problems == []
    data = tmp_path / "new"
    restored = restore(data, tmp_path / name)
    assert restored.problems == []
    assert restored.made_at == 1_000
    bodies, mailbox, new_inbox, problems = subjects_in(data)
    assert bodies == [b"one", b"two", b"z" * 2_000_000]
    assert problems == []
    assert mailbox.guid != before.guid
    assert mailbox.highest_cn > before.highest_cn + 1000
    assert new_inbox.uid_validity == inbox.uid_validity
    assert new_inbox.uid_next > inbox.uid_next + 1000
    assert (data / "posthouse.toml").read_text() == "x = 1\n"
    assert (data / "tls" / "ca.pem").stat().st_mode & 0o777 == 0o600
    assert not (data / "restoring").exists()


def test_second_backup_shares_what_is_old(full_site, tmp_path):
    first = backup(full_site, tmp_path / "b", at=1_000)
    add(full_site, b"three")
    second = backup(full_site, tmp_path / "b", at=2_000)
    assert second.copied_bytes < first.copied_bytes
    large = list((tmp_path / "b").glob("*Z/store/blobs/large/??/*"))
    assert len(large) == 2
    assert large[0].stat().st_ino == large[1].stat().st_ino
    restore(tmp_path / "new", tmp_path / "b")
    assert subjects_in(tmp_path / "new")[0][-1] == b"three"
    restore(tmp_path / "old", tmp_path / "b" / "19700101T000001Z")
    assert len(subjects_in(tmp_path / "old")[0]) == 3
    with pytest.raises(AlreadyExists):
        backup(full_site, tmp_path / "b", at=2_000)


def test_backups_beside_a_writer_are_each_consistent(full_site, tmp_path):
    made = []

    def keep_backing_up():
        for second in range(1, 6):
            made.append(backup(full_site, tmp_path / "b", at=second * 1_000))

    thread = threading.Thread(target=keep_backing_up)
    thread.start()
    for number in range(150):
        add(full_site, b"body %d" % number)
    thread.join()
    counts = []
    for second, report in enumerate(made, 1):
        assert report.problems == []
        data = tmp_path / f"new{second}"
        assert restore(data, Path(report.path)).problems == []
        bodies, _, _, problems = subjects_in(data)
        assert problems == []
        counts.append(len(bodies))
    assert counts == sorted(counts)
    assert counts[0] >= 3


def test_content_moved_while_copying_is_caught_by_another_round(full_site, tmp_path):
    class Moving(SqliteBackup):
        """The first list of files lacks a pack, as if it had been unlinked meanwhile."""

        rounds = 0

        def blob_files(self):
            self.rounds += 1
            for file in super().blob_files():
                if self.rounds > 1 or "packs" not in file.path:
                    yield file

    source = Moving(full_site.data)
    report = Backup(full_site.data, source, SqliteBackupCheck(), "0").make(tmp_path / "b", 0)
    assert source.rounds == 2
    assert report.problems == []
    assert examine(tmp_path / "b").problems == []


def test_missing_content_is_told_and_the_rest_is_kept(full_site, tmp_path):
    (victim,) = (full_site.data / "store" / "blobs" / "large").glob("??/*")
    victim.unlink()
    report = backup(full_site, tmp_path / "b")
    assert len(report.problems) == 1
    assert "missing" in report.problems[0]


@pytest.mark.parametrize("name", ["backups", "one.tar"])
def test_a_damaged_backup_restores_nothing(full_site, tmp_path, name):
    path = tmp_path / name
    backup(full_site, path)
    if path.is_file():
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"zzzzzzzz", b"zzzzzzzy", 1))
    else:
        (pem,) = path.glob("*Z/tls/ca.pem")
        pem.write_text("pam")
    assert "damaged" in examine(path).problems[0]
    data = tmp_path / "new"
    assert restore(data, path).problems
    assert list(data.iterdir()) == []


def test_a_full_directory_is_refused_or_set_aside(full_site, tmp_path):
    backup(full_site, tmp_path / "b")
    data = tmp_path / "new"
    data.mkdir()
    (data / "old").write_text("precious")
    with pytest.raises(AlreadyExists):
        restore(data, tmp_path / "b")
    report = restore(data, tmp_path / "b", is_forced=True)
    assert report.problems == []
    (kept,) = data.glob("before-restore-*/old")
    assert kept.read_text() == "precious"
    (data / "run").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(os.path.relpath(data / "run" / "hints-1.sock"))
        with pytest.raises(Conflict):
            restore(data, tmp_path / "b", is_forced=True)


def test_what_is_no_backup(full_site, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError):
        examine(tmp_path / "empty")
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as tar:
        info = tarfile.TarInfo("../outside")
        tar.addfile(info)
    with pytest.raises(ConfigurationError):
        restore(tmp_path / "new", evil)
    cut = tmp_path / "cut.tar"
    backup(full_site, tmp_path / "whole.tar")
    cut.write_bytes((tmp_path / "whole.tar").read_bytes()[:50_000])
    with pytest.raises(ConfigurationError):
        examine(cut)
    backup(full_site, tmp_path / "b")
    (listed,) = (tmp_path / "b").glob("*Z/backup.json")
    text = json.loads(listed.read_text())
    text["files"][0]["path"] = "store/../../x"
    listed.write_text(json.dumps(text))
    with pytest.raises(ConfigurationError):
        examine(tmp_path / "b")
