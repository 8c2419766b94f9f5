"""Named starting states for transcripts, on the memory backends, and what STORE and DO lines can say.

People: alice (password ``wonderland``; devices ``phone`` with ``phone-secret`` and ``laptop`` with
``laptop-secret``), bob (``builder``), dora (``tür``), in the domain example.org. It is 2026-11-23 12:00 UTC.

Options of a transcript: ``store: NAME`` (below), ``policy: {JSON}`` (settings of alice's mailbox).

STORE lines:                            DO lines:
    alice/Inbox has uids 1 3                deliver alice/Inbox Subject of the message
    alice/Inbox is empty                    expunge alice/Inbox 2          (by uid)
    alice/Inbox has 2 items                 move alice/Inbox 2 Projects;  purge alice/Inbox 2 (for good)
    alice has put away 2 on phone           fail writes   /  fail reads   /  heal
    alice has put away 0                    disable alice /  revoke alice phone
    office has put away 1 on alice phone    policy alice {JSON}
    the log has pop3.session deleted=1      grant office alice REVIEWER   (in the whole mailbox; NONE takes away)
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from posthouse.backends.memory.blobs import MemoryBlobs
from posthouse.backends.memory.directory import MemoryDirectory
from posthouse.backends.memory.faulty import Faults, faulty_records
from posthouse.backends.memory.hints import MemoryHints
from posthouse.backends.memory.records import MemoryRecords
from posthouse.formats.mime.dots import stuff
from posthouse.mechanisms.saslprep import prepared_for_check
from posthouse.mechanisms.scram import verifier_from_password
from posthouse.model.batch import (
    AddItem,
    Batch,
    ChangeMailbox,
    Commit,
    ExpungeItems,
    GrantRights,
    MakeFolder,
    MoveItems,
)
from posthouse.model.blob import BlobForm
from posthouse.model.folder import FolderClass, FolderRole, MailboxKind
from posthouse.model.ids import DeviceId, FolderId, Uid, ViewId
from posthouse.model.item import ItemKind, NewItem
from posthouse.model.people import Login, Principal, PrincipalKind, Secret
from posthouse.model.rights import Rights
from posthouse.protocols.pop3.reach import view_of
from posthouse.runtime.metrics import Metrics
from posthouse.services.directory.guesses import Guesses
from posthouse.services.directory.login import Logins
from posthouse.services.directory.passwords import HashCost, Hasher, device_hash
from posthouse.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

NOW_MS = 1_795_435_200_000
DAY_MS = 86_400_000
MIB = 1 << 20


class FixedClock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class CountedChance:
    """Not random at all: the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def token_bytes(self, count: int) -> bytes:
        self._count += 1
        seed = b"%d" % self._count
        return hashlib.shake_256(seed).digest(count)


