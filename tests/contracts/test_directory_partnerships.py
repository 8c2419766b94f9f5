"""Phones, for every backend of the directory."""

import apsw
import pytest
from msgspec.structs import replace

from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.sqlite.directory import SqliteDirectory
from posthouse.model.errors import Conflict, NotFound
from posthouse.model.ids import DeviceId, MailboxId, PrincipalId
from posthouse.model.partnership import (
    FIRST_DEVICE_NUMBER,
    DeviceAccess,
    Partnership,
    Wipe,
)
from posthouse.model.people import PrincipalKind


class Zeros:
    def token_bytes(self, count):
        return b"\0" * count


@pytest.fixture(params=["memory", "sqlite"])
def directory(request, tmp_path):
    if request.param == "memory":
        made = MemoryDirectory(Zeros())
    else:
        made = SqliteDirectory(tmp_path / "directory.db", Zeros())
    yield made
    made.close()


def add(directory, name):
    return directory.add_principal(
        PrincipalKind.USER, f"{name}@example.org", name, MailboxId(1)
    ).principal_id


@pytest.fixture
def alice(directory):
    return add(directory, "alice")


def whole(principal_id, eas_id="ApplABC"):
    """Every field is something."""
    return Partnership(
        principal_id=principal_id,
        eas_id=eas_id,
        device_type="iPhone",
        user_agent="Apple-iPhone14C2/2001.50",
        version=161,
        model="iPhone14C2",
        os="iOS 26.1 23B85",
        os_language="de-DE",
        friendly_name="123",
        imei="990000862471854",
        phone_number="+49 30 1234",
        mobile_operator="Ä \U0001f4f1",
        password_device_id=DeviceId(3),
        first_seen_at=1_700_000_000_000,
        last_seen_at=1_700_000_000_001,
        last_host="192.0.2.7",
        access=DeviceAccess.QUARANTINED,
        policy_key=0xFFFF_FFFF,
        policy_version="abc",
        pending_policy_key=1,
        pending_policy_version="def",
        wipe=Wipe.SENT,
        wipes_device=True,
        wipe_at=1_700_000_000_002,
    )


def test_it_comes_back_as_kept(directory, alice):
    assert directory.partnership(alice, "ApplABC") is None
    made = directory.keep_partnership(whole(alice))
    assert made == replace(whole(alice), device_number=made.device_number, revision=1)
    found = directory.partnership(alice, "ApplABC")
    assert found == made
    assert [type(found.access), type(found.wipe), type(found.wipes_device)] == [
        DeviceAccess,
        Wipe,
        bool,
    ]
    # What was not said is not said there either.
    bare = directory.keep_partnership(Partnership(principal_id=alice, eas_id="x"))
    assert directory.partnership(alice, "x") == bare
    assert bare == Partnership(
        principal_id=alice, eas_id="x", device_number=bare.device_number, revision=1
    )


def test_a_change_is_kept_but_for_what_it_was_made_with(directory, alice):
    made = directory.keep_partnership(Partnership(principal_id=alice, eas_id="x", first_seen_at=5))
    changed = directory.keep_partnership(
        replace(whole(alice, "x"), device_number=made.device_number, revision=1, first_seen_at=9)
    )
    assert changed == replace(
        whole(alice, "x"), device_number=made.device_number, revision=2, first_seen_at=5
    )
    assert directory.partnership(alice, "x") == changed


def test_numbers_are_above_those_of_passwords_and_never_come_back(directory, alice):
    bob = add(directory, "bob")
    first = directory.keep_partnership(whole(alice))
    assert first.device_number == FIRST_DEVICE_NUMBER > 2**32
    second = directory.keep_partnership(whole(bob))
    assert second.device_number > first.device_number
    directory.forget_partnership(bob, "ApplABC")
    assert directory.partnership(bob, "ApplABC") is None
    again = directory.keep_partnership(whole(bob))
    assert again.device_number > second.device_number


def test_lists_are_in_order_of_first_sight(directory, alice):
    bob = add(directory, "bob")
    kept = [
        directory.keep_partnership(whole(owner, eas_id))
        for owner, eas_id in ((bob, "z"), (alice, "b"), (bob, "a"))
    ]
    assert list(directory.partnerships(None)) == kept
    assert list(directory.partnerships(bob)) == [kept[0], kept[2]]
    assert list(directory.partnerships(PrincipalId(99))) == []


def test_letter_case_makes_another_device(directory, alice):
    upper = directory.keep_partnership(whole(alice, "ABC"))
    lower = directory.keep_partnership(whole(alice, "abc"))
    assert directory.partnership(alice, "ABC") == upper
    assert directory.partnership(alice, "abc") == lower


