"""A leased message in the runner's hands, and its pieces on the way to destinations."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.model.changes import Hint
from posthouse.model.errors import NotFound, PosthouseError
from posthouse.model.ids import ChangeNumber, FolderId, MailboxId
from posthouse.ports.courier import Parcel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.queue import NewQueued, Queued, QueuedRecipient
    from posthouse.ports.blobs import Blobs


QUEUE_HINT = Hint(MailboxId(0), FolderId(0), ChangeNumber(0))
"""Says that something was put into the queue: no mailbox has the number 0."""


@dataclass(slots=True)
class Leased:
    """One message under way.

    Attributes:
        queued: as it was leased.
        standing: its recipients as they stand now.
        under_way: positions of recipients that some errand is out for.
        lock: one settlement at a time.
        seen_at: when the lease was last confirmed, ms.
    """

    queued: Queued
    standing: list[QueuedRecipient]
    seen_at: int
    under_way: set[int] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def message(self) -> NewQueued:
        """What was queued."""
        return self.queued.message


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """Some recipients of one message for one destination.

    Attributes:
        leased: the message.
        positions: which recipients.
        domain: of their addresses.
    """

    leased: Leased
    positions: tuple[int, ...]
    domain: str


@dataclass(slots=True)
class Lane:
    """What waits for one destination.

    Attributes:
        waiting: errands nobody works on.
        workers: how many work on others.
        moved_at: when a worker last took something up, ms.
    """

    waiting: deque[Errand] = field(default_factory=deque)
    workers: int = 0
    moved_at: int = 0


def domain_of(address: str) -> str:
    """The domain of an address as it stands in the queue."""
    return address.rpartition("@")[2].lower()


def parcel_for(leased: Leased, positions: Sequence[int], wire: memoryview) -> Parcel:
    """What the courier takes for these recipients."""
    message = leased.message
    return Parcel(
        sender=message.sender,
        recipients=tuple(leased.standing[position] for position in positions),
        prefix=message.prefix,
        wire=wire,
        size_bytes=len(message.prefix) + message.blob.size_bytes,
        envelope_id=message.envelope_id,
        wants_headers_only=message.wants_headers_only,
        needs_smtputf8=message.needs_smtputf8,
        is_8bit=message.is_8bit,
    )


def content_of(blobs: Blobs, message: NewQueued) -> memoryview | PosthouseError:
    """The stored form, or why it cannot be read."""
    try:
        return blobs.read(message.blob)
    except NotFound as error:
        return error
    except PosthouseError as error:
        return error
