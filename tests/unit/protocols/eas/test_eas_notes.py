"""Notes on the wire; bodies that come in."""

from __future__ import annotations

import pytest
from eas_items import (
    application_data,
    check_sync_answer,
    data,
    kinds,
    names,
    plain_body,
    rubbish,
    shown_body,
    texts,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.ical.journal import ical_from_note
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.note import Note
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.incoming_body import IncomingBody, body_from_data
from posthouse.protocols.eas.wire.notes import data_from_note, note_from_data
from posthouse.protocols.eas.wire.options import BodyKind, ViewOptions

NOW = 1_800_000_000_000
quick = settings(deadline=None)
stamps = st.integers(0, 4_000_000_000).map(lambda s: s * 1000)
notes = st.builds(
    Note,
    uid=texts,
    subject=texts,
    body=texts,
    html=texts,
    categories=st.lists(texts, max_size=3).map(tuple),
    created_at=stamps,
    changed_at=stamps,
)
KNOWN = Note(uid="n1", subject="Tea", body="milk", html="<p>milk</p>", categories=("Home",))


def sent(note: Note) -> Element:
    body = shown_body(BodyKind.PLAIN, note.body, note.html)
    return application_data(data_from_note(note, ViewOptions(), body))


def taken(told: Element, known: Note | None = KNOWN, *, is_partial=True) -> Note:
    return note_from_data(told, known, is_partial=is_partial, now_ms=NOW + 7)


@quick
@given(notes, st.lists(names, max_size=3).map(tuple))
def test_what_is_carried_comes_back(note: Note, categories) -> None:
    note = replace(note, uid="", html="", categories=categories, created_at=NOW, changed_at=NOW)
    assert taken(sent(note), None, is_partial=False) == note


@quick
@given(notes, st.booleans(), kinds)
def test_what_comes_back_unchanged_changes_nothing(note: Note, partial, kind) -> None:
    body = shown_body(kind, note.body, note.html)
    told = application_data(data_from_note(note, ViewOptions(), body))
    assert taken(told, note, is_partial=partial) is note


@quick
@given(notes, notes)
def test_a_change_is_taken_whole(before: Note, after: Note) -> None:
    result = taken(sent(after), before, is_partial=False)
    assert sent(replace(result, changed_at=after.changed_at)) == sent(after)


@quick
@given(notes)
def test_the_schema_takes_it(note: Note) -> None:
    check_sync_answer(data_from_note(note, ViewOptions(), plain_body("x")))


@quick
@given(rubbish("Notes", "AirSyncBase"), st.none() | notes, st.booleans())
def test_rubbish_is_refused_or_can_be_kept(told: Element, known: Note | None, partial) -> None:
    try:
        note = taken(told, known, is_partial=partial)
    except RemoteProtocolError as e:
        hint = e.reply_hint
    else:
        hint = "content"
        ical_from_note(note)
    assert hint == "content"


def test_a_note_in_full() -> None:
    found = {e.tag: e.text for e in data_from_note(KNOWN, ViewOptions(), []) if not e.children}
    assert found == {
        "Subject": "Tea",
        "MessageClass": "IPM.StickyNote",
        "LastModifiedDate": "19700101T000000Z",
    }


def test_the_time_is_the_servers() -> None:
    told = data("Notes", Subject="Coffee", LastModifiedDate="20200101T000000Z")
    assert taken(told) == replace(KNOWN, subject="Coffee", changed_at=NOW)
    assert taken(data("Notes", LastModifiedDate="rubbish")) is KNOWN


def test_absent_is_cleared_in_a_whole_but_for_the_body() -> None:
    told = data("Notes", MessageClass="IPM.StickyNote")
    assert taken(told, is_partial=False) == replace(
        KNOWN, subject="", categories=(), changed_at=NOW
    )


@pytest.mark.parametrize("item_class", ["IPM.StickyNote", "ipm.stickynote.Blue", ""])
def test_classes_of_notes(item_class: str) -> None:
    assert taken(data("Notes", MessageClass=item_class)) is KNOWN


@pytest.mark.parametrize("item_class", ["IPM.Note", "IPM.StickyNotes", "StickyNote"])
def test_other_classes_are_refused(item_class: str) -> None:
    with pytest.raises(RemoteProtocolError):
        taken(data("Notes", MessageClass=item_class))


def body(*children: Element) -> Element:
    return application_data([Element("AirSyncBase", "Body", list(children) or "")])


KIND = Element("AirSyncBase", "Type", "1")
TEXT = Element("AirSyncBase", "Data", "a\r\nb\rc\0\x07\td")


def test_bodies() -> None:
    assert body_from_data(body(KIND, TEXT)) == IncomingBody(BodyKind.PLAIN, "a\nb\nc\td")
    mime = Element("AirSyncBase", "Type", "4"), Element("AirSyncBase", "Data", b"Subject: \xe4\r\n")
    assert body_from_data(body(*mime)) == IncomingBody(BodyKind.MIME, octets=b"Subject: \xe4\r\n")
    empty = Element("AirSyncBase", "Data", "")
    assert body_from_data(body(KIND, empty)) == IncomingBody(BodyKind.PLAIN)


@pytest.mark.parametrize(
    "told",
    [
        application_data([]),
        body(),
        body(KIND),
        body(KIND, Element("AirSyncBase", "Truncated", "1"), TEXT),
    ],
)
def test_no_body_is_no_change(told: Element) -> None:
    assert body_from_data(told) is None


@pytest.mark.parametrize("kind", ["0", "5", "x", "3", "4"])
def test_a_body_that_is_no_note_is_refused(kind: str) -> None:
    with pytest.raises(RemoteProtocolError):
        taken(application_data(plain_body("QQ==", kind)))
