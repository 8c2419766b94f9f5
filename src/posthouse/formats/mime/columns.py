"""Typed columns of a message from its header block. Runs once for every delivery.

Spec: RFC 5322 §3.6 (fields), RFC 2156 §5.3.6 (Importance), RFC 8474 §5.2 (what a thread is).

Notes:
    One pass finds the fields that matter; nothing else of the block is looked at. Where a field
    stands twice the first counts.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from posthouse.formats.mime.dates import ms_from_date
from posthouse.formats.mime.headers import LIMITS, HeaderLimits, bounded_block, decode_text
from posthouse.model.item import ItemColumns

_SHORT_MAX = 255
_MESSAGE_ID_MAX = 998
_LOOKED_AT_MAX = 4_096
_WANTED = re.compile(
    rb"\n(message-id|subject|from|to|date|references|in-reply-to|content-type|importance|x-priority)"
    rb"[ \t]*+:(.*(?:\n[ \t].*)*+)",
    re.IGNORECASE,
)
REPLY_MARK = r"(?:re|aw|fwd?|wg|sv|vs|antw|odp|tr|rv|enc)(?:\[\d{1,3}\])?\s?:"
"""A pattern: what clients of many languages put before the subject of an answer."""
_MARKS = re.compile(rf"(?:\s|{REPLY_MARK}|\[[^\[\]]{{1,40}}\])+", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_OUTLOOK_CLASSES = (
    (b"application/pkcs7-mime", "IPM.Note.SMIME"),
    (b"application/x-pkcs7-mime", "IPM.Note.SMIME"),
    (b"multipart/signed", "IPM.Note.SMIME.MultipartSigned"),
)


def columns_from_head(head: bytes, limits: HeaderLimits = LIMITS) -> ItemColumns:
    """Columns of the message that begins with ``head`` (at least its header block). Never raises.

    Threads: messages with the same root reference, or without any reference the same subject, get
        the same number.
    """
    found = _values(head, limits)
    get = found.get
    subject = _short(get(b"subject", b""), limits)
    message_id = message_id_from_field(get(b"message-id", b""))
    content_type = get(b"content-type", b"").lstrip().lower()
    return ItemColumns(
        sent_at=ms_from_date(get(b"date", b"")),
        message_id=message_id,
        subject=subject,
        sender=_short(get(b"from", b""), limits),
        recipients=_short(get(b"to", b""), limits),
        thread=_thread(found, message_id, subject),
        item_class=_item_class(content_type),
        importance=_importance(found),
        has_attachments=content_type.startswith(b"multipart/mixed"),
    )


def _values(head: bytes, limits: HeaderLimits) -> dict[bytes, bytes]:
    """First raw value of each wanted field, bounded, still folded."""
    pairs = _WANTED.findall(bounded_block(head, limits))
    return {name.lower(): value for name, value in reversed(pairs)}


def _short(raw: bytes, limits: HeaderLimits) -> str:
    raw = raw[:_LOOKED_AT_MAX]
    if b"\n" not in raw and b"=?" not in raw and raw.isascii():
        text = raw.decode("ascii").strip(" \t\r")
        if text.isprintable():  # nearly always
            return text[:_SHORT_MAX]
    return decode_text(raw, limits)[:_SHORT_MAX]


def message_id_from_field(raw: bytes) -> str:
    """A Message-ID without brackets and without white space; "" when there is none."""
    start = raw.find(b"<")
    end = raw.find(b">", start + 1)
    inner = raw[start + 1 : end] if 0 <= start < end else raw
    inner = inner[: 2 * _MESSAGE_ID_MAX]
    text = inner.decode("utf-8", "replace")
    if not text.isprintable() or " " in text:
        text = "".join(c for c in text if c > " " and c.isprintable())
    return text[:_MESSAGE_ID_MAX]


def _thread(found: dict[bytes, bytes], message_id: str, subject: str) -> int:
    root = ""
    for name in (b"references", b"in-reply-to"):
        raw = found.get(name)
        if raw and b"<" in raw:
            root = message_id_from_field(raw[: 2 * _MESSAGE_ID_MAX])
            if root:
                break
    key = root or message_id or normalised_subject(subject)
    if not key:
        return 0
    digest = blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


def normalised_subject(subject: str) -> str:
    """The subject without reply and forward marks and list tags, in one case."""
    match = _MARKS.match(subject)
    base = subject[match.end() :] if match else subject
    return _SPACES.sub(" ", base).strip().casefold()


def _item_class(content_type: bytes) -> str:
    for prefix, item_class in _OUTLOOK_CLASSES:
        if content_type.startswith(prefix):
            return item_class
    return "IPM.Note"


def _importance(found: dict[bytes, bytes]) -> int:
    said = found.get(b"importance")
    if said is not None:
        return {b"high": 2, b"low": 0}.get(said.strip()[:8].lower(), 1)
    digit = found.get(b"x-priority", b"").strip()[:1]
    return 2 if digit in (b"1", b"2") else 0 if digit in (b"4", b"5") else 1
