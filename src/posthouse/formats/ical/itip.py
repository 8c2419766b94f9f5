"""Scheduling messages: invitations, answers, cancellations, counter-proposals.

Spec: RFC 5546 §1.4 (methods), §3.2.2 (REQUEST), §3.2.3 (REPLY), §3.2.5 (CANCEL), §3.2.7 (COUNTER);
    [MS-OXCICAL] §2.1.3.1.1.1 (METHOD and message class).

Notes:
    A message is made from the appointment's own document, so what other programs wrote about a
    meeting travels with it; alarms stay at home. The time of sending is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from posthouse.formats.ical.appointment import (
    PRODID,
    appointment_from_series,
    ical_from_appointment,
    series_from_document,
    write_appointment,
)
from posthouse.formats.ical.lines import (
    LIMITS,
    Component,
    IcalLimits,
    bytes_from_document,
    document_from_bytes,
)
from posthouse.formats.ical.values import (
    integer_from_value,
    ms_from_utc_value,
    text_from_value,
    utc_value,
    value_from_text,
)
from posthouse.model.appointment import Response

if TYPE_CHECKING:
    from posthouse.formats.ical.overrides import Series
    from posthouse.model.appointment import Appointment, Attendee, Organizer

_WHICH = frozenset(["UID", "SEQUENCE", "RECURRENCE-ID", "RRULE", "DTSTAMP", "DTSTART", "DTEND"])
_WHAT = frozenset(["DURATION", "SUMMARY", "LOCATION", "STATUS", "TRANSP", "PRIORITY", "CLASS"])
_OF_AN_ANSWER = _WHICH | _WHAT | {"ORGANIZER", "ATTENDEE"}
NORMAL_CLASS = "IPM.Note"
"""Of a mail that asks and answers nothing."""
_REPLY_CLASSES = {
    Response.ACCEPTED: "IPM.Schedule.Meeting.Resp.Pos",
    Response.DECLINED: "IPM.Schedule.Meeting.Resp.Neg",
    Response.TENTATIVE: "IPM.Schedule.Meeting.Resp.Tent",
}
_CLASSES = {
    "REQUEST": "IPM.Schedule.Meeting.Request",
    "CANCEL": "IPM.Schedule.Meeting.Canceled",
    "COUNTER": _REPLY_CLASSES[Response.TENTATIVE],
}


class SchedulingMessage(Struct, frozen=True):
    """What of a message decides what becomes of it.

    Attributes:
        method: upper case; "" none (then it is no scheduling message).
        uid: of the meeting.
        sequence: revision it speaks of.
        recurrence_at: of which occurrence it speaks; None: of the whole.
        stamped_at: when it was made; between messages of one sequence the later counts.
        organizer: None: not said.
        attendees: of a REPLY and COUNTER: who answers, and what.
        comment: the answer in words.
        appointment: the times and all else, as the sender has or proposes it.
    """

    method: str
    uid: str
    sequence: int
    recurrence_at: int | None
    stamped_at: int
    organizer: Organizer | None
    attendees: tuple[Attendee, ...]
    comment: str
    appointment: Appointment


def message_class_of(method: str, response: Response = Response.UNKNOWN) -> str:
    """Exchange's class of the mail that carries a scheduling message.

    Args:
        method: in upper case.
        response: of a REPLY: what is answered.

    Returns:
        ``NORMAL_CLASS`` for what has no class of its own.
    """
    if method == "REPLY":
        return _REPLY_CLASSES.get(response, NORMAL_CLASS)
    return _CLASSES.get(method, NORMAL_CLASS)


def message_from_ical(data: bytes, limits: IcalLimits = LIMITS) -> SchedulingMessage:
    """Read a scheduling message about an appointment.

    Raises:
        ParserFailed: no readable VEVENT.
        TooLarge: the document passes a limit.
    """
    series = series_from_document(document_from_bytes(data, limits))
    appointment = appointment_from_series(series)
    master = series.master
    original = series.calendar.moment(master.first("RECURRENCE-ID"))
    return SchedulingMessage(
        method=series.calendar.tree.value("METHOD").strip().upper(),
        uid=appointment.uid,
        sequence=integer_from_value(master.value("SEQUENCE")) or 0,
        recurrence_at=original.at if original else None,
        stamped_at=ms_from_utc_value(master.value("DTSTAMP")) or 0,
        organizer=appointment.organizer,
        attendees=appointment.attendees,
        comment=text_from_value(master.value("COMMENT")),
        appointment=appointment,
    )


def is_newer(message: SchedulingMessage, sequence: int, stamped_at: int) -> bool:
    """Whether a message overrules what was known by another of this sequence and time.

    Spec: RFC 5546 §2.1.5.
    """
    return (message.sequence, message.stamped_at) > (sequence, stamped_at)


def request(appointment: Appointment, stamped_at: int, original: bytes | None = None) -> bytes:
    """An invitation, or a new version of one."""
    return _message("REQUEST", appointment, stamped_at, original)


def cancellation(appointment: Appointment, stamped_at: int, original: bytes | None = None) -> bytes:
    """To those who are not asked any more, or to all: the caller raises ``sequence``."""
    return _message("CANCEL", replace(appointment, is_cancelled=True), stamped_at, original)


def reply(
    appointment: Appointment,
    attendee: Attendee,
    stamped_at: int,
    original: bytes | None = None,
    comment: str = "",
) -> bytes:
    """An attendee's answer: of the meeting only what says which one it is."""
    only = replace(
        appointment, attendees=(attendee,), response_requested=False, overrides=(), body="", html=""
    )
    root, series = _document(only, original)
    for component in _components(series):
        for child in list(component.children):
            if isinstance(child, Component) or child.name not in _OF_AN_ANSWER:
                component.remove(child)
    return _finished("REPLY", root, series, stamped_at, comment)


