"""The queue runner: takes due messages to their next hosts and books what became of them.

Spec: RFC 5321 §4.5.4.1 (sending strategy), §6.1 (reports), RFC 3461 (DSN).

Notes:
    - A message is leased; its recipients are grouped by destination; each group is an errand in the
      destination's lane. A lane has a few workers at most; a worker keeps its connection while the
      lane has errands.
    - What an errand brought is booked at once, reports in the same commit. Recipients of the
      message that are still under way are booked as due again when the lease would have ended: that
      is how a lease is kept up. So work of a runner that dies is taken up again soon, and only what
      the dead one had not booked is repeated: delivery to other hosts is at least once, with the
      same Message-ID.
    - Order of locks: a message's own lock only; the records order the rest.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from posthouse.model.errors import PosthouseError, Unavailable
from posthouse.model.queue import RecipientState
from posthouse.ports.courier import Fate, Verdict
from posthouse.services.mailflow.backoff import BackOff
from posthouse.services.mailflow.booking import Booking
from posthouse.services.mailflow.envelope import SilentJournal, count_nothing
from posthouse.services.mailflow.local_delivery import LocalDelivery
from posthouse.services.mailflow.ruling import Ruling
from posthouse.services.mailflow.schedule import Schedule
from posthouse.services.mailflow.standing import Result
from posthouse.services.mailflow.travel import Travel
from posthouse.services.mailflow.work import QUEUE_HINT, Errand, Lane, Leased, domain_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from posthouse.model.changes import Hint
    from posthouse.ports.clock import Chance, Clock
    from posthouse.ports.courier import Courier
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.envelope import Journal, Policy
    from posthouse.services.mailflow.route import Router
    from posthouse.store.store import Store, Tally

_IDLE_LEAST_S = 0.25
_BUSY = Verdict(Fate.DEFERRED, "4.4.5", "the host is slow; others wait there", is_remote=False)
_STUMBLED = Verdict(Fate.DEFERRED, "4.3.0", "an error of our own", is_remote=False)


@dataclass(frozen=True, slots=True)
class QueueRules:
    """How the runner works.

    Attributes:
        schedule: when to try, to warn, to give up.
        per_destination: connections to one destination.
        at_once: messages under way.
        per_connection: messages over one connection.
        lease_ms: work of a runner that died is taken up again after this time.
        poll_s: the queue is looked at that often even if nobody called.
        pause_s: between tries to book what cannot be written; it doubles.
        is_alone: no other runner works on this queue, so leases found at the start are of a dead
            one.
    """

    schedule: Schedule = field(default_factory=Schedule)
    per_destination: int = 4
    at_once: int = 32
    per_connection: int = 100
    lease_ms: int = 60_000
    poll_s: float = 5.0
    pause_s: float = 1.0
    is_alone: bool = True


class QueueRunner:
    """Runs the outbound queue. One per installation, in the jobs process."""

    def __init__(  # noqa: PLR0913  what a service stands on comes in as arguments
        self,
        store: Store,
        addresses: Addresses,
        router: Router,
        courier: Courier,
        policy: Policy,
        chance: Chance,
        *,
        clock: Clock | None = None,
        rules: QueueRules | None = None,
        journal: Journal | None = None,
        tally: Tally = count_nothing,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._clock = clock or store.clock
        self._rules = rules or QueueRules()
        self._journal = journal or SilentJournal()
        self._router = router
        self._booking = Booking(
            store,
            addresses,
            policy,
            self._clock,
            chance,
            schedule=self._rules.schedule,
            lease_ms=self._rules.lease_ms,
            journal=self._journal,
            tally=tally,
            pause_s=self._rules.pause_s,
        )
        placement = self._booking.placement
        ruling = Ruling(store, addresses, policy, chance, placement, self._journal)
        self._local = LocalDelivery(store, addresses, self._clock, self._booking, ruling)
        self._travel = Travel(store.blobs, router, courier, self._booking, BackOff(), self._clock)
        self._busy: dict[int, Leased] = {}
        self._lanes: defaultdict[str, Lane] = defaultdict(Lane)
        self._called = asyncio.Event()
        self._is_stopping = False

    def stop(self) -> None:
        """End ``run``: what is under way is finished, nothing new is begun."""
        self._is_stopping = True
        self._called.set()

    def call(self) -> None:
        """There may be something to do."""
        self._called.set()

    def _on_hint(self, hint: Hint) -> None:
        if hint.mailbox_id == QUEUE_HINT.mailbox_id:
            self._called.set()

    async def run(self) -> None:
        """Work until ``stop``. May be cancelled at any time: leases are taken up again later."""
        self._busy.clear()
        self._lanes.clear()
        unsubscribe = self._store.hints.subscribe(self._on_hint)
        try:
            if self._rules.is_alone:
                with suppress(PosthouseError):  # else they end by themselves
                    await self._release_left_over()
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep_leases())
                while not self._is_stopping:
                    # Cleared before the look, so that a call during it is not lost.
                    self._called.clear()
                    took = await self._round(group)
                    if not took:
                        await self._idle()
                await self._release_waiting()
                keeper.cancel()
        finally:
            unsubscribe()

    async def run_once(self) -> int:
        """Take up what is due now and finish it; says how many messages that were."""
        async with asyncio.TaskGroup() as group:
            return await self._round(group)

    async def _round(self, group: asyncio.TaskGroup) -> int:
        """Lease what is due and hand it out. A queue that cannot be read is left for later."""
        room = self._rules.at_once - len(self._busy)
        if room <= 0:
            return 0
        now_ms = self._clock.now_ms()
        try:
            leased = await self._store.records.lease_queued(now_ms, self._rules.lease_ms, room)
        except Unavailable as error:
            self._journal.error("queue.unreadable", reason=str(error))
            return 0
        count = 0
        for queued in leased:
            if queued.queue_id not in self._busy:
                count += 1
                await self._take_up(Leased(queued, list(queued.message.recipients), now_ms), group)
        return count

    async def _take_up(self, leased: Leased, group: asyncio.TaskGroup) -> None:
        now_ms = self._clock.now_ms()
        by_domain: defaultdict[str, list[int]] = defaultdict(list)
        for position, recipient in enumerate(leased.standing):
            if recipient.state is RecipientState.WAITING and recipient.next_at <= now_ms:
                by_domain[domain_of(recipient.address)].append(position)
        queue_id = leased.queued.queue_id
        if not by_domain:
            with suppress(PosthouseError):  # else the lease ends by itself
                await self._store.records.release_queued(queue_id)
            return
        leased.under_way.update(position for some in by_domain.values() for position in some)
        self._busy[queue_id] = leased
        for domain, positions in by_domain.items():
            errand = Errand(leased, tuple(positions), domain)
            if self._addresses.is_local_domain(domain):
                group.create_task(self._run_errand(errand, self._local.deliver))
            else:
                self._send_out(errand, group)

    def _send_out(self, errand: Errand, group: asyncio.TaskGroup) -> None:
        destination = self._router.destination(errand.domain)
        lane = self._lanes[destination]
        lane.waiting.append(errand)
        if lane.workers < self._rules.per_destination:
            lane.workers += 1
            group.create_task(self._work(destination, lane))

    async def _run_errand(
        self, errand: Errand, deliver: Callable[[Errand], Awaitable[None]]
    ) -> None:
        """The top of one errand: what goes wrong here must not stop the others."""
        queue_id = errand.leased.queued.queue_id
        try:
            await deliver(errand)
        except Unavailable as error:
            # Not booked: the lease ends by itself, and whoever comes then tries again.
            self._journal.error("queue.unbooked", queue_id=queue_id, reason=str(error))
        except Exception as error:  # noqa: BLE001  a message we stumble over waits, the rest goes on
            self._journal.error("queue.stumbled", queue_id=queue_id, reason=repr(error))
            with suppress(PosthouseError):
                await self._booking.book(
                    errand.leased, dict.fromkeys(errand.positions, Result(_STUMBLED))
                )
        finally:
            self._finished(errand)

    async def _work(self, destination: str, lane: Lane) -> None:
        """One worker of a lane: errand after errand, over one connection where it can."""
        try:
            while lane.waiting:
                trip = self._travel.trip()
                try:
                    for _ in range(self._rules.per_connection):
                        if not lane.waiting:
                            break
                        lane.moved_at = self._clock.now_ms()
                        await self._run_errand(lane.waiting.popleft(), trip.deliver)
                finally:
                    await trip.end()
        finally:
            lane.workers -= 1
            if not lane.workers and not lane.waiting:
                self._lanes.pop(destination, None)

    def _finished(self, errand: Errand) -> None:
        """Let go of the message when nobody is out for it any more."""
        leased = errand.leased
        leased.under_way.difference_update(errand.positions)
        if not leased.under_way:
            self._busy.pop(leased.queued.queue_id, None)
            self._called.set()

    # --- waiting, leases

    async def _idle(self) -> None:
        """Sleep until called or until the next message is due."""
        wait_s = self._rules.poll_s
        try:
            due = await self._store.records.next_due()
        except PosthouseError:
            due = 0
        if due:
            wait_s = min(max((due - self._clock.now_ms()) / 1000, _IDLE_LEAST_S), wait_s)
        try:
            async with asyncio.timeout(wait_s):
                await self._called.wait()
        except TimeoutError:
            return

    async def _keep_leases(self) -> None:
        """Confirm leases well before they end."""
        period_ms = self._rules.lease_ms // 3
        while True:
            await asyncio.sleep(period_ms / 1000)
            await self._unclog(period_ms)
            for leased in tuple(self._busy.values()):
                if self._clock.now_ms() - leased.seen_at >= period_ms:
                    await self._booking.confirm(leased)

    async def _unclog(self, patience_ms: int) -> None:
        """Behind workers that hang at a slow host nobody waits: that room is needed by others."""
        now_ms = self._clock.now_ms()
        put_off = Result(_BUSY, skipped_until=now_ms + self._rules.lease_ms)
        for lane in tuple(self._lanes.values()):
            while lane.waiting and now_ms - lane.moved_at >= patience_ms:
                errand = lane.waiting.popleft()
                await self._run_errand(errand, partial(self._put_off, result=put_off))

    async def _put_off(self, errand: Errand, result: Result) -> None:
        await self._booking.book(errand.leased, dict.fromkeys(errand.positions, result))

    async def _release_left_over(self) -> None:
        """At the start: leases of a runner that died end now."""
        after = 0
        while page := await self._store.records.queued(after, 500):  # type: ignore[arg-type]
            for queued in page:
                after = queued.queue_id
                if queued.leased_until > self._clock.now_ms():
                    await self._store.records.release_queued(queued.queue_id)

    async def _release_waiting(self) -> None:
        """At the end: errands not begun go back to the queue as they are."""
        now_ms = self._clock.now_ms()
        for lane in tuple(self._lanes.values()):
            while lane.waiting:
                errand = lane.waiting.popleft()
                leased = errand.leased
                for position in errand.positions:
                    leased.standing[position] = replace(leased.standing[position], next_at=now_ms)
                leased.under_way.difference_update(errand.positions)
                await self._booking.confirm(leased)
                self._finished(errand)
