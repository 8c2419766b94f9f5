"""What a client changes of a message, and the drafts it writes.

Spec: [MS-ASEMAIL] §2.2.2.34 (Flag), §2.2.2.69 (Send), §3.1.5.4 (what a request may hold),
    §3.2.5.4.2 (flags); [MS-ASAIRS] §2.2.2.2 (Add), §2.2.2.21 (Delete).

Notes:
    Of a message that is no draft only Read, Flag and Categories can be changed; what else is sent
    is passed over, but for the elements that only a server may set.
    Of the local and the UTC form of a day the latter counts. A flag is sent whole: what is not in
    it, it has no longer.
    A draft's text comes whole or not at all: one that says it is truncated stays as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET, Struct, UnsetType

from posthouse.formats.mime.addresses import HeaderAddress, parse_addresses
from posthouse.formats.vcard.values import clean
from posthouse.model.errors import RemoteProtocolError
from posthouse.model.message_bag import FollowUp, FollowUpStatus
from posthouse.protocols.eas.wire.code_pages_table import NAMES
from posthouse.protocols.eas.wire.fields import (
    NAMES_MAX,
    number_from_text,
    shown_names,
    time_from_text,
)
from posthouse.protocols.eas.wire.incoming_body import IncomingBody, body_from_data
from posthouse.protocols.eas.wire.options import BodyKind

if TYPE_CHECKING:
    from posthouse.protocols.eas.wire.element import Element

ATTACHMENTS_MAX: Final = 500
_ADDRESSES_MAX: Final = 1_000
_TEXT_MAX: Final = 255
_SUBJECT_MAX: Final = 2_000
_REFERENCE_MAX: Final = 512
_METHOD_MESSAGE: Final = 5
_SERVER_ONLY: Final = frozenset(
    NAMES[name]
    for name in (
        "Email2:ConversationId",
        "Email2:ConversationIndex",
        "Email2:ReceivedAsBcc",
        "Email2:Sender",
    )
)


class MessageChange(Struct, frozen=True):
    """What is said of a message's marks.

    Attributes:
        read: None: it stays as it is.
        follow_up: None: no flag any more; UNSET: it stays as it is.
        categories: UNSET: they stay as they are.
    """

    read: bool | None = None
    follow_up: FollowUp | UnsetType | None = UNSET
    categories: tuple[str, ...] | UnsetType = UNSET


class DraftAttachment(Struct, frozen=True, kw_only=True):
    """A file that is put to a draft.

    Attributes:
        client_id: the client's name for it, to be sent back with the FileReference.
        name: as shown.
        content_type: as sent ("" not said).
        content: the file; of a message its MIME.
        content_id: without brackets ("" none).
        is_inline: shown in the text.
        is_message: a message of its own.
    """

    client_id: str
    name: str
    content_type: str = ""
    content: bytes = b""
    content_id: str = ""
    is_inline: bool = False
    is_message: bool = False


class Draft(Struct, frozen=True, kw_only=True):
    """What is said of a draft. UNSET: it stays as it is, and is empty in a new one.

    Attributes:
        to: in order; an entry without an address holds words that are none.
        cc: see ``to``.
        bcc: see ``to``.
        reply_to: see ``to``.
        subject: one line.
        importance: 0 low, 1 normal, 2 high.
        body: PLAIN, HTML or MIME, which is the whole message with its header.
        adds: files to put to it.
        deletes: FileReferences of files to take away.
        change: its marks.
        is_sent: it is to be sent now.
    """

    to: tuple[HeaderAddress, ...] | UnsetType = UNSET
    cc: tuple[HeaderAddress, ...] | UnsetType = UNSET
    bcc: tuple[HeaderAddress, ...] | UnsetType = UNSET
    reply_to: tuple[HeaderAddress, ...] | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    importance: int | UnsetType = UNSET
    body: IncomingBody | UnsetType = UNSET
    adds: tuple[DraftAttachment, ...] = ()
    deletes: tuple[str, ...] = ()
    change: MessageChange = MessageChange()
    is_sent: bool = False


def message_change_from_data(data: Element) -> MessageChange:
    """Read the marks in an ApplicationData.

    Raises:
        RemoteProtocolError: something cannot be read, contradicts itself or is the server's alone
            (hint ``content``).
    """
    for child in data.children:
        if (child.namespace, child.tag) in _SERVER_ONLY:
            raise RemoteProtocolError(f"{child.name} is the server's", "content")
    flag = data.child("Email:Flag")
    categories = data.child("Email:Categories")
    return MessageChange(
        _truth(data, "Email:Read"),
        UNSET if flag is None else _follow_up(flag),
        UNSET if categories is None else _categories(categories),
    )


def draft_from_data(data: Element) -> Draft:
    """Read a draft, or the change of one, in an ApplicationData of 16.0 or above.

    Raises:
        RemoteProtocolError: as ``message_change_from_data``.
    """
    body = body_from_data(data)
    if body is not None and body.kind is BodyKind.RTF:
        raise RemoteProtocolError("a draft in rich text", "content")
    adds, deletes = _attachments(data.child("AirSyncBase:Attachments"))
    subject = data.child("Email:Subject")
    importance = data.child("Email:Importance")
    return Draft(
        to=_addresses(data, "Email:To"),
        cc=_addresses(data, "Email:Cc"),
        bcc=_addresses(data, "Email2:Bcc"),
        reply_to=_addresses(data, "Email:ReplyTo"),
        subject=UNSET if subject is None else _one_line(subject.text, _SUBJECT_MAX),
        importance=UNSET
        if importance is None
        else number_from_text("Importance", importance.text, 2, 1),
        body=UNSET if body is None else body,
        adds=adds,
        deletes=deletes,
        change=message_change_from_data(data),
        is_sent=is_to_be_sent(data),
    )


def is_to_be_sent(element: Element) -> bool:
    """Whether Send stands in an element.

    Args:
        element: Add or Change, where the text of [MS-ASEMAIL] has it, or ApplicationData, where
            the schema has it.
    """
    return element.child("Email2:Send") is not None


def _truth(data: Element, name: str) -> bool | None:
    found = data.child(name)
    if found is None:
        return None
    text = found.text.strip().lower()
    if text not in ("", "0", "1", "true", "false"):
        raise RemoteProtocolError(f"{name} is neither 0 nor 1", "content")
    return text in ("", "1", "true")


def _follow_up(flag: Element) -> FollowUp | None:
    if not flag.children:
        return None
    number = number_from_text("Status", flag.text_of("Status"), 2, FollowUpStatus.ACTIVE)
    status = FollowUpStatus(number)
    if status is FollowUpStatus.CLEARED:
        return None
    start_at, due_at = _days(flag)
    reminder_at = _time(flag, "Tasks:ReminderTime") if _truth(flag, "Tasks:ReminderSet") else 0
    if _truth(flag, "Tasks:ReminderSet") and not reminder_at:
        raise RemoteProtocolError("a reminder without its time", "content")
    completed_at = _time(flag, "CompleteTime") or _time(flag, "Tasks:DateCompleted")
    if status is FollowUpStatus.COMPLETE and not completed_at:
        raise RemoteProtocolError("a flag is complete, but since when is not said", "content")
    return FollowUp(
        status=status,
        kind=_one_line(flag.text_of("FlagType"), _TEXT_MAX),
        subject=_one_line(flag.text_of("Tasks:Subject"), _TEXT_MAX),
        start_at=start_at,
        due_at=due_at,
        reminder_at=reminder_at,
        completed_at=completed_at if status is FollowUpStatus.COMPLETE else 0,
        ordinal_at=_time(flag, "Tasks:OrdinalDate"),
        sub_ordinal=_one_line(flag.text_of("Tasks:SubOrdinalDate"), _TEXT_MAX),
    )


def _days(flag: Element) -> tuple[int, int]:
    names = ("Tasks:StartDate", "Tasks:DueDate", "Tasks:UtcStartDate", "Tasks:UtcDueDate")
    local_start, local_due, start_at, due_at = (_time(flag, name) for name in names)
    given = [flag.text_of(name) != "" for name in names]
    if any(given) and not all(given):
        raise RemoteProtocolError("a flag has some of its four dates only", "content")
    if start_at > due_at or local_start > local_due:
        raise RemoteProtocolError("a flag is due before it starts", "content")
    return start_at, due_at


def _time(element: Element, name: str) -> int:
    """Milliseconds, 0 for none."""
    return time_from_text(element.text_of(name).strip()) or 0


def _categories(element: Element) -> tuple[str, ...]:
    if len(element.children) > NAMES_MAX:
        raise RemoteProtocolError(f"more than {NAMES_MAX} categories", "content")
    return shown_names(_one_line(one.text, _TEXT_MAX) for one in element.each("Category"))


def _addresses(data: Element, name: str) -> tuple[HeaderAddress, ...] | UnsetType:
    found = data.child(name)
    if found is None:
        return UNSET
    raw = _one_line(found.text, 1 << 20).encode()
    entries = parse_addresses(raw, addresses_max=_ADDRESSES_MAX + 1)
    if len(entries) > _ADDRESSES_MAX:
        raise RemoteProtocolError(f"{name} has more than {_ADDRESSES_MAX} addresses", "content")
    return tuple(entries)


def _one_line(text: str, chars_max: int) -> str:
    return clean(text).replace("\n", " ").strip()[:chars_max]


def _attachments(
    element: Element | None,
) -> tuple[tuple[DraftAttachment, ...], tuple[str, ...]]:
    if element is None:
        return (), ()
    if len(element.children) > ATTACHMENTS_MAX:
        raise RemoteProtocolError(f"more than {ATTACHMENTS_MAX} attachments at once", "content")
    adds = tuple(_added(one) for one in element.each("Add"))
    deletes = tuple(one.text_of("FileReference") for one in element.each("Delete"))
    if any(not 0 < len(reference) <= _REFERENCE_MAX for reference in deletes):
        raise RemoteProtocolError("an attachment to delete is not named", "content")
    return adds, deletes


def _added(element: Element) -> DraftAttachment:
    client_id = element.text_of("ClientId")
    content = element.child("Content")
    if not client_id or content is None:
        raise RemoteProtocolError("an attachment without ClientId or Content", "content")
    return DraftAttachment(
        client_id=client_id[:_TEXT_MAX],
        name=_one_line(element.text_of("DisplayName"), _TEXT_MAX),
        content_type=_one_line(element.text_of("ContentType"), _TEXT_MAX),
        content=content.octets,
        content_id=_one_line(element.text_of("ContentId"), _TEXT_MAX).strip("<>"),
        is_inline=bool(_truth(element, "IsInline")),
        is_message=element.number_of("Method", 1) == _METHOD_MESSAGE,
    )
