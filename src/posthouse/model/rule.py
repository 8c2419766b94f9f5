"""Inbox rules: what shall become of mail as it comes in.

Notes:
    - A rule fires when all of its conditions hold and none of its exceptions does. Words are looked
      for without regard to case.
    - Rules are kept as one JSON document in the mailbox. Keys that nobody here knows survive every
      change; a rule that has some among its conditions, exceptions or actions asks for more than we
      can do, and does not fire (``is_understood``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from posthouse.model.address import Address
from posthouse.model.appointment import Importance, Sensitivity  # noqa: TC001  msgspec reads them
from posthouse.model.ids import FolderId  # noqa: TC001  msgspec reads it

VERSION = 1
RULES_MAX = 500
TEXT_OCTETS_MAX = 256 << 10
ALTERNATIVES_MAX = 200
WORDS_MAX = 5_000
"""Alternatives of all rules together."""
DEAR_WORDS_MAX = 500
"""Of these, those looked for in bodies and whole headers."""
WORD_MAX = 512
REPLY_MAX = 32_000
RECIPIENTS_MAX = 20
"""Addresses that one message may be handed on to by rules."""
_NUMBER_MAX = 2**31 - 1


class Trait(StrEnum):
    """What a message is, whatever it says."""

    AUTOMATIC_REPLY = "automatic_reply"
    AUTOMATIC_FORWARD = "automatic_forward"
    MEETING_REQUEST = "meeting_request"
    MEETING_RESPONSE = "meeting_response"
    MEETING_CANCELLATION = "meeting_cancellation"
    READ_RECEIPT = "read_receipt"
    NON_DELIVERY = "non_delivery"
    ENCRYPTED = "encrypted"
    SIGNED = "signed"
    MAILING_LIST = "mailing_list"


class HeaderWords(Struct, frozen=True, array_like=True):
    """Words in a header field.

    Attributes:
        name: of the field, in any case; "" any field, its name included.
        words: one of them must stand there.
    """

    name: str
    words: tuple[str, ...]


class Conditions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message must be; what has its default is not asked.

    Of a tuple one alternative must hold; each of ``traits`` is asked by itself. A range is one
    thing.

    Attributes:
        from_addresses: From is one of these addresses.
        sender_contains: words in the name or address of From.
        sent_to_addresses: one of these is in To or Cc.
        recipient_contains: words in a name or address of To or Cc.
        subject_contains: words.
        body_contains: words.
        subject_or_body_contains: words.
        header_contains: words in header fields; each entry is an alternative.
        lists: words in List-Id: it came over one of these mailing lists.
        importances: of the header.
        sensitivities: of the header.
        item_classes: Exchange's message classes.
        flagged_for: what the sender wants done ("Follow up"), or "Any".
        categories: as the sender gave them (Keywords).
        traits: what it is.
        is_sent_to_me: an address of the owner is in To.
        is_sent_cc_me: ... in Cc.
        is_sent_to_or_cc_me: ... in To or Cc.
        is_sent_only_to_me: ... alone in To, and Cc is empty.
        is_not_sent_to_me: none is in To.
        has_attachments: as a list of mail shows it.
        size_least: bytes; 0 not asked.
        size_most: bytes; 0 not asked.
        received_from: ms UTC; 0 not asked.
        received_until: ms UTC; 0 not asked.
        beyond: keys that we do not know.
    """

    from_addresses: tuple[str, ...] = ()
    sender_contains: tuple[str, ...] = ()
    sent_to_addresses: tuple[str, ...] = ()
    recipient_contains: tuple[str, ...] = ()
    subject_contains: tuple[str, ...] = ()
    body_contains: tuple[str, ...] = ()
    subject_or_body_contains: tuple[str, ...] = ()
    header_contains: tuple[HeaderWords, ...] = ()
    lists: tuple[str, ...] = ()
    importances: tuple[Importance, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()
    item_classes: tuple[str, ...] = ()
    flagged_for: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    traits: tuple[Trait, ...] = ()
    is_sent_to_me: bool = False
    is_sent_cc_me: bool = False
    is_sent_to_or_cc_me: bool = False
    is_sent_only_to_me: bool = False
    is_not_sent_to_me: bool = False
    has_attachments: bool = False
    size_least: int = 0
    size_most: int = 0
    received_from: int = 0
    received_until: int = 0
    beyond: dict[str, Any] = {}

    @property
    def alternatives(self) -> list[tuple[object, ...]]:
        """Of each thing that is asked."""
        values = (getattr(self, name) for name in self.__struct_fields__)
        return [value for value in values if isinstance(value, tuple)]


class Actions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done with a message.

    Attributes:
        move_to: a folder of the mailbox; None: stays in Inbox.
        copy_to: folders that get a copy.
        deletes: moves it to Deleted Items.
        deletes_permanently: moves it to Recoverable Items, where no client sees it.
        marks_read: marks it.
        marks_flagged: marks it.
        importance: None: as the sender had it.
        categories: assigned to it.
        forward_to: addresses that get a message of the owner's with the text in it.
        forward_as_attachment_to: addresses that get a message of the owner's with it enclosed.
        redirect_to: addresses that get it as it came.
        reply: text of an automatic reply; "" none.
        beyond: keys that we do not know.
    """

    move_to: FolderId | None = None
    copy_to: tuple[FolderId, ...] = ()
    deletes: bool = False
    deletes_permanently: bool = False
    marks_read: bool = False
    marks_flagged: bool = False
    importance: Importance | None = None
    categories: tuple[str, ...] = ()
    forward_to: tuple[str, ...] = ()
    forward_as_attachment_to: tuple[str, ...] = ()
    redirect_to: tuple[str, ...] = ()
    reply: str = ""
    beyond: dict[str, Any] = {}

    @property
    def folders(self) -> tuple[FolderId, ...]:
        """Those it names."""
        return self.copy_to if self.move_to is None else (self.move_to, *self.copy_to)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those it hands the message on to."""
        return self.forward_to + self.forward_as_attachment_to + self.redirect_to


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule.

    Attributes:
        name: as shown.
        sequence: order among the rules, ascending; of equal ones the order given counts.
        rule_id: its number in the mailbox; 0 until it is kept.
        is_enabled: else it never fires.
        conditions: all must hold; none: every message.
        exceptions: none may hold.
        actions: what is done.
        stops: no later rule is looked at once it has fired.
        beyond: keys that we do not know.
    """

    name: str
    sequence: int = 0
    rule_id: int = 0
    is_enabled: bool = True
    conditions: Conditions = Conditions()
    exceptions: Conditions = Conditions()
    actions: Actions = Actions()
    stops: bool = False
    beyond: dict[str, Any] = {}

    @property
    def is_understood(self) -> bool:
        """Whether we know everything it asks for."""
        return not (self.conditions.beyond or self.exceptions.beyond or self.actions.beyond)


def check_rules(rules: tuple[Rule, ...]) -> None:
    """Refuse what nobody could keep to.

    Raises:
        ValueError: which rule, and what is wrong with it.
    """
    if len(rules) > RULES_MAX:
        raise ValueError(f"{len(rules)} rules; at most {RULES_MAX}")
    numbers = [rule.rule_id for rule in rules if rule.rule_id]
    if len(set(numbers)) < len(numbers):
        raise ValueError("two rules have the same number")
    words = dear_words = 0
    for number, rule in enumerate(rules, 1):
        try:
            _check_rule(rule)
        except ValueError as error:
            raise ValueError(f"rule {number} ({rule.name[:60]!r}): {error}") from None
        for asked in (rule.conditions, rule.exceptions):
            words += sum(map(len, asked.alternatives))
            dear_words += len(asked.body_contains) + len(asked.subject_or_body_contains)
            dear_words += sum(len(one.words) for one in asked.header_contains)
    if words > WORDS_MAX:
        raise ValueError(f"{words} alternatives; at most {WORDS_MAX}")
    if dear_words > DEAR_WORDS_MAX:
        raise ValueError(f"{dear_words} words for bodies and headers; at most {DEAR_WORDS_MAX}")


def _check_rule(rule: Rule) -> None:
    if not rule.name.strip() or len(rule.name) > WORD_MAX or not rule.name.isprintable():
        raise ValueError(f"a name has 1 to {WORD_MAX} printable characters")
    for number in (rule.sequence, rule.rule_id):
        if not 0 <= number <= _NUMBER_MAX:
            raise ValueError(f"{number} is out of range")
    for asked in (rule.conditions, rule.exceptions):
        _check_conditions(asked)
    _check_actions(rule.actions)


def _check_conditions(asked: Conditions) -> None:
    for name in Conditions.__struct_fields__:
        value = getattr(asked, name)
        if isinstance(value, tuple):
            _check_words(name, value)
        elif isinstance(value, int) and value < 0:
            raise ValueError(f"{name} is negative")
    for words in asked.header_contains:
        if not words.words:
            raise ValueError("header_contains without words")
        _check_words("header_contains", words.words)
    for least, most in (
        (asked.size_least, asked.size_most),
        (asked.received_from, asked.received_until),
    ):
        if most and least > most:
            raise ValueError("a range ends before it begins")


def _check_words(name: str, words: tuple[object, ...]) -> None:
    if len(words) > ALTERNATIVES_MAX:
        raise ValueError(f"{name} has {len(words)} alternatives; at most {ALTERNATIVES_MAX}")
    for word in words:
        if isinstance(word, str) and not 0 < len(word) <= WORD_MAX:
            raise ValueError(f"{name} has an empty alternative, or one beyond {WORD_MAX}")


def _check_actions(actions: Actions) -> None:
    _check_words("copy_to", actions.copy_to)
    _check_words("categories", actions.categories)
    if any(folder_id <= 0 for folder_id in actions.folders):
        raise ValueError("no folder has that number")
    if len(actions.addresses) > RECIPIENTS_MAX:
        raise ValueError(f"hands on to more than {RECIPIENTS_MAX} addresses")
    for text in actions.addresses:
        try:
            Address.parse(text)
        except ValueError:
            raise ValueError(f"{text[:80]!r} is no address") from None
    if len(actions.reply) > REPLY_MAX:
        raise ValueError(f"a reply beyond {REPLY_MAX} characters")
    if actions.deletes and actions.deletes_permanently:
        raise ValueError("deletes in two ways")


# --- as kept


def rules_from_text(text: str) -> tuple[Rule, ...]:
    """Read what ``text_from_rules`` wrote; "" is no rules.

    Raises:
        ValueError: what is wrong, and where.
    """
    if not text:
        return ()
    if len(text.encode("utf-8", "surrogatepass")) > TEXT_OCTETS_MAX:
        raise ValueError(f"rules beyond {TEXT_OCTETS_MAX} octets")
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
        if document.get("version") != VERSION:
            raise ValueError(f"rules of version {document.get('version')!r}")
        rows = msgspec.convert(document.get("rules", []), list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f"no rules: {error}") from None
    rules = tuple(_rule_from_row(number, row) for number, row in enumerate(rows, 1))
    check_rules(rules)
    return rules


def text_from_rules(rules: tuple[Rule, ...], known: str = "") -> str:
    """The rules as JSON.

    Args:
        rules: to be kept.
        known: what was kept before: what it says besides the rules stays.

    Raises:
        ValueError: they cannot be kept.
    """
    check_rules(rules)
    document: dict[str, Any] = {}
    if known:
        try:
            document = msgspec.json.decode(known, type=dict[str, Any])
        except msgspec.MsgspecError:
            document = {}
    try:
        document |= {"version": VERSION, "rules": [_row_from_rule(rule) for rule in rules]}
        text = msgspec.json.encode(document).decode()
    except (UnicodeError, TypeError, RecursionError) as error:
        raise ValueError(f"rules that cannot be written down: {error}") from None
    if len(text.encode()) > TEXT_OCTETS_MAX:
        raise ValueError(f"rules beyond {TEXT_OCTETS_MAX} octets")
    return text


_NESTED: dict[str, type[Conditions | Actions]] = {
    "conditions": Conditions,
    "exceptions": Conditions,
    "actions": Actions,
}


def _rule_from_row(number: int, row: dict[str, Any]) -> Rule:
    known, beyond = _parted(Rule, row)
    nested: dict[str, Any] = {}
    try:
        for name, kind in _NESTED.items():
            asked = msgspec.convert(known.pop(name, {}), dict[str, Any])
            inner, inner_beyond = _parted(kind, asked)
            nested[name] = replace(msgspec.convert(inner, kind), beyond=inner_beyond)
        return replace(msgspec.convert(known, Rule), **nested, beyond=beyond)
    except msgspec.MsgspecError as error:
        raise ValueError(f"rule {number}: {error}") from None


def _parted(kind: type[Struct], row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a struct knows of a row, and the rest."""
    names = set(kind.__struct_fields__) - {"beyond"}
    return (
        {name: value for name, value in row.items() if name in names},
        {name: value for name, value in row.items() if name not in names},
    )


def _row_from_rule(rule: Rule) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(rule)
    for name in _NESTED:
        if name in row:
            row[name] = _united(row[name])
    return _united(row)


def _united(row: dict[str, Any]) -> dict[str, Any]:
    beyond: dict[str, Any] = row.pop("beyond", {})
    return beyond | row
