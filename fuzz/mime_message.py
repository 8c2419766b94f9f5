"""Invariant: whatever the bytes, columns, card and words come out, in bounds and in linear time.

Every offset of the card lies in the message and in its parent's range; all text can be stored; a
card read back is the card. Dot-stuffing and its undoing are the identity.
Run: ``python fuzz/mime_message.py 10000`` (inputs), or with files that were kept.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from driving import drive

from posthouse.formats.mime.card import (
    PartCard,
    card_from_message,
    digest,
    read_card,
    render,
)
from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.dots import find_bare_eol, stuff, unstuff

if TYPE_CHECKING:
    import random

SEEDS = [
    b"From: =?utf-8?q?J=C3=B6?= <a@b>\r\nTo: x@y, (c(d)) z@w;\r\n",
    b"Subject: =?b?b?=?= Re: [x]\r\n",
    b"Date: Mon, 23 Nov 2026 20:12:01 +0000\r\n",
    b"Message-ID: <a@b>\r\nReferences: <r@s> <t@u>\r\n",
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n",
    b"Content-Type: multipart/alternative;\r\n boundary*0=\"a\"; boundary*1*=utf-8''%41\r\n\r\n",
    b"--a\r\nContent-Type: text/html; charset=utf-7\r\n\r\n<p>&#x41;<script>x</script>+2AA-\r\n",
    b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/digest; boundary=a\r\n",
    b"\r\n--a\r\n",
    b"Content-Transfer-Encoding: base64\r\n\r\nQUJD=\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=3D=\r\n=GG=",
    b"Content-Disposition: attachment; filename*=iso-2022-jp'en'%1B$B%\r\n\r\n",
    b"\r\n.\r\n..\r\n\r\n",
    b"\n\n\r\n\r \0\xff\xfe",
]
CPU_MAX_S = 2.0


def check_part(part: PartCard, start: int, end: int) -> None:
    head, body, stop = part.offsets
    assert start <= head <= body <= stop <= end
    for child in part.parts:
        check_part(child, body, stop)


def fuzz_one(data: bytes) -> None:
    begun = time.process_time()
    columns = columns_from_head(data)
    for text in (columns.subject, columns.sender, columns.recipients, columns.message_id):
        assert text.isprintable() or not any(c < " " for c in text)
        text.encode()
    card = read_card(render(data))
    assert card == card_from_message(data)
    assert card is not None
    check_part(card.structure, 0, len(data))
    digest(data).words.encode()
    wire, _, lacks_final_eol = stuff(data)
    assert unstuff(wire, lacks_final_eol=lacks_final_eol) == data
    find_bare_eol(data)
    assert time.process_time() - begun < CPU_MAX_S


def mutated(dice: random.Random) -> bytes:
    """A few seeds in a row, with octets changed, doubled many times or lost."""
    data = bytearray(b"".join(dice.choices(SEEDS, k=dice.randint(1, 8))))
    for _ in range(dice.randint(0, 6)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(4):
            case 0:
                data[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                data[at:at] = data[at : at + dice.randint(1, 300)]
            case 2:
                data[at:at] = data[at : at + dice.randint(1, 20)] * dice.randint(1, 500)
            case _:
                del data[at : at + dice.randint(1, 20)]
    return bytes(data[:200_000])


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
