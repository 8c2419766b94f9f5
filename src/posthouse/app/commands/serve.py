"""``posthouse serve``: the server, in the foreground."""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from posthouse import __version__
from posthouse.app import config as configuration
from posthouse.app.console import data_option
from posthouse.app.doors import IMPLICIT_TLS
from posthouse.app.ownership import as_owner, server_user
from posthouse.model.errors import ConfigurationError
from posthouse.runtime.binding import ListenerSpec
from posthouse.runtime.clock import SystemClock
from posthouse.runtime.logs import Log, LogWriter
from posthouse.runtime.metrics import Metrics
from posthouse.runtime.supervisor import Plan, Supervisor
from posthouse.runtime.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from posthouse.app.config import Config


@click.command()
@data_option
@click.option(
    "--workers",
    type=click.IntRange(0, 64),
    default=None,
    help="Worker processes; 0: one for every two cores.",
)
def serve(data: Path, workers: int | None) -> None:
    """Serve until SIGTERM. Prints one line of JSON when ready."""
    config = configuration.load(data)
    count = (workers if workers is not None else config.workers) or usual_workers()
    sys.exit(run(config, count))


def usual_workers() -> int:
    """One for every two cores: the rest is for disk, TLS and the other processes (ADR 5)."""
    return max(1, (os.cpu_count() or 1) // 2)


def run(config: Config, workers: int) -> int:
    """Bind, fork, watch; the exit status.

    Raises:
        ConfigurationError: an address, the certificate or the user is wrong. Nothing was started.
    """
    from posthouse.app.roles import Roles

    _raise_descriptor_limit()
    clock = SystemClock()
    listeners = tuple(
        ListenerSpec(
            door, host, port, door in IMPLICIT_TLS, f"{configuration.FILE_NAME}: listen.{door}"
        )
        for door, addresses in config.listeners().items()
        if door != "admin"
        for host, port in addresses
    )
    try:
        tls = server_context(config.certificate_path, config.key_path)
    except OSError as e:
        raise ConfigurationError(
            f"{config.certificate_path}: {e}; see [tls] in {configuration.FILE_NAME}"
        ) from e
    metrics = Metrics(workers + 2)
    with as_owner(config.data):
        writer = LogWriter(_log_descriptor(config), metrics)
    log = Log(writer, clock)
    roles = Roles(config, workers, tls, log, writer, metrics)
    user = config.user or server_user(config.data)
    plan = Plan(listeners, workers, roles.worker, roles.jobs, user)
    return Supervisor(plan, log, metrics, clock, _say_ready).run()


def _raise_descriptor_limit() -> None:
    """A connection is a descriptor: take all that we are allowed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _log_descriptor(config: Config) -> int:
    if not config.log.file:
        return 2
    path = config.data / config.log.file
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise ConfigurationError(f"log.file: {path}: {e.strerror}") from None


def _say_ready(listening: Sequence[tuple[str, str, int]]) -> None:
    ports: dict[str, list[str | int]] = {}
    for name, host, port in listening:
        ports.setdefault(name, [host, port])
    line = {"ready": True, "version": __version__, "pid": os.getpid(), "ports": ports}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
