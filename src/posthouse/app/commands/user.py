"""``posthouse user``: people and shared mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from posthouse.app import console
from posthouse.app.commands.qr import qr
from posthouse.app.commands.user_card import details, photo
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from pathlib import Path

    from posthouse.app.wiring import House
    from posthouse.model.people import Device, Principal
    from posthouse.services.directory.people import Overview

ADDRESS = console.AddressType()
SIZE = console.SizeType()
OWNERS = (PrincipalKind.USER, PrincipalKind.SHARED, PrincipalKind.ROOM)
LISTED = {"address": "Address", "name": "Name", "kind": "Kind", "state": "State"}
SHOWN = {
    "address": "Address",
    "name": "Name",
    "kind": "Kind",
    "state": "State",
    "aliases": "Aliases",
    "forwarding": "Forwarding",
    "mailbox": "Mailbox",
    "pop_delete": "POP3 delete",
    "pop_folders": "POP3 folders",
    "password": "Password",
}
DEVICES = {
    "label": "Device",
    "created_at": "Made",
    "last_used_at": "Last used",
    "last_used_for": "For",
    "scope": "Opens",
}


@click.group()
def user() -> None:
    """People and shared mailboxes."""


user.add_command(qr)
user.add_command(details)
user.add_command(photo)


class NewUser(TypedDict):
    """Options of ``user add``."""

    name: str
    quota: int | None
    password_stdin: bool
    no_password: bool
    shared: bool


@user.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--name", default="", help="Name shown to people.")
@click.option("--quota", type=SIZE, help="Limit of the mailbox, such as 5GiB; or none.")
@console.password_option
@click.option("--no-password", is_flag=True, help="Only device passwords shall come in.")
@click.option("--shared", is_flag=True, help="A mailbox for several people; it has no login.")
@console.json_option
def add(data: Path, address: str, *, as_json: bool, **options: Unpack[NewUser]) -> None:
    """Add a person ADDRESS with a mailbox."""
    if options["password_stdin"] and (options["no_password"] or options["shared"]):
        raise click.UsageError("--password-stdin goes with neither --no-password nor --shared")
    password = None
    if not options["no_password"] and not options["shared"]:
        password = console.read_password(from_stdin=options["password_stdin"])
    kind = PrincipalKind.SHARED if options["shared"] else PrincipalKind.USER
    with console.opened(data) as house:
        quota = options["quota"]
        if quota is None:
            quota = house.config.store.default_quota
        made = house.run(
            house.people.add(kind, address, options["name"], password, quota_bytes=quota)
        )
    console.say(f"Added {made.address}.", _listed(made), as_json=as_json)


@user.command("list")
@console.data_option
@console.json_option
def list_(data: Path, *, as_json: bool) -> None:
    """List people and shared mailboxes."""
    with console.opened(data) as house:
        found = house.people.all_of(PrincipalKind.USER, PrincipalKind.SHARED)
        rows = [_listed(principal) for principal in found]
    console.show_rows(LISTED, rows, as_json=as_json)


@user.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.json_option
def show(data: Path, address: str, *, as_json: bool) -> None:
    """Show all about ADDRESS: mailbox, quota, devices and their last use."""
    with console.opened(data) as house:
        principal = house.people.find(address, *OWNERS)
        overview = house.run(house.people.overview(principal))
        pop_delete, pop_folders = house.people.pop_policy(overview.mailbox)
    value = _whole(overview)
    value |= {"pop_delete": pop_delete, "pop_folders": pop_folders}
    if as_json:
        console.show_json(value)
        return
    console.show_fields(SHOWN, value | _in_words(overview), as_json=False)
    if overview.devices:
        click.echo()
        console.show_rows(DEVICES, [device_row(d) for d in overview.devices], as_json=False)


@user.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.password_option
@console.json_option
def passwd(data: Path, address: str, *, password_stdin: bool, as_json: bool) -> None:
    """Set the password of ADDRESS; sessions that used the old one end."""
    password = console.read_password(from_stdin=password_stdin)
    with console.opened(data) as house:
        principal = house.people.find(address, PrincipalKind.USER)
        house.people.set_password(principal, password)
    sentence = f"The password of {principal.address} is changed."
    console.say(sentence, {"address": principal.address}, as_json=as_json)


class Changes(TypedDict):
    """Options of ``user set``; None and () leave as it is."""

    name: str | None
    quota: int | None
    pop_delete: str | None
    pop_folders: str | None
    forward_to: tuple[str, ...]
    no_forward: bool
    keep_copy: bool | None


@user.command("set")
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option("--name", help="Name shown to people.")
@click.option("--quota", type=SIZE, help="Limit of the mailbox, such as 5GiB; or none.")
@click.option(
    "--pop-delete",
    type=click.Choice(["hide", "trash", "expunge"]),
    help="What POP3 DELE does: out of that device's sight, to Deleted Items, or gone.",
)
@click.option(
    "--pop-folders",
    metavar="A,B",
    help='Folders POP3 shows besides the inbox, such as "Sent Items,Projects"; "" none.',
)
@click.option(
    "--forward-to", type=ADDRESS, multiple=True, help="Send mail on to; may be given again."
)
@click.option("--no-forward", is_flag=True, help="Stop sending mail on.")
@click.option("--keep-copy/--no-keep-copy", default=None, help="Keep a copy of what is sent on.")
@console.json_option
def set_(data: Path, address: str, *, as_json: bool, **changes: Unpack[Changes]) -> None:
    """Change settings of ADDRESS; what is not given stays as it is."""
    if changes["no_forward"] and changes["forward_to"]:
        raise click.UsageError("--no-forward and --forward-to contradict each other")
    given = (value for key, value in changes.items() if key != "keep_copy")
    if changes["keep_copy"] is None and all(value in (None, (), False) for value in given):
        raise click.UsageError("nothing to change; see --help for what can be set")
    with console.opened(data) as house:
        principal = house.people.find(address, *OWNERS)
        changed = _change(house, principal, changes)
    console.say(f"Changed {changed.address}.", _listed(changed), as_json=as_json)


def _change(house: House, principal: Principal, changes: Changes) -> Principal:
    if changes["name"] is not None:
        principal = house.people.rename(principal, changes["name"])
    if changes["forward_to"] or changes["no_forward"] or changes["keep_copy"] is not None:
        targets = () if changes["no_forward"] else changes["forward_to"] or principal.forward_to
        keeps_copy = principal.keeps_copy if changes["keep_copy"] is None else changes["keep_copy"]
        principal = house.people.forward(principal, targets, keeps_copy=keeps_copy)
    if changes["quota"] is not None:
        house.run(house.people.set_quota(principal, changes["quota"]))
    if changes["pop_delete"] is not None or changes["pop_folders"] is not None:
        folders = None
        if changes["pop_folders"] is not None:
            names = (name.strip() for name in changes["pop_folders"].split(","))
            folders = tuple(name for name in names if name)
        delete = changes["pop_delete"] or ""
        house.run(house.people.set_pop_policy(principal, delete, folders))
    return principal


@user.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.json_option
def disable(data: Path, address: str, *, as_json: bool) -> None:
    """Shut ADDRESS out at once, with every device; mail still arrives."""
    _set_disabled(data, address, is_disabled=True, as_json=as_json)


@user.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.json_option
def enable(data: Path, address: str, *, as_json: bool) -> None:
    """Let ADDRESS in again."""
    _set_disabled(data, address, is_disabled=False, as_json=as_json)


def _set_disabled(data: Path, address: str, *, is_disabled: bool, as_json: bool) -> None:
    with console.opened(data) as house:
        principal = house.people.find(address, PrincipalKind.USER)
        changed = house.people.set_disabled(principal, is_disabled=is_disabled)
    word = "Disabled" if is_disabled else "Enabled"
    console.say(f"{word} {changed.address}.", _listed(changed), as_json=as_json)


@user.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@console.yes_option
@console.json_option
def remove(data: Path, address: str, *, yes: bool, as_json: bool) -> None:
    """Remove ADDRESS and its mailbox with all mail in it."""
    remove_principal(
        data, address, (PrincipalKind.USER, PrincipalKind.SHARED), yes=yes, as_json=as_json
    )


def remove_principal(
    data: Path, address: str, kinds: tuple[PrincipalKind, ...], *, yes: bool, as_json: bool
) -> None:
    """Ask, then remove."""
    with console.opened(data) as house:
        principal = house.people.find(address, *kinds)
        overview = house.run(house.people.overview(principal))
        mailbox = overview.mailbox
        loss = f" and its {mailbox.item_count} items for good" if mailbox else ""
        console.confirm(f"Remove {principal.address}{loss}?", is_sure=yes)
        house.run(house.people.remove(principal))
    sentence = f"Removed {principal.address}."
    console.say(sentence, {"address": principal.address, "removed": True}, as_json=as_json)


def _listed(principal: Principal) -> dict[str, object]:
    return {
        "address": principal.address,
        "name": principal.name,
        "kind": principal.kind.name.lower(),
        "is_disabled": principal.is_disabled,
        "state": "disabled" if principal.is_disabled else "",
    }


def _whole(overview: Overview) -> dict[str, object]:
    mailbox = overview.mailbox
    return _listed(overview.principal) | {
        "aliases": overview.aliases,
        "forward_to": overview.principal.forward_to,
        "keeps_copy": overview.principal.keeps_copy,
        "size_bytes": mailbox.size_bytes if mailbox else 0,
        "item_count": mailbox.item_count if mailbox else 0,
        "recoverable_bytes": mailbox.recoverable_bytes if mailbox else 0,
        "quota_bytes": mailbox.quota_bytes if mailbox else 0,
        "has_password": overview.has_password,
        "devices": [device_row(device) for device in overview.devices],
    }


def _in_words(overview: Overview) -> dict[str, object]:
    principal, mailbox = overview.principal, overview.mailbox
    forwarding = ""
    if principal.forward_to:
        copy = "keeping a copy" if principal.keeps_copy else "keeping none"
        forwarding = f"{', '.join(principal.forward_to)} ({copy})"
    size = "missing: remove this user again to finish its removal"
    if mailbox:
        quota = console.size_from_bytes(mailbox.quota_bytes) if mailbox.quota_bytes else "no quota"
        used = console.size_from_bytes(mailbox.size_bytes)
        size = f"{mailbox.item_count} items, {used} of {quota}"
    password = "yes" if overview.has_password else "none (device passwords only)"
    has_login = principal.kind is PrincipalKind.USER
    return {
        "forwarding": forwarding,
        "mailbox": size,
        "password": password if has_login else "",
    }


def device_row(device: Device) -> dict[str, object]:
    """A device as it is listed."""
    return {
        "label": device.label,
        "created_at": console.time_from_ms(device.created_at),
        "last_used_at": console.time_from_ms(device.last_used_at),
        "last_used_for": device.last_used_for,
        "scope": device.scope,
    }
