"""How a queued recipient stands after an attempt, and what its sender shall hear.

Spec: RFC 3461 §5 and §6 (which report when), RFC 5321 §4.5.4.1 (giving up).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from posthouse.formats.mime.report import Action, RecipientFate
from posthouse.model.queue import QueuedRecipient, RecipientState
from posthouse.ports.courier import Fate, Verdict
from posthouse.services.mailflow.advice_table import advice_for
from posthouse.services.mailflow.dsn import as_xtext, wants_delay, wants_failure, wants_success

if TYPE_CHECKING:
    from posthouse.services.mailflow.schedule import Schedule

LAST_REPLY_MAX = 512


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt brought one recipient.

    Attributes:
        verdict: the courier's.
        host: who was tried ("" nobody).
        passes_reports: that host reports successes in our stead.
        is_local: it was delivered here.
        skipped_until: nothing was tried; try again then, ms (0: it was tried).
    """

    verdict: Verdict
    host: str = ""
    passes_reports: bool = False
    is_local: bool = False
    skipped_until: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """When and by which rules.

    Attributes:
        schedule: the rules.
        queued_at: since when the message waits, ms.
        now_ms: the time.
        chance: from 0 up to 1.
    """

    schedule: Schedule
    queued_at: int
    now_ms: int
    chance: float


def after(
    recipient: QueuedRecipient, result: Result, moment: Moment
) -> tuple[QueuedRecipient, RecipientFate | None]:
    """The recipient as it stands now, and what is worth a report (whoever may get it)."""
    if result.skipped_until:
        skipped = replace(recipient, next_at=result.skipped_until)
        return _given_time(skipped, recipient, result, moment)
    tried = replace(
        recipient,
        attempts=recipient.attempts + 1,
        last_reply=_last_reply(result.verdict),
    )
    match result.verdict.fate:
        case Fate.TAKEN:
            action = Action.DELIVERED if result.is_local else Action.RELAYED
            wanted = wants_success(recipient.notify) and not result.passes_reports
            fate = _fate(recipient, result, action, moment) if wanted else None
            return replace(tried, state=RecipientState.DELIVERED, next_at=0), fate
        case Fate.REFUSED:
            return _failed(tried, result, moment)
        case Fate.DEFERRED:
            at = moment.schedule.next_at(tried.attempts, moment.now_ms, moment.chance)
            return _given_time(replace(tried, next_at=at), recipient, result, moment)


def _given_time(
    waiting: QueuedRecipient, before: QueuedRecipient, result: Result, moment: Moment
) -> tuple[QueuedRecipient, RecipientFate | None]:
    """Waiting on: unless its time is over, or its sender should know that it is late."""
    schedule, queued_at, now_ms = moment.schedule, moment.queued_at, moment.now_ms
    if schedule.is_over(queued_at, now_ms):
        verdict = result.verdict
        expired = replace(result, verdict=replace(verdict, fate=Fate.REFUSED, status="4.4.7"))
        return _failed(waiting, expired, moment)
    may_warn = before.delay_told_at == 0 and wants_delay(before.notify)
    fate = None
    if may_warn and schedule.is_late(queued_at, now_ms):
        fate = _fate(before, result, Action.DELAYED, moment)
        waiting = replace(waiting, delay_told_at=now_ms)
        may_warn = False
    at = schedule.bounded(waiting.next_at, queued_at, now_ms, may_warn=may_warn)
    return replace(waiting, next_at=at), fate


def _failed(
    tried: QueuedRecipient, result: Result, moment: Moment
) -> tuple[QueuedRecipient, RecipientFate | None]:
    fate = _fate(tried, result, Action.FAILED, moment) if wants_failure(tried.notify) else None
    return replace(tried, state=RecipientState.FAILED, next_at=0), fate


def _last_reply(verdict: Verdict) -> str:
    """The remote's words with an explanation; our own need none."""
    if verdict.fate is Fate.TAKEN or not verdict.is_remote:
        return verdict.reply[:LAST_REPLY_MAX]
    advice = f" ({advice_for(verdict.status, verdict.reply)})"
    return verdict.reply[: LAST_REPLY_MAX - len(advice)] + advice


def _fate(
    recipient: QueuedRecipient, result: Result, action: Action, moment: Moment
) -> RecipientFate:
    verdict, schedule = result.verdict, moment.schedule
    reason = ""
    if action in (Action.FAILED, Action.DELAYED):
        reason = advice_for(verdict.status, verdict.reply)
        if not verdict.is_remote:
            reason = f"{verdict.reply}; {reason}"
    until = moment.queued_at + schedule.give_up_after_ms if action is Action.DELAYED else 0
    return RecipientFate(
        address=recipient.address,
        action=action,
        status=verdict.status,
        original=as_xtext(recipient.original),
        remote_host=result.host,
        reply=verdict.reply if verdict.is_remote else "",
        reason=reason,
        last_attempt_at=moment.now_ms,
        will_retry_until=until,
    )
