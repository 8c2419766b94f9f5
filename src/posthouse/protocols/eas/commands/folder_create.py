"""FOLDERCREATE: makes a folder.

Spec: [MS-ASCMD] §2.2.1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.batch import Batch, Commit, MakeFolder
from posthouse.model.errors import LocalProtocolError, NotFound, RemoteProtocolError
from posthouse.model.folder import FolderRole
from posthouse.model.rights import Rights
from posthouse.protocols.eas.collections import (
    CLASS_OF_KIND,
    TOP,
    collection,
    folder_server_id,
    folders_shown,
)
from posthouse.protocols.eas.folder_names import checked_name
from posthouse.protocols.eas.hierarchy import standing_of, told
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.protocols.eas.session import Call

_SPACE = "FolderHierarchy"


async def handle(call: Call, request: Element | None) -> Element:
    """Make it below another or at the top.

    Raises:
        InvalidSyncPoint: the key is not known.
        AlreadyExists: the name is taken.
        NotFound: there is no such parent.
    """
    if request is None:
        raise RemoteProtocolError("no body", "content")
    standing = await standing_of(call, request.text_of("SyncKey"))
    name = checked_name(request.text_of("DisplayName"))
    folder_class = CLASS_OF_KIND.get(request.number_of("Type"))
    if folder_class is None:
        raise RemoteProtocolError("no folder of this Type can be made", "content")
    mailbox_id, parent = await _parent(call, request.text_of("ParentId", TOP))
    make = MakeFolder(parent, name, folder_class, FolderRole.NONE)
    (result,) = await call.services.store.apply(Commit((Batch(mailbox_id, (make,)),)))
    folder_id = result.results[0].folder_id
    if folder_id is None:
        raise LocalProtocolError("MakeFolder gave no folder")
    server_id = folder_server_id(mailbox_id, folder_id, is_own=mailbox_id == call.mailbox_id)
    made = [one for one in await folders_shown(call) if one.server_id == server_id]
    key = await told(call, standing, (*standing.state.folders, *made))
    fields = (("Status", "1"), ("SyncKey", key.text), ("ServerId", server_id))
    return Element(_SPACE, "FolderCreate", [Element(_SPACE, tag, text) for tag, text in fields])


async def _parent(call: Call, server_id: str) -> tuple[MailboxId, FolderId]:
    if server_id in (TOP, ""):
        root = await call.services.store.role_folder(call.mailbox_id, FolderRole.ROOT)
        return call.mailbox_id, root.folder_id
    parent = await collection(call, server_id)
    if not parent.rights & Rights.CREATE_SUBFOLDER:
        raise NotFound(f"no folder can be made below {server_id}")
    return parent.mailbox_id, parent.folder_id
