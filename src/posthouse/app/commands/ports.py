"""``posthouse ports``: where the doors are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from posthouse.app import config as configuration
from posthouse.app.console import data_option, json_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@data_option
@json_option
def ports(data: Path, as_json: bool) -> None:  # noqa: FBT001  click passes flags so
    """Where the doors are: name, address, port."""
    listeners = configuration.load(data).listeners()
    if as_json:
        click.echo(json.dumps({door: list(addresses[0]) for door, addresses in listeners.items()}))
        return
    for door, addresses in listeners.items():
        click.echo(f"{door:<12} " + "  ".join(f"{host}:{port}" for host, port in addresses))
