"""Gathering: which jobs share a commit.

Notes:
    A group under way is what others wait behind. When it is answered, those who waited would be a
    group at once, and the clients just answered, who send their next message within microseconds,
    would make another one: two half groups taking turns, each with syncs of its own. Where none
    waited, the first of those to come would go alone. So a small group waits for as many as were
    under way together; no longer than ``_PATIENCE_S``, and a while not at all when waiting was in
    vain. Who comes alone never waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from posthouse.backends.sqlite.books import Books
    from posthouse.model.blob import StagedBlob

GROUP_MAX: Final = 64
"""Jobs handed over at once."""
_PATIENCE_S: Final = 0.002
"""Long enough for the next message of a client nearby; the loop's timers count whole ms."""
_SMALL: Final = 16
"""A group of so many is large enough: waiting for more saves little."""
_DISCOURAGED: Final = 16
"""Groups that do not wait after one that waited in vain."""

T = TypeVar("T")


class Job(Generic[T]):
    """Something to do in a write transaction, and whom to answer."""

    __slots__ = ("blobs", "error", "future", "is_abandoned", "receipt", "result", "run")

    def __init__(
        self,
        run: Callable[[Books], T],
        blobs: Sequence[StagedBlob],
        receipt: bytes,
        future: asyncio.Future[T],
    ) -> None:
        self.run = run
        self.blobs = blobs
        self.receipt = receipt
        self.future = future
        self.result: T | None = None
        self.error: BaseException | None = None
        self.is_abandoned = False


AnyJob = Job[Any]


class Gathering:
    """Lives in the event loop. One per writer; a new loop begins anew."""

    __slots__ = (
        "_discouraged",
        "_expected",
        "_gathered",
        "_hand_over",
        "_is_due",
        "_loop",
        "_timer",
        "_under_way",
        "_waiting",
    )

    def __init__(self, hand_over: Callable[[list[AnyJob]], None]) -> None:
        """``hand_over`` gives jobs to the writer's thread, many at once: each call wakes it."""
        self._hand_over = hand_over
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[AnyJob] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._under_way = 0
        self._gathered = 0
        self._expected = 0
        self._discouraged = 0

    def add(self, job: AnyJob, loop: asyncio.AbstractEventLoop) -> None:
        """One more; what comes in one turn of the loop makes one group."""
        if loop is not self._loop:
            self.flush()
            self._loop = loop
            self._under_way = 0
        self._waiting.append(job)
        if self._is_due or self._under_way:
            return
        if self._timer is None or len(self._waiting) >= self._expected:
            self._is_due = True
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Hand over what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_due = False
        waiting, self._waiting = self._waiting, []
        self._under_way += len(waiting)
        for begin in range(0, len(waiting), GROUP_MAX):
            self._hand_over(waiting[begin : begin + GROUP_MAX])

    def take_all(self) -> list[AnyJob]:
        """What has gathered, which will then not be handed over."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def answered(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        """So many are not under way any more."""
        if loop is not self._loop:
            return
        self._under_way -= count
        if self._under_way:
            return
        gathered = len(self._waiting)
        if gathered >= _SMALL or self._discouraged:
            self._discouraged = max(self._discouraged - 1, 0)
            self.flush()
        elif self._timer is None and gathered + count > 1:
            self._gathered = gathered
            self._expected = gathered + count
            self._timer = loop.call_later(_PATIENCE_S, self._wait_no_longer)

    def _wait_no_longer(self) -> None:
        if 0 < len(self._waiting) <= max(self._gathered, 1):
            self._discouraged = _DISCOURAGED
        self.flush()
