"""Whose mailbox a collection is of.

Spec: [MS-ASCAL] v23 §2.2.2.33 (OrganizerEmail).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.protocols.eas.wire.calendar_values import Owner
from posthouse.services.meetings.meetings import Actor

if TYPE_CHECKING:
    from posthouse.model.people import Principal
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call


def principal_of(call: Call, collection: Collection) -> Principal:
    """Whose it is."""
    if collection.is_own:
        return call.principal
    return call.services.directory.by_mailbox(collection.mailbox_id) or call.principal


def owner_of(call: Call, collection: Collection) -> Owner:
    """The same, as views need it."""
    principal = principal_of(call, collection)
    aliases = call.services.directory.aliases(principal.principal_id)
    return Owner(principal.address, principal.name, tuple(aliases))


def actor_of(call: Call, collection: Collection) -> Actor:
    """Who acts in the collection's mailbox."""
    principal = principal_of(call, collection)
    return Actor(
        call.login,
        collection.mailbox_id,
        principal.address,
        principal.name,
        call.head.session_id,
    )
