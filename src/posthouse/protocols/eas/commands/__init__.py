"""The commands: one file each, and the table of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from posthouse.protocols.eas.commands import (
    find,
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_item_estimate,
    item_operations,
    meeting_response,
    move_items,
    ping,
    provision,
    resolve_recipients,
    search,
    send_mail,
    settings,
    smart_forward,
    smart_reply,
    sync,
    validate_cert,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.wire.element import Element
    from posthouse.runtime.http import Answer

    Handler = Callable[[Call, Element | None], Awaitable[Element | Answer | None]]

COMMANDS: Final[Mapping[str, Handler]] = {
    "Find": find.handle,
    "FolderCreate": folder_create.handle,
    "FolderDelete": folder_delete.handle,
    "FolderSync": folder_sync.handle,
    "FolderUpdate": folder_update.handle,
    "GetItemEstimate": get_item_estimate.handle,
    "ItemOperations": item_operations.handle,
    "MeetingResponse": meeting_response.handle,
    "MoveItems": move_items.handle,
    "Ping": ping.handle,
    "Provision": provision.handle,
    "ResolveRecipients": resolve_recipients.handle,
    "Search": search.handle,
    "SendMail": send_mail.handle,
    "Settings": settings.handle,
    "SmartForward": smart_forward.handle,
    "SmartReply": smart_reply.handle,
    "Sync": sync.handle,
    "ValidateCert": validate_cert.handle,
}
"""Name in the request line -> what answers; the same names as in ``errors.ROOTS``."""
