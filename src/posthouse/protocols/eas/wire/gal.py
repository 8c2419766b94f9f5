"""Entries of the address list: what Search, Find and ResolveRecipients show of people.

Spec: [MS-ASCMD] §2.2.3.104 (MaxPictures), §2.2.3.105 (MaxSize), §2.2.3.135 (Picture).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.formats.vcard.values import clean
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PHOTO_BYTES_MAX: Final = 100 * 1024
"""Of one picture, whatever a client asks for."""

_SENT = "1"
_NO_PICTURE = "173"
_TOO_LARGE = "174"
_LIMIT_REACHED = "175"


class GalEntry(Struct, frozen=True):
    """Somebody in the address list. Texts are "" when there is none.

    Attributes:
        alias: the name in front of the ``@``.
        email: primary address.
        photo: a picture's bytes; None: none.
    """

    display_name: str = ""
    phone: str = ""
    office: str = ""
    title: str = ""
    company: str = ""
    alias: str = ""
    first: str = ""
    last: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    email: str = ""
    photo: bytes | None = None


class PictureWish(Struct, frozen=True):
    """Which pictures a client wants.

    Attributes:
        max_bytes: of one; more than PHOTO_BYTES_MAX is never sent.
        count: of all in the answer to one query; None: no limit.
    """

    max_bytes: int = PHOTO_BYTES_MAX
    count: int | None = None


_TAGS: Final = {
    "DisplayName": "display_name",
    "Phone": "phone",
    "Office": "office",
    "Title": "title",
    "Company": "company",
    "Alias": "alias",
    "FirstName": "first",
    "LastName": "last",
    "HomePhone": "home_phone",
    "MobilePhone": "mobile_phone",
    "EmailAddress": "email",
}


def gal_elements(
    entry: GalEntry, wish: PictureWish | None, pictures_sent: int = 0
) -> list[Element]:
    """One entry: the children of Properties.

    Args:
        entry: whom.
        wish: None: no pictures are wanted.
        pictures_sent: for the same query, with entries before this one.
    """
    texts = {tag: clean(getattr(entry, field)) for tag, field in _TAGS.items()}
    elements = [Element("GAL", tag, text) for tag, text in texts.items() if text]
    if wish is not None:
        elements.append(picture_element("GAL", entry.photo, wish, pictures_sent))
    return elements


def gal_results(entries: Iterable[GalEntry], wish: PictureWish | None) -> Iterator[list[Element]]:
    """All entries that answer one query, in order, with as many pictures as are wanted."""
    sent = 0
    for entry in entries:
        elements = gal_elements(entry, wish, sent)
        sent += elements[-1].find("Data") is not None if elements else 0
        yield elements


def picture_element(
    namespace: str, photo: bytes | None, wish: PictureWish, pictures_sent: int
) -> Element:
    """A picture, or why there is none.

    Args:
        namespace: GAL, or ResolveRecipients.
        photo: the picture's bytes; None or b"": there is none.
        wish: how large, how many.
        pictures_sent: for the same query before this one.
    """
    if not photo:
        status = _NO_PICTURE
    elif len(photo) > min(wish.max_bytes, PHOTO_BYTES_MAX):
        status = _TOO_LARGE
    elif wish.count is not None and pictures_sent >= wish.count:
        status = _LIMIT_REACHED
    else:
        status = _SENT
    picture = Element(namespace, "Picture", [Element(namespace, "Status", status)])
    if photo and status == _SENT:
        picture.add("Data", photo)
    return picture
