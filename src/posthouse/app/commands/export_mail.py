"""``posthouse export``: a whole mailbox into open formats."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from posthouse.app.commands.import_mail import mailbox_of
from posthouse.app.console import (
    AddressType,
    data_option,
    harmless,
    json_option,
    opened,
    show_json,
    size_from_bytes,
)
from posthouse.app.progress import progress
from posthouse.protocols.pop3.wire.uidl import own_uidl
from posthouse.services.upkeep.export_mail import Exporter, ExportReport


@click.command("export")
@data_option
@json_option
@click.argument("address", type=AddressType())
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--salvage", is_flag=True, help="Leave out what cannot be read, and list it.")
def export(
    data: Path,
    as_json: bool,  # noqa: FBT001
    address: str,
    path: Path,
    salvage: bool,  # noqa: FBT001
) -> None:
    """Write everything in the mailbox of ADDRESS into the new directory PATH.

    Mail becomes a Maildir, which other mail programs open; manifest.json holds what a Maildir
    cannot say. `posthouse import` takes it in again, here or elsewhere, without loss.
    """
    with opened(data) as house:
        mailbox_id = mailbox_of(house, address)
        mailbox = house.run(house.store.records.mailbox(mailbox_id))
        with progress("Exporting", mailbox.item_count, is_silent=as_json) as step:

            def tell(report: ExportReport) -> None:
                step(report.items, f"{report.items} of {report.total}")

            exporter = Exporter(house.store, mailbox_id, address, own_uidl, salvages=salvage)
            report = house.run(exporter.run(path, tell))
        house.audit.record(
            "mailbox-exported", by=house.people.actor, address=address, items=report.items
        )
    if as_json:
        unreadable = [{"where": u.where, "why": u.why} for u in report.unreadable]
        show_json(
            {
                "path": str(path),
                "items": report.items,
                "bytes": report.written_bytes,
                "unreadable": unreadable,
            }
        )
    else:
        size = size_from_bytes(report.written_bytes)
        click.echo(harmless(f"{report.items} items, {size}, in {path}"))
        for one in report.unreadable:
            click.echo(harmless(f"left out {one.where}: {one.why}"), err=True)
    if report.unreadable:
        sys.exit(1)
