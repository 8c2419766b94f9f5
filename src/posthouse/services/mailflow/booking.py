"""Booking what became of queued recipients: standing, reports and log, in one commit.

Spec: RFC 5321 §4.5.5 (null sender), §6.1; RFC 3461 §6.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from posthouse.formats.mime.dots import unstuff
from posthouse.formats.mime.report import Action
from posthouse.model.errors import NotFound, PosthouseError, StoreError, Unavailable
from posthouse.model.queue import RecipientState
from posthouse.ports.courier import Fate
from posthouse.services.mailflow.assembly import Assembly
from posthouse.services.mailflow.dsn import Notice, Reports, returned_part
from posthouse.services.mailflow.placement import Placement
from posthouse.services.mailflow.standing import Moment, Result, after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from posthouse.formats.mime.report import RecipientFate
    from posthouse.model.batch import Commit
    from posthouse.model.queue import NewQueued, QueuedRecipient
    from posthouse.ports.clock import Chance, Clock
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.envelope import Journal, Policy
    from posthouse.services.mailflow.schedule import Schedule
    from posthouse.services.mailflow.work import Leased
    from posthouse.store.store import Store, Tally

_HEAD_OCTETS = 1 << 20
_PATIENCE = 6
_EVENTS = {Fate.TAKEN: "delivered", Fate.DEFERRED: "deferred", Fate.REFUSED: "failed"}
_REPORT_KINDS = {Action.FAILED: "failure", Action.DELAYED: "delay"}


class Booking:
    """Writes results into the records."""

    def __init__(  # noqa: PLR0913  what a service stands on comes in as arguments
        self,
        store: Store,
        addresses: Addresses,
        policy: Policy,
        clock: Clock,
        chance: Chance,
        *,
        schedule: Schedule,
        lease_ms: int,
        journal: Journal,
        tally: Tally,
        pause_s: float = 1.0,
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._schedule = schedule
        self._lease_ms = lease_ms
        self._journal = journal
        self._tally = tally
        self._pause_s = pause_s
        self.placement = Placement(store)
        self._reports = Reports(
            store, addresses, policy, clock, chance, placement=self.placement, journal=journal
        )

    async def book(
        self, leased: Leased, results: Mapping[int, Result], here: Assembly | None = None
    ) -> None:
        """Store results by recipient position.

        Args:
            leased: the message.
            results: what the attempts brought.
            here: items for local mailboxes that belong into the same commit.

        Raises:
            StoreError: with ``here`` only: that could not be done, and nothing was booked.
        """
        message = leased.message
        async with leased.lock:
            standing = list(leased.standing)
            fates: list[RecipientFate] = []
            now_ms = self._clock.now_ms()
            for position, result in results.items():
                share = int.from_bytes(self._chance.token_bytes(2), "big") / 65536
                moment = Moment(self._schedule, message.queued_at, now_ms, share)
                standing[position], fate = after(standing[position], result, moment)
                if fate is not None:
                    fates.append(fate)
            assembly = here or Assembly()
            if fates and message.sender:
                await self._add_reports(assembly, message, fates)
            left = leased.under_way.difference(results)
            await self._settle(leased, standing, left, assembly, is_strict=here is not None)
        self._tell(leased, results, standing)

    async def confirm(self, leased: Leased) -> None:
        """Keep the lease: recipients under way are due again when it would end."""
        async with leased.lock:
            try:
                await self._settle(leased, list(leased.standing), leased.under_way, Assembly())
            except PosthouseError as error:
                queue_id = leased.queued.queue_id
                self._journal.warning("queue.lease", queue_id=queue_id, reason=str(error))

    async def _settle(
        self,
        leased: Leased,
        standing: list[QueuedRecipient],
        left: set[int],
        assembly: Assembly,
        *,
        is_strict: bool = False,
    ) -> None:
        now_ms = self._clock.now_ms()
        for position in left:
            standing[position] = replace(standing[position], next_at=now_ms + self._lease_ms)
        commit = None if assembly.is_empty else assembly.commit()
        queue_id = leased.queued.queue_id
        try:
            await self._write(leased, standing, commit)
        except Unavailable:
            raise
        except StoreError as error:
            if is_strict or commit is None:
                raise
            # The sender's own mailbox is full or gone: the report has nowhere to go.
            self._journal.warning("report.dropped", queue_id=queue_id, reason=str(error))
            await self._write(leased, standing, None)
        leased.standing = standing
        leased.seen_at = now_ms

    async def _write(
        self, leased: Leased, standing: list[QueuedRecipient], commit: Commit | None
    ) -> None:
        """Store it; the deed is done, so while the disk refuses it is tried again for a while."""
        queue_id = leased.queued.queue_id
        for attempt in range(_PATIENCE):
            try:
                await self._store.records.settle_queued(queue_id, standing, commit)
            except NotFound:
                if commit is not None:
                    raise
                # The operator has dropped it meanwhile.
                self._journal.info("queue.gone", queue_id=queue_id)
                return
            except Unavailable as error:
                if attempt == _PATIENCE - 1:
                    raise
                self._journal.error("queue.unwritable", queue_id=queue_id, reason=str(error))
                await asyncio.sleep(self._pause_s * 2**attempt)
            else:
                return

    async def _add_reports(
        self, assembly: Assembly, message: NewQueued, fates: list[RecipientFate]
    ) -> None:
        """One report for each kind of news."""
        for action in Action:
            some = tuple(fate for fate in fates if fate.action is action)
            if not some:
                continue
            returned, is_whole = self._returned(message, is_failure=action is Action.FAILED)
            notice = Notice(
                message.sender,
                some,
                message.queued_at,
                message.prefix + returned,
                is_whole,
                message.envelope_id,
            )
            if await self._reports.add(assembly, notice):
                self._tally(f"queue_reports.{_REPORT_KINDS.get(action, 'success')}")

    def _returned(self, message: NewQueued, *, is_failure: bool) -> tuple[bytes, bool]:
        ref, content_max = message.blob, self._policy.report_content_max
        try:
            if ref.size_bytes <= content_max:
                plain = self._store.blobs.read_plain(ref)
            else:
                plain = unstuff(bytes(self._store.blobs.read(ref)[:_HEAD_OCTETS]) + b"\r\n.\r\n")
        except PosthouseError:
            return b"\r\n", False
        return returned_part(
            plain,
            ref.size_bytes,
            is_failure=is_failure,
            headers_only=message.wants_headers_only,
            content_max=content_max,
        )

    def _tell(
        self, leased: Leased, results: Mapping[int, Result], standing: list[QueuedRecipient]
    ) -> None:
        for position, result in results.items():
            recipient = standing[position]
            event = _EVENTS[result.verdict.fate]
            if recipient.state is RecipientState.FAILED:
                # Without a sender nobody can be told: the log is where a double bounce ends.
                event = "failed" if leased.message.sender else "double_bounce"
            outcome = "failed" if event == "double_bounce" else event
            self._tally(f"queue_attempts.{outcome}")
            self._journal.info(
                f"queue.{event}",
                queue_id=leased.queued.queue_id,
                to=recipient.address,
                host=result.host,
                status=result.verdict.status,
                reply=result.verdict.reply,
                attempts=recipient.attempts,
                next_at=recipient.next_at,
            )
