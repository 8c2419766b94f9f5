"""``posthouse init``: a data directory for a new server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from posthouse.app import config as configuration
from posthouse.app.config_document import document
from posthouse.app.console import data_option, json_option
from posthouse.app.ownership import as_owner
from posthouse.app.wiring import make_directories, open_house
from posthouse.model.address import domain_from_text
from posthouse.model.errors import ConfigurationError
from posthouse.runtime.clock import SystemClock
from posthouse.runtime.tls import make_authority_and_certificate

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@data_option
@click.option("--domain", required=True, help="The domain to receive mail for.")
@click.option("--hostname", default="", help="Full name of this host; default: mail.DOMAIN.")
@click.option("--profile", type=click.Choice(sorted(configuration.PROFILES)), default="loopback")
@json_option
def init(data: Path, domain: str, hostname: str, profile: str, as_json: bool) -> None:  # noqa: FBT001
    """Make a data directory: configuration, certificate, empty store."""
    made = initialise(data, domain, hostname, profile)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"{data} is ready for {made['domain']} as {made['hostname']}.")
    click.echo(f"Next: posthouse user add --data {data} alice@{made['domain']} --name Alice")
    click.echo(f"      posthouse serve --data {data}")


def initialise(data: Path, domain: str, hostname: str, profile: str) -> dict[str, str]:
    """Make everything; what there is already of the same house is kept.

    Raises:
        ConfigurationError: the directory has a configuration already, or a name is wrong.
    """
    try:
        domain = domain_from_text(domain)
        hostname = domain_from_text(hostname or f"mail.{domain}")
    except ValueError as e:
        raise ConfigurationError(f"{e}; give a name such as example.org") from None
    path = data / configuration.FILE_NAME
    if path.exists():
        raise ConfigurationError(f"{path} is there already: change it, or choose another --data")
    with as_owner(data):
        make_directories(data)
        make_authority_and_certificate(
            data / "tls",
            [
                hostname,
                domain,
                f"autodiscover.{domain}",
                f"autoconfig.{domain}",
                "localhost",
                "127.0.0.1",
            ],
            SystemClock(),
        )
        # Last but one, so that an init cut short can be said again.
        path.write_text(document(profile, hostname), "utf-8")
        path.chmod(0o600)
    with open_house(data) as house:
        if domain not in house.directory.domains():
            house.people.add_domain(domain)
    return {"data": str(data), "domain": domain, "hostname": hostname, "profile": profile}
