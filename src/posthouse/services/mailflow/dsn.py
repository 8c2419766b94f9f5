"""Delivery reports: made of fates, filed for local senders, queued for others.

Spec: RFC 3461 §6 (who gets one), RFC 3464 (format), RFC 5321 §6.1 (never to the null sender).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthouse.formats.mime.columns import columns_from_head
from posthouse.formats.mime.dots import unstuff
from posthouse.formats.mime.headers import header_block
from posthouse.formats.mime.report import DeliveryReport, render_report
from posthouse.model.address import Address
from posthouse.model.errors import NotFound
from posthouse.model.item import ItemKind, NewItem
from posthouse.model.queue import NewQueued, Notify, QueuedRecipient
from posthouse.services.mailflow.placement import local_prefix
from posthouse.store.messages import stage_stuffed

if TYPE_CHECKING:
    from posthouse.formats.mime.report import RecipientFate
    from posthouse.model.blob import StagedBlob
    from posthouse.ports.clock import Chance, Clock
    from posthouse.services.directory.addresses import Addresses
    from posthouse.services.mailflow.assembly import Assembly
    from posthouse.services.mailflow.envelope import Journal, Policy
    from posthouse.services.mailflow.placement import Placement
    from posthouse.store.store import Store


@dataclass(frozen=True, slots=True)
class Notice:
    """What a sender shall hear.

    Attributes:
        sender: MAIL FROM of the message; "" hears nothing.
        fates: of the recipients concerned, at least one.
        arrived_at: when the message came to us, ms.
        returned: plain content, whole or its beginning with at least the header block.
        is_whole: ``returned`` is the whole content and shall go back whole.
        envelope_id: ENVID ("" none).
    """

    sender: str
    fates: tuple[RecipientFate, ...]
    arrived_at: int
    returned: bytes
    is_whole: bool = False
    envelope_id: str = ""


def wants_failure(notify: Notify) -> bool:
    """Whether the sender hears of a failure: unless it said otherwise, yes (RFC 3461 §4.1)."""
    return notify == Notify.UNSAID or bool(notify & Notify.FAILURE)


def wants_delay(notify: Notify) -> bool:
    """Whether the sender hears of a delay: unless it said otherwise, yes."""
    return notify == Notify.UNSAID or bool(notify & Notify.DELAY)


def wants_success(notify: Notify) -> bool:
    """Whether the sender hears of success: only when it asked."""
    return bool(notify & Notify.SUCCESS)


class Reports:
    """Adds reports to commits."""

    def __init__(  # noqa: PLR0913  what a service stands on comes in as arguments
        self,
        store: Store,
        addresses: Addresses,
        policy: Policy,
        clock: Clock,
        chance: Chance,
        *,
        placement: Placement,
        journal: Journal,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._placement = placement
        self._journal = journal

    async def add(self, assembly: Assembly, notice: Notice) -> bool:
        """Add a report to a commit.

        Returns:
            False when nobody can be told (null sender, sender unknown here, a sender that is no
            address): then the fact is logged, and that is all.
        """
        try:
            sender = Address.parse(notice.sender)
            resolution = self._addresses.resolve(sender)
        except (ValueError, NotFound):
            self._journal.warning(
                "report.dropped",
                sender=notice.sender,
                fates=[f"{fate.address} {fate.action} {fate.status}" for fate in notice.fates[:20]],
            )
            return False
        now_ms = self._clock.now_ms()
        staged = self._render(notice, now_ms)
        assembly.bring(staged)
        away = list(resolution.forwards) if resolution.is_local else [str(sender)]
        columns = columns_from_head(staged.head)
        for target in resolution.deliveries:
            folder_id = await self._placement.inbox(target.mailbox_id)
            prefix = local_prefix("", target.principal.address, b"")
            item = NewItem(ItemKind.MESSAGE, staged.ref, now_ms, prefix, columns=columns)
            assembly.add_item(target.mailbox_id, folder_id, item)
        if away:
            assembly.enqueue(_queued_report(staged, away, now_ms))
        return True

    def _render(self, notice: Notice, now_ms: int) -> StagedBlob:
        policy = self._policy
        columns = columns_from_head(notice.returned)
        report = render_report(
            DeliveryReport(
                reporting_host=policy.hostname,
                author=policy.postmaster or f"postmaster@{policy.hostname}",
                sender=notice.sender,
                message_id=f"{self._chance.token_bytes(12).hex()}@{policy.hostname}",
                made_at=now_ms,
                arrived_at=notice.arrived_at,
                fates=notice.fates,
                returned=notice.returned,
                is_whole=notice.is_whole,
                envelope_id=as_xtext(notice.envelope_id),
                original_message_id=columns.message_id,
                subject=columns.subject,
            )
        )
        return stage_stuffed(self._store.blobs, report)


def as_xtext(text: str) -> str:
    """What the report's writer takes for xtext: it undoes ``+HH``, so a plus must be one."""
    return text.replace("+", "+2B")


def returned_part(
    plain: bytes, size_bytes: int, *, is_failure: bool, headers_only: bool, content_max: int
) -> tuple[bytes, bool]:
    """What of a message goes back with its report, and whether that is the whole.

    Args:
        plain: the content, or its beginning with at least the header block.
        size_bytes: of the whole content.
        is_failure: only failures bring the body back, so that it is not lost.
        headers_only: RET=HDRS.
        content_max: bodies up to this many bytes.
    """
    whole = is_failure and not headers_only and len(plain) == size_bytes <= content_max
    return (plain, True) if whole else (plain[: header_block(plain)], False)


def plain_of_staged(staged: StagedBlob) -> bytes:
    """The plain content of something staged."""
    if staged.data is not None:
        wire: bytes = staged.data
    elif staged.path is not None:
        wire = staged.path.read_bytes()
    else:
        wire = b".\r\n"
    return unstuff(wire, lacks_final_eol=staged.ref.lacks_final_eol)


def _queued_report(staged: StagedBlob, to: list[str], now_ms: int) -> NewQueued:
    wire = staged.data or b""
    return NewQueued(
        sender="",
        recipients=tuple(QueuedRecipient(address, Notify.NEVER, next_at=now_ms) for address in to),
        blob=staged.ref,
        queued_at=now_ms,
        needs_smtputf8=not all(address.isascii() for address in to),
        is_8bit=not wire.isascii(),
    )
