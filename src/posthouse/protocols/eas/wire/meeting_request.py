"""Meeting requests: what a scheduling message says, as mail on phones has it.

Spec: [MS-ASEMAIL] §2.2.2.48 (MeetingRequest), §2.2.2.37 (GlobalObjId), §2.2.2.47, §2.2.2.49,
§3.1.4.7 (from GlobalObjId to UID); [MS-OXOCAL] v23 §2.2.1.27 (PidLidGlobalObjectId); [MS-OXCICAL]
§2.1.3.1.1.1 (METHOD).

Notes:
    Up to 14.1 the meeting is named by a GlobalObjId, from 16.0 on by its UID. A UID that Exchange
    made is a GlobalObjId in hexadecimal digits; every other one is packed into one.
    The reminder is in seconds here. Proposed times are known to 16.1 only.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from posthouse.formats.vcard.values import clean
from posthouse.formats.zones.rules import YEARS
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.calendar_fields import location_element, shown_busy
from posthouse.protocols.eas.wire.calendar_times import local_day, shown_recurrence, zone_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version, ViewOptions
from posthouse.protocols.eas.wire.recurrence import EMAIL, recurrence_element
from posthouse.protocols.eas.wire.times import compact_from_ms, long_from_ms

if TYPE_CHECKING:
    from posthouse.formats.ical.itip import SchedulingMessage
    from posthouse.model.appointment import Organizer

_UNSPECIFIED, _INITIAL, _FULL_UPDATE, _OUTDATED = "0", "1", "2", "4"
_SINGLE, _MASTER, _INSTANCE, _EXCEPTION = "0", "1", "2", "3"
_REMINDER_S_MAX = 65_535
_UID_MAX: Final = 300
_LOCATION_MAX: Final = 32_768

_CLASS_ID: Final = bytes.fromhex("040000008200E00074C5B7101A82E008")
_MARK: Final = b"vCal-Uid\x01\x00\x00\x00"
_DATE_AT, _LENGTH_AT, _DATA_AT = 16, 36, 40
_ZEROS = bytes(16)
_OBJECT_ID_OCTETS_MAX = 4_096


def meeting_request_element(
    message: SchedulingMessage, options: ViewOptions, *, is_outdated: bool = False
) -> Element:
    """MeetingRequest, its children in the order of the schema.

    Args:
        message: a scheduling message of any method.
        options: of which the version counts.
        is_outdated: a newer version of the meeting is known.
    """
    meeting, version = message.appointment, options.version
    organizer = message.organizer or meeting.organizer
    is_request = message.method in ("REQUEST", "ADD")
    recurrence = shown_recurrence(meeting) if message.recurrence_at is None else None
    element = Element("Email", "MeetingRequest", [])
    element.add("AllDayEvent", str(int(meeting.is_all_day)))
    element.add("StartTime", long_from_ms(meeting.start_at))
    element.add("DtStamp", long_from_ms(message.stamped_at))
    element.add("EndTime", long_from_ms(meeting.end_at))
    element.add("InstanceType", _instance_type(message, has_recurrence=recurrence is not None))
    if location := clean(meeting.location)[:_LOCATION_MAX]:
        element.children.append(location_element(location, version, "Email"))
    if organizer is not None:
        element.add("Organizer", _mailbox_text(organizer))
    if message.recurrence_at is not None:
        element.add("RecurrenceId", long_from_ms(message.recurrence_at))
    if meeting.reminder_minutes is not None:
        reminder_s = min(max(meeting.reminder_minutes, 0) * 60, _REMINDER_S_MAX)
        element.add("Reminder", str(reminder_s))
    element.add("ResponseRequested", str(int(is_request and meeting.response_requested)))
    if recurrence is not None:
        element.add("Recurrences", [recurrence_element(recurrence, EMAIL)])
    element.add("Sensitivity", str(int(meeting.sensitivity)))
    element.add("BusyStatus", str(int(shown_busy(meeting.busy, version))))
    element.add("TimeZone", zone_text(meeting))
    disallow = Element(
        "Email", "DisallowNewTimeProposal", str(int(meeting.disallow_new_time_proposal))
    )
    kind = Element("Email2", "MeetingMessageType", _message_type(message, is_outdated=is_outdated))
    if version < Version.V16_0:
        element.add("GlobalObjId", _object_id_of(message))
        element.children.extend((disallow, kind))
    else:
        element.children.extend((disallow, kind))
        element.add("Calendar:UID", clean(message.uid)[:_UID_MAX])
    if message.method == "COUNTER" and version >= Version.V16_1:
        element.add("MeetingResponse:ProposedStartTime", compact_from_ms(meeting.start_at))
        element.add("MeetingResponse:ProposedEndTime", compact_from_ms(meeting.end_at))
    return element


def global_obj_id(uid: str, date: tuple[int, int, int] | None = None) -> str:
    """GlobalObjId of a meeting, in base64.

    Args:
        uid: iCalendar's.
        date: year, month and day of the occurrence that is meant; None: the whole.
    """
    octets = _exchange_octets(uid)
    if octets is None:
        data = _MARK + uid.encode("utf-8", "replace") + b"\0"
        octets = _CLASS_ID + bytes(4) + _ZEROS + len(data).to_bytes(4, "little") + data
    if date is not None:
        year, month, day = date
        instance = year.to_bytes(2, "big") + bytes((month, day))
        octets = octets[:_DATE_AT] + instance + octets[_DATE_AT + 4 :]
    return base64.b64encode(octets).decode()


def uid_from_global_obj_id(text: str) -> str:
    """The UID of the meeting that a GlobalObjId names, whichever its occurrence.

    Raises:
        RemoteProtocolError: it is none (hint ``content``).
    """
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise RemoteProtocolError("GlobalObjId is not base64", "content") from e
    if not octets.startswith(_CLASS_ID) or not _DATA_AT <= len(octets) <= _OBJECT_ID_OCTETS_MAX:
        raise RemoteProtocolError("GlobalObjId is no such id", "content")
    data = _packed(octets)
    if data is not None:
        return data.decode("utf-8", "replace")
    return (octets[:_DATE_AT] + bytes(4) + octets[_DATE_AT + 4 :]).hex().upper()


def _packed(octets: bytes) -> bytes | None:
    """The UID that was packed into it; None: it is one of Exchange's own."""
    length = int.from_bytes(octets[_LENGTH_AT:_DATA_AT], "little")
    data = octets[_DATA_AT : _DATA_AT + length]
    if not data.startswith(_MARK) or len(data) != length or length <= len(_MARK):
        return None
    return data[len(_MARK) : -1]


