"""Mail that rules send: redirected, forwarded, and automatic replies.

Spec: RFC 5321 §3.9.1 (forwarding), §6.3 (loops); RFC 9228 (Delivered-To); RFC 3834 §2, §4.

Notes:
    - Nothing goes in circles: an address that the message was delivered to before does not get it
      again. A message of the owner's own carries the trace of where the original has been, and is
      marked as automatic.
    - A redirected message keeps its envelope sender, a forwarded one has the owner's address; it
      is the null sender where the original was sent automatically: reports on reports end there.
    - An automatic reply goes to a sender once a week, whatever rule asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from posthouse.formats.mime.addresses import HeaderAddress
from posthouse.formats.mime.trace import delivered_to
from posthouse.model.address import Address
from posthouse.model.queue import NewQueued, Notify, QueuedRecipient
from posthouse.services.mailflow.loops import passed
from posthouse.services.mailflow.placement import forwarding_sender
from posthouse.services.rules.answered import mark_of, read_answered
from posthouse.services.rules.automatic import is_automatic, why_not
from posthouse.services.rules.letters import Stamp, automatic_reply, forwarded
from posthouse.services.rules.mine import is_address_of
from posthouse.store.messages import stage_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.model.batch import Operation
    from posthouse.model.blob import StagedBlob
    from posthouse.model.people import Principal
    from posthouse.ports.clock import Chance
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.envelope import Journal, Policy
    from posthouse.services.mailflow.letter import Letter
    from posthouse.services.rules.evaluate import Verdict
    from posthouse.store.store import Store

REPLIES = "rule-replies"
_WEEK_MS = 7 * 86_400_000


class Mail(Struct):
    """What shall be sent, and what must be noted with it.

    Attributes:
        queued: entries of the queue.
        blobs: their content.
        operations: on the owner's mailbox.
    """

    queued: list[NewQueued] = []
    blobs: list[StagedBlob] = []
    operations: list[Operation] = []


class HandingOn:
    """Makes the mail, for one process."""

    def __init__(
        self,
        store: Store,
        addresses: Addresses,
        policy: Policy,
        chance: Chance,
        journal: Journal,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._policy = policy
        self._chance = chance
        self._journal = journal

    async def mail(self, letter: Letter, verdict: Verdict, owner: Principal) -> Mail:
        """Everything that a verdict wants sent."""
        mail = Mail()
        if verdict.redirects or verdict.forwards or verdict.attached_forwards:
            self._hand_on(mail, letter, verdict, owner)
        if verdict.replies:
            await self._reply(mail, letter, verdict.replies[0], owner)
        return mail

    # --- handing on

    def _hand_on(self, mail: Mail, letter: Letter, verdict: Verdict, owner: Principal) -> None:
        been = passed(letter.head)
        if been.received_count >= self._policy.received_max:
            self._journal.warning("rules.loop", to=owner.address, received=been.received_count)
            return
        known = been.delivered_to | {owner.address}
        if to := self._reachable(verdict.redirects, known, owner):
            mail.queued.append(_redirected(letter, to, owner))
        trace = b"".join(map(delivered_to, sorted(known)))
        if to := self._reachable(verdict.forwards, known, owner):
            self._forward(mail, letter, owner, to, trace)
        if to := self._reachable(verdict.attached_forwards, known, owner):
            self._forward(mail, letter, owner, to, trace, as_attachment=True)

    def _reachable(
        self, addresses: Iterable[str], known: frozenset[str], owner: Principal
    ) -> tuple[str, ...]:
        """Those where the message has not been."""
        found: list[str] = []
        for text in addresses:
            address = Address.parse(text)
            person = self._addresses.owner(address)
            if address.key in known or (person is not None and person.address in known):
                self._journal.info("rules.loop", to=owner.address, address=text)
            else:
                found.append(str(address))
        return tuple(found)

    def _forward(
        self,
        mail: Mail,
        letter: Letter,
        owner: Principal,
        to: tuple[str, ...],
        trace: bytes,
        *,
        as_attachment: bool = False,
    ) -> None:
        entries = tuple(HeaderAddress("", address) for address in to)
        stamp = self._stamp(letter, owner)
        content = forwarded(letter.plain(), stamp, entries, as_attachment=as_attachment)
        is_quiet = not letter.sender or is_automatic(letter.head)
        sender = "" if is_quiet else owner.address
        self._send(mail, letter, content, sender, to, prefix=trace)

    # --- replying

    async def _reply(self, mail: Mail, letter: Letter, text: str, owner: Principal) -> None:
        reason = why_not(letter.head, letter.sender, is_address_of(self._addresses, owner))
        if reason:
            self._journal.info("rules.no-reply", to=owner.address, reason=reason)
            return
        records = self._store.records
        mailbox = await records.mailbox(owner.mailbox_id)
        period = letter.at_ms // _WEEK_MS
        answered = await read_answered(records, owner.mailbox_id, REPLIES, period)
        mark = mark_of(mailbox.guid, letter.sender)
        if answered.has(mark):
            return
        mail.operations.append(answered.added(mark).kept(REPLIES))
        entry = HeaderAddress("", letter.sender)
        content = automatic_reply(letter.head, self._stamp(letter, owner), entry, text)
        self._send(mail, letter, content, "", (letter.sender,))

    # --- both

    def _stamp(self, letter: Letter, owner: Principal) -> Stamp:
        message_id = f"{self._chance.token_bytes(12).hex()}@{self._policy.hostname}"
        return Stamp(HeaderAddress(owner.name, owner.address), message_id, letter.at_ms)

    def _send(
        self,
        mail: Mail,
        letter: Letter,
        content: bytes,
        sender: str,
        to: tuple[str, ...],
        *,
        prefix: bytes = b"",
    ) -> None:
        staged = stage_message(self._store.blobs, content)
        notify = Notify.UNSAID if sender else Notify.NEVER
        mail.blobs.append(staged)
        mail.queued.append(
            NewQueued(
                sender=sender,
                recipients=tuple(
                    QueuedRecipient(address, notify, next_at=letter.at_ms) for address in to
                ),
                blob=staged.ref,
                queued_at=letter.at_ms,
                prefix=prefix,
                needs_smtputf8=not all(address.isascii() for address in (sender, *to)),
                is_8bit=not content.isascii(),
            )
        )


def _redirected(letter: Letter, to: tuple[str, ...], owner: Principal) -> NewQueued:
    sender = forwarding_sender(letter.sender)
    notify = letter.notify
    if notify & Notify.SUCCESS:
        # It has arrived: of that the sender is told here.
        notify = (notify & ~Notify.SUCCESS) or Notify.FAILURE
    return NewQueued(
        sender=sender,
        recipients=tuple(
            QueuedRecipient(address, notify, letter.original, next_at=letter.at_ms)
            for address in to
        ),
        blob=letter.content,
        queued_at=letter.at_ms,
        prefix=delivered_to(owner.address) + letter.trace,
        envelope_id=letter.envelope_id,
        wants_headers_only=letter.wants_headers_only,
        needs_smtputf8=letter.needs_smtputf8 or not all(a.isascii() for a in (sender, *to)),
        is_8bit=letter.is_8bit,
    )
