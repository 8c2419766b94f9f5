"""Composing a message from its fields: drafts, automatic replies, meeting mails.

Spec: RFC 5322 §3.6, RFC 2045 §4, RFC 2046 §5.1.3, §5.1.4, §5.2.1, RFC 2183, RFC 2387 §3, RFC 2392
    (inline parts), RFC 6047 §2.4 (calendar parts).

Notes:
    Pure: the same fields give the same bytes, boundaries too. The structure is the one all clients
    know: mixed(alternative(text, related(html, inline...), calendar), files...), with every level
    left out that would hold one part. Bcc is written: whoever sends takes it out
    (``services.mailflow.submission``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.formats.mime.compose_parts import (
    address_field,
    bare_id,
    base64_lines,
    entity,
    fits_lines,
    id_field,
    media_type,
    multipart,
    text_field,
    text_part,
    typed_field,
    with_crlf,
)
from posthouse.formats.mime.dates import date_text
from posthouse.formats.mime.trace import header_line

if TYPE_CHECKING:
    from posthouse.formats.mime.addresses import HeaderAddress

_REFERENCES_MAX = 100
_IMPORTANCE = {0: "low", 2: "high"}
_OWN_FIELDS = frozenset(
    {
        *("from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date"),
        *("message-id", "in-reply-to", "references", "importance", "mime-version"),
        *("content-type", "content-transfer-encoding", "content-disposition", "content-id"),
    }
)
_VERBATIM_TYPES = frozenset({"message/rfc822", "message/global"})


class NewAttachment(Struct, frozen=True, kw_only=True):
    """A file of a message.

    Attributes:
        name: as shown; control characters are taken out, 255 characters at most count.
        content_type: media type without parameters; rubbish becomes application/octet-stream.
        content: plain octets, not encoded.
        content_id: without brackets ("" none); how the HTML names it (``cid:``).
        is_inline: shown in the text, not beside it.
    """

    name: str = ""
    content_type: str = "application/octet-stream"
    content: bytes
    content_id: str = ""
    is_inline: bool = False


class NewMessage(Struct, frozen=True, kw_only=True):
    """A message as fields.

    Attributes:
        from_: the author; None: the one who sends puts it in.
        sender: who sends on the author's behalf.
        to: an entry without an address is written as the words it holds.
        cc: see ``to``.
        bcc: see ``to``.
        reply_to: see ``to``.
        subject: any text.
        sent_at: ms; 0: no Date field.
        message_id: without brackets; "" none.
        in_reply_to: without brackets; "" none.
        references: oldest first, without brackets; of more than 100 the first and the last count.
        importance: 0 low, 1 normal, 2 high.
        text: body in plain text; None: there is none.
        html: body in HTML; None: there is none.
        calendar: an iCalendar document for clients that understand it; b"" none.
        calendar_method: its METHOD, such as REQUEST.
        attachments: in order; inline ones need ``html``, else they are shown as files.
        headers: more fields (name, text). ValueError for names written from other attributes.
    """

    from_: HeaderAddress | None = None
    sender: HeaderAddress | None = None
    to: tuple[HeaderAddress, ...] = ()
    cc: tuple[HeaderAddress, ...] = ()
    bcc: tuple[HeaderAddress, ...] = ()
    reply_to: tuple[HeaderAddress, ...] = ()
    subject: str = ""
    sent_at: int = 0
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    importance: int = 1
    text: str | None = None
    html: str | None = None
    calendar: bytes = b""
    calendar_method: str = ""
    attachments: tuple[NewAttachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


def compose(message: NewMessage) -> bytes:
    """The message as MIME: CRLF, lines of at most 998 octets.

    Ids that cannot be written (white space, brackets, beyond ASCII, longer than 900 characters) are
    left out.

    Raises:
        ValueError: a name in ``headers`` is none, or is one of the fields above.
    """
    return b"".join((*_header(message), header_line("MIME-Version", "1.0"), _content(message)))


def _header(message: NewMessage) -> list[bytes]:
    authors = (message.from_,) if message.from_ else ()
    senders = (message.sender,) if message.sender else ()
    references = message.references
    if len(references) > _REFERENCES_MAX:
        references = (references[0], *references[1 - _REFERENCES_MAX :])
    out = [
        header_line("Date", date_text(message.sent_at)) if message.sent_at else b"",
        address_field("From", authors),
        address_field("Sender", senders),
        address_field("Reply-To", message.reply_to),
        address_field("To", message.to),
        address_field("Cc", message.cc),
        address_field("Bcc", message.bcc),
        text_field("Subject", message.subject) if message.subject else b"",
        id_field("Message-ID", [message.message_id]),
        id_field("In-Reply-To", [message.in_reply_to]),
        id_field("References", references),
    ]
    if said := _IMPORTANCE.get(message.importance):
        out.append(header_line("Importance", said))
    for name, text in message.headers:
        if name.lower() in _OWN_FIELDS:
            raise ValueError(f"{name} is written from the message's own attributes")
        out.append(text_field(name, text))
    return out


def _content(message: NewMessage) -> bytes:
    """The entity below the header."""
    inline: list[bytes] = []
    files: list[bytes] = []
    for one in message.attachments:
        (inline if one.is_inline and message.html is not None else files).append(_attached(one))
    bodies = _bodies(message, inline)
    body = bodies[0] if len(bodies) == 1 else multipart("alternative", bodies)
    return multipart("mixed", [body, *files]) if files else body


def _bodies(message: NewMessage, inline: list[bytes]) -> list[bytes]:
    """The same message in plain text, HTML and as a calendar: the plainest first."""
    bodies: list[bytes] = []
    if message.text is not None:
        bodies.append(text_part("text/plain", message.text))
    if message.html is not None:
        html = text_part("text/html", message.html)
        if inline:
            html = multipart("related", [html, *inline], {"type": "text/html"})
        bodies.append(html)
    if message.calendar:
        more = {"method": message.calendar_method} if message.calendar_method else {}
        calendar = message.calendar.decode("utf-8", "replace")
        bodies.append(text_part("text/calendar", calendar, more))
    return bodies or [text_part("text/plain", "")]


def _attached(attachment: NewAttachment) -> bytes:
    content_type = media_type(attachment.content_type)
    name = {"filename": attachment.name} if attachment.name else {}
    encoding, body = "base64", b""
    if content_type in _VERBATIM_TYPES:
        # An enclosed message must not be encoded; one whose lines are too long cannot be one.
        body = with_crlf(attachment.content)
        encoding = "7bit" if body.isascii() else "8bit"
        if not fits_lines(body):
            content_type, encoding = "application/octet-stream", "base64"
    elif content_type.startswith(("multipart/", "message/")):
        content_type = "application/octet-stream"
    if encoding == "base64":
        body = base64_lines(attachment.content)
    content_id = bare_id(attachment.content_id)
    return entity(
        [
            typed_field("Content-Type", content_type, {}),
            header_line("Content-Transfer-Encoding", encoding),
            header_line("Content-ID", f"<{content_id}>") if content_id else b"",
            typed_field(
                "Content-Disposition", "inline" if attachment.is_inline else "attachment", name
            ),
        ],
        body,
    )
