"""What a Sync request asks for.

Spec: [MS-ASCMD] §2.2.1.21 (Sync), §2.2.3.29 (Collection), §2.2.3.125 (Options).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.email_changes import is_to_be_sent
from posthouse.protocols.eas.wire.options import BodyKind, BodyPreference, MimeSupport

if TYPE_CHECKING:
    from posthouse.protocols.eas.wire.element import Element

WINDOW_DEFAULT: Final = 100
WINDOW_MAX: Final = 512
_MIME_TRUNCATION: Final = (0, 4_096, 5_120, 7_168, 10_240, 20_480, 51_200, 102_400)
_PREVIEW_MAX: Final = 255
_PREFERENCES_MAX: Final = 8
_ID_MAX: Final = 64


class Verb(StrEnum):
    """What a client does to an item."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    FETCH = "Fetch"


class Conflict(IntEnum):
    """Whose change counts when both sides changed an item; the numbers are [MS-ASCMD]'s."""

    CLIENT_WINS = 0
    SERVER_WINS = 1


class SyncOptions(Struct, frozen=True, array_like=True):
    """The Options of one collection, as they stay until others are sent.

    Attributes:
        filter_type: 0 all; 1 to 7 the last day to half a year; 8 tasks not done.
        bodies: forms of body that are taken.
        mime_support: see there.
        mime_truncation: octets of MIME when it comes by MIMESupport alone; None: all.
        conflict: whose change counts.
        body_part: see ViewOptions.
    """

    filter_type: int = 0
    bodies: tuple[BodyPreference, ...] = ()
    mime_support: MimeSupport = MimeSupport.NEVER
    mime_truncation: int | None = None
    conflict: Conflict = Conflict.SERVER_WINS
    body_part: BodyPreference | None = None


class ClientCommand(Struct, frozen=True):
    """One thing that a client has done.

    Attributes:
        verb: what.
        client_id: of an ADD, the client's own name for it.
        server_id: of all others.
        instance_id: of one occurrence, as sent ("" all).
        item_class: Email, Calendar ... or SMS; "" not said.
        data: ApplicationData of ADD and CHANGE.
        is_sent: a draft is to be sent now.
    """

    verb: Verb
    client_id: str = ""
    server_id: str = ""
    instance_id: str = ""
    item_class: str = ""
    data: Element | None = None
    is_sent: bool = False


class CollectionAsked(Struct, frozen=True):
    """One collection of a request.

    Attributes:
        sync_key: as sent.
        collection_id: as sent.
        wants_changes: GetChanges, or what is meant when it is not said.
        deletes_as_moves: into Deleted Items, not for good.
        window: items at most; 0 not said.
        options: None: as they were.
        supported: fields the client knows; None: not said.
        commands: in order.
    """

    sync_key: str
    collection_id: str
    wants_changes: bool
    deletes_as_moves: bool = True
    window: int = 0
    options: SyncOptions | None = None
    supported: tuple[str, ...] | None = None
    commands: tuple[ClientCommand, ...] = ()


class SyncAsked(Struct, frozen=True):
    """A request.

    Attributes:
        collections: those named.
        is_partial: the others are as in the request before.
        window: items of all collections together; 0 not said.
        wait_s: how long to wait for a change; None: not at all.
        heartbeat: it was said in seconds, not in minutes.
    """

    collections: tuple[CollectionAsked, ...] = ()
    is_partial: bool = False
    window: int = 0
    wait_s: int | None = None
    heartbeat: bool = False


def sync_asked(request: Element, collections_max: int) -> SyncAsked:
    """Read a request.

    Raises:
        RemoteProtocolError: hint ``content``, or ``limit`` for too many collections.
    """
    wait, heartbeat = request.child("Wait"), request.child("HeartbeatInterval")
    if wait is not None and heartbeat is not None:
        raise RemoteProtocolError("Wait and HeartbeatInterval together", "content")
    wait_s = None
    if wait is not None:
        wait_s = request.number_of("Wait") * 60
    elif heartbeat is not None:
        wait_s = request.number_of("HeartbeatInterval")
    holder = request.child("Collections")
    found = list(holder.each("Collection")) if holder is not None else []
    if len(found) > collections_max:
        raise RemoteProtocolError("too many collections", "limit")
    return SyncAsked(
        tuple(_collection(one) for one in found),
        request.child("Partial") is not None,
        request.number_of("WindowSize"),
        wait_s,
        heartbeat is not None,
    )


