"""Which jobs share a commit."""

from __future__ import annotations

from posthouse.backends.sqlite.gathering import Gathering


class Timer:
    def __init__(self):
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class Loop:
    """Keeps what it is asked to call."""

    def __init__(self):
        self.soon = []
        self.timers = []

    def call_soon(self, callback):
        self.soon.append(callback)

    def call_later(self, delay_s, callback):
        assert 0 < delay_s < 0.01
        self.timers.append((Timer(), callback))
        return self.timers[-1][0]

    def turn(self):
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()

    def expire(self):
        timers, self.timers = self.timers, []
        for timer, callback in timers:
            if not timer.is_cancelled:
                callback()


class Desk:
    """A gathering, its loop, and the groups that came out of it."""

    def __init__(self):
        self.loop = Loop()
        self.handed = []
        self.gathering = Gathering(self.handed.extend)

    def add(self, *jobs):
        for job in jobs:
            self.gathering.add(job, self.loop)

    def group(self):
        group, self.handed[:] = "".join(self.handed), []
        return group

    def answer(self, count):
        self.gathering.answered(count, self.loop)


def test_who_comes_alone_does_not_wait():
    desk = Desk()
    for job in "abc":
        desk.add(job)
        desk.loop.turn()
        assert desk.group() == job
        desk.answer(1)
    assert not desk.loop.timers


def test_what_comes_in_one_turn_goes_together():
    desk = Desk()
    desk.add("a", "b")
    assert not desk.handed
    desk.loop.turn()
    assert desk.group() == "ab"


def test_a_small_group_waits_for_those_just_answered():
    desk = Desk()
    desk.add("a", "b")
    desk.loop.turn()
    desk.add("c", "d")
    desk.loop.turn()
    assert desk.group() == "ab"
    desk.answer(2)
    desk.loop.turn()
    desk.add("e")
    desk.loop.turn()
    assert not desk.handed
    desk.add("f")
    desk.loop.turn()
    assert desk.group() == "cdef"


def test_the_first_of_those_just_answered_waits_for_the_others():
    desk = Desk()
    desk.add("a", "b", "c")
    desk.loop.turn()
    assert desk.group() == "abc"
    desk.answer(3)
    desk.add("d")
    desk.loop.turn()
    desk.add("e")
    desk.loop.turn()
    assert not desk.handed
    desk.add("f")
    desk.loop.turn()
    assert desk.group() == "def"


def test_who_comes_after_a_group_and_a_pause_does_not_wait():
    desk = Desk()
    desk.add("a", "b")
    desk.loop.turn()
    assert desk.group() == "ab"
    desk.answer(2)
    desk.loop.expire()
    desk.add("c")
    desk.loop.turn()
    assert desk.group() == "c"


def test_patience_ends_and_after_waiting_in_vain_nobody_waits_for_a_while():
    desk = Desk()
    desk.add("a")
    desk.loop.turn()
    desk.add("b")
    assert desk.group() == "a"
    desk.answer(1)
    assert not desk.handed
    desk.loop.expire()
    assert desk.group() == "b"
    desk.add("c")
    desk.answer(1)
    assert desk.group() == "c"


def test_a_large_group_goes_at_once():
    desk = Desk()
    desk.add("a")
    desk.loop.turn()
    desk.add(*"bcdefghijklmnopqrstuvwxyz")
    assert desk.group() == "a"
    desk.answer(1)
    assert len(desk.group()) == 25


def test_a_new_loop_does_not_wait_for_what_an_old_one_left():
    desk = Desk()
    desk.add("a")
    desk.loop.turn()
    desk.add("b")
    old, desk.loop = desk.loop, Loop()
    desk.add("c")
    desk.loop.turn()
    assert desk.group() == "abc"
    desk.gathering.answered(2, old)
    desk.add("d")
    desk.loop.turn()
    assert not desk.handed
    desk.answer(1)
    desk.loop.expire()
    assert desk.group() == "d"


def test_what_is_taken_is_not_handed_over():
    desk = Desk()
    desk.add("a", "b")
    assert desk.gathering.take_all() == ["a", "b"]
    desk.loop.turn()
    assert not desk.handed
