"""What RETR and TOP send: pieces of the stored form, as they are.

Spec: RFC 1939 §3 (multi-line responses), §7 (TOP).

Notes:
    A message in wire form ends with its terminator and has its dots doubled, so RETR sends it whole
    and TOP a beginning of it: nothing is copied but the few kilobytes in which the line is looked
    for.
"""

from __future__ import annotations

from base64 import b64encode

TERMINATOR = b".\r\n"
_LOOK_OCTETS = 16 * 1024
_WORD_OCTETS = 42


def folder_tag(name: str) -> bytes:
    """The header line that names a folder; in encoded words where it is not ASCII."""
    if name.isascii() and name.isprintable():
        return b"X-Posthouse-Folder: %b\r\n" % name.encode()
    words: list[bytes] = []
    word = b""
    for character in name:
        octets = character.encode("utf-8", "replace")
        if len(word) + len(octets) > _WORD_OCTETS:
            words.append(word)
            word = b""
        word += octets
    words.append(word)
    encoded = [b"=?utf-8?B?%b?=" % b64encode(word) for word in words]
    return b"X-Posthouse-Folder: %b\r\n" % b"\r\n ".join(encoded)


def header_end(wire: memoryview) -> int:
    """Where the body begins: behind the first empty line, or at the terminator."""
    if bytes(wire[:2]) == b"\r\n":
        return 2
    size = len(wire) - len(TERMINATOR)
    start = 0
    while start < size:
        found = bytes(wire[start : min(start + _LOOK_OCTETS, size)]).find(b"\r\n\r\n")
        if found >= 0:
            return start + found + 4
        start += _LOOK_OCTETS - 3  # the empty line may lie across two looks
    return size


def top_end(wire: memoryview, lines: int) -> int:
    """Where the header and so many lines of the body end.

    Args:
        wire: the stored form with its terminator.
        lines: of the body.

    Returns:
        An offset at most at the terminator.
    """
    size = len(wire) - len(TERMINATOR)
    at = header_end(wire)
    while lines > 0 and at < size:
        piece = bytes(wire[at : min(at + _LOOK_OCTETS, size)])
        count = piece.count(b"\r\n")
        if count < lines:
            # A CR at the very end stays for the next look, where its LF is.
            step = len(piece) - (piece.endswith(b"\r") and at + len(piece) < size)
            lines -= count
            at += max(step, 1)
            continue
        end = 0
        for _ in range(lines):
            end = piece.index(b"\r\n", end) + 2
        return at + end
    return min(at, size)
