"""Restore: a data directory from a backup, and proving that a backup is whole.

Notes:
    Everything is written and checked in a directory of its own inside the data directory and moved
    into place at the end: a restore that fails leaves the data directory as it was. What was there
    before is kept beside (``before-restore-…``), never overwritten.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from posthouse.model.errors import AlreadyExists, ConfigurationError, Conflict, Unavailable
from posthouse.services.upkeep.backup import latest_backup, read_list
from posthouse.services.upkeep.backup_files import (
    LIST_BYTES_MAX,
    LIST_NAME,
    BackupList,
    copy_file,
    copy_hashed,
    decode_list,
    hash_file,
    is_safe_path,
    sync_directory,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    from posthouse.ports.backup import BackupCheck, BackupSource

_WORK_NAME = "restoring"
_KEPT_PREFIX = "before-restore-"


@dataclass(slots=True)
class RestoreReport:
    """What a restore did or found.

    Attributes:
        path: the backup.
        made_at: of the backup, ms.
        files: looked at.
        total_bytes: of them.
        problems: what is wrong with the backup, a sentence each.
        kept: where the data from before lies ("" there was none).
    """

    path: str
    made_at: int = 0
    files: int = 0
    total_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    kept: str = ""


def chosen_backup(path: Path) -> Path:
    """The backup a path means: itself, or the newest in a directory of backups.

    Raises:
        ConfigurationError: there is none.
    """
    if path.is_file() or (path / LIST_NAME).is_file():
        return path
    latest = latest_backup(path) if path.is_dir() else None
    if latest is None:
        raise ConfigurationError(f"{path} is no backup and holds none")
    return latest


def examine(path: Path, tell: Callable[[RestoreReport], None] = lambda _: None) -> RestoreReport:
    """Re-hash every file of a backup.

    Raises:
        ConfigurationError: it is no backup.
    """
    backup = chosen_backup(path)
    report = RestoreReport(str(backup))
    if backup.is_file():
        _unpack_tar(backup, None, report, tell)
        return report
    listed = read_list(backup)
    report.made_at = listed.made_at
    for entry in listed.files:
        try:
            found = hash_file(backup / entry.path)
        except OSError as e:
            report.problems.append(f"{entry.path}: {e.strerror}")
            continue
        if found != (entry.size_bytes, entry.sha256):
            report.problems.append(f"{entry.path}: damaged")
        report.files += 1
        report.total_bytes += found[0]
        tell(report)
    return report


class Restore:
    """Restores into one data directory.

    Args:
        data: the data directory; made when it is not there.
        source: tells whether it is in use.
        check: looks at what was restored and makes it fit for use.
    """

    def __init__(self, data: Path, source: BackupSource, check: BackupCheck) -> None:
        self._data = data
        self._source = source
        self._check = check

    def run(
        self,
        path: Path,
        now: int,
        tell: Callable[[RestoreReport], None] = lambda _: None,
        *,
        is_forced: bool = False,
    ) -> RestoreReport:
        """Put a backup into the data directory; with problems found nothing is changed.

        Args:
            path: a backup, or a directory of them (then the newest).
            now: ms.
            tell: hears of the progress.
            is_forced: the data directory may hold something, which is kept beside.

        Raises:
            AlreadyExists: the data directory is not empty.
            Conflict: a server is running on it.
            ConfigurationError: it is no backup.
            Unavailable: the disk refuses.
        """
        backup = chosen_backup(path)
        self._refuse_if_taken(is_forced=is_forced)
        report = RestoreReport(str(backup))
        work = self._data / _WORK_NAME
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            if work.exists():
                shutil.rmtree(work)
            work.mkdir(mode=0o700)
            self._copy(backup, work, report, tell)
            if not report.problems:
                report.problems += self._check.damaged_databases(work)
            if not report.problems:
                report.problems += self._check.missing_blobs(work)
            if not report.problems:
                self._check.begin_anew(work)
                self._move_in(work, now, report)
        except OSError as e:
            raise Unavailable(f"the restore failed: {e}") from e
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return report

    def _refuse_if_taken(self, *, is_forced: bool) -> None:
        if not self._data.exists():
            return
        if self._source.is_in_use():
            raise Conflict(f"a server is running on {self._data}: stop it first")
        if not is_forced and any(path.name != _WORK_NAME for path in self._data.iterdir()):
            raise AlreadyExists(
                f"{self._data} is not empty; --force keeps what is there in a directory beside"
            )

    def _copy(
        self,
        backup: Path,
        work: Path,
        report: RestoreReport,
        tell: Callable[[RestoreReport], None],
    ) -> None:
        if backup.is_file():
            _unpack_tar(backup, work, report, tell)
            return
        listed = read_list(backup)
        report.made_at = listed.made_at
        for entry in listed.files:
            try:
                found = copy_file(backup / entry.path, work / entry.path)
            except FileNotFoundError:
                report.problems.append(f"{entry.path}: missing")
                continue
            if found != (entry.size_bytes, entry.sha256):
                report.problems.append(f"{entry.path}: damaged")
            report.files += 1
            report.total_bytes += found[0]
            tell(report)

    def _move_in(self, work: Path, now: int, report: RestoreReport) -> None:
        old = [
            path
            for path in self._data.iterdir()
            if path != work and not path.name.startswith(_KEPT_PREFIX)
        ]
        if old:
            stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
            kept = self._data / f"{_KEPT_PREFIX}{stamp}"
            kept.mkdir(mode=0o700)
            for path in old:
                path.rename(kept / path.name)
            report.kept = str(kept)
        _give_to_owner(work, self._data)
        for path in work.iterdir():
            path.rename(self._data / path.name)
        sync_directory(self._data)


def _give_to_owner(root: Path, data: Path) -> None:
    """Root restores for the user that the server runs as: the data directory's owner."""
    if os.geteuid() != 0:
        return
    owner = data.stat()
    for directory, _, names in os.walk(root):
        os.chown(directory, owner.st_uid, owner.st_gid)
        for name in names:
            os.chown(os.path.join(directory, name), owner.st_uid, owner.st_gid)  # noqa: PTH118


