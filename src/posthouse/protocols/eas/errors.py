"""What went wrong, in each command's own numbers.

Spec: [MS-ASCMD] §2.2.2 (common status codes), §2.2.3.177 (Status).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from posthouse.model import errors
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCESS: Final = "1"


class Common(IntEnum):
    """Codes that every command of 14.0 and later may answer."""

    INVALID_CONTENT = 101
    INVALID_WBXML = 102
    INVALID_IDS = 106
    INVALID_MIME = 107
    NO_DEVICE_ID = 108
    SERVER_ERROR = 110
    SERVER_ERROR_RETRY = 111
    QUOTA_EXCEEDED = 113
    RECIPIENT_UNRESOLVED = 116
    REPLY_NOT_ALLOWED = 117
    SENT_BEFORE = 118
    NO_RECIPIENTS = 119
    SUBMISSION_FAILED = 120
    REPLY_FAILED = 121
    TOO_LARGE = 122
    NO_MAILBOX = 123
    SYNC_STATE_NOT_FOUND = 132
    DEVICE_BLOCKED = 129
    ACCESS_DENIED = 130
    COMMAND_NOT_SUPPORTED = 137
    VERSION_NOT_SUPPORTED = 138
    REMOTE_WIPE = 140
    NOT_PROVISIONED = 142
    POLICY_REFRESH = 143
    INVALID_POLICY_KEY = 144
    UNEXPECTED_ITEM_CLASS = 147
    ITEM_NOT_FOUND = 150
    DEVICE_INFORMATION_REQUIRED = 165
    TOO_MANY_DEVICES = 177


COMMON: Final[Mapping[type[errors.PosthouseError], int]] = {
    errors.NotFound: Common.ITEM_NOT_FOUND,
    errors.AlreadyExists: Common.SERVER_ERROR,
    errors.AccessDenied: Common.ACCESS_DENIED,
    errors.QuotaExceeded: Common.QUOTA_EXCEEDED,
    errors.Conflict: Common.SERVER_ERROR_RETRY,
    errors.InvalidSyncPoint: Common.SYNC_STATE_NOT_FOUND,
    errors.SyncPointExpired: Common.SYNC_STATE_NOT_FOUND,
    errors.Repeated: Common.SENT_BEFORE,
    errors.Unavailable: Common.SERVER_ERROR_RETRY,
    errors.TooLarge: Common.TOO_LARGE,
    errors.RemoteProtocolError: Common.INVALID_CONTENT,
    errors.ParserFailed: Common.INVALID_CONTENT,
    errors.MailLoop: Common.SUBMISSION_FAILED,
}
"""For what has no number in the command's own table."""


class Root(Struct, frozen=True):
    """How a command's answer begins, and how it says that all of it went wrong.

    Attributes:
        name: ``Namespace:Tag`` of the root.
        own: numbers of the command's own table.
    """

    name: str
    own: Mapping[type[errors.PosthouseError], int] = {}


_SYNTAX = errors.RemoteProtocolError
_BEHIND: Final[dict[type[errors.PosthouseError], int]] = {
    errors.InvalidSyncPoint: 9,
    errors.SyncPointExpired: 9,
}
_FOLDERS: Final[dict[type[errors.PosthouseError], int]] = {
    **_BEHIND,
    errors.AlreadyExists: 2,
    errors.NotFound: 4,
    errors.AccessDenied: 3,
    errors.Conflict: 3,
    errors.Unavailable: 6,
    _SYNTAX: 10,
}

ROOTS: Final[Mapping[str, Root]] = {
    "Sync": Root("AirSync:Sync", {_SYNTAX: 4, errors.Unavailable: 16}),
    "SendMail": Root("ComposeMail:SendMail", {_SYNTAX: Common.INVALID_CONTENT}),
    "SmartForward": Root("ComposeMail:SmartForward"),
    "SmartReply": Root("ComposeMail:SmartReply"),
    "FolderSync": Root("FolderHierarchy:FolderSync", _FOLDERS),
    "FolderCreate": Root("FolderHierarchy:FolderCreate", {**_FOLDERS, errors.NotFound: 5}),
    "FolderDelete": Root("FolderHierarchy:FolderDelete", _FOLDERS),
    "FolderUpdate": Root("FolderHierarchy:FolderUpdate", _FOLDERS),
    "MoveItems": Root("Move:MoveItems"),
    "GetItemEstimate": Root("GetItemEstimate:GetItemEstimate"),
    "MeetingResponse": Root("MeetingResponse:MeetingResponse", {_SYNTAX: 2}),
    "Search": Root("Search:Search", {_SYNTAX: 2, errors.Unavailable: 3}),
    "Settings": Root("Settings:Settings", {_SYNTAX: 2}),
    "Ping": Root("Ping:Ping", {_SYNTAX: 4, errors.Unavailable: 8}),
    "ItemOperations": Root("ItemOperations:ItemOperations", {_SYNTAX: 2, errors.Unavailable: 3}),
    "Provision": Root("Provision:Provision", {_SYNTAX: 2}),
    "ResolveRecipients": Root("ResolveRecipients:ResolveRecipients", {_SYNTAX: 5}),
    "ValidateCert": Root("ValidateCert:ValidateCert", {_SYNTAX: 2}),
    "Find": Root("Find:Find", {_SYNTAX: 2, errors.Unavailable: 3}),
}
"""All commands of 14.0 and later."""


def status_of(error: Exception, own: Mapping[type[errors.PosthouseError], int]) -> int:
    """The number for an error: of the command's own table, else the common one."""
    for kind in type(error).__mro__:
        for table in (own, COMMON):
            if kind in table:
                return int(table[kind])
    return Common.SERVER_ERROR


def refusal(command: str, error: Exception) -> Element:
    """The answer that says nothing but what went wrong."""
    root = ROOTS[command]
    return refused(command, status_of(error, root.own))


def refused(command: str, status: int) -> Element:
    """The same of a number."""
    namespace, _, tag = ROOTS[command].name.partition(":")
    # Move, MeetingResponse and GetItemEstimate have no Status of their own at the top; clients
    # look there all the same for the common ones.
    return Element(namespace, tag, [Element(namespace, "Status", str(status))])
