"""What a message carries beyond columns and marks: categories, follow-up, the last reply.

Spec: [MS-ASEMAIL] §2.2.2; [MS-OXOFLAG] §2.2.1.

Notes:
    Kept in the item's bag, a JSON object. Keys that nobody here knows survive every change.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec
from msgspec import Struct


class FollowUpStatus(IntEnum):
    """The numbers are [MS-ASEMAIL]'s."""

    CLEARED = 0
    COMPLETE = 1
    ACTIVE = 2


class LastVerb(IntEnum):
    """What was last done with a message; the numbers are [MS-ASEMAIL]'s."""

    NONE = 0
    REPLY = 1
    REPLY_ALL = 2
    FORWARD = 3


class FollowUp(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A flag on a message. Times are ms UTC, 0 when not said.

    Attributes:
        status: whether there is still something to do.
        kind: words beside the flag, such as "Follow up".
        subject: of the task that the flag stands for.
        start_at: when to begin.
        due_at: until when.
        reminder_at: when to be reminded; 0 never.
        completed_at: when it was done.
        ordinal_at: date by which clients order.
        sub_ordinal: order among those of the same ``ordinal_at``.
    """

    status: FollowUpStatus = FollowUpStatus.CLEARED
    kind: str = ""
    subject: str = ""
    start_at: int = 0
    due_at: int = 0
    reminder_at: int = 0
    completed_at: int = 0
    ordinal_at: int = 0
    sub_ordinal: str = ""


class MessageBag(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of the bag of a message is known.

    Attributes:
        categories: names, in the order given.
        follow_up: the flag's details; None: there were none.
        last_verb: what was last done with it.
        last_verb_at: when, ms; 0 never.
        conversation: 16 octets as 32 hexadecimal digits, when a client chose it ("" ours).
        conversation_index: as a client brought it, hexadecimal ("" none).
    """

    categories: tuple[str, ...] = ()
    follow_up: FollowUp | None = None
    last_verb: LastVerb = LastVerb.NONE
    last_verb_at: int = 0
    conversation: str = ""
    conversation_index: str = ""


def bag_of(bag: bytes) -> MessageBag:
    """What is known of a bag; one that cannot be read says nothing."""
    if not bag:
        return MessageBag()
    try:
        return msgspec.json.decode(bag, type=MessageBag)
    except msgspec.MsgspecError:
        return MessageBag()


def bag_with(bag: bytes, known: MessageBag) -> bytes:
    """The bag with ``known`` in the place of what it said of it; b"" when it is empty."""
    rest: dict[str, Any] = {}
    if bag:
        try:
            rest = msgspec.json.decode(bag, type=dict[str, Any])
        except msgspec.MsgspecError:
            rest = {}
    for name in MessageBag.__struct_fields__:
        rest.pop(name, None)
    rest.update(msgspec.to_builtins(known))
    return msgspec.json.encode(rest) if rest else b""
