"""The organisation's address book as values: what it tells of people, groups and rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from posthouse.model.ids import PrincipalId
    from posthouse.model.people import Principal, PrincipalKind

PHOTO_OCTETS_MAX = 500 * 1024


class Details(Struct, frozen=True, omit_defaults=True):
    """What the address book says of somebody besides name and addresses; "" is not known.

    Attributes:
        first_name: given name.
        last_name: family name.
        title: what they are in the organisation.
        company: its name.
        department: part of it.
        office: where to find them.
        phone: at work.
        mobile_phone: to carry about.
        home_phone: at home.
        alias: short name in the book; "" stands for the local part of the address.
        is_hidden: mail arrives, but the book does not show it.
    """

    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = ""
    department: str = ""
    office: str = ""
    phone: str = ""
    mobile_phone: str = ""
    home_phone: str = ""
    alias: str = ""
    is_hidden: bool = False

    @property
    def phones(self) -> tuple[str, ...]:
        """The numbers that are known."""
        return tuple(filter(None, (self.phone, self.mobile_phone, self.home_phone)))


class BookEntry(Struct, frozen=True):
    """One entry of the address book.

    Attributes:
        principal: who or what.
        aliases: further addresses, in order.
        details: what else is known.
        has_photo: a photo can be had.
    """

    principal: Principal
    aliases: tuple[str, ...] = ()
    details: Details = Details()
    has_photo: bool = False

    @property
    def principal_id(self) -> PrincipalId:
        """Its number."""
        return self.principal.principal_id

    @property
    def kind(self) -> PrincipalKind:
        """What it is."""
        return self.principal.kind

    @property
    def address(self) -> str:
        """Primary address."""
        return self.principal.address

    @property
    def name(self) -> str:
        """As shown to people."""
        return self.principal.name

    @property
    def alias(self) -> str:
        """Exchange's alias: a short name without domain."""
        return self.details.alias or self.principal.address.rpartition("@")[0]


class Photo(Struct, frozen=True):
    """A picture of somebody.

    Attributes:
        media_type: ``image/jpeg`` or ``image/png``.
        data: at most 500 KiB.
        changed_at: ms.
    """

    media_type: str
    data: bytes
    changed_at: int
