"""The operator's side of phones: every act logged, none lost, errors with a remedy."""

import pytest
from msgspec.structs import replace

from posthouse.model.errors import ConfigurationError, NotFound
from posthouse.model.partnership import DeviceAccess, Partnership, Wipe
from posthouse.services.devices.phones import Phones


@pytest.fixture
def phones(directory, audit, clock):
    return Phones(directory, audit, clock, "root")


@pytest.fixture
def phone(directory, alice):
    return directory.keep_partnership(
        Partnership(principal_id=alice.principal_id, eas_id="ApplABC", version=161)
    )


def test_found_by_id_in_any_case_if_that_names_one(phones, directory, alice, phone):
    assert phones.find(alice, "applabc") == phone
    for wrong in ("Appl", "", "x"):
        with pytest.raises(NotFound, match=r"see `posthouse phone list alice@example\.org`"):
            phones.find(alice, wrong)
    other = directory.keep_partnership(replace(phone, eas_id="APPLABC", revision=0))
    assert phones.find(alice, "APPLABC") == other
    assert phones.find(alice, "ApplABC") == phone
    with pytest.raises(NotFound):
        phones.find(alice, "applabc")


def test_of_one_or_all(phones, directory, alice, bob, phone):
    other = directory.keep_partnership(Partnership(principal_id=bob.principal_id, eas_id="ApplABC"))
    assert list(phones.of(None)) == [phone, other]
    assert list(phones.of(bob)) == [other]


@pytest.mark.parametrize("access", DeviceAccess)
def test_access(phones, directory, audit, alice, phone, access):
    kept = phones.set_access(alice, "applabc", access)
    assert kept.access is access
    assert directory.partnership(alice.principal_id, "ApplABC") == kept
    assert audit.lines == [
        (
            f"phone-{access.name.lower()}",
            {"by": "root", "address": "alice@example.org", "phone": "ApplABC"},
        )
    ]


def test_letting_in_takes_a_wipe_back_and_nothing_else_does(phones, alice, phone, clock):
    phones.wipe(alice, "ApplABC", whole_device=True)
    assert phones.set_access(alice, "ApplABC", DeviceAccess.BLOCKED).wipe is Wipe.REQUESTED
    assert phones.set_access(alice, "ApplABC", DeviceAccess.QUARANTINED).wipe is Wipe.REQUESTED
    back = phones.set_access(alice, "ApplABC", DeviceAccess.ALLOWED)
    assert (back.wipe, back.wipes_device, back.wipe_at) == (Wipe.NONE, False, clock.ms)


@pytest.mark.parametrize("whole_device", [True, False])
def test_wipe(phones, audit, alice, phone, clock, whole_device):
    kept = phones.wipe(alice, "ApplABC", whole_device=whole_device)
    assert (kept.wipe, kept.wipes_device, kept.wipe_at) == (Wipe.REQUESTED, whole_device, clock.ms)
    assert audit.lines[0][0] == "phone-wiped"
    assert audit.lines[0][1]["whole_device"] is whole_device


@pytest.mark.parametrize("version", [0, 141, 160])
def test_an_old_phone_cannot_erase_the_account_alone(
    phones, directory, audit, alice, phone, version
):
    old = directory.keep_partnership(replace(phone, version=version))
    with pytest.raises(ConfigurationError, match=r"phone block.*--whole-device"):
        phones.wipe(alice, "ApplABC", whole_device=False)
    assert directory.partnership(alice.principal_id, "ApplABC") == old
    assert audit.lines == []
    assert phones.wipe(alice, "ApplABC", whole_device=True).wipe is Wipe.REQUESTED


def test_forget(phones, directory, audit, alice, phone):
    assert phones.forget(alice, "APPLabc") == phone
    assert directory.partnership(alice.principal_id, "ApplABC") is None
    assert [event for event, _ in audit.lines] == ["phone-forgotten"]
    with pytest.raises(NotFound):
        phones.forget(alice, "ApplABC")


def test_the_phone_writes_at_the_same_time(phones, directory, alice, phone, monkeypatch):
    real = directory.partnership

    def stale(principal_id, eas_id):
        monkeypatch.setattr(directory, "partnership", real)
        known = real(principal_id, eas_id)
        directory.keep_partnership(replace(known, model="new"))
        return known

    monkeypatch.setattr(directory, "partnership", stale)
    kept = phones.set_access(alice, "ApplABC", DeviceAccess.BLOCKED)
    assert (kept.access, kept.model) == (DeviceAccess.BLOCKED, "new")
