"""Whose an address is, as rules and replies ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.model.people import Principal
    from posthouse.services.directory.addresses import Addresses


def is_address_of(addresses: Addresses, owner: Principal) -> Callable[[str], bool]:
    """Tells whether an address leads to this principal itself: its own, an alias, with a detail.

    One of a group that the principal is in does not.
    """

    def answer(text: str) -> bool:
        try:
            found = addresses.owner(Address.parse(text))
        except ValueError:
            return False
        return found is not None and found.principal_id == owner.principal_id

    return answer
