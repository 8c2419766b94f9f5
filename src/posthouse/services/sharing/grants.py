"""Granting: who may read, change, and send as whom; what the operator does about it.

Notes:
    - What may be done in folders is kept with the mailbox, sending as somebody with the directory:
      mail is checked on its way by the directory alone. One act may change both; each is durable
      by itself, and the same act again ends what was cut short.
    - Errors say what is wrong and what to do; they are shown to the operator as they are. Every act
      is in the audit log, synced, before the answer.
    - Grants of somebody who was removed are left where they are: numbers are never used again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.model.batch import Batch, Commit, GrantRights
from posthouse.model.errors import ConfigurationError, NotFound
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.people import PrincipalKind
from posthouse.model.rights import Rights
from posthouse.services.directory.roster import word_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.folder import Folder
    from posthouse.model.ids import FolderId, PrincipalId
    from posthouse.model.people import Principal
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.services.directory.audit import Audit
    from posthouse.store.store import Store

FREE_BUSY = "free-busy"
LEVELS: dict[str, Rights] = {
    "reviewer": Rights.REVIEWER,
    "editor": Rights.EDITOR,
    "owner": Rights.ALL,
    FREE_BUSY: Rights.FREE_BUSY_SIMPLE | Rights.FREE_BUSY_DETAILED,
}
"""What the operator grants on folders, from name to rights."""
SENDING: dict[str, Rights] = {
    "send-as": Rights.SEND_AS,
    "send-on-behalf": Rights.SEND_ON_BEHALF,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be granted or taken away.

    Attributes:
        level: of ``LEVELS``; "" nothing on folders.
        folder: name or path; "" the whole mailbox (of free-busy: the calendar).
        send: SEND_AS, SEND_ON_BEHALF or both.
    """

    level: str = ""
    folder: str = ""
    send: Rights = Rights.NONE


@dataclass(frozen=True, slots=True)
class Share:
    """One thing that somebody may do.

    Attributes:
        grantee: who.
        rights: name of a level, of a way to send, or the number of other rights.
        folder: path; "" the whole mailbox, or sending.
    """

    grantee: Principal
    rights: str
    folder: str = ""


