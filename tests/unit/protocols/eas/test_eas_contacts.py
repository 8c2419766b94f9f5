"""Contacts on the wire: what is carried comes back, what is not survives."""

from __future__ import annotations

import base64

import pytest
from eas_items import (
    application_data,
    check_sync_answer,
    data,
    kinds,
    names,
    plain_body,
    rubbish,
    shown_body,
    texts,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from posthouse.formats.vcard.contact import vcard_from_contact
from posthouse.model.contact import Contact, DistributionList, EmailAddress, Photo, PostalAddress
from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.contacts import (
    PICTURE_CHARS_MAX,
    contact_from_data,
    data_from_contact,
    is_shown,
)
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import ViewOptions

OPTIONS = ViewOptions()
slow = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
addresses = st.sampled_from(["a@b.example", "jörg@müller.example", "x+y@z.example", "/o=Firm/cn=a"])
emails = st.builds(EmailAddress, addresses, texts.filter(lambda t: t not in addresses.elements))
days = st.none() | st.dates().map(lambda day: day.isoformat()) | st.just("1604-02-29")
days = days.filter(lambda day: day != "4501-01-01")
photos = st.none() | st.builds(
    Photo,
    st.sampled_from([b"\x89PNG\r\n", b"GIF89a", b"\xff\xd8\xff"]).map(lambda head: head * 100),
    st.just("image/jpeg"),
).map(lambda photo: replace(photo, media_type=_kind(photo.data)))


def _kind(octets: bytes) -> str:
    return {137: "image/png", 71: "image/gif"}.get(octets[0], "image/jpeg")


def _strategy(name: str) -> st.SearchStrategy:
    match getattr(Contact(), name):
        case EmailAddress():
            return emails
        case PostalAddress():
            return st.builds(PostalAddress, texts, texts, texts, texts, texts)
        case tuple():
            return st.lists(names, max_size=3).map(tuple)
        case None:
            return photos if name == "photo" else days
        case _:
            return texts.map(str.strip) if name == "nickname" else texts


def contacts(*left_out: str) -> st.SearchStrategy[Contact]:
    fields = {name: _strategy(name) for name in Contact.__struct_fields__ if name not in left_out}
    return st.fixed_dictionaries({}, optional=fields).map(lambda found: Contact(**found))


# What no element carries, or only in part.
odd = st.fixed_dictionaries(
    {},
    optional={
        "display_name": texts,
        "other_phone": texts,
        "uid": texts,
        "email2": st.builds(EmailAddress, st.just(""), texts),
        "email3": st.builds(EmailAddress, texts, texts),
        "categories": st.lists(texts, max_size=400).map(tuple),
        "photo": st.just(Photo(bytes(40_000), "image/webp")),
        "first": st.just("a\0b\x07"),
    },
)


def shown(contact: Contact) -> list[tuple[str, object]]:
    """What a client sees of it, without the picture."""
    elements = data_from_contact(contact, OPTIONS, plain_body(contact.body), wants_photo=False)
    return [(one.name, [c.content for c in one.children] or one.content) for one in elements]


def sent(contact: Contact) -> Element:
    return application_data(data_from_contact(contact, OPTIONS, plain_body(contact.body)))


@slow
@given(contacts("display_name", "uid", "file_as", "other_phone"))
def test_what_is_carried_comes_back(contact: Contact) -> None:
    assert contact_from_data(sent(contact), None, is_partial=False) == contact


@slow
@given(contacts(), odd, st.booleans(), kinds)
def test_what_comes_back_unchanged_changes_nothing(contact, other, partial, kind) -> None:
    contact = replace(contact, **other)
    body = shown_body(kind, contact.body)
    told = application_data(data_from_contact(contact, OPTIONS, body))
    assert contact_from_data(told, contact, is_partial=partial) == contact


@slow
@given(contacts(), odd, contacts("display_name", "file_as"))
def test_a_change_is_taken_whole(before: Contact, other: dict, after: Contact) -> None:
    # A shown name stands in for the names; see below.
    before = replace(before, **{**other, "display_name": ""})
    taken = contact_from_data(sent(after), before, is_partial=False)
    # Where nothing was shown, nothing can be taken away.
    kept = {
        name: getattr(before, name)
        for name in ("email2", "email3")
        if not getattr(before, name).address and not getattr(after, name).address
    }
    assert shown(taken) == shown(replace(after, **kept))
    assert taken.uid == before.uid
    assert taken.photo == (after.photo or before.photo)


@slow
@given(contacts(), odd)
def test_the_schema_takes_it(contact: Contact, other: dict) -> None:
    contact = replace(contact, **other)
    check_sync_answer(data_from_contact(contact, OPTIONS, plain_body("Notes")))


@slow
@given(rubbish("Contacts", "Contacts2", "AirSyncBase"), st.none() | contacts(), st.booleans())
def test_rubbish_is_refused_or_can_be_kept(told: Element, known: Contact | None, partial) -> None:
    try:
        contact = contact_from_data(told, known, is_partial=partial)
    except RemoteProtocolError as e:
        hint = e.reply_hint
    else:
        hint = "content"
        vcard_from_contact(contact, None)
    assert hint == "content"


FULL = Contact(
    first="Ada",
    last="Lovelace",
    birthday="1815-12-10",
    email1=EmailAddress("ada@example.org", "Ada"),
    mobile_phone="1",
    home_address=PostalAddress(street="St. James's Square", city="London"),
    categories=("Math",),
    children=("Byron",),
    photo=Photo(b"\xff\xd8\xff"),
    body="first programmer",
    uid="u1",
    im1="xmpp:ada@example.org",
)


def test_absent_is_unchanged_in_a_part() -> None:
    told = data("Contacts", FirstName="Augusta", MobilePhoneNumber="", HomeAddressCity="Marylebone")
    taken = contact_from_data(told, FULL, is_partial=True)
    assert taken == replace(
        FULL,
        first="Augusta",
        mobile_phone="",
        home_address=PostalAddress(street="St. James's Square", city="Marylebone"),
    )


def test_absent_is_cleared_in_a_whole_but_for_body_and_picture() -> None:
    taken = contact_from_data(data("Contacts", FirstName="Ada"), FULL, is_partial=False)
    assert taken == Contact(first="Ada", photo=FULL.photo, body=FULL.body, uid="u1")


def test_a_ghosted_field_is_unchanged() -> None:
    told = data("Contacts", FirstName="Ada")
    supported = ("FirstName", "LastName", "MobilePhoneNumber", "Categories", "IMAddress")
    taken = contact_from_data(told, FULL, is_partial=False, supported=supported)
    assert taken == replace(FULL, last="", mobile_phone="", categories=(), im1="")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1980-03-06T00:00:00.000Z", "1980-03-06"),
        ("1980-03-05T23:00:00.000Z", "1980-03-06"),
        ("1980-03-06T05:00:00.000Z", "1980-03-06"),
        ("1980-03-06T11:59:00.000Z", "1980-03-06"),
        ("1980-03-06T12:00:00.000Z", "1980-03-06"),
        ("1980-03-05T12:00:01.000Z", "1980-03-06"),
        ("19800306T000000Z", "1980-03-06"),
        ("1980-03-06", "1980-03-06"),
        ("4501-01-01T00:00:00.000Z", None),
        ("4500-12-31T23:00:00.000Z", None),
        ("", None),
    ],
)
def test_dates_do_not_move(text: str, day: str | None) -> None:
    taken = contact_from_data(data("Contacts", Birthday=text), None, is_partial=False)
    assert taken.birthday == day