def test_nothing_is_overwritten_that_was_not_read(directory, alice):
    made = directory.keep_partnership(whole(alice))
    with pytest.raises(Conflict):
        directory.keep_partnership(whole(alice))
    blocked = directory.keep_partnership(replace(made, access=DeviceAccess.BLOCKED))
    with pytest.raises(Conflict):
        directory.keep_partnership(replace(made, model="other"))
    assert directory.partnership(alice, "ApplABC") == blocked
    directory.forget_partnership(alice, "ApplABC")
    with pytest.raises(Conflict):
        directory.keep_partnership(blocked)
    anew = directory.keep_partnership(whole(alice))
    with pytest.raises(Conflict):
        directory.keep_partnership(replace(blocked, revision=1))
    assert directory.partnership(alice, "ApplABC") == anew


def test_a_note_changes_the_visit_alone(directory, alice):
    made = directory.keep_partnership(Partnership(principal_id=alice, eas_id="ApplABC"))
    blocked = directory.keep_partnership(replace(made, access=DeviceAccess.BLOCKED))
    visit = {
        "user_agent": "Android/14",
        "version": 141,
        "password_device_id": DeviceId(7),
        "last_seen_at": 8,
        "last_host": "2001:db8::1",
    }
    directory.note_partnership(replace(made, model="no", wipe=Wipe.DONE, **visit))
    assert directory.partnership(alice, "ApplABC") == replace(blocked, **visit)
    # The revision stayed: what was read before can still be changed.
    directory.keep_partnership(blocked)
    directory.forget_partnership(alice, "ApplABC")
    directory.note_partnership(blocked)
    assert directory.partnership(alice, "ApplABC") is None


def test_it_goes_with_its_person(directory, alice):
    bob = add(directory, "bob")
    directory.keep_partnership(whole(alice))
    kept = directory.keep_partnership(whole(bob))
    directory.remove_principal(alice)
    assert directory.partnership(alice, "ApplABC") is None
    assert list(directory.partnerships(None)) == [kept]


def test_who_is_not_there(directory, alice):
    with pytest.raises(NotFound):
        directory.keep_partnership(whole(PrincipalId(99)))
    with pytest.raises(NotFound):
        directory.forget_partnership(alice, "ApplABC")


def test_no_version_moves(directory, alice):
    before = directory.version(), directory.principal(alice)
    made = directory.keep_partnership(whole(alice))
    directory.note_partnership(made)
    directory.keep_partnership(replace(made, access=DeviceAccess.BLOCKED))
    directory.forget_partnership(alice, "ApplABC")
    assert (directory.version(), directory.principal(alice)) == before


# --- what only a file can show


@pytest.fixture
def path(tmp_path):
    return tmp_path / "directory.db"


def test_another_process_sees_a_change_at_once_and_cannot_undo_it(path):
    here, there = SqliteDirectory(path, Zeros()), SqliteDirectory(path, Zeros())
    alice = add(here, "alice")
    made = here.keep_partnership(whole(alice))
    assert there.partnership(alice, "ApplABC") == made
    blocked = there.keep_partnership(replace(made, access=DeviceAccess.BLOCKED))
    with pytest.raises(Conflict):
        here.keep_partnership(replace(made, model="other"))
    assert here.partnership(alice, "ApplABC") == blocked
    with pytest.raises(Conflict):
        here.keep_partnership(whole(alice))
    here.close()
    there.close()


def test_a_note_gives_way_to_another_writer(path):
    directory = SqliteDirectory(path, Zeros())
    alice = add(directory, "alice")
    made = directory.keep_partnership(whole(alice))
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    directory.note_partnership(replace(made, last_seen_at=9))
    other.execute("ROLLBACK")
    other.close()
    assert directory.partnership(alice, "ApplABC") == made
    assert directory._db.pragma("synchronous") == 2
    directory.note_partnership(replace(made, last_seen_at=9))
    assert directory.partnership(alice, "ApplABC").last_seen_at == 9
    assert directory._db.pragma("synchronous") == 2
    directory.close()


def test_a_file_of_the_first_step_takes_the_second(path):
    from posthouse.backends.sqlite.directory_schema import STEPS

    db = apsw.Connection(str(path))
    db.execute(STEPS[0])
    db.pragma("user_version", 1)
    db.close()
    directory = SqliteDirectory(path, Zeros())
    alice = add(directory, "alice")
    assert directory.keep_partnership(whole(alice)).device_number == FIRST_DEVICE_NUMBER
    directory.close()
