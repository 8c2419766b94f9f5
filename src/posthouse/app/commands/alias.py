"""``posthouse alias``: further addresses of people, groups, rooms and shared mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.services.directory.people import People

COLUMNS = {"alias": "Alias", "address": "Address"}


@click.group()
def alias() -> None:
    """Further addresses; mail to them arrives, and they may be sent from."""


@alias.command()
@console.data_option
@click.argument("new", metavar="ALIAS", type=ADDRESS)
@click.argument("address", type=ADDRESS)
@console.json_option
def add(data: Path, new: str, address: str, *, as_json: bool) -> None:
    """Make ALIAS a further address of ADDRESS (in either order)."""
    with console.opened(data) as house:
        people = house.people
        # Everybody remembers the order differently; only one of the two can exist already.
        if people.is_known(new) and not people.is_known(address):
            new, address = address, new
        principal = people.find(address)
        key = people.add_alias(new, principal)
    value = {"alias": key, "address": principal.address}
    console.say(f"{key} now leads to {principal.address}.", value, as_json=as_json)


@alias.command("list")
@console.data_option
@click.argument("address", type=ADDRESS, required=False)
@console.json_option
def list_(data: Path, address: str | None, *, as_json: bool) -> None:
    """List aliases, all of them or those of ADDRESS."""
    with console.opened(data) as house:
        rows = _rows(house.people, address)
    console.show_rows(COLUMNS, rows, as_json=as_json)


def _rows(people: People, address: str | None) -> list[dict[str, str]]:
    principals = [people.find(address)] if address else people.all_of(*PrincipalKind)
    return [
        {"alias": name, "address": principal.address}
        for principal in principals
        for name in people.aliases(principal)
    ]


@alias.command()
@console.data_option
@click.argument("name", metavar="ALIAS", type=ADDRESS)
@console.json_option
def remove(data: Path, name: str, *, as_json: bool) -> None:
    """Take ALIAS away."""
    with console.opened(data) as house:
        house.people.remove_alias(name)
    console.say(f"Removed {name}.", {"alias": name, "removed": True}, as_json=as_json)
