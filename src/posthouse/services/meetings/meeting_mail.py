"""Meeting mails: a readable text and the calendar beside it.

Spec: RFC 6047 §2.4 (Content-Type), §2.5 (transfer encoding); RFC 2045 §6.8 (base64); RFC 2047 §2
(encoded words); RFC 3834 §5 (Auto-Submitted).
"""

from __future__ import annotations

import binascii
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from posthouse.formats.mime.dates import date_text
from posthouse.formats.mime.dots import crlf_from_lf, stuff
from posthouse.formats.mime.trace import header_line

if TYPE_CHECKING:
    from posthouse.formats.mime.dots import Stuffed

_WORD_OCTETS = 42
_LINE_OCTETS = 57
_SUBJECT_MAX = 255
_NAME_MAX = 120
_LONGEST_LINE = 900


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


def render_mail(mail: MeetingMail) -> Stuffed:
    """The mail in wire form; ASCII but for addresses that are not."""
    calendar_type = f'text/calendar; charset=utf-8; method={mail.method}; name="meeting.ics"'
    parts = (
        _part("text/plain; charset=utf-8", crlf_from_lf(mail.text.encode("utf-8", "replace"))),
        _part(calendar_type, mail.calendar),
    )
    digest = blake2b(b"\0".join((mail.message_id.encode(), *parts)), digest_size=12)
    boundary = f"=_meeting_{digest.hexdigest()}"
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(b"%b%b\r\n" % (delimiter, part) for part in parts)
    return stuff(_header(mail, boundary) + b"\r\n" + body + f"--{boundary}--\r\n".encode())


def _header(mail: MeetingMail, boundary: str) -> bytes:
    lines = [
        header_line("From", _person(mail.author)),
        header_line("To", ", ".join(map(_person, mail.to))),
    ]
    if mail.copies:
        lines.append(header_line("Cc", ", ".join(map(_person, mail.copies))))
    lines += [
        header_line("Subject", _text(_flat(mail.subject)[:_SUBJECT_MAX])),
        header_line("Date", date_text(mail.made_at)),
        header_line("Message-ID", f"<{mail.message_id}>"),
    ]
    if answers := _flat(mail.answers):
        lines.append(header_line("In-Reply-To", f"<{answers}>"))
        lines.append(header_line("References", f"<{answers}>"))
    if mail.is_automatic:
        lines.append(header_line("Auto-Submitted", "auto-replied"))
    return b"".join(
        [
            *lines,
            header_line("Content-Class", "urn:content-classes:calendarmessage"),
            header_line("MIME-Version", "1.0"),
            header_line("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
        ]
    )


def _part(content_type: str, body: bytes) -> bytes:
    """Short ASCII lines as they are; all else in base64, which no host on the way touches."""
    is_plain = body.isascii() and max(map(len, body.split(b"\r\n")), default=0) < _LONGEST_LINE
    if is_plain and b"\n" not in body.replace(b"\r\n", b"") and b"\0" not in body:
        encoding, content = "7bit", body
    else:
        encoding = "base64"
        chunks = (body[at : at + _LINE_OCTETS] for at in range(0, len(body), _LINE_OCTETS))
        content = b"".join(binascii.b2a_base64(one, newline=False) + b"\r\n" for one in chunks)
    fields = header_line("Content-Type", content_type)
    return fields + header_line("Content-Transfer-Encoding", encoding) + b"\r\n" + content


def _person(person: Person) -> str:
    address = "".join(person.address.split())
    name = _flat(person.name)[:_NAME_MAX]
    if not name or name == address:
        return f"<{address}>"
    if not name.isascii():
        return f"{_text(name)} <{address}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'


def _text(text: str) -> str:
    """ASCII as it is, unless it looks encoded; all else as encoded words."""
    if text.isascii() and "=?" not in text:
        return text
    words: list[str] = []
    word = b""
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(word) + len(octets) > _WORD_OCTETS:
            words.append(_word(word))
            word = b""
        word += octets
    return " ".join([*words, _word(word)])


def _word(octets: bytes) -> str:
    return f"=?utf-8?B?{binascii.b2a_base64(octets, newline=False).decode()}?="


def _flat(text: str) -> str:
    """One printable line."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())
