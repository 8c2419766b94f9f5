"""Which folder is which collection, and how items are called on the wire.

Spec: [MS-ASCMD] §2.2.3.186.3 (Type of a folder), §2.2.3.166 (ServerId).

Notes:
    Folders of the person's own mailbox are called ``5``, those of others that are shared with the
    person ``12.5``. Shared folders stand at the top, named after their mailbox, since devices know
    one mailbox only. Recoverable items, files and the journal are not shown.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.errors import NotFound
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import FolderId, ItemId, MailboxId
from posthouse.model.rights import Rights
from posthouse.protocols.eas.synckey import FolderShown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from posthouse.model.folder import Folder
    from posthouse.protocols.eas.session import Call

TOP: Final = "0"
FOLDERS_MAX: Final = 2_000
_FORM: Final = re.compile(r"(?:([1-9][0-9]{0,14})\.)?([1-9][0-9]{0,14})", re.ASCII)
_ITEM: Final = re.compile(r"((?:[1-9][0-9]{0,14}\.)?[1-9][0-9]{0,14}):([1-9][0-9]{0,14})", re.ASCII)
_HIDDEN: Final = frozenset(
    {FolderRole.ROOT, FolderRole.RECOVERABLE, FolderRole.FILES, FolderRole.JOURNAL}
)


class ItemClass(StrEnum):
    """What a collection holds, in [MS-ASCMD]'s words."""

    EMAIL = "Email"
    CALENDAR = "Calendar"
    CONTACTS = "Contacts"
    TASKS = "Tasks"
    NOTES = "Notes"


CLASSES: Final[Mapping[FolderClass, ItemClass]] = {
    FolderClass.MAIL: ItemClass.EMAIL,
    FolderClass.CALENDAR: ItemClass.CALENDAR,
    FolderClass.CONTACTS: ItemClass.CONTACTS,
    FolderClass.TASKS: ItemClass.TASKS,
    FolderClass.NOTES: ItemClass.NOTES,
}
_KINDS_BY_ROLE: Final[Mapping[FolderRole, int]] = {
    FolderRole.INBOX: 2,
    FolderRole.DRAFTS: 3,
    FolderRole.DELETED: 4,
    FolderRole.SENT: 5,
    FolderRole.OUTBOX: 6,
    FolderRole.TASKS: 7,
    FolderRole.CALENDAR: 8,
    FolderRole.CONTACTS: 9,
    FolderRole.NOTES: 10,
}
_KINDS_BY_CLASS: Final[Mapping[FolderClass, int]] = {
    FolderClass.MAIL: 12,
    FolderClass.CALENDAR: 13,
    FolderClass.CONTACTS: 14,
    FolderClass.TASKS: 15,
    FolderClass.NOTES: 17,
}
CLASS_OF_KIND: Final[Mapping[int, FolderClass]] = {
    1: FolderClass.MAIL,
    **{kind: folder_class for folder_class, kind in _KINDS_BY_CLASS.items()},
}
"""What a folder of a Type holds that a client may make."""


class Collection(Struct, frozen=True):
    """A folder as a device knows it.

    Attributes:
        server_id: its name on the wire.
        folder: as it stands.
        item_class: what it holds.
        is_own: of the person's own mailbox.
        rights: of the person.
    """

    server_id: str
    folder: Folder
    item_class: ItemClass
    is_own: bool
    rights: Rights

    @property
    def mailbox_id(self) -> MailboxId:
        """Where it is."""
        return self.folder.mailbox_id

    @property
    def folder_id(self) -> FolderId:
        """Which it is there."""
        return self.folder.folder_id

    def item_server_id(self, item_id: int) -> str:
        """An item's name on the wire."""
        return f"{self.server_id}:{item_id}"


def folder_server_id(mailbox_id: MailboxId, folder_id: FolderId, *, is_own: bool) -> str:
    """A folder's name on the wire."""
    return str(folder_id) if is_own else f"{mailbox_id}.{folder_id}"


def folder_named(call: Call, server_id: str) -> tuple[MailboxId, FolderId]:
    """Which folder a name means; whether it may be seen is not asked. Raises NotFound."""
    match = _FORM.fullmatch(server_id)
    if match is None:
        raise NotFound(f"no folder is called {server_id!r}")
    mailbox_id = MailboxId(int(match[1])) if match[1] else call.mailbox_id
    return mailbox_id, FolderId(int(match[2]))


def item_named(server_id: str) -> tuple[str, ItemId]:
    """The collection's name and the item of an item's name. Raises NotFound."""
    match = _ITEM.fullmatch(server_id)
    if match is None:
        raise NotFound(f"no item is called {server_id!r}")
    return match[1], ItemId(int(match[2]))


async def collection(call: Call, server_id: str) -> Collection:
    """The collection of a name, as it stands.

    Raises:
        NotFound: there is none, or the person may not see it.
    """
    mailbox_id, folder_id = folder_named(call, server_id)
    services = call.services
    folder = await services.store.records.folder(mailbox_id, folder_id)
    item_class = CLASSES.get(folder.folder_class)
    if item_class is None or folder.role in _HIDDEN:
        raise NotFound(f"folder {server_id} is not shown")
    is_own = mailbox_id == call.mailbox_id
    rights = Rights.ALL
    if not is_own:
        rights = await services.access.rights(call.principal, mailbox_id, folder_id)
        if not rights & Rights.READ_ANY:
            raise NotFound(f"folder {server_id} is not shared with {call.principal.address}")
    canonical = folder_server_id(mailbox_id, folder_id, is_own=is_own)
    return Collection(canonical, folder, item_class, is_own, rights)


async def folders_shown(call: Call) -> tuple[FolderShown, ...]:
    """All folders the person sees, in order of server_id."""
    records = call.services.store.records
    own = _shown(await records.folders(call.mailbox_id), is_own=True)
    for opened in await call.services.access.mailboxes_of(call.principal):
        readable = {
            folder.folder_id for folder, rights in opened.folders if rights & Rights.READ_ANY
        }
        folders = [folder for folder, _ in opened.folders if folder.folder_id in readable]
        own += _shown(folders, is_own=False, owner=opened.principal.name)
    return tuple(sorted(own, key=_by_server_id)[:FOLDERS_MAX])


def _by_server_id(shown: FolderShown) -> tuple[int, str]:
    return len(shown.server_id), shown.server_id


def _shown(folders: Sequence[Folder], *, is_own: bool, owner: str = "") -> list[FolderShown]:
    """Folders below hidden ones are hidden with them."""
    out: dict[FolderId, FolderShown] = {}
    roots = {folder.folder_id for folder in folders if folder.role is FolderRole.ROOT}
    waiting = [folder for folder in folders if folder.role not in _HIDDEN]
    known = {folder.folder_id for folder in waiting}
    for folder in waiting:
        if folder.folder_class not in CLASSES:
            continue
        parent = folder.parent_id
        is_top = parent in roots or (not is_own and parent not in known)
        if not is_top and parent not in out:
            continue
        name = folder.name if is_own or not is_top else f"{owner}: {folder.name}"
        role_kind = _KINDS_BY_ROLE.get(folder.role) if is_own else None
        out[folder.folder_id] = FolderShown(
            folder_server_id(folder.mailbox_id, folder.folder_id, is_own=is_own),
            TOP if is_top else out[parent].server_id,
            name,
            role_kind or _KINDS_BY_CLASS[folder.folder_class],
        )
    return list(out.values())
