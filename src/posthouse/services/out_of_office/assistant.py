"""The assistant that answers while the owner of a mailbox is away.

Spec: RFC 3834 §2 (when not to answer), §3 and §4 (what a response is, and to whom).

Notes:
    - A sender is answered once in a period; who was answered is noted in the commit that sends the
      reply, which is also the one that notes the arrival as seen: a crash repeats nothing.
    - Only what came while replies were on is answered, however late this assistant looks.
    - The envelope sender of a reply is null, so nothing ever answers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.mime.addresses import HeaderAddress, parse_addresses
from posthouse.formats.mime.headers import first, header_block
from posthouse.model.address import Address
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import Uid
from posthouse.model.item import Flags
from posthouse.model.out_of_office import Audience
from posthouse.model.people import PrincipalKind
from posthouse.model.queue import NewQueued, Notify, QueuedRecipient
from posthouse.services.assistants.arrival import Outcome
from posthouse.services.out_of_office.keeping import out_of_office_of
from posthouse.services.rules.answered import mark_of, read_answered
from posthouse.services.rules.automatic import OUT_OF_OFFICE, why_not
from posthouse.services.rules.letters import Stamp, automatic_reply
from posthouse.services.rules.mine import is_address_of
from posthouse.store.messages import stage_message

if TYPE_CHECKING:
    from posthouse.model.folder import Folder
    from posthouse.model.ids import MailboxId
    from posthouse.model.out_of_office import OutOfOffice
    from posthouse.ports.clock import Chance, Clock
    from posthouse.services.assistants.arrival import Arrival
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.envelope import Journal
    from posthouse.store.store import Store

COLLECTION = "out-of-office"
_ANSWERING = (PrincipalKind.USER, PrincipalKind.SHARED)
_UNANSWERED = (FolderRole.JUNK, FolderRole.RECOVERABLE)
_CONTACTS_MAX = 20_000
_PAGE = 2_000
_HEAD_MAX = 1 << 20


class OutOfOfficeAssistant:
    """Answers arrivals.

    Attributes:
        name: for the log.
    """

    name = "out-of-office"

    def __init__(
        self,
        store: Store,
        addresses: Addresses,
        clock: Clock,
        chance: Chance,
        hostname: str,
        journal: Journal,
    ) -> None:
        """``hostname`` makes Message-IDs unique in the world."""
        self._store = store
        self._addresses = addresses
        self._clock = clock
        self._chance = chance
        self._hostname = hostname
        self._journal = journal

    async def attend(self, arrival: Arrival) -> Outcome | None:
        """Answer, when the owner is away and the sender shall know.

        Raises:
            NotFound: the message or its folder went away meanwhile.
            Unavailable: the store could not be read.
        """
        settled = out_of_office_of(arrival.mailbox.settings)
        now_ms, came_at = self._clock.now_ms(), arrival.item.received_at
        is_on = settled.is_active(now_ms) and settled.is_active(came_at)
        if not is_on or came_at < settled.period_at or arrival.principal.kind not in _ANSWERING:
            return None
        sender = arrival.envelope_sender
        reason = await self._why_not(arrival, sender)
        if reason:
            self._journal.info("out-of-office.silent", to=arrival.principal.address, reason=reason)
            return None
        mailbox = arrival.mailbox
        answered = await read_answered(
            self._store.records, mailbox.mailbox_id, COLLECTION, settled.period_at
        )
        mark = mark_of(mailbox.guid, sender)
        if answered.has(mark):
            return None
        text, is_html = await self._words(settled, mailbox.mailbox_id, sender)
        if not text.strip():
            return None
        outcome = self._reply(arrival, sender, text, is_html=is_html)
        operations = (answered.added(mark).kept(COLLECTION),)
        self._journal.info("out-of-office.replied", to=arrival.principal.address, sender=sender)
        return Outcome(operations, queued=outcome.queued, blobs=outcome.blobs)

    async def _why_not(self, arrival: Arrival, sender: str) -> str:
        """Why a message gets no answer, whatever it says; "" when it may get one."""
        if Flags.JUNK in arrival.flags:
            return "junk"
        mailbox_id = arrival.mailbox.mailbox_id
        folder = await self._store.records.folder(mailbox_id, arrival.folder_id)
        if folder.role in _UNANSWERED:
            return "junk, or deleted"
        is_mine = is_address_of(self._addresses, arrival.principal)
        return why_not(arrival.beginning(_HEAD_MAX), sender, is_mine, OUT_OF_OFFICE)

    # --- which words

    async def _words(
        self, settled: OutOfOffice, mailbox_id: MailboxId, sender: str
    ) -> tuple[str, bool]:
        """The text for this sender ("" none), and whether it is HTML."""
        if self._addresses.is_local_domain(Address.parse(sender).domain):
            return settled.internal, settled.is_internal_html
        match settled.audience:
            case Audience.NONE:
                return "", False
            case Audience.KNOWN if not await self._is_known(mailbox_id, sender):
                return "", False
            case _:
                return settled.external, settled.is_external_html

    async def _is_known(self, mailbox_id: MailboxId, sender: str) -> bool:
        """Whether the address is the first of somebody in the owner's contacts."""
        left = _CONTACTS_MAX
        for folder in await self._store.records.folders(mailbox_id):
            if folder.folder_class == FolderClass.CONTACTS and left > 0:
                left -= folder.item_count
                if await self._is_in(folder, sender.casefold()):
                    return True
        return False

    async def _is_in(self, folder: Folder, wanted: str) -> bool:
        records, mailbox_id = self._store.records, folder.mailbox_id
        after = Uid(0)
        for _ in range(_CONTACTS_MAX // _PAGE):
            places = await records.places(mailbox_id, folder.folder_id, after, _PAGE)
            items = await records.items(mailbox_id, [place.item_id for place in places])
            if any(item.columns.sender.casefold() == wanted for item in items):
                return True
            if len(places) < _PAGE:
                break
            after = places[-1].uid
        return False

    # --- the reply

    def _reply(self, arrival: Arrival, sender: str, text: str, *, is_html: bool) -> Outcome:
        now_ms = self._clock.now_ms()
        owner = arrival.principal
        stamp = Stamp(
            HeaderAddress(owner.name, owner.address),
            f"{self._chance.token_bytes(12).hex()}@{self._hostname}",
            now_ms,
        )
        beginning = arrival.beginning(_HEAD_MAX)
        head = beginning[: header_block(beginning)]
        to = HeaderAddress(_name_of(head, sender), sender)
        content = automatic_reply(head, stamp, to, text, is_html=is_html)
        staged = stage_message(self._store.blobs, content)
        queued = NewQueued(
            sender="",
            recipients=(QueuedRecipient(sender, Notify.NEVER, next_at=now_ms),),
            blob=staged.ref,
            queued_at=now_ms,
            needs_smtputf8=not sender.isascii(),
            is_8bit=not content.isascii(),
        )
        return Outcome(queued=(queued,), blobs=(staged,))


def _name_of(head: bytes, sender: str) -> str:
    """How the sender calls itself, when From has the same address."""
    for entry in parse_addresses(first(head, b"from") or b"", addresses_max=10):
        if entry.address.casefold() == sender.casefold():
            return entry.name
    return ""
