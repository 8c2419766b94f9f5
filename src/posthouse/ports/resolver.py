"""The domain name system, as mail asks it.

Spec: RFC 5321 §5.1 (MX), RFC 7505 (null MX).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Outcome(Enum):
    """How a question ended."""

    FOUND = "found"
    NO_SUCH_NAME = "no such name"
    NO_DATA = "no data"
    TEMPORARY = "temporary failure"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the name system said.

    Attributes:
        outcome: how it ended.
        values: MX as "preference host", A and AAAA as addresses, TXT joined, PTR as names.
        is_authentic: the validating resolver set AD.
    """

    outcome: Outcome
    values: tuple[str, ...] = ()
    is_authentic: bool = False


class Resolver(Protocol):
    """Asks; never raises; bounded in time."""

    async def ask(self, name: str, record_type: str) -> Answer:
        """``record_type``: MX, A, AAAA, TXT, PTR, CNAME, SRV, TLSA."""
        ...

    async def addresses(self, host: str) -> Answer:
        """AAAA and A of a host, IPv6 first; an address literal answers itself."""
        ...


@dataclass(frozen=True, slots=True)
class Exchanger:
    """One host to try.

    Attributes:
        host: name for TLS and logs.
        preference: lower first.
        addresses: to connect to, in order.
    """

    host: str
    preference: int
    addresses: Sequence[str]
