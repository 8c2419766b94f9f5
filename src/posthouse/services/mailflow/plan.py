"""Who gets a message: local mailboxes once each, ways out, and those who cannot be served.

Spec: RFC 5321 §3.9 (aliases and lists), RFC 3461 §5.2 (what becomes of NOTIFY).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from posthouse.model.errors import AccessDenied, MailLoop, NotFound, PosthouseError
from posthouse.model.queue import Notify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.batch import Operation
    from posthouse.model.ids import MailboxId
    from posthouse.services.directory.addresses import Addresses, LocalTarget
    from posthouse.services.mailflow.envelope import Recipient


_UNSAID = Notify.UNSAID


class Delivery(NamedTuple):
    """A mailbox that gets the message, and the recipient through whom."""

    recipient: Recipient
    target: LocalTarget


class Forward(NamedTuple):
    """A foreign address that gets the message because a local one points there."""

    recipient: Recipient
    address: str


class Refusal(NamedTuple):
    """A recipient who does not get the message."""

    recipient: Recipient
    error: PosthouseError


@dataclass(slots=True)
class Plan:
    """What shall happen to one message; refusals at commit time change it.

    Attributes:
        deliveries: by mailbox.
        forwards: foreign addresses behind local ones.
        foreign: recipients elsewhere.
        refused: those who get nothing.
        expanded: recipients behind whom more than one mailbox or address stands.
        ignores_detail: deliver to Inbox whatever the address names.
        sent_in: mailboxes that get a copy in Sent Items, the submitter's own first.
        reports: tell the sender about ``refused`` and of successes asked for.
        has_wishes: some recipient came with NOTIFY.
        also: what the door wants done in the same commit.
    """

    deliveries: dict[MailboxId, Delivery] = field(default_factory=dict)
    forwards: list[Forward] = field(default_factory=list)
    foreign: list[Recipient] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    expanded: set[str] = field(default_factory=set)
    ignores_detail: bool = False
    sent_in: list[MailboxId] = field(default_factory=list)
    reports: bool = True
    has_wishes: bool = False
    also: tuple[tuple[MailboxId, Operation], ...] = ()

    @property
    def has_takers(self) -> bool:
        """Whether anyone gets the message."""
        return bool(self.deliveries or self.forwards or self.foreign)

    def refuse(self, mailbox_id: MailboxId, error: PosthouseError) -> None:
        """A mailbox cannot take it."""
        delivery = self.deliveries.pop(mailbox_id)
        self.refused.append(Refusal(delivery.recipient, error))

    def raise_if_nobody(self) -> None:
        """Raise the first refusal when nobody gets the message."""
        if not self.has_takers:
            raise self.refused[0].error if self.refused else NotFound("no recipient")


def plan_for(
    recipients: Sequence[Recipient],
    addresses: Addresses,
    been_at: frozenset[str],
    *,
    may_relay: bool,
) -> Plan:
    """Work out who gets a message.

    Args:
        recipients: of the envelope.
        addresses: the directory's answers.
        been_at: keys of addresses that the message was delivered to before.
        may_relay: foreign recipients are allowed (the sender logged in).

    Raises:
        AccessDenied: a foreign recipient without leave.
    """
    plan = Plan()
    outward: set[str] = set()
    for recipient in recipients:
        if recipient.notify is not _UNSAID:
            plan.has_wishes = True
        try:
            resolution = addresses.resolve(recipient.address)
        except (NotFound, AccessDenied) as error:
            plan.refused.append(Refusal(recipient, error))
            continue
        if not resolution.is_local:
            if not may_relay:
                raise AccessDenied(f"no relaying to {recipient.address}")
            if recipient.address.key not in outward:
                outward.add(recipient.address.key)
                plan.foreign.append(recipient)
            continue
        _plan_local(plan, recipient, resolution.deliveries, resolution.forwards, been_at)
    if not plan.forwards:
        return plan
    plan.forwards = [
        forward
        for n, forward in enumerate(plan.forwards)
        if forward.address.casefold() not in outward
        and all(forward.address != earlier.address for earlier in plan.forwards[:n])
    ]
    return plan


def _plan_local(
    plan: Plan,
    recipient: Recipient,
    targets: Sequence[LocalTarget],
    forwards: Sequence[str],
    been_at: frozenset[str],
) -> None:
    if been_at and recipient.address.key in been_at:
        plan.refused.append(Refusal(recipient, MailLoop(f"was at {recipient.address} before")))
        return
    if not targets and not forwards:
        plan.refused.append(Refusal(recipient, NotFound(f"nobody behind {recipient.address}")))
        return
    if len(targets) + len(forwards) > 1:
        plan.expanded.add(recipient.address.key)
    for target in targets:
        if been_at and target.principal.address in been_at:
            error = MailLoop(f"was at {target.principal.address} before")
            plan.refused.append(Refusal(recipient, error))
        else:
            plan.deliveries.setdefault(target.mailbox_id, Delivery(recipient, target))
    plan.forwards += [Forward(recipient, address) for address in forwards]
