"""Reading an arrival as mail about meetings: what it tells, to whom, and whom it may speak for.

Spec: RFC 6047 §3 (the sender has to be who the calendar says); RFC 5545 §3.2.18 (SENT-BY).

Notes:
    - A mail speaks for the addresses in From and for its envelope's sender; besides these for
      those of ours that let one of them send as, or on behalf of, them.
    - For people elsewhere a secretary is believed where SENT-BY says so and both are of the same
      domain.
    - Open: who may write From is not judged yet (DKIM, SPF, DMARC).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.formats.ical.appointment import series_from_document
from posthouse.formats.ical.lines import document_from_bytes
from posthouse.formats.ical.people import attendee_from_property
from posthouse.formats.ical.values import address_from_value
from posthouse.formats.mime.headers import first
from posthouse.model.address import Address
from posthouse.services.meetings.calendar_part import (
    LOOKED_AT_BYTES,
    authors,
    may_hold_calendar,
    scheduling_messages,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.people import Principal
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.services.assistants.arrival import Arrival
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.meetings.document import Told

_PEOPLE_MAX = 500
_ANSWERS = ("REPLY", "COUNTER", "REFRESH")
PASSED_ON = b"x-posthouse-meeting-for"
"""A header line of ours on copies for delegates: the meeting is somebody else's."""


class Reading(Struct, frozen=True):
    """Mail about a meeting.

    Attributes:
        told: what it tells; at least one message.
        own: addresses of the mailbox's owner, lower case.
        senders: who sent it, and whom it may speak for, lower case.
        is_passed_on: a copy for a delegate.
    """

    told: tuple[Told, ...]
    own: frozenset[str]
    senders: frozenset[str]
    is_passed_on: bool


class Reader:
    """One per process."""

    __slots__ = ("_addresses", "_directory")

    def __init__(self, directory: DirectoryRecords, addresses: Addresses) -> None:
        self._directory = directory
        self._addresses = addresses

    def read(self, arrival: Arrival) -> Reading | None:
        """None: it is about no meeting.

        Raises:
            ParserFailed: it holds a calendar that nobody can read.
            TooLarge: one that passes a limit.
        """
        if not may_hold_calendar(arrival.beginning(LOOKED_AT_BYTES)):
            return None
        plain = arrival.plain()
        told = scheduling_messages(plain)
        if not told:
            return None
        senders = {arrival.envelope_sender.lower(), *authors(plain)} - {""}
        passed_on = first(arrival.item.prefix, PASSED_ON) is not None
        own = self.own(arrival.principal, _people(told[0]))
        return Reading(tuple(told), own, self._speaks_for(told[0], senders), passed_on)

    def own(self, principal: Principal, people: Iterable[str] = ()) -> frozenset[str]:
        """The addresses of somebody, lower case; ``people``: addresses that may be such."""
        found = {principal.address, *self._directory.aliases(principal.principal_id)}
        for one in people:
            owner = self.owner(one)
            if owner is not None and owner.principal_id == principal.principal_id:
                found.add(one.lower())
        return frozenset(found)

    def owner(self, address: str) -> Principal | None:
        """Whose address it is; None: nobody's here."""
        try:
            return self._addresses.owner(Address.parse(address))
        except ValueError:
            return None

    def _speaks_for(self, told: Told, senders: set[str]) -> frozenset[str]:
        message = told.message
        said = message.attendees[:20] if message.method in _ANSWERS else ()
        named = [one.address for one in (*said, message.organizer) if one is not None]
        secretaries = _secretaries(told)
        found = set(senders)
        for one in named:
            secretary = secretaries.get(one.lower(), "")
            if any(self._lets(one, sender, secretary) for sender in senders):
                found.add(one.lower())
        return frozenset(found)

    def _lets(self, address: str, sender: str, secretary: str) -> bool:
        """Whether somebody lets a sender speak for them."""
        try:
            theirs, his = Address.parse(address), Address.parse(sender)
        except ValueError:
            return False
        if self._addresses.is_local_domain(theirs.domain):
            owner = self._addresses.owner(his)
            return owner is not None and bool(self._addresses.send_right(owner, theirs))
        return secretary == sender and theirs.domain == his.domain


def _people(told: Told) -> list[str]:
    message = told.message
    asked = [one.address for one in message.attendees[:_PEOPLE_MAX]]
    return [*asked, message.organizer.address] if message.organizer else asked


def _secretaries(told: Told) -> dict[str, str]:
    """SENT-BY by address, both lower case."""
    master = series_from_document(document_from_bytes(told.data)).master
    found: dict[str, str] = {}
    for name in ("ATTENDEE", "ORGANIZER"):
        for prop in master.properties(name)[:_PEOPLE_MAX]:
            if by := prop.parameter("SENT-BY"):
                whose = attendee_from_property(prop).address.lower()
                found[whose] = address_from_value(by).lower()
    return found
