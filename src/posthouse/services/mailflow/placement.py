"""Where a delivery goes: which folder of which mailbox, and with which lines before it.

Spec: RFC 5233 (subaddress), RFC 5321 §4.4 (Return-Path), RFC 9228 (Delivered-To).

Notes:
    Ids of special folders never change while their mailbox lives, so they are remembered here and a
    usual delivery asks the records nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.mime.trace import delivered_to, return_path
from posthouse.model.folder import FolderClass, FolderRole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.folder import Folder
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.store.store import Store

_OPEN_ROLES = (FolderRole.NONE, FolderRole.INBOX, FolderRole.JUNK, FolderRole.ARCHIVE)
"""Folders that an address may name: nobody outside shall put drafts or sent mail into a mailbox."""
_REMEMBERED_MAX = 20_000


class Placement:
    """Finds folders for deliveries."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._special: dict[tuple[MailboxId, FolderRole], FolderId] = {}
        self._inboxes: dict[MailboxId, FolderId] = {}

    async def special(self, mailbox_id: MailboxId, role: FolderRole) -> FolderId:
        """Id of a special folder. Raises NotFound."""
        known = self._special.get((mailbox_id, role))
        if known is not None:
            return known
        folder = await self._store.role_folder(mailbox_id, role)
        if len(self._special) >= _REMEMBERED_MAX:
            self._special.clear()
        self._special[mailbox_id, role] = folder.folder_id
        return folder.folder_id

    async def inbox(self, mailbox_id: MailboxId, detail: str = "") -> FolderId:
        """The folder that ``+detail`` names when it is there and holds mail, else Inbox."""
        if detail:
            named = _named(await self._store.records.folders(mailbox_id), detail)
            if named is not None:
                return named
        folder_id = await self.special(mailbox_id, FolderRole.INBOX)
        if len(self._inboxes) >= _REMEMBERED_MAX:
            self._inboxes.clear()
        self._inboxes[mailbox_id] = folder_id
        return folder_id

    def known_inbox(self, mailbox_id: MailboxId) -> FolderId | None:
        """Its Inbox, when that is remembered: nearly always."""
        return self._inboxes.get(mailbox_id)

    def forget(self) -> None:
        """Something was not where it was remembered."""
        self._special.clear()
        self._inboxes.clear()


def _named(folders: Sequence[Folder], detail: str) -> FolderId | None:
    """A mail folder by name or path (``Rome``, ``Projects/Rome``); the nearest to the root."""
    wanted = detail.casefold()
    paths: dict[FolderId, tuple[str, ...]] = {}
    best: tuple[int, FolderId] | None = None
    for folder in folders:
        above = paths.get(folder.parent_id, ())
        path = () if folder.role is FolderRole.ROOT else (*above, folder.name.casefold())
        paths[folder.folder_id] = path
        if folder.folder_class is not FolderClass.MAIL or folder.role not in _OPEN_ROLES:
            continue
        matches = bool(path) and wanted in (path[-1], "/".join(path), ".".join(path))
        if matches and (best is None or len(path) < best[0]):
            best = (len(path), folder.folder_id)
    return best[1] if best else None


def local_prefix(sender: str, mailbox_address: str, trace: bytes) -> bytes:
    """Lines before a message in a mailbox: Return-Path, Delivered-To, then ``trace``."""
    return return_path(sender) + delivered_to(mailbox_address) + trace


def forwarding_sender(sender: str) -> str:
    """The envelope sender of a forwarded message: the original one.

    The one place to change when senders shall be rewritten (SRS) so that SPF holds at the next
    host.
    """
    return sender
