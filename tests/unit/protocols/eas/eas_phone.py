"""A phone that keeps what it is told of one collection, and finds fault with the answers."""

from __future__ import annotations

from posthouse.formats.mime.dots import stuff
from posthouse.model.batch import AddItem, Batch, Commit
from posthouse.model.blob import BlobForm
from posthouse.model.contact import Contact
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags, ItemColumns, ItemKind, NewItem


def mail(number, size=0):
    return (
        b"From: Someone <someone@example.net>\r\nTo: alice@example.org\r\n"
        b"Subject: Mail %d\r\nMessage-ID: <m%d@example.net>\r\n"
        b"Date: Sat, 03 Jan 2026 10:00:00 +0000\r\n\r\n%s\r\n"
    ) % (number, number, b"word " * (size // 5) or b"Text.")


async def deliver(house, folder_id, number, received_at=None, *, flags=Flags.NONE, size=0):
    """A message in one of alice's folders; its item_id."""
    content = mail(number, size)
    wire, dots, lacks = stuff(content)
    staged = house.blobs.stage_bytes(wire, BlobForm.WIRE, has_dot_lines=dots, lacks_final_eol=lacks)
    item = NewItem(
        ItemKind.MESSAGE,
        staged.ref,
        house.clock.now_ms() if received_at is None else received_at,
        flags=flags,
        columns=ItemColumns(subject=f"Mail {number}"),
    )
    batch = Batch(house.people["alice"].mailbox_id, (AddItem(folder_id, item),))
    (result,) = await house.store.apply(Commit((batch,), (staged,)))
    return result.results[0].item_ids[0]


async def meet(house, folder_id, name):
    """A new contact in one of alice's folders; its item_id."""
    mailbox_id = house.people["alice"].mailbox_id
    entry = await house.entries.add(mailbox_id, folder_id, Contact(last=name))
    return entry.item.item_id


def contact(name):
    return (
        f"<ApplicationData><Contacts:LastName>{name}</Contacts:LastName>"
        f"<Contacts:FileAs>{name}</Contacts:FileAs></ApplicationData>"
    )


class Phone:
    """One collection of somebody's phone.

    Attributes:
        items: ServerId -> last name of a contact, or (subject, read) of a message.
        key: newest SyncKey it has seen.
        options: filter and the like, as XML.
        restarts: how often it had to begin anew.
        faults: what it was told that it could not make sense of.
        pending: ClientId -> last name of contacts whose Add was not answered yet.
    """

    def __init__(self, house, name, collection_id):
        self.house = house
        self.name = name
        self.collection_id = collection_id
        self.items = {}
        self.key = "0"
        self.options = ""
        self.restarts = 0
        self.faults = []
        self.pending = {}

    async def ask(self, commands="", window=0, more="", wait=""):
        """One request; the answer's root, or None."""
        key = self.key
        parts = [f"<SyncKey>{key}</SyncKey><CollectionId>{self.collection_id}</CollectionId>"]
        parts.append(more)
        if window:
            parts.append(f"<WindowSize>{window}</WindowSize>")
        if self.options:
            parts.append(f"<Options>{self.options}</Options>")
        if commands:
            parts.append(f"<Commands>{commands}</Commands>")
        inner = f"<Collections><Collection>{''.join(parts)}</Collection></Collections>{wait}"
        return await self.house.says("Sync", inner, self.name)

    async def sync(self, commands="", window=0, more=""):
        """Ask and take the answer; the Collection of it, or None when it says nothing."""
        return self.take(await self.ask(commands, window, more))

    async def begin(self):
        self.key = "0"
        self.items = {}
        assert (await self.sync()).text_of("Status") == "1"

    async def drain(self, window=0, most=200):
        """Sync until there is nothing more; how many requests it took."""
        for count in range(most):
            if self.key == "0":
                await self.begin()
            told = await self.sync(window=window)
            if told is None:
                return count
        raise AssertionError(f"more than {most} requests")

    def take(self, answer):
        if answer is None:
            return None
        told = answer.find("Collections", "Collection")
        if told is None:
            return answer
        if told.text_of("Status") == "3":
            self.key, self.items = "0", {}
            self.restarts += 1
            return told
        assert told.text_of("Status") == "1"
        assert told.text_of("SyncKey") != self.key, "an answer with the same key"
        self.key = told.text_of("SyncKey")
        for one in (told.child("Responses") or told).children:
            if one.tag == "Add" and one.text_of("Status") == "1":
                self.items[one.text_of("ServerId")] = self.pending.pop(one.text_of("ClientId"))
        for one in (told.child("Commands") or told).children:
            if one.tag in ("Add", "Change", "Delete", "SoftDelete"):
                self._obey(one)
        return told

    def _obey(self, command):
        name = command.text_of("ServerId")
        data = command.child("ApplicationData")
        match command.tag:
            case "Add":
                if name in self.items:
                    self.faults.append(f"Add of {name}, which is known")
                self.items[name] = self._read(data, None)
            case "Change" if name in self.items:
                self.items[name] = self._read(data, self.items[name])
            case "Change":
                self.faults.append(f"Change of {name}, which is not known")
            case _:
                self.items.pop(name, None)

    def _read(self, data, known):
        if data.child("Contacts:FileAs") or data.child("Contacts:LastName"):
            return data.text_of("Contacts:LastName")
        subject = known[0] if known else data.text_of("Email:Subject")
        read = data.child("Email:Read")
        return subject, (known[1] if read is None else read.text == "1")


async def phone_of(house, role=FolderRole.INBOX, count=0):
    """Alice's phone with so many new items in one folder, and the folder's number."""
    name = await house.folder("alice", role)
    for number in range(count):
        if role is FolderRole.INBOX:
            await deliver(house, int(name), number)
        else:
            await meet(house, int(name), f"Name{number}")
    phone = Phone(house, "alice", name)
    await phone.begin()
    return phone, int(name)


async def apply(house, *operations, name="alice"):
    mailbox_id = house.people[name].mailbox_id
    return await house.store.apply(Commit((Batch(mailbox_id, operations),)))


def told(answer, tag="Add"):
    commands = answer.find("Collections", "Collection", "Commands")
    return [] if commands is None else [one.text_of("ServerId") for one in commands.each(tag)]
