"""Whether a message may be answered by a program.

Spec: RFC 3834 §2 (when not to answer), §4 (whom to answer), §5 (Auto-Submitted); RFC 2369 and RFC
    2919 (List fields); [MS-OXCMAIL] §2.1.3.2.20 (X-Auto-Response-Suppress).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from posthouse.formats.mime.addresses import parse_addresses
from posthouse.formats.mime.headers import decode_text, fields
from posthouse.formats.mime.parameters import parse_parameterised
from posthouse.model.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.formats.mime.headers import Field

OUT_OF_OFFICE = frozenset({"oof", "autoreply", "all"})
"""Words of X-Auto-Response-Suppress that forbid an out-of-office reply."""
ANY_REPLY = frozenset({"autoreply", "all"})
"""Those that forbid any other automatic reply."""
_FIELDS_MAX = 1_000
_ADDRESSES_MAX = 1_000
_VALUE_MAX = 1_000
_BULK = frozenset({"bulk", "list", "junk"})
_RECIPIENTS = frozenset({b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc"})
_PROGRAMS = frozenset({"mailer-daemon", "listserv", "majordomo"})
_NOBODY = re.compile(r"(?:do[-_.]?)?not?[-_.]?reply|bounces?[-+]")


def why_not(
    head: bytes,
    sender: str,
    is_mine: Callable[[str], bool],
    forbidding: frozenset[str] = ANY_REPLY,
) -> str:
    """Why a message gets no automatic reply; "" when it may get one.

    Args:
        head: its header block, as it came.
        sender: envelope sender, whom a reply would go to; "" the null sender.
        is_mine: whether an address is that of the one who would answer.
        forbidding: words of X-Auto-Response-Suppress that count.
    """
    reason = _of_sender(sender, is_mine)
    if reason:
        return reason
    found = fields(head)[:_FIELDS_MAX]
    for field in found:
        reason = _of_field(field, forbidding)
        if reason:
            return reason
    return "" if _is_addressed_to_me(found, is_mine) else "not addressed to me"


def is_automatic(head: bytes) -> bool:
    """Whether a program sent it."""
    return any(
        field.name == b"auto-submitted" and keyword(field.value) != "no" for field in fields(head)
    )


def _of_sender(sender: str, is_mine: Callable[[str], bool]) -> str:
    if not sender:
        return "null sender"
    try:
        local = Address.parse(sender).local.casefold()
    except ValueError:
        return "sender is no address"
    if is_mine(sender):
        return "sent by myself"
    is_list = local.startswith("owner-") or local.endswith("-request")
    is_program = local in _PROGRAMS or is_list or _NOBODY.match(local)
    return "sent by a program" if is_program else ""


def _of_field(field: Field, forbidding: frozenset[str]) -> str:
    name = field.name
    if name.startswith(b"list-"):
        return "sent over a mailing list"
    match name:
        case b"auto-submitted":
            return "" if keyword(field.value) == "no" else "sent automatically"
        case b"precedence":
            return "sent in bulk" if keyword(field.value) in _BULK else ""
        case b"x-auto-response-suppress":
            words = decode_text(field.value[:_VALUE_MAX]).lower().replace(";", ",").split(",")
            return "" if forbidding.isdisjoint(map(str.strip, words)) else "asks for no reply"
        case b"content-type":
            is_report = parse_parameterised(field.value).value == "multipart/report"
            return "a report" if is_report else ""
        case _:
            return ""


def keyword(raw: bytes) -> str:
    """The word that a field's raw value begins with, without comment and parameters."""
    return decode_text(raw[:_VALUE_MAX]).partition(";")[0].partition("(")[0].strip().lower()


def _is_addressed_to_me(found: list[Field], is_mine: Callable[[str], bool]) -> bool:
    left = _ADDRESSES_MAX
    for field in found:
        if field.name not in _RECIPIENTS:
            continue
        entries = parse_addresses(field.value, addresses_max=left)
        left -= len(entries)
        if any(entry.address and is_mine(entry.address) for entry in entries):
            return True
    return False
