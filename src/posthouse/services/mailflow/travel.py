"""Taking errands to hosts: way, connection, parcels.

Spec: RFC 5321 §5.1 (trying hosts in order), §4.5.3.1.8 (recipients at once).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import NotFound, PosthouseError
from posthouse.ports.courier import Fate, Unreachable, Verdict, Way
from posthouse.services.mailflow.standing import Result
from posthouse.services.mailflow.work import content_of, parcel_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.ports.blobs import Blobs
    from posthouse.ports.clock import Clock
    from posthouse.ports.courier import Attempt, Courier, Stop, Visit
    from posthouse.services.mailflow.backoff import BackOff
    from posthouse.services.mailflow.booking import Booking
    from posthouse.services.mailflow.route import Router
    from posthouse.services.mailflow.work import Errand

_LEFT_ALONE = Verdict(
    Fate.DEFERRED, "4.4.1", "the host did not answer a moment ago", is_remote=False
)


class Travel:
    """Makes trips."""

    def __init__(
        self,
        blobs: Blobs,
        router: Router,
        courier: Courier,
        booking: Booking,
        back_off: BackOff,
        clock: Clock,
    ) -> None:
        self.blobs = blobs
        self.router = router
        self.courier = courier
        self.booking = booking
        self.back_off = back_off
        self.clock = clock

    def trip(self) -> Trip:
        """A worker's next connection, opened when it is needed."""
        return Trip(self)


class Trip:
    """Errands of one destination, one after the other, over one connection where it holds."""

    def __init__(self, travel: Travel) -> None:
        self._travel = travel
        self._way: Way | None = None
        self._visit: Visit | None = None

    async def deliver(self, errand: Errand) -> None:
        """Try one errand and book what it brought."""
        travel = self._travel
        wire = content_of(travel.blobs, errand.leased.message)
        if isinstance(wire, PosthouseError):
            await self._book_all(errand, Result(_unreadable(wire)))
            return
        way = self._way or await travel.router.way(errand.domain)
        if way.trouble is not None:
            await self._book_all(errand, Result(way.trouble))
            return
        self._way = way
        size = travel.courier.recipients_max
        for start in range(0, len(errand.positions), size):
            some = errand.positions[start : start + size]
            await self._deliver_to(errand, some, wire, way.stops)

    async def _deliver_to(
        self, errand: Errand, positions: Sequence[int], wire: memoryview, stops: Sequence[Stop]
    ) -> None:
        """Host after host, until one has given its verdict on every recipient."""
        parcel = parcel_for(errand.leased, positions, wire)
        result = Result(_LEFT_ALONE, skipped_until=1)
        for stop in stops:
            visit = await self._at(stop)
            if isinstance(visit, Result):
                # A host left alone says nothing new; what a host that was tried said does.
                if not visit.skipped_until or result.skipped_until:
                    result = visit
                continue
            attempt = await visit.deliver(parcel)
            host = visit.stop.host
            if visit.is_open or not _is_all_lost(attempt):
                await self._book(errand, positions, attempt, host)
                return
            result = Result(attempt.verdicts[0], host)
        await self._travel.booking.book(errand.leased, dict.fromkeys(positions, result))

    async def _at(self, stop: Stop) -> Visit | Result:
        """The connection that is open, or a new one to this host."""
        if self._visit is not None:
            if self._visit.is_open:
                return self._visit
            await self.end()
        travel = self._travel
        now_ms = travel.clock.now_ms()
        if until := travel.back_off.until(stop.host, now_ms):
            return Result(_LEFT_ALONE, stop.host, skipped_until=until)
        visit = await travel.courier.visit(stop)
        if isinstance(visit, Unreachable):
            if visit.is_host_down:
                travel.back_off.note_down(stop.host, travel.clock.now_ms())
            return Result(visit.verdict, stop.host)
        travel.back_off.note_up(stop.host)
        self._visit = visit
        return visit

    async def _book(
        self, errand: Errand, positions: Sequence[int], attempt: Attempt, host: str
    ) -> None:
        results = {
            position: Result(verdict, host, attempt.passes_reports)
            for position, verdict in zip(positions, attempt.verdicts, strict=True)
        }
        await self._travel.booking.book(errand.leased, results)

    async def _book_all(self, errand: Errand, result: Result) -> None:
        await self._travel.booking.book(errand.leased, dict.fromkeys(errand.positions, result))

    async def end(self) -> None:
        """Close the connection."""
        if self._visit is not None:
            visit, self._visit = self._visit, None
            await visit.leave()


def _is_all_lost(attempt: Attempt) -> bool:
    """Whether the connection broke before the host said anything: another may do better."""
    return all(v.fate is Fate.DEFERRED and not v.is_remote for v in attempt.verdicts)


def _unreadable(error: PosthouseError) -> Verdict:
    if isinstance(error, NotFound):
        text = "the content of the message is lost; please send it again"
        return Verdict(Fate.REFUSED, "5.3.0", text, is_remote=False)
    return Verdict(Fate.DEFERRED, "4.3.0", "the content cannot be read now", is_remote=False)
