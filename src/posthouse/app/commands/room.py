"""``posthouse room``: rooms and equipment with a mailbox and calendar of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS, remove_principal
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"address": "Address", "name": "Name"}


@click.group()
def room() -> None:
    """Rooms: mailboxes that are invited, not logged in to."""


@room.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--name", default="", help="Name shown to people.")
@console.json_option
def add(data: Path, address: str, *, name: str, as_json: bool) -> None:
    """Add a room ADDRESS."""
    with console.opened(data) as house:
        quota = house.config.store.default_quota
        adding = house.people.add(PrincipalKind.ROOM, address, name, quota_bytes=quota)
        made = house.run(adding)
    value = {"address": made.address, "name": made.name}
    console.say(f"Added the room {made.address}.", value, as_json=as_json)


@room.command("list")
@console.data_option
@console.json_option
def list_(data: Path, *, as_json: bool) -> None:
    """List rooms."""
    with console.opened(data) as house:
        found = house.people.all_of(PrincipalKind.ROOM)
        rows = [{"address": principal.address, "name": principal.name} for principal in found]
    console.show_rows(COLUMNS, rows, as_json=as_json)


@room.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.yes_option
@console.json_option
def remove(data: Path, address: str, *, yes: bool, as_json: bool) -> None:
    """Remove the room ADDRESS with its mailbox and calendar."""
    remove_principal(data, address, (PrincipalKind.ROOM,), yes=yes, as_json=as_json)
