"""Tasks with owners: nothing runs that nobody waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Tasks:
    """The tasks of one owner, kept alive and ended together.

    Attributes:
        on_error: hears of an exception that left a task; without it the loop's exception handler
            does.
    """

    __slots__ = ("_loop", "_tasks", "on_error")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_error: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[Any]] = set()
        self.on_error = on_error

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        """Run ``coroutine``; its end is noticed here."""
        task = self._loop.create_task(coroutine, name=name or None)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if self.on_error is not None:
            self.on_error(task.get_name(), error)
        else:
            self._loop.call_exception_handler(
                {"message": f"task {task.get_name()} failed", "exception": error, "task": task}
            )

    async def wait(self, timeout_s: float) -> bool:
        """Wait for all of them to end by themselves; says whether they did."""
        if not self._tasks:
            return True
        _, left = await asyncio.wait(tuple(self._tasks), timeout=timeout_s)
        return not left

    async def cancel(self) -> None:
        """Cancel what is left and wait until it is gone."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
