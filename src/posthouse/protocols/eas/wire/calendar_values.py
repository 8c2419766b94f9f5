"""What reading and writing appointments stand on: whose mailbox it is, values that are no text.

Spec: [MS-ASCAL] v23 §2.2.2; [MS-ASDTYPE] v20 §2.1 (boolean), §2.8 (unsignedByte).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.fields import Told

if TYPE_CHECKING:
    from collections.abc import Collection

    from posthouse.protocols.eas.wire.element import Element
    from posthouse.protocols.eas.wire.options import Version

_DIGITS_MAX = 10
_Kind = TypeVar("_Kind", bound=IntEnum)

Changes = dict[str, Any]
"""Fields of an appointment and their new values."""


class Owner(Struct, frozen=True):
    """Whose mailbox it is.

    Attributes:
        address: that others know.
        name: for people to read.
        aliases: other addresses of the same mailbox.
    """

    address: str
    name: str = ""
    aliases: tuple[str, ...] = ()

    def is_at(self, address: str) -> bool:
        """Whether that is an address of this mailbox."""
        wanted = address.lower()
        return any(one.lower() == wanted for one in (self.address, *self.aliases))


class Reading(Struct, frozen=True):
    """How what a client sent is meant.

    Attributes:
        version: spoken.
        owner: of the mailbox.
        is_partial: what is absent is unchanged. Else it is cleared.
        supported: without ``is_partial``: tags of Calendar that are cleared by being absent; None:
            all.
    """

    version: Version
    owner: Owner
    is_partial: bool = True
    supported: Collection[str] | None = None

    def told(self, data: Element) -> Told:
        """What one ApplicationData says."""
        return Told(data, is_partial=self.is_partial, supported=self.supported)


def number_in(element: Element) -> int:
    """A number from 0.

    Raises:
        RemoteProtocolError: it is none, or has more than ten digits (hint ``content``).
    """
    text = element.text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise RemoteProtocolError(f"{element.name} is no number", "content")
    return int(text)


def flag_in(element: Element) -> bool:
    """A boolean; nothing is false.

    Raises:
        RemoteProtocolError: it is neither true nor false (hint ``content``).
    """
    text = element.text.strip().lower()
    if text not in ("0", "1", "true", "false", ""):
        raise RemoteProtocolError(f"{element.name} is neither true nor false", "content")
    return text in ("1", "true")


def flag_of(data: Element, name: str, *, default: bool = False) -> bool:
    """The boolean in a child of this name; ``default`` where there is none, or nothing in it.

    Raises:
        RemoteProtocolError: as ``flag_in``.
    """
    element = data.child(name)
    return default if element is None or not element.text.strip() else flag_in(element)


def enumerated(kind: type[_Kind], element: Element | None, default: _Kind) -> _Kind:
    """One of the values of an enumeration; ``default`` where nothing is told.

    Raises:
        RemoteProtocolError: it is none of them (hint ``content``).
    """
    if element is None or not element.text.strip():
        return default
    number = number_in(element)
    try:
        return kind(number)
    except ValueError as e:
        raise RemoteProtocolError(f"{element.name} has no value {number}", "content") from e
