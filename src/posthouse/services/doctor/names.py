"""Looks at the domain name system: what others need to find us, and to believe us.

Spec: RFC 5321 §5.1 (MX), RFC 7208 (SPF), RFC 6376 (DKIM), RFC 7489 (DMARC), RFC 8461 (MTA-STS),
    RFC 6186 and RFC 8314 (SRV for mail clients).
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from posthouse.ports.resolver import Answer, Outcome
from posthouse.services.doctor.finding import Finding, good, notice, problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.ports.resolver import Resolver


@dataclass(frozen=True, slots=True)
class _Record:
    """A record that should be there.

    Attributes:
        topic: for the finding.
        name: owner name.
        kind: record type.
        marker: text one of the values must contain ("" any value will do).
        paste: the zone line to add.
        why: what it is for.
        is_needed: its absence is a problem, not a notice.
    """

    topic: str
    name: str
    kind: str
    marker: str
    paste: str
    why: str
    is_needed: bool = False


# {d} is the domain, {h} our host.
_RECORDS = (
    _Record(
        topic="dns mx",
        name="{d}",
        kind="MX",
        marker="{h}",
        paste="{d}. MX 10 {h}.",
        why="others find us by it",
        is_needed=True,
    ),
    _Record(
        topic="dns spf",
        name="{d}",
        kind="TXT",
        marker="v=spf1",
        paste='{d}. TXT "v=spf1 mx -all"',
        why="says which hosts send our mail",
        is_needed=True,
    ),
    _Record(
        topic="dns dkim",
        name="posthouse._domainkey.{d}",
        kind="TXT",
        marker="p=",
        paste="",
        why="lets others verify signatures; needed once anyone signs under it",
    ),
    _Record(
        topic="dns dmarc",
        name="_dmarc.{d}",
        kind="TXT",
        marker="v=DMARC1",
        paste='_dmarc.{d}. TXT "v=DMARC1; p=none; rua=mailto:postmaster@{d}"',
        why="large receivers refuse mail of domains without it",
    ),
    _Record(
        topic="dns autodiscover",
        name="_autodiscover._tcp.{d}",
        kind="SRV",
        marker="{h}",
        paste="_autodiscover._tcp.{d}. SRV 0 0 443 {h}.\n"
        "autodiscover.{d}. CNAME {h}.\nautoconfig.{d}. CNAME {h}.",
        why="Outlook and phones find their settings by it",
    ),
    _Record(
        topic="dns srv",
        name="_pop3s._tcp.{d}",
        kind="SRV",
        marker="{h}",
        paste="_pop3s._tcp.{d}. SRV 0 1 995 {h}.\n_submissions._tcp.{d}. SRV 0 1 465 {h}.",
        why="mail clients find their settings by it",
    ),
    _Record(
        topic="dns mta-sts",
        name="_mta-sts.{d}",
        kind="TXT",
        marker="v=STSv1",
        paste='_mta-sts.{d}. TXT "v=STSv1; id=1"',
        why="with a policy file, makes others insist on TLS towards us",
    ),
)


def _wanted(domain: str, hostname: str) -> list[_Record]:
    def filled(text: str) -> str:
        return text.format(d=domain, h=hostname)

    return [
        replace(r, name=filled(r.name), marker=filled(r.marker), paste=filled(r.paste))
        for r in _RECORDS
    ]


async def domain(resolver: Resolver, name: str, hostname: str) -> list[Finding]:
    """All records of one of our domains."""
    wanted = _wanted(name, hostname)
    answers = await asyncio.gather(*(resolver.ask(r.name, r.kind) for r in wanted))
    return [_judge(r, a) for r, a in zip(wanted, answers, strict=True)]


def _judge(record: _Record, answer: Answer) -> Finding:
    what = f"{record.name} {record.kind}"
    if answer.outcome is Outcome.TEMPORARY:
        return notice(
            record.topic,
            f"{what}: the name servers did not answer",
            "check /etc/resolv.conf or queue.nameservers",
        )
    hits = [v for v in answer.values if record.marker.lower() in v.lower()]
    if hits:
        return good(record.topic, f"{what}: {hits[0]}")
    there = f"is {answer.values[0]}" if answer.values and record.kind != "TXT" else "is missing"
    make = problem if record.is_needed else notice
    remedy = f"{record.why}; add to the zone" if record.paste else record.why
    return make(record.topic, f"{what} {there}", remedy, record.paste)


async def host(resolver: Resolver, hostname: str) -> list[Finding]:
    """Our own name, there and back."""
    answer = await resolver.addresses(hostname)
    if answer.outcome is Outcome.TEMPORARY:
        return [
            notice(
                "dns host", f"{hostname}: the name servers did not answer", "check /etc/resolv.conf"
            )
        ]
    if not answer.values:
        return [
            problem(
                "dns host",
                f"{hostname} has no address",
                "add to the zone",
                f"{hostname}. A YOUR.IP.ADD.RESS",
            )
        ]
    findings = [good("dns host", f"{hostname} is {', '.join(answer.values)}")]
    findings += await asyncio.gather(*(_reverse(resolver, hostname, a) for a in answer.values))
    return findings


async def _reverse(resolver: Resolver, hostname: str, address: str) -> Finding:
    answer = await resolver.ask(ipaddress.ip_address(address).reverse_pointer, "PTR")
    if hostname.lower() in (v.rstrip(".").lower() for v in answer.values):
        return good("dns ptr", f"{address} is called {hostname}")
    said = f"is called {answer.values[0]}" if answer.values else "has no name"
    return problem(
        "dns ptr",
        f"{address} {said}, not {hostname}",
        "ask whoever rents you the address to set its reverse name: others refuse mail without it",
        f"{address} PTR {hostname}.",
    )


def summary(findings: Sequence[Finding]) -> tuple[int, int]:
    """(problems, notices)."""
    grades = [f.grade.value for f in findings]
    return grades.count("problem"), grades.count("notice")
