"""Sent Items: one copy of everything a person sends, whatever its client does.

Notes:
    The server files a copy with the submission itself. A client that saves its own copy later, by
    any door, is told of the one that is there (``filed_copy``); a client that saved it before finds
    that no second one is made, since the server's copy is filed under the condition that no item of
    this Message-ID lies there yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from posthouse.model.batch import MessageIdAbsent
from posthouse.model.errors import NotFound
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.item import Flags, ItemKind, NewItem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.blob import BlobRef
    from posthouse.model.folder import Mailbox
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.item import ItemColumns, Place
    from posthouse.model.people import Principal
    from posthouse.services.mailflow.assembly import Assembly
    from posthouse.store.store import Store


class _Settings(msgspec.Struct):
    keeps_sent: bool | None = None


def keeps_sent(mailbox: Mailbox) -> bool:
    """Whether a copy of what others send in this mailbox's name is filed in it."""
    try:
        settings = msgspec.json.decode(mailbox.settings or "{}", type=_Settings)
    except msgspec.DecodeError:
        settings = _Settings()
    if settings.keeps_sent is None:
        return mailbox.kind is MailboxKind.SHARED
    return settings.keeps_sent


async def mailboxes_for_copies(
    store: Store, submitter: Principal, authors: Iterable[Principal | None]
) -> list[MailboxId]:
    """Where a submission is filed: the submitter's mailbox, then those of others it is sent for.

    Args:
        store: the store.
        submitter: who logged in.
        authors: whoever else has an address in From; groups have no mailbox to file in.
    """
    found = {submitter.mailbox_id: None} if submitter.mailbox_id else {}
    for author in authors:
        if author is None or not author.mailbox_id or author.mailbox_id in found:
            continue
        try:
            mailbox = await store.records.mailbox(author.mailbox_id)
        except NotFound:
            continue
        if keeps_sent(mailbox):
            found[author.mailbox_id] = None
    return list(found)


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
