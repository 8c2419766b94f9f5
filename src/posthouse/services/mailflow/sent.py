"""Sent Items: one copy of everything a person sends, whatever its client does.

Notes:
    The server files a copy with the submission itself. A client that saves its own copy later, by
    any door, is told of the one that is there (``filed_copy``); a client that saved it before finds
    that no second one is made, since the server's copy is filed under the condition that no item of
    this Message-ID lies there yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.batch import MessageIdAbsent
from posthouse.model.folder import FolderRole
from posthouse.model.item import Flags, ItemKind, NewItem

if TYPE_CHECKING:
    from posthouse.model.blob import BlobRef
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.item import ItemColumns, Place
    from posthouse.services.mailflow.assembly import Assembly
    from posthouse.store.store import Store


async def filed_copy(store: Store, mailbox_id: MailboxId, message_id: str) -> Place | None:
    """The copy of a message that lies in Sent Items already.

    A door that is asked to save a message there (IMAP APPEND, EWS CreateItem) asks this first and,
    when there is one, answers with its place instead of adding another.

    Args:
        store: the store.
        mailbox_id: the mailbox.
        message_id: without angle brackets; "" finds nothing.
    """
    if not message_id:
        return None
    folder = await store.role_folder(mailbox_id, FolderRole.SENT)
    for item_id in await store.records.by_message_id(mailbox_id, folder.folder_id, message_id):
        for place in await store.records.item_places(mailbox_id, item_id):
            if place.folder_id == folder.folder_id:
                return place
    return None


def file_copy(
    assembly: Assembly,
    mailbox_id: MailboxId,
    sent_folder: FolderId,
    item: NewItem,
) -> None:
    """Add the server's copy to a commit, under the condition that there is none yet."""
    assembly.add_item(mailbox_id, sent_folder, item)
    assembly.require(mailbox_id, MessageIdAbsent(sent_folder, item.columns.message_id))


def sent_item(blob: BlobRef, prefix: bytes, at_ms: int, columns: ItemColumns) -> NewItem:
    """The copy as an item: read, with the content as the sender wrote it (Bcc included)."""
    return NewItem(ItemKind.MESSAGE, blob, at_ms, prefix, Flags.SEEN, columns)
