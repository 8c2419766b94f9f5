"""Wiring: which backend stands behind which port. The only place that knows.

Notes:
    A house is made in the process that uses it, after any fork: databases, threads and sockets do
    not survive one.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from posthouse.app import config as configuration
from posthouse.app.ownership import as_owner
from posthouse.backends.dns.resolver import DnsResolver
from posthouse.backends.files.area import FileBlobs
from posthouse.backends.files.journal import FileBlobJournal
from posthouse.backends.files.upkeep import FileBlobUpkeep
from posthouse.backends.localbus.datagrams import DatagramHints
from posthouse.backends.sqlite.backup import SqliteBackup, SqliteBackupCheck
from posthouse.backends.sqlite.directory import SqliteDirectory
from posthouse.backends.sqlite.fulltext import SqliteFullText
from posthouse.backends.sqlite.records import SqliteRecords
from posthouse.model.errors import ConfigurationError
from posthouse.ports.hints import Hears
from posthouse.runtime.clock import SystemChance, SystemClock
from posthouse.services.directory.address_book import AddressBook
from posthouse.services.directory.addresses import Addresses
from posthouse.services.directory.audit import Audit
from posthouse.services.directory.guesses import Guesses
from posthouse.services.directory.login import Logins
from posthouse.services.directory.passwords import Hasher
from posthouse.services.directory.people import People
from posthouse.services.mailflow.accept import Mailflow
from posthouse.services.mailflow.envelope import Policy
from posthouse.services.sharing.access import Access
from posthouse.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from posthouse.app.config import Config
    from posthouse.ports.backup import BackupCheck, BackupSource
    from posthouse.ports.clock import Chance, Clock
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.ports.fulltext import FullText
    from posthouse.ports.resolver import Resolver
    from posthouse.services.mailflow.board import SettledBoard
    from posthouse.services.mailflow.envelope import Journal
    from posthouse.store.store import Tally

_T = TypeVar("_T")


@dataclass(slots=True)
class House:
    """Everything that runs on one data directory, in one process.

    Attributes:
        config: the configuration.
        loop: what the store belongs to.
        clock: the time.
        chance: randomness.
        store: the mail.
        directory: the people, as kept.
        people: changes of the directory.
        addresses: who is behind an address.
        logins: who may come in.
        access: who may do what in others' mailboxes.
        address_book: everybody, to be searched.
        audit: the audit log.
        audit_path: its current file.
        blob_journal: this process's way of making content durable.
        blob_upkeep: garbage collection and verification of content.
    """

    config: Config
    loop: asyncio.AbstractEventLoop
    clock: Clock
    chance: Chance
    store: Store
    directory: DirectoryRecords
    people: People
    addresses: Addresses
    logins: Logins
    access: Access
    address_book: AddressBook
    audit: Audit
    audit_path: Path
    blob_journal: FileBlobJournal
    blob_upkeep: FileBlobUpkeep

    @property
    def records(self) -> SqliteRecords:
        """The engine, for upkeep commands."""
        records = self.store.records
        assert isinstance(records, SqliteRecords)  # noqa: S101  it was made below
        return records

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run something on the house's loop; only outside of it (commands)."""
        return self.loop.run_until_complete(coroutine)

    def policy(self) -> Policy:
        """The rules by which mail is taken in."""
        limits = self.config.limits
        return Policy(
            hostname=self.config.hostname,
            message_bytes_max=limits.message_size_max,
            space_floor_bytes=limits.space_floor,
            received_max=limits.received_max,
            postmaster=self._postmaster(),
        )

    def mailflow(self, journal: Journal, tally: Tally, board: SettledBoard) -> Mailflow:
        """The way in for messages. ``board`` is shared by all workers."""
        return Mailflow(
            self.store,
            self.addresses,
            self.policy(),
            self.clock,
            self.chance,
            journal=journal,
            tally=tally,
            board=board,
        )

    def resolver(self) -> Resolver:
        """The name servers."""
        return DnsResolver(self.clock, nameservers=self.config.queue.nameservers)

    def _postmaster(self) -> str:
        domains = self.directory.domains()
        return f"postmaster@{domains[0]}" if domains else ""

    def close(self) -> None:
        """Finish what is under way and let go of everything."""
        # Last in, first out; each is closed whatever became of the one before.
        with ExitStack() as closing:
            closing.callback(self.audit.close)
            closing.callback(self.directory.close)
            closing.callback(self.store.hints.close)
            closing.callback(self.blob_journal.close)
            closing.callback(self.store.records.close)
            closing.callback(self.store.close)


