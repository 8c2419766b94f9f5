"""Access: what somebody may do in a mailbox, and which mailboxes are shared with them.

Spec: [MS-OXCPERM] v18 §2.2.7 (what the rights mean).

Notes:
    - The owner of a mailbox may do everything in it. A shared mailbox has no owner who logs in.
    - A grant on the root folder holds for every folder of the mailbox, also for those made later; a
      grant on another folder holds for that one alone, not for those below it. Grants add up, and
      what a group was granted holds for all in it.
    - Everybody here sees when a colleague's calendar is busy, as Exchange has it; more needs a
      grant.
    - Recoverable Items are nobody's but the owner's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.model.errors import AccessDenied, NotFound
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.rights import Rights
from posthouse.services.directory.memberships import Memberships

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.folder import Folder
    from posthouse.model.ids import ChangeNumber, FolderId, MailboxId, PrincipalId
    from posthouse.model.people import Principal
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.ports.records import Grant
    from posthouse.store.store import Store

    _Stand = tuple[MailboxId, bytes, int, ChangeNumber]

_REMEMBERED_MAX = 10_000
_BUSY = Rights.FREE_BUSY_SIMPLE | Rights.FREE_BUSY_DETAILED


@dataclass(frozen=True, slots=True)
class Opened:
    """A mailbox that is shared with somebody.

    Attributes:
        mailbox_id: which.
        principal: whose it is.
        folders: what was granted, parents before children; folders without a grant are not here.
    """

    mailbox_id: MailboxId
    principal: Principal
    folders: tuple[tuple[Folder, Rights], ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was opened, and how everything stood then: directory, grants, mailboxes."""

    version: int
    grants: tuple[Grant, ...]
    stands: tuple[_Stand, ...]
    opened: tuple[Opened, ...]


