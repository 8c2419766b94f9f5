"""Guesses: slowed down, never locked out, in bounded memory."""

import asyncio
from itertools import pairwise

import pytest

from posthouse.model.errors import LoginDelayed
from posthouse.services.directory.guesses import Guesses, GuessLimits, network_from_host


class Doors:
    """Many clients at once on a clock that jumps to the next who wakes."""

    def __init__(self, workers=1, **limits):
        self.now_s = 0.0
        self.sleepers = []
        self.guesses = Guesses(self, workers, self.sleep, GuessLimits(**limits))
        self.answers = []

    def monotonic_s(self):
        return self.now_s

    def now_ms(self):
        return int(self.now_s * 1000)

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now_s + seconds, len(self.answers), woken))
        await woken

    async def attempt(self, host, account, *, is_right=False, guess=b""):
        try:
            turn = await self.guesses.take_turn(host, account, guess)
            if is_right:
                self.guesses.succeeded(turn)
                self.answers.append((self.now_s, account, "in"))
                return
            await self.guesses.failed(turn)
            self.answers.append((self.now_s, account, "refused"))
        except LoginDelayed as e:
            self.answers.append((self.now_s, account, e.retry_after_s))

    async def settle(self, *tries):
        pending = asyncio.gather(*tries)
        while not pending.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if self.sleepers:
                self.sleepers.sort(key=lambda sleeper: sleeper[0])
                at, _, woken = self.sleepers.pop(0)
                self.now_s = max(self.now_s, at)
                woken.set_result(None)
        return self.answers

    def play(self, *tries):
        return asyncio.run(self.settle(*tries))


def in_turn(doors, host, account, count):
    async def run():
        for _ in range(count):
            await doors.attempt(host, account)

    return run()


def test_wrong_answers_leave_at_one_a_second():
    doors = Doors()
    answers = doors.play(in_turn(doors, "192.0.2.1", "alice", 5))
    assert [at for at, _, _ in answers] == [0, 1, 2, 3, 4]


def test_guessing_in_parallel_gains_nothing():
    doors = Doors()
    tries = [doors.attempt("192.0.2.1", f"user{n}") for n in range(8)]
    answers = doors.play(*tries)
    assert sorted(at for at, _, _ in answers) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_long_queue_turns_away():
    doors = Doors(held_max_s=3)
    tries = [doors.attempt("192.0.2.1", f"user{n}") for n in range(8)]
    answers = doors.play(*tries)
    assert [at for at, _, how in answers if how == "refused"] == [0, 1, 2, 3]
    assert sorted(how for _, _, how in answers if how != "refused") == [4] * 4


def test_those_looked_at_together_are_answered_one_by_one():
    doors = Doors(held_max_s=3)

    async def all_at_once():
        turns = [await doors.guesses.take_turn("192.0.2.1", f"user{n}") for n in range(6)]

        async def fail(turn):
            try:
                await doors.guesses.failed(turn)
                doors.answers.append(doors.now_s)
            except LoginDelayed as e:
                doors.answers.append(-e.retry_after_s)

        await doors.settle(*map(fail, turns))

    asyncio.run(all_at_once())
    assert sorted(doors.answers) == [-5, -4, 0, 1, 2, 3]


def test_workers_share_the_allowance():
    doors = Doors(workers=4)
    answers = doors.play(in_turn(doors, "192.0.2.1", "alice", 3))
    assert [at for at, _, _ in answers] == [0, 4, 8]