def _exchange_octets(uid: str) -> bytes | None:
    """The id that stands in a UID of Exchange's; None: another one made it."""
    if not uid.startswith(_CLASS_ID.hex().upper()) or len(uid) > 2 * _OBJECT_ID_OCTETS_MAX:
        return None
    try:
        octets = bytes.fromhex(uid)
    except ValueError:
        return None
    is_whole = octets.hex().upper() == uid and len(octets) >= _DATA_AT
    is_own = octets[_DATE_AT : _DATE_AT + 4] == bytes(4) and _packed(octets) is None
    return octets if is_whole and is_own else None


def _object_id_of(message: SchedulingMessage) -> str:
    if message.recurrence_at is None:
        return global_obj_id(message.uid)
    day = local_day(message.recurrence_at, message.appointment).civil
    is_told = day.year in YEARS
    return global_obj_id(message.uid, (day.year, day.month, day.day) if is_told else None)


def _instance_type(message: SchedulingMessage, *, has_recurrence: bool) -> str:
    if message.recurrence_at is None:
        return _MASTER if has_recurrence else _SINGLE
    is_moved = message.appointment.start_at != message.recurrence_at
    return _EXCEPTION if is_moved or message.sequence else _INSTANCE


def _message_type(message: SchedulingMessage, *, is_outdated: bool) -> str:
    if message.method not in ("REQUEST", "ADD"):
        return _UNSPECIFIED
    if is_outdated:
        return _OUTDATED
    return _FULL_UPDATE if message.sequence else _INITIAL


def _mailbox_text(organizer: Organizer) -> str:
    name = clean(organizer.name or organizer.address).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{clean(organizer.address)}>'
