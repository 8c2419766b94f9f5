"""Budget: how many connections there may be, in all and from one address.

Notes:
    Counted within one process: with N workers ``app`` gives each an N-th of the total. An address
    is an IPv4 address or an IPv6 /64, since a single host owns at least that. Strangers may hold
    nine tenths of all places at most: who has logged in is never pushed out by them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_STRANGERS_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections.

    Attributes:
        strangers_per_address: not logged in, from one address.
        all_per_address: from one address.
        total: in this process.
        unlimited_networks: CIDR blocks without limits by address; the total counts for them too.
    """

    strangers_per_address: int = 20
    all_per_address: int = 100
    total: int = 10_000
    unlimited_networks: tuple[str, ...] = _LOOPBACK


class Admission:
    """One admitted connection; given back once by ``Budget.released``."""

    __slots__ = ("is_logged_in", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self.is_logged_in = False


class Budget:
    """Counts connections. ``admit`` says yes or no."""

    __slots__ = ("_all", "_key_of", "_limits", "_strangers", "open_count", "stranger_count")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._all: dict[str, int] = {}
        self._strangers: dict[str, int] = {}
        self.open_count = 0
        self.stranger_count = 0
        networks = [ipaddress.ip_network(text) for text in self._limits.unlimited_networks]

        @lru_cache(maxsize=8192)
        def key_of(host: str) -> str:
            """What ``host`` is counted under; "" for addresses without limits."""
            address = ipaddress.ip_address(host.partition("%")[0])
            if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
                address = address.ipv4_mapped
            if any(address in network for network in networks):
                return ""
            if isinstance(address, ipaddress.IPv6Address):
                return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
            return str(address)

        self._key_of = key_of

    def admit(self, host: str) -> Admission | None:
        """Take a place for a connection from the IP address ``host``; None: there is none."""
        limits = self._limits
        if self.open_count >= limits.total:
            return None
        if self.stranger_count >= limits.total * _STRANGERS_SHARE:
            return None
        key = self._key_of(host)
        if key:
            everybody = self._all.get(key, 0)
            strangers = self._strangers.get(key, 0)
            if everybody >= limits.all_per_address or strangers >= limits.strangers_per_address:
                return None
            self._all[key] = everybody + 1
            self._strangers[key] = strangers + 1
        self.open_count += 1
        self.stranger_count += 1
        return Admission(key)

    def logged_in(self, admission: Admission) -> None:
        """Its owner is no stranger any more; may be said again."""
        if not admission.is_logged_in:
            admission.is_logged_in = True
            self._no_stranger(admission)

    def logged_out(self, admission: Admission) -> None:
        """It is a stranger's again: the session forgot its login (TLS started, or the like)."""
        if admission.is_logged_in:
            admission.is_logged_in = False
            self.stranger_count += 1
            if admission.key:
                self._strangers[admission.key] = self._strangers.get(admission.key, 0) + 1

    def released(self, admission: Admission) -> None:
        """The connection is gone."""
        if not admission.is_logged_in:
            self._no_stranger(admission)
        self.open_count -= 1
        if admission.key:
            _less(self._all, admission.key)

    def _no_stranger(self, admission: Admission) -> None:
        self.stranger_count -= 1
        if admission.key:
            _less(self._strangers, admission.key)


def _less(counts: dict[str, int], key: str) -> None:
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]
