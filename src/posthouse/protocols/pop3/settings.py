"""What the operator settles about POP3, and what the door needs of the house."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.protocols.pop3.maildrops import Maildrops
from posthouse.protocols.pop3.wire.machine import LineLimits

if TYPE_CHECKING:
    from posthouse.ports.clock import Chance
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics
    from posthouse.services.directory.login import Logins
    from posthouse.services.sharing.access import Access
    from posthouse.store.store import Store


@dataclass(frozen=True, slots=True)
class Pop3Settings:
    """Settings of the door.

    Attributes:
        allow_plaintext_auth: take passwords without TLS.
        login_deadline_s: time to log in.
        idle_s: silence before a session ends.
        errors_before_login_max: errors before a stranger is shown the door.
        errors_max: errors before anyone is.
        login_delay_s: seconds between two logins of a device (CAPA LOGIN-DELAY); 0 none.
        line_limits: longest lines.
        version: of the server, told after login.
    """

    allow_plaintext_auth: bool = False
    login_deadline_s: float = 60.0
    idle_s: float = 600.0
    errors_before_login_max: int = 5
    errors_max: int = 20
    login_delay_s: int = 0
    line_limits: LineLimits = field(default_factory=LineLimits)
    version: str = ""


@dataclass(slots=True)
class Pop3Services:
    """What all sessions of a process share.

    Attributes:
        store: the mail.
        logins: who may come in.
        settings: of the door.
        log: one line for each session.
        metrics: counters.
        chance: nonces for SCRAM.
        access: who may open shared mailboxes; None: nobody.
        maildrops: made from ``store``.
        last_logins: when each device last came in, monotonic seconds; kept only with a login delay.
    """

    store: Store
    logins: Logins
    settings: Pop3Settings
    log: Log
    metrics: Metrics
    chance: Chance
    access: Access | None = None
    maildrops: Maildrops = field(init=False)
    last_logins: dict[tuple[int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.maildrops = Maildrops(self.store, self.access)
