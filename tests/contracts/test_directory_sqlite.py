"""What only a file can show: other processes, lasting, faults."""

import apsw
import pytest

from posthouse.backends.sqlite.directory import SqliteDirectory
from posthouse.backends.sqlite.directory_schema import STEPS
from posthouse.model.book import Details
from posthouse.model.errors import Unavailable
from posthouse.model.ids import DeviceId, MailboxId
from posthouse.model.people import PrincipalKind, ScramVerifier, Secret


class Zeros:
    def token_bytes(self, count):
        return b"\0" * count


@pytest.fixture
def path(tmp_path):
    return tmp_path / "directory.db"


def test_changes_are_seen_by_another_connection_and_last(path):
    here, there = SqliteDirectory(path, Zeros()), SqliteDirectory(path, Zeros())
    before = there.version()
    here.add_domain("example.org")
    alice = here.add_principal(PrincipalKind.USER, "alice@example.org", "A", MailboxId(1))
    assert there.version() > before
    assert there.version() == here.version()
    assert there.by_address("alice@example.org") == alice
    before = there.version()
    secret = Secret(DeviceId(0), "h", ScramVerifier(b"", b""))
    phone = here.add_device(alice.principal_id, "Phone", secret, 1)
    assert there.version() > before
    before = there.version()
    here.note_use(alice.principal_id, phone.device_id, 7, "pop3")
    assert there.version() == before
    assert there.devices(alice.principal_id)[0].last_used_at == 7
    here.close()
    there.close()
    again = SqliteDirectory(path, Zeros())
    assert again.by_address("alice@example.org").principal_id == alice.principal_id
    assert again.version() == before
    again.close()


def test_the_file_is_for_its_owner_only(path):
    directory = SqliteDirectory(path, Zeros())
    directory.add_domain("example.org")
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes) == {"directory.db", "directory.db-wal", "directory.db-shm"}
    assert set(modes.values()) == {0o600}
    directory.close()


def test_changes_are_synced(path):
    directory = SqliteDirectory(path, Zeros())
    pragma = directory._db.pragma
    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2
    alice = directory.add_principal(PrincipalKind.USER, "a@example.org", "A", MailboxId(1))
    directory.note_use(alice.principal_id, DeviceId(0), 7, "pop3")
    assert pragma("synchronous") == 2
    directory.close()


def test_a_note_gives_way_to_another_writer(path):
    directory = SqliteDirectory(path, Zeros())
    alice = directory.add_principal(PrincipalKind.USER, "a@example.org", "A", MailboxId(1))
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    directory.note_use(alice.principal_id, DeviceId(0), 7, "pop3")
    directory._db.set_busy_timeout(1)
    before = directory.version()
    with pytest.raises(Unavailable):
        directory.add_domain("example.org")
    other.execute("ROLLBACK")
    other.close()
    assert directory.version() == before
    assert list(directory.domains()) == []
    directory.add_domain("example.org")
    directory.close()


def test_a_file_of_a_newer_version_is_refused(path):
    SqliteDirectory(path, Zeros()).close()
    db = apsw.Connection(str(path))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(Unavailable, match="newer"):
        SqliteDirectory(path, Zeros())


def test_what_is_no_database_is_unavailable(path):
    path.write_bytes(b"not a database, by any means, whatever one does with it" * 20)
    with pytest.raises(Unavailable):
        SqliteDirectory(path, Zeros())


def test_a_file_of_the_first_release_takes_the_later_steps(path):
    db = apsw.Connection(str(path))
    db.execute(STEPS[0])
    db.pragma("user_version", 1)
    db.execute(
        "INSERT INTO principal (kind, address, name, mailbox_id, scram_salt, scram_iterations)"
        " VALUES (1, 'a@example.org', 'A', 7, x'', 1);"
        "INSERT INTO address VALUES ('a@example.org', 1, 1)"
    )
    db.close()
    directory = SqliteDirectory(path, Zeros())
    (entry,) = directory.book_entries()
    assert (entry.address, entry.details, entry.has_photo) == ("a@example.org", Details(), False)
    assert directory.by_mailbox(MailboxId(7)) == entry.principal
    directory.close()
