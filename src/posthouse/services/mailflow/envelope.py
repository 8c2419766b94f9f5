"""What a door hands to the mailflow, what it gets back, and the rules of the house.

Spec: RFC 5321 §2.3.1 (envelope), RFC 3461 §4 (NOTIFY, RET, ENVID, ORCPT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from posthouse.model.queue import Notify

if TYPE_CHECKING:
    from posthouse.model.address import Address
    from posthouse.model.batch import Operation
    from posthouse.model.blob import StagedBlob
    from posthouse.model.ids import MailboxId
    from posthouse.model.people import Login


class Journal(Protocol):
    """Where events are told; ``runtime.logs.Log`` is one."""

    def info(self, event: str, **fields: object) -> None:
        """Something happened as it should."""
        ...

    def warning(self, event: str, **fields: object) -> None:
        """Something an operator may want to know."""
        ...

    def error(self, event: str, **fields: object) -> None:
        """Something an operator must know."""
        ...


class SilentJournal:
    """Tells nobody."""

    def info(self, event: str, **fields: object) -> None:
        """Nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Nothing."""

    def error(self, event: str, **fields: object) -> None:
        """Nothing."""


def count_nothing(name: str, n: int = 1) -> None:
    """A tally for those who do not count."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules by which mail is taken in.

    Attributes:
        hostname: our name in Received lines, reports and Message-IDs.
        message_bytes_max: largest message.
        space_floor_bytes: nothing is taken in below this much free disk (or twice the message's
            size).
        received_max: this many Received lines are a loop.
        report_content_max: a failure report carries the whole message up to this size, else its
            header.
        postmaster: whom reports come from; "" is postmaster@hostname.
    """

    hostname: str
    message_bytes_max: int = 50 << 20
    space_floor_bytes: int = 1 << 30
    received_max: int = 50
    report_content_max: int = 64 << 10
    postmaster: str = ""


class Origin(Struct, frozen=True):
    """Where a message came from.

    Attributes:
        host: the peer's IP address.
        port: its port.
        helo: what it called itself.
        protocol: as in Received lines: ESMTP, ESMTPS, ESMTPSA, LMTP ... (RFC 3848).
        login: who logged in; None for mail from outside.
        session_id: of the connection, for the log.
        tls: version and cipher, "" without TLS.
    """

    host: str
    port: int
    helo: str
    protocol: str
    login: Login | None
    session_id: str
    tls: str = ""


class Recipient(Struct, frozen=True):
    """One RCPT TO.

    Attributes:
        address: parsed.
        text: as given.
        notify: NOTIFY.
        original: ORCPT as ``type;address``, xtext undone ("" none).
    """

    address: Address
    text: str
    notify: Notify = Notify.UNSAID
    original: str = ""


class Received(Struct, frozen=True):
    """A message as a door took it in.

    Attributes:
        sender: MAIL FROM; None is the null sender.
        recipients: at least one.
        content: staged, in wire form.
        origin: where from.
        envelope_id: ENVID, xtext undone ("" none).
        wants_headers_only: RET=HDRS.
        needs_smtputf8: SMTPUTF8 was said.
        is_8bit: BODY=8BITMIME was said, or there are octets above 127.
        saves_copy: of a submission: whether a copy goes to the submitter's Sent Items.
        key: of a submission: the client's own name for it, at most 64 octets. The same key of the
            same person is taken in once, whatever it holds; b"" none.
        also: done in the same commit; all left out when something they need is gone. None refers to
            another by ``Made``.
    """

    sender: Address | None
    recipients: tuple[Recipient, ...]
    content: StagedBlob
    origin: Origin
    envelope_id: str = ""
    wants_headers_only: bool = False
    needs_smtputf8: bool = False
    is_8bit: bool = False
    saves_copy: bool = True
    key: bytes = b""
    also: tuple[tuple[MailboxId, Operation], ...] = ()


class Accepted(Struct, frozen=True):
    """A message that is ours now.

    Attributes:
        queue_id: names it in the reply, the Received line and the log.
        receipt: for ``Mailflow.settle`` once the client is known to have heard the answer; b"" when
            there is none, or when the client's key names the message.
        was_echo: the client repeated a message whose answer got lost; nothing was stored again.
    """

    queue_id: str
    receipt: bytes = b""
    was_echo: bool = False
