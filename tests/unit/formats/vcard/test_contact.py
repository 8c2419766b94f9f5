"""Contacts through vCards: nothing is lost, nothing untouched changes."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.vcard.contact import contact_from_vcard, vcard_from_contact
from posthouse.formats.vcard.lines import NotVcard, read_card
from posthouse.model.contact import Contact, EmailAddress, Photo, PostalAddress

GOLDEN = Path("tests/golden/vcard")
SAMPLES = sorted(path.name for path in GOLDEN.glob("*.vcf") if not path.name.startswith("group"))

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\\;,:\n\t\"'^=ä%"),
    max_size=40,
)
NAME = TEXT.map(str.strip).filter(bool)
EMAIL = st.builds(EmailAddress, TEXT, TEXT)
ADDRESS = st.builds(PostalAddress, TEXT, TEXT, TEXT, TEXT, TEXT)
DATE = st.none() | st.dates().map(lambda day: day.isoformat()) | st.just("1604-02-29")
PHOTO = st.none() | st.builds(
    Photo, st.binary(min_size=1, max_size=300), st.sampled_from(["image/png", "image/jpeg"])
)


def _strategy(name: str):
    match getattr(Contact(), name):
        case EmailAddress():
            return EMAIL
        case PostalAddress():
            return ADDRESS
        case tuple():
            return st.lists(NAME, max_size=3).map(tuple)
        case None:
            return PHOTO if name == "photo" else DATE
        case _:
            return TEXT.map(str.strip) if name == "nickname" else TEXT


CONTACT = st.fixed_dictionaries(
    {}, optional={name: _strategy(name) for name in Contact.__struct_fields__}
).map(lambda fields: Contact(**fields))
HEADS = {v: f"BEGIN:VCARD\r\nVERSION:{v}\r\n".encode() for v in ("2.1", "3.0", "4.0")}
END = b"END:VCARD\r\n"
UNKNOWN = st.builds(
    lambda name, value: f"X-{name}{value}\r\n".encode(),
    st.from_regex(r"[A-Z]{8,12}(;X-P=[a-z]{1,5}){0,2}:", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
)
KNOWN = st.sampled_from(
    [
        b"N:Doe;Jane;;;\r\n",
        b"FN:Jane Doe\r\n",
        b"item1.EMAIL;TYPE=pref:one@example.com\r\nitem1.X-ABLabel:Club\r\n",
        b"EMAIL:two@example.com\r\n",
        b"EMAIL;PREF=1:three@example.com\r\n",
        b"TEL;TYPE=WORK:1\r\n",
        b"TEL;TYPE=CELL;X-POSTHOUSE-SLOT=mms:2\r\n",
        b"TEL;TYPE=WORK;X-POSTHOUSE-SLOT=more:3\r\n",
        b"ADR;TYPE=HOME:box;ext;Street 1;Town;;12345;Land\r\n",
        b"ORG:Firm;Sales;East\r\n",
        b"item2.X-ABRELATEDNAMES:Kim\r\nitem2.X-ABLabel:_$!<Child>!$_\r\n",
        b"X-MS-CHILD:Tom\r\n",
        b"X-SPOUSE:Sam\r\n",
        b"BDAY:--0412\r\n",
        b"PHOTO;VALUE=uri:http://example.com/p.jpg\r\n",
        b"CATEGORIES:a,b\r\n",
        b"CATEGORIES:c\r\n",
        b"NOTE;ENCODING=QUOTED-PRINTABLE:a=3Db=\r\nc\r\n",
        b"NOTE:\r\n",
        b"IMPP:xmpp:a@b\r\n",
        b"X-AIM:a\r\n",
    ]
)


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_view(name: str) -> None:
    """What is read of it stands beside it."""
    contact = contact_from_vcard((GOLDEN / name).read_bytes())
    told = {
        field: value
        for field in Contact.__struct_fields__
        if (value := getattr(contact, field)) != getattr(Contact(), field)
    }
    lines = "".join(f"{field} = {value!r}\n" for field, value in told.items())
    assert lines == (GOLDEN / name).with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("name", SAMPLES)
def test_unchanged_is_identical(name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    assert vcard_from_contact(contact_from_vcard(data), data) == data


@pytest.mark.parametrize("name", SAMPLES)
def test_a_change_touches_its_own_lines(name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    contact = replace(contact_from_vcard(data), body="new", mobile_phone="+1 555 0199")
    changed = vcard_from_contact(contact, data)
    assert contact_from_vcard(changed) == contact
    assert _others(changed) == _others(data)


def _others(data: bytes) -> list[bytes]:
    lines = read_card(data).lines
    return [line.raw for line in lines if line.name not in {"NOTE", "TEL"}]


def test_new_card_is_whole() -> None:
    contact = Contact(first="Jörg", last="Müller", uid="u1", email2=EmailAddress("a@b", 'Jo "x"'))
    data = vcard_from_contact(contact, None)
    assert data.decode() == (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Müller;Jörg;;;\r\nFN:Jörg Müller\r\n"
        "EMAIL;TYPE=INTERNET;X-DISPLAY-NAME=\"Jo ^'x^'\";X-POSTHOUSE-SLOT=email2:a@b\r\n"
        "UID:u1\r\nEND:VCARD\r\n"
    )
    assert contact_from_vcard(data) == contact


@given(CONTACT)
def test_new_card_reads_back(contact: Contact) -> None:
    data = vcard_from_contact(contact, None)
    assert contact_from_vcard(data) == contact
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert vcard_from_contact(contact, data) == data


def test_a_colon_in_quotes_does_not_hide_how_the_value_is_encoded() -> None:
    address = "\xa0" * 7 + "\U00010000" * 3
    contact = Contact(email1=EmailAddress(address=address, name=":"))
    data = vcard_from_contact(contact, HEADS["2.1"] + END)
    assert b"=\r\n" in data, "a soft line break"
    assert contact_from_vcard(data) == contact


@settings(deadline=None)
@given(
    st.sampled_from(["2.1", "3.0", "4.0"]),
    st.lists(UNKNOWN | KNOWN, max_size=12),
    CONTACT,
    CONTACT,
)
def test_unknown_survives_any_change(
    version: str, lines: list[bytes], contact: Contact, another: Contact
) -> None:
    original = HEADS[version] + b"".join(lines) + END
    assert vcard_from_contact(contact_from_vcard(original), original) == original
    unknown = [line for line in lines if re.match(rb"X-[A-Z]{8,12}[;:]", line)]
    data = original
    for wanted in (contact, another, Contact()):
        data = vcard_from_contact(wanted, data)
        assert contact_from_vcard(data) == wanted
        at = 0
        for line in unknown:
            at = data.index(line, at) + len(line)


@given(CONTACT, st.sampled_from(Contact.__struct_fields__), st.data())
def test_one_field_of_a_full_card(contact: Contact, name: str, data: st.DataObject) -> None:
    original = vcard_from_contact(contact, None)
    changed = replace(contact, **{name: data.draw(_strategy(name))})
    assert contact_from_vcard(vcard_from_contact(changed, original)) == changed


def test_shown_name_follows_the_names() -> None:
    card = HEADS["3.0"] + b"N:Doe;Jane;;;\r\nFN;X-A=b:Doe, Jane\r\n" + END
    contact = contact_from_vcard(card)
    assert contact.display_name == ""
    changed = vcard_from_contact(replace(contact, last="Roe"), card)
    assert changed == HEADS["3.0"] + b"N:Roe;Jane;;;\r\nFN;X-A=b:Roe\\, Jane\r\n" + END


def test_a_fourth_address_stays_unseen() -> None:
    card = HEADS["3.0"] + b"".join(b"EMAIL:%d@example.com\r\n" % n for n in range(1, 5)) + END
    contact = contact_from_vcard(card)
    assert contact.email3.address == "3@example.com"
    changed = vcard_from_contact(replace(contact, email1=EmailAddress()), card)
    assert b"4@example.com" in changed
    assert contact_from_vcard(changed) == replace(contact, email1=EmailAddress())


def test_group_mates_go_with_their_property() -> None:
    lines = b"item1.TEL:1\r\nitem1.X-ABLabel:Boat\r\nitem2.X-ABLabel:Rest\r\n"
    card = HEADS["3.0"] + lines + END
    changed = vcard_from_contact(replace(contact_from_vcard(card), other_phone=""), card)
    assert changed == HEADS["3.0"] + b"item2.X-ABLabel:Rest\r\n" + END


def test_unknown_components_stay() -> None:
    card = HEADS["4.0"] + b"ORG;SORT-AS=F:Firm\\, Inc.;Sales;East\\;West\r\n" + END
    changed = vcard_from_contact(replace(contact_from_vcard(card), department="HR"), card)
    assert changed == HEADS["4.0"] + b"ORG:Firm\\, Inc.;HR;East\\;West\r\n" + END


def test_stale_address_label_goes() -> None:
    card = (
        HEADS["3.0"]
        + b"ADR;TYPE=HOME:PO 1;;Street 1;Town;;1;Land\r\nLABEL;TYPE=HOME:x\r\nLABEL;TYPE=WORK:y\r\n"
        + END
    )
    contact = contact_from_vcard(card)
    assert contact.home_address.street == "PO 1\nStreet 1"
    moved = replace(contact, home_address=replace(contact.home_address, city="City"))
    changed = vcard_from_contact(moved, card)
    assert changed == (
        HEADS["3.0"] + b"ADR;TYPE=HOME:PO 1;;Street 1;City;;1;Land\r\nLABEL;TYPE=WORK:y\r\n" + END
    )


def test_line_ends_of_the_original() -> None:
    card = (HEADS["3.0"] + b"X-A:b\r\n" + END).replace(b"\r\n", b"\n")
    assert b"\r" not in vcard_from_contact(Contact(body="a\nb"), card)


def test_nested_card_and_what_follows_are_left_alone() -> None:
    agent = b"AGENT:\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nTEL:9\r\nNOTE:inner\r\nEND:VCARD\r\n"
    tail = HEADS["2.1"] + b"NOTE:second\r\n" + END
    card = HEADS["2.1"] + agent + b"TEL:1\r\n" + END + tail
    contact = contact_from_vcard(card)
    assert (contact.other_phone, contact.body) == ("1", "")
    changed = vcard_from_contact(replace(contact, body="a"), card)
    assert changed == HEADS["2.1"] + agent + b"TEL:1\r\nNOTE:a\r\n" + END + tail


@pytest.mark.parametrize("data", [b"", b"\0\xff", b"BEGIN:VCALENDAR\r\n", b"\n" * 100_000])
def test_no_card(data: bytes) -> None:
    with pytest.raises(NotVcard):
        contact_from_vcard(data)
    with pytest.raises(NotVcard):
        vcard_from_contact(Contact(), data)


HOSTILE = {
    "huge line": b"NOTE:" + b"x" * 12_000_000 + b"\r\n",
    "huge head": b"NOTE" + b";A=b" * 1_000_000 + b":x\r\n",
    "quotes": b"NOTE;A=" + b'"' * 999_999 + b":x\r\n",
    "many lines": b"TEL:1\r\n" * 1_000_000,
    "many folds": b"NOTE:a\r\n" + b" \r\n" * 1_000_000,
    "soft breaks": b"NOTE;QUOTED-PRINTABLE:=\n" + b"=\n" * 2_000_000,
    "bad soft break": b"NOTE;QUOTED-PRINTABLE:a=ZZ=\xff=",
    "bad base64": b"PHOTO;ENCODING=b:" + b"A=*\xff" * 1_000_000 + b"\r\n",
    "bare base64": b"PHOTO;BASE64:\r\n" + b"QUJD\r\n" * 500_000,
    "groups": b"a." * 500_000 + b"TEL:1\r\n",
    "cards in cards": b"BEGIN:VCARD\r\n" * 500_000,
    "nul": b"N:\0;\0\r\nFN:\0\r\nTEL;TYPE=\0:\0\r\n",
    "half utf-8": b"FN:\xc3\r\nN:\xe2\x82;\xf0\x9f\r\n",
    "semicolons": b"N:" + b";" * 5_000_000 + b"\r\nADR:" + b"\\;" * 2_000_000 + b"\r\n",
    "commas": b"CATEGORIES:" + b"a," * 2_000_000 + b"\r\n",
    "children": b"".join(b"i%d.X-MS-CHILD:%d\r\n" % (n, n) for n in range(100_000)),
    "labels": b"i.X-ABLabel:Child\r\n" + b"i.X-ABRELATEDNAMES:a\r\n" * 100_000,
    "uri": b"PHOTO:data:" + b"%41" * 2_000_000 + b",x\r\nBDAY:" + b"1" * 1_000_000 + b"\r\n",
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("version", HEADS)
def test_hostile_input_ends_quickly(what: str, version: str) -> None:
    card = HEADS[version] + HOSTILE[what] + END
    begun = time.process_time()
    contact = contact_from_vcard(card)
    assert vcard_from_contact(contact, card) == card
    vcard_from_contact(replace(contact, body="b", children=("c",), first="d"), card)
    assert time.process_time() - begun < 5
