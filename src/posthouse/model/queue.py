"""The outbound queue's values.

Spec: RFC 3461 (NOTIFY, RET, ENVID, ORCPT), RFC 5321 §4.5.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.model.blob import BlobRef
    from posthouse.model.ids import QueueId


class Notify(IntFlag):
    """When the sender wants to hear of a recipient (RFC 3461 §4.1). 0 is "not said"."""

    UNSAID = 0
    NEVER = 1
    SUCCESS = 2
    FAILURE = 4
    DELAY = 8


class RecipientState(IntEnum):
    """Where a queued recipient stands."""

    WAITING = 0
    DELIVERED = 1
    FAILED = 2
    DROPPED = 3


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """One recipient of a queued message.

    Attributes:
        address: for RCPT TO.
        notify: DSN wishes.
        original: ORCPT as given ("" none), e.g. ``rfc822;alice@example.org``.
        state: where it stands.
        attempts: tries so far.
        next_at: when to try again, ms.
        last_reply: the remote's last words, or our own, at most 512 characters.
        delay_told_at: when a delay report was sent (0 never).
    """

    address: str
    notify: Notify = Notify.UNSAID
    original: str = ""
    state: RecipientState = RecipientState.WAITING
    attempts: int = 0
    next_at: int = 0
    last_reply: str = ""
    delay_told_at: int = 0


@dataclass(frozen=True, slots=True)
class NewQueued:
    """A message for other hosts.

    Attributes:
        sender: MAIL FROM ("" is the null sender).
        recipients: at least one.
        blob: content in wire form.
        prefix: header lines to send before it.
        queued_at: ms.
        envelope_id: ENVID ("" none).
        wants_headers_only: RET=HDRS.
        needs_smtputf8: the envelope or the header is not ASCII.
        is_8bit: BODY=8BITMIME was said or the content has octets above 127.
        submitted_by: login address of the submitter ("" for forwards and reports).
    """

    sender: str
    recipients: tuple[QueuedRecipient, ...]
    blob: BlobRef
    queued_at: int
    prefix: bytes = b""
    envelope_id: str = ""
    wants_headers_only: bool = False
    needs_smtputf8: bool = False
    is_8bit: bool = False
    submitted_by: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in the queue.

    Attributes:
        queue_id: its number.
        message: what was queued; ``recipients`` as they stand now.
        next_at: the earliest ``next_at`` of its waiting recipients.
        leased_until: a runner works on it until then (0 nobody).
    """

    queue_id: QueueId
    message: NewQueued
    next_at: int
    leased_until: int
