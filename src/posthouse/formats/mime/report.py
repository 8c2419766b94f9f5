"""Delivery status notifications: what a sender hears of a message's fate.

Spec: RFC 3464 (delivery-status), RFC 6522 (multipart/report), RFC 6533 (UTF-8 addresses), RFC 3461
    §6
(who gets one), RFC 3834 §2 (Auto-Submitted).

Notes:
    The report is sent from the null sender; that is the envelope's business, not the content's.
    Words of remote servers are quoted, so they are flattened to one printable line first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from posthouse.formats.mime.dates import date_text
from posthouse.formats.mime.dots import Stuffed, crlf_from_lf, stuff
from posthouse.formats.mime.headers import header_block
from posthouse.formats.mime.trace import header_line

_WORDS_MAX = 900
_XTEXT = re.compile(r"\+([0-9A-F]{2})")


class Action(StrEnum):
    """What happened to a recipient's copy (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class RecipientFate:
    """What is told of one recipient.

    Attributes:
        address: as it was tried.
        action: what happened.
        status: enhanced status code, e.g. "5.1.1".
        original: ORCPT as given, xtext and all ("" none).
        remote_host: who answered ("" nobody).
        reply: the remote's last words with their reply code ("" none).
        reason: our own words, when no remote spoke ("" none).
        last_attempt_at: ms (0 never).
        will_retry_until: ms, for DELAYED.
    """

    address: str
    action: Action
    status: str
    original: str = ""
    remote_host: str = ""
    reply: str = ""
    reason: str = ""
    last_attempt_at: int = 0
    will_retry_until: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """Everything a report says.

    Attributes:
        reporting_host: our name.
        author: address in From, usually the postmaster's.
        sender: whom it is for.
        message_id: of the report, without brackets.
        made_at: ms.
        arrived_at: when the message came to us, ms.
        fates: at least one.
        returned: header block of the message, or all of it (plain content).
        is_whole: ``returned`` is the whole message.
        envelope_id: ENVID as given, xtext and all ("" none).
        original_message_id: without brackets; puts the report into the message's thread (""
            unknown).
        subject: of the message, decoded ("" unknown).
    """

    reporting_host: str
    author: str
    sender: str
    message_id: str
    made_at: int
    arrived_at: int
    fates: tuple[RecipientFate, ...]
    returned: bytes
    is_whole: bool = False
    envelope_id: str = ""
    original_message_id: str = ""
    subject: str = ""


_TITLES = {
    Action.FAILED: "Undelivered: your message could not be delivered",
    Action.DELAYED: "Delayed: your message is still on its way",
    Action.DELIVERED: "Delivered: your message has arrived",
    Action.RELAYED: "Relayed: your message was handed on",
    Action.EXPANDED: "Delivered: your message went to a group",
}
_SENTENCES = {
    Action.FAILED: "This message could not be delivered. It will not be tried again.",
    Action.DELAYED: "This message could not be delivered yet. It will be tried again; "
    "there is nothing you need to do.",
    Action.DELIVERED: "This message was delivered.",
    Action.RELAYED: "This message was handed to a server that sends no confirmations.",
    Action.EXPANDED: "This message was delivered to a group and sent on to its members.",
}
_REASONS = {
    "1.1": "there is no such recipient",
    "1.2": "the domain does not exist",
    "1.10": "the domain takes no mail",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "2.3": "the message is too large for the mailbox",
    "3.4": "the message is too large",
    "4.1": "the other server did not answer",
    "4.4": "no server for this domain was found",
    "4.6": "the message went in circles",
    "4.7": "the other server could not be reached in time",
    "6.7": "the other server cannot take international addresses",
    "7.1": "the other server refused the message",
}


def render_report(report: DeliveryReport) -> Stuffed:
    """The report as a message in wire form.

    Addresses or a header beyond ASCII make it an internationalised report (RFC 6533); it then needs
    SMTPUTF8 when the sender's address is not ASCII, and 8BITMIME otherwise.
    """
    returned = crlf_from_lf(report.returned)
    if not report.is_whole:
        returned = returned[: header_block(returned)].removesuffix(b"\r\n") + b"\r\n"
    is_global = not all((fate.address + fate.original).isascii() for fate in report.fates)
    human = _human_part(report)
    machine = _machine_part(report, is_global=is_global)
    boundary = _boundary(report, human, machine, returned)
    machine_type = "message/global-delivery-status" if is_global else "message/delivery-status"
    parts = (
        _part(f"text/plain; charset={'us-ascii' if human.isascii() else 'utf-8'}", human),
        _part(machine_type, machine),
        _part(_returned_type(returned, is_whole=report.is_whole), returned),
    )
    delimiter = b"--" + boundary + b"\r\n"
    body = b"".join(b"%b%b\r\n" % (delimiter, part) for part in parts)
    return stuff(_header(report, boundary) + b"\r\n" + body + b"--" + boundary + b"--\r\n")


def _returned_type(returned: bytes, *, is_whole: bool) -> str:
    """A header in UTF-8 makes it "global"; one in other 8-bit text was broken before it came."""
    head = returned[: header_block(returned)]
    is_global = not head.isascii()
    if is_global:
        try:
            head.decode("utf-8")
        except UnicodeDecodeError:
            is_global = False
    if is_whole:
        return "message/global" if is_global else "message/rfc822"
    return "message/global-headers" if is_global else "text/rfc822-headers"


