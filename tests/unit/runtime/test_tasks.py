"""Tasks have owners."""

from __future__ import annotations

import asyncio

from posthouse.runtime.tasks import Tasks


def test_errors_are_heard_and_the_rest_is_cancelled():
    async def scene():
        heard = []
        tasks = Tasks(asyncio.get_running_loop(), lambda name, error: heard.append((name, error)))

        async def fail():
            raise LookupError

        tasks.start(fail(), "sweeper")
        assert await tasks.wait(1)
        assert heard[0][0] == "sweeper"
        assert isinstance(heard[0][1], LookupError)
        tasks.start(asyncio.sleep(100))
        assert not await tasks.wait(0.01)
        await tasks.cancel()
        assert len(tasks) == 0
        assert len(heard) == 1

    asyncio.run(scene())
