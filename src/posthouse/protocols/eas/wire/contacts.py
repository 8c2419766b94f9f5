"""Contacts as ActiveSync has them.

Spec: [MS-ASCNTC] §2.2.2, §2.2.2.6 (Birthday), §2.2.2.58 (Picture); [MS-ASCMD] §2.2.3.24 (Change).

Notes:
    A distribution list has no elements here: ``is_shown`` says what a collection may hold. The
    shown name has none, either: it stays until a client changes the names, which it then follows.
    FileAs is made up for a contact without, and not kept when it comes back so. Dates are sent at
    11:59, as Exchange does, for then they are the same date in nearly every zone; clients may send
    midnight of their own. A photo above the limit is not sent and stays on the server, since nobody
    here can make a smaller one of it.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from posthouse.formats.recurrence.pattern import DAY_MS
from posthouse.formats.vcard.values import clean
from posthouse.model.contact import Contact, EmailAddress, Photo
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.contacts_table import (
    ADDRESSES,
    DATES,
    EMAILS,
    LISTS,
    NAME_TAGS,
    TEXTS,
)
from posthouse.protocols.eas.wire.fields import (
    Told,
    names_elements,
    nearest_midnight,
    text_elements,
)
from posthouse.protocols.eas.wire.incoming_body import body_from_data, texts_from_body
from posthouse.protocols.eas.wire.times import ms_from_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from posthouse.model.contact import DistributionList
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.options import ViewOptions

PICTURE_CHARS_MAX: Final = 48 * 1024
"""In base64."""

_FILE_AS = "Contacts:FileAs"
_PICTURE = "Contacts:Picture"
_TAGS: Final = (*TEXTS, *EMAILS, *DATES, *ADDRESSES, _FILE_AS)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
# Outlook's way to write that there is no date.
_NO_DATE: Final = date(4501, 1, 1).toordinal()
_MAGIC: Final = ((b"\x89PNG", "image/png"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def is_shown(value: Contact | DistributionList) -> bool:
    """Whether ActiveSync has words for it; what it has none for is left out of a collection."""
    return isinstance(value, Contact)


def data_from_contact(
    value: Contact, _options: ViewOptions, body: list[Element], *, wants_photo: bool = True
) -> list[Element]:
    """The children of its ApplicationData.

    Args:
        value: the contact.
        body: its AirSyncBase:Body, made elsewhere; may be empty.
        wants_photo: with the picture, if that is small enough.
    """
    shown = _shown(value)
    if wants_photo and (picture := _text_from_photo(value.photo)):
        shown[_PICTURE] = picture
    lists = [
        element
        for name, (item, field) in LISTS.items()
        for element in names_elements(name, item, getattr(value, field))
    ]
    return [*text_elements(shown), *lists, *body]


def contact_from_data(
    data: Element,
    known: Contact | None,
    *,
    is_partial: bool,
    supported: Collection[str] | None = None,
) -> Contact:
    """What a client makes of a contact.

    Args:
        data: ApplicationData.
        known: as it is; None: a new one, whose uid is "".
        is_partial: what is not there stays; else it is cleared, but for body and picture.
        supported: the tags that a client of ghosted fields knows; see ``Told``.

    Raises:
        RemoteProtocolError: something in it cannot be read, or the picture is too large
            (hint ``content``).
    """
    before = known or Contact()
    told = Told(data, is_partial=is_partial, supported=supported)
    texts = told.changed_texts(_TAGS, _shown(before))
    contact = replace(before, **_values(texts, before), photo=_photo(told, before.photo))
    for name, (item, field) in LISTS.items():
        names = told.names(name, item, getattr(before, field))
        contact = replace(contact, **{field: names})
    if any(name in texts for name in NAME_TAGS):
        contact = replace(contact, display_name="")
    if (file_as := texts.get(_FILE_AS)) is not None:
        made_up = clean(_made_up_file_as(contact))
        contact = replace(contact, file_as="" if file_as == made_up else file_as)
    body, _ = texts_from_body(body_from_data(data), before.body, "")
    return replace(contact, body=body)


def _shown(contact: Contact) -> dict[str, str]:
    """What is a text and not empty, by name; without the picture."""
    shown = {name: getattr(contact, field) for name, field in TEXTS.items()}
    for name, (field, part) in ADDRESSES.items():
        shown[name] = getattr(getattr(contact, field), part)
    for name, field in EMAILS.items():
        shown[name] = _text_from_email(getattr(contact, field))
    for name, field in DATES.items():
        day = getattr(contact, field)
        shown[name] = f"{day}T11:59:00.000Z" if day else ""
    shown[_FILE_AS] = contact.file_as or _made_up_file_as(contact)
    cleaned = {name: clean(text) for name, text in shown.items()}
    return {name: text for name, text in cleaned.items() if text}


def _values(texts: dict[str, str], before: Contact) -> dict[str, Any]:
    """Fields of the model; each has a type of its own."""
    values: dict[str, Any] = {TEXTS[name]: text for name, text in texts.items() if name in TEXTS}
    if "nickname" in values:
        values["nickname"] = values["nickname"].strip()
    for name, text in texts.items():
        if name in EMAILS:
            values[EMAILS[name]] = _email_from_text(text)
        elif name in DATES:
            values[DATES[name]] = _date_from_text(text)
        elif name in ADDRESSES:
            field, part = ADDRESSES[name]
            values[field] = replace(values.get(field, getattr(before, field)), **{part: text})
    return values


def _made_up_file_as(contact: Contact) -> str:
    given = " ".join(part for part in (contact.first, contact.middle) if part)
    if contact.last and given:
        return f"{contact.last}, {given}"
    return contact.last or given or contact.shown_name


def _text_from_email(email: EmailAddress) -> str:
    if not email.address or email.name in ("", email.address):
        return email.address
    name = email.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{email.address}>'


def _email_from_text(text: str) -> EmailAddress:
    text = text.strip()
    head, mark, address = text[:-1].rpartition("<") if text.endswith(">") else ("", "", "")
    if not mark:
        return EmailAddress(text)
    name, address = head.strip(), address.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = _ESCAPED.sub(r"\1", name[1:-1])
    return EmailAddress(address, "" if name == address else name)


def _date_from_text(text: str) -> str | None:
    """The date whose midnight, UTC, is nearest; noon counts to the day it is in."""
    if not text:
        return None
    day = _EPOCH_DAY + nearest_midnight(ms_from_text(text)) // DAY_MS
    if not 1 <= day <= date.max.toordinal():
        raise RemoteProtocolError("a date outside of the calendar", "content")
    return None if day == _NO_DATE else date.fromordinal(day).isoformat()


def _text_from_photo(photo: Photo | None) -> str:
    """In base64; "" none, or too large."""
    if photo is None or (len(photo.data) + 2) // 3 * 4 > PICTURE_CHARS_MAX:
        return ""
    return base64.b64encode(photo.data).decode()


def _photo(told: Told, before: Photo | None) -> Photo | None:
    """The picture, which stays where no element speaks of it."""
    if told.element(_PICTURE) is None:
        return before
    text = "".join((told.text(_PICTURE) or "").split())
    if text == _text_from_photo(before):
        return before
    if len(text) > PICTURE_CHARS_MAX:
        raise RemoteProtocolError("a picture of more than 48 KB", "content")
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as e:
        raise RemoteProtocolError(f"a picture that is no base64: {e}", "content") from e
    if not data:
        return None
    kind = next((kind for magic, kind in _MAGIC if data.startswith(magic)), "image/jpeg")
    return Photo(data, kind)
