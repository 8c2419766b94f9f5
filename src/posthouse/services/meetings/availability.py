"""Availability: when people, rooms and groups of this house have time, for who asks.

Spec: [MS-ASCMD] §2.2.1.15 (ResolveRecipients); [MS-OXWAVLS] §2.2.4 (the order of busy states).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.address import Address
from posthouse.model.appointment import Appointment, BusyStatus
from posthouse.model.errors import AccessDenied, NotFound, TooLarge
from posthouse.model.folder import FolderRole
from posthouse.model.people import PrincipalKind
from posthouse.model.rights import Rights
from posthouse.services.groupware.free_busy import WINDOW_MAX_MS, BusyTime, busy_times, merged
from posthouse.services.meetings.settings import calendar_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.ids import MailboxId
    from posthouse.model.people import Principal
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.groupware.entries import Entries
    from posthouse.services.sharing.access import Access
    from posthouse.store.store import Store

MEMBERS_MAX = 20
"""Of a group; Exchange tells of no larger one either."""
_BY_GRANT = Rights.READ_ANY | Rights.FREE_BUSY_DETAILED | Rights.OWNER
_MINUTE_MS = 60_000
_WEIGHT = "01423"
"""Digits from free to out of office, as [MS-OXWAVLS] weighs them."""


class Told(Enum):
    """How much can be told of an address."""

    BUSY_TIMES = "busy-times"
    NOBODY = "nobody"
    ELSEWHERE = "elsewhere"
    DENIED = "denied"
    TOO_MANY = "too-many"
    UNREADABLE = "unreadable"


class Availability(Struct, frozen=True):
    """When one address has no time.

    Attributes:
        address: as asked for.
        told: whether ``busy`` says anything.
        busy: in order, without overlaps; of a group: when any of its members has no time.
    """

    address: str
    told: Told
    busy: tuple[BusyTime, ...] = ()


class FreeBusy:
    """One per process."""

    __slots__ = ("_access", "_addresses", "_entries", "_store")

    def __init__(
        self, store: Store, entries: Entries, access: Access, addresses: Addresses
    ) -> None:
        self._store = store
        self._entries = entries
        self._access = access
        self._addresses = addresses

    async def of(
        self, addresses: Iterable[str], window: tuple[int, int], asker: Principal
    ) -> list[Availability]:
        """When they have no time, in the order asked for.

        Args:
            addresses: of people, rooms, shared mailboxes or groups.
            window: begin and end, ms UTC.
            asker: who wants to know.

        Raises:
            TooLarge: the window is longer than ``WINDOW_MAX_MS``.
        """
        if window[1] - window[0] > WINDOW_MAX_MS:
            raise TooLarge("free/busy of so long a time is not told at once")
        return [await self._of_one(address, window, asker) for address in addresses]

    async def _of_one(
        self, address: str, window: tuple[int, int], asker: Principal
    ) -> Availability:
        try:
            parsed = Address.parse(address)
            if not self._addresses.is_local_domain(parsed.domain):
                return Availability(address, Told.ELSEWHERE)
            mailboxes = self._mailboxes(parsed)
        except (ValueError, NotFound):
            return Availability(address, Told.NOBODY)
        except AccessDenied:
            return Availability(address, Told.TOO_MANY)
        if len(mailboxes) > MEMBERS_MAX:
            return Availability(address, Told.TOO_MANY)
        found: list[BusyTime] = []
        shown = 0
        try:
            for mailbox_id in mailboxes:
                if await self._may_see(mailbox_id, asker):
                    shown += 1
                    found += await self._busy(mailbox_id, window)
        except (NotFound, TooLarge):
            return Availability(address, Told.UNREADABLE)
        if not shown:
            return Availability(address, Told.DENIED if mailboxes else Told.NOBODY)
        return Availability(address, Told.BUSY_TIMES, tuple(_together(found, window)))

    def _mailboxes(self, address: Address) -> list[MailboxId]:
        """Whose times are asked for. Raises NotFound, AccessDenied (too large a group)."""
        owner = self._addresses.owner(address)
        if owner is not None and owner.kind is not PrincipalKind.GROUP:
            return [owner.mailbox_id]
        deliveries = self._addresses.resolve(address).deliveries
        return [one.mailbox_id for one in deliveries] if owner is not None else []

    async def _busy(self, mailbox_id: MailboxId, window: tuple[int, int]) -> Sequence[BusyTime]:
        calendar = await self._store.role_folder(mailbox_id, FolderRole.CALENDAR)
        return await busy_times(self._store, self._entries, mailbox_id, calendar.folder_id, window)

    async def _may_see(self, mailbox_id: MailboxId, asker: Principal) -> bool:
        calendar = await self._store.role_folder(mailbox_id, FolderRole.CALENDAR)
        rights = await self._access.rights(asker, mailbox_id, calendar.folder_id)
        if rights & _BY_GRANT:
            return True
        mailbox = await self._store.records.mailbox(mailbox_id)
        shows = calendar_settings(mailbox.settings).shows_free_busy
        return shows and bool(rights & Rights.FREE_BUSY_SIMPLE)


def _together(times: list[BusyTime], window: tuple[int, int]) -> list[BusyTime]:
    """Of several people: where they overlap the strongest counts."""
    taken = [
        Appointment(uid="", start_at=one.start_at, end_at=one.end_at, busy=one.busy)
        for one in times
    ]
    return merged(taken, window)


def digits_of(
    busy: Iterable[BusyTime],
    window: tuple[int, int],
    slot_minutes: int = 30,
    *,
    tells_elsewhere: bool = False,
) -> str:
    """Busy times as one digit for each slot of a window, as Exchange writes them.

    Args:
        busy: when somebody has no time.
        window: begin and end, ms UTC; a slot that is begun counts.
        slot_minutes: length of a slot, from 1.
        tells_elsewhere: "4" is working elsewhere (EWS); False: that is free (ActiveSync, where
            "4" is not known).

    Returns:
        "0" free, "1" tentative, "2" busy, "3" out of office.
    """
    from_at, to_at = window
    slot_ms = slot_minutes * _MINUTE_MS
    slots = ["0"] * max(-((from_at - to_at) // slot_ms), 0)
    for one in busy:
        if one.busy is BusyStatus.WORKING_ELSEWHERE and not tells_elsewhere:
            continue
        digit = str(int(one.busy))
        first = max((one.start_at - from_at) // slot_ms, 0)
        last = min(-((from_at - one.end_at) // slot_ms), len(slots))
        for index in range(first, last):
            slots[index] = max(slots[index], digit, key=_WEIGHT.index)
    return "".join(slots)
