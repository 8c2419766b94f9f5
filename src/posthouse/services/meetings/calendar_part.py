"""The scheduling message inside of a mail, if there is one.

Spec: RFC 6047 §2.4 (text/calendar with a method), RFC 5546 §1.4; [MS-OXCICAL] §2.1.3.1.1.1.

Notes:
    What stands in a message that was attached is somebody else's mail, and is not looked at. A
    calendar file counts only when it has a METHOD: without one it is a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.ical.itip import NORMAL_CLASS, message_class_of
from posthouse.formats.mime.addresses import parse_addresses
from posthouse.formats.mime.charsets import codec_from_charset, text_from_bytes
from posthouse.formats.mime.headers import fields, header_block
from posthouse.formats.mime.structure import StructureLimits, scan
from posthouse.formats.mime.text import TextLimits, decoded_body
from posthouse.model.appointment import Response
from posthouse.model.errors import ParserFailed, TooLarge
from posthouse.services.meetings.document import MESSAGE_LIMITS, told_from_ical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from posthouse.formats.mime.card import PartCard
    from posthouse.formats.mime.structure import Part
    from posthouse.services.meetings.document import Told

LOOKED_AT_BYTES = 1 << 20
"""An invitation stands before what is attached to it."""
_TYPES = ("text/calendar", "application/ics")
_MARKS = tuple(one.encode() for one in _TYPES)
_PARTS = StructureLimits(depth_max=20, parts_max=200)
_ENCODED_MAX = TextLimits(part_bytes_max=2 * MESSAGE_LIMITS.document_bytes_max)
_ADDRESSES_MAX = 20


def may_hold_calendar(beginning: bytes) -> bool:
    """Whether it is worth a closer look; ``beginning``: the first LOOKED_AT_BYTES of a message."""
    lowered = beginning.lower()
    return any(mark in lowered for mark in _MARKS)


def has_calendar(structure: PartCard) -> bool:
    """The same of a message whose parts are known, and exactly."""
    waiting = [structure]
    while waiting:
        part = waiting.pop()
        if part.content_type in _TYPES:
            return True
        if not part.content_type.startswith("message/"):
            waiting.extend(part.parts)
    return False


def scheduling_messages(plain: bytes) -> list[Told]:
    """What a mail tells: one message, several about single occurrences, or none.

    Args:
        plain: its content, header block first.

    Raises:
        ParserFailed: there is a calendar that nobody can read.
        TooLarge: it passes a limit.
    """
    failure: ParserFailed | TooLarge | None = None
    for part in _calendars(scan(plain, _PARTS)):
        raw = decoded_body(plain, part, _ENCODED_MAX)
        charset = part.parameters.get("charset", "")
        if codec_from_charset(charset) not in (None, "utf_8"):
            raw = text_from_bytes(raw, charset).encode()
        try:
            told = told_from_ical(raw)
        except (ParserFailed, TooLarge) as error:
            failure = error
            continue
        if told[0].message.method:
            return told
    if failure is not None:
        raise failure
    return []


def _calendars(root: Part) -> Iterator[Part]:
    """Calendar parts of the message itself, text first."""
    waiting, found = [root], []
    while waiting:
        part = waiting.pop()
        if part.content_type in _TYPES:
            found.append(part)
        if not part.is_message:
            waiting.extend(reversed(part.children))
    yield from sorted(found, key=lambda part: _TYPES.index(part.content_type))


def item_class(told: Told) -> str:
    """Exchange's class of a message that tells this; "" no special one."""
    message = told.message
    said = (*(one.response for one in message.attendees), Response.UNKNOWN)
    found = (message_class_of(message.method, one) for one in said)
    return next((one for one in found if one != NORMAL_CLASS), "")


def authors(plain: bytes) -> frozenset[str]:
    """The addresses in From, lower case; none when it says From twice."""
    block = plain[: header_block(plain)]
    found = [field.value for field in fields(block) if field.name == b"from"]
    if len(found) != 1:
        return frozenset()
    entries = parse_addresses(found[0], addresses_max=_ADDRESSES_MAX)
    return frozenset(entry.address.lower() for entry in entries if entry.address)
