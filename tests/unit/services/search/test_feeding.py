"""When the index is fed: soon, together, and only with a share of the time while mail comes."""

import asyncio

import pytest

from posthouse.backends.memory.hints import MemoryHints
from posthouse.model.changes import Hint
from posthouse.model.errors import Unavailable
from posthouse.services.search.feeding import Feeder, Pace


class OwnTime:
    """Time and sleep that move together; ``events`` happen on the way: (second, what)."""

    def __init__(self, events=()):
        self.now = 0.0
        self.events = sorted(events, key=lambda event: event[0])
        self.slept = []

    def monotonic_s(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(round(seconds, 3))
        end = self.now + seconds
        while self.events and self.events[0][0] <= end:
            at, happen = self.events.pop(0)
            self.now = max(self.now, at)
            happen()
        self.now = end
        await real_sleep(0)


real_sleep = asyncio.sleep


class FakeIndexer:
    """Takes ``cost_s`` for a mailbox; says when it looked at which."""

    def __init__(self, time):
        self.time = time
        self.cost_s = 0.01
        self.looks = []
        self.unfinished = set()
        self.moved_unheard = []
        self.during = None
        self.error = None

    async def behind(self):
        found, self.moved_unheard = self.moved_unheard, []
        return found

    async def advance(self, mailbox_ids, until_s):
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        left = []
        for mailbox_id in mailbox_ids:
            if self.time.now >= until_s:
                left.append(mailbox_id)
                continue
            self.looks.append((round(self.time.now, 2), mailbox_id))
            self.time.now += self.cost_s
            if self.during is not None:
                self.during()
            await real_sleep(0)
            if mailbox_id in self.unfinished:
                self.unfinished.discard(mailbox_id)
                self.time.now = until_s
                left.append(mailbox_id)
        return left


class Site:
    def __init__(self, monkeypatch, pace=None, events=()):
        self.hints = MemoryHints()
        self.clock = OwnTime(events)
        self.indexer = FakeIndexer(self.clock)
        self.feeder = Feeder(self, self.indexer, pace)
        monkeypatch.setattr("posthouse.services.search.feeding.asyncio.sleep", self.clock.sleep)

    def hint(self, mailbox_id):
        self.hints.publish(Hint(mailbox_id, 1, 1))

    async def turns(self, count=50):
        for _ in range(count):
            await real_sleep(0)


def play(site, scenario):
    async def run():
        loop = asyncio.get_running_loop()
        task = loop.create_task(site.feeder.run())
        await site.turns()
        try:
            await scenario()
            await site.turns()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_what_comes_together_is_looked_at_together(monkeypatch):
    site = Site(monkeypatch)
    site.clock.events = [(0.5, lambda: site.hint(2)), (1.4, lambda: site.hint(1))]

    async def scenario():
        site.hint(1)

    play(site, scenario)
    assert site.indexer.looks == [(3.0, 1), (3.01, 2)]


def test_patience_ends_when_mail_never_does(monkeypatch):
    site = Site(monkeypatch)
    site.clock.events = [(n / 2, lambda: site.hint(1)) for n in range(1, 21)]

    async def scenario():
        site.hint(1)

    play(site, scenario)
    assert site.indexer.looks[0] == (10.0, 1)


def test_hints_about_the_house_are_nothing(monkeypatch):
    site = Site(monkeypatch)

    async def scenario():
        site.hint(0)

    play(site, scenario)
    assert site.indexer.looks == []
    assert site.clock.slept == []


def test_while_mail_comes_a_share_of_the_time_is_taken(monkeypatch):
    site = Site(monkeypatch, Pace(busy_share=0.25, slice_s=0.05))
    site.indexer.cost_s = 0.03

    coming = [9, 9]
    site.indexer.during = lambda: coming and site.hint(coming.pop())

    async def scenario():
        for number in range(1, 5):
            site.hint(number)

    site.feeder._until_quiet = at_once
    play(site, scenario)
    # Two mailboxes took 0.06 s while mail came: the rest of 0.24 s is not ours. Then it is quiet.
    assert site.clock.slept == [0.18, 0.0, 0.0]


async def at_once():
    return None


def test_a_full_mailbox_lets_the_others_go_first(monkeypatch):
    site = Site(monkeypatch)
    site.indexer.unfinished = {1}

    async def scenario():
        for number in (1, 2, 3):
            site.hint(number)

    play(site, scenario)
    assert [mailbox_id for _, mailbox_id in site.indexer.looks] == [1, 2, 3, 1]


def test_nothing_is_forgotten_when_the_store_fails(monkeypatch):
    site = Site(monkeypatch)
    site.indexer.error = Unavailable("no")

    async def run():
        loop = asyncio.get_running_loop()
        task = loop.create_task(site.feeder.run())
        await site.turns()
        site.hint(5)
        with pytest.raises(Unavailable):
            await task
        site.hint(6)  # nobody listens now
        task = loop.create_task(site.feeder.run())
        await site.turns()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert [mailbox_id for _, mailbox_id in site.indexer.looks] == [5]


def test_the_sweep_finds_what_hints_lost(monkeypatch):
    site = Site(monkeypatch, Pace(sweep_s=0.0))
    site.indexer.moved_unheard = [7, 8]

    async def scenario():
        await site.turns()

    play(site, scenario)
    assert [mailbox_id for _, mailbox_id in site.indexer.looks] == [7, 8]
