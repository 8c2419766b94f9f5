"""Slots: which property of a card is which field of a contact.

Spec: RFC 6350 §6; RFC 2426 §3; RFC 4770 §1 (IMPP).

Notes:
    A vCard has any number of telephones, an Exchange client one of a kind. The preferred one comes
    first, then the order of the card; what finds its slot taken stays in the card, unseen. Where
    that order would not say what a client chose (a second address without a first), a parameter of
    ours does: ``X-POSTHOUSE-SLOT`` with the slot's name, or ``more`` for what is in none.
    Apple names what has no property by a label in the same group (``item1.X-ABLabel``); that is
    how new relations and anniversaries are written, since most programs read it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.formats.vcard.codecs import (
    AddressCodec,
    DateCodec,
    EmailCodec,
    ImCodec,
    ListCodec,
    PhoneCodec,
    PhotoCodec,
    StructureCodec,
    TextCodec,
    UriCodec,
)
from posthouse.formats.vcard.values import escaped_text
from posthouse.model.contact import EmailAddress, PostalAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from posthouse.formats.vcard.codecs import Codec, FieldValue
    from posthouse.formats.vcard.lines import Line, Version

MARKER = "X-POSTHOUSE-SLOT"
MORE = "more"
LABEL = "X-ABLABEL"
_BUILT_IN_LABEL = re.compile(r"_\$!<(.*)>!\$_", re.DOTALL)
_EMPTY = ("", None, EmailAddress(), PostalAddress())
_PREF_LAST = 101


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one property.

    Attributes:
        name: of the slot, and of the field when it has one.
        family: only properties of the same family can be marked as this slot.
        codec: between value and fields.
        label: of a new property: name as written.
        types: of a new property.
        fields: of the contact, in the codec's order.
        ab_label: Apple's label of a new property ("" none).
    """

    name: str
    family: str
    codec: Codec
    label: bytes
    types: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    ab_label: str = ""


def _slot(
    name: str, family: str, codec: Codec, types: str = "", *, label: str = "", ab_label: str = ""
) -> Slot:
    written = (label or family).encode()
    return Slot(name, family, codec, written, tuple(types.split()), (name,), ab_label)


_TEXT, _URI, _PHONE, _ADDRESS = TextCodec(), UriCodec(), PhoneCodec(), AddressCodec()
_EMAIL, _IM, _DATE = EmailCodec(), ImCodec(), DateCodec()

SLOTS: tuple[Slot, ...] = (
    Slot(
        "n",
        "N",
        StructureCodec(5),
        b"N",
        fields=("last", "first", "middle", "title", "suffix"),
    ),
    _slot("file_as", "X-EVOLUTION-FILE-AS", _TEXT),
    _slot("nickname", "NICKNAME", ListCodec()),
    _slot("phonetic_first", "X-PHONETIC-FIRST-NAME", _TEXT),
    _slot("phonetic_last", "X-PHONETIC-LAST-NAME", _TEXT),
    _slot("phonetic_company", "X-PHONETIC-ORG", _TEXT),
    Slot("org", "ORG", StructureCodec(2), b"ORG", fields=("company", "department")),
    _slot("job_title", "TITLE", _TEXT),
    _slot("office_location", "X-POSTHOUSE-OFFICE-LOCATION", _TEXT),
    _slot("email1", "EMAIL", _EMAIL, "INTERNET"),
    _slot("email2", "EMAIL", _EMAIL, "INTERNET"),
    _slot("email3", "EMAIL", _EMAIL, "INTERNET"),
    _slot("business_phone", "TEL", _PHONE, "WORK VOICE"),
    _slot("business2_phone", "TEL", _PHONE, "WORK VOICE"),
    _slot("home_phone", "TEL", _PHONE, "HOME VOICE"),
    _slot("home2_phone", "TEL", _PHONE, "HOME VOICE"),
    _slot("mobile_phone", "TEL", _PHONE, "CELL VOICE"),
    _slot("pager", "TEL", _PHONE, "PAGER"),
    _slot("car_phone", "TEL", _PHONE, "CAR"),
    _slot("radio_phone", "TEL", _PHONE, "X-RADIO"),
    _slot("assistant_phone", "TEL", _PHONE, "X-ASSISTANT"),
    _slot("company_main_phone", "TEL", _PHONE, "WORK MAIN"),
    _slot("business_fax", "TEL", _PHONE, "WORK FAX"),
    _slot("home_fax", "TEL", _PHONE, "HOME FAX"),
    _slot("other_phone", "TEL", _PHONE, "VOICE"),
    _slot("mms", "TEL", _PHONE, "X-MMS"),
    _slot("im1", "IMPP", _IM),
    _slot("im2", "IMPP", _IM),
    _slot("im3", "IMPP", _IM),
    _slot("business_address", "ADR", _ADDRESS, "WORK"),
    _slot("home_address", "ADR", _ADDRESS, "HOME"),
    _slot("other_address", "ADR", _ADDRESS),
    _slot("web_page", "URL", _URI),
    _slot("birthday", "BDAY", _DATE),
    _slot("anniversary", "ANNIVERSARY", _DATE, label="X-ABDATE", ab_label="Anniversary"),
    _slot("manager", "RELATED", _TEXT, label="X-ABRELATEDNAMES", ab_label="Manager"),
    _slot("assistant", "RELATED", _TEXT, label="X-ABRELATEDNAMES", ab_label="Assistant"),
    _slot("spouse", "RELATED", _TEXT, label="X-ABRELATEDNAMES", ab_label="Spouse"),
    _slot("body", "NOTE", _TEXT),
    _slot("customer_id", "X-POSTHOUSE-CUSTOMER-ID", _TEXT),
    _slot("government_id", "X-POSTHOUSE-GOVERNMENT-ID", _TEXT),
    _slot("account_name", "X-POSTHOUSE-ACCOUNT-NAME", _TEXT),
    _slot("photo", "PHOTO", PhotoCodec()),
    _slot("uid", "UID", _TEXT),
)
SLOT = {slot.name: slot for slot in SLOTS}
CHILD = _slot("child", "RELATED", _TEXT, label="X-ABRELATEDNAMES", ab_label="Child")

