"""Invariant: requests read in pieces of any size are the same, and nothing grows without bound.

Run: ``python fuzz/http_wire.py 10000`` (inputs), or with files that were kept.
"""

from __future__ import annotations

import random

from driving import drive

from posthouse.runtime.http import HttpLimits
from posthouse.runtime.http_reading import Reader

LIMITS = HttpLimits(head_bytes=2_000, headers=20)
SEEDS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: t\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
)
PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b":",
    b"0",
    b"Content-Length: 4\r\n",
    b"\xff",
    b"Transfer-Encoding: chunked\r\n",
)


def seen(pieces):
    """What was understood: whole requests, and how it ended."""
    reader = Reader(LIMITS)
    for piece in pieces:
        reader.feed(piece)
    requests = [
        (r.method, r.target, tuple(sorted(r.headers.items())), b"".join(r.body), r.keeps_alive)
        for r in reader.arrived
        if r.is_whole
    ]
    return requests, reader.failure.status if reader.failure else 0


def fuzz_one(data):
    """See the module."""
    whole, status = seen([data])
    dice = random.Random(len(data))
    for size in (1, dice.randint(2, 40)):
        again, other = seen([data[at : at + size] for at in range(0, len(data), size)])
        # In one piece a head may be whole before it is found too long; the answer is the same.
        assert again == whole or {status, other} & {431}, (again, whole)
        assert bool(status) == bool(other) or 431 in (status, other), (status, other)
    for _, target, headers, _, _ in whole:
        assert len(target) <= LIMITS.head_bytes
        assert len(headers) <= LIMITS.headers


def mutated(dice):
    """A few requests with damage."""
    data = b"".join(dice.choice(SEEDS) for _ in range(dice.randint(1, 3)))
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(data) + 1)
        kind = dice.randrange(3)
        if kind == 0:
            data = data[:at] + dice.choice(PIECES) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + dice.randint(1, 9) :]
        else:
            data = data[:at] + dice.choice(PIECES) * dice.randint(1, 900) + data[at:]
    return data


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
