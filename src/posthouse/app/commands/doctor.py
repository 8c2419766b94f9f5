"""``posthouse doctor``: what is wrong, and what to paste where."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from posthouse.app import config as configuration
from posthouse.app.console import data_option, json_option, show_json
from posthouse.app.wiring import open_house
from posthouse.model.errors import ConfigurationError
from posthouse.services.doctor import audit, certificate, host, names, settings
from posthouse.services.doctor.finding import Finding, Grade, good, problem

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.app.wiring import House

_SIGNS = {Grade.GOOD: "ok", Grade.NOTICE: "note", Grade.PROBLEM: "MEND"}
_DNS_PATIENCE_S = 30


@click.command()
@data_option
@json_option
@click.option("--no-dns", is_flag=True, help="Do not ask the name servers.")
def doctor(data: Path, as_json: bool, no_dns: bool) -> None:  # noqa: FBT001
    """Look at configuration, disk, clock, ports, TLS, DNS. Exit status 1: something to mend.

    Nothing is asked of other machines but DNS.
    """
    findings = examine(data, with_dns=not no_dns)
    problems, notices = names.summary(findings)
    if as_json:
        show_json(
            {"problems": problems, "notices": notices, "findings": [asdict(f) for f in findings]}
        )
    else:
        for finding in findings:
            _print(finding)
        click.echo(
            f"\n{problems} to mend, {notices} to note, {len(findings) - problems - notices} good."
        )
    sys.exit(1 if problems else 0)


def _print(finding: Finding) -> None:
    click.echo(f"{_SIGNS[finding.grade]:<5}{finding.topic:<16} {finding.what}")
    if finding.remedy:
        click.echo(f"{'':<22}-> {finding.remedy}")
    for line in finding.paste.splitlines():
        click.echo(f"{'':<25}{line}")


def examine(data: Path, *, with_dns: bool) -> list[Finding]:
    """Everything the doctor looks at; a broken configuration ends it early."""
    try:
        config = configuration.load(data)
    except ConfigurationError as e:
        return [problem("configuration", str(e), "mend the file")]
    findings = [good("configuration", f"{data / configuration.FILE_NAME} is sound")]
    listeners = config.listeners()
    findings += host.data_directory(data, config.limits.space_floor)
    findings += settings.owner(data, config.user)
    findings += host.clock()
    findings += settings.doors(listeners, allows_plaintext_auth=config.allow_plaintext_auth)
    findings += host.ports(listeners)
    with open_house(data) as house:
        now = house.clock.now_ms()
        findings += audit.audit_log(house.audit_path)
        findings += certificate.certificate(
            config.certificate_path, config.key_path, config.hostname, now
        )
        if with_dns:
            findings += house.run(_names(house))
    return findings


async def _names(house: House) -> list[Finding]:
    resolver = house.resolver()
    asked = [names.host(resolver, house.config.hostname)]
    asked += [names.domain(resolver, d, house.config.hostname) for d in house.directory.domains()]
    try:
        async with asyncio.timeout(_DNS_PATIENCE_S):
            answers = await asyncio.gather(*asked)
    except TimeoutError:
        return [problem("dns", "the name servers do not answer in time", "check queue.nameservers")]
    return [finding for group in answers for finding in group]
