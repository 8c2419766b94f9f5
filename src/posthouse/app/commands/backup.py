"""``posthouse backup`` and ``posthouse restore``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posthouse import __version__
from posthouse.app.console import (
    data_option,
    harmless,
    json_option,
    opened,
    operator,
    show_json,
    size_from_bytes,
    time_from_ms,
)
from posthouse.app.ownership import as_owner
from posthouse.app.progress import progress
from posthouse.runtime.clock import SystemClock
from posthouse.services.upkeep.backup import Backup, BackupReport
from posthouse.services.upkeep.restore import Restore, RestoreReport, examine

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@data_option
@json_option
@click.argument("target", type=click.Path(path_type=Path))
def backup(data: Path, as_json: bool, target: Path) -> None:  # noqa: FBT001
    """Back up everything to TARGET while the server runs.

    TARGET is a directory of backups (each costs only what is new since the last) or a new .tar
    file. It holds mail, password hashes and keys: keep it as safe as the server.
    """
    from posthouse.app.wiring import backup_parts

    with opened(data) as house:
        source, check = backup_parts(data)
        with progress("Backing up", is_silent=as_json) as step:

            def tell(report: BackupReport) -> None:
                step(0, size_from_bytes(report.copied_bytes))

            made = Backup(data, source, check, __version__).make(target, house.clock.now_ms(), tell)
        house.audit.record("backup-made", by=house.people.actor, path=made.path)
    if as_json:
        show_json(
            {
                "path": made.path,
                "files": made.files,
                "bytes": made.total_bytes,
                "copied_bytes": made.copied_bytes,
                "problems": made.problems,
            }
        )
    else:
        total, copied = size_from_bytes(made.total_bytes), size_from_bytes(made.copied_bytes)
        click.echo(harmless(f"{made.path}: {made.files} files, {total} ({copied} new)"))
        _complain(made.problems)
    if made.problems:
        sys.exit(1)


@click.command()
@data_option
@json_option
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only check that the backup is whole.")
@click.option("--force", is_flag=True, help="Set aside what the data directory holds.")
def restore(
    data: Path,
    as_json: bool,  # noqa: FBT001
    source: Path,
    dry_run: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
) -> None:
    """Put the backup SOURCE (a directory, or a .tar) into an empty data directory.

    Of a directory of backups the newest is taken. Nothing changes unless the whole backup proves
    sound. Message ids that POP3 and IMAP clients know stay as they are.
    """
    from posthouse.app.wiring import backup_parts

    with progress("Checking" if dry_run else "Restoring", is_silent=as_json) as step:

        def tell(report: RestoreReport) -> None:
            step(0, size_from_bytes(report.total_bytes))

        if dry_run:
            report = examine(source, tell)
        else:
            now = SystemClock().now_ms()
            with as_owner(data):
                report = Restore(data, *backup_parts(data)).run(source, now, tell, is_forced=force)
    if not dry_run and not report.problems:
        with opened(data) as house:
            house.audit.record("backup-restored", by=operator(), path=report.path)
    _show(report, as_json=as_json, is_dry_run=dry_run)
    if report.problems:
        sys.exit(1)


def _show(report: RestoreReport, *, as_json: bool, is_dry_run: bool) -> None:
    if as_json:
        show_json(
            {
                "path": report.path,
                "made_at": time_from_ms(report.made_at),
                "files": report.files,
                "bytes": report.total_bytes,
                "problems": report.problems,
                "restored": not is_dry_run and not report.problems,
                "kept": report.kept,
            }
        )
        return
    size = size_from_bytes(report.total_bytes)
    verb = "is sound:" if is_dry_run else "restored:"
    if report.problems:
        click.echo(harmless(f"{report.path} is damaged; nothing was restored"), err=True)
    else:
        made_at = time_from_ms(report.made_at)
        click.echo(harmless(f"{report.path} {verb} {report.files} files, {size}, made {made_at}"))
    if report.kept:
        click.echo(harmless(f"what was there before is in {report.kept}"))
    _complain(report.problems)


def _complain(problems: Sequence[str]) -> None:
    for problem in problems:
        click.echo(harmless(problem), err=True)
