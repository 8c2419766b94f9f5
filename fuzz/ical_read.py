"""Invariant: whatever the bytes, a document that can be read is written back byte for byte.

A view, changed, is written into the document and read again as it was meant; refusals are of two
kinds, and everything ends soon.
Run: ``python fuzz/ical_read.py 10000`` (inputs), or with files that were kept.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from driving import drive
from msgspec.structs import replace

from posthouse.formats.ical.appointment import appointment_from_ical, ical_from_appointment
from posthouse.formats.ical.itip import message_from_ical
from posthouse.formats.ical.lines import bytes_from_document, document_from_bytes
from posthouse.formats.ical.task import ical_from_task, task_from_ical
from posthouse.model.appointment import BusyStatus, occurrence
from posthouse.model.errors import ParserFailed, TooLarge

if TYPE_CHECKING:
    import random

EVENT = [
    b"UID:1\r\n",
    b"SUMMARY;LANGUAGE=de:a\\, b\r\n c\r\n",
    b"DTSTART;TZID=Europe/Berlin:20261025T023000\r\n",
    b"DTSTART;VALUE=DATE:20261025\r\n",
    b'DTSTART;TZID="x; y":20261025T023000\r\n',
    b"DTEND:20261025T023000Z\r\n",
    b"DURATION:-P1DT2H\r\n",
    b"RRULE:FREQ=WEEKLY;BYDAY=SU;UNTIL=20270101\r\n",
    b"RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=5\r\n",
    b"EXDATE;TZID=Europe/Berlin:20261101T023000,20261108T023000\r\n",
    b"EXDATE;VALUE=DATE:20261101\r\n",
    b"RECURRENCE-ID;VALUE=DATE:20261115\r\n",
    b"RECURRENCE-ID:20261115T013000Z\r\n",
    b"RDATE:20261115T013000Z\r\n",
    b'ATTENDEE;CN="a^\'b";PARTSTAT=ACCEPTED;RSVP=TRUE:MAILTO:a@b\r\n',
    b"ORGANIZER;EMAIL=o@p:urn:uuid:1\r\n",
    b"STATUS:TENTATIVE\r\nTRANSP:TRANSPARENT\r\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\r\n",
    b"X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\r\nCLASS:X-PERSONAL\r\nPRIORITY:1\r\n",
    b"X-ALT-DESC;FMTTYPE=text/html:<p>\r\n",
    b'DESCRIPTION;ALTREP="data:text/html,%3Cp%3E":p\r\n',
    b"DUE:20261101T000000\r\nCOMPLETED:20261101T000000Z\r\n",
    b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER;RELATED=END:-PT15M\r\nEND:VALARM\r\n",
    b"BEGIN:VALARM\r\nTRIGGER;VALUE=DATE-TIME:20261024T000000Z\r\nEND:VALARM\r\n",
    b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID:20261115T013000Z\r\nDTSTART:20261116T013000Z\r\n",
]
ZONE = (
    b"BEGIN:VTIMEZONE\r\nTZID:x\\; y\r\nBEGIN:STANDARD\r\nDTSTART:19700101T030000\r\n"
    b"TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n"
    b"END:STANDARD\r\nEND:VTIMEZONE\r\n"
)
CPU_MAX_S = 4.0


def fuzz_one(data: bytes) -> None:
    begun = time.process_time()
    try:
        assert bytes_from_document(document_from_bytes(data)) == data
        message_from_ical(data)
        check_appointment(data)
    except (ParserFailed, TooLarge):
        pass
    with contextlib.suppress(ParserFailed, TooLarge):
        check_task(data)
    assert time.process_time() - begun < CPU_MAX_S


def check_appointment(data: bytes) -> None:
    appointment = appointment_from_ical(data)
    assert ical_from_appointment(appointment, data) == data
    changed = replace(
        appointment,
        subject="changed",
        busy=BusyStatus.OUT_OF_OFFICE,
        reminder_minutes=7,
        is_cancelled=not appointment.is_cancelled,
    )
    written = ical_from_appointment(changed, data)
    again = appointment_from_ical(written)
    assert (again.subject, again.busy, again.is_cancelled) == (
        changed.subject,
        changed.busy,
        changed.is_cancelled,
    )
    assert [occurrence(again, o) for o in again.overrides] == [
        occurrence(changed, o) for o in changed.overrides
    ]
    assert ical_from_appointment(changed, written) == written


def check_task(data: bytes) -> None:
    task = task_from_ical(data)
    assert ical_from_task(task, data) == data
    assert (
        task_from_ical(ical_from_task(replace(task, subject="changed"), data)).subject == "changed"
    )


def mutated(dice: random.Random) -> bytes:
    """A calendar of rows in any order, with octets changed, doubled many times or lost."""
    kind = dice.choice([b"VEVENT", b"VEVENT", b"VTODO"])
    rows = b"".join(dice.choices(EVENT, k=dice.randint(1, 14)))
    start = dice.choice(EVENT[2:5])
    data = bytearray(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n%sBEGIN:%s\r\n%s%sEND:%s\r\nEND:VCALENDAR\r\n"
        % (dice.choice([b"", ZONE]), kind, start, rows, kind)
    )
    for _ in range(dice.choice([0, 0, 1, 2, 6])):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(4):
            case 0:
                data[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                data[at:at] = data[at : at + dice.randint(1, 300)]
            case 2:
                data[at:at] = data[at : at + dice.randint(1, 20)] * dice.randint(1, 500)
            case _:
                del data[at : at + dice.randint(1, 20)]
    return bytes(data[:200_000])


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
