"""Entries of the address list: texts, and pictures within limits."""

from __future__ import annotations

from eas_items import check
from hypothesis import given
from hypothesis import strategies as st

from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.gal import (
    PHOTO_BYTES_MAX,
    GalEntry,
    PictureWish,
    gal_elements,
    gal_results,
    picture_element,
)

PHOTO = b"\xff\xd8\xff"


def status(elements: list[Element]) -> str:
    picture = elements[-1]
    assert (picture.find("Data") is not None) == (picture.text_of("Status") == "1")
    return picture.text_of("Status")


def test_texts_and_nothing_empty() -> None:
    entry = GalEntry(display_name="Ada", last="Love\0lace", email="ada@example.org", photo=PHOTO)
    assert gal_elements(entry, None) == [
        Element("GAL", "DisplayName", "Ada"),
        Element("GAL", "LastName", "Lovelace"),
        Element("GAL", "EmailAddress", "ada@example.org"),
    ]
    assert gal_elements(GalEntry(), None) == []


def test_why_there_is_no_picture() -> None:
    wish = PictureWish(max_bytes=3, count=1)
    assert status(gal_elements(GalEntry(photo=PHOTO), wish)) == "1"
    assert status(gal_elements(GalEntry(), wish)) == "173"
    assert status(gal_elements(GalEntry(photo=b""), wish)) == "173"
    assert status(gal_elements(GalEntry(photo=PHOTO + b"x"), wish)) == "174"
    assert status(gal_elements(GalEntry(photo=PHOTO), wish, 1)) == "175"
    assert status(gal_elements(GalEntry(photo=PHOTO + b"x"), wish, 1)) == "174"
    huge = GalEntry(photo=bytes(PHOTO_BYTES_MAX + 1))
    assert status(gal_elements(huge, PictureWish(max_bytes=10**9))) == "174"


@given(st.lists(st.none() | st.binary(max_size=6), max_size=8), st.integers(0, 4))
def test_pictures_are_counted_through_a_query(photos: list[bytes | None], count: int) -> None:
    wish = PictureWish(max_bytes=4, count=count)
    found = list(gal_results((GalEntry(photo=photo) for photo in photos), wish))
    told = [status(elements) for elements in found]
    small = [bool(photo) and len(photo) <= 4 for photo in photos]
    assert told.count("1") == min(sum(small), count)
    assert "175" not in told[: told.index("1")] if "1" in told else True
    assert [one in ("1", "175") for one in told] == small


def test_pictures_for_resolved_recipients_have_their_own_namespace() -> None:
    assert picture_element("ResolveRecipients", PHOTO, PictureWish(), 0) == Element(
        "ResolveRecipients",
        "Picture",
        [Element("ResolveRecipients", "Status", "1"), Element("ResolveRecipients", "Data", PHOTO)],
    )


def test_the_schema_takes_it_in_answers_of_find() -> None:
    entry = GalEntry(*"abcdefghijk", photo=PHOTO)
    result = Element("Find", "Result")
    result.add("AirSync:Class", "Email")
    result.add("Properties", gal_elements(entry, PictureWish()))
    response = Element("Find", "Response")
    response.add("ItemOperations:Store", "Mailbox")
    response.add("Status", "1")
    response.content.append(result)
    find = Element("Find", "Find")
    find.add("Status", "1")
    find.content.append(response)
    check(find)
