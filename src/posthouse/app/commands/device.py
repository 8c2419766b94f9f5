"""``posthouse device``: a password of its own for every telephone, laptop and program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS, DEVICES, device_row
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from pathlib import Path

DOORS = ("pop3", "smtp", "imap", "dav", "eas", "ews", "mapi")


class ScopeType(click.ParamType[tuple[str, ...]]):
    """Names of doors, separated by commas."""

    name = "doors"

    def convert(
        self,
        value: str | tuple[str, ...],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, ...]:
        """Refuse a door that does not exist."""
        if isinstance(value, tuple) or not value:
            return tuple(value)
        doors = tuple(dict.fromkeys(word.strip().lower() for word in value.split(",")))
        for door in doors:
            if door not in DOORS:
                self.fail(f"there is no door {door!r}; choose from {', '.join(DOORS)}", param, ctx)
        return doors


@click.group()
def device() -> None:
    """Device passwords: each client its own, revoked one by one."""


@device.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--label", default="", help='What its owner calls it, such as "Phone".')
@click.option(
    "--scope", type=ScopeType(), default="", help="Doors it opens: pop3,smtp; default all."
)
@console.json_option
def add(data: Path, address: str, *, label: str, scope: tuple[str, ...], as_json: bool) -> None:
    """Make a device password for ADDRESS; it is shown this once."""
    with console.opened(data) as house:
        principal = house.people.find(address, PrincipalKind.USER)
        made = house.people.add_device(principal, label, scope)
    value = {
        "address": principal.address,
        "label": made.device.label,
        "password": made.password,
        "scope": made.device.scope,
    }
    sentence = (
        f"{made.device.label} of {principal.address}: {made.password}\n"
        "Write it into the device now; it cannot be shown again."
    )
    console.say(sentence, value, as_json=as_json)


@device.command("list")
@console.data_option
@click.argument("address", type=ADDRESS)
@console.json_option
def list_(data: Path, address: str, *, as_json: bool) -> None:
    """List the devices of ADDRESS with their last use."""
    with console.opened(data) as house:
        principal = house.people.find(address, PrincipalKind.USER)
        rows = [device_row(found) for found in house.people.devices(principal)]
    console.show_rows(DEVICES, rows, as_json=as_json)


@device.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("label", required=False)
@click.option("--label", "label_option", help="The same as the argument.")
@console.json_option
def revoke(
    data: Path, address: str, *, label: str | None, label_option: str | None, as_json: bool
) -> None:
    """End the device LABEL of ADDRESS; it is cut off at once."""
    chosen = label or label_option
    if not chosen:
        raise click.UsageError("which device? Give its label; `posthouse device list` knows them")
    with console.opened(data) as house:
        principal = house.people.find(address, PrincipalKind.USER)
        house.people.revoke_device(principal, chosen)
    sentence = f"Revoked {chosen} of {principal.address}."
    value = {"address": principal.address, "label": chosen, "revoked": True}
    console.say(sentence, value, as_json=as_json)
