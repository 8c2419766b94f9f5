"""Guesses: those who guess passwords are slowed down, nobody is locked out.

Notes:
    - Two brakes. One per network address: wrong answers leave at one a second, whatever is
      guessed. One per account and address: after ten failures each next try waits 1, 2, 4 ... 60
      s. It is let go after ten quiet minutes. Nothing is counted per account alone, so nobody can
      lock out another from elsewhere.
    - A try that has to wait takes its turn *before* the password is looked at: a right guess
      comes out no sooner than a wrong one. Hanging up does not give the turn back.
    - Who came in from an address and failed there never since does not queue behind the guesses of
      others (an office behind one address).
    - The same wrong password again is no new guess: a telephone with an old password stays at one
      failure and does not spoil its owner's other devices. (With SCRAM we cannot tell.)
    - A remembered credential passes by all this (``may_pass``) until the account has failed too
      often from that address; so whoever guesses against the memory has ten guesses, too.
    - An IPv6 address counts as its /64. Counters are bounded and per process; since a guesser meets
      every worker, each worker allows its share.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from posthouse.model.errors import LoginDelayed

if TYPE_CHECKING:
    from posthouse.ports.clock import Clock


class Sleep(Protocol):
    """Waits."""

    async def __call__(self, seconds: float, /) -> None:
        """Return after that time."""
        ...


async def _sleep(seconds: float, /) -> None:
    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """How much guessing is answered.

    Attributes:
        interval_s: between two wrong answers to one address.
        failures_free: of one account at one address, before its own delays begin.
        quiet_s: after so long without a failure the account's count starts anew.
        delay_max_s: where the doubling ends.
        held_max_s: longest time an answer is held back; beyond it the try is turned away.
        counted_max: addresses, and pairs of account and address, remembered.
    """

    interval_s: float = 1.0
    failures_free: int = 10
    quiet_s: float = 600.0
    delay_max_s: float = 60.0
    held_max_s: float = 10.0
    counted_max: int = 20_000


USUAL_LIMITS = GuessLimits()
TRIED_MAX = 16


@dataclass(slots=True)
class _Account:
    """One account at one address."""

    failures: int = 0
    failed_at: float = -math.inf
    free_at: float = -math.inf
    has_come_in: bool = False
    tried: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to have one password looked at.

    Attributes:
        network: the address it counts for.
        account: the account it counts for.
        is_paid: the address has waited for it already.
        guess: stands for the password; b"" when it cannot be told from others.
    """

    network: str
    account: str
    is_paid: bool
    guess: bytes = b""


class Guesses:
    """The brakes of one process.

    Args:
        clock: monotonic.
        workers: processes that share the allowance.
        sleep: waits.
        limits: how much is answered, all workers together.
    """

    def __init__(
        self,
        clock: Clock,
        workers: int = 1,
        sleep: Sleep = _sleep,
        limits: GuessLimits = USUAL_LIMITS,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._limits = limits
        self._interval_s = limits.interval_s * workers
        self._held_max_s = max(limits.held_max_s, self._interval_s)
        self._failures_free = math.ceil(limits.failures_free / workers)
        self._networks: dict[str, float] = {}
        self._accounts: dict[tuple[str, str], _Account] = {}

    def may_pass(self, host: str, account: str) -> bool:
        """Whether a remembered credential may come in without a turn."""
        seen = self._accounts.get((network_from_host(host), account))
        return seen is None or seen.failures < self._failures_free or self._is_forgiven(seen)

    async def take_turn(self, host: str, account: str, guess: bytes = b"") -> Turn:
        """Wait until a password for the account may be looked at.

        Args:
            host: where it comes from.
            account: in one spelling.
            guess: stands for the password, which was looked for among the remembered ones.

        Raises:
            LoginDelayed: the wait would be too long.
        """
        network = network_from_host(host)
        now = self._clock.monotonic_s()
        seen = self._accounts.get((network, account))
        if seen is not None and self._is_forgiven(seen):
            seen.failures = 0
            seen.tried.clear()
        free_at = now
        network_free_at = self._networks.get(network, now)
        is_trusted = seen is not None and seen.has_come_in and not seen.failures
        is_paid = network_free_at > now and not is_trusted
        if is_paid:
            free_at = network_free_at
        if seen is not None and seen.failures:
            free_at = max(free_at, seen.free_at)
        turn = Turn(network, account, is_paid, guess)
        if free_at - now > self._held_max_s:
            if guess:
                # Its not being remembered was a piece of news already.
                self._count(turn, now)
            raise LoginDelayed("too many failed logins", retry_after_s=free_at - now)
        if is_paid:
            self._remember_network(network, max(network_free_at, free_at) + self._interval_s)
        if seen is not None and seen.failures >= self._failures_free:
            seen.free_at = free_at + self._delay_s(seen.failures)
        if free_at > now:
            await self._sleep(free_at - now)
        return turn

    async def failed(self, turn: Turn) -> None:
        """Count a failure and hold its answer back as long as it takes.

        Raises:
            LoginDelayed: that would be too long.
        """
        now = self._clock.monotonic_s()
        self._count(turn, now)
        if turn.is_paid:
            return
        answered_at = max(now, self._networks.get(turn.network, now))
        self._remember_network(turn.network, answered_at + self._interval_s)
        wait_s = answered_at - now
        if wait_s > self._held_max_s:
            raise LoginDelayed("too many failed logins", retry_after_s=wait_s)
        if wait_s > 0:
            await self._sleep(wait_s)

    def succeeded(self, turn: Turn) -> None:
        """Give the turn back. Failures stay counted: others at that address may be guessing."""
        seen = self._account(turn)
        seen.has_come_in = True
        seen.free_at = -math.inf
        if turn.is_paid and turn.network in self._networks:
            self._networks[turn.network] -= self._interval_s

    def _count(self, turn: Turn, now: float) -> None:
        seen = self._account(turn)
        if turn.guess in seen.tried:
            return
        if turn.guess and len(seen.tried) < TRIED_MAX:
            seen.tried.add(turn.guess)
        seen.failures += 1
        seen.failed_at = now
        if seen.failures >= self._failures_free:
            seen.free_at = max(seen.free_at, now + self._delay_s(seen.failures))

    def _is_forgiven(self, seen: _Account) -> bool:
        return self._clock.monotonic_s() - seen.failed_at > self._limits.quiet_s

    def _delay_s(self, failures: int) -> float:
        # 2^20 is past any sensible delay_max_s; the bound keeps the power small.
        doublings = min(max(failures - self._failures_free, 0), 20)
        return min(2.0**doublings, self._limits.delay_max_s)

    def _remember_network(self, network: str, free_at: float) -> None:
        self._networks.pop(network, None)
        self._networks[network] = free_at
        if len(self._networks) > self._limits.counted_max:
            del self._networks[next(iter(self._networks))]

    def _account(self, turn: Turn) -> _Account:
        key = (turn.network, turn.account)
        seen = self._accounts.pop(key, None) or _Account()
        self._accounts[key] = seen
        if len(self._accounts) > self._limits.counted_max:
            del self._accounts[next(iter(self._accounts))]
        return seen


@lru_cache(maxsize=4096)
def network_from_host(host: str) -> str:
    """What an address is counted as: IPv4 itself, IPv6 its /64, anything else as it stands."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