_IMS = ("im1", "im2", "im3")
_BY_NAME: dict[str, tuple[str, ...]] = {
    **{slot.family: (slot.name,) for slot in SLOTS},
    "EMAIL": ("email1", "email2", "email3"),
    **dict.fromkeys(("IMPP", "X-MS-IMADDRESS", "X-AIM", "X-JABBER", "X-SKYPE", "X-MSN"), _IMS),
    **dict.fromkeys(("X-SKYPE-USERNAME", "X-ICQ", "X-YAHOO", "X-GOOGLE-TALK", "X-GTALK"), _IMS),
    "X-PHONETIC-COMPANY-NAME": ("phonetic_company",),
    "X-KADDRESSBOOK-X-OFFICE": ("office_location",),
    "X-ANNIVERSARY": ("anniversary",),
    "X-EVOLUTION-ANNIVERSARY": ("anniversary",),
    "X-MS-ANNIVERSARY": ("anniversary",),
    "X-KADDRESSBOOK-X-ANNIVERSARY": ("anniversary",),
    **{
        name.format(relation): (slot,)
        for slot, relation in (
            ("manager", "MANAGER"),
            ("assistant", "ASSISTANT"),
            ("spouse", "SPOUSE"),
        )
        for name in ("X-{}", "X-MS-{}", "X-EVOLUTION-{}", "X-KADDRESSBOOK-X-{}SNAME")
    },
    "X-MS-CHILD": ("child",),
}
_BY_LABEL: dict[str, dict[str, tuple[str, ...]]] = {
    "X-ABDATE": {"ANNIVERSARY": ("anniversary",)},
    "X-ABRELATEDNAMES": {
        "MANAGER": ("manager",),
        "ASSISTANT": ("assistant",),
        "SPOUSE": ("spouse",),
        "CHILD": ("child",),
    },
}
# The first row that has one of a telephone's types decides.
_PHONES: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset({"PAGER"}), ("pager",)),
    (frozenset({"CAR"}), ("car_phone",)),
    (frozenset({"X-RADIO", "RADIO", "X-EVOLUTION-RADIO"}), ("radio_phone",)),
    (frozenset({"X-ASSISTANT", "ASSISTANT", "X-EVOLUTION-ASSISTANT"}), ("assistant_phone",)),
    (frozenset({"X-MMS", "MMS"}), ("mms",)),
    (frozenset({"MAIN", "COMPANY", "X-EVOLUTION-COMPANY"}), ("company_main_phone",)),
    (frozenset({"CELL", "MOBILE", "IPHONE"}), ("mobile_phone",)),
    (frozenset({"WORK"}), ("business_phone", "business2_phone")),
    (frozenset({"HOME"}), ("home_phone", "home2_phone")),
)


