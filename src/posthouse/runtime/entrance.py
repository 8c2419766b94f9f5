"""An entrance: what connections know of the listener they came by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.runtime import metrics_table

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from posthouse.runtime.budget import Admission, Budget
    from posthouse.runtime.connection import Session
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics
    from posthouse.runtime.metrics_table import Family
    from posthouse.runtime.switchboard import Switchboard


class Entrance:
    """Shared by all connections of one listener.

    Attributes:
        name: the listener's name.
        switchboard: where their descriptors are watched.
        session_factory: makes the session of a new connection.
        tls_context: for implicit TLS and STARTTLS; None without.
        budget: the places.
        open_count: connections that hold a descriptor now.
        on_empty: called when the last of them has gone.
    """

    __slots__ = (
        "_log",
        "_metrics",
        "_open_slot",
        "_opened_slot",
        "budget",
        "name",
        "on_empty",
        "open_count",
        "session_factory",
        "switchboard",
        "tls_context",
    )

    def __init__(
        self,
        name: str,
        switchboard: Switchboard,
        session_factory: Callable[[], Session],
        tls_context: ssl.SSLContext | None,
        budget: Budget,
        report: tuple[Log, Metrics],
    ) -> None:
        self.name = name
        self.switchboard = switchboard
        self.session_factory = session_factory
        self.tls_context = tls_context
        self.budget = budget
        self._log, self._metrics = report
        self._opened_slot = metrics_table.CONNECTIONS_OPENED.slot(name)
        self._open_slot = metrics_table.CONNECTIONS_OPEN.slot(name)
        self.open_count = 0
        self.on_empty: Callable[[], None] | None = None

    def opened(self) -> None:
        """A connection begins."""
        self.open_count += 1
        self._metrics.inc(self._opened_slot)
        self._metrics.inc(self._open_slot)

    def closed(self, admission: Admission) -> None:
        """A connection has closed its descriptor."""
        self.budget.released(admission)
        self._metrics.inc(self._open_slot, -1)
        self.open_count -= 1
        if not self.open_count and self.on_empty is not None:
            self.on_empty()

    def count(self, family: Family) -> None:
        """Count something that happened to one of them."""
        self._metrics.inc(family.slot(self.name))

    def session_failed(self, error: BaseException, session_id: str) -> None:
        """A session raised what it should have handled: our bug."""
        self.count(metrics_table.SESSIONS_FAILED)
        self._log.failure("session_failed", error, listener=self.name, session_id=session_id)
