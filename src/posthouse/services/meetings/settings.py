"""What mailboxes say about meetings: the keys ``calendar`` and ``booking`` of their settings."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

S = TypeVar("S", bound=Struct)


class CalendarSettings(Struct, frozen=True):
    """Key ``calendar``, of people and shared mailboxes.

    Attributes:
        auto_process: invitations, updates, cancellations and answers enter the calendar by
            themselves.
        delegates: addresses that get a copy of the mail about meetings.
        delegates_only: and the owner does not: it goes to Deleted Items.
        reminder_minutes: before what invitations ask to, but for whole days; None: no reminder.
        shows_free_busy: everybody here may ask when the owner has time; False: only who was
            granted more than that.
    """

    auto_process: bool = True
    delegates: tuple[str, ...] = ()
    delegates_only: bool = False
    reminder_minutes: int | None = 15
    shows_free_busy: bool = True


class BookingSettings(Struct, frozen=True):
    """Key ``booking``, of rooms.

    Attributes:
        auto: the room answers by itself; False: its calendar is kept as a person's.
        window_days: so far ahead it may be booked.
        max_minutes: so long.
        allow_conflicts: it may be booked twice for the same time.
        allow_recurring: series may book it.
        external: people from elsewhere may book it.
    """

    auto: bool = True
    window_days: int = 180
    max_minutes: int = 1_440
    allow_conflicts: bool = False
    allow_recurring: bool = True
    external: bool = False


def calendar_settings(settings: str) -> CalendarSettings:
    """Of a mailbox's settings; what cannot be read counts as not said."""
    return _section(settings, "calendar", CalendarSettings)


def booking_settings(settings: str) -> BookingSettings:
    """The same of a room's."""
    return _section(settings, "booking", BookingSettings)


def _section(settings: str, name: str, kind: type[S]) -> S:
    try:
        sections = msgspec.json.decode(settings or "{}", type=dict[str, Raw])
        return msgspec.json.decode(sections.get(name, b"{}"), type=kind)
    except msgspec.MsgspecError:
        return kind()
