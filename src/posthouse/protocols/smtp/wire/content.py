"""Message content on its way in: where it ends, whether its line ends are sound, how it is stored.

Spec: RFC 5321 §4.1.1.4, §4.5.2 (dot transparency), §2.3.8 (lines end in CRLF and nothing else); RFC
    3030 §2.

Notes:
    This is the hot path, so it works on whole slices, never on lines. Two searches look at every
    byte once: a compiled literal (faster than ``bytes.find`` for a needle this short) and the
    newline decoder of ``io``, which is pure memory work and knows after one pass whether anything
    but CRLF was there. Nothing is held back or joined: whatever the split, each
    slice is passed on as it came.
"""

from __future__ import annotations

import re
from io import IncrementalNewlineDecoder

from posthouse.protocols.smtp.wire.commands import ContentEnd, Fault

_NONE, _BARE_EOL, _TOO_LARGE, _ENDLESS = Fault
TERMINATOR = b"\r\n.\r\n"
_DOT_LINE = b"\r\n."
_TAIL = 8
"""Octets remembered of earlier slices: four for the terminator, more for what resembles it."""
_behind_dots = re.compile(rb"\r\n\.(?=(.?))", re.DOTALL).findall
"""What follows each dot that begins a line: CR behind a lone one."""
_find_dot_line = re.compile(rb"\r\n\.").search
_find_hopeful_end = re.compile(rb"[\r\n]\.[\r\n]+\Z").search


class EolCheck:
    """Says whether every line end so far was CRLF, over any split."""

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = IncrementalNewlineDecoder(None, translate=False)

    def is_sound(self, data: bytes) -> bool:
        """Take more; a CR at the very end may still get its LF."""
        decoder = self._decoder
        decoder.decode(data.decode("latin-1"))
        return decoder.newlines in (None, "\r\n")


class DottedContent:
    """Content sent by DATA: ends with CRLF.CRLF and with nothing else.

    Attributes:
        fault: what is wrong so far.
    """

    __slots__ = ("_dots", "_eols", "_excess_max", "_received", "_size_max", "_tail", "fault")

    def __init__(self, size_max: int, excess_max: int) -> None:
        self._size_max = size_max
        self._excess_max = excess_max
        self._tail = b"\r\n"  # DATA's own line end: a message may begin with its terminator
        self._eols = EolCheck()
        self._dots = 0
        self._received = 0
        self.fault = _NONE

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong so far."""
        return self.fault is _NONE

    def take(self, data: bytes) -> tuple[int, ContentEnd | None]:
        """Look at what came.

        Args:
            data: not empty; what follows the slices given before.

        Returns:
            How many octets of ``data`` belong to the content, and the end when it is there.
        """
        end = self._terminator_end(data)
        piece = data if end in (-1, len(data)) else data[:end]
        if self.fault is not _BARE_EOL and not self._eols.is_sound(piece):
            self.fault = _BARE_EOL
        self._received += len(piece)
        if end >= 0:
            plain = self._received - (self._dots - 1) - 3
            if plain > self._size_max and self.fault is _NONE:
                self.fault = _TOO_LARGE
            return end, ContentEnd(plain, self._dots > 1, fault=self.fault)
        self._tail = (self._tail + piece[-_TAIL:])[-_TAIL:]
        return len(piece), self._early_end()

    def _terminator_end(self, data: bytes) -> int:
        """Where the terminator ends in ``data``, or -1; counts lines that begin with a dot."""
        if data[0] in TERMINATOR:
            tail = self._tail[-4:]
            at = (tail + data[:4]).find(TERMINATOR)
            if at >= 0:
                self._dots += at + 2 >= len(
                    tail
                )  # unless its dot was counted with the slice before
                return at + 5 - len(tail)
            self._dots += (tail[-2:] + data[:2]).count(_DOT_LINE)
        behind_dots = _behind_dots(data)
        lone_dots = behind_dots.count(b"\r")
        if not lone_dots:
            self._dots += len(behind_dots)
            return -1
        if lone_dots == 1 and behind_dots[-1] == b"\r" and data.endswith(TERMINATOR):
            self._dots += len(behind_dots)
            return len(data)
        at = data.find(TERMINATOR)
        end = at + 5 if at >= 0 else len(data)
        self._dots += data.count(_DOT_LINE, 0, end)
        return end if at >= 0 else -1

    def _early_end(self) -> ContentEnd | None:
        """End a message that is refused anyway where waiting for its terminator makes no sense.

        A client that ends its lines with a bare LF ends the message so, too, and then waits for our
        answer. It gets it; the connection is closed behind it, so nothing that follows is ever read
        as a command.
        """
        if self._received - self._dots > self._size_max + 3 and self.fault is _NONE:
            self.fault = _TOO_LARGE
        if self._received > self._size_max + self._excess_max:
            self.fault = _BARE_EOL if self.fault is _BARE_EOL else _ENDLESS
            return ContentEnd(0, has_dot_lines=False, fault=self.fault)
        if self.fault is _BARE_EOL and _find_hopeful_end(self._tail):
            return ContentEnd(0, has_dot_lines=False, fault=self.fault)
        return None


class Stuffing:
    """Turns the plain octets of BDAT into stored form, over any split."""

    __slots__ = ("_eols", "_has_dot_lines", "_is_sound", "_tail", "size_bytes")

    def __init__(self) -> None:
        self._tail = b"\r\n"
        self._eols = EolCheck()
        self._is_sound = True
        self._has_dot_lines = False
        self.size_bytes = 0
        """Plain octets taken so far."""

    def take(self, data: bytes) -> bytes:
        """Stuff the next octets."""
        if not data:
            return data
        self.size_bytes += len(data)
        if self._is_sound:
            self._is_sound = self._eols.is_sound(data)
        tail = self._tail
        out = data
        if _find_dot_line(data) is not None:
            self._has_dot_lines = True
            out = data.replace(_DOT_LINE, b"\r\n..")
        if tail[-2:] == b"\r\n" and data[:1] == b".":
            self._has_dot_lines = True
            out = b"." + out
        elif tail[-1:] == b"\r" and data[:2] == b"\n.":
            self._has_dot_lines = True
            out = b"\n." + out[1:]
        self._tail = (tail + data[-2:])[-2:]
        return out

    def finish(self, size_max: int) -> tuple[bytes, ContentEnd]:
        """The last octet is in: what closes the stored form, and what is to be known of it."""
        if self._tail[-1:] == b"\r":
            self._is_sound = False
        lacks_final_eol = self._tail[-2:] != b"\r\n"
        fault = _NONE if self._is_sound else _BARE_EOL
        if self.size_bytes > size_max:
            fault = _TOO_LARGE
        end = ContentEnd(self.size_bytes, self._has_dot_lines, lacks_final_eol, fault)
        return TERMINATOR if lacks_final_eol else TERMINATOR[2:], end
