"""MAIL and RCPT as a client says them, and what content must be before it is sent.

Spec: RFC 5321 §4.1.1.2, §4.1.1.3, RFC 1870 §3, RFC 6152 §2, RFC 6531 §3.4, RFC 3461 §4, RFC 5321
    §2.3.8 (no bare
CR or LF).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import LocalProtocolError
from posthouse.model.queue import Notify
from posthouse.protocols.smtp.wire.xtext import xtext_from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from posthouse.model.queue import QueuedRecipient
    from posthouse.ports.courier import Parcel

_CHECKED_AT_ONCE = 1 << 20
_NOTIFY_WORDS = (
    (Notify.SUCCESS, "SUCCESS"),
    (Notify.FAILURE, "FAILURE"),
    (Notify.DELAY, "DELAY"),
)


class UnfitAddress(LocalProtocolError):
    """An address that would end the command it stands in, or begin another."""


def mail_command(parcel: Parcel, offers: Mapping[str, str]) -> str:
    """MAIL FROM with the parameters that the host offers to understand."""
    words = [f"MAIL FROM:<{_path(parcel.sender)}>"]
    if "SIZE" in offers:
        words.append(f"SIZE={parcel.size_bytes}")
    if parcel.is_8bit:
        words.append("BODY=8BITMIME")
    if parcel.needs_smtputf8:
        words.append("SMTPUTF8")
    if "DSN" in offers:
        if parcel.wants_headers_only:
            words.append("RET=HDRS")
        if parcel.envelope_id and _is_sayable(parcel.envelope_id):
            words.append(f"ENVID={xtext_from_text(parcel.envelope_id)}")
    return " ".join(words)


def rcpt_command(recipient: QueuedRecipient, offers: Mapping[str, str]) -> str:
    """RCPT TO with the parameters that the host offers to understand."""
    words = [f"RCPT TO:<{_path(recipient.address)}>"]
    if "DSN" in offers:
        if notify := _notify_words(recipient.notify):
            words.append(f"NOTIFY={notify}")
        kind, _, original = recipient.original.partition(";")
        if (
            original
            and _is_sayable(original)
            and kind.isascii()
            and kind.replace("-", "").isalnum()
        ):
            words.append(f"ORCPT={kind};{xtext_from_text(original)}")
    return " ".join(words)


def _path(address: str) -> str:
    """An address for between angle brackets; whoever made it, it must not end the command."""
    if not address.isprintable() or "<" in address or ">" in address:
        raise UnfitAddress(f"not fit for an envelope: {address!r}")
    return address


def _is_sayable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _notify_words(notify: Notify) -> str:
    if notify & Notify.NEVER:
        return "NEVER"
    return ",".join(word for bit, word in _NOTIFY_WORDS if notify & bit)


def content_fault(prefix: bytes, wire: bytes | memoryview) -> str:
    """Why this must not be put on the wire ("" when it may).

    A bare CR or LF, or a lone dot before the end, could be read by the next host as the end of the
    message: what follows would be a message that somebody smuggled in.
    """
    if prefix and not prefix.endswith(b"\r\n"):
        return "the added header does not end with a line"
    if _has_bare_eol(prefix):
        return "the added header has a bare CR or LF"
    view = memoryview(wire)
    if bytes(view[-5:]) != b"\r\n.\r\n" and bytes(view) != b".\r\n":
        return "the content has no terminator"
    for start in range(0, len(view), _CHECKED_AT_ONCE):
        # Four bytes of the piece before, so that no pair or lone dot hides at the seam.
        piece = bytes(view[max(start - 4, 0) : start + _CHECKED_AT_ONCE])
        if _has_bare_eol(piece, is_inside=start > 0, is_last=start + _CHECKED_AT_ONCE >= len(view)):
            return "the content has a bare CR or LF"
        at = piece.find(b"\r\n.\r\n")
        if at >= 0 and max(start - 4, 0) + at + 5 != len(view):
            return "the content has a lone dot before its end"
    if bytes(view[:3]) == b".\r\n" and len(view) > 3:
        return "the content has a lone dot before its end"
    return ""


def _has_bare_eol(piece: bytes, *, is_inside: bool = False, is_last: bool = True) -> bool:
    """Whether CR or LF stands alone; halves at the seams of a piece are no fault."""
    pairs = piece.count(b"\r\n")
    lf = piece.count(b"\n") - (is_inside and piece.startswith(b"\n"))
    cr = piece.count(b"\r") - (not is_last and piece.endswith(b"\r"))
    return lf != pairs or cr != pairs
