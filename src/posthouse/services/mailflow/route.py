"""Which hosts take a domain's mail.

Spec: RFC 5321 §5.1 (locating the target host), RFC 7505 (null MX), RFC 3974 (IPv6 and MX).

Notes:
    A host of the list that is this server drops out, with everything of the same or a worse
    preference: to bring mail there would be to carry it in circles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.ports.courier import Fate, Stop, TlsNeed, Verdict, Way
from posthouse.ports.resolver import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.ports.clock import Chance
    from posthouse.ports.courier import TlsPolicy
    from posthouse.ports.resolver import Resolver

_HOSTS_MAX = 10
_ADDRESSES_PER_HOST_MAX = 4
_NULL_MX = ("", ".")


class Opportunistic:
    """The TLS policy of a world without policies."""

    async def need(self, domain: str, host: str) -> TlsNeed | None:  # noqa: ARG002
        """TLS when it is offered."""
        return TlsNeed.OPPORTUNISTIC


@dataclass(frozen=True, slots=True)
class Smarthost:
    """A host that takes all foreign mail.

    Attributes:
        host: name or address.
        port: TCP port.
        tls: what TLS it is worth.
        login: to log in with, "" not at all.
        password: for it.
    """

    host: str
    port: int = 25
    tls: TlsNeed = TlsNeed.OPPORTUNISTIC
    login: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without the password."""
        return f"Smarthost({self.host}:{self.port})"


class Router:
    """Finds ways."""

    def __init__(  # noqa: PLR0913  what a service stands on comes in as arguments
        self,
        resolver: Resolver,
        chance: Chance,
        *,
        own_names: Sequence[str],
        own_addresses: Sequence[str] = (),
        smarthost: Smarthost | None = None,
        tls_policy: TlsPolicy | None = None,
        port: int = 25,
    ) -> None:
        """Make a router.

        Args:
            resolver: the name system.
            chance: to spread load over hosts of one preference.
            own_names: host names of this server.
            own_addresses: public IP addresses on which this server takes mail.
            smarthost: takes everything, when there is one.
            tls_policy: what domains demand.
            port: where hosts take mail.
        """
        self._resolver = resolver
        self._chance = chance
        self._own_names = frozenset(name.rstrip(".").lower() for name in own_names)
        self._own_addresses = frozenset(own_addresses)
        self._smarthost = smarthost
        self._tls_policy = tls_policy or Opportunistic()
        self._port = port

    def destination(self, domain: str) -> str:
        """What messages are grouped by: those for one destination can share a connection."""
        return "" if self._smarthost is not None else domain

    async def way(self, domain: str) -> Way:
        """Where mail for a domain goes now."""
        if self._smarthost is not None:
            return await self._way_to_smarthost(self._smarthost)
        if domain.startswith("["):
            answer = await self._resolver.addresses(domain)
            return await self._way_to(domain, [(0, domain)], {domain: answer})
        mx = await self._resolver.ask(domain, "MX")
        match mx.outcome:
            case Outcome.FOUND:
                return await self._way_by_mx(domain, mx.values)
            case Outcome.NO_DATA:
                return await self._way_to(domain, [(0, domain)])
            case Outcome.NO_SUCH_NAME:
                return _nowhere(Fate.REFUSED, "5.1.2", f"the domain {domain} does not exist")
            case Outcome.TEMPORARY:
                return _nowhere(
                    Fate.DEFERRED, "4.4.3", f"no answer from the name servers of {domain}"
                )

    async def _way_to_smarthost(self, smarthost: Smarthost) -> Way:
        answer = await self._resolver.addresses(smarthost.host)
        if answer.outcome is not Outcome.FOUND:
            # The operator's mistake or outage: never a reason to return mail before its time.
            return _nowhere(Fate.DEFERRED, "4.4.3", f"no address for the relay {smarthost.host}")
        stop = Stop(
            smarthost.host.strip("[]"),
            answer.values[:_ADDRESSES_PER_HOST_MAX],
            smarthost.port,
            smarthost.tls,
            smarthost.login,
            smarthost.password,
            is_smarthost=True,
        )
        return Way((stop,))

    async def _way_by_mx(self, domain: str, values: Sequence[str]) -> Way:
        hosts: list[tuple[int, str]] = []
        for value in values:
            preference, _, host = value.partition(" ")
            if preference.isdigit():
                hosts.append((int(preference), host.rstrip(".").lower()))
        if all(host in _NULL_MX for _, host in hosts):
            return _nowhere(Fate.REFUSED, "5.1.10", f"the domain {domain} takes no mail")
        hosts = [(preference, host) for preference, host in hosts if host not in _NULL_MX]
        shuffled = sorted((p, self._chance.token_bytes(2), host) for p, host in hosts)
        return await self._way_to(domain, [(p, host) for p, _, host in shuffled])

    async def _way_to(
        self,
        domain: str,
        hosts: Sequence[tuple[int, str]],
        known: dict[str, Answer] | None = None,
    ) -> Way:
        """Look up addresses; leave out this server and what stands behind it in the list."""
        answers = known or {}
        for _, host in hosts[:_HOSTS_MAX]:
            if host not in answers and host not in self._own_names:
                answers[host] = await self._resolver.addresses(host)
        own = [p for p, host in hosts if self._is_own(host, answers.get(host))]
        nearer = [(p, host) for p, host in hosts[:_HOSTS_MAX] if not own or p < min(own)]
        if own and not nearer:
            return _nowhere(Fate.REFUSED, "5.4.6", f"mail for {domain} leads back to this server")
        stops: list[Stop] = []
        for _, host in nearer:
            addresses = answers[host].values[:_ADDRESSES_PER_HOST_MAX]
            need = await self._tls_policy.need(domain, host) if addresses else None
            if need is not None:
                stops.append(Stop(host.strip("[]"), tuple(addresses), self._port, need))
        if stops:
            return Way(tuple(stops))
        if any(answers[host].values for _, host in nearer):
            return _nowhere(Fate.DEFERRED, "4.7.5", f"the policy of {domain} allows no host")
        if any(answers[host].outcome is Outcome.TEMPORARY for _, host in nearer):
            return _nowhere(Fate.DEFERRED, "4.4.3", f"no answer about the hosts of {domain}")
        return _nowhere(Fate.REFUSED, "5.4.4", f"no mail server of {domain} has an address")

    def _is_own(self, host: str, answer: Answer | None) -> bool:
        if host in self._own_names:
            return True
        return answer is not None and not self._own_addresses.isdisjoint(answer.values)


def _nowhere(fate: Fate, status: str, text: str) -> Way:
    return Way(trouble=Verdict(fate, status, text, is_remote=False))
