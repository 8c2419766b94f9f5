"""Applying a commit inside a write transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from posthouse.backends.sqlite import (
    operations_folders,
    operations_items,
    operations_mailbox,
    operations_marks,
)
from posthouse.backends.sqlite.operations_items import add_item
from posthouse.backends.sqlite.queue import enqueue
from posthouse.backends.sqlite.rows import message_key
from posthouse.backends.sqlite.work import Work
from posthouse.model.batch import (
    AddItem,
    BatchResult,
    ChangeContent,
    ChangeFlags,
    ChangeFolder,
    ChangeMailbox,
    ChangeProperties,
    CopyItems,
    DropSyncStates,
    EpochIs,
    ExpungeItems,
    FolderUnchanged,
    GrantRights,
    HideItems,
    ItemUnchanged,
    KeepRules,
    KeepSyncState,
    MakeFolder,
    MessageIdAbsent,
    MoveItems,
    NameProperties,
    OperationResult,
    PolicyUnchanged,
    RemoveFolder,
    RestoreItems,
    ShowItems,
)
from posthouse.model.errors import Conflict, QuotaExceeded, Repeated
from posthouse.model.ids import ChangeNumber

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.backends.sqlite.books import Books
    from posthouse.model.batch import Batch, Commit, Precondition

_OPERATIONS: dict[type, Callable[[Work, Any], OperationResult]] = {
    AddItem: add_item,
    CopyItems: operations_items.copy_items,
    MoveItems: operations_items.move_items,
    ExpungeItems: operations_items.expunge_items,
    RestoreItems: operations_items.restore_items,
    ChangeContent: operations_items.change_content,
    ChangeFlags: operations_marks.change_flags,
    ChangeProperties: operations_marks.change_properties,
    HideItems: operations_marks.hide_items,
    ShowItems: operations_marks.show_items,
    MakeFolder: operations_folders.make_folder,
    ChangeFolder: operations_folders.change_folder,
    RemoveFolder: operations_folders.remove_folder,
    GrantRights: operations_folders.grant_rights,
    ChangeMailbox: operations_mailbox.change_mailbox,
    KeepSyncState: operations_mailbox.keep_sync_state,
    DropSyncStates: operations_mailbox.drop_sync_states,
    NameProperties: operations_mailbox.name_properties,
    KeepRules: operations_mailbox.keep_rules,
}


def apply_commit(books: Books, commit: Commit) -> tuple[BatchResult, ...]:
    """All batches, then queue entries and receipts; see ``Records.apply`` for what is raised."""
    receipt = commit.receipt
    if commit.refuses_repeat and receipt not in commit.settled and books.stands(receipt):
        raise Repeated("the receipt stands")
    out: list[BatchResult] = []
    for index, batch in enumerate(commit.batches):
        try:
            out.append(_apply_batch(books, batch))
        except QuotaExceeded as error:
            error.batch_index = index
            raise
    was_replayed = bool(out) and all(r.was_replayed for r in out)
    if commit.queued and not was_replayed:
        for message in commit.queued:
            enqueue(books, message)
    if commit.settled:
        books.settled.extend(commit.settled)
    if commit.receipt:
        books.receipts.append((commit.receipt, books.now))
    return tuple(out)


def _apply_batch(books: Books, batch: Batch) -> BatchResult:
    work = Work(books, batch.mailbox_id)
    if batch.idempotency_key:
        replay = _replay(books, batch)
        if replay is not None:
            return replay
    for precondition in batch.preconditions:
        _check(work, precondition)
    results = work.results
    for operation in batch.operations:
        results.append(_OPERATIONS[type(operation)](work, operation))
    result = BatchResult(tuple(results), ChangeNumber(work.mailbox.highest_cn))
    if batch.idempotency_key:
        books.direct().execute(
            "INSERT INTO idempotency (mailbox_id, key, result, made_at) VALUES (?, ?, ?, ?)",
            (batch.mailbox_id, batch.idempotency_key, _text_from_result(result), books.now),
        )
    return result


def _replay(books: Books, batch: Batch) -> BatchResult | None:
    found = books.direct().execute(
        "SELECT result FROM idempotency WHERE mailbox_id = ? AND key = ?",
        (batch.mailbox_id, batch.idempotency_key),
    )
    text = found.get
    return None if text is None else _result_from_text(text)


def _text_from_result(result: BatchResult) -> str:
    rows = [(r.folder_id, r.item_ids, r.uids, r.numbers) for r in result.results]
    return json.dumps([result.highest_cn, rows], separators=(",", ":"))


def _result_from_text(text: str) -> BatchResult:
    highest_cn, rows = json.loads(text)
    results = tuple(OperationResult(f, tuple(i), tuple(u), tuple(n)) for f, i, u, n in rows)
    return BatchResult(results, highest_cn, was_replayed=True)


def _check(work: Work, precondition: Precondition) -> None:
    """Raises Conflict when the precondition does not hold."""
    holds = False
    match precondition:
        case ItemUnchanged(item_id, changed_cn):
            holds = _item_cn(work, item_id) == changed_cn
        case FolderUnchanged(folder_id, changed_cn):
            holds = work.folder(folder_id).changed_cn == changed_cn
        case EpochIs(epoch):
            holds = work.mailbox.epoch == epoch
        case MessageIdAbsent(folder_id, message_id):
            holds = not _has_message(work, folder_id, message_id)
        case PolicyUnchanged(settings, rules):
            holds = _is_policy(work, settings, rules)
    if not holds:
        raise Conflict(f"{precondition} does not hold in mailbox {work.mailbox_id}")


def _is_policy(work: Work, settings: str | None, rules: str | None) -> bool:
    found = work.books.direct().execute(
        "SELECT 1 FROM mailbox_policy WHERE mailbox_id = ? AND coalesce(? = settings, 1) "
        "AND coalesce(? = rules, 1)",
        (work.mailbox_id, settings, rules),
    )
    return found.get is not None


def _item_cn(work: Work, item_id: int) -> int | None:
    found = work.books.direct().execute(
        "SELECT changed_cn FROM item WHERE item_id = ? AND mailbox_id = ?",
        (item_id, work.mailbox_id),
    )
    return found.get  # type: ignore[no-any-return] # one column of one row, or None


def _has_message(work: Work, folder_id: int, message_id: str) -> bool:
    found = work.books.direct().execute(
        "SELECT 1 FROM item WHERE mailbox_id = ? AND message_key = ? AND message_key <> 0 "
        "AND folder_id = ? AND message_id = ? LIMIT 1",
        (work.mailbox_id, message_key(message_id), folder_id, message_id),
    )
    return found.get is not None
