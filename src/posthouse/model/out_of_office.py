"""Out of office: what a mailbox answers while its owner is away.

Spec: [MS-ASCMD] §2.2.3.122 (Oof), §2.2.3.123 (OofMessage), §2.2.3.124 (OofState); [MS-OXWOOF]
    (UserOofSettings).

Notes:
    A **period** begins whenever the replies are switched on or changed: in each, a sender is
    answered once. Times are milliseconds since 1970 in UTC.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

TEXT_MAX = 32_000


class OofState(StrEnum):
    """Whether there are replies."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    SCHEDULED = "scheduled"
    """From ``start_at`` until ``end_at``."""


class Audience(StrEnum):
    """Who of other domains is answered."""

    NONE = "none"
    KNOWN = "known"
    """Those in the owner's contacts."""
    ALL = "all"


class OutOfOffice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has been settled.

    Attributes:
        state: whether there are replies.
        start_at: kept in every state; 0 not said.
        end_at: not part of it any more; 0 not said.
        internal: text for senders of our own domains; "" they get none.
        external: text for all others; "" they get none.
        is_internal_html: ``internal`` is HTML.
        is_external_html: ``external`` is HTML.
        audience: who gets ``external``.
        period_at: when the period began; given when it is kept.
    """

    state: OofState = OofState.DISABLED
    start_at: int = 0
    end_at: int = 0
    internal: str = ""
    external: str = ""
    is_internal_html: bool = False
    is_external_html: bool = False
    audience: Audience = Audience.ALL
    period_at: int = 0

    def is_active(self, at: int) -> bool:
        """Whether there are replies at this time, ms."""
        match self.state:
            case OofState.ENABLED:
                return True
            case OofState.SCHEDULED:
                return self.start_at <= at < self.end_at
            case _:
                return False


def check_out_of_office(value: OutOfOffice) -> None:
    """Refuse what cannot be kept to.

    Raises:
        ValueError: what is wrong.
    """
    for text in (value.internal, value.external):
        if len(text) > TEXT_MAX:
            raise ValueError(f"a reply of {len(text)} characters; at most {TEXT_MAX}")
    if min(value.start_at, value.end_at) < 0:
        raise ValueError("a time before 1970")
    if value.state is OofState.SCHEDULED and value.start_at >= value.end_at:
        raise ValueError("it ends before it begins")
