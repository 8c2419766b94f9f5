"""The folders an import files into: found by role or name, made where they are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.batch import Batch, Commit, MakeFolder
from posthouse.model.folder import FolderRole

if TYPE_CHECKING:
    from posthouse.model.folder import Folder
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.services.upkeep.finds import FoundFolder
    from posthouse.store.store import Store

_NAME_MAX = 255
_ROLE_NAMES = {
    "drafts": FolderRole.DRAFTS,
    "draft": FolderRole.DRAFTS,
    "entwürfe": FolderRole.DRAFTS,
    "sent": FolderRole.SENT,
    "sent items": FolderRole.SENT,
    "sent messages": FolderRole.SENT,
    "sent mail": FolderRole.SENT,
    "gesendet": FolderRole.SENT,
    "gesendete elemente": FolderRole.SENT,
    "trash": FolderRole.DELETED,
    "deleted items": FolderRole.DELETED,
    "deleted messages": FolderRole.DELETED,
    "papierkorb": FolderRole.DELETED,
    "gelöschte elemente": FolderRole.DELETED,
    "junk": FolderRole.JUNK,
    "junk email": FolderRole.JUNK,
    "junk e-mail": FolderRole.JUNK,
    "spam": FolderRole.JUNK,
    "archive": FolderRole.ARCHIVE,
    "archives": FolderRole.ARCHIVE,
    "archiv": FolderRole.ARCHIVE,
}


class FolderTree:
    """The folders of one mailbox while somebody files into it."""

    def __init__(self, store: Store, mailbox_id: MailboxId) -> None:
        self._store = store
        self._mailbox_id = mailbox_id
        self._known: dict[FoundFolder, FolderId] = {}

    async def folder_id(self, found: FoundFolder) -> FolderId:
        """Where to file what lay in this folder."""
        known = self._known.get(found)
        if known is None:
            known = await self._resolve(found)
            self._known[found] = known
        return known

    async def _resolve(self, found: FoundFolder) -> FolderId:
        folders = list(await self._store.records.folders(self._mailbox_id))
        by_role = {folder.role: folder for folder in folders if folder.role}
        if found.role not in (FolderRole.NONE, FolderRole.ROOT) and found.role in by_role:
            return by_role[found.role].folder_id
        names = [_clean(name) for name in found.path]
        at = by_role[FolderRole.ROOT].folder_id
        if not found.is_exact and names and names[0].casefold() == "inbox":
            # "INBOX.Sent" of other servers stands beside our inbox, not in it.
            names = names[1:]
        if not names:
            return by_role[FolderRole.INBOX].folder_id
        role = _ROLE_NAMES.get(names[0].casefold(), FolderRole.NONE)
        if role and role in by_role and not found.is_exact:
            at = by_role[role].folder_id
            names = names[1:]
        for name in names:
            at = _child(folders, at, name) or await self._make(at, name, found)
        return at

    async def _make(self, parent: FolderId, name: str, found: FoundFolder) -> FolderId:
        make = MakeFolder(parent, name, found.folder_class, FolderRole.NONE)
        (result,) = await self._store.apply(Commit((Batch(self._mailbox_id, (make,)),)))
        made = result.results[0].folder_id
        assert made is not None  # noqa: S101 - MakeFolder always gives one
        return made


def _child(folders: list[Folder], parent: FolderId, name: str) -> FolderId | None:
    key = name.casefold()
    for folder in folders:
        if folder.parent_id == parent and folder.name.casefold() == key:
            return folder.folder_id
    return None


def _clean(name: str) -> str:
    """A name the store takes: printable, at most 255 characters, never empty."""
    text = "".join(c if c.isprintable() else " " for c in name).strip()[:_NAME_MAX]
    return text.encode("utf-8", "replace").decode() or "Unnamed"
