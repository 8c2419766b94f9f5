"""Replies of another server: reading them within bounds.

Spec: RFC 5321 §4.2, §4.5.3.1.5 (reply line length), RFC 2034 (enhanced status codes).
"""

from __future__ import annotations

from dataclasses import dataclass

from posthouse.model.errors import RemoteProtocolError

LINE_OCTETS_MAX = 2_048
LINES_MAX = 100
_TEXT_MAX = 512


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """One whole reply.

    Attributes:
        code: 200 to 599.
        lines: text of each line, without code; printable.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """2xx."""
        return self.code < 300

    @property
    def is_for_good(self) -> bool:
        """5xx: no use trying again."""
        return self.code >= 500

    @property
    def text(self) -> str:
        """Code and text on one line, at most 512 characters."""
        words = " ".join(" ".join(self.lines).split())
        return f"{self.code} {words}".rstrip()[:_TEXT_MAX]

    @property
    def status(self) -> str:
        """The enhanced status code, or what the reply code alone says."""
        word = self.lines[0].partition(" ")[0]
        parts = word.split(".")
        is_status = len(parts) == 3 and all(p.isascii() and p.isdigit() for p in parts)
        if is_status and int(parts[0]) == self.code // 100 and len(word) <= 9:
            return word
        return f"{self.code // 100}.0.0"


class ReplyReader:
    """Puts replies together from bytes as they come."""

    __slots__ = ("_buffer", "_lines")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[tuple[int, str]] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left over: neither half a line nor half a reply."""
        return not self._buffer and not self._lines

    def receive_data(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer += data

    def next_reply(self) -> RemoteReply | None:
        """The next whole reply, or None when more bytes are needed.

        Raises:
            RemoteProtocolError: this is not SMTP, or past the bounds.
        """
        while True:
            end = self._buffer.find(b"\n")
            if end > LINE_OCTETS_MAX or (end < 0 and len(self._buffer) > LINE_OCTETS_MAX):
                raise RemoteProtocolError(f"reply line longer than {LINE_OCTETS_MAX} octets")
            if end < 0:
                return None
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            if self._take_line(line):
                lines, self._lines = self._lines, []
                return RemoteReply(lines[-1][0], tuple(text for _, text in lines))

    def _take_line(self, line: bytes) -> bool:
        """Keep one line; True when the reply is whole."""
        digits, mark = line[:3], line[3:4]
        if not (len(digits) == 3 and digits.isdigit() and b"200" <= digits <= b"599"):
            raise RemoteProtocolError(f"not an SMTP reply: {line[:80]!r}")
        if mark not in (b"", b" ", b"-"):
            raise RemoteProtocolError(f"not an SMTP reply: {line[:80]!r}")
        code = int(digits)
        if self._lines and code != self._lines[0][0]:
            raise RemoteProtocolError("reply code changes within a reply")
        if len(self._lines) >= LINES_MAX:
            raise RemoteProtocolError(f"reply of more than {LINES_MAX} lines")
        text = line[4:].decode("utf-8", "replace")
        printable = "".join(c if c.isprintable() else "?" for c in text)
        self._lines.append((code, printable))
        return mark != b"-"