class NotedAudit:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def note(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    record = note


class NotedLog:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    def failure(self, event: str, error: BaseException, **fields: Any) -> None:
        self.lines.append((event, {**fields, "error": repr(error)}))

    def child(self, **fields: Any) -> NotedLog:
        return self


async def _no_sleep(_seconds: float, /) -> None:
    """Guesses are held back in real life; here nobody waits."""


async def _at_once(work: Callable[[], bool], /) -> bool:
    return work()


@dataclass(slots=True)
class House:
    """Everything behind the doors. Implements the player's World."""

    clock: FixedClock
    chance: CountedChance
    directory: MemoryDirectory
    audit: NotedAudit
    log: NotedLog
    metrics: Metrics
    blobs: MemoryBlobs
    faults: Faults
    reading_faults: Faults
    records: Any
    store: Store
    logins: Logins
    people: dict[str, Principal] = field(default_factory=dict)
    devices: dict[tuple[str, str], DeviceId] = field(default_factory=dict)
    doors: dict[str, Any] = field(default_factory=dict)

    # --- the player's side

    def advance(self, seconds: float) -> None:
        self.clock.ms += int(seconds * 1000)

    async def look(self, question: str) -> None:
        words = question.split(" ")
        if words[:3] == ["the", "log", "has"]:
            self._look_log(words[3], words[4:])
            return
        if words[1:4] == ["has", "put", "away"]:
            view = self._view(words[0], words[6:])
            mailbox_id = self.people[words[0]].mailbox_id
            hidden = await self.records.hidden_items(mailbox_id, view, 0, 2000)
            assert len(hidden) == int(words[4]), f"{words[0]} has put away {list(hidden)}"
            return
        path, _, rest = question.partition(" has ")
        if question.endswith(" is empty"):
            path, rest = question.removesuffix(" is empty"), "0 items"
        mailbox_id, folder_id = await self.folder(path)
        places = await self.records.places(mailbox_id, folder_id, Uid(0), 2000)
        uids = [place.uid for place in places]
        if rest.startswith("uids "):
            assert uids == [int(uid) for uid in rest.split(" ")[1:]], f"{path} has uids {uids}"
        elif rest.endswith((" items", " item")):
            assert len(uids) == int(rest.split(" ")[0]), f"{path} has {len(uids)} items"
        else:
            raise AssertionError(f"not a question: {question!r}")

    def _view(self, mailbox: str, device: list[str]) -> ViewId:
        """Of ``phone``, of ``alice phone`` in a mailbox that is not hers, or of a password."""
        name = device[0] if len(device) == 2 else mailbox
        is_device = bool(device) and device[-1] != "password"
        device_id = self.devices[name, device[-1]] if is_device else DeviceId(0)
        return view_of(Login(self.people[name], device_id), self.people[mailbox].mailbox_id)

    def _look_log(self, event: str, wanted: list[str]) -> None:
        lines = [fields for name, fields in self.log.lines if name == event]
        pairs = [word.split("=", 1) for word in wanted]
        fits = [all(str(line.get(name)) == value for name, value in pairs) for line in lines]
        assert any(fits), f"the log has {lines}"

    async def act(self, deed: str) -> None:
        verb, _, rest = deed.partition(" ")
        match verb:
            case "deliver":
                path, _, subject = rest.partition(" ")
                await self.deliver(path, message(subject))
            case "expunge":
                path, _, uid = rest.rpartition(" ")
                await self._take_away(path, int(uid), None)
            case "purge":
                path, _, uid = rest.rpartition(" ")
                await self._take_away(path, int(uid), None, is_final=True)
            case "move":
                path, uid, target = rest.split(" ", 2)
                await self._take_away(path, int(uid), target)
            case "fail":
                (self.faults if rest == "writes" else self.reading_faults).arm(1, is_lasting=True)
            case "heal":
                self.faults.arm(0)
                self.reading_faults.arm(0)
            case "disable":
                person = self.people[rest]
                self.directory.change_principal(replace(person, is_disabled=True))
            case "revoke":
                name, device = rest.split(" ")
                principal_id = self.people[name].principal_id
                self.directory.revoke_device(principal_id, self.devices[name, device])
            case "grant":
                await self._grant(*rest.split(" "))
            case "policy":
                name, _, settings = rest.partition(" ")
                await self.settle(name, settings)
            case _:
                raise AssertionError(f"not a deed: {deed!r}")

    async def _grant(self, owner: str, grantee: str, rights: str) -> None:
        mailbox_id = self.people[owner].mailbox_id
        root = await self.store.role_folder(mailbox_id, FolderRole.ROOT)
        given = GrantRights(root.folder_id, self.people[grantee].principal_id, Rights[rights])
        await self.records.apply(Commit((Batch(mailbox_id, (given,)),)))

    # --- making and changing

    async def add_mailbox(self, name: str, kind: PrincipalKind) -> Principal:
        mailbox = await self.records.create_mailbox(
            MailboxKind[kind.name], self.chance.token_bytes(16), 1_700_000_000
        )
        principal = self.directory.add_principal(
            kind, f"{name}@example.org", name.title(), mailbox.mailbox_id
        )
        self.people[name] = principal
        return principal

    async def add_person(self, name: str, password: str) -> Principal:
        principal = await self.add_mailbox(name, PrincipalKind.USER)
        secret = self._secret(principal, password, DeviceId(0))
        self.directory.set_secret(principal.principal_id, secret)
        return principal

    async def add_device(self, name: str, label: str, password: str) -> None:
        principal = self.people[name]
        secret = self._secret(principal, password, DeviceId(1))
        device = self.directory.add_device(principal.principal_id, label, secret, NOW_MS)
        self.devices[name, label] = device.device_id

    def _secret(self, principal: Principal, password: str, device_id: DeviceId) -> Secret:
        prepared = prepared_for_check(password)
        credentials = self.directory.credentials(principal.principal_id)
        verifier = verifier_from_password(
            prepared, credentials.scram_salt, credentials.scram_iterations
        )
        hashed = device_hash(prepared) if device_id else self.logins._hasher.hash(prepared)
        return Secret(device_id, hashed, verifier)

    async def settle(self, name: str, settings: str) -> None:
        json.loads(settings)
        change = ChangeMailbox(settings=settings)
        await self.records.apply(Commit((Batch(self.people[name].mailbox_id, (change,)),)))

    async def folder(self, path: str) -> tuple[Any, FolderId]:
        """``alice/Inbox``, ``alice/Projects/2026``."""
        name, _, rest = path.partition("/")
        mailbox_id = self.people[name].mailbox_id
        folders = await self.records.folders(mailbox_id)
        at = next(one for one in folders if one.role is FolderRole.ROOT)
        for part in rest.split("/"):
            below = [one for one in folders if one.parent_id == at.folder_id and one.name == part]
            assert below, f"no folder {path}"
            at = below[0]
        return mailbox_id, at.folder_id

    async def make_folder(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        if "/" in above:
            mailbox_id, parent = await self.folder(above)
        else:
            mailbox_id = self.people[above].mailbox_id
            folders = await self.records.folders(mailbox_id)
            parent = next(one.folder_id for one in folders if one.role is FolderRole.ROOT)
        make = MakeFolder(parent, name, FolderClass.MAIL, FolderRole.NONE)
        await self.records.apply(Commit((Batch(mailbox_id, (make,)),)))

    async def deliver(
        self,
        path: str,
        plain: bytes,
        *,
        prefix: bytes = b"",
        days_ago: int = 0,
        uidl: str = "",
        form: BlobForm = BlobForm.WIRE,
    ) -> None:
        mailbox_id, folder_id = await self.folder(path)
        if form is BlobForm.WIRE:
            stuffed = stuff(plain)
            staged = self.blobs.stage_bytes(
                stuffed.wire,
                form,
                has_dot_lines=stuffed.has_dot_lines,
                lacks_final_eol=stuffed.lacks_final_eol,
            )
        else:
            staged = self.blobs.stage_bytes(plain, form)
        item = NewItem(
            ItemKind.MESSAGE, staged.ref, self.clock.ms - days_ago * DAY_MS, prefix, uidl=uidl
        )
        batch = Batch(mailbox_id, (AddItem(folder_id, item),))
        await self.records.apply(Commit((batch,), (staged,)))

    async def _take_away(
        self, path: str, uid: int, target: str | None, *, is_final: bool = False
    ) -> None:
        mailbox_id, folder_id = await self.folder(path)
        places = await self.records.places(mailbox_id, folder_id, Uid(uid - 1), 1)
        assert places
        assert places[0].uid == uid, f"{path} has no uid {uid}"
        ids = (places[0].item_id,)
        operation: Any = ExpungeItems(folder_id, ids, self.clock.ms, is_final)
        if target:
            name = path.partition("/")[0]
            operation = MoveItems(folder_id, ids, (await self.folder(f"{name}/{target}"))[1])
        await self.records.apply(Commit((Batch(mailbox_id, (operation,)),)))


def message(subject: str, size_bytes: int = 0) -> bytes:
    """A small message; padded to an exact size where one is given."""
    head = f"From: carol@example.com\r\nSubject: {subject}\r\n\r\n".encode()
    if not size_bytes:
        return head + b"Hello.\r\n"
    left = size_bytes - len(head) - 2
    assert left >= 0
    return head + b"x" * left + b"\r\n"


async def empty(house: House) -> None:
    """Nobody has any mail."""


async def two_messages(house: House) -> None:
    """The example of RFC 1939: 120 and 200 octets."""
    await house.deliver("alice/Inbox", message("One", 120))
    await house.deliver("alice/Inbox", message("Two", 200))


async def ten_messages(house: House) -> None:
    """Ten of 100 octets each."""
    for number in range(1, 11):
        await house.deliver("alice/Inbox", message(f"No. {number}", 100))


async def folders(house: House) -> None:
    """Two in the inbox (100 octets), one each in Sent Items (90), Projects (80), Projects/2026 (70), Größe (60)."""
    await house.make_folder("alice/Projects")
    await house.make_folder("alice/Projects/2026")
    await house.make_folder("alice/Größe")
    await house.deliver("alice/Inbox", message("One", 100))
    await house.deliver("alice/Inbox", message("Two", 100))
    await house.deliver("alice/Sent Items", message("Sent", 90))
    await house.deliver("alice/Projects", message("Plan", 80))
    await house.deliver("alice/Projects/2026", message("Year", 70))
    await house.deliver("alice/Größe", message("Big", 60))


async def old_and_new(house: House) -> None:
    """Forty days, ten days and no days old."""
    await house.deliver("alice/Inbox", message("Old"), days_ago=40)
    await house.deliver("alice/Inbox", message("Middle"), days_ago=10)
    await house.deliver("alice/Inbox", message("New"))


async def odd_messages(house: House) -> None:
    """Dots, no body, no final line end, kept raw, own header lines of the recipient."""
    await house.deliver("alice/Inbox", b"Subject: dots\r\n\r\n.\r\n..two\r\nend\r\n")
    await house.deliver("alice/Inbox", b"Subject: no body\r\n")
    await house.deliver("alice/Inbox", b"Subject: open end\r\n\r\nlast")
    await house.deliver("alice/Inbox", b"Subject: raw\r\n\r\n.hidden\r\n", form=BlobForm.RAW)
    await house.deliver("alice/Inbox", message("mine"), prefix=b"Delivered-To: alice\r\n")


async def imported(house: House) -> None:
    """Ids of an older server: one kept, one not grammatical, one taken already."""
    await house.deliver("alice/Inbox", message("A"), uidl="0000012c5a3b")
    await house.deliver("alice/Inbox", message("B"), uidl="not one")
    await house.deliver("alice/Inbox", message("C"), uidl="0000012c5a3b")


async def international(house: House) -> None:
    """One declared SMTPUTF8 with such a header, one declared in vain, one with undeclared 8-bit octets."""
    received = b"Received: from a by b with UTF8SMTPS id 1; Mon, 23 Nov 2026 12:00:00 +0000\r\n"
    await house.deliver("alice/Inbox", message("Grüße"), prefix=received)
    await house.deliver("alice/Inbox", message("plain"), prefix=received)
    await house.deliver("alice/Inbox", message("Grüße"))


async def shared(house: House) -> None:
    """The mailbox office: two in the inbox (100 octets each), one in Projects (80); alice has one (90)."""
    await house.add_mailbox("office", PrincipalKind.SHARED)
    await house.make_folder("office/Projects")
    await house.deliver("office/Inbox", message("One", 100))
    await house.deliver("office/Inbox", message("Two", 100))
    await house.deliver("office/Projects", message("Plan", 80))
    await house.deliver("alice/Inbox", message("Own", 90))


STORES: dict[str, Callable[[House], Coroutine[Any, Any, None]]] = {
    "empty": empty,
    "two-messages": two_messages,
    "ten-messages": ten_messages,
    "folders": folders,
    "old-and-new": old_and_new,
    "odd-messages": odd_messages,
    "imported": imported,
    "international": international,
    "shared": shared,
}

_READS = frozenset({"contents", "items", "places", "hidden_items"})
_WRITES = frozenset({"apply"})


async def make_house(name: str, options: dict[str, str]) -> House:
    """A house in a named starting state."""
    clock, chance = FixedClock(), CountedChance()
    blobs = MemoryBlobs()
    hints = MemoryHints()
    records = MemoryRecords(blobs, hints.publish, clock)
    faults, reading_faults = Faults(), Faults()
    guarded = faulty_records(faulty_records(records, faults, _WRITES), reading_faults, _READS)
    directory = MemoryDirectory(chance)
    directory.add_domain("example.org")
    hasher = Hasher(chance, HashCost(memory_kib=8, passes=1), _at_once)
    audit = NotedAudit()
    guesses = Guesses(clock, sleep=_no_sleep)
    logins = Logins(directory, audit, clock, chance, hasher, guesses)  # type: ignore[arg-type]
    store = Store(guarded, blobs, hints, clock)
    house = House(
        clock,
        chance,
        directory,
        audit,
        NotedLog(),
        Metrics(),
        blobs,
        faults,
        reading_faults,
        records,
        store,
        logins,
    )
    await house.add_person("alice", "wonderland")
    await house.add_person("bob", "builder")
    await house.add_person("dora", "tür")
    await house.add_device("alice", "phone", "phone-secret")
    await house.add_device("alice", "laptop", "laptop-secret")
    if "policy" in options:
        await house.settle("alice", options["policy"])
    await STORES[name](house)
    return house