def test_after_ten_failures_the_account_waits_doubling_up_to_a_minute():
    doors = Doors(held_max_s=100)
    answers = doors.play(in_turn(doors, "192.0.2.1", "alice", 19))
    gaps = [round(b[0] - a[0]) for a, b in pairwise(answers)]
    assert gaps == [1] * 9 + [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_wait_too_long_to_hold_is_told():
    doors = Doors()
    answers = doors.play(in_turn(doors, "192.0.2.1", "alice", 20))
    assert [how for _, _, how in answers[:14]] == ["refused"] * 14
    assert [how for _, _, how in answers[14:]] == [16.0] * 6


def test_success_from_elsewhere_always_gets_in_at_once():
    doors = Doors()
    doors.play(in_turn(doors, "192.0.2.1", "alice", 30))
    before = doors.now_s
    answers = doors.play(doors.attempt("192.0.2.2", "alice", is_right=True))
    assert answers[-1] == (before, "alice", "in")


def test_who_came_in_before_does_not_queue_behind_others_guesses():
    doors = Doors()
    doors.play(doors.attempt("192.0.2.1", "alice", is_right=True))
    tries = [doors.attempt("192.0.2.1", f"user{n}") for n in range(8)]
    doors.play(*tries, doors.attempt("192.0.2.1", "alice", is_right=True))
    assert (0, "alice", "in") in doors.answers[1:]


def test_a_right_guess_comes_out_no_sooner_than_a_wrong_one():
    doors = Doors()
    doors.play(in_turn(doors, "192.0.2.1", "bob", 3))
    assert doors.now_s == 2
    answers = doors.play(doors.attempt("192.0.2.1", "alice", is_right=True))
    assert answers[-1] == (3, "alice", "in")


def test_a_success_gives_its_turn_back():
    doors = Doors()
    doors.play(in_turn(doors, "192.0.2.1", "bob", 1))
    answers = doors.play(*[doors.attempt("192.0.2.1", f"user{n}", is_right=True) for n in range(3)])
    assert [how for _, _, how in answers[1:]] == ["in"] * 3
    answers = doors.play(doors.attempt("192.0.2.1", "carol"))
    assert answers[-1][0] <= 4


def test_a_success_does_not_wipe_the_account_s_failures():
    doors = Doors(held_max_s=100)
    doors.play(in_turn(doors, "192.0.2.1", "alice", 12))
    doors.play(doors.attempt("192.0.2.1", "alice", is_right=True))
    start = doors.now_s
    answers = doors.play(in_turn(doors, "192.0.2.1", "alice", 2))
    assert answers[-1][0] - start >= 8


def test_ten_quiet_minutes_are_forgiven():
    doors = Doors(held_max_s=100)
    doors.play(in_turn(doors, "192.0.2.1", "alice", 15))
    doors.now_s += 601
    start = doors.now_s
    answers = doors.play(in_turn(doors, "192.0.2.1", "alice", 3))
    assert [at - start for at, _, _ in answers[-3:]] == [0, 1, 2]


def test_the_same_wrong_password_is_one_guess():
    doors = Doors()

    async def old_telephone():
        for _ in range(30):
            await doors.attempt("192.0.2.1", "alice", guess=b"old")

    answers = doors.play(old_telephone())
    assert [at for at, _, _ in answers] == list(range(30))
    assert doors.guesses.may_pass("192.0.2.1", "alice")


def test_guessing_against_the_memory_ends_after_ten_even_when_turned_away():
    doors = Doors(held_max_s=1)

    async def guess_on():
        await doors.guesses.failed(await doors.guesses.take_turn("192.0.2.1", "bob"))
        doors.guesses._networks["192.0.2.1"] += 60
        for n in range(9):
            await doors.attempt("192.0.2.1", "alice", guess=b"%d" % n)
        assert doors.guesses.may_pass("192.0.2.1", "alice")
        await doors.attempt("192.0.2.1", "alice", guess=b"9")

    doors.play(guess_on())
    assert not doors.guesses.may_pass("192.0.2.1", "alice")
    assert doors.guesses.may_pass("192.0.2.2", "alice")
    assert doors.guesses.may_pass("192.0.2.1", "bob")
    doors.now_s += 700
    assert doors.guesses.may_pass("192.0.2.1", "alice")


def test_memory_is_bounded():
    doors = Doors(counted_max=10)
    doors.play(*[doors.attempt(f"192.0.2.{n}", f"user{n}") for n in range(50)])
    assert len(doors.guesses._networks) == 10
    assert len(doors.guesses._accounts) == 10


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_address_counts_as_its_network(host, network):
    assert network_from_host(host) == network
