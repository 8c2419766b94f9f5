"""``posthouse domain``: the domains that mail is received for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"domain": "Domain", "catch_all": "Catch-all"}


@click.group()
def domain() -> None:
    """Domains that mail is received for; the first is meant where a login names none."""


@domain.command()
@console.data_option
@click.argument("name", metavar="DOMAIN")
@console.json_option
def add(data: Path, name: str, *, as_json: bool) -> None:
    """Receive mail for DOMAIN."""
    with console.opened(data) as house:
        made = house.people.add_domain(name)
    value = {"domain": made, "catch_all": ""}
    console.say(f"Added {made}; `posthouse doctor` says what DNS needs.", value, as_json=as_json)


@domain.command("list")
@console.data_option
@console.json_option
def list_(data: Path, *, as_json: bool) -> None:
    """List domains."""
    with console.opened(data) as house:
        found = house.people.domains()
    rows = [{"domain": name, "catch_all": catch_all} for name, catch_all in found]
    console.show_rows(COLUMNS, rows, as_json=as_json)


@domain.command("catch-all")
@console.data_option
@click.argument("name", metavar="DOMAIN")
@click.argument("address", type=ADDRESS, required=False)
@click.option("--none", "is_none", is_flag=True, help="Turn mail for unknown addresses away.")
@console.json_option
def catch_all(data: Path, name: str, address: str | None, *, is_none: bool, as_json: bool) -> None:
    """Give mail for unknown addresses of DOMAIN to ADDRESS."""
    if bool(address) == is_none:
        raise click.UsageError("name an ADDRESS, or say --none")
    with console.opened(data) as house:
        changed, target = house.people.set_catch_all(name, address or "")
    said = f"goes to {target}" if target else "is turned away"
    value = {"domain": changed, "catch_all": target}
    console.say(f"Mail for unknown addresses of {changed} {said}.", value, as_json=as_json)


@domain.command()
@console.data_option
@click.argument("name", metavar="DOMAIN")
@console.json_option
def remove(data: Path, name: str, *, as_json: bool) -> None:
    """Receive no mail for DOMAIN any more; nobody may have an address in it."""
    with console.opened(data) as house:
        gone = house.people.remove_domain(name)
    console.say(f"Removed {gone}.", {"domain": gone, "removed": True}, as_json=as_json)
