"""mbox files: many messages in one, each behind a From line.

Spec: RFC 4155 (and the mboxrd quoting that every later writer took over).

Notes:
    A separator is a line ``From ... hh:mm ...`` at the beginning or after an empty line; the empty
    line belongs to it. Quoting is mboxrd: any ``>``s before ``From `` grow by one when written and
    shrink by one when read, which also undoes the older mboxo. LF and CRLF files are read; a
    message with CRLF throughout is written with LF. Memory holds one message and one chunk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from posthouse.formats.mime.dates import from_line_date_text, ms_from_from_line
from posthouse.formats.mime.dots import find_bare_eol

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20
_FROM_LINE_MAX = 1_024
_FROM_LINE = re.compile(rb"From [^\n]{0,900}?\d\d:\d\d")
_WEEKDAY = re.compile(rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[, ]")
_QUOTED = re.compile(rb"^>(>*+From )", re.MULTILINE)
_TO_QUOTE = re.compile(rb"^(>*+From )", re.MULTILINE)


class Readable(Protocol):
    """What an mbox is read from: a binary file."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; b"" at the end."""
        ...


@dataclass(frozen=True, slots=True)
class MboxMessage:
    """One message of an mbox.

    Attributes:
        offset: of its From line in the file.
        end: where the next one begins.
        received_at: from the From line, ms; 0 when it cannot be read.
        content: unquoted, with the line ends of the file; b"" when the message is too large.
        is_too_large: it passed ``message_bytes_max`` and was left out.
    """

    offset: int
    end: int
    received_at: int
    content: bytes
    is_too_large: bool = False


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins so is an mbox."""
    return _FROM_LINE.match(head.lstrip(b"\r\n")) is not None


def read_mbox(source: Readable, message_bytes_max: int = 256 << 20) -> Iterator[MboxMessage]:
    """The messages of an mbox, in order. What stands before the first From line is passed over."""
    reader = _Reader(source, message_bytes_max)
    while (message := reader.next_message()) is not None:
        yield message


class _Reader:
    """A window on the file that begins at the message being read."""

    __slots__ = ("buffer", "bytes_max", "is_too_large", "offset", "source", "was_all_read")

    def __init__(self, source: Readable, bytes_max: int) -> None:
        self.source = source
        self.bytes_max = bytes_max
        # The file's beginning counts as the end of an empty line.
        self.buffer = bytearray(b"\n")
        self.offset = -1
        self.was_all_read = False
        self.is_too_large = False
        self._drop(self._next_separator())

    def next_message(self) -> MboxMessage | None:
        """The message at the window's beginning; the window then begins at the next one."""
        if not self.buffer:
            return None
        offset = self.offset
        line_end = self.buffer.find(b"\n") + 1 or len(self.buffer)
        line = bytes(self.buffer[:line_end])
        self._drop(line_end)
        self.is_too_large = False
        end = self._next_separator()
        is_too_large = self.is_too_large or end > self.bytes_max
        raw = b"" if is_too_large else bytes(self.buffer[:end])
        self._drop(end)
        return MboxMessage(
            offset, self.offset, _received_at(line), _content(raw), is_too_large=is_too_large
        )

    def _next_separator(self) -> int:
        """Where the next From line begins in the window, or the file's end."""
        buffer = self.buffer
        start = 0
        while True:
            at = buffer.find(b"\nFrom ", start)
            # Only a line that lies in the window whole can be judged.
            while at >= 0 and (self.was_all_read or len(buffer) - at > _FROM_LINE_MAX):
                if _is_blank_before(buffer, at) and _FROM_LINE.match(buffer, at + 1):
                    return at + 1
                at = buffer.find(b"\nFrom ", at + 1)
            if self.was_all_read:
                return len(buffer)
            start = at if at >= 0 else max(len(buffer) - len(b"\nFrom"), 0)
            if len(buffer) > self.bytes_max:
                self.is_too_large = True
                kept_from = max(start - len(b"\n\r\n"), 0)
                self._drop(kept_from)
                start -= kept_from
            chunk = self.source.read(_CHUNK_BYTES)
            self.was_all_read = not chunk
            buffer += chunk

    def _drop(self, count: int) -> None:
        del self.buffer[:count]
        self.offset += count


def _is_blank_before(buffer: bytearray, at: int) -> bool:
    """Whether the line that ends at ``at`` is empty."""
    if at > 0 and buffer[at - 1] == 13:
        at -= 1
    return at == 0 or buffer[at - 1] == 10


def _content(raw: bytes) -> bytes:
    """Without the empty line that belongs to the separator, unquoted."""
    if raw.endswith((b"\n\r\n", b"\n\n")) or raw in (b"\r\n", b"\n"):
        raw = raw[:-1].removesuffix(b"\r")
    return _QUOTED.sub(rb"\1", raw) if b">From " in raw else raw


def _received_at(line: bytes) -> int:
    found = None
    for match in _WEEKDAY.finditer(line):
        found = match
    if found is not None:
        return ms_from_from_line(line[found.start() :])
    return ms_from_from_line(line[5:].partition(b" ")[2])


def mbox_entry(plain: bytes, sender: str, received_at: int) -> bytes:
    """One message as it stands in an mbox: From line, quoted content, empty line.

    Args:
        plain: the message.
        sender: envelope sender ("" null).
        received_at: ms.
    """
    name = "".join(sender.split()) or "MAILER-DAEMON"
    content = plain
    if b"\r\n" in content and find_bare_eol(content) < 0 and not content.endswith(b"\r"):
        content = content.replace(b"\r\n", b"\n")
    if b"From " in content:
        content = _TO_QUOTE.sub(rb">\1", content)
    ending = b"\n" if content.endswith(b"\n") else b"\n\n"
    line = f"From {name} {from_line_date_text(received_at)}\n"
    return b"".join((line.encode("utf-8", "replace"), content, ending))
