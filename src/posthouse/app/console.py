"""What commands share: the data directory, reading passwords, tables and JSON.

Notes:
    - With ``--json`` a command prints one JSON value on one line and nothing else.
    - Otherwise a table, drawn by rich on a terminal and aligned plain text in a pipe.
    - A wrong argument ends with status 2, any other failure with 1 and one sentence on standard
      error; errors of the house pass through here and are printed by ``cli.main``.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from posthouse.model.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from posthouse.app.wiring import House

LINE_OCTETS_MAX = 4096
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?b)?", re.IGNORECASE | re.ASCII)

Shown = str | int | bool | tuple[str, ...] | None

data_option = click.option(
    "--data",
    envvar="POSTHOUSE_DATA",
    required=True,
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="Data directory, made by `posthouse init`.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from one line of standard input."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@contextmanager
def opened(data: Path) -> Iterator[House]:
    """The house in a data directory, with the operator's name for the audit log."""
    # Loaded only here: `--help` and wrong arguments need none of the house.
    from posthouse.app.wiring import open_house

    with open_house(data) as house:
        house.people.actor = operator()
        yield house


def operator() -> str:
    """Who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


class AddressType(click.ParamType[str]):
    """A mail address; the value is as typed, less blanks around it."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is no address."""
        try:
            Address.parse(value.strip())
        except ValueError:
            self.fail(f"{value!r} is no mail address; write it as name@example.org", param, ctx)
        return value.strip()


class SizeType(click.ParamType[int]):
    """A number of bytes: "500 MB", "5GiB", "0" or "none"."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Units are powers of 1024, however they are spelled."""
        if isinstance(value, int):
            return value
        text = value.strip()
        if text.casefold() == "none":
            return 0
        match = _SIZE.fullmatch(text)
        if match is None:
            self.fail(f"{value!r} is no size; write it as 500MiB, 5GiB or none", param, ctx)
        return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))


def read_password(*, from_stdin: bool) -> str:
    """A new password: from a pipe by wish, else asked for twice.

    Raises:
        click.UsageError: there is nobody to ask.
    """
    if from_stdin:
        raw_line = sys.stdin.buffer.readline(LINE_OCTETS_MAX + 1)
        try:
            password = raw_line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.UsageError("the password on standard input is not UTF-8") from None
        if not password or len(raw_line) > LINE_OCTETS_MAX:
            raise click.UsageError("standard input holds no password (one line, not empty)")
        return password
    if not sys.stdin.isatty():
        raise click.UsageError(
            "no password given, and nobody to ask: add --password-stdin and write it to standard"
            " input, as in `printf '%s\\n' \"$PASSWORD\" | posthouse user ...`"
        )
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return str(password)


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask before something that cannot be undone.

    Raises:
        click.UsageError: there is nobody to ask.
        click.Abort: the answer was no.
    """
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("this cannot be undone; add --yes to do it without being asked")
    click.confirm(question, abort=True, err=True)


def say(sentence: str, value: Mapping[str, object], *, as_json: bool) -> None:
    """Tell what was done: a sentence, or the value with ``--json``."""
    if as_json:
        show_json(value)
    else:
        click.echo(harmless(sentence))


def show_json(value: object) -> None:
    """Print one JSON value on one line."""
    click.echo(msgspec.json.encode(value).decode())


def show_rows(
    columns: Mapping[str, str], rows: Sequence[Mapping[str, object]], *, as_json: bool
) -> None:
    """Print a list.

    Args:
        columns: key -> heading, of what a table shows.
        rows: all keys go into the JSON.
        as_json: whether it was asked for.
    """
    if as_json:
        show_json(rows)
        return
    cells = [[shown(row[key]) for key in columns] for row in rows]
    if sys.stdout.isatty():
        _draw(list(columns.values()), cells)
        return
    lines = [list(columns.values()), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def show_fields(headings: Mapping[str, str], value: Mapping[str, object], *, as_json: bool) -> None:
    """Print one thing: a line per heading, or the whole value with ``--json``."""
    if as_json:
        show_json(value)
        return
    width = max(map(len, headings.values()))
    for key, heading in headings.items():
        text = shown(value[key])
        if text:
            click.echo(f"{heading.ljust(width)}  {text}")


def shown(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value))
    return "" if value is None else harmless(str(value))


def harmless(text: str) -> str:
    """Without characters that would play tricks on a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def time_from_ms(at_ms: int) -> str | None:
    """An instant as text, UTC; None for 0 (never)."""
    if not at_ms:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size_from_bytes(size_bytes: int) -> str:
    """A size as people read it."""
    amount = float(size_bytes)
    for unit in _UNITS[:-1]:
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} {_UNITS[-1]}"


def _draw(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in cells:
        table.add_row(*map(Text, line))
    Console().print(table)
