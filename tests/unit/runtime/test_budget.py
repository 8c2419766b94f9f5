"""Budgets count right, whatever comes and goes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.runtime.budget import Budget, Limits

_HOSTS = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "127.0.0.1"]


def test_addresses_of_one_ipv6_network_share_their_places():
    budget = Budget(Limits(strangers_per_address=1))
    assert budget.admit("2001:db8::1")
    assert budget.admit("2001:db8::ffff") is None
    assert budget.admit("2001:db8:0:1::1")
    assert budget.admit("::ffff:192.0.2.1")
    assert budget.admit("192.0.2.1") is None


def test_loopback_has_no_limit_but_the_total():
    budget = Budget(Limits(total=100, strangers_per_address=1, all_per_address=1))
    admitted = [budget.admit("127.0.0.1") for _ in range(100)]
    assert sum(one is not None for one in admitted) == 90  # the last tenth is for friends
    budget.logged_in(admitted[0])
    assert budget.admit("::1")
    assert budget.admit("::1") is None


def test_friends_of_one_address_have_a_limit_too():
    budget = Budget(Limits(strangers_per_address=1, all_per_address=3))
    for _ in range(3):
        budget.logged_in(budget.admit("192.0.2.1"))
    assert budget.admit("192.0.2.1") is None


def test_a_forgotten_login_makes_a_stranger_again():
    budget = Budget(Limits(strangers_per_address=1))
    one = budget.admit("192.0.2.1")
    budget.logged_in(one)
    budget.logged_out(one)
    assert budget.admit("192.0.2.1") is None
    budget.released(one)
    assert budget.admit("192.0.2.1")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["admit", "login", "leave"]), st.integers(0, 50))))
def test_nothing_is_left_when_all_have_gone(acts):
    budget = Budget(Limits(strangers_per_address=3, all_per_address=5, total=20))
    inside = []
    for act, number in acts:
        if act == "admit":
            admission = budget.admit(_HOSTS[number % len(_HOSTS)])
            if admission:
                inside.append(admission)
        elif inside:
            admission = inside[number % len(inside)]
            if act == "login":
                budget.logged_in(admission)
            else:
                inside.remove(admission)
                budget.released(admission)
        assert budget.open_count == len(inside) <= 20
        assert budget.stranger_count == sum(not one.is_logged_in for one in inside) <= 18
    for admission in inside:
        budget.released(admission)
    assert budget.open_count == budget.stranger_count == 0
    assert not budget._all
    assert not budget._strangers
