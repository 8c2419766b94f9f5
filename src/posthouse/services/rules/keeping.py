"""Keeping rules: for doors that show and change them, and for the mailflow that goes by them.

Notes:
    The mailflow remembers the rules of the mailboxes it delivers to, also that there are none: then
    a delivery costs one look into a dictionary. Hints tell it of changes; what a lost hint leaves
    stale is forgotten after ``REMEMBERED_MS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from posthouse.model.batch import Batch, Commit, KeepRules, PolicyUnchanged
from posthouse.model.errors import Conflict
from posthouse.model.rule import rules_from_text, text_from_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from posthouse.model.changes import Hint
    from posthouse.model.ids import MailboxId
    from posthouse.model.rule import Rule
    from posthouse.store.store import Store

REMEMBERED_MS = 2_000
_REMEMBERED_MAX = 20_000


class InboxRules:
    """Reads and writes the rules of mailboxes, for every door."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, mailbox_id: MailboxId) -> tuple[Rule, ...]:
        """The rules, in the order kept.

        Raises:
            NotFound: no such mailbox.
            ValueError: what is kept are no rules of ours (of a newer version, or damaged).
        """
        return rules_from_text(await self._store.records.rules(mailbox_id))

    async def write(
        self, mailbox_id: MailboxId, rules: Sequence[Rule], known: Sequence[Rule] | None = None
    ) -> tuple[Rule, ...]:
        """Replace the rules as a whole; those without a number get one.

        Args:
            mailbox_id: whose.
            rules: in order.
            known: as they were read before; None: whatever is there.

        Returns:
            The rules as kept.

        Raises:
            ValueError: they cannot be kept; the message says which and why.
            Conflict: they are not ``known`` any more.
            NotFound: no such mailbox.
        """
        before = await self._store.records.rules(mailbox_id)
        if known is not None and rules_from_text(before) != tuple(known):
            raise Conflict("the rules have changed")
        numbered = _numbered(rules)
        batch = Batch(
            mailbox_id,
            (KeepRules(text_from_rules(numbered, before) if numbered else ""),),
            (PolicyUnchanged(rules=before),),
        )
        await self._store.apply(Commit((batch,)))
        return numbered


def _numbered(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    last = max((rule.rule_id for rule in rules), default=0)
    out: list[Rule] = []
    for rule in rules:
        if rule.rule_id:
            out.append(rule)
        else:
            last += 1
            out.append(replace(rule, rule_id=last))
    return tuple(out)


class Rulebook:
    """What the mailflow of one process remembers of rules.

    Args:
        store: where they are kept.
        unreadable: hears of mailboxes whose rules cannot be read, and why; they have none then.
    """

    def __init__(self, store: Store, unreadable: Callable[[MailboxId, str], None]) -> None:
        self._store = store
        self._unreadable = unreadable
        self._known: dict[MailboxId, tuple[Rule, ...]] = {}
        self._texts: dict[MailboxId, tuple[str, tuple[Rule, ...]]] = {}
        self._from_ms = 0
        self._until_ms = 0
        self._is_listening = False

    def known(self, mailbox_id: MailboxId, now_ms: int) -> tuple[Rule, ...] | None:
        """The rules of a mailbox, when they are remembered; None: ask ``read``."""
        if self._from_ms <= now_ms < self._until_ms:
            return self._known.get(mailbox_id)
        # Also when the clock was set back: nothing is believed for longer than it should.
        self._known.clear()
        self._from_ms, self._until_ms = now_ms, now_ms + REMEMBERED_MS
        return None

    async def read(self, mailbox_id: MailboxId) -> tuple[Rule, ...]:
        """The rules of a mailbox as they are now. Raises NotFound, Unavailable."""
        if not self._is_listening:
            self._is_listening = True
            self._store.hints.subscribe(self._hear)
        text = await self._store.records.rules(mailbox_id)
        rules = self._parsed(mailbox_id, text) if text else ()
        if len(self._known) >= _REMEMBERED_MAX:
            self._known.clear()
        self._known[mailbox_id] = rules
        return rules

    def _parsed(self, mailbox_id: MailboxId, text: str) -> tuple[Rule, ...]:
        kept = self._texts.get(mailbox_id)
        if kept is not None and kept[0] == text:
            return kept[1]
        try:
            rules = rules_from_text(text)
        except ValueError as error:
            self._unreadable(mailbox_id, str(error))
            rules = ()
        if len(self._texts) >= _REMEMBERED_MAX:
            self._texts.clear()
        self._texts[mailbox_id] = (text, rules)
        return rules

    def _hear(self, hint: Hint) -> None:
        # A change of rules alone is told as one of the mailbox, which is folder 0.
        if not hint.folder_id:
            self._known.pop(hint.mailbox_id, None)
