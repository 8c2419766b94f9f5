from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from posthouse.model.ids import PrincipalId
from posthouse.services.mailflow.rates import SendingRates


class FakeClock:
    def __init__(self):
        self.at_s = 1_000_000.0

    def now_ms(self):
        return int(self.at_s * 1000)

    def monotonic_s(self):
        return self.at_s


ALICE, BOB = PrincipalId(1), PrincipalId(2)


def test_the_hour_and_the_day():
    clock = FakeClock()
    rates = SendingRates(clock, 2, 3)
    assert [rates.take(ALICE) for _ in range(3)] == [True, True, False]
    assert rates.take(BOB)
    clock.at_s += 3660
    assert [rates.take(ALICE) for _ in range(2)] == [True, False]
    clock.at_s += 3660
    assert not rates.take(ALICE)
    clock.at_s += 86400
    assert rates.take(ALICE)


def test_what_did_not_come_about_is_given_back():
    rates = SendingRates(FakeClock(), 2, 0)
    rates.take(ALICE)
    rates.take(ALICE)
    rates.give_back(ALICE, 1)
    assert [rates.take(ALICE) for _ in range(2)] == [True, False]


@given(st.lists(st.tuples(st.sampled_from("tgw"), st.integers(1, 90)), max_size=60))
def test_never_more_than_allowed_in_any_hour(steps):
    clock = FakeClock()
    rates = SendingRates(clock, 5, 12)
    taken: list[float] = []
    for kind, number in steps:
        if kind == "w":
            clock.at_s += number * 60
        elif kind == "t":
            if rates.take(ALICE):
                taken.append(clock.at_s)
        else:
            count = min(number, len(taken))
            rates.give_back(ALICE, count)
            taken = taken[: len(taken) - count]
        assert sum(at > clock.at_s - 3540 for at in taken) <= 5
        assert sum(at > clock.at_s - 86340 for at in taken) <= 12
