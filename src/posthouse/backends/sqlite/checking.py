"""Checking: does every row say what the others say?

Notes:
    Each check is one query that gives the offending rows; a sound store gives none. Runs on a read-
    only connection, in one snapshot, in a thread of its own.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import apsw

FINDINGS_MAX: Final = 100
"""Sentences per check."""

_CHECKS: Final[tuple[tuple[str, str], ...]] = (
    (
        "folder {1} of mailbox {0} counts {2} items, {3} unread, {4} bytes, but holds {5}, {6}, "
        "{7}",
        """
        SELECT f.mailbox_id, f.folder_id, f.item_count, f.unread_count, f.size_bytes,
          count(p.uid), coalesce(sum((p.flags & 1) = 0), 0), coalesce(sum(p.size_bytes), 0)
        FROM folder f JOIN mailbox m ON m.mailbox_id = f.mailbox_id AND m.is_leaving = 0
        LEFT JOIN place p ON p.mailbox_id = f.mailbox_id AND p.folder_id = f.folder_id
        GROUP BY f.mailbox_id, f.folder_id
        HAVING f.item_count <> count(p.uid) OR f.unread_count <> coalesce(sum((p.flags & 1) = 0), 0)
          OR f.size_bytes <> coalesce(sum(p.size_bytes), 0)
        """,
    ),
    (
        "mailbox {0} counts {1} items, {2} bytes, {3} recoverable, but its folders say {4}, {5}, "
        "{6}",
        """
        SELECT m.mailbox_id, m.item_count, m.size_bytes, m.recoverable_bytes,
          sum(CASE WHEN f.role <> 15 THEN f.item_count ELSE 0 END) AS n,
          sum(CASE WHEN f.role <> 15 THEN f.size_bytes ELSE 0 END) AS s,
          sum(CASE WHEN f.role = 15 THEN f.size_bytes ELSE 0 END) AS r
        FROM mailbox m JOIN folder f ON f.mailbox_id = m.mailbox_id WHERE m.is_leaving = 0
        GROUP BY m.mailbox_id HAVING m.item_count <> n OR m.size_bytes <> s OR m.recoverable_bytes
          <> r
        """,
    ),
    (
        "mailbox {0} is at {1}, but folder {2} at {3}",
        """
        SELECT m.mailbox_id, m.highest_cn, f.folder_id, f.highest_cn
        FROM mailbox m JOIN folder f ON f.mailbox_id = m.mailbox_id
        WHERE max(f.highest_cn, f.changed_cn) > m.highest_cn
        """,
    ),
    (
        "folder {1} of mailbox {0} is at {2} with next uid {3}, but uid {4} in it is at {5}",
        """
        SELECT f.mailbox_id, f.folder_id, f.highest_cn, f.uid_next, p.uid, p.mod_cn
        FROM folder f JOIN place p ON p.mailbox_id = f.mailbox_id AND p.folder_id = f.folder_id
        WHERE p.mod_cn > f.highest_cn OR p.uid >= f.uid_next
        """,
    ),
    (
        "numbers of uid {2} in folder {1} of mailbox {0} are out of order",
        """
        SELECT mailbox_id, folder_id, uid FROM place
        WHERE mod_cn <> max(changed_cn, read_cn) OR created_cn > changed_cn
        """,
    ),
    (
        "uid {2} in folder {1} of mailbox {0} came before a smaller uid",
        """
        SELECT * FROM (SELECT mailbox_id, folder_id, uid, created_cn,
          lag(created_cn) OVER (PARTITION BY mailbox_id, folder_id ORDER BY uid) AS before
          FROM place)
        WHERE created_cn <= before
        """,
    ),
    (
        "item {0} is numbered above the last one given, {1}",
        """
        SELECT i.item_id, m.highest_cn FROM item i, mailbox m WHERE m.mailbox_id = 0 AND i.item_id
          > m.highest_cn
        """,
    ),
    (
        "uid {2} in folder {1} of mailbox {0} has no folder or item that says so",
        """
        SELECT p.mailbox_id, p.folder_id, p.uid FROM place p
        LEFT JOIN item i ON i.item_id = p.item_id AND i.mailbox_id = p.mailbox_id AND i.folder_id
          = p.folder_id AND i.uid = p.uid
        LEFT JOIN folder f ON f.mailbox_id = p.mailbox_id AND f.folder_id = p.folder_id
        LEFT JOIN mailbox m ON m.mailbox_id = p.mailbox_id
        WHERE (i.item_id IS NULL OR f.folder_id IS NULL) AND m.is_leaving = 0
        """,
    ),
    (
        "item {1} of mailbox {0} lies nowhere",
        """
        SELECT i.mailbox_id, i.item_id FROM item i
        LEFT JOIN place p ON p.mailbox_id = i.mailbox_id AND p.folder_id = i.folder_id AND p.uid =
          i.uid
          AND p.item_id = i.item_id
        WHERE p.uid IS NULL
        """,
    ),
    (
        "item {1} of mailbox {0} names blob {2}, which has no row",
        """
        SELECT i.mailbox_id, i.item_id, hex(i.blob_hash) FROM item i
        LEFT JOIN blob b ON b.blob_hash = i.blob_hash WHERE i.blob_hash IS NOT NULL AND
          b.blob_hash IS NULL
        """,
    ),
    (
        "queue entry {0} names blob {1}, which has no row",
        """
        SELECT q.queue_id, hex(q.blob_hash) FROM queue q LEFT JOIN blob b ON b.blob_hash =
          q.blob_hash
        WHERE b.blob_hash IS NULL
        """,
    ),
    (
        "blob {0} counts {1} references (dead since {2}), but {3} rows name it",
        """
        SELECT hex(b.blob_hash), b.refs, b.dead_since, coalesce(n.n, 0) FROM blob b LEFT JOIN
          (SELECT blob_hash, count(*) AS n FROM
            (SELECT blob_hash FROM item WHERE blob_hash IS NOT NULL
             UNION ALL SELECT blob_hash FROM queue)
           GROUP BY blob_hash) n ON n.blob_hash = b.blob_hash
        WHERE b.refs <> coalesce(n.n, 0) OR (b.refs = 0) <> (b.dead_since <> 0)
        """,
    ),
    (
        "two blobs lie in pack {0} at {1}",
        "SELECT pack, offset FROM blob WHERE pack <> 0 GROUP BY pack, offset HAVING count(*) > 1",
    ),
    (
        "item {1} of mailbox {0} and Recoverable Items do not agree",
        """
        SELECT i.mailbox_id, i.item_id FROM item i
        JOIN folder f ON f.mailbox_id = i.mailbox_id AND f.folder_id = i.folder_id
        LEFT JOIN recoverable r ON r.item_id = i.item_id
        WHERE (f.role = 15) <> (r.item_id IS NOT NULL)
        """,
    ),
    (
        "item {0} has left a card, a date of deletion or a hiding behind",
        """
        SELECT item_id FROM item_card WHERE item_id NOT IN (SELECT item_id FROM item)
        UNION SELECT item_id FROM recoverable WHERE item_id NOT IN (SELECT item_id FROM item)
        UNION SELECT item_id FROM hidden WHERE item_id NOT IN (SELECT item_id FROM item)
          AND mailbox_id NOT IN (SELECT mailbox_id FROM mailbox WHERE is_leaving <> 0)
        """,
    ),
    (
        "folder {1} of mailbox {0} has no parent",
        """
        SELECT f.mailbox_id, f.folder_id FROM folder f
        LEFT JOIN folder p ON p.mailbox_id = f.mailbox_id AND p.folder_id = f.parent_id
        WHERE (p.folder_id IS NULL) <> (f.role = 1)
        """,
    ),
    (
        "uid {2} of folder {1} of mailbox {0} is gone and there at once",
        """
        SELECT t.mailbox_id, t.folder_id, t.uid FROM tombstone t
        JOIN place p ON p.mailbox_id = t.mailbox_id AND p.folder_id = t.folder_id AND p.uid = t.uid
        """,
    ),
    (
        "queue entry {0} waits for nobody, or not until {1}",
        """
        SELECT q.queue_id, q.next_at FROM queue q LEFT JOIN queue_recipient r
          ON r.queue_id = q.queue_id AND r.state = 0
        GROUP BY q.queue_id HAVING count(r.position) = 0 OR q.next_at <> min(r.next_at)
        """,
    ),
)


def check(connection: apsw.Connection) -> list[str]:
    """One sentence for each inconsistency."""
    found: list[str] = []
    connection.execute("BEGIN")
    try:
        for (verdict,) in connection.execute("PRAGMA integrity_check(10)"):
            if verdict != "ok":
                found.append(f"the file: {verdict}")
        for sentence, sql in _CHECKS:
            rows = islice(connection.execute(sql), FINDINGS_MAX)
            found.extend(sentence.format(*row) for row in rows)
    finally:
        connection.execute("ROLLBACK")
    return found
