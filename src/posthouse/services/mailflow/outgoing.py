"""Sending whole messages: for doors that bring MIME and no envelope.

Spec: RFC 6409 §8 (what a submission server may add), RFC 5322 §3.6.2, §3.6.3; [MS-ASCMD]
    §2.2.1.17 (SendMail), §2.2.3.28.1 (ClientId).

Notes:
    The envelope is made from the header: recipients of To, Cc and Bcc, and the author as sender.
    From there a message goes the way of every submission (``Mailflow.accept``): author checked,
    what is missing put in, Bcc out, a copy in Sent Items, all in one commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats.mime.addresses import HeaderAddress, parse_addresses
from posthouse.formats.mime.compose_parts import address_field, with_crlf
from posthouse.formats.mime.dots import stuff
from posthouse.formats.mime.headers import LIMITS, fields, header_block
from posthouse.formats.mime.original_parts import field_lines
from posthouse.model.address import Address
from posthouse.model.blob import BlobForm
from posthouse.model.errors import AccessDenied, NotFound, ParserFailed, TooLarge, Unavailable
from posthouse.services.directory.addresses import SendRight
from posthouse.services.mailflow.envelope import Received, Recipient
from posthouse.services.mailflow.receipts import receipt_of_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from posthouse.model.batch import Operation
    from posthouse.model.blob import StagedBlob
    from posthouse.model.ids import MailboxId, PrincipalId
    from posthouse.model.people import Login, Principal
    from posthouse.ports.blobs import Staging
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.accept import Mailflow
    from posthouse.services.mailflow.envelope import Accepted, Origin
    from posthouse.services.mailflow.rates import SendingRates
    from posthouse.store.store import Store

RECIPIENTS_MAX = 1_000
_RECIPIENT_FIELDS = (b"to", b"cc", b"bcc")


class Outgoing:
    """Sends for the people who logged in.

    Args:
        store: the store.
        mailflow: takes the messages.
        addresses: who may send as whom.
        rates: how much one login may send; None: as much as it wants.
    """

    def __init__(
        self,
        store: Store,
        mailflow: Mailflow,
        addresses: Addresses,
        rates: SendingRates | None = None,
    ) -> None:
        self._store = store
        self._mailflow = mailflow
        self._addresses = addresses
        self._rates = rates

    async def was_sent(self, login: Login, key: bytes) -> bool:
        """Whether a message of this key was taken in before (remembered for a week)."""
        receipt = receipt_of_key(login.principal.principal_id, key)
        return bool(key) and await self._store.records.receipt_stands(receipt)

    async def send(
        self,
        origin: Origin,
        mime: bytes,
        *,
        saves_copy: bool = True,
        key: bytes = b"",
        bcc: Sequence[str] = (),
        also: Sequence[tuple[MailboxId, Operation]] = (),
    ) -> Accepted:
        """Send a message; when this returns it is durable for every recipient.

        Args:
            origin: where it came from; with the login.
            mime: whole message; any line ends. Without an author it gets the login's own address.
            saves_copy: file a copy in the login's Sent Items.
            key: the client's own name for this message: the same key again, at the same time or
                within a week, is acknowledged (``was_echo``) and nothing is sent.
            bcc: recipients that do not stand in the header. The copy in Sent Items shows them.
            also: done in the same commit, such as marks on the message answered; left out when what
                they need is gone. None refers to another by ``Made``.

        Raises:
            NotFound: no recipient at all, or nobody of them exists.
            ParserFailed: something meant as an address cannot be read; its text is in the message.
            TooLarge: the message, its header or its number of recipients is above the limit.
            AccessDenied: no login, or an author or sender that it may not write as.
            QuotaExceeded: no room for the copy, or at any recipient.
            MailLoop: it has passed too many hosts.
            Unavailable: not now (InsufficientSpace: the disk is full; or the login has sent enough
                for the hour or the day); nothing was stored.
        """
        if origin.login is None:
            raise AccessDenied("sending needs a login")
        principal = origin.login.principal
        content = with_crlf(mime)
        header = _Header(content)
        added = b""
        if not header.has_author:
            content = header.content_without_authors()
            added += address_field("From", [HeaderAddress(principal.name, principal.address)])
        hidden = [one for text in bcc for one in parse_addresses(text.encode("utf-8", "replace"))]
        recipients = _recipients([*header.recipients, *hidden])
        known = {one.address for one in header.recipients}
        added += address_field("Bcc", [one for one in hidden if one.address not in known])
        content = added + content
        sender = self._envelope_sender(principal, header)
        await self._mailflow.check_sender(sender, origin, len(content))
        self._count(principal.principal_id, len(recipients))
        staging = self._store.blobs.stage(BlobForm.WIRE)
        accepted = None
        try:
            received = Received(
                sender,
                recipients,
                _staged(staging, content),
                origin,
                is_8bit=not content.isascii(),
                saves_copy=saves_copy,
                key=key,
                also=tuple(also),
            )
            accepted = await self._mailflow.accept(received)
        finally:
            if accepted is None or accepted.was_echo:
                staging.discard()
                if self._rates is not None:
                    self._rates.give_back(principal.principal_id, len(recipients))
        return accepted

    def _count(self, principal_id: PrincipalId, recipients: int) -> None:
        """Count the recipients. Raises Unavailable when that would be too many."""
        rates = self._rates
        if rates is None:
            return
        for counted in range(recipients):
            if not rates.take(principal_id):
                rates.give_back(principal_id, counted)
                raise Unavailable("this login has sent enough for now", retry_after_s=3_600)

    def _envelope_sender(self, principal: Principal, header: _Header) -> Address:
        """Where reports go: to the address in Sender or From when it is the login's to use."""
        for entry in header.authors:
            try:
                address = Address.parse(entry.address)
            except ValueError:
                continue
            if self._addresses.send_right(principal, address) >= SendRight.AS:
                return address
        return Address.parse(principal.address)


