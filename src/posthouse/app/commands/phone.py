"""``posthouse phone``: telephones and tablets that synchronise by ActiveSync."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from posthouse.app import console
from posthouse.app.devices import device_rules
from posthouse.model.batch import Batch, Commit, DropSyncStates
from posthouse.model.partnership import DeviceAccess, Partnership, Wipe
from posthouse.model.people import PrincipalKind
from posthouse.services.devices.phones import Phones
from posthouse.services.devices.policies import must_take_policy, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from posthouse.app.wiring import House
    from posthouse.model.people import Principal
    from posthouse.services.devices.policies import DeviceRules

ADDRESS = console.AddressType()
LISTED = {
    "address": "Address",
    "id": "Id",
    "name": "Phone",
    "os": "System",
    "last_seen_at": "Last seen",
    "state": "State",
}
SHOWN = {
    "address": "Address",
    "id": "Id",
    "name": "Phone",
    "type": "Type",
    "os": "System",
    "os_language": "Language",
    "user_agent": "Program",
    "version": "ActiveSync",
    "phone_number": "Number",
    "mobile_operator": "Operator",
    "imei": "IMEI",
    "password": "Password",
    "first_seen_at": "First seen",
    "last_seen_at": "Last seen",
    "last_host": "From",
    "policy": "Policy",
    "state": "State",
    "wipe_at": "Wipe since",
}
_STATES = {
    DeviceAccess.ALLOWED: "",
    DeviceAccess.BLOCKED: "blocked",
    DeviceAccess.QUARANTINED: "waits for `posthouse phone allow`",
}
_WIPES = {
    Wipe.REQUESTED: "will be wiped when it comes next",
    Wipe.SENT: "was told to wipe itself",
    Wipe.DONE: "wiped",
}


@click.group()
def phone() -> None:
    """Telephones that synchronise: let them in, shut them out, wipe a lost one."""


@contextmanager
def _opened(data: Path) -> Iterator[tuple[House, Phones]]:
    with console.opened(data) as house:
        yield house, Phones(house.directory, house.audit, house.clock, house.people.actor)


@phone.command("list")
@console.data_option
@click.argument("address", type=ADDRESS, required=False)
@console.json_option
def list_(data: Path, address: str | None, *, as_json: bool) -> None:
    """List phones, all of them or those of ADDRESS."""
    with _opened(data) as (house, phones):
        principal = house.people.find(address, PrincipalKind.USER) if address else None
        rules = device_rules(house.config)
        rows = [
            _row(house.directory.principal(found.principal_id), found, rules)
            for found in phones.of(principal)
        ]
    rows.sort(key=lambda row: str(row["address"]))
    console.show_rows(LISTED, rows, as_json=as_json)


@phone.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("eas_id", metavar="ID")
@console.json_option
def show(data: Path, address: str, eas_id: str, *, as_json: bool) -> None:
    """Show all that is known of the phone ID of ADDRESS."""
    with _opened(data) as (house, phones):
        principal = house.people.find(address, PrincipalKind.USER)
        found = phones.find(principal, eas_id)
        value = _row(principal, found, device_rules(house.config))
        devices = house.people.devices(principal)
    labels = {device.device_id: device.label for device in devices}
    own = "" if found.password_device_id else "the person's own"
    value["password"] = labels.get(found.password_device_id, own)
    console.show_fields(SHOWN, value, as_json=as_json)


@phone.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("eas_id", metavar="ID")
@console.json_option
def allow(data: Path, address: str, eas_id: str, *, as_json: bool) -> None:
    """Let the phone ID of ADDRESS in; a wipe that it has not done is taken back."""
    _set_access(data, address, eas_id, DeviceAccess.ALLOWED, as_json=as_json)


@phone.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("eas_id", metavar="ID")
@console.json_option
def block(data: Path, address: str, eas_id: str, *, as_json: bool) -> None:
    """Shut the phone ID of ADDRESS out; what it holds already stays on it."""
    _set_access(data, address, eas_id, DeviceAccess.BLOCKED, as_json=as_json)


@phone.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("eas_id", metavar="ID")
@console.json_option
def quarantine(data: Path, address: str, eas_id: str, *, as_json: bool) -> None:
    """Keep the phone ID of ADDRESS waiting until you allow or block it."""
    _set_access(data, address, eas_id, DeviceAccess.QUARANTINED, as_json=as_json)


def _set_access(
    data: Path, address: str, eas_id: str, access: DeviceAccess, *, as_json: bool
) -> None:
    with _opened(data) as (house, phones):
        principal = house.people.find(address, PrincipalKind.USER)
        kept = phones.set_access(principal, eas_id, access)
        value = _row(principal, kept, device_rules(house.config))
    sentence = f"{kept.eas_id} of {principal.address}: {access.name.lower()}."
    console.say(sentence, value, as_json=as_json)


@phone.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("eas_id", metavar="ID")
@click.option(
    "--whole-device", is_flag=True, help="Erase everything on it, not only mail and calendar."
)
@console.yes_option
@console.json_option
def wipe(
    data: Path, address: str, eas_id: str, *, whole_device: bool, yes: bool, as_json: bool
) -> None:
    """Tell the phone ID of ADDRESS to erase this account, when it comes next.

    It must still be able to log in to hear of it: revoke its device password only when `phone
    list` says that it is wiped.
    """
    with _opened(data) as (house, phones):
        principal = house.people.find(address, PrincipalKind.USER)
        found = phones.find(principal, eas_id)
        what = "EVERYTHING on it" if whole_device else "this account on it"
        called = f"{_name(found)} ({found.eas_id})" if _name(found) else found.eas_id
        question = console.harmless(f"Erase {what}: {called} of {principal.address}?")
        console.confirm(question, is_sure=yes)
        kept = phones.wipe(principal, eas_id, whole_device=whole_device)
        value = _row(principal, kept, device_rules(house.config))
    sentence = (
        f"{kept.eas_id} of {principal.address} will erase {what} when it comes next.\n"
        f"`posthouse phone show {principal.address} {kept.eas_id}` tells whether it has."
        " Leave its password as it is until then."
    )
    console.say(sentence, value, as_json=as_json)


@phone.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument("eas_id", metavar="ID")
@console.yes_option
@console.json_option
def forget(data: Path, address: str, eas_id: str, *, yes: bool, as_json: bool) -> None:
    """Forget the phone ID of ADDRESS; if it comes again, it is a new one."""
    with _opened(data) as (house, phones):
        principal = house.people.find(address, PrincipalKind.USER)
        found = phones.find(principal, eas_id)
        if found.wipe in (Wipe.REQUESTED, Wipe.SENT):
            console.confirm(
                f"{found.eas_id} is not wiped yet, and would come in again. Forget it?",
                is_sure=yes,
            )
        phones.forget(principal, found.eas_id)
        states = Batch(principal.mailbox_id, (DropSyncStates(found.device_number),))
        house.run(house.store.apply(Commit((states,))))
    value = {"address": principal.address, "id": found.eas_id, "forgotten": True}
    console.say(f"Forgot {found.eas_id} of {principal.address}.", value, as_json=as_json)


def _row(principal: Principal, found: Partnership, rules: DeviceRules) -> dict[str, object]:
    """A phone as it is listed."""
    return {
        "address": principal.address,
        "id": found.eas_id,
        "name": _name(found),
        "type": found.device_type,
        "model": found.model,
        "friendly_name": found.friendly_name,
        "os": found.os,
        "os_language": found.os_language,
        "user_agent": found.user_agent,
        "version": f"{found.version / 10:.1f}" if found.version else "",
        "phone_number": found.phone_number,
        "mobile_operator": found.mobile_operator,
        "imei": found.imei,
        "first_seen_at": console.time_from_ms(found.first_seen_at),
        "last_seen_at": console.time_from_ms(found.last_seen_at),
        "last_host": found.last_host,
        "access": found.access.name.lower(),
        "policy": _policy(found, rules),
        "wipe": found.wipe.name.lower(),
        "wipes_device": found.wipes_device,
        "wipe_at": console.time_from_ms(found.wipe_at) if found.wipe else None,
        "state": _WIPES.get(found.wipe, _STATES[found.access]),
    }


def _name(found: Partnership) -> str:
    """What its owner would call it."""
    return found.friendly_name or found.model or found.device_type


def _policy(found: Partnership, rules: DeviceRules) -> str:
    if not found.policy_key:
        return "not taken" if must_take_policy(rules) else "none"
    return "taken" if found.policy_version == version_of(rules.policy) else "an older one"
