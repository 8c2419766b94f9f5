"""Coroutines without tasks: values, errors, cancellation, on both loops."""

from __future__ import annotations

import asyncio

import pytest

from posthouse.runtime import steps


class Owner:
    def __init__(self):
        self.ended = []

    def concluded(self, suspended, value, error):
        self.ended.append((value, error))
        suspended.done(value, error)


@pytest.fixture(params=["uvloop", "asyncio"])
def on_loop(request):
    import uvloop

    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(scene):
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(asyncio.wait_for(scene(), 10))

    return run


def test_what_need_not_wait_ends_at_once():
    heard = []

    async def work():
        return 7

    async def bad():
        raise KeyError("x")

    def done(value, error):
        heard.append((value, type(error)))

    assert steps.start(work(), Owner(), done) is None
    assert steps.start(bad(), Owner(), done) is None
    assert heard == [(7, type(None)), (None, KeyError)]


def test_a_done_that_raises_is_the_callers_problem():
    async def work():
        return 7

    def done(value, error):
        raise ValueError("done")

    with pytest.raises(ValueError, match="done"):
        steps.start(work(), Owner(), done)


def test_a_future_is_waited_for_in_place(on_loop):
    async def scene():
        loop = asyncio.get_running_loop()
        owner, heard = Owner(), []
        first, second = loop.create_future(), loop.create_future()

        async def work():
            one = await first
            two = await second
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            return one + two + await loop.run_in_executor(None, lambda: 100)

        suspended = steps.start(work(), owner, lambda *what: heard.append(what))
        task = loop.create_task(suspended)
        await asyncio.sleep(0)
        first.set_result(1)
        second.set_result(2)
        await task
        assert heard == [(103, None)]
        assert task.exception() is None

    on_loop(scene)


def test_a_future_done_before_the_task_begins(on_loop):
    async def scene():
        loop = asyncio.get_running_loop()
        owner, heard = Owner(), []
        future = loop.create_future()

        async def work():
            try:
                await future
            except OSError as error:
                return str(error)

        suspended = steps.start(work(), owner, lambda *what: heard.append(what))
        future.set_exception(OSError("disk"))
        await loop.create_task(suspended)
        assert heard == [("disk", None)]

    on_loop(scene)


def test_sleep_zero_as_first_wait(on_loop):
    async def scene():
        owner, heard = Owner(), []

        async def work():
            await asyncio.sleep(0)
            assert asyncio.current_task() is not None
            async with asyncio.timeout(5):
                await asyncio.sleep(0)
            return "slept"

        suspended = steps.start(work(), owner, lambda *what: heard.append(what))
        await asyncio.get_running_loop().create_task(suspended)
        assert heard == [("slept", None)]

    on_loop(scene)


def test_errors_after_a_wait_go_to_done_and_not_to_the_task(on_loop):
    async def scene():
        owner, heard = Owner(), []

        async def work():
            await asyncio.sleep(0)
            raise LookupError("late")

        suspended = steps.start(work(), owner, lambda *what: heard.append(what))
        task = asyncio.get_running_loop().create_task(suspended)
        await task
        assert heard[0][0] is None
        assert isinstance(heard[0][1], LookupError)

    on_loop(scene)


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_cancellation_reaches_the_coroutine_and_what_it_waits_for(on_loop, turns):
    async def scene():
        loop = asyncio.get_running_loop()
        owner, heard, cleaned = Owner(), [], []
        future = loop.create_future()

        async def work():
            try:
                await future
            finally:
                cleaned.append(True)

        suspended = steps.start(work(), owner, lambda *what: heard.append(what))
        task = loop.create_task(suspended)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert cleaned == [True]
        assert future.cancelled()
        assert isinstance(heard[0][1], asyncio.CancelledError)
        assert len(heard) == 1

    on_loop(scene)


