"""What every bus of hints promises."""

from __future__ import annotations

import asyncio
import threading

import pytest

from posthouse.backends.localbus.datagrams import DatagramHints
from posthouse.backends.memory.hints import MemoryHints
from posthouse.model.changes import Hint
from posthouse.model.ids import ChangeNumber, FolderId, MailboxId


def hint(n: int) -> Hint:
    return Hint(MailboxId(n), FolderId(2 * n), ChangeNumber((1 << 48) - n))


@pytest.fixture(params=["memory", "datagrams"])
def make_bus(request, tmp_path):
    def make():
        if request.param == "memory":
            return MemoryHints(asyncio.get_running_loop())
        return DatagramHints(tmp_path / "run", asyncio.get_running_loop())

    return make


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_own_listeners_hear_in_order_and_not_inside_publish(make_bus):
    async def run():
        bus = make_bus()
        heard = []
        bus.subscribe(heard.append)
        for n in (1, 2, 3):
            bus.publish(hint(n))
        assert heard == []
        await turns()
        assert heard == [hint(1), hint(2), hint(3)]
        bus.close()

    asyncio.run(run())


def test_listeners_run_in_the_loops_thread_whoever_publishes(make_bus):
    async def run():
        bus = make_bus()
        heard = asyncio.Event()
        threads = []

        def listen(_):
            threads.append(threading.current_thread())
            if len(threads) == 40:
                heard.set()

        bus.subscribe(listen)
        writers = [
            threading.Thread(target=lambda: [bus.publish(hint(n)) for n in range(1, 11)])
            for _ in range(4)
        ]
        for writer in writers:
            writer.start()
        await asyncio.wait_for(heard.wait(), 5)
        assert set(threads) == {threading.current_thread()}
        for writer in writers:
            writer.join()
        bus.close()

    asyncio.run(run())


def test_an_ended_subscription_hears_no_more(make_bus):
    async def run():
        bus = make_bus()
        heard, directory = [], []
        end = bus.subscribe(heard.append)
        end_directory = bus.subscribe_directory(lambda: directory.append(1))
        bus.publish_directory()
        await turns()
        assert directory == [1]
        end()
        end()
        end_directory()
        bus.publish(hint(1))
        bus.publish_directory()
        await turns()
        assert (heard, directory) == ([], [1])
        bus.close()

    asyncio.run(run())


def test_publishing_after_the_end_is_no_error(make_bus):
    async def run():
        bus = make_bus()
        bus.close()
        bus.close()
        bus.publish(hint(1))
        bus.publish_directory()
        return bus

    bus = asyncio.run(run())
    bus.publish(hint(2))
