"""Messages as ActiveSync has them.

Spec: [MS-ASEMAIL] §2.2.2, §3.2.5.4.1 (what a change carries); [MS-ASAIRS] §2.2.2.7 (Attachment);
    [MS-ASCON] §2.2.2.3 and §2.2.2.4 (ConversationId, ConversationIndex).
Departs: [MS-ASEMAIL] §2.2.2.9, because a draft whose Bcc were cut at 1,024 characters would come
    back without the others.

Notes:
    The mark FLAGGED is the truth about a flag, since all doors have it; what the bag says beside
    it are details. A ConversationId is made of the thread's number and gives it back.
    A conversation index has the time of its own message only: what it answers is not looked up.
    Days of flags are local ones, but we keep points in time: of one that may be midnight somewhere
    the nearest UTC midnight is the day.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.formats.mime.body import AttachmentCard, attachments_of, is_smime
from posthouse.formats.mime.columns import REPLY_MARK
from posthouse.model.item import Flags
from posthouse.model.message_bag import FollowUp, FollowUpStatus, LastVerb
from posthouse.protocols.eas.wire.body import body_element, xml_text
from posthouse.protocols.eas.wire.element import Element
from posthouse.protocols.eas.wire.options import Version
from posthouse.protocols.eas.wire.times import long_from_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.formats.mime.card import Card
    from posthouse.model.item import ItemColumns
    from posthouse.model.message_bag import MessageBag
    from posthouse.protocols.eas.wire.body import BodySource
    from posthouse.protocols.eas.wire.options import ViewOptions

ADDRESSES_MAX: Final = 32_768
"""Characters of a list of addresses."""
CATEGORIES_MAX: Final = 300

_FLAG_TYPE: Final = "Flag for follow up"
_CONVERSATION_PREFIX: Final = b"PosthThr"
_CONVERSATION_OCTETS: Final = 16
_INDEX_OCTETS_MAX: Final = 1_024
_FILETIME_EPOCH_MS: Final = 11_644_473_600_000
_DAY_MS: Final = 86_400_000
_ZONE_STEP_MS: Final = 900_000
_METHOD_NORMAL: Final = "1"
_METHOD_MESSAGE: Final = "5"
_REPLY_MARKS: Final = re.compile(rf"(?:\s|{REPLY_MARK})+", re.I)
_REPORTS: Final = {
    "delivery-status": "REPORT.IPM.Note.NDR",
    "disposition-notification": "REPORT.IPM.Note.IPNRN",
}


class MessageFacts(Struct, frozen=True, kw_only=True):
    """All that is known of a message.

    Attributes:
        columns: of the item.
        card: of the item.
        flags: its marks where it lies.
        received_at: when it came, ms.
        bag: see there.
        source: its text.
        reference: ``<folder>:<item_id>``, with which references to its files begin.
        meeting: its Email:MeetingRequest, ready; None: it has none.
        message_class: when more is known than columns and card say ("" not).
        is_draft: it lies among the drafts, or is marked as one.
        owner: addresses of the mailbox, in lower case.
    """

    columns: ItemColumns
    card: Card
    flags: Flags
    received_at: int
    bag: MessageBag
    source: BodySource
    reference: str
    meeting: Element | None = None
    message_class: str = ""
    is_draft: bool = False
    owner: frozenset[str] = frozenset()


def data_from_message(facts: MessageFacts, options: ViewOptions) -> list[Element]:
    """The children of its ApplicationData."""
    envelope = facts.card.envelope
    elements = _addresses(facts)
    subject = xml_text(envelope.subject)
    item_class = facts.message_class or message_class(facts)
    is_schedule = item_class.startswith("IPM.Schedule")
    received_at = facts.received_at or facts.columns.sent_at
    elements += (
        Element("Email", "Subject", subject),
        Element("Email", "DateReceived", long_from_ms(received_at)),
        Element("Email", "DisplayTo", _names(envelope.to)),
        Element("Email", "ThreadTopic", _topic(subject)),
        Element("Email", "Importance", str(facts.columns.importance)),
        Element("Email", "Read", "1" if facts.flags & Flags.SEEN else "0"),
        Element("Email", "MessageClass", item_class),
        Element("Email", "InternetCPID", "65001"),
        _flag(facts),
        Element(
            "Email",
            "ContentClass",
            "urn:content-classes:calendarmessage" if is_schedule else "urn:content-classes:message",
        ),
        _categories(facts.bag),
    )
    if facts.meeting is not None:
        elements.append(facts.meeting)
    attachments = attachments_of(facts.card)
    if attachments:
        made = [_attachment(one, facts.reference) for one in attachments]
        elements.append(Element("AirSyncBase", "Attachments", made))
    elements += body_element(facts.source, options)
    elements += _second(facts, options)
    return elements


def flags_view(
    facts: MessageFacts, *, read: bool = True, flag: bool = True, categories: bool = True
) -> list[Element]:
    """The children of ApplicationData when nothing but marks has changed: those that have."""
    elements: list[Element] = []
    if read:
        elements.append(Element("Email", "Read", "1" if facts.flags & Flags.SEEN else "0"))
    if flag:
        elements.append(_flag(facts))
    if categories:
        elements.append(_categories(facts.bag))
    if flag or categories:
        elements += _last_verb(facts)
    return elements


def message_class(facts: MessageFacts) -> str:
    """The class by what the card says; a meeting's own class is the caller's to know."""
    root = facts.card.structure
    if facts.meeting is not None:
        return "IPM.Schedule.Meeting.Request"
    if root.content_type == "multipart/report":
        kind = root.parameters.get("report-type", "").lower()
        return _REPORTS.get(kind, "IPM.Note")
    known = facts.columns.item_class
    # The column goes by the type alone, which PGP has too.
    if known == "IPM.Note.SMIME.MultipartSigned" and not is_smime(facts.card):
        return "IPM.Note"
    return known or "IPM.Note"


def conversation_id(bag: MessageBag, thread: int) -> bytes:
    """16 octets; none for a message that belongs to no conversation."""
    if bag.conversation:
        known = _octets(bag.conversation)
        if len(known) == _CONVERSATION_OCTETS:
            return known
    return _CONVERSATION_PREFIX + (thread & (1 << 64) - 1).to_bytes(8, "big") if thread else b""


def thread_from_conversation(conversation: bytes) -> int | None:
    """The thread that a ConversationId of ours was made of; None: it was not made here."""
    head, tail = conversation[:8], conversation[8:]
    is_ours = head == _CONVERSATION_PREFIX and len(conversation) == _CONVERSATION_OCTETS
    return int.from_bytes(tail, "big") if is_ours else None


def address_text(entries: Iterable[tuple[str, str]], separator: str = ", ") -> str:
    """Addresses as in a header field, whole ones, up to ADDRESSES_MAX characters."""
    found: list[str] = []
    size = 0
    for name, address in entries:
        quoted = f'"{_quotable(name)}"' if name else ""
        text = f"{quoted} <{address}>" if quoted and address else quoted or address
        size += len(text) + len(separator)
        if size - len(separator) > ADDRESSES_MAX:
            break
        if text:
            found.append(text)
    return separator.join(found)


def _quotable(name: str) -> str:
    # Clients differ over escapes within quotes: none are needed.
    return xml_text(name).replace("\\", "/").replace('"', "'")


def _addresses(facts: MessageFacts) -> list[Element]:
    """Of a draft also the empty lists: they may have been filled before."""
    envelope = facts.card.envelope
    elements = [Element("Email", "To", address_text(envelope.to))]
    if envelope.cc or facts.is_draft:
        elements.append(Element("Email", "Cc", address_text(envelope.cc)))
    elements.append(Element("Email", "From", address_text(envelope.from_)))
    if envelope.reply_to:
        elements.append(Element("Email", "ReplyTo", address_text(envelope.reply_to, "; ")))
    return elements


def _names(entries: Iterable[tuple[str, str]]) -> str:
    text = "; ".join([name or address for name, address in entries])
    return xml_text(text)[:ADDRESSES_MAX]


def _topic(subject: str) -> str:
    marks = _REPLY_MARKS.match(subject)
    return subject[marks.end() :] if marks else subject


def _flag(facts: MessageFacts) -> Element:
    details = facts.bag.follow_up
    is_flagged = bool(facts.flags & Flags.FLAGGED)
    if not is_flagged and (details is None or details.status is not FollowUpStatus.COMPLETE):
        return Element("Email", "Flag")
    details = details or FollowUp()
    status = FollowUpStatus.ACTIVE if is_flagged else FollowUpStatus.COMPLETE
    children = [
        Element("Email", "Status", str(status.value)),
        Element("Email", "FlagType", xml_text(details.kind) or _FLAG_TYPE),
    ]
    if details.subject:
        children.append(Element("Tasks", "Subject", xml_text(details.subject)))
    if status is FollowUpStatus.COMPLETE:
        done = long_from_ms(details.completed_at or facts.received_at)
        children.append(Element("Email", "CompleteTime", done))
        children.append(Element("Tasks", "DateCompleted", done))
    children += _flag_times(details)
    return Element("Email", "Flag", children)


def _flag_times(details: FollowUp) -> list[Element]:
    elements: list[Element] = []
    start_at, due_at = details.start_at or details.due_at, details.due_at or details.start_at
    if start_at:
        elements += (
            Element("Tasks", "StartDate", long_from_ms(_local_day(start_at))),
            Element("Tasks", "UtcStartDate", long_from_ms(start_at)),
            Element("Tasks", "DueDate", long_from_ms(_local_day(due_at))),
            Element("Tasks", "UtcDueDate", long_from_ms(due_at)),
        )
    if details.reminder_at:
        elements.append(Element("Tasks", "ReminderSet", "1"))
        elements.append(Element("Tasks", "ReminderTime", long_from_ms(details.reminder_at)))
    if details.ordinal_at:
        elements.append(Element("Tasks", "OrdinalDate", long_from_ms(details.ordinal_at)))
    if details.sub_ordinal:
        elements.append(Element("Tasks", "SubOrdinalDate", xml_text(details.sub_ordinal)))
    return elements


def _local_day(at: int) -> int:
    return at if at % _ZONE_STEP_MS else (at + _DAY_MS // 2) // _DAY_MS * _DAY_MS


def _categories(bag: MessageBag) -> Element:
    named = [xml_text(name) for name in bag.categories[:CATEGORIES_MAX]]
    children = [Element("Email", "Category", name) for name in named if name]
    return Element("Email", "Categories", children or "")


def _attachment(one: AttachmentCard, reference: str) -> Element:
    children = [
        Element("AirSyncBase", "DisplayName", xml_text(one.name)),
        Element("AirSyncBase", "FileReference", f"{reference}:{one.section}"),
        Element("AirSyncBase", "Method", _METHOD_MESSAGE if one.is_message else _METHOD_NORMAL),
        Element("AirSyncBase", "EstimatedDataSize", str(one.octets)),
    ]
    if one.content_id:
        children.append(Element("AirSyncBase", "ContentId", xml_text(one.content_id)))
    if one.is_inline:
        children.append(Element("AirSyncBase", "IsInline", "1"))
    return Element("AirSyncBase", "Attachment", children)


def _second(facts: MessageFacts, options: ViewOptions) -> list[Element]:
    """What the namespace Email2 adds."""
    elements: list[Element] = []
    bag = facts.bag
    conversation = conversation_id(bag, facts.columns.thread)
    if conversation:
        elements.append(Element("Email2", "ConversationId", conversation))
        elements.append(Element("Email2", "ConversationIndex", _conversation_index(facts)))
    elements += _last_verb(facts)
    envelope = facts.card.envelope
    if envelope.sender and envelope.sender[0][1] not in [one for _, one in envelope.from_]:
        elements.append(Element("Email2", "Sender", address_text(envelope.sender[:1])))
    if _is_blind_copy(facts):
        elements.append(Element("Email2", "ReceivedAsBcc", "1"))
    if options.version >= Version.V16_0:
        if facts.is_draft:
            elements.append(Element("Email2", "Bcc", address_text(envelope.bcc)))
        elements.append(Element("Email2", "IsDraft", "1" if facts.is_draft else "0"))
    return elements


def _last_verb(facts: MessageFacts) -> list[Element]:
    """What was last done with it; nothing when nothing was."""
    verb = facts.bag.last_verb or _verb_from_flags(facts.flags)
    if not verb:
        return []
    elements = [Element("Email2", "LastVerbExecuted", str(verb.value))]
    if facts.bag.last_verb_at:
        done = long_from_ms(facts.bag.last_verb_at)
        elements.append(Element("Email2", "LastVerbExecutionTime", done))
    return elements


def _is_blind_copy(facts: MessageFacts) -> bool:
    """Only what is certain: mail from lists does not name its readers either."""
    envelope = facts.card.envelope
    if facts.is_draft or not envelope.bcc or not facts.owner:
        return False
    owner = facts.owner
    is_sender = any(address.lower() in owner for _, address in envelope.from_)
    return not is_sender and any(address.lower() in owner for _, address in envelope.bcc)


def _verb_from_flags(flags: Flags) -> LastVerb:
    if flags & Flags.ANSWERED:
        return LastVerb.REPLY
    return LastVerb.FORWARD if flags & Flags.FORWARDED else LastVerb.NONE


def _conversation_index(facts: MessageFacts) -> bytes:
    """Five octets of a FILETIME, or what a client brought."""
    known = _octets(facts.bag.conversation_index)
    if known:
        return known[:_INDEX_OCTETS_MAX]
    at = facts.columns.sent_at or facts.received_at
    filetime = max(0, at + _FILETIME_EPOCH_MS) * 10_000
    return (filetime & (1 << 64) - 1).to_bytes(8, "big")[1:6]


def _octets(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""