def _unpack_tar(
    backup: Path,
    target: Path | None,
    report: RestoreReport,
    tell: Callable[[RestoreReport], None],
) -> None:
    """Hash every member (and write it, given a target); then compare with the list at the end."""
    found: dict[str, tuple[int, str]] = {}
    listed: BackupList | None = None
    try:
        with tarfile.open(backup, "r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or not is_safe_path(member.name):
                    raise ConfigurationError(f"{backup} holds what no backup holds: {member.name}")
                if member.name == LIST_NAME:
                    listed = decode_list(file.read(LIST_BYTES_MAX), f"{backup}: {LIST_NAME}")
                    continue
                found[member.name] = _unpack(file, member, target)
                report.files += 1
                report.total_bytes += member.size
                tell(report)
    except tarfile.TarError as e:
        raise ConfigurationError(f"{backup} is no backup: {e}") from e
    if listed is None:
        raise ConfigurationError(f"{backup} is not whole: {LIST_NAME} is missing")
    report.made_at = listed.made_at
    for entry in listed.files:
        actual = found.get(entry.path)
        if actual != (entry.size_bytes, entry.sha256):
            report.problems.append(f"{entry.path}: {'damaged' if actual else 'missing'}")


def _unpack(file: IO[bytes], member: tarfile.TarInfo, target: Path | None) -> tuple[int, str]:
    if target is None:
        return copy_hashed(file, None, member.size)
    path = target / member.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A file that was added twice counts as it was added last.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as writing:
        answer = copy_hashed(file, writing, member.size)
        writing.flush()
        os.fsync(fd)
    return answer
