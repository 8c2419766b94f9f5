"""What each process does: worker (every door) and jobs (queue, housekeeping, admin pages)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from posthouse.app import assisting, housekeeping
from posthouse.app.config import address_from_text
from posthouse.app.doors import IMPLICIT_TLS, REFUSALS, session_factories
from posthouse.app.housekeeping import Housekeeper
from posthouse.app.searching import RETRY_S, Searching
from posthouse.app.wiring import make_house
from posthouse.model.errors import PosthouseError
from posthouse.ports.courier import TlsNeed
from posthouse.ports.hints import Hears
from posthouse.protocols.smtp.client import SmtpCourier
from posthouse.runtime import metrics_table
from posthouse.runtime.admin_http import METRICS_TYPE, AdminHttp, Page
from posthouse.runtime.budget import Budget, Limits
from posthouse.runtime.children import run_child
from posthouse.runtime.listener import Listener
from posthouse.runtime.offload import Offload
from posthouse.runtime.tasks import Tasks
from posthouse.runtime.tls import load_certificate, rehearse
from posthouse.services.mailflow.board import SettledBoard
from posthouse.services.mailflow.queue import QueueRules, QueueRunner
from posthouse.services.mailflow.route import Router, Smarthost
from posthouse.services.mailflow.schedule import Schedule

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from posthouse.app.config import Config
    from posthouse.app.config_sections import QueueSettings
    from posthouse.app.wiring import House
    from posthouse.runtime.children import ChildContext, ChildLife
    from posthouse.runtime.logs import Log, LogWriter
    from posthouse.runtime.metrics import Metrics
    from posthouse.runtime.metrics_table import Slot
    from posthouse.services.mailflow.accept import Mailflow
    from posthouse.services.search.search import Finds

_DRAIN_S = 15.0
_SETTLED_S = 300.0
"""After a start, before work that can wait."""
_TALLIES: dict[str, Slot] = {
    "queue_added": metrics_table.QUEUE_ADDED,
    "store_commits": metrics_table.STORE_COMMITS,
    "store_commit_us": metrics_table.STORE_COMMIT_TIME,
    "store_conflicts": metrics_table.STORE_CONFLICTS,
    "store_failures": metrics_table.STORE_FAILURES,
    **{
        f"queue_reports.{k}": metrics_table.QUEUE_REPORTS.slot(k)
        for k in ("delay", "failure", "success")
    },
    **{
        f"queue_attempts.{k}": metrics_table.QUEUE_ATTEMPTS.slot(k)
        for k in ("delivered", "deferred", "failed")
    },
}


@dataclass(slots=True)
class Roles:
    """What the processes have in common; made before they fork.

    Attributes:
        config: the configuration.
        workers: how many.
        tls: one context for all, so that tickets resume in every worker.
        log: shared settings of the log.
        log_writer: each process attaches its own loop.
        metrics: shared memory.
        board: shared memory for receipts that were settled a moment ago.
    """

    config: Config
    workers: int
    tls: ssl.SSLContext
    log: Log
    log_writer: LogWriter
    metrics: Metrics
    board: SettledBoard = field(default_factory=SettledBoard)

    def worker(self, context: ChildContext) -> None:
        """Main function of a worker."""
        self._run(context, self._worker)

    def jobs(self, context: ChildContext) -> None:
        """Main function of the jobs process."""
        self._run(context, self._jobs)

    def _run(
        self, context: ChildContext, main: Callable[[ChildLife, House], Awaitable[None]]
    ) -> None:
        self.metrics.bind(context.index)

        async def run(life: ChildLife) -> None:
            self.log_writer.attach(life.loop)
            offload = Offload(life.loop)
            house = make_house(
                self.config,
                life.loop,
                workers=self.workers,
                in_thread=offload.in_thread,
                hears=Hears.EVERYTHING if context.role == "worker" else Hears.GATHERED,
                tally=self.tally,
            )
            try:
                await main(life, house)
            finally:
                house.close()
                offload.close()
                self.log_writer.attach(None)

        run_child(context, run)

    def tally(self, name: str, n: int = 1) -> None:
        """Count by name, for services (which know no metrics)."""
        slot = _TALLIES.get(name)
        if slot is not None:
            self.metrics.inc(slot, n)

    # --- worker

    async def _worker(self, life: ChildLife, house: House) -> None:
        tasks = Tasks(life.loop)
        mailflow = house.mailflow(self.log, self.tally, self.board)
        searching = Searching(house, self.log, self.metrics)
        listeners = self._listeners(life, house, mailflow, searching)
        life.on_reload.append(self._reload_certificate)
        settling = tasks.start(self._settle(mailflow))
        rehearse(self.tls)
        await house.logins.rehearse()
        for listener in listeners:
            listener.open()
        life.context.ready()
        await life.stopping.wait()
        await asyncio.gather(*(listener.drain(_DRAIN_S) for listener in listeners))
        settling.cancel()
        with suppress(PosthouseError, asyncio.CancelledError):
            await settling
        with suppress(PosthouseError):
            await mailflow.flush_settled()
        searching.close()

    def _listeners(
        self, life: ChildLife, house: House, mailflow: Mailflow, search: Finds
    ) -> list[Listener]:
        limits = self.config.limits
        budget = Budget(
            Limits(
                strangers_per_address=limits.strangers_per_address,
                all_per_address=limits.connections_per_address,
                total=limits.connections_max,
                unlimited_networks=limits.unlimited_networks,
            )
        )
        factories = session_factories(house, mailflow, search, self.log, self.metrics)
        return [
            Listener(
                life.loop,
                sock,
                spec.name,
                factories[spec.name],
                self.tls,
                spec.name in IMPLICIT_TLS,
                budget,
                self.log,
                self.metrics,
                REFUSALS.get(spec.name, b""),
            )
            for spec, sock in life.context.sockets
        ]

    def _reload_certificate(self) -> None:
        try:
            load_certificate(self.tls, self.config.certificate_path, self.config.key_path)
        except PosthouseError as e:
            self.log.error("certificate-not-loaded", reason=str(e))

    async def _settle(self, mailflow: Mailflow) -> None:
        while True:
            try:
                await mailflow.keep_settled()
            except PosthouseError as e:
                self.log.warning("receipts-not-settled", reason=str(e))
                await asyncio.sleep(1)

    # --- jobs

    async def _jobs(self, life: ChildLife, house: House) -> None:
        tasks = Tasks(life.loop)
        runner = self._queue_runner(house)
        keeper = Housekeeper(house, self.log, self.metrics)
        pages = {"/health": lambda: self._health(house, keeper), "/metrics": self._metrics}
        admin = AdminHttp(pages, self.log)
        for host, port in self.config.listeners().get("admin", ()):
            try:
                await admin.open(host, port)
            except OSError as e:
                self.log.error("admin-not-listening", host=host, port=port, reason=str(e))
        queue = tasks.start(self._forever("queue", runner.run, pause_s=1.0, stopping=life.stopping))
        follower = assisting.follower(house, self.log, self.tally)
        helping = tasks.start(
            self._forever("assistants", follower.run, assisting.RETRY_S, life.stopping)
        )
        searching = Searching(house, self.log, self.metrics)
        by_the_clock = (
            ("checkpoint", keeper.checkpoint, housekeeping.CHECKPOINT_S),
            ("figures", keeper.figures, housekeeping.FIGURES_S),
        )
        when_quiet = (
            ("housekeeping", keeper.hourly, housekeeping.HOUR_S),
            ("orphans", keeper.daily, housekeeping.DAY_S),
        )
        keepers = [tasks.start(self._forever(*one)) for one in by_the_clock]
        keepers += [tasks.start(self._forever(*o, first_after_s=_SETTLED_S)) for o in when_quiet]
        keepers.append(tasks.start(self._forever("indexing", searching.feed, RETRY_S)))
        life.context.ready()
        await life.stopping.wait()
        runner.stop()
        follower.stop()
        await asyncio.wait([queue, helping], timeout=_DRAIN_S)
        for task in (queue, helping, *keepers):
            task.cancel()
        await asyncio.gather(queue, helping, *keepers, return_exceptions=True)
        await admin.close()
        searching.close()

    async def _forever(
        self,
        what: str,
        step: Callable[[], Awaitable[object]],
        pause_s: float,
        stopping: asyncio.Event | None = None,
        first_after_s: float = 0.0,
    ) -> None:
        """Do it again and again (until ``stopping``); a failure is told and does not end it."""
        await asyncio.sleep(first_after_s)
        while True:
            try:
                await step()
            except Exception as e:  # noqa: BLE001  the top of a task
                self.log.failure(f"{what}-failed", e)
            if stopping is not None and stopping.is_set():
                return
            await asyncio.sleep(pause_s)

    def _queue_runner(self, house: House) -> QueueRunner:
        settings = self.config.queue
        rules = QueueRules(
            schedule=Schedule(
                warn_after_ms=int(settings.warn_after * 1000),
                give_up_after_ms=int(settings.give_up_after * 1000),
            ),
            per_destination=settings.per_destination,
            at_once=settings.at_once,
        )
        router = Router(
            house.resolver(),
            house.chance,
            own_names=(self.config.hostname,),
            smarthost=smarthost(settings, self.config.data),
        )
        return QueueRunner(
            house.store,
            house.addresses,
            router,
            SmtpCourier(self.config.hostname),
            house.policy(),
            house.chance,
            clock=house.clock,
            rules=rules,
            journal=self.log,
            tally=self.tally,
        )

    async def _health(self, house: House, keeper: Housekeeper) -> Page:
        problems = await keeper.problems()
        free = house.store.blobs.free_bytes()
        body = json.dumps(
            {"healthy": not problems, "problems": problems, "free_bytes": free}
        ).encode()
        return Page(body, status=HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK)

    async def _metrics(self) -> Page:
        return Page(self.metrics.render().encode(), METRICS_TYPE)


def smarthost(settings: QueueSettings, data: Path) -> Smarthost | None:
    """The smarthost of the configuration, with its password read."""
    if not settings.smarthost:
        return None
    host, port = address_from_text(settings.smarthost)
    password = ""
    if settings.smarthost_password_file:
        password = (data / settings.smarthost_password_file).read_text("utf-8").strip()
    need = TlsNeed.NEVER if settings.smarthost_tls == "none" else TlsNeed(settings.smarthost_tls)
    return Smarthost(host, port, need, settings.smarthost_login, password)