def test_a_date_is_the_same_in_nearly_every_zone() -> None:
    (birthday,) = (e.text for e in data_from_contact(FULL, OPTIONS, []) if e.tag == "Birthday")
    assert birthday == "1815-12-10T11:59:00.000Z"


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ('"Ada L." <ada@example.org>', EmailAddress("ada@example.org", "Ada L.")),
        ("Ada L. <ada@example.org>", EmailAddress("ada@example.org", "Ada L.")),
        ("<ada@example.org>", EmailAddress("ada@example.org")),
        ('"ada@example.org" <ada@example.org>', EmailAddress("ada@example.org")),
        ('"a \\"b\\" \\\\c" <a@b.c>', EmailAddress("a@b.c", 'a "b" \\c')),
        ('"a <b>" <a@b.c>', EmailAddress("a@b.c", "a <b>")),
        (" ada@example.org ", EmailAddress("ada@example.org")),
        ("half <open", EmailAddress("half <open")),
        (">", EmailAddress(">")),
        ("", EmailAddress()),
    ],
)
def test_addresses_with_names(text: str, email: EmailAddress) -> None:
    taken = contact_from_data(data("Contacts", Email1Address=text), None, is_partial=True)
    assert taken.email1 == email


def test_file_as_follows_the_names_until_somebody_sets_it() -> None:
    told = {e.name: e.text for e in data_from_contact(FULL, OPTIONS, []) if not e.children}
    assert told["Contacts:FileAs"] == "Lovelace, Ada"
    taken = contact_from_data(
        data("Contacts", LastName="King", FileAs="King, Ada"), FULL, is_partial=True
    )
    assert taken == replace(FULL, last="King")
    stale = data("Contacts", LastName="King", FileAs="Lovelace, Ada")
    assert contact_from_data(stale, FULL, is_partial=True) == replace(FULL, last="King")
    own = data("Contacts", FileAs="Countess")
    assert contact_from_data(own, FULL, is_partial=True) == replace(FULL, file_as="Countess")


