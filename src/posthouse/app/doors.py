"""The doors of a worker: their settings, and a session factory for each listener."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from posthouse import __version__
from posthouse.app.activesync import activesync_door
from posthouse.app.config import STANDARD_PORTS
from posthouse.protocols.autodiscover.answers import Announced, MailService, Tls
from posthouse.protocols.autodiscover.server import PATHS as AUTODISCOVER_PATHS
from posthouse.protocols.autodiscover.server import AutodiscoverDoor, AutodiscoverServices
from posthouse.protocols.eas.server import PATH as ACTIVESYNC_PATH
from posthouse.protocols.pop3.server import pop3_session_factory
from posthouse.protocols.pop3.settings import Pop3Services, Pop3Settings
from posthouse.protocols.smtp.server import smtp_session_factory
from posthouse.protocols.smtp.session import SmtpServices
from posthouse.protocols.smtp.settings import SmtpLimits, SmtpRole, SmtpSettings
from posthouse.protocols.smtp.wire.limits import WireLimits
from posthouse.runtime.http import HttpLimits
from posthouse.runtime.http_session import HttpServices, http_session_factory
from posthouse.runtime.http_site import HttpSite
from posthouse.services.mailflow.rates import SendingRates

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.app.config import Config
    from posthouse.app.wiring import House
    from posthouse.runtime.connection import Session
    from posthouse.runtime.http import HttpDoor
    from posthouse.runtime.logs import Log
    from posthouse.runtime.metrics import Metrics
    from posthouse.services.mailflow.accept import Mailflow
    from posthouse.services.search.search import Finds

IMPLICIT_TLS = frozenset({"pop3s", "submissions", "https"})
SMTP_ROLES = {
    "smtp": SmtpRole.MX,
    "submission": SmtpRole.SUBMISSION,
    "submissions": SmtpRole.SUBMISSION,
    "lmtp": SmtpRole.LMTP,
}
REFUSALS = {
    "pop3": b"-ERR [SYS/TEMP] too many connections\r\n",
    "smtp": b"421 4.7.0 too many connections, try again later\r\n",
    "submission": b"421 4.7.0 too many connections, try again later\r\n",
    "lmtp": b"421 4.7.0 too many connections, try again later\r\n",
    "http": b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nConnection: close\r\n\r\n",
}
"""What is said to those for whom there is no place."""


def session_factories(
    house: House, mailflow: Mailflow, search: Finds, log: Log, metrics: Metrics
) -> dict[str, Callable[[], Session]]:
    """Listener name -> what makes its sessions."""
    config = house.config
    pop3 = pop3_session_factory(
        Pop3Services(
            house.store, house.logins, _pop3(config), log, metrics, house.chance, house.access
        )
    )
    factories = {"pop3": pop3, "pop3s": pop3}
    limits = _smtp_limits(config)
    rates = SendingRates(house.clock, limits.rate_per_hour, limits.rate_per_day)
    domains = house.directory.domains()
    for name, role in SMTP_ROLES.items():
        settings = SmtpSettings(
            hostname=config.hostname,
            role=role,
            limits=limits,
            allow_plaintext_auth=config.allow_plaintext_auth,
            domain=domains[0] if domains else "",
        )
        services = SmtpServices(
            mailflow,
            house.logins,
            house.store.blobs,
            settings,
            log,
            metrics,
            house.clock,
            house.chance,
            rates,
        )
        factories[name] = smtp_session_factory(services)
    doors = _http_doors(house)
    doors[ACTIVESYNC_PATH.lower()] = activesync_door(house, mailflow, search, rates, log)
    site = HttpSite(doors)
    web = http_session_factory(HttpServices(site, HttpLimits(), house.clock, log))
    return {**factories, "http": web, "https": web}


def _http_doors(house: House) -> dict[str, HttpDoor]:
    """Path -> who answers there and below."""
    discovery = AutodiscoverDoor(
        AutodiscoverServices(
            announced(house.config), house.addresses, house.logins, house.clock, house.chance
        )
    )
    return dict.fromkeys(AUTODISCOVER_PATHS, discovery)


def announced(config: Config) -> Announced:
    """What clients are told: the first address of each listener, by the house's public name."""
    ports = {name: where[0][1] for name, where in config.listeners().items()}
    port = ports.get("https", STANDARD_PORTS["https"])
    is_standard = port == STANDARD_PORTS["https"]
    site = f"https://{config.hostname}" if is_standard else f"https://{config.hostname}:{port}"
    kinds = (
        ("pop3s", "pop3", Tls.FROM_START),
        ("pop3", "pop3", Tls.BY_COMMAND),
        ("submissions", "smtp", Tls.FROM_START),
        ("submission", "smtp", Tls.BY_COMMAND),
    )
    mail = tuple(
        MailService(kind, config.hostname, ports[name], tls)
        for name, kind, tls in kinds
        if name in ports
    )
    return Announced(config.hostname, site, mail, f"{site}{ACTIVESYNC_PATH}")


def _pop3(config: Config) -> Pop3Settings:
    limits = config.limits
    return Pop3Settings(
        allow_plaintext_auth=config.allow_plaintext_auth,
        login_deadline_s=limits.login_deadline,
        idle_s=limits.pop3_idle,
        errors_before_login_max=limits.errors_before_login_max,
        errors_max=limits.errors_max,
        login_delay_s=ceil(limits.pop3_login_delay),
        version=__version__,
    )


def _smtp_limits(config: Config) -> SmtpLimits:
    limits = config.limits
    return SmtpLimits(
        wire=WireLimits(message_bytes=limits.message_size_max),
        recipients_per_message=limits.recipients_max,
        recipients_per_session=limits.recipients_per_session_max,
        errors_before_login=limits.errors_before_login_max,
        errors_after_login=limits.errors_max,
        greeting_s=limits.login_deadline,
        idle_s=limits.smtp_idle,
        content_idle_s=limits.smtp_idle,
        rate_per_hour=limits.recipients_per_hour,
        rate_per_day=limits.recipients_per_day,
    )
