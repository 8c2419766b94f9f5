"""Notes: what all doors know of a sticky note.

Spec: [MS-ASNOTE] §2.2.2; RFC 5545 §3.6.3.

Notes:
    A note is a view of an original; what it does not know stays there. Times are milliseconds since
    1970 in UTC, of whole seconds. Lines of text end in LF.
"""

from __future__ import annotations

from msgspec import Struct


class Note(Struct, frozen=True, kw_only=True):
    """A note.

    Attributes:
        uid: iCalendar's UID.
        subject: one line; Exchange clients show the body's first line when there is none.
        body: plain text.
        html: the same body in HTML; "" none.
        categories: names, none empty.
        created_at: 0 unknown.
        changed_at: 0 unknown.
    """

    uid: str
    subject: str = ""
    body: str = ""
    html: str = ""
    categories: tuple[str, ...] = ()
    created_at: int = 0
    changed_at: int = 0