class _Header:
    """What the header of a message says of people."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._size = header_block(content)
        head = content[: self._size]
        if len(head) > LIMITS.header_bytes_max or head.count(b"\n") > LIMITS.lines_max:
            raise TooLarge(f"header of {len(head)} bytes")
        self.recipients: list[HeaderAddress] = []
        froms: list[HeaderAddress] = []
        senders: list[HeaderAddress] = []
        for field in fields(head):
            if len(field.value) >= LIMITS.field_bytes_max:
                raise TooLarge(f"field of {len(field.value)} bytes")
            if field.name in _RECIPIENT_FIELDS:
                self.recipients += parse_addresses(field.value)
            elif field.name == b"from":
                froms += parse_addresses(field.value)
            elif field.name == b"sender":
                senders += parse_addresses(field.value)
        self.authors = [*senders, *froms]
        self.has_author = any(entry.address for entry in froms)

    def content_without_authors(self) -> bytes:
        """The message without its From fields, which name nobody."""
        lines = field_lines(self._content[: self._size])
        if all(name != b"from" for name, _ in lines):
            return self._content
        kept = [raw for name, raw in lines if name != b"from"]
        return b"".join((*kept, b"\r\n", self._content[self._size :]))


def _recipients(entries: Iterable[HeaderAddress]) -> tuple[Recipient, ...]:
    """Each address once. Words between addresses are nobody; a broken address is an error."""
    found: dict[str, Recipient] = {}
    for entry in entries:
        text = entry.address or entry.name
        if "@" not in text:
            continue
        try:
            address = Address.parse(entry.address)
        except ValueError:
            raise ParserFailed(f"not an address: {text[:200]!r}") from None
        found.setdefault(address.key, Recipient(address, entry.address))
        if len(found) > RECIPIENTS_MAX:
            raise TooLarge(f"more than {RECIPIENTS_MAX} recipients")
    if not found:
        raise NotFound("no recipient")
    return tuple(found.values())


def _staged(staging: Staging, content: bytes) -> StagedBlob:
    wire, has_dot_lines, lacks_final_eol = stuff(content)
    staging.write(wire)
    return staging.finish(
        len(content), has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol
    )
