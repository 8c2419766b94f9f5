"""What an operator may set about receiving mail by SMTP and LMTP.

Notes:
    One value for each listener: an MX, a submission and an LMTP listener differ in nothing but
    these settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from posthouse.protocols.smtp.wire.limits import WireLimits


class SmtpRole(Enum):
    """What a listener is for."""

    MX = "mx"
    """Port 25: anyone brings mail for us; nothing is relayed; nobody logs in."""

    SUBMISSION = "submission"
    """Ports 587 and 465: our people hand in mail for anyone, after a login."""

    LMTP = "lmtp"
    """Another mail server of ours hands in mail for our people; a reply for each recipient."""


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """Limits of a session; those of the wire are in ``wire``.

    Attributes:
        wire: sizes, enforced while reading.
        recipients_per_message: more are refused with 452.
        recipients_per_session: more are refused with 452.
        unknown_recipients: after so many in one session the connection is closed: somebody is
            probing.
        refused_recipients: after so many relay attempts and the like the connection is closed.
        errors_before_login: protocol errors that close the connection.
        errors_after_login: the same once logged in.
        greeting_s: time for the first EHLO, and in the submission role for the login.
        unauthenticated_idle_s: silence allowed in the submission role before the login.
        idle_s: silence allowed between commands. Half a line is silence.
        content_idle_s: each ``content_progress_bytes`` of a message must come within this time.
        content_progress_bytes: see above.
        rate_per_hour: recipients of one login in any hour; 0 is no limit.
        rate_per_day: recipients of one login in any day; 0 is no limit.
    """

    wire: WireLimits = field(default_factory=WireLimits)
    recipients_per_message: int = 1_000
    recipients_per_session: int = 5_000
    unknown_recipients: int = 10
    refused_recipients: int = 100
    errors_before_login: int = 5
    errors_after_login: int = 20
    greeting_s: float = 60.0
    unauthenticated_idle_s: float = 30.0
    idle_s: float = 300.0
    content_idle_s: float = 300.0
    content_progress_bytes: int = 65_536
    rate_per_hour: int = 100
    rate_per_day: int = 500


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """One listener's settings.

    Attributes:
        hostname: our name in the greeting.
        role: what the listener is for.
        limits: see SmtpLimits.
        allow_plaintext_auth: offer AUTH outside TLS (never by default, on loopback neither).
        domain: where ``<Postmaster>`` without a domain goes; "" means the hostname.
        address_literals: our own, with brackets (``[192.0.2.1]``): mail to them is mail for
            ``domain``.
    """

    hostname: str
    role: SmtpRole = SmtpRole.MX
    limits: SmtpLimits = field(default_factory=SmtpLimits)
    allow_plaintext_auth: bool = False
    domain: str = ""
    address_literals: frozenset[str] = frozenset()

    @property
    def is_lmtp(self) -> bool:
        """Whether LHLO and a reply for each recipient are spoken."""
        return self.role is SmtpRole.LMTP

    @property
    def is_submission(self) -> bool:
        """Whether a login is asked for."""
        return self.role is SmtpRole.SUBMISSION