class Grants:
    """Changes and tells who may do what. Used by commands, one at a time.

    Attributes:
        actor: who does it, for the audit log.
    """

    def __init__(self, store: Store, directory: DirectoryRecords, audit: Audit) -> None:
        self._store = store
        self._directory = directory
        self._audit = audit
        self.actor = "operator"

    async def listed(self, owner: Principal) -> Sequence[Share]:
        """What is granted on a mailbox and its addresses, in order of grantee and folder."""
        found: list[Share] = []
        if owner.mailbox_id:
            paths = _paths(await self._store.records.folders(owner.mailbox_id))
            for grant in await self._store.records.grants(owner.mailbox_id):
                grantee = self._principal(grant.principal_id)
                if grantee is not None and grant.folder_id in paths:
                    found.append(Share(grantee, _level(grant.rights), paths[grant.folder_id]))
        for send in self._directory.send_grants(owner.principal_id):
            grantee = self._principal(send.grantee_id)
            if grantee is not None:
                found += [Share(grantee, name) for name, r in SENDING.items() if r & send.rights]
        return sorted(found, key=lambda share: (share.grantee.address, share.folder))

    async def grant(self, owner: Principal, grantee: Principal, wish: Wish) -> Sequence[Share]:
        """Grant; on a folder it takes the place of what was granted there before.

        Args:
            owner: whose mailbox or address.
            grantee: a person, or a group for all who are in it.
            wish: at least something.

        Raises:
            NotFound: there is no such folder.
            ConfigurationError: it makes no sense.
        """
        self._check(owner, grantee, wish)
        done: list[Share] = []
        if wish.level:
            folder, path = await self._folder(owner, wish)
            await self._set(folder, grantee, LEVELS[wish.level])
            done.append(Share(grantee, wish.level, path))
        if wish.send:
            rights = self._sending(owner, grantee) | wish.send
            self._directory.set_send_grant(owner.principal_id, grantee.principal_id, rights)
            done += [Share(grantee, name) for name, right in SENDING.items() if right & wish.send]
        self._record("share-granted", owner, grantee, done)
        return done

    async def revoke(self, owner: Principal, grantee: Principal, wish: Wish) -> Sequence[Share]:
        """Take away; a wish for nothing means everything of this grantee.

        Args:
            owner: whose mailbox or address.
            grantee: who loses it.
            wish: a folder, ways to send; the level does not matter.

        Raises:
            NotFound: there is nothing to take away, or no such folder.
        """
        wants_all = not wish.folder and not wish.send
        done = await self._revoke_folders(owner, grantee, wish.folder, wants_all=wants_all)
        before = self._sending(owner, grantee)
        lost = before & (before if wants_all else wish.send)
        if lost:
            ids = (owner.principal_id, grantee.principal_id)
            self._directory.set_send_grant(*ids, before & ~lost)
            done += [Share(grantee, name) for name, right in SENDING.items() if right & lost]
        if not done:
            raise NotFound(
                f"{grantee.address} was granted nothing of that on {owner.address};"
                f" see `posthouse share list {owner.address}`"
            )
        self._record("share-revoked", owner, grantee, done)
        return done

    async def _revoke_folders(
        self, owner: Principal, grantee: Principal, name: str, *, wants_all: bool
    ) -> list[Share]:
        if not owner.mailbox_id or not (name or wants_all):
            return []
        folders = await self._store.records.folders(owner.mailbox_id)
        chosen = folders if wants_all else [_named(folders, name, owner)]
        wanted = {folder.folder_id: folder for folder in chosen}
        paths = _paths(folders)
        done: list[Share] = []
        for grant in await self._store.records.grants(owner.mailbox_id):
            folder = wanted.get(grant.folder_id)
            if folder is not None and grant.principal_id == grantee.principal_id:
                await self._set(folder, grantee, Rights.NONE)
                done.append(Share(grantee, _level(grant.rights), paths[grant.folder_id]))
        return done

    def _check(self, owner: Principal, grantee: Principal, wish: Wish) -> None:
        if grantee.kind not in (PrincipalKind.USER, PrincipalKind.GROUP):
            word = word_of(grantee)
            raise ConfigurationError(f"{grantee.address} is a {word}; grant to a user or a group")
        if grantee.principal_id == owner.principal_id:
            raise ConfigurationError(f"{owner.address} may do everything with its own already")
        if not wish.level and not wish.send:
            raise ConfigurationError("nothing to grant: say which rights, or how to send")
        if wish.level and not owner.mailbox_id:
            raise ConfigurationError(
                f"{owner.address} is a group: it has no folders; only sending can be granted"
            )

    async def _folder(self, owner: Principal, wish: Wish) -> tuple[Folder, str]:
        folders = await self._store.records.folders(owner.mailbox_id)
        is_for_calendar = wish.level == FREE_BUSY
        if wish.folder:
            folder = _named(folders, wish.folder, owner)
        else:
            role = FolderRole.CALENDAR if is_for_calendar else FolderRole.ROOT
            folder = await self._store.role_folder(owner.mailbox_id, role)
        if is_for_calendar and folder.folder_class is not FolderClass.CALENDAR:
            raise ConfigurationError(f"free-busy goes with a calendar; {folder.name} is none")
        return folder, _paths(folders)[folder.folder_id]

    async def _set(self, folder: Folder, grantee: Principal, rights: Rights) -> None:
        operation = GrantRights(folder.folder_id, grantee.principal_id, rights)
        await self._store.apply(Commit((Batch(folder.mailbox_id, (operation,)),)))

    def _sending(self, owner: Principal, grantee: Principal) -> Rights:
        for grant in self._directory.send_grants(owner.principal_id):
            if grant.grantee_id == grantee.principal_id:
                return grant.rights
        return Rights.NONE

    def _principal(self, principal_id: PrincipalId) -> Principal | None:
        try:
            return self._directory.principal(principal_id)
        except NotFound:
            return None

    def _record(
        self, event: str, owner: Principal, grantee: Principal, done: Sequence[Share]
    ) -> None:
        what = tuple(f"{s.rights} {s.folder}".rstrip() for s in done)
        self._audit.record(
            event, by=self.actor, address=owner.address, to=grantee.address, rights=what
        )


def _level(rights: Rights) -> str:
    """What the operator calls these rights."""
    for name, level in LEVELS.items():
        if rights == level:
            return name
    return f"{rights.value:#x}"


def _paths(folders: Sequence[Folder]) -> dict[FolderId, str]:
    """Path of every folder, names with "/" between them; "" of the root."""
    paths: dict[FolderId, str] = {}
    for folder in folders:
        above = paths.get(folder.parent_id, "")
        own = f"{above}/{folder.name}" if above else folder.name
        paths[folder.folder_id] = "" if folder.role is FolderRole.ROOT else own
    return paths


def _named(folders: Sequence[Folder], text: str, owner: Principal) -> Folder:
    """The folder of that path, or the only one of that name; letter case does not matter."""
    wanted = text.strip("/ ").casefold()
    shown = [f for f in folders if f.role not in (FolderRole.ROOT, FolderRole.RECOVERABLE)]
    paths = _paths(folders)
    found = [f for f in shown if paths[f.folder_id].casefold() == wanted]
    found = found or [f for f in shown if f.name.casefold() == wanted]
    if not found:
        known = ", ".join(sorted(paths[f.folder_id] for f in shown))
        raise NotFound(f"{owner.address} has no folder {text!r}; it has {known}")
    if len(found) > 1:
        several = ", ".join(paths[f.folder_id] for f in found)
        raise ConfigurationError(f"{text!r} is ambiguous: say which of {several}")
    return found[0]
