"""From a plan to a commit: items, queue entries, the copy in Sent Items, reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.formats.mime.report import Action, RecipientFate
from posthouse.formats.mime.trace import delivered_to
from posthouse.model.errors import (
    Conflict,
    MailLoop,
    NotFound,
    PosthouseError,
    QuotaExceeded,
    Unavailable,
)
from posthouse.model.folder import FolderRole
from posthouse.model.item import ItemKind, NewItem
from posthouse.model.queue import NewQueued, Notify, QueuedRecipient
from posthouse.services.mailflow.assembly import Assembly
from posthouse.services.mailflow.dsn import (
    Notice,
    Reports,
    as_xtext,
    plain_of_staged,
    returned_part,
    wants_failure,
    wants_success,
)
from posthouse.services.mailflow.letter import Letter, beginning_of_staged
from posthouse.services.mailflow.placement import Placement, forwarding_sender, local_prefix
from posthouse.services.mailflow.ruling import Ruling
from posthouse.services.mailflow.sent import file_copy, filed_copy, sent_item

if TYPE_CHECKING:
    from posthouse.model.batch import Commit
    from posthouse.model.blob import StagedBlob
    from posthouse.model.ids import MailboxId
    from posthouse.model.item import ItemColumns
    from posthouse.ports.clock import Chance, Clock
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.envelope import Journal, Policy, Received, Recipient
    from posthouse.services.mailflow.plan import Plan, Refusal
    from posthouse.store.store import Store


_MESSAGE = ItemKind.MESSAGE


@dataclass(slots=True)
class Message:
    """A message being taken in. Never changed once made (freezing it costs microseconds).

    Attributes:
        received: as the door gave it.
        sender: MAIL FROM as text, "" for the null sender.
        only_to: the recipient as text when there is one alone, else "".
        queue_id: names it in log and reply.
        at_ms: when it was taken in.
        trace: Received and what submission added, to stand before the content.
        added: what submission added alone.
        columns: typed columns.
        client_message_id: as the client wrote it, "" when it did not: then a repeat cannot be
            recognised.
        shared: the content for recipients (without Bcc lines).
    """

    received: Received
    sender: str
    only_to: str
    queue_id: str
    at_ms: int
    trace: bytes
    added: bytes
    columns: ItemColumns
    client_message_id: str
    shared: StagedBlob


class Filing:
    """Makes commits of plans."""

    def __init__(
        self,
        store: Store,
        addresses: Addresses,
        policy: Policy,
        clock: Clock,
        chance: Chance,
        journal: Journal,
    ) -> None:
        self._store = store
        self._placement = Placement(store)
        self._policy = policy
        self._ruling = Ruling(store, addresses, policy, chance, self._placement, journal)
        self._reports = Reports(
            store, addresses, policy, clock, chance, placement=self._placement, journal=journal
        )

    async def assemble(self, message: Message, plan: Plan) -> Assembly:
        """Everything that one message brings about, as one commit."""
        assembly = Assembly()
        assembly.bring(message.shared)
        columns, ref = message.columns, message.shared.ref
        book = self._ruling.book
        for mailbox_id, delivery in plan.deliveries.items():
            detail = "" if plan.ignores_detail else delivery.target.detail
            folder_id = None if detail else self._placement.known_inbox(mailbox_id)
            if folder_id is None:
                folder_id = await self._placement.inbox(mailbox_id, detail)
            prefix = local_prefix(message.sender, delivery.target.principal.address, message.trace)
            item = NewItem(_MESSAGE, ref, message.at_ms, prefix, columns=columns)
            rules = book.known(mailbox_id, message.at_ms)
            if rules is None:
                rules = await book.read(mailbox_id)
            if rules:
                owner, letter = delivery.target.principal, _letter(message, delivery.recipient)
                await self._ruling.file(assembly, letter, rules, owner, folder_id, item)
            else:
                assembly.add_item(mailbox_id, folder_id, item)
        if plan.foreign or plan.forwards:
            _enqueue(assembly, message, plan)
        if plan.sent_in:
            await self._file_sent(assembly, message, plan)
        if (plan.refused or plan.has_wishes) and plan.reports and message.sender:
            await self._add_reports(assembly, message, plan)
        for mailbox_id, operation in plan.also:
            assembly.do(mailbox_id, operation)
        return assembly

    async def _file_sent(self, assembly: Assembly, message: Message, plan: Plan) -> None:
        original = message.received.content
        assembly.bring(original)
        item = sent_item(original.ref, message.added, message.at_ms, message.columns)
        for mailbox_id in plan.sent_in:
            try:
                folder_id = await self._placement.special(mailbox_id, FolderRole.SENT)
            except NotFound:
                if _is_own(message, mailbox_id):
                    raise
                continue  # removed a moment ago: nobody is left to look at a copy there
            file_copy(assembly, mailbox_id, folder_id, item)

    async def _add_reports(self, assembly: Assembly, message: Message, plan: Plan) -> None:
        """Reports on recipients refused, and on successes that were asked for."""
        failed = [_fate_of(r) for r in plan.refused if wants_failure(r.recipient.notify)]
        if failed:
            await self._reports.add(assembly, self._notice(message, failed))
        refused = {refusal.recipient.address.key for refusal in plan.refused}
        recipients = [delivery.recipient for delivery in plan.deliveries.values()]
        recipients += [forward.recipient for forward in plan.forwards]
        served = {r.address.key: r for r in recipients if wants_success(r.notify)}
        arrived = [
            RecipientFate(
                str(recipient.address),
                Action.EXPANDED if key in plan.expanded else Action.DELIVERED,
                "2.1.5",
                original=as_xtext(recipient.original),
                last_attempt_at=message.at_ms,
            )
            for key, recipient in served.items()
            if key not in refused
        ]
        if arrived:
            await self._reports.add(assembly, self._notice(message, arrived))

    def _notice(self, message: Message, fates: list[RecipientFate]) -> Notice:
        received, content = message.received, message.shared
        size_bytes = content.ref.size_bytes
        content_max = self._policy.report_content_max
        returned, is_whole = returned_part(
            plain_of_staged(content) if size_bytes <= content_max else content.head,
            size_bytes,
            is_failure=fates[0].action is Action.FAILED,
            headers_only=received.wants_headers_only,
            content_max=content_max,
        )
        return Notice(
            message.sender,
            tuple(fates),
            message.at_ms,
            message.added + returned,
            is_whole,
            received.envelope_id,
        )

    async def reconsider(
        self, message: Message, plan: Plan, commit: Commit, error: PosthouseError
    ) -> None:
        """Change the plan after a commit that failed; raise when nothing is left to try."""
        match error:
            case QuotaExceeded():
                self._without_full_mailbox(message, plan, commit, error)
            case Conflict() if plan.sent_in:
                await self._without_second_copies(message, plan)
            case NotFound() | Conflict() if plan.also:
                plan.also = ()
            case NotFound() if not plan.ignores_detail:
                plan.ignores_detail = True
                self._placement.forget()
            case _:
                raise Unavailable(f"a mailbox has changed: {error}") from error

    async def _without_second_copies(self, message: Message, plan: Plan) -> None:
        """Leave out Sent Items where the message lies already; rather all than loop."""
        message_id = message.columns.message_id
        left = [
            mailbox_id
            for mailbox_id in plan.sent_in
            if await filed_copy(self._store, mailbox_id, message_id) is None
        ]
        plan.sent_in = left if len(left) < len(plan.sent_in) else []

    def _without_full_mailbox(
        self, message: Message, plan: Plan, commit: Commit, error: QuotaExceeded
    ) -> None:
        mailbox_id = commit.batches[error.batch_index].mailbox_id
        if mailbox_id in plan.sent_in:
            if _is_own(message, mailbox_id):
                raise error
            # Perhaps it has room for the message itself, if it gets that one, too.
            plan.sent_in.remove(mailbox_id)
        elif mailbox_id in plan.deliveries:
            plan.refuse(mailbox_id, error)
            if not plan.has_takers:
                raise error
        elif any(mailbox_id == touched for touched, _ in plan.also):
            plan.also = ()
        else:
            plan.reports = False


def _is_own(message: Message, mailbox_id: MailboxId) -> bool:
    login = message.received.origin.login
    return login is not None and login.principal.mailbox_id == mailbox_id


def _letter(message: Message, recipient: Recipient) -> Letter:
    """As the rules of one recipient see it."""
    received, content = message.received, message.shared
    return Letter(
        sender=message.sender,
        head=content.head,
        columns=message.columns,
        content=content.ref,
        trace=message.trace,
        at_ms=message.at_ms,
        plain=lambda: plain_of_staged(content),
        beginning=lambda bytes_max: beginning_of_staged(content, bytes_max),
        notify=recipient.notify,
        original=recipient.original,
        envelope_id=received.envelope_id,
        wants_headers_only=received.wants_headers_only,
        needs_smtputf8=received.needs_smtputf8,
        is_8bit=received.is_8bit,
    )


def _enqueue(assembly: Assembly, message: Message, plan: Plan) -> None:
    if plan.foreign:
        recipients = tuple(
            _queued(r, str(r.address), r.notify, message.at_ms) for r in plan.foreign
        )
        assembly.enqueue(_entry(message, message.sender, recipients, message.trace))
    via: dict[str, list[QueuedRecipient]] = {}
    for recipient, address in plan.forwards:
        notify = recipient.notify
        if notify & Notify.SUCCESS:
            notify = (notify & ~Notify.SUCCESS) or Notify.FAILURE
        via.setdefault(recipient.address.key, []).append(
            _queued(recipient, address, notify, message.at_ms)
        )
    for key, forwarded in via.items():
        trace = delivered_to(key) + message.trace
        entry = _entry(message, forwarding_sender(message.sender), tuple(forwarded), trace)
        assembly.enqueue(entry)


def _queued(recipient: Recipient, address: str, notify: Notify, at_ms: int) -> QueuedRecipient:
    return QueuedRecipient(address, notify, recipient.original, next_at=at_ms)


def _entry(
    message: Message, sender: str, recipients: tuple[QueuedRecipient, ...], trace: bytes
) -> NewQueued:
    received = message.received
    login = received.origin.login
    is_ascii = sender.isascii() and all(r.address.isascii() for r in recipients)
    return NewQueued(
        sender=sender,
        recipients=recipients,
        blob=message.shared.ref,
        queued_at=message.at_ms,
        prefix=trace,
        envelope_id=received.envelope_id,
        wants_headers_only=received.wants_headers_only,
        needs_smtputf8=received.needs_smtputf8 or not is_ascii,
        is_8bit=received.is_8bit,
        submitted_by=login.principal.address if login else "",
    )


def _fate_of(refusal: Refusal) -> RecipientFate:
    recipient, error = refusal
    match error:
        case QuotaExceeded():
            status, reason = "5.2.2", "the mailbox is full; its owner has to make room"
        case MailLoop():
            status, reason = "5.4.6", "the message was there before and is going round in circles"
        case NotFound():
            status, reason = "5.1.1", "there is no such recipient; check the address"
        case _:
            status, reason = "5.3.0", "the message could not be delivered"
    return RecipientFate(
        str(recipient.address),
        Action.FAILED,
        status,
        original=as_xtext(recipient.original),
        reason=reason,
    )
