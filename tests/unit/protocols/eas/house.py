"""A door over memory: its services, people with phones, and what their phones say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.unit.services.meetings.conftest import HOST, Office

from posthouse.backends.memory.fulltext import MemoryFullText
from posthouse.formats.mime.card import digests
from posthouse.model.batch import Batch, Commit, GrantRights
from posthouse.model.errors import PosthouseError
from posthouse.model.folder import FolderRole
from posthouse.protocols.eas.collections import folder_server_id
from posthouse.protocols.eas.commands import COMMANDS
from posthouse.protocols.eas.errors import ROOTS, refusal
from posthouse.protocols.eas.session import Call, EasLimits, EasServices
from posthouse.protocols.eas.wire.as_text import element_from_text
from posthouse.protocols.eas.wire.code_pages_table import TOKENS
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.request_line import RequestLine
from posthouse.protocols.eas.wire.wbxml import decode, encode
from posthouse.runtime.http import Head
from posthouse.services.cards.rendering import Cards
from posthouse.services.devices.partnerships import Partnerships
from posthouse.services.devices.policies import DeviceRules
from posthouse.services.directory.address_book import AddressBook
from posthouse.services.mailflow.outgoing import Outgoing
from posthouse.services.out_of_office.keeping import OutOfOffices
from posthouse.services.search.indexer import Indexer
from posthouse.services.search.search import Search

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from posthouse.model.rights import Rights

__all__ = ["HOST", "EasHouse", "play"]


async def _at_once(work):
    return work()


async def _words(contents):
    return digests(contents)


class EasHouse(Office):
    """Alice, Bob and Carol, each with a phone. ``limits`` may be set before ``begin``."""

    limits = EasLimits()

    async def begin(self) -> EasHouse:
        await super().begin()
        self.partnerships = Partnerships(self.directory, self.clock, self.chance, DeviceRules())
        fulltext = MemoryFullText()
        self.indexer = Indexer(self.store, fulltext, _words, _at_once)
        self.services = EasServices(
            store=self.store,
            entries=self.entries,
            cards=Cards(self.store),
            access=self.access,
            partnerships=self.partnerships,
            outgoing=Outgoing(self.store, self.mailflow, self.addresses),
            meetings=self.meetings,
            out_of_offices=OutOfOffices(self.store, self.clock),
            logins=None,
            directory=self.directory,
            addresses=self.addresses,
            address_book=AddressBook(self.directory),
            search=Search(fulltext, self.indexer, self.clock),
            clock=self.clock,
            chance=self.chance,
            log=self.journal,
            limits=self.limits,
        )
        return self

    def eas_call(
        self, command: str, name: str = "alice", version: Version = Version.V16_1, **line: Any
    ) -> Call:
        """A request of somebody's phone."""
        login = self.login(name)
        partnership = self.partnerships.meet(login, f"{name}phone", version=version)
        head = Head("POST", "/", "", {}, "192.0.2.7", True, "https", "s1")
        asked = RequestLine(command, f"{name}phone", "Phone", name, version.text, **line)
        return Call(self.services, head, asked, login, version, partnership)

    async def says(
        self,
        command: str,
        inner: str,
        name: str = "alice",
        version: Version = Version.V16_1,
        **line: Any,
    ) -> Any:
        """What the door answers; ``inner`` is what stands in the document's root, as XML."""
        space = ROOTS[command].name.partition(":")[0]
        others = "".join(f' xmlns:{one}="{one}"' for one in TOKENS if one != space)
        request = element_from_text(f'<{command} xmlns="{space}"{others}>{inner}</{command}>')
        call = self.eas_call(command, name, version, **line)
        try:
            answer = await COMMANDS[command](call, request)
        except PosthouseError as error:
            answer = refusal(command, error)
        if isinstance(answer, Element):
            assert decode(encode(answer)) == answer
        return answer

    async def folder(self, name: str, role: FolderRole = FolderRole.INBOX) -> str:
        """What a folder is called by its owner's phone."""
        folder = await self.store.role_folder(self.people[name].mailbox_id, role)
        return folder_server_id(folder.mailbox_id, folder.folder_id, is_own=True)

    async def shared(self, owner: str, role: FolderRole, grantee: str, rights: Rights) -> str:
        """Share a folder; what the grantee's phone calls it."""
        mailbox_id = self.people[owner].mailbox_id
        folder = await self.store.role_folder(mailbox_id, role)
        grant = GrantRights(folder.folder_id, self.people[grantee].principal_id, rights)
        await self.store.apply(Commit((Batch(mailbox_id, (grant,)),)))
        return folder_server_id(mailbox_id, folder.folder_id, is_own=False)


def play(scene: Callable[[EasHouse], Awaitable[None]], limits: EasLimits | None = None) -> None:
    """Run a scene in a house of its own."""

    async def whole() -> None:
        house = EasHouse()
        house.limits = limits or house.limits
        try:
            await scene(await house.begin())
        finally:
            house.close()

    asyncio.run(whole())
