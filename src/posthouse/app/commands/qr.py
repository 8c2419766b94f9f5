"""``posthouse user qr``: an Apple profile to be scanned."""

from __future__ import annotations

from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from posthouse.app import console
from posthouse.model.errors import ConfigurationError
from posthouse.model.people import PrincipalKind

if TYPE_CHECKING:
    from segno import QRCode

    from posthouse.app.config import Config

_QUIET = 4
"""Modules left free around the code, as its standard asks."""
_HALVES = {(1, 1): "\u2588", (1, 0): "\u2580", (0, 1): "\u2584", (0, 0): " "}
"""Upper and lower module of a character; 1 is dark."""
_DARK_ON_LIGHT = "\x1b[38;5;16;48;5;231m{}\x1b[0m"


@click.command()
@console.data_option
@click.argument("address", type=console.AddressType())
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the code to a file, for paper or a web page.",
)
@console.json_option
def qr(data: Path, address: str, *, svg: Path | None, as_json: bool) -> None:
    """Show a code that sets ADDRESS up on an iPhone, iPad or Mac: scan it with the camera."""
    with console.opened(data) as house:
        principal = house.people.find(address, PrincipalKind.USER)
        url = profile_url(house.config, principal.address)
        is_local = house.config.profile == "loopback"
    code = _code(url)
    if svg is not None:
        _write(code, svg)
    if as_json:
        console.show_json({"address": principal.address, "url": url})
        return
    if svg is None:
        for line in _lines(code):
            click.echo(line)
    click.echo(url)
    click.echo("The device asks for the password: `posthouse device add` makes one for each.")
    if is_local:
        click.echo('Nobody but this machine reaches it: `profile` is "loopback".')


def profile_url(config: Config, address: str) -> str:
    """Where the profile of an address is fetched.

    Raises:
        ConfigurationError: nothing answers there.
    """
    # All doors come along: only who asks for a code shall wait for them.
    from posthouse.app.doors import announced
    from posthouse.protocols.autodiscover.server import PROFILE

    if "https" not in config.listeners():
        raise ConfigurationError("listen.https is closed: there is nowhere to fetch a profile from")
    return f"{announced(config).site}{PROFILE}?email={quote(address, safe='@')}"


def _code(url: str) -> QRCode:
    import segno

    return segno.make_qr(url, error="m")


def _lines(code: QRCode) -> list[str]:
    """Two rows of modules a line; colours are left out where nobody sees them."""
    rows = [list(row) for row in code.matrix_iter(border=_QUIET)]
    below: list[list[int]] = rows[1::2]
    lines = []
    for upper, lower in zip_longest(rows[::2], below, fillvalue=[0] * len(rows[0])):
        halves = (_HALVES[pair] for pair in zip(upper, lower, strict=True))
        lines.append(_DARK_ON_LIGHT.format("".join(halves)))
    return lines


def _write(code: QRCode, path: Path) -> None:
    out = BytesIO()
    code.save(out, kind="svg", scale=8, border=_QUIET, dark="#000", light="#fff")
    try:
        path.write_bytes(out.getvalue())
    except OSError as e:
        raise ConfigurationError(f"{path}: cannot be written: {e.strerror}") from e
