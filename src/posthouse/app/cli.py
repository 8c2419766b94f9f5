"""The command line: one group, one file per noun."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from posthouse import __version__
from posthouse.model.errors import PosthouseError

COMMANDS = {
    "init": "posthouse.app.commands.init",
    "serve": "posthouse.app.commands.serve",
    "demo": "posthouse.app.commands.demo",
    "ports": "posthouse.app.commands.ports",
    "domain": "posthouse.app.commands.domain",
    "user": "posthouse.app.commands.user",
    "alias": "posthouse.app.commands.alias",
    "group": "posthouse.app.commands.group",
    "room": "posthouse.app.commands.room",
    "shared": "posthouse.app.commands.shared",
    "share": "posthouse.app.commands.share",
    "device": "posthouse.app.commands.device",
    "phone": "posthouse.app.commands.phone",
    "out-of-office": "posthouse.app.commands.ooo",
    "import": "posthouse.app.commands.import_mail",
    "export": "posthouse.app.commands.export_mail",
    "queue": "posthouse.app.commands.queue",
    "doctor": "posthouse.app.commands.doctor",
    "verify": "posthouse.app.commands.verify",
    "backup": "posthouse.app.commands.backup",
    "restore": "posthouse.app.commands.backup",
}
"""Command -> module; the module has a click command of that name ("import" is ``import_``)."""


class _Lazy(click.Group):
    """Imports a module only when it is asked for: ``ports`` need not load the mail flow."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(COMMANDS[cmd_name])
        name = f"{cmd_name}_" if cmd_name == "import" else cmd_name.replace("-", "_")
        command: click.Command = getattr(module, name)
        return command


@click.group(cls=_Lazy)
@click.version_option(__version__, prog_name="posthouse")
def posthouse() -> None:
    """Posthouse: one store, many doors. Mail that stays, on every device."""


def main() -> None:
    """Run a command; an error is one sentence on standard error and exit status 1."""
    os.umask(0o077)  # what we write is nobody else's business
    try:
        posthouse(prog_name="posthouse")
    except PosthouseError as e:
        click.echo(f"posthouse: {e or type(e).__name__}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
