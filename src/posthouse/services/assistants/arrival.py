"""Arrivals: what an assistant is shown, and what it may bring about.

Notes:
    What assistants bring about and the note that they have looked become durable together, so each
    arrival has its effects once, whatever dies when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from posthouse.formats.mime.columns import message_id_from_field
from posthouse.formats.mime.headers import first

if TYPE_CHECKING:
    from posthouse.model.batch import Operation, Precondition
    from posthouse.model.blob import StagedBlob
    from posthouse.model.folder import Mailbox
    from posthouse.model.ids import FolderId
    from posthouse.model.item import Flags, Item
    from posthouse.model.people import Principal
    from posthouse.model.queue import NewQueued
    from posthouse.ports.blobs import Blobs

DELIVERED = b"Return-Path: "
"""How the prefix of what the mailflow delivered begins; what clients file has none."""


class Arrival:
    """A message that was delivered to an Inbox.

    Attributes:
        mailbox: as it stood when the arrival was looked at, with its settings.
        principal: whose mailbox.
        folder_id: where the message lies now: Inbox, nearly always.
        item: the message.
        flags: its marks.
    """

    __slots__ = ("_blobs", "_plain", "flags", "folder_id", "item", "mailbox", "principal")

    def __init__(
        self,
        mailbox: Mailbox,
        principal: Principal,
        folder_id: FolderId,
        item: Item,
        flags: Flags,
        blobs: Blobs,
    ) -> None:
        self.mailbox = mailbox
        self.principal = principal
        self.folder_id = folder_id
        self.item = item
        self.flags = flags
        self._blobs = blobs
        self._plain: bytes | None = None

    def plain(self) -> bytes:
        """The content without this recipient's prefix; read once. Raises NotFound, Unavailable."""
        if self._plain is None:
            blob = self.item.blob
            self._plain = b"" if blob is None else self._blobs.read_plain(blob)
        return self._plain

    def beginning(self, bytes_max: int) -> bytes:
        """The first bytes of the stored form: a cheap look at what it may hold. Raises as plain."""
        blob = self.item.blob
        return b"" if blob is None else bytes(self._blobs.read(blob)[:bytes_max])

    @property
    def envelope_sender(self) -> str:
        """MAIL FROM; "" is the null sender."""
        return message_id_from_field(first(self.item.prefix, b"return-path") or b"")


class Outcome(Struct, frozen=True):
    """What an arrival brings about, in the commit that notes it as seen.

    Attributes:
        operations: on the arrival's mailbox; none refers to another by ``Made``.
        preconditions: of what was read for it: when one fails, the arrival is looked at again.
        queued: mail to be sent; the queue delivers to our own domains too.
        blobs: content that ``operations`` and ``queued`` refer to.
    """

    operations: tuple[Operation, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    queued: tuple[NewQueued, ...] = ()
    blobs: tuple[StagedBlob, ...] = ()


class Assistant(Protocol):
    """Looks at arrivals.

    Attributes:
        name: for the log.
    """

    name: str

    async def attend(self, arrival: Arrival) -> Outcome | None:
        """Say what shall come of an arrival; it may be asked again about the same one.

        Returns:
            None: nothing. Then, after a crash, the arrival may be shown again.

        Raises:
            Conflict: what it read was changing; the arrival is shown again at once.
            Unavailable: not now; the arrival is shown again later.
            Exception: any other is logged, and the arrival is passed over.
        """
        ...
