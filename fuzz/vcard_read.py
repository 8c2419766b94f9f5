"""Invariant: any bytes are a card or NotVcard, in linear time; nothing untouched changes.

A card's lines and tail are the input; the contact written back unchanged is the input; a changed
contact reads back as it was meant, and a second time gives the same bytes.
Run: ``python fuzz/vcard_read.py 10000`` (inputs), or with files that were kept.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from driving import drive
from msgspec.structs import replace

from posthouse.formats.vcard.contact import contact_from_vcard, vcard_from_contact
from posthouse.formats.vcard.group import group_from_vcard, vcard_from_group
from posthouse.formats.vcard.lines import NotVcard, read_card
from posthouse.model.contact import Contact, DistributionList, EmailAddress, Member, PostalAddress

if TYPE_CHECKING:
    import random

HEADS = [
    b"BEGIN:VCARD\r\nVERSION:2.1\r\n",
    b"BEGIN:VCARD\r\nVERSION:3.0\r\n",
    b"BEGIN:VCARD\nVERSION:4.0\n",
]
SEEDS = [
    b"N:Doe;Jane;A,B;Dr.;\r\nFN:Jane Doe\r\n",
    b"item1.TEL;type=CELL;type=pref:1\r\nitem1.X-ABLabel:_$!<Main>!$_\r\n",
    b'TEL;WORK;VOICE:2\r\nTEL;TYPE="home,fax";X-POSTHOUSE-SLOT=more:3\r\n',
    b'EMAIL;TYPE=INTERNET;X-DISPLAY-NAME="a^nb":a@b\r\n',
    b"EMAIL;X-POSTHOUSE-SLOT=email2;PREF=1:c@d\r\n",
    b'ADR;TYPE=HOME;LABEL="x":1;2;3\\, 4;5\\;6;7;8;9\r\nLABEL;TYPE=HOME:x\r\n',
    b"NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:a=3D=\r\nb=C3=BC=\r\n",
    b"PHOTO;ENCODING=b;TYPE=PNG:AAAA\r\n BBBB\r\nPHOTO:data:image/png;base64,AA==\r\n",
    b"PHOTO;BASE64:\r\nQUJD\r\n\r\n",
    b"BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29\r\nX-ABDATE:--0412\r\n",
    b"item2.X-ABRELATEDNAMES:Kim\r\nitem2.X-ABLabel:_$!<Child>!$_\r\nX-MS-CHILD:Al\r\n",
    b"AGENT:\r\nBEGIN:VCARD\r\nFN:x\r\nEND:VCARD\r\n",
    b"CATEGORIES:a,b\\,c\r\nORG:x;y;z\r\nIMPP:xmpp:a\r\nX-AIM:b\r\n",
    b"KIND:group\r\nMEMBER:mailto:a@b\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1\r\n",
    b"\0\xff\xc3\xe2\x82\r\n",
]
CONTACT = Contact(
    first="F", display_name="F", email2=EmailAddress("e@f", 'n"'), home2_phone="4", body="a\nü",
    children=("Z",), home_address=PostalAddress(city="C;"), birthday="1604-01-02",
)  # fmt: skip
GROUP = DistributionList("G", (Member("m", "x@y"), Member(uid="u")), "id")
CPU_MAX_S = 4.0


def fuzz_one(data: bytes) -> None:
    begun = time.process_time()
    try:
        card = read_card(data)
    except NotVcard:
        return
    assert b"".join(line.raw for line in card.lines) + card.tail == data
    contact = contact_from_vcard(data)
    assert vcard_from_contact(contact, data) == data
    for changed in (CONTACT, replace(contact, other_phone="5", email1=EmailAddress())):
        written = vcard_from_contact(changed, data)
        assert contact_from_vcard(written) == changed
        assert vcard_from_contact(changed, written) == written
    group = group_from_vcard(data)
    assert vcard_from_group(group, data) == data
    assert group_from_vcard(vcard_from_group(GROUP, data)) == GROUP
    assert time.process_time() - begun < CPU_MAX_S


def mutated(dice: random.Random) -> bytes:
    """A few seeds in a card, with octets changed, doubled or lost; never up to the limits."""
    body = bytearray(b"".join(dice.choices(SEEDS, k=dice.randint(1, 10))) + b"END:VCARD\r\n")
    for _ in range(dice.randint(0, 6)):
        at = dice.randrange(len(body) + 1)
        match dice.randrange(4):
            case 0:
                body[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                body[at:at] = body[at : at + dice.randint(1, 60)]
            case 2:
                body[at:at] = bytes([dice.choice(b'";:=,\\\r\n .^')]) * dice.randint(1, 3)
            case _:
                del body[at : at + dice.randint(1, 20)]
    return dice.choice(HEADS) + bytes(body)


if __name__ == "__main__":
    drive(__doc__, fuzz_one, mutated)
