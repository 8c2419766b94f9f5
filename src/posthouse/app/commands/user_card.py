"""``posthouse user details`` and ``user photo``: what the address book shows of somebody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from posthouse.app import console

if TYPE_CHECKING:
    from posthouse.model.book import Details

ADDRESS = console.AddressType()
FIELDS = {
    "first-name": "first_name",
    "last-name": "last_name",
    "title": "title",
    "company": "company",
    "department": "department",
    "office": "office",
    "phone": "phone",
    "mobile-phone": "mobile_phone",
    "home-phone": "home_phone",
    "alias": "alias",
    "hidden": "is_hidden",
}
"""What people type -> field of ``Details``."""
HEADINGS = {
    "address": "Address",
    "first_name": "First name",
    "last_name": "Last name",
    "title": "Title",
    "company": "Company",
    "department": "Department",
    "office": "Office",
    "phone": "Phone",
    "mobile_phone": "Mobile phone",
    "home_phone": "Home phone",
    "alias": "Alias",
    "is_hidden": "Hidden",
}
_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}


class _Change(click.ParamType[tuple[str, str | bool]]):
    """``phone=+49 30 1234``; the value is the field and what it becomes."""

    name = "key=value"

    def convert(
        self,
        value: str | tuple[str, str | bool],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, str | bool]:
        """Refuse what is no field."""
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        field = FIELDS.get(key.strip().casefold().replace("_", "-"))
        if not equals or field is None:
            self.fail(f"write it as KEY=VALUE, with one of {', '.join(FIELDS)}", param, ctx)
        text = text.strip()
        if field != "is_hidden":
            return field, text
        if text.casefold() not in _TRUTH:
            self.fail("hidden is yes or no", param, ctx)
        return field, _TRUTH[text.casefold()]


@click.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.option(
    "--set",
    "changes",
    type=_Change(),
    multiple=True,
    metavar="KEY=VALUE",
    help=f"Change one of {', '.join(FIELDS)}; an empty value takes it away.",
)
@console.json_option
def details(
    data: Path, address: str, *, changes: tuple[tuple[str, str | bool], ...], as_json: bool
) -> None:
    """Show or change what the address book says of ADDRESS: phones, title, office and so on."""
    with console.opened(data) as house:
        principal = house.people.find(address)
        known = house.people.details(principal)
        if changes:
            known = house.people.change_details(principal, dict(changes))
    console.show_fields(HEADINGS, _shown(principal.address, known), as_json=as_json)


def _shown(address: str, known: Details) -> dict[str, object]:
    return {"address": address} | asdict(known)


@click.command()
@console.data_option
@click.argument("address", type=ADDRESS)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--remove", is_flag=True, help="Take the photo away.")
@console.json_option
def photo(data: Path, address: str, file: Path | None, *, remove: bool, as_json: bool) -> None:
    """Give ADDRESS the photo in FILE (JPEG or PNG, at most 500 KiB), or tell of the one there is.

    It is kept as it is; nothing is scaled down.
    """
    if remove and file:
        raise click.UsageError("FILE and --remove contradict each other")
    picture = file.read_bytes() if file else None
    with console.opened(data) as house:
        principal = house.people.find(address)
        if picture is not None or remove:
            house.people.set_photo(principal, picture)
        kept = house.directory.photo(principal.principal_id)
    value = {
        "address": principal.address,
        "media_type": kept.media_type if kept else None,
        "size_bytes": len(kept.data) if kept else 0,
        "changed_at": console.time_from_ms(kept.changed_at) if kept else None,
    }
    what = f"a photo ({kept.media_type}, {len(kept.data)} bytes)" if kept else "no photo"
    console.say(f"{principal.address} has {what}.", value, as_json=as_json)
