"""Operations on the mailbox itself: policy, device states, named properties, rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.batch import OperationResult

if TYPE_CHECKING:
    from posthouse.backends.sqlite.work import Work
    from posthouse.model.batch import (
        ChangeMailbox,
        DropSyncStates,
        KeepRules,
        KeepSyncState,
        NameProperties,
    )

FIRST_NAMED = 0x8000


def change_mailbox(work: Work, operation: ChangeMailbox) -> OperationResult:
    """ChangeMailbox. It takes a number, so that caches of policy may be keyed by it."""
    if operation.quota_bytes is not None:
        work.mailbox.quota_bytes = operation.quota_bytes
    if operation.settings is not None:
        work.books.direct().execute(
            "UPDATE mailbox_policy SET settings = ? WHERE mailbox_id = ?",
            (operation.settings, work.mailbox_id),
        )
    work.next_cn()
    return OperationResult()


def keep_rules(work: Work, operation: KeepRules) -> OperationResult:
    """KeepRules; takes a number as well."""
    work.books.direct().execute(
        "UPDATE mailbox_policy SET rules = ? WHERE mailbox_id = ?",
        (operation.rules, work.mailbox_id),
    )
    work.next_cn()
    return OperationResult()


def keep_sync_state(work: Work, operation: KeepSyncState) -> OperationResult:
    """KeepSyncState: the new generation and the newest one before it stay, all others go."""
    connection = work.books.direct()
    key = (work.mailbox_id, operation.device_id, operation.collection)
    connection.execute(
        "INSERT INTO sync_state (mailbox_id, device_id, collection, sync_key, state) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (mailbox_id, device_id, collection, sync_key) "
        "DO UPDATE SET state = excluded.state",
        (*key, operation.key, operation.state),
    )
    connection.execute(
        "DELETE FROM sync_state WHERE mailbox_id = ? AND device_id = ? AND collection = ? "
        "AND sync_key <> ? AND sync_key <> (SELECT coalesce(max(s.sync_key), -1) "
        "FROM sync_state s WHERE s.mailbox_id = ? AND s.device_id = ? AND s.collection = ? "
        "AND s.sync_key < ?)",
        (*key, operation.key, *key, operation.key),
    )
    return OperationResult()


def drop_sync_states(work: Work, operation: DropSyncStates) -> OperationResult:
    """DropSyncStates."""
    sql = "DELETE FROM sync_state WHERE mailbox_id = ? AND device_id = ?"
    key = (work.mailbox_id, operation.device_id)
    if operation.collection is None:
        work.books.direct().execute(sql, key)
    else:
        work.books.direct().execute(f"{sql} AND collection = ?", (*key, operation.collection))
    return OperationResult()


def name_properties(work: Work, operation: NameProperties) -> OperationResult:
    """NameProperties."""
    connection = work.books.direct()
    numbers: list[int] = []
    for guid, name in operation.names:
        number = connection.execute(
            "SELECT number FROM property_name WHERE mailbox_id = ? AND guid = ? AND name = ?",
            (work.mailbox_id, guid, name),
        ).get
        if number is None:
            highest = connection.execute(
                "SELECT max(number) FROM property_name WHERE mailbox_id = ?", (work.mailbox_id,)
            ).get
            number = FIRST_NAMED if highest is None else highest + 1
            connection.execute(
                "INSERT INTO property_name (mailbox_id, number, guid, name) VALUES (?, ?, ?, ?)",
                (work.mailbox_id, number, guid, name),
            )
        numbers.append(number)
    return OperationResult(numbers=tuple(numbers))
