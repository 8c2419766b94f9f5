"""Partnerships: what is made, noted, changed, and what a crowd of processes may not undo."""

import pytest
from msgspec.structs import replace

from posthouse.model.errors import AccessDenied, NotFound, Unavailable
from posthouse.model.ids import DeviceId
from posthouse.model.partnership import (
    DeviceAccess,
    DeviceInformation,
    DevicePolicy,
    Wipe,
)
from posthouse.model.people import Login
from posthouse.services.devices.partnerships import NOTED_EVERY_MS, Partnerships, TooManyDevices
from posthouse.services.devices.policies import DeviceRules, Standing, Taken

LOCKED = DeviceRules(policy=DevicePolicy(password_required=True))


class Counting:
    """The directory; counts what is written."""

    def __init__(self, directory):
        self.directory = directory
        self.kept = self.noted = 0
        self.before_keeping = lambda: None

    def partnership(self, principal_id, eas_id):
        return self.directory.partnership(principal_id, eas_id)

    def partnerships(self, principal_id):
        return self.directory.partnerships(principal_id)

    def keep_partnership(self, partnership):
        self.kept += 1
        self.before_keeping()
        return self.directory.keep_partnership(partnership)

    def note_partnership(self, partnership):
        self.noted += 1
        self.directory.note_partnership(partnership)


@pytest.fixture
def records(directory):
    return Counting(directory)


@pytest.fixture
def phones(records, clock, chance):
    return Partnerships(records, clock, chance, LOCKED)


@pytest.fixture
def phone(phones, login):
    return phones.meet(login, "ApplABC", device_type="iPhone", version=161)


def stored(records, phone):
    return records.partnership(phone.principal_id, phone.eas_id)


def test_a_new_phone(phones, records, login, clock):
    made = phones.meet(
        login,
        "ApplABC",
        device_type="iPhone",
        user_agent="Apple-iPhone14C2/2001.50",
        host="192.0.2.7",
        version=161,
    )
    assert stored(records, made) == made
    assert (made.principal_id, made.eas_id, made.device_type, made.user_agent) == (
        login.principal.principal_id,
        "ApplABC",
        "iPhone",
        "Apple-iPhone14C2/2001.50",
    )
    assert (made.first_seen_at, made.last_seen_at) == (clock.ms, clock.ms)
    assert (made.last_host, made.version, made.password_device_id) == ("192.0.2.7", 161, 3)
    assert made.access is DeviceAccess.ALLOWED
    assert made.device_number > 2**32


@pytest.mark.parametrize("access", DeviceAccess)
def test_a_new_phone_comes_in_as_the_rules_say(records, clock, chance, login, access):
    phones = Partnerships(records, clock, chance, DeviceRules(new_devices=access))
    assert phones.meet(login, "x").access is access


def test_a_request_writes_nothing_within_a_quarter_of_an_hour(phones, records, login, phone, clock):
    for _ in range(3):
        clock.ms += NOTED_EVERY_MS // 4
        seen = phones.meet(login, "ApplABC", user_agent="other", host="::1", version=141)
        assert (seen.user_agent, seen.last_host, seen.version) == ("other", "::1", 141)
        assert (seen.last_seen_at, seen.device_type) == (clock.ms, "iPhone")
    assert (records.kept, records.noted) == (1, 0)
    assert stored(records, phone) == phone
    clock.ms += NOTED_EVERY_MS // 4
    seen = phones.meet(Login(login.principal, DeviceId(9)), "ApplABC", version=160)
    assert (records.kept, records.noted) == (1, 1)
    assert stored(records, phone) == seen
    assert (seen.version, seen.password_device_id) == (160, 9)


def test_a_clock_put_back_does_not_silence_the_notes(phones, records, login, phone, clock):
    clock.ms -= 86_400_000
    phones.meet(login, "ApplABC")
    assert stored(records, phone).last_seen_at == clock.ms


def test_so_many_and_no_more(records, clock, chance, login, bob):
    phones = Partnerships(records, clock, chance, DeviceRules(devices_max=2))
    phones.meet(login, "a")
    phones.meet(login, "b")
    with pytest.raises(TooManyDevices) as caught:
        phones.meet(login, "c")
    assert isinstance(caught.value, AccessDenied)
    phones.meet(login, "a")
    phones.meet(Login(bob, DeviceId(0)), "c")
    records.directory.forget_partnership(login.principal.principal_id, "b")
    phones.meet(login, "c")


def test_two_processes_meet_the_same_new_phone(phones, records, login):
    def other_process():
        records.before_keeping = lambda: None
        records.other = phones.meet(login, "x")

    records.before_keeping = other_process
    assert phones.meet(login, "x") == records.other


