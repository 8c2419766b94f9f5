"""Backup of a data directory beside a running server.

Notes:
    Into a directory: each backup is a subdirectory named by its time; files that did not change
    since the one before are hard links to that one's, so each is whole and costs only what is new.
    Into a ``.tar``: one file.
    Order: databases, then content, then a look whether all content that the databases name was
        caught; if not (it
    was being moved together meanwhile), once more. Content that is missing for good does not stop a
    backup: it is told, since the rest is worth keeping. The search index is left out: it is made
        anew.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from posthouse.model.errors import AlreadyExists, ConfigurationError, Unavailable
from posthouse.services.upkeep.backup_files import (
    FORMAT,
    LIST_BYTES_MAX,
    LIST_NAME,
    VERSION,
    BackupEntry,
    BackupList,
    copy_file,
    decode_list,
    encode_list,
    hash_file,
    sync_directory,
    write_durably,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from posthouse.ports.backup import BackupCheck, BackupSource

_ROUNDS_MAX = 3
_PLAIN_FILES = ("posthouse.toml", "tls/*", "log/audit.jsonl*")


@dataclass(slots=True)
class BackupReport:
    """What a backup did.

    Attributes:
        path: where it lies.
        files: it holds.
        total_bytes: of all of them.
        copied_bytes: written now; the rest is shared with the backup before.
        problems: content that the databases name and that is nowhere.
    """

    path: str
    files: int = 0
    total_bytes: int = 0
    copied_bytes: int = 0
    problems: list[str] = field(default_factory=list)


class Backup:
    """Makes backups of one data directory.

    Args:
        data: the data directory.
        source: its databases and content.
        check: looks at what was copied.
        program: our version.
    """

    def __init__(self, data: Path, source: BackupSource, check: BackupCheck, program: str) -> None:
        self._data = data
        self._source = source
        self._check = check
        self._program = program

    def make(
        self, target: Path, made_at: int, tell: Callable[[BackupReport], None] = lambda _: None
    ) -> BackupReport:
        """Make a backup.

        Args:
            target: a directory of backups, or a file that does not exist and ends in ``.tar``.
            made_at: now, ms.
            tell: hears of the progress.

        Raises:
            AlreadyExists: the tar file, or a backup of this very second, is there.
            Unavailable: something cannot be read or written.
        """
        try:
            if target.suffix == ".tar":
                return self._make_tar(target, made_at, tell)
            return self._make_directory(target, made_at, tell)
        except OSError as e:
            raise Unavailable(f"the backup failed: {e}") from e

    def _make_directory(
        self, target: Path, made_at: int, tell: Callable[[BackupReport], None]
    ) -> BackupReport:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = datetime.fromtimestamp(made_at / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        final, partial = target / stamp, target / f"{stamp}.partial"
        if final.exists():
            raise AlreadyExists(f"there is a backup at {final}")
        if partial.exists():
            shutil.rmtree(partial)
        report = BackupReport(str(final))
        earlier = latest_backup(target)
        partial.mkdir(mode=0o700)
        sink = _DirectorySink(partial, earlier, report)
        entries = self._collect(partial, sink, report, tell)
        backup = BackupList(FORMAT, VERSION, self._program, made_at, entries)
        write_durably(partial / LIST_NAME, encode_list(backup))
        partial.rename(final)
        sync_directory(target)
        return report

    def _make_tar(
        self, target: Path, made_at: int, tell: Callable[[BackupReport], None]
    ) -> BackupReport:
        if target.exists():
            raise AlreadyExists(f"{target} is there already")
        report = BackupReport(str(target))
        partial = target.with_name(f"{target.name}.partial")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as name:
            snapshot = Path(name)
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                    # Content is looked for where it is: it only ever comes.
                    (snapshot / "store").mkdir()
                    blobs = self._data.resolve() / "store" / "blobs"
                    (snapshot / "store" / "blobs").symlink_to(blobs)
                    sink = _TarSink(tar, report)
                    entries = self._collect(snapshot, sink, report, tell)
                    raw = encode_list(BackupList(FORMAT, VERSION, self._program, made_at, entries))
                    info = _tar_info(LIST_NAME, len(raw), made_at * 1_000_000)
                    tar.addfile(info, io.BytesIO(raw))
                file.flush()
                os.fsync(fd)
        partial.rename(target)
        sync_directory(target.parent)
        return report

    def _collect(
        self,
        snapshot: Path,
        sink: _DirectorySink | _TarSink,
        report: BackupReport,
        tell: Callable[[BackupReport], None],
    ) -> list[BackupEntry]:
        """Databases first, content after, until the content is all there."""
        entries: dict[str, BackupEntry] = {}
        databases: Sequence[str] = ()
        problems: Sequence[str] = ()
        for _ in range(_ROUNDS_MAX):
            for name in databases:
                (snapshot / name).unlink()
            databases = self._source.snapshot_databases(snapshot)
            for entry in self._content(sink, entries):
                entries[entry.path] = entry
                tell(report)
            problems = self._check.missing_blobs(snapshot)
            if not problems:
                break
        report.problems.extend(problems)
        for name in databases:
            entries[name] = sink.take(snapshot / name, name)
        for pattern in _PLAIN_FILES:
            for path in sorted(self._data.glob(pattern)):
                if path.is_file() and not path.is_symlink():
                    name = path.relative_to(self._data).as_posix()
                    added = sink.add(path, name, is_immutable=False)
                    if added is not None:
                        entries[name] = added
        report.files = len(entries)
        report.total_bytes = sum(entry.size_bytes for entry in entries.values())
        return sorted(entries.values(), key=lambda entry: entry.path)

    def _content(
        self, sink: _DirectorySink | _TarSink, known: dict[str, BackupEntry]
    ) -> Iterator[BackupEntry]:
        for file in self._source.blob_files():
            source = self._data / file.path
            entry = known.get(file.path)
            if entry is not None:
                try:
                    state = source.stat()
                except FileNotFoundError:
                    continue
                if (state.st_size, state.st_mtime_ns) == (entry.size_bytes, entry.changed_ns):
                    continue
            added = sink.add(source, file.path, is_immutable=file.is_immutable)
            if added is not None:
                yield added


class _DirectorySink:
    """Copies, or links what the earlier backup has just so."""

    def __init__(self, root: Path, earlier: Path | None, report: BackupReport) -> None:
        self._root = root
        self._earlier = earlier
        self._report = report
        self._known = _entries_of(earlier) if earlier else {}

    def add(self, source: Path, path: str, *, is_immutable: bool) -> BackupEntry | None:
        """A file of the data directory."""
        target = self._root / path
        target.unlink(missing_ok=True)
        try:
            state = source.stat()
            known = self._known.get(path)
            if known is not None and self._earlier is not None:
                is_same = known.size_bytes == state.st_size and (
                    is_immutable or known.changed_ns == state.st_mtime_ns
                )
                if is_same and self._link(self._earlier / path, target, known):
                    return known
            size_bytes, sha256 = copy_file(source, target)
        except FileNotFoundError:
            return None
        self._report.copied_bytes += size_bytes
        return BackupEntry(path, size_bytes, sha256, state.st_mtime_ns)

    def take(self, source: Path, path: str) -> BackupEntry:
        """A file that lies in the backup already."""
        size_bytes, sha256 = hash_file(source)
        self._report.copied_bytes += size_bytes
        return BackupEntry(path, size_bytes, sha256, source.stat().st_mtime_ns)

    def _link(self, earlier: Path, target: Path, known: BackupEntry) -> bool:
        try:
            if earlier.stat().st_size != known.size_bytes:
                return False
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.hardlink_to(earlier)
        except OSError:
            return False
        return True


class _TarSink:
    """Appends to a tar file; a file added twice counts as it was added last."""

    def __init__(self, tar: tarfile.TarFile, report: BackupReport) -> None:
        self._tar = tar
        self._report = report

    def add(self, source: Path, path: str, *, is_immutable: bool) -> BackupEntry | None:
        """A file of the data directory."""
        del is_immutable
        try:
            return self.take(source, path)
        except FileNotFoundError:
            return None

    def take(self, source: Path, path: str) -> BackupEntry:
        """A file from anywhere."""
        with source.open("rb") as file:
            state = os.fstat(file.fileno())
            reader = _HashingReader(file)
            info = _tar_info(path, state.st_size, state.st_mtime_ns)
            self._tar.addfile(info, reader)
        self._report.copied_bytes += state.st_size
        return BackupEntry(path, state.st_size, reader.digest.hexdigest(), state.st_mtime_ns)


class _HashingReader(io.RawIOBase):
    """Hashes what passes through."""

    def __init__(self, file: io.BufferedReader) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _tar_info(path: str, size_bytes: int, changed_ns: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.size = size_bytes
    info.mtime = changed_ns // 1_000_000_000
    info.mode = 0o600
    return info


def latest_backup(directory: Path) -> Path | None:
    """The newest whole backup in a directory of backups."""
    found = [path.parent for path in directory.glob(f"[0-9]*Z/{LIST_NAME}")]
    return max(found, default=None)


def read_list(backup: Path) -> BackupList:
    """The list of a backup that is a directory. Raises ConfigurationError."""
    path = backup / LIST_NAME
    try:
        if path.stat().st_size > LIST_BYTES_MAX:
            raise ConfigurationError(f"{path} is too large")
        return decode_list(path.read_bytes(), str(path))
    except OSError as e:
        raise ConfigurationError(f"{backup} is no whole backup: {e}") from e


def _entries_of(backup: Path) -> dict[str, BackupEntry]:
    try:
        return {entry.path: entry for entry in read_list(backup).files}
    except ConfigurationError:
        return {}
