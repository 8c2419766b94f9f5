"""Where a device stands: what lies behind its SyncKeys.

Spec: [MS-ASCMD] §2.2.3.181 (SyncKey), §3.1.5.3 (synchronising).

Notes:
    A key is a number and a generation that counts up. The number is random at first, then a digest
    of the state: of two answers given at once to the same request, only the key of the one that
    was kept is good, unless they say the same. The server keeps the states of the last two
    generations, so a request whose answer was lost is answered again. Newest items are sent first:
    the folder is listed from its highest uid down (``listed_uid``), while what changes meanwhile
    waits in the change log behind ``since``.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.errors import InvalidSyncPoint
from posthouse.protocols.eas.wire.sync import SyncOptions

START: Final = "0"
_FORM: Final = re.compile(r"([0-9]{1,10})\.([0-9]{1,12})", re.ASCII)
_UNPACKED_MAX: Final = 1 << 20


class Key(Struct, frozen=True):
    """A SyncKey that is not 0.

    Attributes:
        series: chosen at random when a device begins anew, then a digest; below 2^32.
        generation: from 1.
    """

    series: int
    generation: int

    @property
    def text(self) -> str:
        """As clients see it."""
        return f"{self.series}.{self.generation}"

    @property
    def next(self) -> Key:
        """The one after it."""
        return Key(self.series, self.generation + 1)


def key_from_text(text: str) -> Key:
    """Read a SyncKey. Raises InvalidSyncPoint."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidSyncPoint("no key of ours")
    return Key(int(match[1]), int(match[2]))


class CollectionState(Struct, frozen=True, array_like=True):
    """Where a device stands in one collection.

    Attributes:
        series: of the key.
        guid: of the mailbox; of another one all is void.
        since: all that befell the device's items up to this change number has been told.
        base: what was changed after it may have been passed over: the log shows only the last.
        top_uid: items from this uid on are not on the device, but for those in ``echoes``.
        listed_uid: items below this uid are still to be listed; 0: none.
        listed_before_at: only what is older than this is still to be listed, ms; 0: all.
        cutoff_at: what is older is not on the device, ms; 0: nothing is too old.
        outdated_id: of what is just as old, items up to this one are not on the device either.
        options: as last sent.
        window: items at a time, as last sent.
        echoes: item -> change number that the device itself brought about, or was told of ahead of
            its turn; or see GONE_BY_DEVICE, NOT_AS_SENT.
        own: those of them that the request before this generation brought about.
        tries: how often this generation was asked for.
        skipped: items that the device could not take.
        supported: see CollectionAsked.
    """

    series: int
    guid: bytes
    since: int = 0
    base: int = 0
    top_uid: int = 1
    listed_uid: int = 0
    listed_before_at: int = 0
    cutoff_at: int = 0
    outdated_id: int = 0
    options: SyncOptions = SyncOptions()
    window: int = 0
    echoes: dict[int, int] = {}
    own: dict[int, int] = {}
    tries: int = 0
    skipped: tuple[int, ...] = ()
    supported: tuple[str, ...] | None = None


class FolderShown(Struct, frozen=True, array_like=True):
    """A folder as a device has it.

    Attributes:
        server_id: its name on the wire.
        parent_id: of the folder above; "0" none.
        name: as shown.
        kind: the Type of [MS-ASCMD] §2.2.3.186.3.
    """

    server_id: str
    parent_id: str
    name: str
    kind: int


class HierarchyState(Struct, frozen=True, array_like=True):
    """Which folders a device has.

    Attributes:
        series: of the key.
        folders: in order of server_id.
    """

    series: int
    folders: tuple[FolderShown, ...] = ()


class WatchState(Struct, frozen=True, array_like=True):
    """What a device last asked to be told of: for requests that do not say it again.

    Attributes:
        heartbeat_s: of Ping; 0 not said.
        folders: (server_id, class) of Ping.
        collections: (id, SyncKey) of the last Sync, as they were asked for.
        wait_s: of the last Sync; None: it did not wait.
        window: of the last Sync.
    """

    heartbeat_s: int = 0
    folders: tuple[tuple[str, str], ...] = ()
    collections: tuple[tuple[str, str], ...] = ()
    wait_s: int | None = None
    window: int = 0


_COLLECTION = msgspec.msgpack.Decoder(CollectionState)
_HIERARCHY = msgspec.msgpack.Decoder(HierarchyState)
_WATCH = msgspec.msgpack.Decoder(WatchState)
_ENCODER = msgspec.msgpack.Encoder()


def key_after(key: Key, state: CollectionState) -> tuple[Key, CollectionState]:
    """The next key, which stands for this state, and the state as it is kept behind it."""
    digest = hashlib.sha256(_ENCODER.encode(replace(state, tries=0))).digest()
    series = int.from_bytes(digest[:4], "big")
    return Key(series, key.generation + 1), replace(state, series=series)


def octets_from_state(state: CollectionState | WatchState) -> bytes:
    """For keeping."""
    return _ENCODER.encode(state)


def collection_state(octets: bytes) -> CollectionState:
    """Read what was kept. Raises InvalidSyncPoint when another version of us wrote it."""
    try:
        return _COLLECTION.decode(octets)
    except msgspec.MsgspecError as e:
        raise InvalidSyncPoint(str(e)) from e


def watch_state(octets: bytes) -> WatchState:
    """Read what was kept; what cannot be read says nothing."""
    try:
        return _WATCH.decode(octets)
    except msgspec.MsgspecError:
        return WatchState()


def octets_from_hierarchy(state: HierarchyState) -> bytes:
    """For keeping; packed, since names repeat themselves."""
    return zlib.compress(_ENCODER.encode(state), 1)


def hierarchy_state(octets: bytes) -> HierarchyState:
    """Read what was kept. Raises InvalidSyncPoint."""
    try:
        unpacking = zlib.decompressobj()
        return _HIERARCHY.decode(unpacking.decompress(octets, _UNPACKED_MAX))
    except (zlib.error, msgspec.MsgspecError) as e:
        raise InvalidSyncPoint(str(e)) from e
