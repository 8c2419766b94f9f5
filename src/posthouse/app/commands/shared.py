"""``posthouse shared``: mailboxes of several people, such as support@ and office@."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS, SIZE, remove_principal
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {"address": "Address", "name": "Name"}


@click.group()
def shared() -> None:
    """Shared mailboxes: nobody logs in as one; `posthouse share grant` says who may open it."""


@shared.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--name", default="", help="Name shown to people.")
@click.option("--quota", type=SIZE, help="Limit of the mailbox, such as 5GiB; or none.")
@console.json_option
def add(data: Path, address: str, *, name: str, quota: int | None, as_json: bool) -> None:
    """Add a shared mailbox ADDRESS."""
    with console.opened(data) as house:
        if quota is None:
            quota = house.config.store.default_quota
        adding = house.people.add(PrincipalKind.SHARED, address, name, quota_bytes=quota)
        made = house.run(adding)
    value = {"address": made.address, "name": made.name}
    sentence = (
        f"Added the shared mailbox {made.address}. Let people in with"
        f" `posthouse share grant {made.address} --to PERSON --rights editor --send-as`."
    )
    console.say(sentence, value, as_json=as_json)


@shared.command("list")
@console.data_option
@console.json_option
def list_(data: Path, *, as_json: bool) -> None:
    """List shared mailboxes."""
    with console.opened(data) as house:
        found = house.people.all_of(PrincipalKind.SHARED)
        rows = [{"address": principal.address, "name": principal.name} for principal in found]
    console.show_rows(COLUMNS, rows, as_json=as_json)


@shared.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.yes_option
@console.json_option
def remove(data: Path, address: str, *, yes: bool, as_json: bool) -> None:
    """Remove the shared mailbox ADDRESS with all mail in it."""
    remove_principal(data, address, (PrincipalKind.SHARED,), yes=yes, as_json=as_json)
