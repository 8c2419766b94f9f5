"""Mailboxes that nobody owns: what is left when making somebody was cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import NotFound
from posthouse.model.folder import MailboxKind
from posthouse.model.ids import MailboxId

if TYPE_CHECKING:
    from posthouse.ports.clock import Clock
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.ports.records import Records
    from posthouse.services.directory.audit import Audit

ORPHAN_AGE_S = 3600
SWEPT_AT_ONCE = 1000


async def sweep_orphans(
    directory: DirectoryRecords, records: Records, audit: Audit, clock: Clock
) -> int:
    """Remove empty mailboxes, older than an hour, that nobody owns; says how many.

    One with mail in it is left alone: the directory may have been restored from an older copy.
    """
    count = 0
    after = MailboxId(0)
    while mailbox_ids := await records.mailbox_ids(after, SWEPT_AT_ONCE):
        # Read after the mailboxes: one made meanwhile is not among them.
        owned = {principal.mailbox_id for principal in directory.principals(None)}
        for mailbox_id in mailbox_ids:
            if mailbox_id not in owned and await _is_orphan(
                records, mailbox_id, clock.now_ms() // 1000
            ):
                await records.delete_mailbox(mailbox_id)
                audit.record("orphan-removed", mailbox=mailbox_id)
                count += 1
        after = mailbox_ids[-1]
    return count


async def _is_orphan(records: Records, mailbox_id: MailboxId, now_s: int) -> bool:
    try:
        mailbox = await records.mailbox(mailbox_id)
        folders = await records.folders(mailbox_id)
    except NotFound:
        return False
    is_empty = not mailbox.item_count and not mailbox.recoverable_bytes
    # A mailbox's first uid_validity is the time it was made.
    made_at = min((folder.uid_validity for folder in folders), default=0)
    is_old = made_at < now_s - ORPHAN_AGE_S
    return is_empty and is_old and mailbox.kind is not MailboxKind.PUBLIC
