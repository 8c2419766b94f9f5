"""Contacts and distribution lists: the view of them that all doors share.

Notes:
    The fields are those that Exchange clients know; what a vCard says beyond them stays in the
    original. Lines of a text end in LF alone; dates are ``YYYY-MM-DD``, without zone. Exchange and
    Apple write a birthday whose year is not known as one in ``YEAR_UNKNOWN``.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct

YEAR_UNKNOWN = 1604


class EmailAddress(Struct, frozen=True):
    """An address in one of the three slots.

    Attributes:
        address: as written; what an Exchange server of old keeps there need not have an ``@``.
        name: shown instead of it ("" none).
    """

    address: str = ""
    name: str = ""


class PostalAddress(Struct, frozen=True):
    """An address in one of the three slots.

    Attributes:
        street: with house number, box, floor; lines divided by LF.
        city: town.
        state: state, province or region.
        postal_code: as written.
        country: name, in whatever language.
    """

    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""


class Photo(Struct, frozen=True):
    """A picture of the person.

    Attributes:
        data: the file's bytes, not empty.
        media_type: lower case, ``image/...``.
    """

    data: bytes
    media_type: str = "image/jpeg"


class Contact(Struct, frozen=True, kw_only=True):
    """A person or firm in somebody's contacts. Texts are "" when there is none.

    Attributes:
        display_name: set only when it is none of ``name_forms``; read ``shown_name``.
        file_as: under which Exchange clients sort, when they chose it themselves.
        title: before the name (Dr.).
        suffix: behind the name (Jr.).
        nickname: without outer white space; several are divided by a comma.
        phonetic_first: as it is said or sorted (yomi); likewise the two that follow.
        children: names, none empty.
        email1: of the slots; more addresses than three stay in the original.
        im1: address or URI; likewise.
        birthday: a date, or None.
        anniversary: a date, or None.
        body: notes.
        categories: names without outer white space, none empty.
        photo: None when there is none or only a link to one.
        uid: the vCard's.

    Raises:
        ValueError: a date is none.
    """

    display_name: str = ""
    file_as: str = ""
    title: str = ""
    first: str = ""
    middle: str = ""
    last: str = ""
    suffix: str = ""
    nickname: str = ""
    phonetic_first: str = ""
    phonetic_last: str = ""
    phonetic_company: str = ""
    company: str = ""
    department: str = ""
    job_title: str = ""
    office_location: str = ""
    manager: str = ""
    assistant: str = ""
    spouse: str = ""
    children: tuple[str, ...] = ()
    email1: EmailAddress = EmailAddress()
    email2: EmailAddress = EmailAddress()
    email3: EmailAddress = EmailAddress()
    business_phone: str = ""
    business2_phone: str = ""
    home_phone: str = ""
    home2_phone: str = ""
    mobile_phone: str = ""
    pager: str = ""
    car_phone: str = ""
    radio_phone: str = ""
    assistant_phone: str = ""
    company_main_phone: str = ""
    business_fax: str = ""
    home_fax: str = ""
    other_phone: str = ""
    mms: str = ""
    im1: str = ""
    im2: str = ""
    im3: str = ""
    business_address: PostalAddress = PostalAddress()
    home_address: PostalAddress = PostalAddress()
    other_address: PostalAddress = PostalAddress()
    web_page: str = ""
    birthday: str | None = None
    anniversary: str | None = None
    body: str = ""
    categories: tuple[str, ...] = ()
    customer_id: str = ""
    government_id: str = ""
    account_name: str = ""
    photo: Photo | None = None
    uid: str = ""

    def __post_init__(self) -> None:
        for day in (self.birthday, self.anniversary):
            if day is not None and date.fromisoformat(day).isoformat() != day:
                raise ValueError("a date is YYYY-MM-DD")

    @property
    def shown_name(self) -> str:
        """What a list shows; "" when nothing is known of the contact."""
        return self.display_name or name_forms(self)[0]


class Member(Struct, frozen=True):
    """Of a distribution list: somebody by address, or a contact by its uid.

    Attributes:
        name: shown for it ("" none).
        address: "" for a contact by uid.
        uid: of a contact in the same mailbox, without ``urn:uuid:``; "" for an address.
    """

    name: str = ""
    address: str = ""
    uid: str = ""


class DistributionList(Struct, frozen=True):
    """A list of addresses in somebody's contacts.

    Attributes:
        name: as shown.
        members: in order; each has an address or a uid.
        uid: the vCard's.
    """

    name: str = ""
    members: tuple[Member, ...] = ()
    uid: str = ""


def name_forms(contact: Contact) -> tuple[str, ...]:
    """The ways in which programs make a shown name of a contact's fields, the fullest first.

    Never empty; (``""``,) when no field helps.
    """
    first, middle, last = contact.first, contact.middle, contact.last
    if not (first or middle or last):
        return (_stand_in(contact),)
    forms = [
        _joined(contact.title, first, middle, last, contact.suffix),
        _joined(first, middle, last, contact.suffix),
        _joined(first, middle, last),
        _joined(first, last),
        _joined(last, first),
        _joined(last, first, middle),
        _joined(contact.title, first, last),
        last + first,
    ]
    if last and first:
        forms += [f"{last}, {_joined(first, middle)}", f"{last}, {first}"]
    return tuple(forms)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _stand_in(contact: Contact) -> str:
    return (
        contact.company
        or contact.nickname
        or contact.email1.name
        or contact.email1.address
        or contact.mobile_phone
        or contact.business_phone
        or contact.home_phone
    )