def _collection(element: Element) -> CollectionAsked:
    key = element.text_of("SyncKey")
    collection_id = element.text_of("CollectionId")
    if element.child("SyncKey") is None or not 0 < len(collection_id) <= _ID_MAX:
        raise RemoteProtocolError("a collection without SyncKey or CollectionId", "content")
    supported = element.child("Supported")
    commands = element.child("Commands")
    return CollectionAsked(
        sync_key=key,
        collection_id=collection_id,
        wants_changes=_flag(element, "GetChanges", default=key != "0"),
        deletes_as_moves=_flag(element, "DeletesAsMoves", default=True),
        window=element.number_of("WindowSize"),
        options=options_asked(element),
        supported=None if supported is None else tuple(one.tag for one in supported.children),
        commands=tuple(_commands(commands)) if commands is not None else (),
    )


def _commands(element: Element) -> list[ClientCommand]:
    found: list[ClientCommand] = []
    for one in element.children:
        try:
            verb = Verb(one.tag)
        except ValueError:
            raise RemoteProtocolError(f"no command {one.tag}", "content") from None
        client_id, server_id = one.text_of("ClientId"), one.text_of("ServerId")
        if not (client_id if verb is Verb.ADD else server_id):
            raise RemoteProtocolError(f"{one.tag} without id", "content")
        data = one.child("ApplicationData")
        if verb in (Verb.ADD, Verb.CHANGE) and data is None:
            raise RemoteProtocolError(f"{one.tag} without ApplicationData", "content")
        found.append(
            ClientCommand(
                verb,
                client_id[:_ID_MAX],
                server_id,
                one.text_of("AirSyncBase:InstanceId"),
                one.text_of("Class"),
                data,
                is_to_be_sent(one),
            )
        )
    return found


def options_asked(element: Element) -> SyncOptions | None:
    """The Options of the collection's own class; those for SMS are passed over. None: none."""
    for options in element.each("AirSync:Options"):
        if options.text_of("Class") != "SMS":
            return _options(options)
    return None


def _options(element: Element) -> SyncOptions:
    number = min(element.number_of("MIMESupport"), 2)
    truncation = element.number_of("MIMETruncation", 8)
    return SyncOptions(
        filter_type=element.number_of("FilterType"),
        bodies=body_preferences(element),
        mime_support=MimeSupport(number),
        mime_truncation=_MIME_TRUNCATION[truncation]
        if truncation < len(_MIME_TRUNCATION)
        else None,
        conflict=Conflict(1 if element.number_of("Conflict", 1) else 0),
        body_part=_part_preference(element),
    )


def body_preferences(element: Element) -> tuple[BodyPreference, ...]:
    """What an element says of bodies, in its order. Raises RemoteProtocolError."""
    found = list(element.each("AirSyncBase:BodyPreference"))
    return tuple(_preference(one) for one in found[:_PREFERENCES_MAX])


def _part_preference(element: Element) -> BodyPreference | None:
    found = element.child("AirSyncBase:BodyPartPreference")
    return None if found is None else _preference(found)


def _preference(element: Element) -> BodyPreference:
    number = element.number_of("AirSyncBase:Type", 1)
    try:
        kind = BodyKind(number)
    except ValueError:
        raise RemoteProtocolError(f"no body of type {number}", "content") from None
    size = element.child("AirSyncBase:TruncationSize")
    return BodyPreference(
        kind,
        None if size is None else element.number_of("AirSyncBase:TruncationSize"),
        _flag(element, "AirSyncBase:AllOrNone", default=False),
        min(element.number_of("AirSyncBase:Preview"), _PREVIEW_MAX),
    )


def _flag(element: Element, name: str, *, default: bool) -> bool:
    """An element that is true when it is there and empty, or says 1."""
    found = element.child(name)
    if found is None:
        return default
    return found.text in ("", "1")
