"""``posthouse import``: mail from files into a mailbox."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
from posthouse.model.address import Address
from posthouse.model.errors import NotFound
from posthouse.services.upkeep.import_mail import Importer, ImportReport
from posthouse.services.upkeep.sources import read_source

if TYPE_CHECKING:
    from posthouse.app.wiring import House
    from posthouse.model.ids import MailboxId


def mailbox_of(house: House, address: str) -> MailboxId:
    """The mailbox behind an address.

    Raises:
        NotFound: nobody has it, or it is a group.
    """
    principal = house.directory.by_address(Address.parse(address).key)
    if principal is None or not principal.mailbox_id:
        raise NotFound(f"{address} has no mailbox; see `posthouse user list`")
    return principal.mailbox_id


@click.command("import")
@data_option
@json_option
@click.argument("address", type=AddressType())
@click.argument("path", type=click.Path(path_type=Path))
def import_(data: Path, as_json: bool, address: str, path: Path) -> None:  # noqa: FBT001
    """File mail from PATH into the mailbox of ADDRESS.

    PATH is a message (.eml), an mbox, a Maildir, an export of Posthouse, or a directory of these.
    What is there already is left alone, so a broken import is finished by repeating it. Exit
    status 1 when something could not be read.
    """
    with opened(data) as house:
        mailbox_id = mailbox_of(house, address)
        with progress("Importing", is_silent=as_json) as step:

            def tell(report: ImportReport) -> None:
                looked_at = report.added + report.known
                step(looked_at, f"{looked_at} messages, {size_from_bytes(report.read_bytes)}")

            report = house.run(Importer(house.store, mailbox_id).run(read_source(path), tell))
        house.audit.record(
            "mail-imported",
            by=house.people.actor,
            address=address,
            added=report.added,
            known=report.known,
        )
    _show(report, as_json=as_json)
    if report.unreadable:
        sys.exit(1)


def _show(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "added": report.added,
                "known": report.known,
                "bytes": report.read_bytes,
                "unreadable": [{"where": u.where, "why": u.why} for u in report.unreadable],
            }
        )
        return
    click.echo(f"{report.added} added, {report.known} were there already")
    for unreadable in report.unreadable:
        click.echo(harmless(f"skipped {unreadable.where}: {unreadable.why}"), err=True)
