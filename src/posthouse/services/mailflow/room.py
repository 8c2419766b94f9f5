"""Whether a mailbox has room, asked at every RCPT.

Notes:
    The commit is what enforces a quota; this is the early word to the sender. That a mailbox has no
    quota is remembered for a second, so that the usual recipient costs the records nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import QuotaExceeded

if TYPE_CHECKING:
    from posthouse.model.ids import MailboxId
    from posthouse.ports.clock import Clock
    from posthouse.store.store import Store

_REMEMBERED_S = 1.0
_REMEMBERED_MAX = 20_000


class Room:
    """Answers for one process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._unlimited: dict[MailboxId, float] = {}

    async def check(self, mailbox_id: MailboxId, size: int) -> None:
        """Raises QuotaExceeded when the mailbox is full, or would be with ``size`` bytes more."""
        now = self._clock.monotonic_s()
        known_until = self._unlimited.get(mailbox_id)
        if known_until is not None and now < known_until:
            return
        mailbox = await self._store.records.mailbox(mailbox_id)
        quota = mailbox.quota_bytes
        if quota:
            self._unlimited.pop(mailbox_id, None)
            if mailbox.size_bytes + size > quota or mailbox.size_bytes >= quota:
                raise QuotaExceeded(f"{mailbox.size_bytes} of {quota} bytes used")
            return
        if len(self._unlimited) >= _REMEMBERED_MAX:
            self._unlimited.clear()
        self._unlimited[mailbox_id] = now + _REMEMBERED_S
