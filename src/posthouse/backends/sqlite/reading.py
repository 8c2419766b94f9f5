"""Reading mailboxes, folders and changes, in the caller's thread.

Notes:
    No method suspends: each is a few SQLite steps on a read-only connection of the calling thread.
    None holds a transaction; where a call needs two statements, the first gives the number up to
    which the second is believed, and what came later is left for the next call.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from posthouse.backends.sqlite.connection import open_reader
from posthouse.backends.sqlite.reading_changes import change_page
from posthouse.backends.sqlite.rows import (
    FOLDER_COLUMNS,
    PLACE_SHOWN,
    folder_from_row,
    in_list,
    mailbox_from_row,
    padded,
    place_from_row,
    rows_of,
)
from posthouse.model.changes import ChangePage, FolderChanges
from posthouse.model.errors import NotFound, SyncPointExpired
from posthouse.model.ids import ChangeNumber

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import apsw

    from posthouse.model.folder import Folder, Mailbox
    from posthouse.model.ids import FolderId, MailboxId, Uid
    from posthouse.model.item import Place

LIMIT_MAX: Final = 2000

MAILBOX: Final = (
    "SELECT m.mailbox_id, m.guid, m.kind, m.highest_cn, m.item_count, m.size_bytes, "
    "m.recoverable_bytes, m.quota_bytes, m.epoch, p.settings FROM mailbox m "
    "JOIN mailbox_policy p ON p.mailbox_id = m.mailbox_id WHERE m.mailbox_id = ? "
    "AND m.is_leaving = 0"
)
_FOLDER: Final = f"SELECT {FOLDER_COLUMNS} FROM folder WHERE mailbox_id = ? AND folder_id = ?"  # noqa: S608 - of constants
_FOLDERS: Final = f"SELECT {FOLDER_COLUMNS} FROM folder WHERE mailbox_id = ? AND changed_cn > ?"  # noqa: S608 - of constants
_PLACES: Final = (
    f"SELECT {PLACE_SHOWN} FROM place WHERE mailbox_id = ? AND folder_id = ? "  # noqa: S608 - of constants
    "AND uid > ? ORDER BY uid LIMIT ?"
)
_PLACE_COLUMNS: Final = (
    "SELECT uid, item_id, size_bytes, received_at FROM place WHERE mailbox_id = ? "
    "AND folder_id = ? AND uid > ? ORDER BY uid LIMIT ?"
)
_POSITION: Final = (
    "SELECT highest_cn, horizon_cn, uid_next FROM folder WHERE mailbox_id = ? AND folder_id = ?"
)
_TREE_POSITION: Final = (
    "SELECT highest_cn, horizon_cn FROM mailbox WHERE mailbox_id = ? AND is_leaving = 0"
)
_FOLDERS_GONE: Final = (
    "SELECT folder_id FROM folder_tombstone WHERE mailbox_id = ? AND cn > ? AND cn <= ? ORDER BY cn"
)
_ADVANCED: Final = "SELECT mailbox_id, highest_cn FROM mailbox WHERE mailbox_id IN (?*)"


class Readers:
    """A read-only connection for every thread that asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[apsw.Connection] = []

    def get(self) -> apsw.Connection:
        """This thread's connection."""
        try:
            return self._local.connection  # type: ignore[no-any-return] # what a thread-local holds
        except AttributeError:
            connection = self._local.connection = open_reader(self._path)
            self._all.append(connection)
            return connection

    @staticmethod
    @contextmanager
    def borrowed(path: Path) -> Iterator[apsw.Connection]:
        """A connection for one long piece of work in a thread that will not come back."""
        connection = open_reader(path)
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Close them all; no thread may be reading."""
        for connection in self._all:
            connection.close(True)  # noqa: FBT003 - apsw takes it by position
        self._all.clear()


class Reading:
    """Reads of mailboxes, folders, places and changes: see ``ports.records.Records``."""

    _readers: Readers

    async def mailbox(self, mailbox_id: MailboxId) -> Mailbox:
        """See Records."""
        rows = self._readers.get().execute(MAILBOX, (mailbox_id,)).fetchall()
        if not rows:
            raise NotFound(f"mailbox {mailbox_id}")
        return mailbox_from_row(rows[0])

    async def mailbox_ids(self, after: MailboxId, limit: int) -> Sequence[MailboxId]:
        """See Records."""
        rows = self._readers.get().execute(
            "SELECT mailbox_id FROM mailbox WHERE mailbox_id > ? AND is_leaving = 0 "
            "ORDER BY mailbox_id LIMIT ?",
            (after, limit),
        )
        return [row[0] for row in rows]

    async def folders(self, mailbox_id: MailboxId) -> Sequence[Folder]:
        """See Records."""
        rows = self._readers.get().execute(_FOLDERS, (mailbox_id, 0)).fetchall()
        if not rows:
            raise NotFound(f"mailbox {mailbox_id}")
        return _parents_first([folder_from_row(row) for row in rows])

    async def folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> Folder:
        """See Records."""
        rows = self._readers.get().execute(_FOLDER, (mailbox_id, folder_id)).fetchall()
        if not rows:
            raise NotFound(f"folder {folder_id} of mailbox {mailbox_id}")
        return folder_from_row(rows[0])

    async def folder_changes(self, mailbox_id: MailboxId, since: ChangeNumber) -> FolderChanges:
        """See Records."""
        execute = self._readers.get().execute
        rows = rows_of(execute(_TREE_POSITION, (mailbox_id,)))
        if not rows:
            raise NotFound(f"mailbox {mailbox_id}")
        upto, horizon = rows[0]
        if 0 < since < horizon:
            raise SyncPointExpired(f"folders of mailbox {mailbox_id} since {since}")
        if since >= upto:
            return FolderChanges((), (), ChangeNumber(upto))
        folders = [folder_from_row(row) for row in execute(_FOLDERS, (mailbox_id, since))]
        removed = [row[0] for row in rows_of(execute(_FOLDERS_GONE, (mailbox_id, since, upto)))]
        current = [f for f in _parents_first(folders) if f.changed_cn <= upto]
        return FolderChanges(tuple(current), tuple(removed), ChangeNumber(upto))

    async def places(
        self, mailbox_id: MailboxId, folder_id: FolderId, after: Uid, limit: int
    ) -> Sequence[Place]:
        """See Records."""
        key = (mailbox_id, folder_id, after, min(limit, LIMIT_MAX))
        rows = self._readers.get().execute(_PLACES, key).fetchall()
        return [place_from_row(row) for row in rows]

    async def place_columns(
        self, mailbox_id: MailboxId, folder_id: FolderId, after: Uid, limit: int
    ) -> tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]:
        """See Records."""
        key = (mailbox_id, folder_id, after, min(limit, LIMIT_MAX))
        rows = self._readers.get().execute(_PLACE_COLUMNS, key).fetchall()
        if not rows:
            return (), (), (), ()
        uids, item_ids, sizes, received_at = zip(*rows, strict=True)
        return uids, item_ids, sizes, received_at

    async def changes_since(
        self, mailbox_id: MailboxId, folder_id: FolderId, since: ChangeNumber, limit: int
    ) -> ChangePage:
        """See Records."""
        execute = self._readers.get().execute
        position = rows_of(execute(_POSITION, (mailbox_id, folder_id)))
        if not position:
            raise NotFound(f"folder {folder_id} of mailbox {mailbox_id}")
        upto, horizon, uid_next = position[0]
        if 0 < since < horizon:
            raise SyncPointExpired(f"folder {folder_id} of mailbox {mailbox_id} since {since}")
        if since >= upto:
            return ChangePage((), (), since, has_more=False)
        return change_page(
            execute, (mailbox_id, folder_id), (since, upto, uid_next), min(limit, LIMIT_MAX)
        )

    async def advanced_since(self, known: dict[MailboxId, ChangeNumber]) -> Sequence[MailboxId]:
        """See Records."""
        ids = list(known)
        out: list[MailboxId] = []
        for start in range(0, len(ids), 512):
            wanted = padded(ids[start : start + 512])
            rows = self._readers.get().execute(in_list(_ADVANCED, len(wanted)), wanted)
            out += [row[0] for row in rows if row[1] > known[row[0]]]
        return out


def _parents_first(folders: list[Folder]) -> list[Folder]:
    """In order of depth, then of number; whose parent is not among them counts as a top."""
    children: dict[int, list[Folder]] = {}
    ids = {folder.folder_id for folder in folders}
    for folder in folders:
        parent = folder.parent_id if folder.parent_id in ids else 0
        children.setdefault(parent, []).append(folder)
    out = list(children.get(0, ()))
    for folder in out:  # grows while we walk
        out.extend(children.get(folder.folder_id, ()))
    return out
