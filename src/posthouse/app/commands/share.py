"""``posthouse share``: who may open somebody's mailbox, and send as whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.commands.user import ADDRESS, OWNERS
from posthouse.model.rights import Rights
from posthouse.services.sharing.grants import LEVELS, SENDING, Grants, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from posthouse.app.wiring import House
    from posthouse.services.sharing.grants import Share

COLUMNS = {"to": "To", "name": "Name", "rights": "May", "where": "Where"}


_folder_option = click.option(
    "--folder", default="", metavar="NAME_OR_PATH", help="Only this folder, not those below it."
)


@click.group()
def share() -> None:
    """Who may open somebody's mailbox, and send as whom."""


@share.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--to", "grantee", type=ADDRESS, required=True, help="A person, or a group.")
@click.option(
    "--rights",
    "level",
    type=click.Choice(list(LEVELS)),
    help="reviewer reads; editor also writes and deletes; owner may do everything; free-busy"
    " sees the calendar's subjects and places (when somebody is busy, all can see).",
)
@_folder_option
@click.option("--send-as", is_flag=True, help="Send as ADDRESS, without a trace of who did.")
@click.option("--send-on-behalf", is_flag=True, help="Send for ADDRESS, named as the sender.")
@console.json_option
def grant(  # noqa: PLR0913 - one per option
    data: Path,
    address: str,
    *,
    grantee: str,
    level: str | None,
    folder: str,
    send_as: bool,
    send_on_behalf: bool,
    as_json: bool,
) -> None:
    """Let somebody open the mailbox ADDRESS, all of it or one folder, or send as ADDRESS."""
    send = _sending(send_as=send_as, send_on_behalf=send_on_behalf)
    if not level and not send:
        raise click.UsageError("say what: --rights, --send-as or --send-on-behalf")
    if folder and not level:
        raise click.UsageError("--folder goes with --rights")
    with console.opened(data) as house:
        owner, to = house.people.find(address), house.people.find(grantee)
        granting = _grants(house).grant(owner, to, Wish(level or "", folder, send))
        done = house.run(granting)
    sentence = f"{to.address} now has on {owner.address}: {_in_words(done)}."
    value = {"address": owner.address, "to": to.address, "granted": _rows(done)}
    console.say(sentence, value, as_json=as_json)


@share.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--from", "--to", "grantee", type=ADDRESS, required=True, help="The person or group.")
@_folder_option
@click.option("--send-as", is_flag=True, help="Only sending as ADDRESS.")
@click.option("--send-on-behalf", is_flag=True, help="Only sending on behalf of ADDRESS.")
@console.json_option
def revoke(  # noqa: PLR0913 - one per option
    data: Path,
    address: str,
    *,
    grantee: str,
    folder: str,
    send_as: bool,
    send_on_behalf: bool,
    as_json: bool,
) -> None:
    """Take back what somebody was granted on ADDRESS: everything, or what the options say."""
    send = _sending(send_as=send_as, send_on_behalf=send_on_behalf)
    with console.opened(data) as house:
        owner, to = house.people.find(address), house.people.find(grantee)
        done = house.run(_grants(house).revoke(owner, to, Wish(folder=folder, send=send)))
    sentence = f"{to.address} has lost on {owner.address}: {_in_words(done)}."
    value = {"address": owner.address, "to": to.address, "revoked": _rows(done)}
    console.say(sentence, value, as_json=as_json)


@share.command("list")
@console.data_option
@click.argument("address", type=ADDRESS)
@console.json_option
def list_(data: Path, address: str, *, as_json: bool) -> None:
    """List who may do what with the mailbox and the address ADDRESS."""
    with console.opened(data) as house:
        owner = house.people.find(address)
        rows = _rows(house.run(_grants(house).listed(owner)))
    if not as_json:
        rows = [row | {"where": _where(row)} for row in rows]
    console.show_rows(COLUMNS, rows, as_json=as_json)


@share.command("keep-sent")
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("wanted", metavar="yes|no", type=click.BOOL)
@console.json_option
def keep_sent(data: Path, address: str, *, wanted: bool, as_json: bool) -> None:
    """File what others send in the name of ADDRESS in its Sent Items, too, or do not.

    Shared mailboxes do so unless told otherwise, people's do not.
    """
    with console.opened(data) as house:
        owner = house.people.find(address, *OWNERS)
        house.run(house.people.set_keeps_sent(owner, keeps_sent=wanted))
    word = "keeps" if wanted else "does not keep"
    sentence = f"{owner.address} {word} a copy of what others send in its name."
    value = {"address": owner.address, "keeps_sent": wanted}
    console.say(sentence, value, as_json=as_json)


def _grants(house: House) -> Grants:
    grants = Grants(house.store, house.directory, house.audit)
    grants.actor = house.people.actor
    return grants


def _sending(*, send_as: bool, send_on_behalf: bool) -> Rights:
    return (Rights.SEND_AS if send_as else Rights.NONE) | (
        Rights.SEND_ON_BEHALF if send_on_behalf else Rights.NONE
    )


def _rows(shares: Sequence[Share]) -> list[dict[str, object]]:
    return [
        {
            "to": one.grantee.address,
            "name": one.grantee.name,
            "rights": one.rights,
            "folder": one.folder or None,
        }
        for one in shares
    ]


def _where(row: dict[str, object]) -> object:
    return "" if row["rights"] in SENDING else row["folder"] or "all folders"


def _in_words(shares: Sequence[Share]) -> str:
    rows = _rows(shares)
    words = (f"{row['rights']} ({_where(row)})" if _where(row) else row["rights"] for row in rows)
    return ", ".join(map(str, words))
