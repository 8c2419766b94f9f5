"""Reading items and what hangs on them, names, states, grants, rules, receipts, the queue.

In the same way as in ``reading``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.backends.sqlite import queue
from posthouse.backends.sqlite.rows import (
    CONTENT_SELECT,
    ITEM_SELECT,
    content_from_row,
    in_list,
    item_from_row,
    message_key,
    padded,
    place_from_row,
    rows_of,
)
from posthouse.model.errors import NotFound
from posthouse.model.rights import Rights
from posthouse.ports.records import Grant, SyncState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.backends.sqlite.reading import Readers
    from posthouse.backends.sqlite.rows import Row
    from posthouse.model.ids import (
        DeviceId,
        FolderId,
        ItemId,
        MailboxId,
        PrincipalId,
        QueueId,
        ViewId,
    )
    from posthouse.model.item import Content, Item, Place
    from posthouse.model.queue import Queued

_PLACE_OF: Final = (
    "SELECT p.folder_id, p.uid, p.item_id, p.created_cn, p.changed_cn, p.read_cn, p.flags, "
    "p.size_bytes, p.received_at FROM item i JOIN place p ON p.mailbox_id = i.mailbox_id "
    "AND p.folder_id = i.folder_id AND p.uid = i.uid "
)
_BY_NAME: Final = (
    f"{_PLACE_OF}WHERE i.mailbox_id = ? AND i.folder_id = ? AND i.name = ? AND i.name <> '' LIMIT 1"
)
_BY_MESSAGE: Final = (
    "SELECT item_id FROM item WHERE mailbox_id = ? AND message_key = ? AND message_key <> 0 "
    "AND folder_id = ? AND message_id = ? ORDER BY uid"
)
_BY_ICAL_UID: Final = (
    "SELECT item_id FROM item WHERE mailbox_id = ? AND ical_uid = ? AND ical_uid <> '' "
    "ORDER BY item_id"
)
_ITEMS: Final = f"{ITEM_SELECT} WHERE i.mailbox_id = ? AND i.item_id IN (?*)"
_NAMES: Final = (
    "SELECT number, guid, name FROM property_name WHERE mailbox_id = ? AND number IN (?*)"
)
_ONE_ITEM: Final = f"{ITEM_SELECT} WHERE i.item_id = ? AND i.mailbox_id = ?"
_CONTENTS: Final = f"{CONTENT_SELECT} WHERE i.mailbox_id = ? AND i.item_id IN (?*)"
_GRANTED: Final = (
    "SELECT mailbox_id, folder_id, principal_id, rights FROM folder_grant "
    "WHERE principal_id IN (?*) ORDER BY mailbox_id, folder_id, principal_id"
)
_GRANTS: Final = (
    "SELECT mailbox_id, folder_id, principal_id, rights FROM folder_grant "
    "WHERE mailbox_id = ? ORDER BY folder_id, principal_id"
)
_QUEUE_FIGURES: Final = (
    "SELECT count(*), ifnull((SELECT queued_at FROM queue ORDER BY queue_id LIMIT 1), 0) FROM queue"
)


class ReadingItems:
    """Reads below the folder: see ``ports.records.Records``."""

    _readers: Readers

    async def items(self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]) -> Sequence[Item]:
        """See Records."""
        execute = self._readers.get().execute
        if len(item_ids) == 1:
            rows = execute(_ONE_ITEM, (item_ids[0], mailbox_id)).fetchall()
            return [item_from_row(row) for row in rows]
        found: dict[int, Item] = {}
        for start in range(0, len(item_ids), 512):
            wanted = padded(item_ids[start : start + 512])
            for row in execute(in_list(_ITEMS, len(wanted)), [mailbox_id, *wanted]):
                found[row[0]] = item_from_row(row)
        return [found[item_id] for item_id in item_ids if item_id in found]

    async def contents(
        self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]
    ) -> Sequence[Content]:
        """See Records."""
        found: dict[int, Content] = {}
        for start in range(0, len(item_ids), 512):
            wanted = padded(item_ids[start : start + 512])
            rows = self._readers.get().execute(
                in_list(_CONTENTS, len(wanted)), [mailbox_id, *wanted]
            )
            for row in rows_of(rows):
                found[row[0]] = content_from_row(row)
        return [found[item_id] for item_id in item_ids if item_id in found]

    async def item_places(self, mailbox_id: MailboxId, item_id: ItemId) -> Sequence[Place]:
        """See Records."""
        rows = self._readers.get().execute(
            f"{_PLACE_OF}WHERE i.item_id = ? AND i.mailbox_id = ?", (item_id, mailbox_id)
        )
        return [place_from_row(row) for row in rows.fetchall()]

    async def imported_uidls(
        self, mailbox_id: MailboxId, after: ItemId, limit: int
    ) -> Sequence[tuple[ItemId, str]]:
        """See Records."""
        rows = self._readers.get().execute(
            "SELECT item_id, uidl FROM item WHERE mailbox_id = ? AND item_id > ? AND uidl <> '' "
            "ORDER BY item_id LIMIT ?",
            (mailbox_id, after, limit),
        )
        return [(item_id, uidl) for item_id, uidl in rows_of(rows)]

    async def by_message_id(
        self, mailbox_id: MailboxId, folder_id: FolderId, message_id: str
    ) -> Sequence[ItemId]:
        """See Records."""
        key = (mailbox_id, message_key(message_id), folder_id, message_id)
        return [row[0] for row in self._readers.get().execute(_BY_MESSAGE, key)]

    async def by_ical_uid(self, mailbox_id: MailboxId, ical_uid: str) -> Sequence[ItemId]:
        """See Records."""
        rows = self._readers.get().execute(_BY_ICAL_UID, (mailbox_id, ical_uid))
        return [row[0] for row in rows]

    async def by_name(self, mailbox_id: MailboxId, folder_id: FolderId, name: str) -> Place | None:
        """See Records."""
        rows = self._readers.get().execute(_BY_NAME, (mailbox_id, folder_id, name)).fetchall()
        return place_from_row(rows[0]) if rows else None

    async def hidden_items(
        self, mailbox_id: MailboxId, view: ViewId, after: ItemId, limit: int
    ) -> Sequence[ItemId]:
        """See Records."""
        rows = self._readers.get().execute(
            "SELECT item_id FROM hidden WHERE mailbox_id = ? AND view_id = ? AND item_id > ? "
            "ORDER BY item_id LIMIT ?",
            (mailbox_id, view, after, limit),
        )
        return [row[0] for row in rows_of(rows)]

    async def hidden_version(self, mailbox_id: MailboxId, view: ViewId) -> int:
        """See Records."""
        version = self._readers.get().execute(
            "SELECT version FROM hidden_view WHERE mailbox_id = ? AND view_id = ?",
            (mailbox_id, view),
        )
        return version.get or 0

    async def property_names(
        self, mailbox_id: MailboxId, numbers: Sequence[int]
    ) -> Sequence[tuple[str, str] | None]:
        """See Records."""
        found: dict[int, tuple[str, str]] = {}
        for start in range(0, len(numbers), 512):
            wanted = padded(numbers[start : start + 512])
            rows = self._readers.get().execute(in_list(_NAMES, len(wanted)), [mailbox_id, *wanted])
            for number, guid, name in rows_of(rows):
                found[number] = (guid, name)
        return [found.get(number) for number in numbers]

    async def sync_states(
        self, mailbox_id: MailboxId, device_id: DeviceId, collection: str
    ) -> Sequence[SyncState]:
        """See Records."""
        rows = self._readers.get().execute(
            "SELECT sync_key, state FROM sync_state WHERE mailbox_id = ? AND device_id = ? "
            "AND collection = ? ORDER BY sync_key DESC",
            (mailbox_id, device_id, collection),
        )
        return [SyncState(*row) for row in rows_of(rows)]

    async def grants(self, mailbox_id: MailboxId) -> Sequence[Grant]:
        """See Records."""
        rows = self._readers.get().execute(_GRANTS, (mailbox_id,))
        return [_grant_from_row(row) for row in rows.fetchall()]

    async def granted_to(self, principals: Sequence[PrincipalId]) -> Sequence[Grant]:
        """See Records."""
        if not principals:
            return []
        wanted = padded(principals)
        rows = self._readers.get().execute(in_list(_GRANTED, len(wanted)), wanted)
        return [_grant_from_row(row) for row in rows.fetchall()]

    async def rules(self, mailbox_id: MailboxId) -> str:
        """See Records."""
        rules = self._readers.get().execute(
            "SELECT rules FROM mailbox_policy WHERE mailbox_id = ?", (mailbox_id,)
        )
        text: str | None = rules.get
        if text is None:
            raise NotFound(f"mailbox {mailbox_id}")
        return text

    async def receipt_stands(self, receipt: bytes) -> bool:
        """See Records."""
        found = self._readers.get().execute("SELECT 1 FROM receipt WHERE receipt = ?", (receipt,))
        return found.get is not None

    async def queued(self, after: QueueId, limit: int) -> Sequence[Queued]:
        """See Records."""
        connection = self._readers.get()
        rows = connection.execute(
            "SELECT queue_id FROM queue WHERE queue_id > ? ORDER BY queue_id LIMIT ?",
            (after, min(limit, 2000)),
        )
        return queue.load(connection, [row[0] for row in rows])

    async def next_due(self) -> int:
        """See Records."""
        due: int | None = self._readers.get().execute(queue.NEXT_DUE).get
        return 0 if due is None else max(due, 1)

    async def queue_figures(self) -> tuple[int, int]:
        """See Records."""
        count, queued_at = next(self._readers.get().execute(_QUEUE_FIGURES))
        return count, queued_at


def _grant_from_row(row: Row) -> Grant:
    return Grant(row[0], row[1], row[2], Rights(row[3]))
