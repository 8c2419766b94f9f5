"""The assistants in the jobs process: which there are, and what they stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.services.assistants.follower import Follower
from posthouse.services.meetings.assistant import MeetingAssistant
from posthouse.services.meetings.calendars import Calendars
from posthouse.services.meetings.posting import Post
from posthouse.services.meetings.reading import Reader
from posthouse.services.meetings.rooms import RoomAssistant
from posthouse.services.out_of_office.assistant import OutOfOfficeAssistant

if TYPE_CHECKING:
    from posthouse.app.wiring import House
    from posthouse.services.assistants.arrival import Assistant
    from posthouse.services.assistants.follower import Pace
    from posthouse.services.mailflow.envelope import Journal
    from posthouse.store.store import Tally

RETRY_S = 1.0


def assistants(house: House, journal: Journal) -> tuple[Assistant, ...]:
    """All of them, in the order in which each arrival is shown to them."""
    store = house.store
    reader = Reader(house.directory, house.addresses)
    calendars = Calendars(store, house.clock)
    post = Post(store, house.clock, house.chance, house.config.hostname)
    return (
        RoomAssistant(store, reader, calendars, post, journal),
        MeetingAssistant(store, reader, calendars, post, journal),
        OutOfOfficeAssistant(
            store, house.addresses, house.clock, house.chance, house.config.hostname, journal
        ),
    )


def follower(house: House, journal: Journal, tally: Tally, pace: Pace | None = None) -> Follower:
    """Shows them every arrival."""
    return Follower(
        house.store,
        house.directory,
        assistants(house, journal),
        pace=pace,
        journal=journal,
        tally=tally,
    )
