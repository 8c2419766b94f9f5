"""The name system through dnspython, with a small cache.

Spec: RFC 1035, RFC 2308 (negative answers), RFC 6761 §6.3 (localhost), RFC 6840 §5.7 (asking for
    AD).

Notes:
    The AD bit is only as good as the path to the name server: it means something when that server
    validates and is on this machine or reached over a trusted network.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from posthouse.ports.resolver import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dns.rdata import Rdata

    from posthouse.ports.clock import Clock

_TTL_LEAST_S = 5.0
_TTL_MOST_S = 3_600.0
_NEGATIVE_TTL_S = 60.0
_CACHED_MAX = 10_000
_EDNS_PAYLOAD = 1_232
_LOOPBACK = Answer(Outcome.FOUND, ("::1", "127.0.0.1"))


class DnsResolver:
    """Asks name servers; never raises, bounded in time."""

    def __init__(
        self, clock: Clock, *, nameservers: Sequence[str] = (), timeout_s: float = 10.0
    ) -> None:
        """Make a resolver.

        Args:
            clock: for the age of cached answers.
            nameservers: "address" or "address:port" ("[v6]:port"); none: those of the system.
            timeout_s: for a question with all its retries.
        """
        self._clock = clock
        self._resolver = _resolver(nameservers)
        self._resolver.lifetime = timeout_s
        self._resolver.timeout = min(3.0, timeout_s)
        self._cache: dict[tuple[str, str], tuple[float, Answer]] = {}

    async def ask(self, name: str, record_type: str) -> Answer:
        """Ask one question, or remember the answer."""
        key = (name.rstrip(".").lower(), record_type)
        now_s = self._clock.monotonic_s()
        known = self._cache.get(key)
        if known is not None and known[0] > now_s:
            return known[1]
        answer, ttl_s = await self._ask(key[0], record_type)
        if ttl_s:
            if len(self._cache) >= _CACHED_MAX:
                self._cache.clear()
            self._cache[key] = (now_s + ttl_s, answer)
        return answer

    async def _ask(self, name: str, record_type: str) -> tuple[Answer, float]:
        """The answer and how long it holds, in seconds (0: do not keep it)."""
        try:
            absolute = dns.name.from_text(name)
            found = await self._resolver.resolve(absolute, record_type, search=False)
        except dns.resolver.NXDOMAIN as error:
            is_authentic = any(r.flags & dns.flags.AD for r in error.responses().values())  # type: ignore[no-untyped-call]
            return Answer(Outcome.NO_SUCH_NAME, is_authentic=is_authentic), _NEGATIVE_TTL_S
        except dns.resolver.NoAnswer as error:
            is_authentic = bool(error.response().flags & dns.flags.AD)  # type: ignore[no-untyped-call]
            return Answer(Outcome.NO_DATA, is_authentic=is_authentic), _NEGATIVE_TTL_S
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
            return Answer(Outcome.NO_SUCH_NAME), _NEGATIVE_TTL_S
        except (dns.exception.DNSException, OSError):
            return Answer(Outcome.TEMPORARY), 0.0
        ttl_s = min(max(float(found.rrset.ttl if found.rrset else 0), _TTL_LEAST_S), _TTL_MOST_S)
        values = tuple(_text(record) for record in found)
        is_authentic = bool(found.response.flags & dns.flags.AD)
        return Answer(Outcome.FOUND, values, is_authentic), ttl_s

    async def addresses(self, host: str) -> Answer:
        """AAAA and A at once; a literal and localhost answer themselves."""
        literal = host.removeprefix("[").removesuffix("]")
        try:
            return Answer(Outcome.FOUND, (str(ip_address(literal.removeprefix("ipv6:"))),))
        except ValueError:
            pass
        if host.rstrip(".").lower() == "localhost":
            return _LOOPBACK
        six, four = await asyncio.gather(self.ask(host, "AAAA"), self.ask(host, "A"))
        if values := (*six.values, *four.values):
            return Answer(Outcome.FOUND, values, six.is_authentic and four.is_authentic)
        return six if six.outcome is Outcome.TEMPORARY else four


def _resolver(nameservers: Sequence[str]) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not nameservers)
    except dns.resolver.NoResolverConfiguration:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
    if nameservers:
        resolver.nameservers = list(_servers(nameservers))
    resolver.use_edns(0, 0, _EDNS_PAYLOAD)
    resolver.flags = dns.flags.RD | dns.flags.AD
    return resolver


def _servers(texts: Iterable[str]) -> Iterable[dns.nameserver.Nameserver]:
    for text in texts:
        host, colon, port = text.rpartition(":")
        if text.count(":") > 1 and not text.startswith("["):
            host, colon, port = text, "", ""
        if not colon:
            host, port = text, "53"
        yield dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _text(record: Rdata) -> str:
    """A value as ``ports.resolver.Answer`` describes it: names without the final dot."""
    match record.rdtype:
        case dns.rdatatype.TXT:
            strings: tuple[bytes, ...] = record.strings  # type: ignore[attr-defined]
            return b"".join(strings).decode("utf-8", "replace")
        case dns.rdatatype.MX:
            exchange = record.exchange.to_text(omit_final_dot=True)  # type: ignore[attr-defined]
            return f"{record.preference} {exchange}"  # type: ignore[attr-defined]
        case dns.rdatatype.PTR | dns.rdatatype.CNAME:
            name: str = record.target.to_text(omit_final_dot=True)  # type: ignore[attr-defined]
            return name
        case _:
            return record.to_text()
