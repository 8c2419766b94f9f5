"""Notes as a view of an iCalendar document, and changes written back into it.

Spec: RFC 5545 §3.6.3 (VJOURNAL), §3.8.1.5 (DESCRIPTION), §3.8.7.3 (LAST-MODIFIED).

Notes:
    A VJOURNAL may have several descriptions: they are one body, divided by empty lines. Dates,
    status and class of a journal are no matter of a note and stay in the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from posthouse.formats.ical.appointment import new_document, series_from_document
from posthouse.formats.ical.lines import (
    LIMITS,
    Component,
    IcalLimits,
    bytes_from_document,
    document_from_bytes,
)
from posthouse.formats.ical.parts import (
    BODY,
    CATEGORIES,
    CHANGED,
    CREATED,
    HTML,
    SUBJECT,
    UID,
    Part,
    Values,
    read_parts,
    write_parts,
)
from posthouse.formats.ical.values import text_from_value, utc_value
from posthouse.model.note import Note

if TYPE_CHECKING:
    from posthouse.formats.ical.times import Calendar


def note_from_ical(data: bytes, limits: IcalLimits = LIMITS) -> Note:
    """Read a note.

    Raises:
        ParserFailed: no VJOURNAL, or vCalendar 1.0.
        TooLarge: the document passes a limit.
    """
    series = series_from_document(document_from_bytes(data, limits), "VJOURNAL")
    return Note(**read_parts(_PARTS, series.master, series.calendar))


def ical_from_note(note: Note, original: bytes | None = None, limits: IcalLimits = LIMITS) -> bytes:
    """Write a note.

    Args:
        note: as it shall be.
        original: the document that it is a view of; None: a new one is made.
        limits: of the original.

    Returns:
        The original with those properties changed that said something else.

    Raises:
        ParserFailed: as for reading.
        TooLarge: the same.
    """
    root = document_from_bytes(original, limits) if original else new_document("VJOURNAL")
    series = series_from_document(root, "VJOURNAL")
    if not original:
        for name in ("DTSTAMP", "LAST-MODIFIED"):
            series.master.set(name, utc_value(note.changed_at))
    write_parts(_PARTS, series.master, series.calendar, note)
    return bytes_from_document(root)


def _read_body(component: Component, _calendar: Calendar) -> Values:
    texts = (text_from_value(prop.value) for prop in component.properties("DESCRIPTION"))
    return {"body": "\n\n".join(texts)}


# What these parts read and write of an appointment or task, a note has, too.
_PARTS = cast(
    "tuple[Part[Note], ...]",
    (UID, CREATED, CHANGED, SUBJECT, HTML, Part(_read_body, BODY.write), CATEGORIES),
)
