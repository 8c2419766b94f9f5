"""Messages that nobody writes: automatic replies, and mail handed on in a message of one's own.

Spec: RFC 3834 §3 (form of a response), §5 (Auto-Submitted); RFC 2156 §5.3.6 (Autoforwarded);
    [MS-OXCMAIL] §2.1.3.2.20 (X-Auto-Response-Suppress).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.formats.html_text import readable_text
from posthouse.formats.mime.compose import NewAttachment, NewMessage, compose
from posthouse.formats.mime.headers import decode_text, first, header_block
from posthouse.formats.mime.original import read_original
from posthouse.formats.mime.quoting import How, with_original

if TYPE_CHECKING:
    from posthouse.formats.mime.addresses import HeaderAddress

QUOTED_OCTETS_MAX = 4 << 20
"""Larger messages are handed on enclosed: taking them apart would hold up other deliveries."""
_SUBJECT_MAX = 500
_REPLY_MARK = "Automatic reply: "
_QUIET = ("X-Auto-Response-Suppress", "All")
_REPLIED = (("Auto-Submitted", "auto-replied"), _QUIET)
_FORWARDED = (("Auto-Submitted", "auto-generated"), ("Autoforwarded", "TRUE"), _QUIET)


class Stamp(Struct, frozen=True):
    """What a new message needs besides its words.

    Attributes:
        author: whose it is.
        message_id: without brackets.
        at_ms: when.
    """

    author: HeaderAddress
    message_id: str
    at_ms: int


def automatic_reply(
    original: bytes, stamp: Stamp, to: HeaderAddress, text: str, *, is_html: bool = False
) -> bytes:
    """A reply to a message.

    Args:
        original: that message, or its header block.
        stamp: of the reply.
        to: whom it goes to.
        text: its words.
        is_html: the words are HTML; a plain text is made of them.
    """
    subject = _subject(original)
    if subject[: len(_REPLY_MARK)].casefold() == _REPLY_MARK.casefold():
        subject = subject[len(_REPLY_MARK) :]
    message = NewMessage(
        from_=stamp.author,
        to=(to,),
        subject=_REPLY_MARK + subject,
        sent_at=stamp.at_ms,
        message_id=stamp.message_id,
        text=readable_text(text) if is_html else text,
        html=text if is_html else None,
        headers=_REPLIED,
    )
    head = original[: header_block(original)]
    return with_original(compose(message), head, How.REPLY, replaces_mime=True)


def forwarded(
    original: bytes, stamp: Stamp, to: tuple[HeaderAddress, ...], *, as_attachment: bool = False
) -> bytes:
    """A message in one of its recipient's own.

    Args:
        original: plain content.
        stamp: of the new message.
        to: whom it goes to.
        as_attachment: whole and enclosed, else its text and files.
    """
    encloses = as_attachment or len(original) > QUOTED_OCTETS_MAX
    is_html = not encloses and "text/html" in read_original(original).bodies
    subject = _subject(original)
    message = NewMessage(
        from_=stamp.author,
        to=to,
        subject=f"FW: {subject}".strip(),
        sent_at=stamp.at_ms,
        message_id=stamp.message_id,
        text="",
        html="" if is_html else None,
        attachments=(_enclosed(original, subject),) if encloses else (),
        headers=_FORWARDED,
    )
    draft = compose(message)
    source = original[: header_block(original)] if encloses else original
    return with_original(draft, source, How.FORWARD, replaces_mime=encloses)


def _enclosed(original: bytes, subject: str) -> NewAttachment:
    name = "".join(c for c in subject[:100] if c not in '/\\:*?"<>|').strip() or "message"
    return NewAttachment(name=f"{name}.eml", content_type="message/rfc822", content=original)


def _subject(original: bytes) -> str:
    head = original[: header_block(original)]
    return decode_text(first(head, b"subject") or b"")[:_SUBJECT_MAX]
