"""Notes as ActiveSync has them.

Spec: [MS-ASNOTE] §2.2.2, §2.2.2.4 (LastModifiedDate), §2.2.2.5 (MessageClass), §3.2.5.

Notes:
    The time of a change is the server's, whatever a client says. So is the class: what a client
    puts behind ``IPM.StickyNote`` is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.formats.vcard.values import clean
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.note import Note
from posthouse.protocols.eas.wire.fields import Told, names_elements, text_elements
from posthouse.protocols.eas.wire.incoming_body import body_from_data, texts_from_body
from posthouse.protocols.eas.wire.times import compact_from_ms

if TYPE_CHECKING:
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.options import ViewOptions

_CLASS = "IPM.StickyNote"
_SUBJECT = "Notes:Subject"
_CATEGORIES = "Notes:Categories"


def data_from_note(value: Note, _options: ViewOptions, body: list[Element]) -> list[Element]:
    """The children of its ApplicationData; ``body`` is its AirSyncBase:Body, made elsewhere."""
    shown = {
        _SUBJECT: clean(value.subject),
        "Notes:MessageClass": _CLASS,
        "Notes:LastModifiedDate": compact_from_ms(value.changed_at),
    }
    lists = names_elements(_CATEGORIES, "Category", value.categories)
    return [*text_elements(shown), *lists, *body]


def note_from_data(data: Element, known: Note | None, *, is_partial: bool, now_ms: int) -> Note:
    """What a client makes of a note.

    Args:
        data: ApplicationData.
        known: as it is; None: a new one, whose uid is "".
        is_partial: what is not there stays; else it is cleared, but for the body.
        now_ms: the time of the change, if there is one.

    Raises:
        RemoteProtocolError: no note, or something in it cannot be read (hint ``content``).
    """
    now_at = now_ms // 1000 * 1000
    before = known or Note(uid="", created_at=now_at)
    told = Told(data, is_partial=is_partial)
    item_class = (told.text("Notes:MessageClass") or _CLASS).lower()
    if not f"{item_class}.".startswith(f"{_CLASS.lower()}."):
        raise RemoteProtocolError("MessageClass is none of a note", "content")
    texts = told.changed_texts([_SUBJECT], {_SUBJECT: clean(before.subject)})
    body, html = texts_from_body(body_from_data(data), before.body, before.html)
    note = replace(
        before,
        subject=texts.get(_SUBJECT, before.subject),
        body=body,
        html=html,
        categories=told.names(_CATEGORIES, "Category", before.categories),
    )
    return known if note == known else replace(note, changed_at=now_at)