def _part(content_type: str, body: bytes) -> bytes:
    encoding = b"" if body.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return header_line("Content-Type", content_type) + encoding + b"\r\n" + body


def _boundary(report: DeliveryReport, *contents: bytes) -> bytes:
    """A boundary that stands in none of the parts; made from them, so equal reports are equal."""
    digest = blake2b(report.message_id.encode("utf-8", "replace"), digest_size=12)
    while True:
        boundary = b"=_report_" + digest.hexdigest().encode("ascii")
        if not any(boundary in content for content in contents):
            return boundary
        digest.update(b"again")


def _header(report: DeliveryReport, boundary: bytes) -> bytes:
    lines = [
        header_line("From", f"Mail Delivery System <{_flat(report.author)}>"),
        header_line("To", f"<{_flat(report.sender)}>"),
        header_line("Subject", _TITLES[_worst(report)]),
        header_line("Date", date_text(report.made_at)),
        header_line("Message-ID", f"<{_flat(report.message_id)}>"),
        header_line("Auto-Submitted", "auto-replied"),
        header_line("MIME-Version", "1.0"),
        header_line(
            "Content-Type",
            f'multipart/report; report-type=delivery-status; boundary="{boundary.decode("ascii")}"',
        ),
    ]
    if original := _flat(report.original_message_id):
        lines.append(header_line("In-Reply-To", f"<{original}>"))
        lines.append(header_line("References", f"<{original}>"))
    return b"".join(lines)


def _worst(report: DeliveryReport) -> Action:
    actions = {fate.action for fate in report.fates}
    return next(action for action in Action if action in actions)


def _human_part(report: DeliveryReport) -> bytes:
    lines = [f"This is the mail system at {_flat(report.reporting_host)}.", ""]
    if subject := _flat(report.subject):
        lines += [f"Your message: {subject}", f"Received here: {date_text(report.arrived_at)}", ""]
    for action in Action:
        fates = [fate for fate in report.fates if fate.action is action]
        if not fates:
            continue
        lines += [_SENTENCES[action], ""]
        for fate in fates:
            lines += [*_human_lines(fate), ""]
    return "\r\n".join([*lines, ""]).encode("utf-8", "replace")


def _human_lines(fate: RecipientFate) -> list[str]:
    lines = [f"  {_flat(fate.address)}"]
    reason = _flat(fate.reason) or _REASONS.get(fate.status.partition(".")[2], "")
    if reason:
        lines.append(f"    Reason: {reason} ({_flat(fate.status)})")
    if fate.reply:
        host = _flat(fate.remote_host)
        lines.append(f"    {host or 'The other server'} said: {_flat(fate.reply)}")
    if fate.will_retry_until:
        lines.append(f"    It will be tried until {date_text(fate.will_retry_until)}")
    return lines


def _machine_part(report: DeliveryReport, *, is_global: bool) -> bytes:
    out = [header_line("Reporting-MTA", f"dns; {_flat(report.reporting_host)}")]
    if report.envelope_id:
        out.append(_field("Original-Envelope-Id", _from_xtext(report.envelope_id)))
    out.append(header_line("Arrival-Date", date_text(report.arrived_at)))
    for fate in report.fates:
        out.append(b"\r\n")
        out += _machine_lines(fate, is_global=is_global)
    part = b"".join(out)
    return part if is_global else part.decode("utf-8").encode("ascii", "replace")


def _machine_lines(fate: RecipientFate, *, is_global: bool) -> list[bytes]:
    out: list[bytes] = []
    if fate.original:
        kind, _, address = fate.original.partition(";")
        out.append(_field("Original-Recipient", f"{kind};{_from_xtext(address)}"))
    kind = "utf-8" if is_global and not fate.address.isascii() else "rfc822"
    out += [
        _field("Final-Recipient", f"{kind};{fate.address}"),
        header_line("Action", fate.action.value),
        _field("Status", fate.status),
    ]
    if fate.remote_host:
        out.append(_field("Remote-MTA", f"dns; {fate.remote_host}"))
    if fate.reply:
        out.append(_field("Diagnostic-Code", f"smtp; {fate.reply}"))
    elif fate.reason:
        out.append(_field("Diagnostic-Code", f"X-Posthouse; {fate.reason}"))
    if fate.last_attempt_at:
        out.append(header_line("Last-Attempt-Date", date_text(fate.last_attempt_at)))
    if fate.will_retry_until and fate.action is Action.DELAYED:
        out.append(header_line("Will-Retry-Until", date_text(fate.will_retry_until)))
    return out


def _field(name: str, value: str) -> bytes:
    return header_line(name, _flat(value))


def _flat(text: str) -> str:
    """One printable line of bounded length."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:_WORDS_MAX]


def _from_xtext(text: str) -> str:
    """Undo RFC 3461 §4's ``+XX``; control characters that hide there are ``_flat``'s business."""
    return _XTEXT.sub(lambda match: chr(int(match[1], 16)), text)
