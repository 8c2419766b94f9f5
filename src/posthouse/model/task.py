"""Tasks: what all doors know of something to be done.

Spec: [MS-ASTASK] §2.2.2; [MS-OXOTASK] §2.2.2; RFC 5545 §3.6.2.

Notes:
    A task is a view of an original; what it does not know stays there. Times are milliseconds since
    1970 in UTC, of whole seconds. A civil date is written as the UTC midnight of that date. Lines
    of text end in LF.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.appointment import Importance, Sensitivity

if TYPE_CHECKING:
    from posthouse.model.recurrence import Recurrence


class TaskStatus(IntEnum):
    """How far it is; the numbers are [MS-OXOTASK]'s."""

    NOT_STARTED = 0
    IN_PROGRESS = 1
    COMPLETED = 2
    WAITING = 3
    """On somebody else."""
    DEFERRED = 4


class Task(Struct, frozen=True, kw_only=True):
    """A task.

    Attributes:
        uid: iCalendar's UID.
        subject: one line.
        body: plain text.
        html: the same body in HTML; "" none.
        start_at: a civil date when ``is_dated``, else an instant; None: none.
        due_at: the same; a civil date is the last day itself.
        is_dated: start and due are civil dates, as Exchange clients know them; ``zone`` is "" then.
            When they are instants, the civil date is theirs in ``zone``.
        zone: IANA name of where it is planned; "" UTC or unknown.
        is_floating: start and due are times of day wherever one is, written as if that were UTC.
        completed_at: None: not completed, or not said when.
        percent: done, 0 to 100.
        reminder_at: None: no reminder.
        recurrence: None: to be done once, or its rule cannot be said by a pattern.
        has_unmapped_rule: the original says more of the recurrence than ``recurrence`` does.
        regenerates: the next one is made from the day this one is completed.
        is_dead_occurrence: a completed one of a series, which goes on without it.
        ordinal_at: date by which clients order tasks of the same day; None: none.
        sub_ordinal: order among those of the same ``ordinal_at``.
        created_at: 0 unknown.
        changed_at: 0 unknown.
    """

    uid: str
    subject: str = ""
    body: str = ""
    html: str = ""
    start_at: int | None = None
    due_at: int | None = None
    is_dated: bool = True
    zone: str = ""
    is_floating: bool = False
    completed_at: int | None = None
    percent: int = 0
    status: TaskStatus = TaskStatus.NOT_STARTED
    importance: Importance = Importance.NORMAL
    sensitivity: Sensitivity = Sensitivity.NORMAL
    reminder_at: int | None = None
    categories: tuple[str, ...] = ()
    recurrence: Recurrence | None = None
    has_unmapped_rule: bool = False
    regenerates: bool = False
    is_dead_occurrence: bool = False
    ordinal_at: int | None = None
    sub_ordinal: str = ""
    created_at: int = 0
    changed_at: int = 0
