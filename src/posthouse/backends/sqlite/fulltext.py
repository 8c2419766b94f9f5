"""The full-text index in one SQLite file of its own, ``store/search.db``.

Spec: SQLite FTS5 (sqlite.org/fts5.html), contentless with deletion.

Notes:
    The words are kept, the texts are not. ``doc`` says whose words a row of ``words`` are, so a
    move between folders touches no words. Every row of words begins with its mailbox as a word of
    its own: so a search walks one mailbox's rows and nobody else's.
    A file that is damaged or of another version is thrown away: the indexer makes it anew. Commits
    are not synced (``synchronous = NORMAL``): after a power cut the index stands a little further
    back, and goes on from there.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar

import apsw

from posthouse.backends.sqlite.connection import BUSY_MS
from posthouse.model.errors import Unavailable
from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId
from posthouse.ports.fulltext import Where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from posthouse.ports.fulltext import IndexEntry, IndexPage, Query, Term

_T = TypeVar("_T")
_VERSION: Final = 1
_MATCHES_MAX: Final = 100_000
_SCHEMA: Final = """
CREATE TABLE mailbox (
  mailbox_id INTEGER PRIMARY KEY,
  guid BLOB NOT NULL
);
CREATE TABLE position (
  mailbox_id INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  cn INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, folder_id)
) WITHOUT ROWID;
CREATE TABLE doc (
  doc_id INTEGER PRIMARY KEY,
  mailbox_id INTEGER NOT NULL,
  item_id INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  changed_cn INTEGER NOT NULL,
  received_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX doc_item ON doc (mailbox_id, item_id);
CREATE INDEX doc_folder ON doc (mailbox_id, folder_id);
CREATE VIRTUAL TABLE words USING fts5(
  box, sender, recipients, subject, body,
  content = '', contentless_delete = 1, prefix = '3',
  tokenize = "unicode61 remove_diacritics 2"
);
"""
_FIND: Final = """
SELECT d.item_id FROM (SELECT rowid AS doc_id FROM words WHERE words MATCH ?1 LIMIT ?2) w
JOIN doc d USING (doc_id)
WHERE d.mailbox_id = ?3 AND (?4 IS NULL OR d.folder_id IN (SELECT value FROM json_each(?4)))
ORDER BY d.received_at DESC, d.item_id DESC LIMIT ?5
"""
_DOCS_OF_PLACE: Final = (
    "SELECT doc_id FROM doc WHERE mailbox_id = ? AND item_id = ? AND folder_id = ?"
)
_DOCS_OF_ITEM: Final = "SELECT doc_id FROM doc WHERE mailbox_id = ? AND item_id = ?"
_DOCS_OF_FOLDER: Final = "SELECT doc_id FROM doc WHERE mailbox_id = ? AND folder_id = ?"
_DOCS_OF_MAILBOX: Final = "SELECT doc_id FROM doc WHERE mailbox_id = ?"
_COLUMNS: Final = {
    Where.ANYWHERE: "{sender recipients subject body}",
    Where.SENDER: "sender",
    Where.RECIPIENTS: "recipients",
    Where.SUBJECT: "subject",
    Where.BODY: "body",
}


class SqliteFullText:
    """Implements ``ports.fulltext.FullText``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = self._open()

    # --- feeding

    def positions(self, mailbox_id: MailboxId, guid: bytes) -> Mapping[FolderId, ChangeNumber]:
        """See FullText."""

        def run(connection: apsw.Connection) -> dict[FolderId, ChangeNumber]:
            return _positions(connection, mailbox_id, guid)

        return self._do(run)

    def known(
        self, mailbox_id: MailboxId, item_ids: Sequence[ItemId]
    ) -> Mapping[ItemId, ChangeNumber]:
        """See FullText."""

        def run(connection: apsw.Connection) -> dict[ItemId, ChangeNumber]:
            rows = connection.execute(
                "SELECT item_id, changed_cn FROM doc WHERE mailbox_id = ? "
                "AND item_id IN (SELECT value FROM json_each(?))",
                (mailbox_id, _json(item_ids)),
            )
            return {ItemId(item_id): ChangeNumber(cn) for item_id, cn in rows}

        return self._do(run)

    def write(self, page: IndexPage) -> bool:
        """See FullText."""

        def run(connection: apsw.Connection) -> bool:
            positions = _positions(connection, page.mailbox_id, page.guid)
            if positions.get(page.folder_id, 0) != page.since:
                return False
            if not positions:
                _claim(connection, page)
            for item_id in page.vanished:
                _remove_docs(connection, _DOCS_OF_PLACE, (page.mailbox_id, item_id, page.folder_id))
            for item_id in page.moved:
                connection.execute(
                    "UPDATE doc SET folder_id = ? WHERE mailbox_id = ? AND item_id = ?",
                    (page.folder_id, page.mailbox_id, item_id),
                )
            for entry in page.entries:
                _index(connection, page, entry)
            connection.execute(
                "INSERT OR REPLACE INTO position (mailbox_id, folder_id, cn) VALUES (?, ?, ?)",
                (page.mailbox_id, page.folder_id, page.upto),
            )
            return True

        return self._write(run)

    def forget_folder(self, mailbox_id: MailboxId, folder_id: FolderId) -> None:
        """See FullText."""

        def run(connection: apsw.Connection) -> None:
            key = (mailbox_id, folder_id)
            _remove_docs(connection, _DOCS_OF_FOLDER, key)
            connection.execute("DELETE FROM position WHERE mailbox_id = ? AND folder_id = ?", key)

        self._write(run)

    def forget_mailbox(self, mailbox_id: MailboxId) -> None:
        """See FullText."""

        def run(connection: apsw.Connection) -> None:
            _forget_mailbox(connection, mailbox_id)

        self._write(run)

    # --- asking

    def mailbox_ids(self) -> Sequence[MailboxId]:
        """See FullText."""

        def run(connection: apsw.Connection) -> list[MailboxId]:
            rows = connection.execute("SELECT mailbox_id FROM mailbox ORDER BY mailbox_id")
            return [MailboxId(mailbox_id) for (mailbox_id,) in rows]

        return self._do(run)

    def find(
        self,
        mailbox_id: MailboxId,
        folder_ids: Sequence[FolderId] | None,
        query: Query,
        limit: int,
    ) -> Sequence[ItemId]:
        """See FullText. Of more than 100 000 matches the newest of an arbitrary 100 000 come."""
        if not query.terms or (folder_ids is not None and not folder_ids):
            return []
        match = " AND ".join((f'box : "{_box(mailbox_id)}"', *map(_fts_term, query.terms)))
        folders = None if folder_ids is None else _json(folder_ids)

        def run(connection: apsw.Connection) -> list[ItemId]:
            rows = connection.execute(_FIND, (match, _MATCHES_MAX, mailbox_id, folders, limit))
            return [ItemId(item_id) for (item_id,) in rows]

        return self._do(run)

    def close(self) -> None:
        """See FullText."""
        with self._lock:
            self._connection.close()

    # --- the file

    def _open(self) -> apsw.Connection:
        """The file, made anew when it is damaged or of another version."""
        try:
            return _opened(self._path)
        except (apsw.NotADBError, apsw.CorruptError, _OtherVersion):
            self._remove()
            return _opened(self._path)

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _do(self, run: Callable[[apsw.Connection], _T]) -> _T:
        with self._lock:
            try:
                return run(self._connection)
            except (apsw.NotADBError, apsw.CorruptError) as e:
                self._connection.close()
                self._remove()
                self._connection = self._open()
                raise Unavailable(f"the search index was damaged and is made anew: {e}") from e
            except apsw.Error as e:
                raise Unavailable(f"the search index cannot be used now: {e}") from e

    def _write(self, run: Callable[[apsw.Connection], _T]) -> _T:
        def within(connection: apsw.Connection) -> _T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                answer = run(connection)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return answer

        return self._do(within)


class _OtherVersion(Exception):
    """The file was written by a Posthouse with another schema."""


def _opened(path: Path) -> apsw.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = apsw.Connection(str(path), statementcachesize=64)
    try:
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        version = connection.pragma("user_version")
        if version == 0:
            connection.execute(_SCHEMA)
            connection.pragma("user_version", _VERSION)
        connection.execute("COMMIT")
        _refuse_other_version(version)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_other_version(version: int) -> None:
    if version not in (0, _VERSION):
        raise _OtherVersion


def _positions(
    connection: apsw.Connection, mailbox_id: MailboxId, guid: bytes
) -> dict[FolderId, ChangeNumber]:
    rows = connection.execute(
        "SELECT p.folder_id, p.cn FROM position p JOIN mailbox m USING (mailbox_id) "
        "WHERE p.mailbox_id = ? AND m.guid = ?",
        (mailbox_id, guid),
    )
    return {FolderId(folder_id): ChangeNumber(cn) for folder_id, cn in rows}


def _claim(connection: apsw.Connection, page: IndexPage) -> None:
    """The first page of a mailbox, or of a mailbox of another guid."""
    rows = connection.execute("SELECT guid FROM mailbox WHERE mailbox_id = ?", (page.mailbox_id,))
    if rows.get == page.guid:
        return
    _forget_mailbox(connection, page.mailbox_id)
    connection.execute(
        "INSERT INTO mailbox (mailbox_id, guid) VALUES (?, ?)", (page.mailbox_id, page.guid)
    )


def _forget_mailbox(connection: apsw.Connection, mailbox_id: MailboxId) -> None:
    _remove_docs(connection, _DOCS_OF_MAILBOX, (mailbox_id,))
    connection.execute("DELETE FROM position WHERE mailbox_id = ?", (mailbox_id,))
    connection.execute("DELETE FROM mailbox WHERE mailbox_id = ?", (mailbox_id,))


def _remove_docs(connection: apsw.Connection, which: str, bound: tuple[int, ...]) -> None:
    doc_ids = connection.execute(which, bound).fetchall()
    connection.executemany("DELETE FROM words WHERE rowid = ?", doc_ids)
    connection.executemany("DELETE FROM doc WHERE doc_id = ?", doc_ids)


def _index(connection: apsw.Connection, page: IndexPage, entry: IndexEntry) -> None:
    _remove_docs(connection, _DOCS_OF_ITEM, (page.mailbox_id, entry.item_id))
    connection.execute(
        "INSERT INTO doc (mailbox_id, item_id, folder_id, changed_cn, received_at) "
        "VALUES (?, ?, ?, ?, ?)",
        (page.mailbox_id, entry.item_id, page.folder_id, entry.changed_cn, entry.received_at),
    )
    connection.execute(
        "INSERT INTO words (rowid, box, sender, recipients, subject, body) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            connection.last_insert_rowid(),
            _box(page.mailbox_id),
            entry.sender,
            entry.recipients,
            entry.subject,
            entry.body,
        ),
    )


def _box(mailbox_id: MailboxId) -> str:
    return f"mailbox{int(mailbox_id)}"


def _fts_term(term: Term) -> str:
    """A term in FTS5's words: always a quoted string, so that nothing in it is an operator."""
    text = term.text.replace("\0", " ").replace('"', '""')
    star = " *" if term.is_prefix else ""
    return f'{_COLUMNS[term.where]} : "{text}"{star}'


def _json(numbers: Sequence[int]) -> str:
    """A list for one parameter: one statement, however many there are."""
    return f"[{','.join(map(str, map(int, numbers)))}]"
