"""Notes are filed, listed, found and changed like all entries; other sticky notes are refused."""

from __future__ import annotations

import pytest

from posthouse.model.errors import ParserFailed
from posthouse.model.item import ItemKind
from posthouse.model.note import Note
from posthouse.services.groupware.views import VIEWS, view_of_item, view_of_original

VIEW = VIEWS[Note]


def test_the_columns_show_a_first_line() -> None:
    note = Note(uid="n1", subject="Tea", body="milk\neggs")
    columns = VIEW.columns(note)
    assert (columns.item_class, columns.subject, columns.ical_uid) == (
        "IPM.StickyNote",
        "Tea",
        "n1",
    )
    assert VIEW.columns(Note(uid="n1", body="\n milk\neggs")).subject == "milk"
    assert VIEW.columns(Note(uid="n1")).subject == ""


def test_it_is_found_by_kind_and_class() -> None:
    assert (VIEW.kind, VIEW.media_type) == (ItemKind.NOTE, "text/calendar")
    assert view_of_item(ItemKind.NOTE, "IPM.StickyNote") is VIEW
    assert view_of_item(ItemKind.NOTE, "IPM.StickyNote.Blue") is VIEW
    note = Note(uid="n1", subject="Tea")
    original = VIEW.write(note, None)
    assert view_of_original(ItemKind.NOTE, original).read(original) == note


def test_a_sticky_note_that_is_no_journal_is_refused() -> None:
    with pytest.raises(ParserFailed):
        VIEW.read(b"From: a@b.example\r\nX-Uniform-Type-Identifier: com.apple.mail-note\r\n\r\nTea")
