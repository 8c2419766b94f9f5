"""Who has been answered: so that nobody gets the same automatic reply twice in a period.

Spec: RFC 3834 §2 (at most one response to a sender within a period).

Notes:
    Kept in the mailbox as a state of the server's own, in the commit that sends the reply. Only
    keyed hashes of eight octets are kept: enough to know an address again, too little to read one.
    When there is no room for more, the oldest are forgotten.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.model.batch import KeepSyncState
from posthouse.model.ids import DeviceId

if TYPE_CHECKING:
    from posthouse.model.ids import MailboxId
    from posthouse.ports.records import Records

ASSISTANTS = DeviceId((1 << 48) - 1)
"""Stands for the server itself where a device keeps its state."""
_VERSION = b"\x01"
_HEAD = 9
_MARK = 8
_STATE_MAX = 64 << 10
_MARKS_MAX = (_STATE_MAX - _HEAD) // _MARK
_KEY = 1


class Answered(Struct, frozen=True):
    """Who has been answered in a period.

    Attributes:
        period: names it; not negative.
        marks: of the senders, eight octets each, oldest first.
    """

    period: int
    marks: bytes = b""

    def has(self, mark: bytes) -> bool:
        """Whether this one has been answered."""
        marks = self.marks
        at = marks.find(mark)
        while at >= 0 and at % _MARK:
            at = marks.find(mark, at + 1)
        return at >= 0

    def added(self, mark: bytes) -> Answered:
        """With one more, and without the oldest ones when there are too many."""
        return Answered(self.period, (self.marks + mark)[-_MARKS_MAX * _MARK :])

    def kept(self, collection: str) -> KeepSyncState:
        """The operation that stores it."""
        state = _VERSION + self.period.to_bytes(_HEAD - 1, "big") + self.marks
        return KeepSyncState(ASSISTANTS, collection, _KEY, state)


def mark_of(guid: bytes, sender: str) -> bytes:
    """What is kept of a sender in the mailbox of that guid."""
    local, _, domain = sender.casefold().rpartition("@")
    text = f"{local}@{domain}".encode("utf-8", "replace")
    return blake2b(text, digest_size=_MARK, key=guid).digest()


def answered_from_state(state: bytes, period: int) -> Answered:
    """Who was answered in this period; nobody, when the state tells of another or of nothing."""
    head, marks = state[:_HEAD], state[_HEAD:]
    is_ours = head == _VERSION + period.to_bytes(_HEAD - 1, "big") and not len(marks) % _MARK
    return Answered(period, marks if is_ours else b"")


async def read_answered(
    records: Records, mailbox_id: MailboxId, collection: str, period: int
) -> Answered:
    """Who was answered in this period. Raises NotFound, Unavailable."""
    states = await records.sync_states(mailbox_id, ASSISTANTS, collection)
    return answered_from_state(states[0].state if states else b"", period)
