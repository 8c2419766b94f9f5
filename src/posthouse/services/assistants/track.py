"""Tracks: how far the assistants have come in a mailbox, kept in the mailbox itself.

Notes:
    The position is a uid, since uids of a folder grow with every coming. The change number beside
    it is for what came and went before anybody looked: only tombstones tell of that.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from posthouse.model.batch import KeepSyncState
from posthouse.model.ids import ChangeNumber, DeviceId, ItemId, Uid

ASSISTANTS = DeviceId((1 << 48) - 1)
"""Stands for the server's own assistants where a device keeps its state."""
COLLECTION = "assistants"


class Track(Struct, frozen=True):
    """A position.

    Attributes:
        guid: of the mailbox, hex: after a restore the position means nothing.
        uid_validity: of the Inbox.
        uid: the last one looked at.
        item_id: the greatest number of an arrival so far; lesser ones are old.
        cn: up to here the Inbox's tombstones are known.
        key: generation of the stored state; 0: nothing is stored yet.
    """

    guid: str
    uid_validity: int
    uid: Uid = Uid(0)
    item_id: ItemId = ItemId(0)
    cn: ChangeNumber = ChangeNumber(0)
    key: int = 0

    def kept(self) -> KeepSyncState:
        """The operation that stores it."""
        return KeepSyncState(ASSISTANTS, COLLECTION, self.key, msgspec.json.encode(self))


def track_from_state(state: bytes) -> Track | None:
    """Read what ``kept`` stored; None for anything else."""
    try:
        return msgspec.json.decode(state, type=Track)
    except msgspec.MsgspecError:
        return None
