"""Policy keys and standings: for any history, who may go on and who must provision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.model.ids import PrincipalId
from posthouse.model.partnership import DeviceAccess, DevicePolicy, Partnership, Wipe
from posthouse.services.devices.policies import (
    DeviceRules,
    Standing,
    Taken,
    Taking,
    can_be_wiped,
    handed_out,
    must_take_policy,
    standing,
    taken,
    version_of,
)

LOCKED = DevicePolicy(password_required=True)
RULES = DeviceRules(policy=LOCKED)
PHONE = Partnership(principal_id=PrincipalId(1), eas_id="x", version=161)


class Draws:
    """Chance as hypothesis wants it; then counting."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def token_bytes(self, count):
        return self.draws.pop(0) if self.draws else bytes(count - 1) + b"\x07"


def provisioned(rules=RULES, phone=PHONE):
    phone = handed_out(phone, rules, Draws())
    result, phone = taken(phone, phone.pending_policy_key, Taking.WHOLE, rules, Draws())
    assert result is Taken.OK
    return phone


# --- versions


@given(st.data())
def test_a_version_tells_policies_apart(data):
    policies = st.builds(
        DevicePolicy,
        password_required=st.booleans(),
        password_length_min=st.integers(0, 16),
        lock_after_s=st.integers(0, 9998),
        allow_camera=st.booleans(),
    )
    one, other = data.draw(policies), data.draw(policies)
    assert (version_of(one) == version_of(other)) == (one == other)


def test_a_version_stays_the_same_in_the_next_release():
    # Kept in the directory: another value would have every phone provision again.
    assert version_of(DevicePolicy()) == "44136fa355b3678a"
    assert version_of(LOCKED) == "2019cb891d0dc5ba"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (DeviceRules(), False),
        (RULES, True),
        (DeviceRules(enforces=False, policy=LOCKED), False),
        (DeviceRules(policy=DevicePolicy(allow_camera=False)), True),
    ],
)
def test_only_a_policy_that_demands_something_must_be_taken(rules, expected):
    assert must_take_policy(rules) is expected


# --- standing


@pytest.mark.parametrize(
    ("key", "expected"),
    [(0, Standing.NEEDED), (None, Standing.NEEDED), (5, Standing.INVALID)],
)
def test_a_phone_that_has_taken_nothing(key, expected):
    assert standing(PHONE, key, RULES) is expected
    assert standing(PHONE, key, DeviceRules()) is Standing.GOOD
    assert standing(PHONE, key, DeviceRules(enforces=False, policy=LOCKED)) is Standing.GOOD


def test_a_phone_that_has_taken_the_policy():
    phone = provisioned()
    assert standing(phone, phone.policy_key, RULES) is Standing.GOOD
    assert standing(phone, None, RULES) is Standing.GOOD
    assert standing(phone, 0, RULES) is Standing.NEEDED
    assert standing(phone, phone.pending_policy_key, RULES) is Standing.INVALID


@pytest.mark.parametrize(
    "rules",
    [
        DeviceRules(policy=DevicePolicy(password_required=True, password_length_min=6)),
        DeviceRules(),
        DeviceRules(enforces=False),
    ],
)
def test_a_policy_that_changed_is_taken_anew_also_when_it_demands_nothing_now(rules):
    phone = provisioned()
    assert standing(phone, phone.policy_key, rules) is Standing.REFRESH
    assert standing(phone, None, rules) is Standing.REFRESH
    after = provisioned(rules, phone)
    assert after.policy_key != phone.policy_key
    assert standing(after, after.policy_key, rules) is Standing.GOOD


@pytest.mark.parametrize("access", DeviceAccess)
@pytest.mark.parametrize("wipe", Wipe)
@pytest.mark.parametrize("wipes_device", [True, False])
@pytest.mark.parametrize("version", [141, 160, 161])
def test_a_wipe_comes_first_and_a_block_before_the_policy(access, wipe, wipes_device, version):
    phone = replace(
        provisioned(), access=access, wipe=wipe, wipes_device=wipes_device, version=version
    )
    found = standing(phone, phone.policy_key, RULES)
    if wipe in (Wipe.REQUESTED, Wipe.SENT) and (wipes_device or version == 161):
        assert can_be_wiped(phone)
        assert found is Standing.WIPE
    elif wipe is not Wipe.NONE or access is DeviceAccess.BLOCKED:
        assert found is Standing.BLOCKED
    else:
        assert found is Standing.GOOD


# --- the two round trips


