"""``posthouse group``: one address for several people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS, remove_principal
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"address": "Address", "name": "Name", "member_count": "Members"}


@click.group()
def group() -> None:
    """Groups: one address for several people."""


@group.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("members", metavar="[MEMBER]...", type=ADDRESS, nargs=-1)
@click.option("--name", default="", help="Name shown to people.")
@click.option("--member", "more", type=ADDRESS, multiple=True, help="The same as MEMBER.")
@console.json_option
def add(  # noqa: PLR0913: one per option
    data: Path,
    address: str,
    members: tuple[str, ...],
    *,
    name: str,
    more: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add a group ADDRESS; members may be anybody's addresses, groups too."""
    with console.opened(data) as house:
        made = house.people.add_group(address, name, (*members, *more))
        value = {
            "address": made.address,
            "name": made.name,
            "members": tuple(house.people.members(made)),
        }
    console.say(f"Added the group {made.address}.", value, as_json=as_json)


@group.command("list")
@console.data_option
@console.json_option
def list_(data: Path, *, as_json: bool) -> None:
    """List groups."""
    with console.opened(data) as house:
        rows = [
            {
                "address": found.address,
                "name": found.name,
                "member_count": len(house.people.members(found)),
            }
            for found in house.people.all_of(PrincipalKind.GROUP)
        ]
    console.show_rows(COLUMNS, rows, as_json=as_json)


@group.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--add", "added", type=ADDRESS, multiple=True, help="Add a member.")
@click.option("--remove", "removed", type=ADDRESS, multiple=True, help="Remove a member.")
@console.json_option
def members(
    data: Path, address: str, *, added: tuple[str, ...], removed: tuple[str, ...], as_json: bool
) -> None:
    """List the members of ADDRESS, after adding and removing some."""
    with console.opened(data) as house:
        found = house.people.find(address, PrincipalKind.GROUP)
        if added or removed:
            house.people.change_members(found, added, removed)
        names = tuple(house.people.members(found))
    if as_json:
        console.show_json({"address": found.address, "members": names})
    else:
        console.show_rows({"member": "Member"}, [{"member": n} for n in names], as_json=False)


@group.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.yes_option
@console.json_option
def remove(data: Path, address: str, *, yes: bool, as_json: bool) -> None:
    """Remove the group ADDRESS; its members stay."""
    remove_principal(data, address, (PrincipalKind.GROUP,), yes=yes, as_json=as_json)
