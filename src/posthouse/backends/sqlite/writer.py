"""The writer: one thread per process that commits for everyone, a group at a time.

Notes:
    A group is what gathered while the group before it was being synced (``gathering``).
    Its order of work: write the staged blobs and sync them once; take the lock file; BEGIN
    IMMEDIATE; every job under its own savepoint; COMMIT (synced); let go of the lock; publish
    hints; answer all futures by one call into the event loop. The lock file queues the processes
    fairly; SQLite's own busy handler would starve some of them. After a failed write or sync
    nothing is acknowledged, nothing is tried again on the same connection, and the first
    transaction on the new one overwrites whatever the failed one left in the journal.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeVar

import apsw

from posthouse.backends.sqlite.books import BlobsChangedError, Books
from posthouse.backends.sqlite.connection import open_writer, upgrade
from posthouse.backends.sqlite.gathering import GROUP_MAX, Gathering, Job
from posthouse.backends.sqlite.inserts import known_blobs
from posthouse.model.changes import Hint
from posthouse.model.errors import InsufficientSpace, PosthouseError, Unavailable
from posthouse.model.ids import ChangeNumber

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from posthouse.backends.sqlite.gathering import AnyJob
    from posthouse.model.blob import BlobLocation, StagedBlob
    from posthouse.model.ids import BlobHash
    from posthouse.ports.blobs import BlobJournal
    from posthouse.ports.clock import Clock

LOCK_WAIT_S: Final = 15.0
JOURNAL_MAX_BYTES: Final = 128 << 20
"""A journal that grows beyond it is copied by the writer itself."""
_LOOK_EVERY: Final = 32
"""Groups between two looks at the size of the journal."""

_LOOKS_MAX: Final = 4
"""How often a group looks for the rows of its blobs before it gives up."""

T = TypeVar("T")

Staged = dict["BlobHash", "tuple[BlobLocation | None, bool]"]
"""Blobs of a group: where written (None not), and whether a row was there when we looked."""


class Writer:
    """See the module. ``submit`` is called in an event loop; the rest runs in the thread."""

    def __init__(
        self, path: Path, journal: BlobJournal, publish: Callable[[Hint], None], clock: Clock
    ) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._journal = journal
        self._publish = publish
        self._clock = clock
        self._jobs: SimpleQueue[list[AnyJob] | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._waiting: list[AnyJob] = []
        self._waiting_since = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._gathering = Gathering(self._jobs.put)
        self._watched: asyncio.AbstractEventLoop | None = None
        self._is_closing = False
        self._groups = 0
        self._journal_bytes = JOURNAL_MAX_BYTES
        self._needs_incident = False
        self._lock_file = os.open(
            path.with_name("mail.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self._connection: apsw.Connection | None = None
        self._books: Books | None = None
        try:
            self._open()
        except BaseException:
            os.close(self._lock_file)
            raise
        self._thread = threading.Thread(target=self._run, name="records-writer", daemon=True)
        self._thread.start()

    # --- in the event loop

    async def submit(
        self, run: Callable[[Books], T], blobs: Sequence[StagedBlob] = (), receipt: bytes = b""
    ) -> T:
        """Do ``run`` in the next group; answers when it is durable.

        ``receipt`` is one that ``run`` will ask for, so that a group looks once for all of them.
        A caller that is cancelled does not stop the commit.
        """
        if self._is_closing:
            raise Unavailable("the records are closed")
        loop = asyncio.get_running_loop()
        job: Job[T] = Job(run, blobs, receipt, loop.create_future())
        self._gathering.add(job, loop)
        if self._watch is None or self._watched is not loop:
            self._watched = loop
            self._watch = loop.call_later(LOCK_WAIT_S, self._look, loop)
        return await job.future

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whoever has waited too long behind another process's lock is told so."""
        self._watch = None
        stuck: list[AnyJob] = []
        with self._gate:
            since = self._waiting_since
            if since and self._clock.monotonic_s() - since > LOCK_WAIT_S:
                behind = self._drained(GROUP_MAX << 10)
                stuck = [*self._waiting, *behind, *self._gathering.take_all()]
                for job in stuck:
                    job.is_abandoned = True
                self._gathering.answered(len(behind), loop)
        for job in stuck:
            if not job.future.done():
                job.future.set_exception(Unavailable("another process holds the store's lock"))
        if self._waiting_since or not self._jobs.empty():
            self._watch = loop.call_later(LOCK_WAIT_S / 3, self._look, loop)

    def _resolve(self, jobs: list[AnyJob], loop: asyncio.AbstractEventLoop) -> None:
        for job in jobs:
            future = job.future
            if future.done():
                continue
            if job.error is not None:
                future.set_exception(job.error)
            else:
                future.set_result(job.result)
        self._gathering.answered(len(jobs), loop)

    def close(self) -> None:
        """Finish what has been submitted, then let go of the file."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._watch is not None:
            self._watch.cancel()
        self._gathering.flush()
        self._jobs.put(None)
        self._thread.join()
        if self._connection is not None:
            self._connection.close()
        os.close(self._lock_file)

    # --- in the thread

    def _run(self) -> None:
        while (group := self._jobs.get()) is not None:
            group += self._drained(GROUP_MAX - len(group))
            self._commit(group)
            self._answer(group)
            self._tidy()

    def _drained(self, limit: int) -> list[AnyJob]:
        """What has been handed over and not begun, until there are ``limit`` or more."""
        drained: list[AnyJob] = []
        while len(drained) < limit and self._jobs.qsize():
            try:
                jobs = self._jobs.get_nowait()
            except Empty:  # the other thread was quicker
                break
            if jobs is None:  # the end: after what came before it
                self._jobs.put(None)
                break
            drained += jobs
        return drained

    def _answer(self, group: list[AnyJob]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[AnyJob]] = {}
        for job in group:
            loops.setdefault(job.future.get_loop(), []).append(job)
        for loop, jobs in loops.items():
            try:
                loop.call_soon_threadsafe(self._resolve, jobs, loop)
            except RuntimeError:  # that loop has been closed: nobody listens any more
                continue

    def _commit(self, group: list[AnyJob]) -> None:
        try:
            self._commit_together(group)
        except (apsw.IOError, apsw.FullError, OSError) as error:
            self._fail(group, error)
        except (apsw.Error, PosthouseError) as error:
            if isinstance(error, apsw.ConstraintError) and len(group) > 1:
                self._commit_apart(group)
            else:
                self._fail(group, error)
        except Exception as error:  # noqa: BLE001 - a bad value must not harm its neighbours
            self._roll_back()
            if len(group) > 1:
                self._commit_apart(group)
            else:
                group[0].error = error

    def _commit_apart(self, group: list[AnyJob]) -> None:
        """Something in the group cannot be stored: find out what, and commit the others."""
        self._roll_back()
        for job in group:
            job.result = job.error = None
            self._commit([job])

    def _commit_together(self, group: list[AnyJob]) -> None:
        connection, books = self._opened()
        staged: Staged = {}
        for _ in range(_LOOKS_MAX):
            self._write_blobs(connection, group, staged)
            try:
                self._transact(connection, books, group, staged)
            except BlobsChangedError:
                self._roll_back()
            else:
                break
        else:
            raise Unavailable("blob rows keep changing under this commit")
        for (mailbox_id, folder_id), cn in books.advanced.items():
            self._publish(Hint(mailbox_id, folder_id, ChangeNumber(cn)))
        self._drop_unused(group, books, staged)

    def _transact(
        self,
        connection: apsw.Connection,
        books: Books,
        group: list[AnyJob],
        staged: Staged,
    ) -> None:
        self._lock(group)
        try:
            connection.execute("BEGIN IMMEDIATE")
            books.open(
                self._clock.now_ms(),
                {name: None if is_known else at for name, (at, is_known) in staged.items()},
                [job.receipt for job in group if job.receipt],
            )
            for job in group:
                if job.is_abandoned:
                    continue
                self._run_job(connection, books, job)
            books.finish()
            connection.execute("COMMIT")
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    @staticmethod
    def _run_job(connection: apsw.Connection, books: Books, job: AnyJob) -> None:
        books.begin()
        job.error = None
        try:
            job.result = job.run(books)
        except apsw.ConstraintError as error:
            if not connection.in_transaction:
                raise
            job.error = error
        except (apsw.Error, BlobsChangedError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again where the caller waits
            job.error = error
        if job.error is None:
            books.succeed()
        else:
            books.undo()

    def _lock(self, group: list[AnyJob]) -> None:
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with self._gate:
                self._waiting = group
                self._waiting_since = self._clock.monotonic_s()
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            with self._gate:
                self._waiting = []
                self._waiting_since = 0.0

    # --- blobs

    def _write_blobs(
        self, connection: apsw.Connection, group: list[AnyJob], staged: Staged
    ) -> None:
        """Write what no row knows and has not been written yet, and sync it."""
        fresh = {b.ref.blob_hash: b for job in group for b in job.blobs}
        if not fresh:
            return
        known = known_blobs(connection, list(fresh))
        has_written = False
        for blob_hash, blob in fresh.items():
            location, _ = staged.get(blob_hash, (None, False))
            if location is None and blob_hash not in known:
                location = self._journal.write(blob)
                has_written = True
            staged[blob_hash] = (location, blob_hash in known)
        if has_written:
            self._journal.sync()

    def _drop_unused(self, group: list[AnyJob], books: Books, staged: Staged) -> None:
        """Give back the space of what was written for commits that failed."""
        if len(books.used) == len(staged):
            return
        sizes = {b.ref.blob_hash: b.ref.stored_bytes for job in group for b in job.blobs}
        for blob_hash, (location, _) in staged.items():
            if location is not None and blob_hash not in books.used:
                self._journal.drop(location, blob_hash, sizes[blob_hash])

    # --- the connection, and what can go wrong with it

    def _open(self) -> None:
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            connection = open_writer(self._path)
            try:
                upgrade(connection, "records")
                if self._needs_incident:
                    connection.execute("UPDATE engine SET incident = incident + 1")
            except BaseException:
                connection.close(True)  # noqa: FBT003 - apsw takes it by position
                raise
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)
        self._needs_incident = False
        self._connection = connection
        self._books = Books(connection)

    def _opened(self) -> tuple[apsw.Connection, Books]:
        if self._connection is None:
            self._open()
        if self._connection is None or self._books is None:
            raise Unavailable("the store is not open")
        return self._connection, self._books

    def _roll_back(self) -> None:
        """Back to no transaction on a connection that is still good."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if self._books is not None:
            self._books.forget()

    def _fail(self, group: list[AnyJob], error: Exception) -> None:
        """The disk or the file refused: nothing of the group was done."""
        full = isinstance(error, apsw.FullError) or (
            isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        )
        kind = InsufficientSpace if full else Unavailable
        for job in group:
            job.result = None
            job.error = kind(f"{type(error).__name__}: {error}")
            job.error.__cause__ = error
        if isinstance(error, apsw.Error):
            self._needs_incident = not isinstance(error, (apsw.BusyError, apsw.LockedError))
        self._abandon_connection()

    def _abandon_connection(self) -> None:
        connection, self._connection, self._books = self._connection, None, None
        if connection is not None:
            connection.close(True)  # noqa: FBT003 - apsw takes it by position; it rolls back

    def _tidy(self) -> None:
        """Housekeeping is late and the journal grows: checkpoint ourselves."""
        self._groups += 1
        if self._groups % _LOOK_EVERY or self._connection is None:
            return
        try:
            size = self._wal.stat().st_size
            if size > self._journal_bytes:
                self._journal_bytes = size  # it keeps its length
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except (OSError, apsw.Error):
            self._abandon_connection()
