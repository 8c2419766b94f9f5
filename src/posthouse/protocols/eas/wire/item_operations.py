"""What ItemOperations asks for, and answers of several parts.

Spec: [MS-ASCMD] §2.2.1.10 (ItemOperations), §2.2.3.67.1 (Fetch), §2.2.3.58
    (EmptyFolderContents), §2.2.3.117.1 (Move), §2.2.1.10.1 (multipart response).
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import (
    BodyKind,
    BodyPreference,
    MimeSupport,
    Version,
    ViewOptions,
)
from posthouse.protocols.eas.wire.sync import SyncOptions, options_asked

if TYPE_CHECKING:
    from collections.abc import Sequence

MULTIPART_TYPE: Final = "application/vnd.ms-sync.multipart"
_SPAN: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})", re.ASCII)
_CONVERSATION_OCTETS: Final = 16
_WHOLE: Final = (
    BodyPreference(BodyKind.MIME),
    BodyPreference(BodyKind.PLAIN),
    BodyPreference(BodyKind.HTML),
)
"""Who names no form gets the one that the text was written in, or MIME where that was asked for."""


class FetchAsked(Struct, frozen=True):
    """One thing to be fetched; which of the names is there says what.

    Attributes:
        store: Mailbox, or another.
        collection_id: echoed.
        server_id: of an item.
        long_id: of an item that a search has found.
        file_reference: of an attachment.
        span: first and last octet of an attachment; None: all of it.
        schema: properties that are wanted, as (namespace, tag); none: all.
        options: forms of bodies.
    """

    store: str
    collection_id: str = ""
    server_id: str = ""
    long_id: str = ""
    file_reference: str = ""
    span: tuple[int, int] | None = None
    schema: frozenset[tuple[str, str]] = frozenset()
    options: SyncOptions = SyncOptions()

    def view_options(self, version: Version) -> ViewOptions:
        """How items are shown."""
        options = self.options
        bodies = options.bodies
        if not bodies and options.body_part is None:
            bodies = _WHOLE if options.mime_support is not MimeSupport.NEVER else _WHOLE[1:]
        return ViewOptions(version, bodies, options.mime_support, options.body_part)


def fetch_asked(element: Element) -> FetchAsked:
    """Read a Fetch. Raises RemoteProtocolError."""
    options = element.child("Options") or Element("ItemOperations", "Options")
    holder = Element("AirSync", "Collection")
    holder.add("Options", options.children)
    schema = options.child("Schema")
    return FetchAsked(
        element.text_of("Store"),
        element.text_of("AirSync:CollectionId"),
        element.text_of("AirSync:ServerId"),
        element.text_of("Search:LongId"),
        element.text_of("AirSyncBase:FileReference"),
        _span(options),
        frozenset((one.namespace, one.tag) for one in schema.children) if schema else frozenset(),
        options_asked(holder) or SyncOptions(),
    )


def _span(options: Element) -> tuple[int, int] | None:
    if options.child("Range") is None:
        return None
    match = _SPAN.fullmatch(options.text_of("Range"))
    if match is None or int(match[1]) > int(match[2]):
        raise RemoteProtocolError("no proper Range", "content")
    return int(match[1]), int(match[2])


def conversation_asked(element: Element) -> bytes:
    """The ConversationId of a Move: octets, or base64 of some clients.

    Raises:
        RemoteProtocolError: it has not 16 octets.
    """
    found = element.child("ConversationId")
    octets = b"" if found is None else found.octets
    if len(octets) != _CONVERSATION_OCTETS:
        try:
            octets = base64.b64decode(octets, validate=True)
        except binascii.Error:
            octets = b""
    if len(octets) != _CONVERSATION_OCTETS:
        raise RemoteProtocolError("no ConversationId of 16 octets", "content")
    return octets


def multipart(parts: Sequence[bytes]) -> bytes:
    """Parts behind a table of where they begin and how long they are."""
    at = 4 + 8 * len(parts)
    table = [struct.pack("<I", len(parts))]
    for part in parts:
        table.append(struct.pack("<II", at, len(part)))
        at += len(part)
    return b"".join((*table, *parts))
