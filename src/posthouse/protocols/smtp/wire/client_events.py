"""What the sending machine tells its driver, and what it remembers of a parcel.

Spec: RFC 5321 §4.3.2 (sequence of commands and replies).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from posthouse.ports.courier import Attempt, Fate, Parcel, Verdict


class Expect(Enum):
    """What the next reply answers."""

    GREETING = auto()
    EHLO = auto()
    HELO = auto()
    STARTTLS = auto()
    AUTH = auto()
    AUTH_LOGIN_NAME = auto()
    AUTH_LOGIN_PASSWORD = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    RSET = auto()
    QUIT = auto()


@dataclass(frozen=True, slots=True)
class NeedData:
    """Write what has gathered, then read. ``waits_for`` chooses the time limit."""

    waits_for: Expect


@dataclass(frozen=True, slots=True)
class BeginTls:
    """Start the TLS handshake, then call ``tls_started``."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The opening is done; ``send`` may be called."""


@dataclass(frozen=True, slots=True)
class ContentWanted:
    """Write what has gathered, then prefix and content, then call ``content_sent``."""


@dataclass(frozen=True, slots=True)
class Done:
    """The parcel has found its fate."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Failed:
    """The opening led nowhere. ``is_host_down``: the host itself is in trouble."""

    verdict: Verdict
    is_host_down: bool = False


Event = NeedData | BeginTls | Ready | ContentWanted | Done | Failed


@dataclass(slots=True)
class Errand:
    """A parcel on its way.

    Attributes:
        parcel: the parcel.
        rcpts: the RCPT command of each recipient.
        verdicts: so far, one per recipient.
        asked: how many RCPT were answered.
    """

    parcel: Parcel
    rcpts: list[str]
    verdicts: list[Verdict | None]
    asked: int = 0

    @property
    def has_takers(self) -> bool:
        """Whether some recipient may still get it."""
        return any(verdict is None for verdict in self.verdicts)

    def settle(self, verdict: Verdict) -> None:
        """The same for everyone who has no verdict yet."""
        self.verdicts = [v if v is not None else verdict for v in self.verdicts]

    def attempt(self, *, passes_reports: bool) -> Attempt:
        """What has come out."""
        lost = Verdict(Fate.DEFERRED, "4.4.2", "no answer", is_remote=False)
        verdicts = tuple(v if v is not None else lost for v in self.verdicts)
        return Attempt(verdicts, passes_reports)
