"""A running server for tests of faults, and the questions each of them asks it."""

from __future__ import annotations

import poplib
import re
import smtplib
from collections import Counter
from typing import TYPE_CHECKING

from tests.running import Server

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("alice", "bob", "carol")
TIDY = "dora"
"""Deletes her mail while the others' is kept."""
SUBJECT = re.compile(rb"^Subject: (\S+)", re.MULTILINE)


def text(mark: str, size: int = 2000) -> bytes:
    head = f"From: <x@example.net>\r\nTo: <alice@example.org>\r\nSubject: {mark}\r\nMessage-ID: <{mark}@example.net>\r\n\r\n"
    return head.encode() + b"0123456789abcdef\r\n" * (size // 18)


def marks(server: Server, name: str) -> Counter[str]:
    client = poplib.POP3("127.0.0.1", server.ports["pop3"], timeout=20)
    client.user(f"{name}@example.org")
    client.pass_("wonderland")
    found: Counter[str] = Counter()
    for number in range(1, client.stat()[0] + 1):
        head = b"\n".join(client.top(number, 0)[1])
        match = SUBJECT.search(head)
        assert match, head
        found[match[1].decode()] += 1
    client.quit()
    return found


def deliver(server: Server, mark: str) -> int:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.ehlo("x.example.net")
        client.mail("x@example.net")
        for name in NAMES:
            client.rcpt(f"{name}@example.org")
        return client.data(text(mark))[0]


def house_of(place: Path) -> Server:
    """Two workers, passwords in the clear, little space needed; not started."""
    return Server(
        place / "data",
        people=(*NAMES, TIDY),
        settings="allow_plaintext_auth = true",
        workers=2,
        tables={"limits": 'space_floor = "1 MiB"'},
    )
