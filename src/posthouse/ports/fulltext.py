"""The full-text index: which items hold which words.

Notes:
    Everything in it follows from the records and the content, so losing it costs a rebuild and
    nothing else. It is fed from the change log, folder by folder: a page brings the index from one
    change number to the next, all or nothing; whoever writes a page that another process wrote
    first is told so and asks anew. Calls are synchronous and may come from any thread. Errors:
    Unavailable.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId


class Where(Enum):
    """Where a term must stand."""

    ANYWHERE = "anywhere"
    SENDER = "sender"
    RECIPIENTS = "recipients"
    SUBJECT = "subject"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to find.

    Attributes:
        text: a word, or words that must follow each other; holds at least one letter or digit. Case
            and accents do not count.
        where: in which part.
        is_prefix: the last word may go on.
    """

    text: str
    where: Where = Where.ANYWHERE
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """All terms must be met; a query without terms finds nothing."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One item's words.

    Attributes:
        item_id: the item.
        changed_cn: of its content: tells whether the words are still right.
        received_at: results are in this order, newest first.
        sender: words of From.
        recipients: words of To and Cc.
        subject: words of the subject.
        body: all other words, file names too.
    """

    item_id: ItemId
    changed_cn: ChangeNumber
    received_at: int
    sender: str
    recipients: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class IndexPage:
    """A step of the index in one folder.

    Attributes:
        mailbox_id: the mailbox.
        guid: the mailbox's; with another one all that was known of the mailbox is dropped.
        folder_id: the folder.
        since: where the index must stand now (0 knows nothing).
        upto: where it stands afterwards.
        entries: items to index here, whether or not they were known.
        moved: items known with the right words, now lying here.
        vanished: items no longer in this folder; one that lies elsewhere by now is left alone.
    """

    mailbox_id: MailboxId
    guid: bytes
    folder_id: FolderId
    since: ChangeNumber
    upto: ChangeNumber
    entries: tuple[IndexEntry, ...] = ()
    moved: tuple[ItemId, ...] = ()
    vanished: tuple[ItemId, ...] = ()


class FullText(Protocol):
    """The index of all mailboxes."""

    def positions(self, mailbox_id: MailboxId, guid: bytes) -> Mapping[FolderId, ChangeNumber]:
        """How far each folder is indexed; empty when the index knows another guid."""
        ...

    def known(
        self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]
    ) -> Mapping[ItemId, ChangeNumber]:
        """``changed_cn`` of those of the items that are indexed."""
        ...

    def write(self, page: IndexPage) -> bool:
        """Take a step. False: the index does not stand at ``since``; nothing was done."""
        ...

    def forget_folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> None:
        """The folder is no more."""
        ...

    def forget_mailbox(self, mailbox_id: MailboxId) -> None:
        """The mailbox is no more, or shall be indexed anew."""
        ...

    def mailbox_ids(self) -> Sequence[MailboxId]:
        """Mailboxes it knows anything of, in order."""
        ...

    def find(
        self,
        mailbox_id: MailboxId,
        folder_ids: Sequence[FolderId] | None,
        query: Query,
        limit: int,
    ) -> Sequence[ItemId]:
        """Items that meet the query, newest first; only in these folders, or (None) anywhere."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...
