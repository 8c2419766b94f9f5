"""Meeting mails: a readable text and the calendar beside it.

Spec: RFC 6047 §2.4 (Content-Type), §2.5 (transfer encoding); RFC 3834 §5 (Auto-Submitted).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from posthouse.formats.mime.compose_parts import (
    clean,
    encoded_words,
    field_of_tokens,
    id_field,
    multipart,
    text_field,
    text_part,
)
from posthouse.formats.mime.dates import date_text
from posthouse.formats.mime.dots import stuff
from posthouse.formats.mime.trace import header_line

if TYPE_CHECKING:
    from posthouse.formats.mime.dots import Stuffed

_SUBJECT_MAX = 255
_NAME_MAX = 120
_FILE_NAME = "meeting.ics"


class Person(NamedTuple):
    """Somebody in a header field.

    Attributes:
        address: ``local@domain``.
        name: for people to read ("" none).
    """

    address: str
    name: str = ""


class MeetingMail(Struct, frozen=True, kw_only=True):
    """What a mail about a meeting says.

    Attributes:
        method: of the calendar.
        author: From.
        to: at least one.
        copies: Cc.
        subject: one line.
        text: readable, lines end in LF.
        calendar: the iTIP message.
        message_id: without brackets.
        made_at: ms.
        answers: Message-ID of the mail that this one answers, without brackets ("" none).
        is_automatic: no person sent it.
    """

    method: str
    author: Person
    to: tuple[Person, ...]
    copies: tuple[Person, ...] = ()
    subject: str
    text: str
    calendar: bytes
    message_id: str
    made_at: int
    answers: str = ""
    is_automatic: bool = False


def mail_bytes(mail: MeetingMail) -> bytes:
    """The mail; ASCII but for addresses that are not."""
    more = {"method": mail.method, "name": _FILE_NAME}
    calendar = mail.calendar.decode("utf-8", "replace")
    parts = (text_part("text/plain", mail.text), text_part("text/calendar", calendar, more))
    return _header(mail) + multipart("alternative", parts)


def render_mail(mail: MeetingMail) -> Stuffed:
    """The same in wire form."""
    return stuff(mail_bytes(mail))


def _header(mail: MeetingMail) -> bytes:
    subject = " ".join(mail.subject.split())[:_SUBJECT_MAX]
    fields = [
        _people("From", (mail.author,)),
        _people("To", mail.to),
        _people("Cc", mail.copies),
        text_field("Subject", subject),
        header_line("Date", date_text(mail.made_at)),
        id_field("Message-ID", (mail.message_id,)),
        id_field("In-Reply-To", (mail.answers,)),
        id_field("References", (mail.answers,)),
    ]
    if mail.is_automatic:
        fields.append(header_line("Auto-Submitted", "auto-replied"))
    fields.append(header_line("Content-Class", "urn:content-classes:calendarmessage"))
    fields.append(header_line("MIME-Version", "1.0"))
    return b"".join(fields)


def _people(name: str, people: tuple[Person, ...]) -> bytes:
    """Names stand in quotes; b"" for nobody."""
    tokens: list[str] = []
    for one in people:
        if tokens:
            tokens[-1] += ","
        tokens += [*_name(one), f"<{''.join(one.address.split())}>"]
    return field_of_tokens(name, tokens) if tokens else b""


def _name(person: Person) -> list[str]:
    name = clean(" ".join(person.name.split()))[:_NAME_MAX]
    if not name or name == person.address:
        return []
    if not name.isascii() or "=?" in name:
        return encoded_words(name)
    return ['"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))]