class Access:
    """Decides, for every door. One per process.

    Args:
        store: grants and folders.
        directory: people and groups.
    """

    def __init__(self, store: Store, directory: DirectoryRecords) -> None:
        self._store = store
        self._directory = directory
        self._memberships = Memberships(directory)
        self._known: dict[PrincipalId, _Known] = {}

    async def rights(
        self, principal: Principal, mailbox_id: MailboxId, folder_id: FolderId
    ) -> Rights:
        """What somebody may do with a folder.

        Args:
            principal: who logged in.
            mailbox_id: anybody's.
            folder_id: a folder of it; of one's own mailbox it is not looked for.

        Raises:
            NotFound: there is no such mailbox or folder.
        """
        if principal.mailbox_id == mailbox_id:
            return Rights.ALL
        records = self._store.records
        folder = await records.folder(mailbox_id, folder_id)
        root = await self._store.role_folder(mailbox_id, FolderRole.ROOT)
        places = (folder_id, root.folder_id)
        identities = self._memberships.identities(principal.principal_id)
        granted = Rights.NONE
        for grant in await records.grants(mailbox_id):
            if grant.folder_id in places and grant.principal_id in identities:
                granted |= grant.rights
        return _as_on(folder, granted, _everybodys(folder))

    async def require(
        self, principal: Principal, mailbox_id: MailboxId, folder_id: FolderId, wanted: Rights
    ) -> Rights:
        """Make sure of rights on a folder; the answer is all that there are.

        Raises:
            NotFound: there is no such folder, or nothing of it may be seen.
            AccessDenied: it may be seen, but not this be done.
        """
        rights = await self.rights(principal, mailbox_id, folder_id)
        if wanted & ~rights:
            who = principal.address
            if not rights & Rights.VISIBLE:
                raise NotFound(f"{who} sees no folder {folder_id} in mailbox {mailbox_id}")
            raise AccessDenied(f"{who} lacks {wanted & ~rights!r} on {mailbox_id}/{folder_id}")
        return rights

    async def mailboxes_of(self, principal: Principal) -> Sequence[Opened]:
        """Every mailbox of others in which something was granted, in order of mailbox."""
        records = self._store.records
        version = self._directory.version()
        identities = self._memberships.identities(principal.principal_id)
        grants = tuple(await records.granted_to(sorted(identities)))
        mailbox_ids = dict.fromkeys(grant.mailbox_id for grant in grants)
        mailbox_ids.pop(principal.mailbox_id, None)
        if not mailbox_ids:
            return ()
        stands = tuple([stand for one in mailbox_ids if (stand := await self._stand(one))])
        known = self._known.get(principal.principal_id)
        if known is None or (known.version, known.grants, known.stands) != (
            version,
            grants,
            stands,
        ):
            opened = [await self._opened(stand[0], grants) for stand in stands]
            known = _Known(version, grants, stands, tuple(filter(None, opened)))
            if len(self._known) >= _REMEMBERED_MAX:
                self._known.clear()
            self._known[principal.principal_id] = known
        return known.opened

    async def opened(self, principal: Principal, address: str) -> Opened:
        """The mailbox of an address, if something in it is shared with somebody.

        Args:
            principal: who logged in.
            address: key form, primary or alias.

        Raises:
            NotFound: there is none, or nothing in it is shared with them; the two look the same.
        """
        owner = self._directory.by_address(address)
        for opened in await self.mailboxes_of(principal):
            if owner is not None and opened.mailbox_id == owner.mailbox_id:
                return opened
        raise NotFound(f"nothing of {address} is shared with {principal.address}")

    async def _stand(self, mailbox_id: MailboxId) -> _Stand | None:
        try:
            mailbox = await self._store.records.mailbox(mailbox_id)
        except NotFound:
            return None
        return mailbox_id, mailbox.guid, mailbox.epoch, mailbox.highest_cn

    async def _opened(self, mailbox_id: MailboxId, grants: Iterable[Grant]) -> Opened | None:
        owner = self._directory.by_mailbox(mailbox_id)
        if owner is None:
            return None
        granted: dict[FolderId, Rights] = {}
        for grant in grants:
            if grant.mailbox_id == mailbox_id:
                before = granted.get(grant.folder_id, Rights.NONE)
                granted[grant.folder_id] = before | grant.rights
        folders = await self._store.records.folders(mailbox_id)
        on_all = Rights.NONE
        for folder in folders:
            if folder.role is FolderRole.ROOT:
                on_all = granted.get(folder.folder_id, Rights.NONE)
        shown: list[tuple[Folder, Rights]] = []
        for folder in folders:
            rights = _as_on(folder, on_all | granted.get(folder.folder_id, Rights.NONE))
            if rights:
                shown.append((folder, rights))
        return Opened(mailbox_id, owner, tuple(shown)) if shown else None


def _everybodys(folder: Folder) -> Rights:
    """What nobody needs a grant for."""
    is_calendar = folder.folder_class is FolderClass.CALENDAR
    return Rights.FREE_BUSY_SIMPLE if is_calendar else Rights.NONE


def _as_on(folder: Folder, granted: Rights, besides: Rights = Rights.NONE) -> Rights:
    """What grants come to on a folder: with all that they include, without what makes no sense."""
    if folder.role is FolderRole.RECOVERABLE:
        return Rights.NONE
    rights = granted | besides
    if rights & Rights.EDIT_ANY:
        rights |= Rights.EDIT_OWNED
    if rights & Rights.DELETE_ANY:
        rights |= Rights.DELETE_OWNED
    if rights & (Rights.READ_ANY | Rights.OWNER):
        rights |= Rights.VISIBLE
    if folder.folder_class is not FolderClass.CALENDAR:
        return rights & ~_BUSY
    if rights & Rights.READ_ANY:
        rights |= _BUSY
    if rights & Rights.FREE_BUSY_DETAILED:
        rights |= Rights.FREE_BUSY_SIMPLE
    return rights