def test_a_coroutine_may_wait_again_while_being_cancelled(on_loop):
    async def scene():
        loop = asyncio.get_running_loop()
        owner, heard = Owner(), []
        future = loop.create_future()

        async def work():
            try:
                await future
            except asyncio.CancelledError:
                await asyncio.sleep(0.001)
                return "tidied"

        for turns in (0, 2):
            future = loop.create_future()
            suspended = steps.start(work(), owner, lambda *what: heard.append(what))
            task = loop.create_task(suspended)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert heard == [("tidied", None), ("tidied", None)]

    on_loop(scene)


def test_waiting_for_a_task_and_gathering(on_loop):
    async def scene():
        owner, heard = Owner(), []

        async def part(number):
            await asyncio.sleep(0)
            return number

        async def work():
            return await asyncio.gather(part(1), part(2))

        suspended = steps.start(work(), owner, lambda *what: heard.append(what))
        await asyncio.get_running_loop().create_task(suspended)
        assert heard == [([1, 2], None)]

    on_loop(scene)


def test_an_errand_needs_no_task(on_loop):
    async def scene():
        loop = asyncio.get_running_loop()
        owner, heard = Owner(), []
        first, failing = loop.create_future(), loop.create_future()

        async def work():
            one = await first
            assert asyncio.current_task() is None
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            try:
                await failing
            except OSError:
                one += await loop.run_in_executor(None, lambda: 100)
            return one + await asyncio.wait_for(asyncio.shield(asyncio.sleep(0, 1000)), 5)

        ended = asyncio.Event()

        def done(*what):
            heard.append(what)
            ended.set()

        steps.run_errand(work(), owner, done)
        first.set_result(1)
        failing.set_exception(OSError("disk"))
        await ended.wait()
        assert heard == owner.ended == [(1101, None)]

    on_loop(scene)


def test_errors_of_an_errand_go_to_done(on_loop):
    async def scene():
        owner, heard = Owner(), []

        async def work(turns):
            for _ in range(turns):
                await asyncio.sleep(0)
            raise LookupError(str(turns))

        for turns in (0, 1):
            steps.run_errand(work(turns), owner, lambda *what: heard.append(what))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [(value, str(error)) for value, error in heard] == [(None, "0"), (None, "1")]

    on_loop(scene)


def test_run_on_a_connection_is_cancelled_with_it_and_shielded_is_not(play):
    async def scene(bench):
        results = []
        gates = []

        async def work():
            gate = bench.loop.create_future()
            gates.append(gate)
            return await gate

        def answer(session, data):
            session.connection.run(work(), lambda v, e: results.append(("run", v, type(e))))
            session.connection.run_shielded(
                work(), lambda v, e: results.append(("shielded", v, type(e)))
            )

        bench.on["data"] = answer
        bench.listen()
        _, writer = await bench.dial()
        writer.write(b"x")
        session = await bench.session()
        await session.until("data")
        writer.close()
        await session.until("lost")
        await asyncio.sleep(0.01)
        assert results == [("run", None, asyncio.CancelledError)]
        gates[1].set_result("committed")
        await asyncio.sleep(0.01)
        assert results[1:] == [("shielded", "committed", type(None))]
        late = []
        session.connection.run(work(), lambda v, e: late.append(type(e)))
        assert late == [asyncio.CancelledError]

    play(scene)


def test_what_a_done_writes_is_sent_and_its_bugs_end_the_connection(play):
    async def scene(bench):
        async def work(value):
            await asyncio.sleep(0.001)
            return value

        def done(session):
            def finish(value, error):
                if value == b"bug":
                    raise RuntimeError("bug")
                session.connection.write(value)

            return finish

        bench.on["data"] = lambda s, data: s.connection.run(work(data), done(s))
        bench.listen()
        reader, writer = await bench.dial()
        writer.write(b"good")
        assert await reader.readexactly(4) == b"good"
        writer.write(b"bug")
        assert await reader.read(-1) == b""
        assert "session_failed" in bench.logged()

    play(scene)
