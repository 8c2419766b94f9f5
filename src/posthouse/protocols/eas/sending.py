"""What SendMail, SmartReply and SmartForward share: a message is sent, once.

Spec: [MS-ASCMD] §2.2.1.17, §2.2.1.19, §2.2.1.20, §2.2.2 (status codes), §3.1.5.7 (forwarding
    meeting requests).

Notes:
    Success has no body. A request that comes again, because its answer was lost, is known by its
    ClientId for a week and answered as if it had just been done, even if the source is gone since.
    Exchange puts those to whom an invitation is forwarded into the organizer's list; here the
    organizer hears of them when they answer.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from posthouse.formats.mime.addresses import parse_addresses
from posthouse.formats.mime.headers import fields, header_block
from posthouse.formats.mime.quoting import How, with_original
from posthouse.model.batch import ChangeFlags, ChangeProperties
from posthouse.model.errors import (
    AccessDenied,
    NotFound,
    ParserFailed,
    PosthouseError,
    RemoteProtocolError,
    TooLarge,
)
from posthouse.model.item import Flags, ItemKind
from posthouse.model.message_bag import LastVerb, bag_of, bag_with
from posthouse.model.rights import Rights
from posthouse.protocols.eas.errors import Common, refused, status_of
from posthouse.protocols.eas.forwarding import forwarded_invitation, invitation_of
from posthouse.protocols.eas.named_items import named_item
from posthouse.protocols.eas.origins import origin_of
from posthouse.protocols.eas.wire.compose_mail import composed_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from posthouse.model.batch import Operation
    from posthouse.model.ids import MailboxId
    from posthouse.protocols.eas.named_items import NamedItem
    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.compose_mail import Composed
    from posthouse.protocols.eas.wire.element import Element

_INVALID_ACCOUNT: Final = 166
_KEY_OCTETS: Final = 32
_RECIPIENTS: Final = frozenset({b"to", b"cc", b"bcc"})
_WHEN_SENDING: Final[Mapping[type[PosthouseError], int]] = {
    AccessDenied: Common.SUBMISSION_FAILED,
    ParserFailed: Common.RECIPIENT_UNRESOLVED,
    NotFound: Common.RECIPIENT_UNRESOLVED,
}
_MARKS: Final = {
    How.REPLY: (Flags.ANSWERED, LastVerb.REPLY),
    How.FORWARD: (Flags.FORWARDED, LastVerb.FORWARD),
}


async def send(call: Call, request: Element | None, how: How | None) -> Element | None:
    """Send what a request holds.

    Args:
        call: the request.
        request: SendMail, SmartReply or SmartForward.
        how: what is done with the source; None: there is none.

    Returns:
        None: it is sent.

    Raises:
        NotFound: there is no such source.
        RemoteProtocolError: the request makes no sense.
        TooLarge: it is above the limit.
    """
    composed = composed_from(request, call.line)
    if composed.account_id:
        return refused(call.line.command, _INVALID_ACCOUNT)
    limit = call.services.limits.message_bytes
    if len(composed.mime) > limit:
        raise TooLarge(f"{len(composed.mime)} octets of MIME")
    key = key_of(call, composed.client_id)
    if await call.services.outgoing.was_sent(call.login, key):
        return None
    if not composed.forwardees and not _is_message(composed.mime):
        return refused(call.line.command, Common.INVALID_MIME)
    source = None
    if how is not None:
        if composed.source is None:
            raise RemoteProtocolError("no Source", "content")
        source = await named_item(call, composed.source.server_id)
    mime = await _whole(call, composed, source, how)
    also = _marks(call, source, how)
    try:
        await call.services.outgoing.send(
            origin_of(call), mime, saves_copy=composed.saves_copy, key=key, also=also
        )
    except PosthouseError as error:
        return refused(call.line.command, _status(error, mime))
    return None


def key_of(call: Call, client_id: str) -> bytes:
    """The name of a message among all that the person sends: the device's own, made unique."""
    text = f"{call.device_number}\0send\0{client_id}"
    return hashlib.sha256(text.encode()).digest()[:_KEY_OCTETS]


def _is_message(mime: bytes) -> bool:
    """Whether it begins with a field."""
    return any(True for _ in fields(mime[: header_block(mime)]))


def _status(error: PosthouseError, mime: bytes) -> int:
    if isinstance(error, NotFound) and not _has_recipients(mime):
        return Common.NO_RECIPIENTS
    return status_of(error, _WHEN_SENDING)


def _has_recipients(mime: bytes) -> bool:
    found = [
        entry
        for field in fields(mime[: header_block(mime)])
        if field.name in _RECIPIENTS
        for entry in parse_addresses(field.value)
    ]
    return any("@" in (entry.address or entry.name) for entry in found)


async def _whole(
    call: Call, composed: Composed, source: NamedItem | None, how: How | None
) -> bytes:
    """The message with what it answers or forwards."""
    if source is None or how is None or composed.source is None:
        return composed.mime
    instance_id = composed.source.instance_id
    if composed.forwardees:
        return forwarded_invitation(
            call, source, composed.forwardees, composed.comment, instance_id
        )
    blob = source.item.blob
    if blob is None:
        return composed.mime
    if source.item.kind is ItemKind.MESSAGE:
        original = call.services.store.blobs.read_plain(blob)
    elif source.item.kind is ItemKind.APPOINTMENT:
        original = invitation_of(call, source, instance_id)
    else:
        raise RemoteProtocolError("neither a message nor an appointment", "content")
    return with_original(composed.mime, original, how, replaces_mime=composed.replaces_mime)


def _marks(
    call: Call, source: NamedItem | None, how: How | None
) -> list[tuple[MailboxId, Operation]]:
    """What the source shows of it from now on."""
    if source is None or how is None or source.item.kind is not ItemKind.MESSAGE:
        return []
    if not source.collection.rights & Rights.EDIT_ANY:
        return []
    flag, verb = _MARKS[how]
    item = source.item
    known = replace(bag_of(item.bag), last_verb=verb, last_verb_at=call.services.clock.now_ms())
    changed: tuple[Operation, ...] = (
        ChangeFlags(source.collection.folder_id, (item.item_id,), flag, Flags.NONE),
        ChangeProperties(item.item_id, bag=bag_with(item.bag, known)),
    )
    return [(source.collection.mailbox_id, one) for one in changed]
