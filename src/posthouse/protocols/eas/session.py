"""A request with all it stands on.

Spec: [MS-ASHTTP] v22 §2.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.ids import DeviceId, MailboxId
    from posthouse.model.partnership import Partnership
    from posthouse.model.people import Login, Principal
    from posthouse.ports.clock import Chance, Clock
    from posthouse.ports.directory import DirectoryRecords
    from posthouse.protocols.eas.wire.options import Version
    from posthouse.protocols.eas.wire.request_line import RequestLine
    from posthouse.runtime.http import Head
    from posthouse.runtime.logs import Log
    from posthouse.services.cards.rendering import Cards
    from posthouse.services.devices.partnerships import Partnerships
    from posthouse.services.directory.address_book import AddressBook
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.directory.login import Logins
    from posthouse.services.groupware.entries import Entries
    from posthouse.services.mailflow.outgoing import Outgoing
    from posthouse.services.meetings.meetings import Meetings
    from posthouse.services.out_of_office.keeping import OutOfOffices
    from posthouse.services.search.search import Finds
    from posthouse.services.sharing.access import Access
    from posthouse.store.store import Store


@dataclass(frozen=True, slots=True)
class EasLimits:
    """What a device may ask for.

    Attributes:
        message_bytes: of a message sent or a body read.
        collections: of one request.
        commands: of one request, all collections together.
        answer_bytes: about so much of items in one answer; one item always fits.
        heartbeat_min_s: of waiting requests.
        heartbeat_max_s: the same.
        wants_tls: nothing is said without.
    """

    message_bytes: int = 50 << 20
    collections: int = 300
    commands: int = 1_000
    answer_bytes: int = 4 << 20
    heartbeat_min_s: int = 60
    heartbeat_max_s: int = 3_540
    wants_tls: bool = True


@dataclass(frozen=True, slots=True)
class EasServices:
    """What the door stands on."""

    store: Store
    entries: Entries
    cards: Cards
    access: Access
    partnerships: Partnerships
    outgoing: Outgoing
    meetings: Meetings
    out_of_offices: OutOfOffices
    logins: Logins
    directory: DirectoryRecords
    addresses: Addresses
    address_book: AddressBook
    search: Finds
    clock: Clock
    chance: Chance
    log: Log
    limits: EasLimits


@dataclass(slots=True)
class Call:
    """One request.

    Attributes:
        services: what the door stands on.
        head: the request's head.
        line: what its address says.
        login: who asks.
        version: spoken.
        partnership: between the person and the device.
    """

    services: EasServices
    head: Head
    line: RequestLine
    login: Login
    version: Version
    partnership: Partnership

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.login.principal

    @property
    def mailbox_id(self) -> MailboxId:
        """Of who asks."""
        return self.login.principal.mailbox_id

    @property
    def device_number(self) -> DeviceId:
        """Under which the device's states are kept."""
        return self.partnership.device_number

    @property
    def policy_key(self) -> int | None:
        """As the device says it; None: not said, or 0."""
        return self.line.policy_key or None
