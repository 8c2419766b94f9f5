"""Taking mail in: every recipient of a message is served in one commit, and 250 is said only then.

Spec: RFC 5321 §4.2.5 (responsibility), §4.4 (trace), §6.1 (reliable delivery), RFC 6409
    (submission).

Notes:
    - One message is one commit: an item in each local mailbox, one queue entry per way out, the
      submitter's copy in Sent Items, reports about those who could not be served, and the receipt.
    - A receipt names (sender, recipients, content, Message-ID). While it stands, a repeat of the
      message is an echo of a lost answer and is acknowledged without a second copy. Doors settle it
      when the answer is known to have been heard; settled receipts ride along with the next commit
      of this process or are flushed soon after (``keep_settled``), since the next connection of the
      same client may reach another worker.
    - A mailbox reached twice (address, alias, group) gets one copy.
    - What the server adds stands in a prefix beside the content, which stays as it came. Only Bcc
      lines are taken out, into content of its own; the copy in Sent Items keeps them.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.trace import Hop, received_line
from posthouse.model.errors import (
    AccessDenied,
    Conflict,
    InsufficientSpace,
    MailLoop,
    NotFound,
    QuotaExceeded,
    Repeated,
    TooLarge,
    Unavailable,
)
from posthouse.services.mailflow.board import SettledBoard
from posthouse.services.mailflow.envelope import (
    Accepted,
    Journal,
    Origin,
    Policy,
    Received,
    Recipient,
    SilentJournal,
    count_nothing,
)
from posthouse.services.mailflow.filing import Filing, Message
from posthouse.services.mailflow.loops import passed
from posthouse.services.mailflow.plan import plan_for
from posthouse.services.mailflow.receipts import Receipts, receipt_of, receipt_of_key
from posthouse.services.mailflow.room import Room
from posthouse.services.mailflow.sent import mailboxes_for_copies
from posthouse.services.mailflow.submission import (
    Authorship,
    check_author,
    has_hidden_recipients,
    missing_fields,
    without_hidden_recipients,
)
from posthouse.services.mailflow.work import QUEUE_HINT

if TYPE_CHECKING:
    from posthouse.model.address import Address
    from posthouse.ports.clock import Chance, Clock
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.plan import Plan
    from posthouse.store.store import Store, Tally

__all__ = ["Accepted", "Mailflow", "Origin", "Policy", "Received", "Recipient"]

_REFUSALS_MAX = 1_000


class Mailflow:
    """Takes messages in, for every door."""

    def __init__(  # noqa: PLR0913  what a service stands on comes in as arguments
        self,
        store: Store,
        addresses: Addresses,
        policy: Policy,
        clock: Clock,
        chance: Chance,
        *,
        journal: Journal | None = None,
        tally: Tally = count_nothing,
        board: SettledBoard | None = None,
    ) -> None:
        """Make a mailflow.

        Args:
            store: the store.
            addresses: the directory's answers.
            policy: the rules of the house.
            clock: the time.
            chance: for names of messages.
            journal: the log.
            tally: the counters.
            board: shared by all workers; made before they fork. Without one each knows only its own
                settled receipts until the records know them.
        """
        self._store = store
        self._addresses = addresses
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._journal = journal or SilentJournal()
        self._tally = tally
        self._room = Room(store, clock)
        self._receipts = Receipts(store, board or SettledBoard())
        self._filing = Filing(store, addresses, policy, clock, chance, self._journal)
        self._series = chance.token_bytes(5).hex()
        self._serial = count(1)

    async def check_sender(self, sender: Address | None, origin: Origin, size: int) -> None:
        """Answer MAIL FROM.

        Args:
            sender: None is the null sender, which anyone may use (reports, receipts for read mail).
            origin: where from.
            size: as announced, 0 when not.

        Raises:
            TooLarge: announced above the limit.
            InsufficientSpace: the disk is too full to take anything in.
            AccessDenied: not an address of the login.
        """
        policy = self._policy
        if size > policy.message_bytes_max:
            raise TooLarge(f"{size} bytes announced, {policy.message_bytes_max} allowed")
        self._check_space(size)
        login = origin.login
        if (
            login is not None
            and sender is not None
            and not self._addresses.send_right(login.principal, sender)
        ):
            raise AccessDenied(f"{login.principal.address} may not send as {sender}")

    def _check_space(self, size: int) -> None:
        free = self._store.blobs.free_bytes()
        if free < max(self._policy.space_floor_bytes, 2 * size):
            raise InsufficientSpace(f"{free} bytes free")

    async def check_recipient(self, address: Address, origin: Origin, size: int) -> None:
        """Answer RCPT TO.

        Raises:
            NotFound: nobody of that name in our domains.
            AccessDenied: a foreign address and no login.
            QuotaExceeded: its only mailbox is full, or would be with ``size`` bytes more.
            Unavailable: cannot be told now.
        """
        resolution = self._addresses.resolve(address)
        if not resolution.is_local:
            if origin.login is None:
                raise AccessDenied(f"no relaying to {address}")
            return
        if len(resolution.deliveries) == 1 and not resolution.forwards:
            await self._room.check(resolution.deliveries[0].mailbox_id, size)

    async def accept(self, received: Received) -> Accepted:
        """Take a message in; when this returns it is durable for every recipient.

        Raises:
            MailLoop: it has been here before, or passed too many hosts.
            QuotaExceeded: nobody had room (some having none makes a report to the sender instead),
                or the submitter's own mailbox has none for the copy.
            NotFound: nobody of the recipients exists any more.
            AccessDenied: forged author of a submission, or foreign recipients without a login.
            TooLarge: above the limit.
            Unavailable: not now; nothing was stored.
        """
        content = received.content
        if content.ref.size_bytes > self._policy.message_bytes_max:
            raise TooLarge(f"{content.ref.size_bytes} bytes")
        been = passed(content.head)
        if been.received_count >= self._policy.received_max:
            raise MailLoop(f"{been.received_count} Received lines")
        login = received.origin.login
        authorship = Authorship()
        if login is not None:
            who = login.principal
            authorship = check_author(content.head, lambda a: self._addresses.send_right(who, a))
        plan = plan_for(
            received.recipients,
            self._addresses,
            been.delivered_to,
            may_relay=login is not None,
        )
        plan.raise_if_nobody()
        if login is not None:
            owners = map(self._addresses.owner, authorship.others)
            plan.sent_in = await mailboxes_for_copies(self._store, login.principal, owners)
            if not received.saves_copy and login.principal.mailbox_id in plan.sent_in:
                plan.sent_in.remove(login.principal.mailbox_id)
            plan.also = received.also
        message = self._message(received, lacks_sender=authorship.lacks_sender)
        receipt = _receipt(message)
        if not receipt:
            await self._commit(message, plan, b"")
        elif not await self._commit_once(message, plan, receipt):
            self._log(message, "repeated")
            return Accepted(message.queue_id, b"" if received.key else receipt, was_echo=True)
        self._log(message, "accepted", plan)
        return Accepted(message.queue_id, b"" if received.key else receipt)

    async def _commit_once(self, message: Message, plan: Plan, receipt: bytes) -> bool:
        """Commit, unless the receipt stands: then the message is an echo, and the answer False."""
        refuses_repeat = await self._receipts.begin(receipt)
        stands = False
        try:
            await self._commit(message, plan, receipt, refuses_repeat=refuses_repeat)
            stands = True
        except Repeated:
            stands = True
            return False
        finally:
            self._receipts.finished(receipt, is_committed=stands)
        return True

    def _message(self, received: Received, *, lacks_sender: bool) -> Message:
        content, origin = received.content, received.origin
        now_ms = self._clock.now_ms()
        queue_id = f"{self._series}{next(self._serial):x}"
        recipients = received.recipients
        only_to = str(recipients[0].address) if len(recipients) == 1 else ""
        trace = received_line(
            Hop(
                origin.helo,
                "" if origin.login else origin.host,
                self._policy.hostname,
                origin.protocol,
                queue_id,
                now_ms,
                only_to,
                origin.tls,
            )
        )
        columns = columns_from_head(content.head)
        client_message_id = columns.message_id
        added = b""
        shared = content
        if origin.login is not None:
            token = self._chance.token_bytes(12).hex()
            added, columns = missing_fields(
                content.head,
                columns,
                self._policy.hostname,
                token,
                now_ms,
                origin.login.principal.address if lacks_sender else "",
            )
            if has_hidden_recipients(content.head):
                shared = without_hidden_recipients(content, self._store.blobs)
        sender = "" if received.sender is None else str(received.sender)
        return Message(
            received=received,
            sender=sender,
            only_to=only_to,
            queue_id=queue_id,
            at_ms=now_ms,
            trace=trace + added if added else trace,
            added=added,
            columns=columns,
            client_message_id=client_message_id,
            shared=shared,
        )

    async def _commit(
        self, message: Message, plan: Plan, receipt: bytes, *, refuses_repeat: bool = False
    ) -> None:
        """Commit, leaving out mailboxes that turn out to be full."""
        receipts = self._receipts
        for _ in range(_REFUSALS_MAX + 10):
            assembly = await self._filing.assemble(message, plan)
            settled = receipts.take_settled()
            commit = assembly.commit(receipt, settled, refuses_repeat=refuses_repeat)
            try:
                await self._store.apply(commit)
            except (QuotaExceeded, Conflict, NotFound) as error:
                receipts.give_back(settled)
                await self._filing.reconsider(message, plan, commit, error)
            except BaseException:
                receipts.give_back(settled)
                raise
            else:
                receipts.committed(settled)
                if commit.queued:
                    self._tally("queue_added", len(commit.queued))
                    self._store.hints.publish(QUEUE_HINT)
                return
        raise Unavailable("the mailboxes kept changing")

    def _log(self, message: Message, event: str, plan: Plan | None = None) -> None:
        received = message.received
        fields: dict[str, object] = {
            "session": received.origin.session_id,
            "queue_id": message.queue_id,
            "sender": message.sender,
            "size": received.content.ref.size_bytes,
            "message_id": message.columns.message_id,
        }
        if message.only_to:
            fields["to"] = message.only_to
        else:
            fields["recipients"] = len(received.recipients)
        if plan is not None and plan.refused:
            fields["refused"] = [str(refusal.recipient.address) for refusal in plan.refused][:20]
        self._journal.info(f"mail.{event}", **fields)

    def settle(self, receipt: bytes) -> None:
        """The client is known to have heard the 250: a repeat is a message of its own now."""
        self._receipts.settle(receipt)

    async def flush_settled(self) -> None:
        """Let the records forget settled receipts now. Raises Unavailable; none is lost then."""
        await self._receipts.flush()

    async def keep_settled(self) -> None:
        """Flush settled receipts within milliseconds, for ever: run it as a task of the worker.

        A client's next connection may reach another worker, which knows of settled receipts only
        through the records.

        Raises:
            Unavailable: the records could not be written; call again later.
        """
        await self._receipts.keep_flushed()


def _receipt(message: Message) -> bytes:
    """What names the acceptance: the client's key, else what the message is."""
    received = message.received
    login = received.origin.login
    if received.key and login is not None:
        return receipt_of_key(login.principal.principal_id, received.key)
    return receipt_of(
        message.sender,
        received.recipients,
        received.content.ref.blob_hash,
        message.client_message_id,
    )
