"""The ActiveSync door: what it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.app.devices import device_rules
from posthouse.protocols.eas.server import EasDoor
from posthouse.protocols.eas.session import EasLimits, EasServices
from posthouse.services.cards.rendering import Cards
from posthouse.services.devices.partnerships import Partnerships
from posthouse.services.groupware.entries import Entries
from posthouse.services.mailflow.outgoing import Outgoing
from posthouse.services.meetings.meetings import Meetings
from posthouse.services.out_of_office.keeping import OutOfOffices

if TYPE_CHECKING:
    from posthouse.app.wiring import House
    from posthouse.runtime.logs import Log
    from posthouse.services.mailflow.accept import Mailflow
    from posthouse.services.mailflow.rates import SendingRates
    from posthouse.services.search.search import Finds


def activesync_door(
    house: House, mailflow: Mailflow, search: Finds, rates: SendingRates, log: Log
) -> EasDoor:
    """One per worker."""
    config, store, clock, chance = house.config, house.store, house.clock, house.chance
    entries = Entries(store, clock, chance, config.hostname)
    meetings = Meetings(
        store,
        entries,
        mailflow,
        house.directory,
        house.addresses,
        access=house.access,
        chance=chance,
        hostname=config.hostname,
    )
    services = EasServices(
        store=store,
        entries=entries,
        cards=Cards(store),
        access=house.access,
        partnerships=Partnerships(house.directory, clock, chance, device_rules(config)),
        outgoing=Outgoing(store, mailflow, house.addresses, rates),
        meetings=meetings,
        out_of_offices=OutOfOffices(store, clock),
        logins=house.logins,
        directory=house.directory,
        addresses=house.addresses,
        address_book=house.address_book,
        search=search,
        clock=clock,
        chance=chance,
        log=log,
        limits=EasLimits(
            message_bytes=config.limits.message_size_max,
            wants_tls=not config.allow_plaintext_auth,
        ),
    )
    return EasDoor(services)