def test_what_it_says_of_itself(phones, records, phone):
    said = DeviceInformation(
        model="iPhone14C2", os="iOS 26.1", friendly_name="x" * 300, user_agent="no"
    )
    after = phones.describe(phone, said)
    assert stored(records, phone) == after
    assert (after.model, after.os, after.friendly_name) == ("iPhone14C2", "iOS 26.1", "x" * 256)
    assert after.user_agent == phone.user_agent
    kept = records.kept
    assert phones.describe(after, said) == after
    assert phones.describe(after, DeviceInformation()) == after
    assert records.kept == kept
    # What it does not say this time stays.
    assert phones.describe(after, DeviceInformation(os="iOS 27")).model == "iPhone14C2"


def test_the_two_round_trips(phones, records, phone):
    assert phones.standing(phone, 0) is Standing.NEEDED
    handed = phones.begin_provision(phone)
    key = handed.pending_policy_key
    assert phones.standing(handed, key) is Standing.INVALID
    result, done = phones.acknowledge(handed, key, 1)
    assert result is Taken.OK
    assert phones.standing(done, done.policy_key) is Standing.GOOD
    assert stored(records, phone) == done
    kept = records.kept
    # The answer was lost: all of it again writes nothing.
    assert phones.begin_provision(done) == done
    assert phones.acknowledge(done, key, 1) == (Taken.OK, done)
    assert phones.acknowledge(done, key ^ 1, 1) == (Taken.WRONG_KEY, done)
    assert records.kept == kept


def test_a_phone_that_lies_or_refuses_writes_nothing(phones, records, phone):
    handed = phones.begin_provision(phone)
    kept = records.kept
    key = handed.pending_policy_key
    assert phones.acknowledge(handed, key, 2) == (Taken.NOT_IN_FULL, handed)
    assert phones.acknowledge(handed, key, 4) == (Taken.MANAGED_ELSEWHERE, handed)
    assert phones.acknowledge(handed, key + 1, 1) == (Taken.WRONG_KEY, handed)
    assert records.kept == kept


def test_a_block_by_the_operator_is_not_undone(phones, records, login, phone, clock):
    def operator():
        records.before_keeping = lambda: None
        known = stored(records, phone)
        records.keep_partnership(replace(known, access=DeviceAccess.BLOCKED))

    for change in (
        lambda: phones.begin_provision(phone),
        lambda: phones.describe(phone, DeviceInformation(model="m")),
        lambda: phones.meet(login, "ApplABC"),
    ):
        known = stored(records, phone)
        records.keep_partnership(replace(known, access=DeviceAccess.ALLOWED, model=""))
        records.before_keeping = operator
        clock.ms += NOTED_EVERY_MS
        change()
        if records.before_keeping is operator:
            operator()
        assert stored(records, phone).access is DeviceAccess.BLOCKED


def test_a_phone_that_is_forgotten_meanwhile(phones, records, phone):
    records.directory.forget_partnership(phone.principal_id, phone.eas_id)
    with pytest.raises(NotFound):
        phones.begin_provision(phone)


def test_a_phone_that_is_changed_all_the_time(phones, records, phone):
    def operator():
        known = stored(records, phone)
        records.directory.keep_partnership(replace(known, model=known.model + "x"))

    records.before_keeping = operator
    with pytest.raises(Unavailable):
        phones.begin_provision(phone)


@pytest.mark.parametrize("whole_device", [True, False])
def test_a_wipe_goes_its_way(phones, records, phone, clock, whole_device):
    asked = records.directory.keep_partnership(
        replace(phone, wipe=Wipe.REQUESTED, wipes_device=whole_device)
    )
    assert phones.standing(asked, 5) is Standing.WIPE
    clock.ms += 7
    sent = phones.note_wipe_sent(asked)
    assert (sent.wipe, sent.wipe_at) == (Wipe.SENT, clock.ms)
    clock.ms += 7
    assert phones.note_wipe_sent(sent) == sent
    assert phones.standing(sent, 5) is Standing.WIPE
    done = phones.note_wipe_done(sent)
    assert (done.wipe, done.wipe_at) == (Wipe.DONE, clock.ms)
    assert phones.standing(done, 5) is Standing.BLOCKED
    assert phones.note_wipe_done(done) == done
    # A phone may say so without having been told by this server's knowledge.
    again = records.directory.keep_partnership(replace(done, wipe=Wipe.REQUESTED))
    assert phones.note_wipe_done(again).wipe is Wipe.DONE


def test_a_wipe_that_was_taken_back_is_not_noted(phones, records, phone):
    asked = records.directory.keep_partnership(replace(phone, wipe=Wipe.REQUESTED))
    records.directory.keep_partnership(replace(asked, wipe=Wipe.NONE))
    assert phones.note_wipe_sent(asked).wipe is Wipe.NONE
    assert phones.note_wipe_done(asked).wipe is Wipe.NONE
