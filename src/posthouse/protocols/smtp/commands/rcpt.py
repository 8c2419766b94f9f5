"""RCPT: for whom.

Spec: RFC 5321 §4.1.1.3, §4.5.1 (Postmaster), §4.5.3.1.8 (too many); RFC 6531 §3.5.

Notes:
    What stands before the @ of a foreign address has no meaning here: ``user%host`` and
    ``host!user`` are names that nobody has. Unknown recipients are told as such, since a bounce
    would be worse; whoever asks for many is shown the door.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.address import Address
from posthouse.model.errors import AccessDenied, NotFound
from posthouse.protocols.smtp.errors import reply_from_error
from posthouse.protocols.smtp.wire.replies import (
    FOREIGN_LITERAL,
    LOGIN_REQUIRED,
    MAIL_FIRST,
    NEEDS_SMTPUTF8_RECIPIENT,
    RATE_EXCEEDED,
    RECIPIENT_OK,
    TOO_MANY_RECIPIENTS,
    TOO_MANY_UNKNOWN,
    Reply,
)
from posthouse.runtime.metrics_table import SMTP_RECIPIENTS_REJECTED
from posthouse.services.mailflow.envelope import Recipient

if TYPE_CHECKING:
    from posthouse.protocols.smtp.session import SmtpSession, Transaction
    from posthouse.protocols.smtp.wire.commands import Rcpt


async def handle(session: SmtpSession, command: Rcpt) -> Reply:
    """Take a recipient.

    Raises:
        QuotaExceeded: its mailbox is full.
        Unavailable: cannot be told now.
    """
    transaction = session.transaction
    if transaction is None:
        return LOGIN_REQUIRED if session.is_barred else MAIL_FIRST
    limits = session.settings.limits
    if (
        len(transaction.recipients) >= limits.recipients_per_message
        or session.recipients >= limits.recipients_per_session
    ):
        return TOO_MANY_RECIPIENTS
    address = _localised(session, command.address)
    if address is None:
        return _refused(session, FOREIGN_LITERAL)
    mail = transaction.mail
    if not mail.needs_smtputf8 and not address.is_ascii:
        return NEEDS_SMTPUTF8_RECIPIENT
    try:
        await session.services.mailflow.check_recipient(
            address, transaction.origin, mail.size_bytes
        )
    except (NotFound, AccessDenied) as e:
        session.unknown += isinstance(e, NotFound)
        return _refused(session, reply_from_error(e))
    if not _is_within_rate(session, transaction, address):
        return RATE_EXCEEDED
    session.add_recipient(Recipient(address, command.text, command.notify, command.original))
    return RECIPIENT_OK


def _localised(session: SmtpSession, address: Address) -> Address | None:
    """Put our domain to ``<Postmaster>`` and our own literals; None for a foreign literal."""
    domain = address.domain
    if domain and domain[0] != "[":
        return address
    settings = session.settings
    if domain and domain not in settings.address_literals:
        return None
    return Address(address.local, settings.domain or settings.hostname)


def _refused(session: SmtpSession, reply: Reply) -> Reply:
    limits = session.settings.limits
    session.refused += 1
    session.services.metrics.inc(SMTP_RECIPIENTS_REJECTED.slot(session.connection.listener))
    if session.unknown > limits.unknown_recipients or session.refused > limits.refused_recipients:
        return TOO_MANY_UNKNOWN
    return reply


def _is_within_rate(session: SmtpSession, transaction: Transaction, address: Address) -> bool:
    if session.login is None or address.key in transaction.recipients:
        return True
    return session.rates.take(session.login.principal.principal_id)
