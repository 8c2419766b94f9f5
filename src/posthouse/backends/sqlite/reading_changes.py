"""Reading what changed in a folder.

Notes:
    Three streams, each in order of change numbers, are merged into a page. Places that changed
    after they came are found by an index that holds only them. Places that stayed as they came need
    none: in a folder, ``created_cn`` grows with the uid, so they begin at a uid that a few probes
    from the end find. Tombstones are kept in order. A stream that was cut off limits how far the
    page may reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.backends.sqlite.rows import PLACE_SHOWN, place_from_row, rows_of
from posthouse.model.changes import ChangePage, Vanished
from posthouse.model.ids import ChangeNumber

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from posthouse.backends.sqlite.rows import Row
    from posthouse.model.ids import FolderId, MailboxId

    Execute = Callable[..., apsw.Cursor]
    Where = tuple[MailboxId, FolderId]

_CAME: Final = (
    f"SELECT {PLACE_SHOWN}, mod_cn FROM place WHERE mailbox_id = ? AND folder_id = ? AND uid > ? "  # noqa: S608 - of constants
    "ORDER BY uid LIMIT ?"
)
_CHANGED: Final = (
    f"SELECT {PLACE_SHOWN}, mod_cn FROM place WHERE mailbox_id = ? AND folder_id = ? "  # noqa: S608 - of constants
    "AND mod_cn > created_cn AND mod_cn > ? AND mod_cn <= ? ORDER BY mod_cn LIMIT ?"
)
_GONE: Final = (
    "SELECT uid, item_id, cn, created_cn FROM tombstone WHERE mailbox_id = ? AND folder_id = ? "
    "AND cn > ? AND cn <= ? ORDER BY cn LIMIT ?"
)
_PROBE: Final = (
    "SELECT uid, created_cn FROM place WHERE mailbox_id = ? AND folder_id = ? AND uid <= ? "
    "ORDER BY uid DESC LIMIT 1"
)
_NEAR: Final = 16
"""Uids that are scanned rather than probed."""
_CREATED: Final = 3
_MOD: Final = 9
_GONE_CN: Final = 2


def change_page(
    execute: Execute, where: Where, position: tuple[int, int, int], limit: int
) -> ChangePage:
    """One page.

    Args:
        execute: of a connection for reading.
        where: mailbox and folder.
        position: (since, the folder's number, its next uid); what changed after the folder was
            read stays out.
        limit: entries at most.
    """
    since, highest, uid_next = position
    first = _uid_before(execute, where, since, uid_next) if since else 0
    came = rows_of(execute(_CAME, (*where, first, limit + _NEAR + 1)))
    changed = rows_of(execute(_CHANGED, (*where, since, highest, limit + 1)))
    gone = rows_of(execute(_GONE, (*where, since, highest, limit + 1)))
    upto = highest
    if len(came) > limit + _NEAR:
        upto = min(upto, came[-1][_CREATED])
    for rows, column in ((changed, _MOD), (gone, _GONE_CN)):
        if len(rows) > limit:
            upto = min(upto, rows[-1][column])
    places: list[Row] = [r for r in came if r[_MOD] == r[_CREATED] and since < r[_MOD] <= upto]
    places += [r for r in changed if r[_MOD] <= upto]
    numbers = sorted([r[_MOD] for r in places] + [r[_GONE_CN] for r in gone if r[_GONE_CN] <= upto])
    if len(numbers) > limit:
        upto = numbers[limit - 1]
    shown = sorted((r for r in places if r[_MOD] <= upto), key=lambda r: r[_MOD])
    return ChangePage(
        tuple([place_from_row(row[:_MOD]) for row in shown]),
        tuple([Vanished(*row) for row in gone if row[_GONE_CN] <= upto]),
        ChangeNumber(upto),
        has_more=upto < highest,
    )


def _uid_before(execute: Execute, where: Where, since: int, uid_next: int) -> int:
    """A uid so that all places that came after ``since`` have greater ones, and few others do.

    "Few" is at most _NEAR.
    """
    low, high = 0, uid_next
    step = 1
    while low < high - _NEAR:
        at = max(high - step, low + 1)
        found = rows_of(execute(_PROBE, (*where, at)))
        if not found:
            return at
        uid, created_cn = found[0]
        if created_cn <= since:
            low = at
            step = max((high - low) // 2, 1)
        else:
            high = uid
            step *= 2
    return low