@given(st.lists(st.binary(min_size=4, max_size=4), max_size=4), st.binary(min_size=4, max_size=4))
def test_keys_have_32_bits_are_never_0_and_never_alike(draws, last):
    phone = PHONE
    for policy in (LOCKED, DevicePolicy(), DevicePolicy(allow_camera=False)):
        rules = DeviceRules(policy=policy)
        before = phone
        chance = Draws(*draws, last)
        phone = handed_out(phone, rules, chance)
        assert phone.pending_policy_key not in (before.policy_key, before.pending_policy_key)
        result, phone = taken(
            phone, phone.pending_policy_key, Taking.WHOLE, rules, Draws(last, last)
        )
        assert result is Taken.OK
        assert phone.policy_key not in (before.policy_key, phone.pending_policy_key)
        for key in (phone.policy_key, phone.pending_policy_key):
            assert 0 < key < 2**32


def test_asking_again_and_saying_so_again_change_nothing():
    once = handed_out(PHONE, RULES, Draws())
    assert handed_out(once, RULES, Draws(b"abcd")) is once
    done = provisioned()
    assert handed_out(done, RULES, Draws(b"abcd")) is done
    again = taken(done, done.pending_policy_key, Taking.WHOLE, RULES, Draws(b"abcd"))
    assert again == (Taken.OK, done)
    assert again[1] is done


@pytest.mark.parametrize("key", [0, 77, 2**32 - 1])
def test_a_key_that_was_not_handed_out(key):
    assert taken(PHONE, key, Taking.WHOLE, RULES, Draws()) == (Taken.WRONG_KEY, PHONE)
    phone = provisioned()
    assert key != phone.pending_policy_key
    assert taken(phone, key, Taking.WHOLE, RULES, Draws()) == (Taken.WRONG_KEY, phone)
    assert taken(phone, phone.policy_key, 1, RULES, Draws())[0] is Taken.WRONG_KEY


@pytest.mark.parametrize(
    ("taking", "strict", "lenient"),
    [
        (Taking.WHOLE, Taken.OK, Taken.OK),
        (Taking.IN_PART, Taken.NOT_IN_FULL, Taken.OK),
        (Taking.NOT_AT_ALL, Taken.NOT_IN_FULL, Taken.NOT_IN_FULL),
        (Taking.MANAGED_ELSEWHERE, Taken.MANAGED_ELSEWHERE, Taken.MANAGED_ELSEWHERE),
        (0, Taken.NOT_IN_FULL, Taken.NOT_IN_FULL),
        (77, Taken.NOT_IN_FULL, Taken.NOT_IN_FULL),
    ],
)
def test_what_became_of_the_policy(taking, strict, lenient):
    for rules, expected in (
        (RULES, strict),
        (DeviceRules(policy=LOCKED, accepts_partial=True), lenient),
        (DeviceRules(), Taken.OK),
        (DeviceRules(enforces=False, policy=LOCKED), Taken.OK),
    ):
        phone = handed_out(PHONE, rules, Draws())
        result, after = taken(phone, phone.pending_policy_key, taking, rules, Draws())
        assert result is expected
        assert (after.policy_key != 0) == (expected is Taken.OK)


def test_a_policy_that_changes_between_the_round_trips_is_still_to_be_taken():
    phone = handed_out(PHONE, RULES, Draws())
    stricter = DeviceRules(policy=DevicePolicy(password_required=True, lock_after_s=60))
    result, phone = taken(phone, phone.pending_policy_key, Taking.WHOLE, stricter, Draws())
    assert result is Taken.OK
    assert standing(phone, phone.policy_key, stricter) is Standing.REFRESH


POLICIES = [DevicePolicy(), LOCKED, DevicePolicy(password_required=True, lock_after_s=60)]
STEPS = st.one_of(
    st.tuples(st.just("policy"), st.sampled_from(POLICIES)),
    st.tuples(st.just("ask"), st.none()),
    st.tuples(st.just("say"), st.sampled_from([1, 1, 1, 2, 3, 4])),
    st.tuples(st.just("lie"), st.integers(0, 2**32 - 1)),
)


@given(st.lists(STEPS, max_size=12), st.randoms(use_true_random=False))
def test_in_any_history_only_those_go_on_who_took_the_policy_in_force(steps, random):
    class Chance:
        def token_bytes(self, count):
            return random.randbytes(count)

    phone, rules, took, handed = PHONE, RULES, None, None
    for step, value in steps:
        if step == "policy":
            rules = DeviceRules(policy=value)
        elif step == "ask":
            phone, handed = handed_out(phone, rules, Chance()), rules.policy
        else:
            key, taking = (phone.pending_policy_key, value) if step == "say" else (value, 1)
            is_handed = handed is not None and key == phone.pending_policy_key
            result, phone = taken(phone, key, taking, rules, Chance())
            assert (result is Taken.WRONG_KEY) == (not is_handed)
            if result is Taken.OK:
                took = handed
        found = standing(phone, phone.policy_key, rules)
        if took is None:
            expected = Standing.NEEDED if must_take_policy(rules) else Standing.GOOD
        else:
            expected = Standing.GOOD if took == rules.policy else Standing.REFRESH
        assert found is expected
