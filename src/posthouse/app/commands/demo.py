"""``posthouse demo``: two people, real mail, two devices, on loopback, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from poplib import error_proto
from typing import TYPE_CHECKING

import click

from posthouse.app import config as configuration
from posthouse.app import demonstration
from posthouse.app.commands.init import initialise
from posthouse.app.console import data_option
from posthouse.app.demonstration import ALICE, BOB, LAPTOP, PHONE, Kept, Play, Sights, address
from posthouse.model.errors import PosthouseError
from posthouse.runtime.privileges import die_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from posthouse.app.config import Config

LOG = "log/server.log"
STOP_S = 30
_LAST_WORDS_OCTETS = 65_536


class DemoFailed(PosthouseError):
    """The server did not start, stopped by itself, or did not do what it should."""


@click.command()
@data_option
def demo(data: Path) -> None:
    """Show in a minute what this is: mail on two devices, and nothing vanishes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        _run(data)
    except KeyboardInterrupt:
        click.echo("Stopped. Everything is kept; start it again with the same command.")


def _run(data: Path) -> None:
    is_new = not (data / configuration.FILE_NAME).exists()
    if is_new:
        initialise(data, "example.org", "mail.example.org", "loopback")
    config = configuration.load(data)
    for door in ("smtp", "submission", "submissions", "pop3", "pop3s"):
        address(config, door)
    kept = demonstration.read_kept(data)
    was_played = kept.is_played
    demonstration.people(data, kept)
    with _server(config) as server:
        try:
            sights = Play(config, kept, partial(demonstration.write_kept, data, kept)).run()
        except (OSError, smtplib.SMTPException, error_proto) as e:
            raise DemoFailed(f"the server did not do as it should: {e}; see {data / LOG}") from e
        _tell_story(data, sights, was_played=was_played)
        _tell_connecting(config, kept)
        code = server.wait()
    raise DemoFailed(f"the server stopped by itself (status {code}); see {data / LOG}")


@contextmanager
def _server(config: Config) -> Iterator[subprocess.Popen[str]]:
    """The server as a child; stopped cleanly at the end, whatever the end is."""
    words = ("serve", "--data", str(config.data), "--workers", str(config.workers or 1))
    with (config.data / LOG).open("ab") as log:
        begin = log.tell()
        server = subprocess.Popen(  # noqa: S603  our own command line
            [sys.executable, "-m", "posthouse", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # The terminal's Ctrl-C is ours: the server hears of it once, from us.
            start_new_session=True,
            preexec_fn=partial(die_with, os.getpid()),
        )
    with server:
        try:
            _await_ready(server, config.data, begin)
            yield server
        finally:
            _stop(server)


def _await_ready(server: subprocess.Popen[str], data: Path, begin: int) -> None:
    line = server.stdout.readline() if server.stdout else ""
    if line and json.loads(line).get("ready"):
        return
    server.wait()
    with (data / LOG).open("rb") as file:
        file.seek(begin)
        said = file.read(_LAST_WORDS_OCTETS).decode("utf-8", "replace").splitlines()
    # What is no JSON was not logged but said, to whoever started it.
    reasons = [words.removeprefix("posthouse: ") for words in said if words[:1] not in ("{", "")]
    why = reasons[-1] if reasons else f"see {data / LOG}"
    raise DemoFailed(f"the server of {data} does not start: {why}")


def _stop(server: subprocess.Popen[str]) -> None:
    """Let it drain; whoever is in a hurry says Ctrl-C again."""
    server.terminate()
    try:
        server.wait(STOP_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        server.kill()


def _tell_story(data: Path, sights: Sights, *, was_played: bool) -> None:
    bold = partial(click.style, bold=True)
    if was_played:
        click.echo(f"The demo in {data} runs again, as it was left; no mail was sent twice.")
        click.echo(
            f"The Phone, which deleted everything, sees {sights.phone} messages; the Laptop sees"
            f" {sights.laptop}; Bob's Sent Items hold {sights.bobs_sent}."
        )
        return
    click.echo(f"The demo runs in {data}, for example.org. What happened, all of it over TLS:")
    click.echo("  Two letters came for Alice from outside, one with an attached table.")
    click.echo("  Alice wrote to Bob from her Laptop, and Bob answered.")
    click.echo(
        f"  Alice's Phone fetched {sights.phone_before} messages by POP3 and deleted every one;"
        f" it sees {sights.phone} now."
    )
    click.echo(bold(f"  Alice's Laptop still sees all {sights.laptop}: nothing vanished."))
    click.echo(
        bold(f"  Bob's answer lies in his Sent Items ({sights.bobs_sent}): the server kept it.")
    )


def _tell_connecting(config: Config, kept: Kept) -> None:
    data, passwords = config.data, kept.passwords
    host, pop3s = address(config, "pop3s")
    ports = {door: address(config, door)[1] for door in configuration.STANDARD_PORTS}
    shown_host = f"[{host}]" if ":" in host else host
    authority = data / "tls" / "ca.pem"
    curl = f"curl -sS --cacert {authority}"
    letter = f"printf 'From: {BOB}\\nTo: {ALICE}\\nSubject: Hello\\n\\nHello from curl.\\n'"
    lines = [
        "",
        f"Connect any mail client to {host}; let it trust the authority in {authority}",
        f"  receive    POP3S {pop3s}, or POP3 with STARTTLS {ports['pop3']}",
        f"  send       SMTPS {ports['submissions']}, or STARTTLS {ports['submission']}"
        f" (from outside: SMTP {ports['smtp']})",
        f"  phone      Exchange (ActiveSync), https {ports['https']}",
        "",
        f"  {'login':<22}{'device':<10}password",
        f"  {ALICE:<22}{'':<10}{passwords[ALICE]}",
        f"  {ALICE:<22}{PHONE:<10}{passwords[PHONE]}",
        f"  {ALICE:<22}{LAPTOP:<10}{passwords[LAPTOP]}",
        f"  {BOB:<22}{'':<10}{passwords[BOB]}",
        "",
        "Or from another terminal: what the Laptop sees, and a letter from Bob",
        f"  {curl} --user '{ALICE}:{passwords[LAPTOP]}' pop3s://{shown_host}:{pop3s}/",
        f"  {letter} | {curl} --user '{BOB}:{passwords[BOB]}' --mail-from {BOB}"
        f" --mail-rcpt {ALICE} --crlf -T - smtps://{shown_host}:{ports['submissions']}",
        "",
    ]
    admin = config.listeners().get("admin")
    if admin:
        lines.append(f"Figures: http://{admin[0][0]}:{admin[0][1]}/metrics")
    lines.append(f"Log: {data / LOG}. Ctrl-C stops the server; everything is kept.")
    click.echo("\n".join(lines))
