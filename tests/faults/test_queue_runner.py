"""The queue under faults: refused writes, killed runners, dead couriers. Nothing is lost; repeats are rare and known."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from tests.unit.services.mailflow.conftest import MESSAGE, House, refused, until

from posthouse.backends.memory.faulty import Faults, faulty_records
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.errors import Unavailable
from posthouse.model.folder import FolderRole
from posthouse.model.queue import RecipientState
from posthouse.services.mailflow.queue import QueueRules

pytestmark = pytest.mark.faults

PATIENT = QueueRules(pause_s=0.0)


@pytest.fixture
def house(tmp_path):
    house = House(partial(SqliteRecords, tmp_path / "mail.db"))
    house.resolver.table |= {
        "one.example": {"MX": ("10 a.x",)},
        "two.example": {"MX": ("10 b.x",)},
        "a.x": {"A": ("192.0.2.1",)},
        "b.x": {"A": ("192.0.2.2",)},
    }
    yield house
    house.close()


def content(number=1):
    return MESSAGE.replace(b"someone@example.net", b"alice@example.org").replace(
        b"m1@", b"m%d@" % number
    )


async def submit(house, *to, number=1):
    return await house.accept(
        *to, sender="alice@example.org", login="alice", content=content(number)
    )


def with_faults(house):
    faults = Faults()
    house.store.records = faulty_records(house.records, faults)
    return faults


async def run_dry(house, rules=PATIENT):
    """Rounds until the queue is empty, time passing as it must."""
    for _ in range(10):
        queue = await house.queue()
        if not queue:
            return
        house.clock.now = max(house.clock.now, *(max(e.next_at, e.leased_until) for e in queue))
        await house.runner(rules).run_once()
    raise AssertionError("the queue does not empty")


@pytest.mark.parametrize("fails_at", range(1, 9))
@pytest.mark.parametrize("is_lasting", [False, True])
def test_any_refused_write_loses_nothing(house, fails_at, is_lasting):
    async def run():
        await house.open()
        house.courier.says["y@two.example"] = refused()
        faults = with_faults(house)
        faults.arm(fails_at, is_lasting=is_lasting)
        accepted = None
        for _ in range(3):
            try:
                accepted = await submit(house, "x@one.example", "y@two.example", "bob@example.org")
                break
            except Unavailable:
                assert not await house.items("bob")
                assert not await house.queue()
        if accepted is not None:
            await house.runner(PATIENT).run_once()
        faults.arm(0)
        if accepted is None:
            await submit(house, "x@one.example", "y@two.example", "bob@example.org")
        await run_dry(house)
        assert len(await house.items("bob")) == 1
        assert len(await house.items("alice", FolderRole.SENT)) == 1
        to_x = [p for _, p in house.courier.parcels if p.recipients[0].address == "x@one.example"]
        assert 1 <= len(to_x) <= 2
        assert len(await house.items("alice")) == 1
        assert b"Action: failed" in house.whole((await house.items("alice"))[0])

    asyncio.run(run())


def test_a_disk_that_comes_back_in_time_causes_no_repeat(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example")
        faults = with_faults(house)
        faults.arm(2)
        await house.runner(PATIENT).run_once()
        assert faults.seen == ["lease_queued", "settle_queued", "settle_queued"]
        assert not await house.queue()
        assert len(house.courier.parcels) == 1

    asyncio.run(run())


def test_a_killed_runner_is_followed_at_once_by_the_next(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example")
        gate = house.courier.wait_for["a.x"] = asyncio.Event()
        first = asyncio.ensure_future(house.runner().run())
        await until(lambda: house.courier.out)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        (entry,) = await house.queue()
        assert entry.leased_until > house.clock.now
        gate.set()
        runner = house.runner()
        second = asyncio.ensure_future(runner.run())

        async def is_empty():
            return not await house.queue()

        await until(is_empty)
        runner.stop()
        await second
        # Handed over twice at most: once by each runner.
        assert len(house.courier.parcels) == 2

    asyncio.run(run())


def test_what_a_killed_runner_had_booked_is_not_repeated(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example", "y@two.example")
        house.courier.wait_for["b.x"] = asyncio.Event()
        first = asyncio.ensure_future(house.runner().run())

        async def is_half_done():
            (entry,) = await house.queue()
            return entry.message.recipients[0].state is RecipientState.DELIVERED

        await until(is_half_done)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        house.courier.wait_for.clear()
        assert await house.runner().run_once() == 0
        await run_dry(house)
        assert [p.recipients[0].address for _, p in house.courier.parcels] == [
            "x@one.example",
            "y@two.example",
            "y@two.example",
        ]

    asyncio.run(run())


def test_two_runners_share_a_queue_without_doubling(house):
    async def run():
        await house.open()
        for number in range(20):
            await submit(house, "x@one.example", number=number)
        rules = QueueRules(is_alone=False, at_once=3)
        runners = [house.runner(rules) for _ in range(2)]
        tasks = [asyncio.ensure_future(runner.run()) for runner in runners]

        async def is_empty():
            return not await house.queue()

        await until(is_empty)
        for runner in runners:
            runner.stop()
        await asyncio.gather(*tasks)
        assert len(house.courier.parcels) == 20

    asyncio.run(run())


def test_a_lease_is_kept_up_while_work_takes_long(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example")
        gate = house.courier.wait_for["a.x"] = asyncio.Event()
        rules = QueueRules(lease_ms=30)
        runner = house.runner(rules)
        task = asyncio.ensure_future(runner.run())
        await until(lambda: house.courier.out)
        house.clock.now += 29
        kept_until = house.clock.now + rules.lease_ms

        async def is_kept():
            (entry,) = await house.queue()
            return entry.next_at == kept_until

        await until(is_kept)
        gate.set()
        runner.stop()
        await task
        assert not await house.queue()
        assert len(house.courier.parcels) == 1

    asyncio.run(run())


def test_a_message_we_stumble_over_waits_while_the_rest_goes_on(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example", number=1)
        await submit(house, "y@one.example", number=2)
        house.courier.says["x@one.example"] = object()
        await house.runner(PATIENT).run_once()
        (entry,) = await house.queue()
        assert entry.message.recipients[0].address == "x@one.example"
        assert entry.message.recipients[0].attempts == 1
        assert entry.next_at > house.clock.now
        assert len(house.journal.events("queue.stumbled")) == 1

    asyncio.run(run())


def test_dropped_by_the_operator_while_under_way(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example")
        gate = house.courier.wait_for["a.x"] = asyncio.Event()
        task = asyncio.ensure_future(house.runner(PATIENT).run_once())
        await until(lambda: house.courier.out)
        (entry,) = await house.queue()
        await house.records.drop_queued(entry.queue_id)
        gate.set()
        await task
        assert len(house.journal.events("queue.gone")) == 1

    asyncio.run(run())


def test_retried_by_the_operator_while_under_way_is_not_sent_twice(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example", "y@two.example")
        gate = house.courier.wait_for["b.x"] = asyncio.Event()
        runner = house.runner(PATIENT)
        task = asyncio.ensure_future(runner.run())
        await until(lambda: len(house.courier.parcels) == 2)
        await house.records.retry_queued(None, house.clock.now)
        runner.call()
        await asyncio.sleep(0.05)
        gate.set()
        runner.stop()
        await task
        assert len(house.courier.parcels) == 2
        assert not await house.queue()

    asyncio.run(run())


def test_a_host_that_hangs_does_not_keep_mail_for_others_waiting(house):
    async def run():
        await house.open()
        house.courier.wait_for["a.x"] = asyncio.Event()
        for number in range(6):
            await submit(house, "x@one.example", number=number)
        runner = house.runner(QueueRules(lease_ms=30, per_destination=2, at_once=6))
        task = asyncio.ensure_future(runner.run())
        await until(lambda: house.courier.out == 2)
        await submit(house, "y@two.example", number=7)
        runner.call()
        house.clock.now += 10
        await until(lambda: any(stop.host == "b.x" for stop, _ in house.courier.parcels))
        attempts = [entry.message.recipients[0].attempts for entry in await house.queue()]
        assert max(attempts) == 0
        house.courier.wait_for["a.x"].set()
        runner.stop()
        await task

    asyncio.run(run())


def test_lost_content_is_told_and_not_tried_for_ever(house):
    async def run():
        await house.open()
        await submit(house, "x@one.example")
        house.blobs.read = lambda ref: (_ for _ in ()).throw(Unavailable("EIO"))
        await house.runner(PATIENT).run_once()
        (entry,) = await house.queue()
        assert entry.message.recipients[0].state is RecipientState.WAITING
        assert not house.courier.parcels

    asyncio.run(run())
