"""Keeping out-of-office settings: the key ``out_of_office`` in the settings of a mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from posthouse.model.out_of_office import OofState, OutOfOffice, check_out_of_office
from posthouse.store.settings import change_settings

if TYPE_CHECKING:
    from posthouse.model.folder import Mailbox
    from posthouse.model.ids import MailboxId
    from posthouse.ports.clock import Clock
    from posthouse.store.store import Store

KEY = "out_of_office"


class OutOfOffices:
    """Reads and writes them, for every door."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def read(self, mailbox_id: MailboxId) -> OutOfOffice:
        """What has been settled. Raises NotFound."""
        return out_of_office_of((await self._store.records.mailbox(mailbox_id)).settings)

    async def write(self, mailbox_id: MailboxId, value: OutOfOffice) -> OutOfOffice:
        """Settle it; a new period begins, unless nothing changes.

        Args:
            mailbox_id: whose.
            value: its ``period_at`` does not count.

        Returns:
            What is kept.

        Raises:
            ValueError: it cannot be kept.
            NotFound: no such mailbox.
            Unavailable: not now.
        """
        check_out_of_office(value)
        kept = value

        def change(settings: dict[str, Any]) -> None:
            nonlocal kept
            before = _read(settings.get(KEY))
            kept = replace(value, period_at=before.period_at)
            if kept != before and value.state is not OofState.DISABLED:
                kept = replace(value, period_at=max(self._clock.now_ms(), before.period_at + 1))
            if kept != before:
                settings[KEY] = msgspec.to_builtins(kept)

        await change_settings(self._store.records, mailbox_id, change)
        return kept

    def is_active(self, mailbox: Mailbox, now: int) -> bool:
        """Whether a mailbox answers at this time, ms."""
        return out_of_office_of(mailbox.settings).is_active(now)


def out_of_office_of(settings: str) -> OutOfOffice:
    """What a mailbox's settings say; what cannot be read counts as not said."""
    if f'"{KEY}"' not in settings:  # nearly always
        return OutOfOffice()
    try:
        sections = msgspec.json.decode(settings, type=dict[str, Any])
    except msgspec.MsgspecError:
        return OutOfOffice()
    return _read(sections.get(KEY))


def _read(section: object) -> OutOfOffice:
    try:
        return msgspec.convert(section or {}, OutOfOffice)
    except msgspec.MsgspecError:
        return OutOfOffice()
