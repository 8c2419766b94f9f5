"""Invariant: an mbox read in pieces of any size gives the same messages, and read undoes write.

Offsets never go back, end where the file ends, and no message is larger than the limit.
Run: ``python fuzz/mime_mbox.py 10000`` (inputs), or with files that were kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driving import drive

from posthouse.formats.mbox import MboxMessage, mbox_entry, read_mbox

if TYPE_CHECKING:
    import random

SEEDS = [
    b"From a@b Thu Jan  1 00:00:01 1970\n",
    b"Subject: x\n\n",
    b"From here\n",
    b">From there 00:00\n",
    b">>From\n\n",
    b"\r\n\r\nFrom x 00:00\r\n",
    b"\n\n",
    b"body\n",
    b"\0\xff",
]
LIMIT = 5_000


class Pieces:
    """A file that gives so many octets at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data = data
        self.step = step
        self.at = 0

    def read(self, size: int, /) -> bytes:
        piece = self.data[self.at : self.at + min(self.step, size)]
        self.at += len(piece)
        return piece


def messages(data: bytes, step: int, limit: int) -> list[MboxMessage]:
    return list(read_mbox(Pieces(data, step), limit))


def fuzz_one(data: bytes) -> None:
    """The first octet chooses the size of the pieces."""
    step = (data[0] if data else 0) + 1
    whole = messages(data, 1 << 20, 1 << 30)
    assert messages(data, step, 1 << 30) == whole
    at = 0
    for message in whole:
        assert at <= message.offset < message.end <= len(data)
        at = message.end
    assert not whole or whole[-1].end == len(data)
    for message in messages(data, step, LIMIT):
        assert len(message.content) <= LIMIT
    ended = [message.content for message in whole if message.content.endswith(b"\n")]
    plain = [content for content in ended if b"\r" not in content]
    written = b"".join(mbox_entry(content, "a@b", 0) for content in plain)
    assert [message.content for message in messages(written, step, 1 << 30)] == plain


def mutated(dice: random.Random) -> bytes:
    """Seeds in a row, with octets changed, doubled or lost."""
    data = bytearray(b"".join(dice.choices(SEEDS, k=dice.randint(1, 30))))
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(3):
            case 0:
                data[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                data[at:at] = data[at : at + dice.randint(1, 300)] * dice.randint(1, 20)
            case _:
                del data[at : at + dice.randint(1, 4)]
    return bytes(data)


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