def make_directories(data: Path) -> None:
    """The rooms of a data directory, closed to others."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.chmod(0o700)
    for room in ("store", "store/blobs", "log", "run", "tls"):
        (data / room).mkdir(mode=0o700, exist_ok=True)


def make_house(
    config: Config,
    loop: asyncio.AbstractEventLoop,
    *,
    workers: int = 1,
    in_thread: Callable[..., Any] | None = None,
    hears: Hears = Hears.HOUSE,
    tally: Tally | None = None,
) -> House:
    """Open everything.

    Args:
        config: of an existing data directory.
        loop: the loop that all of it will be used on.
        workers: how many processes share the allowance for password guesses.
        in_thread: runs a function in a thread; None: the loop's own pool.
        tally: counts the store's commits.
        hears: what of other processes; commands need not hear of deliveries.
    """
    data = config.data
    clock, chance = SystemClock(), SystemChance()
    (data / "log").mkdir(mode=0o700, exist_ok=True)
    hints = DatagramHints(data / "run", loop, hears=hears)
    root = data / "store" / "blobs"
    journal = FileBlobJournal(root)
    try:
        records = SqliteRecords(data / "store" / "mail.db", journal, hints.publish, clock)
    except BaseException:
        hints.close()  # else its socket stays in run/
        raise
    blobs = FileBlobs(root, records, clock)
    store = Store(
        records, blobs, hints, clock, listing_bytes_max=config.store.listing_cache, tally=tally
    )
    directory = SqliteDirectory(data / "directory.db", chance)
    audit_path = data / "log" / "audit.jsonl"
    audit = Audit(audit_path, clock)
    hasher = Hasher(chance, in_thread=in_thread) if in_thread else Hasher(chance)
    return House(
        config=config,
        loop=loop,
        clock=clock,
        chance=chance,
        store=store,
        directory=directory,
        people=People(directory, records, audit, clock, chance, hasher),
        addresses=Addresses(directory, config.detail_separator, clock),
        logins=Logins(directory, audit, clock, chance, hasher, Guesses(clock, workers)),
        access=Access(store, directory),
        address_book=AddressBook(directory),
        audit=audit,
        audit_path=audit_path,
        blob_journal=journal,
        blob_upkeep=FileBlobUpkeep(root, blobs, records),
    )


def backup_parts(data: Path) -> tuple[BackupSource, BackupCheck]:
    """What backup and restore need of a data directory; it may be empty, or in use."""
    return SqliteBackup(data), SqliteBackupCheck()


def open_fulltext(data: Path) -> FullText:
    """The search index; made when it is not there."""
    return SqliteFullText(data / "store" / "search.db")


@contextmanager
def open_house(data: Path) -> Iterator[House]:
    """A house for one command, beside a running server or without.

    Root acts as the directory's owner meanwhile: see ``ownership``.

    Raises:
        ConfigurationError: there is no data directory, or its configuration is wrong.
    """
    config = configuration.load(data)
    if not (data / "store").is_dir():
        raise ConfigurationError(f"{data} has no store: use 'posthouse init --data {data}'")
    with as_owner(data):
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            house = make_house(config, loop)
            try:
                yield house
            finally:
                house.close()
        finally:
            with suppress(RuntimeError):
                loop.run_until_complete(loop.shutdown_default_executor())
            asyncio.set_event_loop(None)
            loop.close()
