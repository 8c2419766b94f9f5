"""Rules at delivery: where a message goes in its mailbox, and what follows from it.

Notes:
    - All that rules bring about is in the commit that delivers the message.
    - What rules put elsewhere comes to Inbox and goes on at once: assistants see it come, clients
      do not.
    - No mail is lost over rules: where they cannot be worked out the message lies in Inbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.errors import NotFound, StoreError
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.message_bag import bag_of, bag_with
from posthouse.services.mailflow.handing_on import HandingOn
from posthouse.services.rules.evaluate import evaluate
from posthouse.services.rules.facts import BODY_OCTETS_MAX, Facts
from posthouse.services.rules.keeping import Rulebook
from posthouse.services.rules.mine import is_address_of

if TYPE_CHECKING:
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.item import NewItem
    from posthouse.model.people import Principal
    from posthouse.model.rule import Rule
    from posthouse.ports.clock import Chance
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.assembly import Assembly
    from posthouse.services.mailflow.envelope import Journal, Policy
    from posthouse.services.mailflow.letter import Letter
    from posthouse.services.mailflow.placement import Placement
    from posthouse.services.rules.evaluate import Verdict
    from posthouse.store.store import Store

_NO_TARGET = (FolderRole.ROOT, FolderRole.RECOVERABLE)
_TOLD_MAX = 10


class Ruling:
    """Goes by rules, for one process.

    Attributes:
        book: the rules remembered.
    """

    def __init__(
        self,
        store: Store,
        addresses: Addresses,
        policy: Policy,
        chance: Chance,
        placement: Placement,
        journal: Journal,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._placement = placement
        self._journal = journal
        self._handing_on = HandingOn(store, addresses, policy, chance, journal)
        self.book = Rulebook(store, self._unreadable)

    def _unreadable(self, mailbox_id: MailboxId, reason: str) -> None:
        self._journal.warning("rules.unreadable", mailbox_id=mailbox_id, reason=reason[:500])

    async def file(
        self,
        assembly: Assembly,
        letter: Letter,
        rules: tuple[Rule, ...],
        owner: Principal,
        folder_id: FolderId,
        item: NewItem,
    ) -> None:
        """File a message as its recipient's rules want it.

        Args:
            assembly: gets it, and what follows from it.
            letter: the message.
            rules: of the mailbox.
            owner: of the mailbox.
            folder_id: where it comes to; without rules it stays there.
            item: as it would be without rules.

        Raises:
            StoreError: the records could not be asked now.
        """
        mailbox_id = owner.mailbox_id
        try:
            verdict = await self._verdict(letter, rules, owner)
            mail = await self._handing_on.mail(letter, verdict, owner)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the message is delivered
            self._journal.error("rules.failed", to=owner.address, reason=repr(error)[:500])
            assembly.add_item(mailbox_id, folder_id, item)
            return
        target = await self._target(mailbox_id, verdict) or folder_id
        _put(assembly, mailbox_id, folder_id, (target, *verdict.copies), _marked(item, verdict))
        for operation in mail.operations:
            assembly.do(mailbox_id, operation)
        for staged in mail.blobs:
            assembly.bring(staged)
        for queued in mail.queued:
            assembly.enqueue(queued)

    async def _verdict(self, letter: Letter, rules: tuple[Rule, ...], owner: Principal) -> Verdict:
        facts = Facts(
            letter.head,
            letter.columns,
            letter.content.size_bytes,
            letter.at_ms,
            is_mine=is_address_of(self._addresses, owner),
            beginning=lambda: letter.beginning(BODY_OCTETS_MAX),
        )
        gone: frozenset[FolderId] = frozenset()
        verdict = evaluate(rules, facts)
        while lost := [one for one in verdict.folders if not await self._takes_mail(owner, one)]:
            gone = gone.union(lost)
            verdict = evaluate(rules, facts, gone)
        if verdict.fired:
            self._journal.info("rules.fired", to=owner.address, rules=_told(verdict.fired))
        if verdict.skipped:
            self._journal.warning("rules.skipped", to=owner.address, rules=_told(verdict.skipped))
        return verdict

    async def _takes_mail(self, owner: Principal, folder_id: FolderId) -> bool:
        try:
            folder = await self._store.records.folder(owner.mailbox_id, folder_id)
        except NotFound:
            return False
        return folder.folder_class == FolderClass.MAIL and folder.role not in _NO_TARGET

    async def _target(self, mailbox_id: MailboxId, verdict: Verdict) -> FolderId | None:
        if verdict.is_deleted:
            return await self._placement.special(mailbox_id, FolderRole.DELETED)
        if verdict.is_expunged:
            return await self._placement.special(mailbox_id, FolderRole.RECOVERABLE)
        return verdict.folder


def _put(
    assembly: Assembly,
    mailbox_id: MailboxId,
    arrives_in: FolderId,
    folders: tuple[FolderId, ...],
    item: NewItem,
) -> None:
    """File the item in each of the folders once; the one that came is the first, or in Inbox."""
    rest = dict.fromkeys(folders)
    if arrives_in in rest:
        del rest[arrives_in]
        assembly.add_item(mailbox_id, arrives_in, item)
    else:
        del rest[folders[0]]
        assembly.add_item_through(mailbox_id, arrives_in, folders[0], item)
    for folder_id in rest:
        assembly.add_item(mailbox_id, folder_id, item)


def _marked(item: NewItem, verdict: Verdict) -> NewItem:
    """The item with what rules set on it."""
    if verdict.marks:
        item = replace(item, flags=item.flags | verdict.marks)
    if verdict.importance is not None:
        item = replace(item, columns=replace(item.columns, importance=int(verdict.importance)))
    if verdict.categories:
        known = replace(bag_of(item.bag), categories=verdict.categories)
        item = replace(item, bag=bag_with(item.bag, known))
    return item


def _told(names: tuple[str, ...]) -> list[str]:
    return [name[:80] for name in names[:_TOLD_MAX]]