def labels_of(lines: Iterable[Line]) -> dict[str, str]:
    """Apple's labels by group, upper case, without the signs around those built in."""
    labels: dict[str, str] = {}
    for line in lines:
        if line.name == LABEL and line.group:
            text = escaped_text(line).strip()
            found = _BUILT_IN_LABEL.fullmatch(text)
            labels.setdefault(line.group, (found[1] if found else text).upper())
    return labels


def natural(line: Line, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The slots that a property would fill by itself, the first free one; () for none."""
    name = line.name
    if name in {"TEL", "X-MS-TEL"}:
        return _phone_slots(line.types | {labels.get(line.group, "")})
    if name == "ADR":
        return (address_slot(line, labels),)
    if name in _BY_LABEL:
        return _BY_LABEL[name].get(labels.get(line.group, ""), ())
    if name == "RELATED":
        return _relation_slots(line)
    return _BY_NAME.get(name, ())


def _phone_slots(types: frozenset[str]) -> tuple[str, ...]:
    if "FAX" in types:
        return ("home_fax" if "HOME" in types and "WORK" not in types else "business_fax",)
    for row, slots in _PHONES:
        if row & types:
            return slots
    return ("other_phone",)


def address_slot(line: Line, labels: Mapping[str, str]) -> str:
    """The slot of a postal address, by its types."""
    types = line.types | {labels.get(line.group, "")}
    if "WORK" in types:
        return "business_address"
    return "home_address" if "HOME" in types else "other_address"


def _relation_slots(line: Line) -> tuple[str, ...]:
    """Of RELATED, which is a link unless it says that it is text."""
    if line.param("VALUE").upper() != "TEXT":
        return ()
    if "SPOUSE" in line.types:
        return ("spouse",)
    return ("child",) if "CHILD" in line.types else ()


def is_blank(line: Line, slot: Slot, version: Version) -> bool:
    """Whether the property says nothing that the model knows."""
    return is_empty(slot.codec.read(line, version))


def is_empty(fields: Sequence[FieldValue]) -> bool:
    """Whether all fields are empty."""
    return all(field in _EMPTY for field in fields)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is where.

    Attributes:
        lines: of each filled slot, the line's key; blank ones too, where nothing better is there.
        told: keys of all lines that say something and are in a slot or could be.
        children: keys of the lines that are children's names, in order.
    """

    lines: dict[str, int]
    told: frozenset[int]
    children: tuple[int, ...]


def assign(lines: Sequence[tuple[int, Line]], version: Version) -> Assignment:
    """Find the property of each slot.

    Args:
        lines: with their keys, in the order of the card.
        version: of the card.
    """
    labels = labels_of(line for _, line in lines)
    filled: dict[str, int] = {}
    told: set[int] = set()
    children: list[int] = []
    # What is preferred comes before the rest, what says nothing behind it.
    waiting: list[tuple[bool, int, int, int, tuple[str, ...]]] = []
    for order, (key, line) in enumerate(lines):
        candidates = natural(line, labels)
        if not candidates:
            continue
        if candidates == (CHILD.name,):
            children += [] if is_blank(line, CHILD, version) else [key]
            continue
        marked = line.param(MARKER).lower()
        slot = SLOT[candidates[0]]
        blank = is_blank(line, slot, version)
        if not blank:
            told.add(key)
        if marked in SLOT and SLOT[marked].family == slot.family and marked not in filled:
            filled[marked] = key
        elif marked != MORE:
            waiting.append((blank, _preference(line), order, key, candidates))
    for _, _, _, key, candidates in sorted(waiting):
        free = next((name for name in candidates if name not in filled), None)
        if free:
            filled[free] = key
    return Assignment(filled, frozenset(told), tuple(children))


def _preference(line: Line) -> int:
    """1 to 100, the most preferred first; 101 for what names none."""
    pref = line.param("PREF")
    if pref.isdecimal() and len(pref) <= 3:
        return int(pref)
    return 1 if "PREF" in line.types else _PREF_LAST
