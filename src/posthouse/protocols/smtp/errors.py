"""The one table from what went wrong to what the client hears.

Spec: RFC 5321 §4.2; RFC 3463, RFC 4954 §6.

Notes:
    Passing faults of ours are 4xx, the client's are 5xx. Whatever is not listed is our bug: 451, so
    that no mail bounces for it.
"""

from __future__ import annotations

from posthouse.model.errors import (
    AccessDenied,
    AlreadyExists,
    ConfigurationError,
    Conflict,
    InsufficientSpace,
    InvalidSyncPoint,
    LocalProtocolError,
    LoginDelayed,
    LoginError,
    LoginRefused,
    MailLoop,
    NotFound,
    ParserFailed,
    PosthouseError,
    ProtocolError,
    QuotaExceeded,
    RemoteProtocolError,
    Repeated,
    StoreError,
    SyncPointExpired,
    TooLarge,
    Unavailable,
)
from posthouse.protocols.smtp.wire.replies import (
    GRAMMAR_REPLIES,
    INTERNAL_ERROR,
    LOGIN_DELAYED,
    LOGIN_REFUSED,
    TOO_LARGE,
    Reply,
    reply,
)

UNKNOWN_RECIPIENT = reply(550, "5.1.1", "No such recipient here")
DENIED = reply(550, "5.7.1", "Not permitted")
QUOTA_EXCEEDED = reply(452, "4.2.2", "Mailbox full")
NO_SPACE = reply(452, "4.3.1", "Insufficient storage, try again later")
UNAVAILABLE = reply(451, "4.3.0", "Temporary failure, try again later")
LOOP = reply(554, "5.4.6", "Too many hops")

REPLIES: dict[type[PosthouseError], Reply] = {
    NotFound: UNKNOWN_RECIPIENT,
    AccessDenied: DENIED,
    QuotaExceeded: QUOTA_EXCEEDED,
    InsufficientSpace: NO_SPACE,
    Unavailable: UNAVAILABLE,
    Conflict: UNAVAILABLE,
    AlreadyExists: INTERNAL_ERROR,
    InvalidSyncPoint: INTERNAL_ERROR,
    Repeated: INTERNAL_ERROR,
    SyncPointExpired: INTERNAL_ERROR,
    StoreError: INTERNAL_ERROR,
    TooLarge: TOO_LARGE,
    MailLoop: LOOP,
    LoginRefused: LOGIN_REFUSED,
    LoginDelayed: LOGIN_DELAYED,
    LoginError: LOGIN_REFUSED,
    RemoteProtocolError: GRAMMAR_REPLIES["syntax"],
    LocalProtocolError: INTERNAL_ERROR,
    ProtocolError: INTERNAL_ERROR,
    ConfigurationError: INTERNAL_ERROR,
    ParserFailed: INTERNAL_ERROR,
    PosthouseError: INTERNAL_ERROR,
}


def reply_from_error(error: Exception) -> Reply:
    """What the client hears of an error.

    Args:
        error: a RemoteProtocolError is answered by its hint; what is not ours counts as our bug.
    """
    if isinstance(error, RemoteProtocolError):
        return GRAMMAR_REPLIES.get(error.reply_hint, GRAMMAR_REPLIES["syntax"])
    for kind in type(error).__mro__:
        found = REPLIES.get(kind)
        if found is not None:
            return found
    return INTERNAL_ERROR