def counter_proposal(
    proposed: Appointment,
    attendee: Attendee,
    stamped_at: int,
    original: bytes | None = None,
    comment: str = "",
) -> bytes:
    """An attendee's proposal: ``proposed`` is the meeting as that attendee would have it."""
    others = [a for a in proposed.attendees if a.address.lower() != attendee.address.lower()]
    meeting = replace(proposed, attendees=(attendee, *others))
    root, series = _document(meeting, original)
    return _finished("COUNTER", root, series, stamped_at, comment)


def _message(
    method: str, appointment: Appointment, stamped_at: int, original: bytes | None
) -> bytes:
    root, series = _document(appointment, original)
    return _finished(method, root, series, stamped_at, "")


def _document(appointment: Appointment, original: bytes | None) -> tuple[Component, Series]:
    root = document_from_bytes(original or ical_from_appointment(appointment))
    series = series_from_document(root)
    if original:
        write_appointment(series, appointment)
        calendars = [c for c in root.children if isinstance(c, Component)]
        root.remove(*(c for c in calendars if c is not series.calendar.tree))
    return root, series


def _components(series: Series) -> list[Component]:
    uid = series.master.value("UID")
    return [c for c in series.calendar.tree.components("VEVENT") if c.value("UID") == uid]


def _finished(method: str, root: Component, series: Series, stamped_at: int, comment: str) -> bytes:
    """Method, time and words; other appointments of the document and alarms are left out."""
    tree = series.calendar.tree
    ours = _components(series)
    tree.remove(*(c for c in tree.components("VEVENT") if not any(c is o for o in ours)))
    tree.set("PRODID", PRODID)
    tree.set("METHOD", method)
    for component in ours:
        component.remove(*component.components("VALARM"))
        component.set("DTSTAMP", utc_value(stamped_at))
        if comment:
            component.set("COMMENT", value_from_text(comment))
    return bytes_from_document(root)
