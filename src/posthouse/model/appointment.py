"""Appointments: what all doors know of an entry in a calendar.

Spec: [MS-ASCAL] v23 §2.2.2; [MS-OXOCAL] v23 §2.2.1; RFC 5545 §3.6.1.

Notes:
    An appointment is a view of an original; what it does not know stays there. Times are
    milliseconds since 1970 in UTC, of whole seconds. A **civil date** (an all-day appointment's
    start and end, and the occurrences of its series) is the same in every zone and is written as
    the UTC midnight of that date; such an end is the first date after. ``end_at`` is never before
    ``start_at``. Lines of text end in LF.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

if TYPE_CHECKING:
    from posthouse.model.recurrence import Recurrence


class BusyStatus(IntEnum):
    """How the time shows to others; the numbers are [MS-ASCAL]'s BusyStatus."""

    FREE = 0
    TENTATIVE = 1
    BUSY = 2
    OUT_OF_OFFICE = 3
    WORKING_ELSEWHERE = 4


class Sensitivity(IntEnum):
    """Who may see it; the numbers are [MS-ASCAL]'s Sensitivity."""

    NORMAL = 0
    PERSONAL = 1
    PRIVATE = 2
    CONFIDENTIAL = 3


class Importance(IntEnum):
    """The numbers are Exchange's."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


class AttendeeRole(IntEnum):
    """The numbers are [MS-ASCAL]'s AttendeeType."""

    REQUIRED = 1
    OPTIONAL = 2
    RESOURCE = 3


class Response(IntEnum):
    """What an attendee has said; the numbers are [MS-ASCAL]'s AttendeeStatus."""

    UNKNOWN = 0
    TENTATIVE = 2
    ACCEPTED = 3
    DECLINED = 4
    NONE = 5
    """Asked, and not answered yet."""


class Organizer(Struct, frozen=True):
    """Who called the meeting.

    Attributes:
        address: without ``mailto:``; another URI as it is.
        name: for people to read ("" none).
    """

    address: str
    name: str = ""


class Attendee(Struct, frozen=True):
    """Who is asked to come.

    Attributes:
        address: without ``mailto:``; another URI as it is.
        name: for people to read ("" none).
        role: whether a meeting goes without.
        response: the latest known.
        responded_at: when that was said; 0 unknown.
    """

    address: str
    name: str = ""
    role: AttendeeRole = AttendeeRole.REQUIRED
    response: Response = Response.UNKNOWN
    responded_at: int = 0


class Override(Struct, frozen=True, kw_only=True):
    """One occurrence that is not as its series says. What is UNSET is as in the series.

    Attributes:
        original_start_at: where the series has it: an instant, or a civil date when the series is
            all-day. No two overrides of a series have the same.
        is_deleted: it does not take place; nothing else is set then.
        start_at: UNSET: ``original_start_at``.
        end_at: UNSET: as long after the original start as the series' end is after its start.
    """

    original_start_at: int
    is_deleted: bool = False
    sequence: int | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    start_at: int | UnsetType = UNSET
    end_at: int | UnsetType = UNSET
    is_all_day: bool | UnsetType = UNSET
    zone: str | UnsetType = UNSET
    is_floating: bool | UnsetType = UNSET
    busy: BusyStatus | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType = UNSET
    importance: Importance | UnsetType = UNSET
    reminder_minutes: int | UnsetType | None = UNSET
    categories: tuple[str, ...] | UnsetType = UNSET
    organizer: Organizer | UnsetType | None = UNSET
    attendees: tuple[Attendee, ...] | UnsetType = UNSET
    is_cancelled: bool | UnsetType = UNSET
    response_requested: bool | UnsetType = UNSET
    disallow_new_time_proposal: bool | UnsetType = UNSET
    online_meeting_link: str | UnsetType = UNSET


class Appointment(Struct, frozen=True, kw_only=True):
    """An appointment, meeting or series.

    Attributes:
        uid: iCalendar's UID; the same in every mailbox that has the meeting.
        sequence: revision by the organizer, from 0.
        subject: one line.
        body: plain text.
        html: the same body in HTML; "" none.
        start_at: an instant, or a civil date when ``is_all_day``.
        end_at: the same; not part of it any more.
        is_all_day: start and end are civil dates; ``zone`` is "" then.
        zone: IANA name of where it is planned, by which a series goes on; "" UTC or unknown.
        is_floating: it happens at this time of day wherever one is; the times are written as if
            that were UTC, ``zone`` is "".
        reminder_minutes: before the start; None: no reminder.
        organizer: None: no meeting.
        is_cancelled: the organizer has called it off.
        response_requested: attendees are asked to answer; False when there are none.
        disallow_new_time_proposal: attendees shall not propose another time.
        online_meeting_link: URL to join; "" none.
        created_at: 0 unknown.
        changed_at: 0 unknown.
        recurrence: None: happens once, or its rule cannot be said by a pattern.
        overrides: by ``original_start_at``, ascending; only with a recurrence or an unmapped rule.
        has_unmapped_rule: the original says more of the recurrence than ``recurrence`` does (a rule
            beyond the patterns, additional dates): doors for which patterns are all must not
            take the series for complete.
    """

    uid: str
    start_at: int
    end_at: int
    sequence: int = 0
    subject: str = ""
    location: str = ""
    body: str = ""
    html: str = ""
    is_all_day: bool = False
    zone: str = ""
    is_floating: bool = False
    busy: BusyStatus = BusyStatus.BUSY
    sensitivity: Sensitivity = Sensitivity.NORMAL
    importance: Importance = Importance.NORMAL
    reminder_minutes: int | None = None
    categories: tuple[str, ...] = ()
    organizer: Organizer | None = None
    attendees: tuple[Attendee, ...] = ()
    is_cancelled: bool = False
    response_requested: bool = False
    disallow_new_time_proposal: bool = False
    online_meeting_link: str = ""
    created_at: int = 0
    changed_at: int = 0
    recurrence: Recurrence | None = None
    overrides: tuple[Override, ...] = ()
    has_unmapped_rule: bool = False


_OVERRIDABLE = tuple(
    name for name in Override.__struct_fields__ if name not in ("original_start_at", "is_deleted")
)


def regular_occurrence(series: Appointment, original_start_at: int) -> Appointment:
    """The occurrence as the series alone has it."""
    return replace(
        series,
        start_at=original_start_at,
        end_at=original_start_at + series.end_at - series.start_at,
        recurrence=None,
        overrides=(),
        has_unmapped_rule=False,
    )


def occurrence(series: Appointment, override: Override) -> Appointment:
    """The occurrence as it takes place."""
    told = {name: value for name, value in asdict(override).items() if name in _OVERRIDABLE}
    told = {name: value for name, value in told.items() if value is not UNSET}
    return replace(regular_occurrence(series, override.original_start_at), **told)


def override_from_occurrence(
    series: Appointment, original_start_at: int, taken: Appointment
) -> Override:
    """What makes this occurrence differ from the series; what is equal is left UNSET."""
    regular = regular_occurrence(series, original_start_at)
    differing = {
        name: getattr(taken, name)
        for name in _OVERRIDABLE
        if getattr(taken, name) != getattr(regular, name)
    }
    return Override(original_start_at=original_start_at, **differing)
