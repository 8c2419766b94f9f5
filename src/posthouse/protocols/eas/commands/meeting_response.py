"""MEETINGRESPONSE: accepts and declines meetings.

Spec: [MS-ASCMD] §2.2.1.11, §2.2.3.177.9 (Status), §2.2.3.163 (SendResponse).

Notes:
    The message that asks may be named, or the entry in the calendar. Up to 14.1 the device writes
    to the organizer itself, by SendMail; from 16.0 on it says with SendResponse that we shall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model.appointment import Response
from posthouse.model.errors import (
    AccessDenied,
    AlreadyExists,
    Conflict,
    NotFound,
    ParserFailed,
    PosthouseError,
    RemoteProtocolError,
    TooLarge,
    Unavailable,
)
from posthouse.model.folder import FolderRole
from posthouse.model.rights import Rights
from posthouse.protocols.eas.collections import folder_server_id
from posthouse.protocols.eas.errors import status_of
from posthouse.protocols.eas.named_items import named_item
from posthouse.protocols.eas.owners import actor_of
from posthouse.protocols.eas.wire.compose_mail import comment_of, named_within
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.times import ms_from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from posthouse.model.ids import ItemId
    from posthouse.protocols.eas.named_items import NamedItem
    from posthouse.protocols.eas.session import Call

_SPACE: Final = "MeetingResponse"
_INVALID: Final = 2
_MAILBOX_ERROR: Final = 3
_ID_MAX: Final = 64
_ANSWERS: Final[Mapping[int, Response]] = {
    1: Response.ACCEPTED,
    2: Response.TENTATIVE,
    3: Response.DECLINED,
}
_STATUSES: Final[Mapping[type[PosthouseError], int]] = {
    NotFound: _INVALID,
    Conflict: _INVALID,
    AlreadyExists: _INVALID,
    AccessDenied: _INVALID,
    ParserFailed: _INVALID,
    TooLarge: _INVALID,
    RemoteProtocolError: _INVALID,
    Unavailable: _MAILBOX_ERROR,
}


class _Asked(Struct, frozen=True):
    """One answer to be given.

    Attributes:
        server_id: of the message or entry.
        answer: see there.
        at: of one occurrence, its original start; None: as the item says.
        comment: in words.
        proposed: another time.
        sends: the organizer hears of it.
    """

    server_id: str
    answer: Response
    at: int | None
    comment: str = ""
    proposed: tuple[int, int] | None = None
    sends: bool = True


async def handle(call: Call, request: Element | None) -> Element:
    """Each answer has its own result.

    Raises:
        RemoteProtocolError: there is no answer, or there are too many.
    """
    asked = list(request.each("Request")) if request is not None else []
    if not asked or len(asked) > call.services.limits.commands:
        raise RemoteProtocolError("no answer, or too many", "content")
    return Element(_SPACE, "MeetingResponse", [await _result(call, one) for one in asked])


async def _result(call: Call, element: Element) -> Element:
    calendar_id = ""
    status = 1
    try:
        calendar_id = await _responded(call, _asked(element, call.version))
    except PosthouseError as error:
        status = status_of(error, _STATUSES)
    name = element.text_of("RequestId") or element.text_of("Search:LongId")
    fields = [("RequestId", name[:_ID_MAX]), ("Status", str(status)), ("CalendarId", calendar_id)]
    return Element(_SPACE, "Result", [Element(_SPACE, tag, text) for tag, text in fields if text])


def _asked(element: Element, version: Version) -> _Asked:
    answer = _ANSWERS.get(element.number_of("UserResponse"))
    folder, item = element.text_of("CollectionId"), element.text_of("RequestId")
    server_id = element.text_of("Search:LongId") or named_within(folder, item)
    if answer is None or not server_id:
        raise RemoteProtocolError("no UserResponse or RequestId", "content")
    instance = element.text_of("InstanceId")
    at = ms_from_text(instance) if instance else None
    sending = element.child("SendResponse") if version >= Version.V16_0 else None
    if sending is None:
        return _Asked(server_id, answer, at, sends=False)
    return _Asked(server_id, answer, at, comment_of(sending), _proposed(sending))


def _proposed(sending: Element) -> tuple[int, int] | None:
    start, end = sending.text_of("ProposedStartTime"), sending.text_of("ProposedEndTime")
    if not start and not end:
        return None
    times = ms_from_text(start), ms_from_text(end)
    if times[0] > times[1]:
        raise RemoteProtocolError("the proposed end is before the start", "content")
    return times


async def _responded(call: Call, asked: _Asked) -> str:
    """Give the answer; what the entry in the calendar is called, "" when there is none."""
    found = await named_item(call, asked.server_id)
    await _check_rights(call, found)
    entry_id = await call.services.meetings.respond(
        actor_of(call, found.collection),
        found.item.item_id,
        asked.answer,
        recurrence_at=asked.at,
        comment=asked.comment,
        proposed=asked.proposed,
        sends=asked.sends,
    )
    if entry_id is None or asked.answer is Response.DECLINED:
        return ""
    return await _calendar_id(call, found, entry_id)


async def _check_rights(call: Call, found: NamedItem) -> None:
    """In another's mailbox the calendar must be theirs to write, and the message to put away."""
    if found.collection.is_own:
        return
    mailbox_id = found.collection.mailbox_id
    calendar = await call.services.store.role_folder(mailbox_id, FolderRole.CALENDAR)
    wanted = Rights.CREATE | Rights.EDIT_ANY | Rights.DELETE_ANY
    await call.services.access.require(call.principal, mailbox_id, calendar.folder_id, wanted)
    if not found.collection.rights & Rights.DELETE_ANY:
        raise AccessDenied(f"{call.principal.address} may not put {found.server_id} away")


async def _calendar_id(call: Call, found: NamedItem, entry_id: ItemId) -> str:
    mailbox_id, is_own = found.collection.mailbox_id, found.collection.is_own
    for place in await call.services.store.records.item_places(mailbox_id, entry_id):
        name = folder_server_id(mailbox_id, place.folder_id, is_own=is_own)
        return f"{name}:{entry_id}"
    return ""
