"""Notes as a view of iCalendar, in both directions."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ical_strategies import stamps, texts, words

from posthouse.formats.ical.journal import ical_from_note, note_from_ical
from posthouse.model.errors import ParserFailed
from posthouse.model.note import Note

slow = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
SAMPLE = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//jtx Board//EN\r\nX-WR-CALNAME:Notes\r\n"
    b"BEGIN:VJOURNAL\r\nUID:n1@other\r\nDTSTAMP:20260103T100000Z\r\nCREATED:20260101T100000Z\r\n"
    b"LAST-MODIFIED:20260102T100000Z\r\nDTSTART;VALUE=DATE:20260101\r\nSUMMARY:Shopping\\, tea\r\n"
    b"DESCRIPTION:milk\\neggs\r\nDESCRIPTION:and bread\r\nCATEGORIES:Home,Food\r\n"
    b"X-COLOR;X-P=1:yellow\r\nSTATUS:FINAL\r\nEND:VJOURNAL\r\nEND:VCALENDAR\r\n"
)
EVENT = SAMPLE.replace(b"VJOURNAL", b"VEVENT")

notes = st.builds(
    Note,
    uid=words,
    subject=texts,
    body=texts,
    html=texts,
    categories=st.lists(words, max_size=3).map(tuple),
    created_at=stamps,
    changed_at=stamps,
)


@slow
@given(notes, notes)
def test_written_and_read_is_the_same(before: Note, after: Note) -> None:
    data = ical_from_note(before)
    assert note_from_ical(data) == before
    assert ical_from_note(before, data) == data
    assert note_from_ical(ical_from_note(after, data)) == after


@slow
@given(notes)
def test_any_change_keeps_what_is_no_matter_of_a_note(after: Note) -> None:
    changed = ical_from_note(after, SAMPLE)
    assert note_from_ical(changed) == after
    for line in (b"X-COLOR;X-P=1:yellow", b"STATUS:FINAL", b"DTSTART;VALUE=DATE:20260101"):
        assert b"\r\n" + line + b"\r\n" in changed
    assert b"X-WR-CALNAME:Notes\r\n" in changed


def test_a_sample() -> None:
    note = note_from_ical(SAMPLE)
    assert note == Note(
        uid="n1@other",
        subject="Shopping, tea",
        body="milk\neggs\n\nand bread",
        categories=("Home", "Food"),
        created_at=1_767_261_600_000,
        changed_at=1_767_348_000_000,
    )
    assert ical_from_note(note, SAMPLE) == SAMPLE


def test_a_new_note_says_when_it_changed() -> None:
    data = ical_from_note(Note(uid="n2", changed_at=1_767_348_000_000))
    assert (
        b"BEGIN:VJOURNAL\r\nDTSTAMP:20260102T100000Z\r\nLAST-MODIFIED:20260102T100000Z\r\n" in data
    )


@pytest.mark.parametrize("data", [EVENT, b"", b"Subject: a note\r\n\r\nof mail\r\n"])
def test_what_is_no_journal_is_refused(data: bytes) -> None:
    with pytest.raises(ParserFailed):
        note_from_ical(data)
