"""Evaluating rules: from what is known of a message to what shall become of it.

Notes:
    - Rules are looked at in order of their sequence. What several ask for adds up: the first folder
      that one moves to is where the message goes, each further one gets a copy, as with Sieve's
      ``fileinto``. A message that is moved is not deleted as well: moving keeps it.
    - A rule is done whole or not at all: one that names a folder which is gone, or asks for what we
      do not know, is passed over and told in ``skipped``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from posthouse.model.item import Flags
from posthouse.model.rule import RECIPIENTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from posthouse.model.appointment import Importance
    from posthouse.model.ids import FolderId
    from posthouse.model.rule import Actions, Conditions, HeaderWords, Rule
    from posthouse.services.rules.facts import Facts

COPIES_MAX = 20


class Verdict(Struct, frozen=True, kw_only=True):
    """What shall become of a message.

    Attributes:
        folder: where it goes; None: where it would go without rules.
        copies: folders that get a copy; never ``folder``.
        is_deleted: it goes to Deleted Items; ``folder`` is None then.
        is_expunged: it goes to Recoverable Items; ``folder`` is None then.
        marks: it begins with them, and so do its copies.
        categories: assigned, in the order of the rules.
        importance: None: as it came.
        forwards: addresses that get it in a message of the owner's, each once.
        attached_forwards: addresses that get it enclosed in one.
        redirects: addresses that get it as it came.
        replies: texts of automatic replies.
        fired: names of the rules that fired.
        skipped: names of those that hold but cannot be done, or are not understood.
    """

    folder: FolderId | None = None
    copies: tuple[FolderId, ...] = ()
    is_deleted: bool = False
    is_expunged: bool = False
    marks: Flags = Flags.NONE
    categories: tuple[str, ...] = ()
    importance: Importance | None = None
    forwards: tuple[str, ...] = ()
    attached_forwards: tuple[str, ...] = ()
    redirects: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    fired: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[FolderId, ...]:
        """Those it names."""
        return self.copies if self.folder is None else (self.folder, *self.copies)


def evaluate(
    rules: Iterable[Rule], facts: Facts, gone: frozenset[FolderId] = frozenset()
) -> Verdict:
    """What the rules make of a message.

    Args:
        rules: in any order.
        facts: of the message.
        gone: folders that are no more.
    """
    done = _Doing()
    for rule in sorted(rules, key=lambda rule: rule.sequence):
        if not rule.is_enabled or not holds(rule, facts):
            continue
        if not rule.is_understood or not gone.isdisjoint(rule.actions.folders):
            done.skipped.append(rule.name)
            continue
        done.do(rule.actions)
        done.fired.append(rule.name)
        if rule.stops:
            break
    return done.verdict()


def holds(rule: Rule, facts: Facts) -> bool:
    """Whether all that is known of the conditions holds, and nothing of the exceptions."""
    return all(_answers(rule.conditions, facts)) and not any(_answers(rule.exceptions, facts))


def _answers(asked: Conditions, facts: Facts) -> Iterator[bool]:
    """Of each thing that is asked, whether it is so; worked out one by one."""
    for name, test in _TESTS.items():
        value = getattr(asked, name)
        if value:
            yield test(facts, value)
    for trait in asked.traits:
        yield facts.has(trait)
    if asked.size_least or asked.size_most:
        yield _is_within(facts.size_bytes, asked.size_least, asked.size_most)
    if asked.received_from or asked.received_until:
        yield _is_within(facts.received_at, asked.received_from, asked.received_until)


class _Doing:
    """A verdict in the making."""

    def __init__(self) -> None:
        self.folders: dict[FolderId, None] = {}
        self.copies: dict[FolderId, None] = {}
        self.categories: dict[str, None] = {}
        self.forwards: tuple[dict[str, None], ...] = ({}, {}, {})
        self.replies: dict[str, None] = {}
        self.marks = Flags.NONE
        self.importance: Importance | None = None
        self.deletes = self.expunges = False
        self.fired: list[str] = []
        self.skipped: list[str] = []

    def do(self, actions: Actions) -> None:
        """Add what a rule asks for."""
        if actions.move_to is not None:
            self.folders[actions.move_to] = None
        self.copies.update(dict.fromkeys(actions.copy_to))
        self.categories.update(dict.fromkeys(actions.categories))
        self.deletes |= actions.deletes
        self.expunges |= actions.deletes_permanently
        if actions.marks_read:
            self.marks |= Flags.SEEN
        if actions.marks_flagged:
            self.marks |= Flags.FLAGGED
        if actions.importance is not None:
            self.importance = actions.importance
        if actions.reply:
            self.replies[actions.reply] = None
        ways = (actions.forward_to, actions.forward_as_attachment_to, actions.redirect_to)
        for told, way in zip(self.forwards, ways, strict=True):
            self._hand_on(told, way)

    def _hand_on(self, told: dict[str, None], addresses: Sequence[str]) -> None:
        for address in addresses:
            if sum(map(len, self.forwards)) < RECIPIENTS_MAX:
                told[address] = None

    def verdict(self) -> Verdict:
        """What they come to."""
        targets = list(self.folders)
        folder = targets[0] if targets else None
        copies = dict.fromkeys(targets[1:]) | self.copies
        if folder is not None:
            copies.pop(folder, None)
        forwards, attached, redirects = self.forwards
        return Verdict(
            folder=folder,
            copies=tuple(copies)[:COPIES_MAX],
            is_deleted=self.deletes and folder is None,
            is_expunged=self.expunges and not self.deletes and folder is None,
            marks=self.marks,
            categories=tuple(self.categories),
            importance=self.importance,
            forwards=tuple(forwards),
            attached_forwards=tuple(attached),
            redirects=tuple(redirects),
            replies=tuple(self.replies),
            fired=tuple(self.fired),
            skipped=tuple(self.skipped),
        )


# --- what can be asked


def _has_word(text: str, words: Iterable[str]) -> bool:
    return any(word.casefold() in text for word in words)


def _names_one(people: list[tuple[str, str]], addresses: Iterable[str]) -> bool:
    wanted = {address.casefold() for address in addresses}
    return any(address in wanted for _, address in people)


def _header_has(facts: Facts, asked: tuple[HeaderWords, ...]) -> bool:
    return any(_has_word(facts.header(one.name), one.words) for one in asked)


def _is_flagged_for(facts: Facts, asked: tuple[str, ...]) -> bool:
    said = facts.flagged_for
    return bool(said) and any(word.casefold() in ("any", said) for word in asked)


def _is_of_class(facts: Facts, asked: tuple[str, ...]) -> bool:
    return facts.columns.item_class.casefold() in {name.casefold() for name in asked}


def _is_categorised(facts: Facts, asked: tuple[str, ...]) -> bool:
    return any(name.casefold() in facts.categories for name in asked)


def _is_within(number: int, least: int, most: int) -> bool:
    return number >= least and (not most or number <= most)


_TESTS: dict[str, Callable[[Facts, Any], bool]] = {
    "from_addresses": lambda facts, asked: _names_one(facts.senders, asked),
    "sender_contains": lambda facts, asked: _has_word(facts.sender_text, asked),
    "sent_to_addresses": lambda facts, asked: _names_one(facts.to + facts.cc, asked),
    "recipient_contains": lambda facts, asked: _has_word(facts.recipients_text, asked),
    "subject_contains": lambda facts, asked: _has_word(facts.subject, asked),
    "header_contains": _header_has,
    "lists": lambda facts, asked: _has_word(facts.list_id, asked),
    "importances": lambda facts, asked: facts.importance in asked,
    "sensitivities": lambda facts, asked: facts.sensitivity in asked,
    "item_classes": _is_of_class,
    "flagged_for": _is_flagged_for,
    "categories": _is_categorised,
    "is_sent_to_me": lambda facts, _: facts.is_to_me,
    "is_sent_cc_me": lambda facts, _: facts.is_cc_me,
    "is_sent_to_or_cc_me": lambda facts, _: facts.is_to_me or facts.is_cc_me,
    "is_sent_only_to_me": lambda facts, _: facts.is_only_to_me,
    "is_not_sent_to_me": lambda facts, _: not facts.is_to_me,
    "has_attachments": lambda facts, _: facts.columns.has_attachments,
    "body_contains": lambda facts, asked: _has_word(facts.body, asked),
    "subject_or_body_contains": lambda facts, asked: (
        _has_word(facts.subject, asked) or _has_word(facts.body, asked)
    ),
}
"""Attribute of ``Conditions`` -> whether it is so. Those that read the body come last."""