def test_a_shown_name_stays_until_the_names_change() -> None:
    known = replace(FULL, display_name="Countess Ada")
    told = data("Contacts", MobilePhoneNumber="2")
    assert contact_from_data(told, known, is_partial=True).display_name == "Countess Ada"
    told = data("Contacts", LastName="King")
    assert contact_from_data(told, known, is_partial=True).shown_name == "Ada King"


def test_a_large_picture_stays_here() -> None:
    large = replace(FULL, photo=Photo(bytes(36_865)))
    assert not any(e.tag == "Picture" for e in data_from_contact(large, OPTIONS, []))
    assert any(
        e.tag == "Picture"
        for e in data_from_contact(replace(FULL, photo=Photo(bytes(36_864))), OPTIONS, [])
    )
    for told in (data("Contacts"), data("Contacts", Picture="")):
        assert contact_from_data(told, large, is_partial=True).photo == large.photo
    assert contact_from_data(data("Contacts", Picture=""), FULL, is_partial=True).photo is None


def test_a_picture_is_read_in_lines_and_known_again() -> None:
    text = base64.encodebytes(b"\xff\xd8\xff" * 50).decode()
    taken = contact_from_data(data("Contacts", Picture=text), FULL, is_partial=True)
    assert taken.photo == Photo(b"\xff\xd8\xff" * 50)
    known = replace(FULL, photo=Photo(b"\xff\xd8\xff" * 50, "image/x-odd"))
    assert contact_from_data(data("Contacts", Picture=text), known, is_partial=True) == known


@pytest.mark.parametrize("text", ["A" * (PICTURE_CHARS_MAX + 4), "QQ", "Q!==", "ä", "QQ==QQ=="])
def test_a_bad_picture_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="picture"):
        contact_from_data(data("Contacts", Picture=text), None, is_partial=True)


def test_notes_in_html_are_read_as_words() -> None:
    told = application_data(plain_body("<p>Countess</p><p>of <b>Lovelace</b></p>", "2"))
    assert contact_from_data(told, FULL, is_partial=True).body == "Countess\n\nof Lovelace"


def test_too_many_categories_are_refused() -> None:
    one = [Element("Contacts", "Category", str(n)) for n in range(301)]
    told = application_data([Element("Contacts", "Categories", one)])
    with pytest.raises(RemoteProtocolError):
        contact_from_data(told, None, is_partial=True)


def test_lists_are_left_out() -> None:
    assert is_shown(FULL)
    assert not is_shown(DistributionList(name="All"))
