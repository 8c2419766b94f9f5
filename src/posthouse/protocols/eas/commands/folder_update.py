"""FOLDERUPDATE: renames or moves a folder.

Spec: [MS-ASCMD] §2.2.1.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.batch import Batch, ChangeFolder, Commit
from posthouse.model.errors import AccessDenied, NotFound, RemoteProtocolError
from posthouse.model.folder import FolderRole
from posthouse.model.rights import Rights
from posthouse.protocols.eas.collections import TOP, collection, folders_shown
from posthouse.protocols.eas.folder_names import checked_name
from posthouse.protocols.eas.hierarchy import standing_of, told
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from posthouse.model.ids import FolderId
    from posthouse.protocols.eas.collections import Collection
    from posthouse.protocols.eas.session import Call

_SPACE = "FolderHierarchy"


async def handle(call: Call, request: Element | None) -> Element:
    """Rename or move it.

    Raises:
        InvalidSyncPoint: the key is not known.
        NotFound: there is no such folder, or no such parent.
        AlreadyExists: the name is taken.
        AccessDenied: a special folder, or not the person's to change.
        Conflict: it would lie below itself.
    """
    if request is None:
        raise RemoteProtocolError("no body", "content")
    standing = await standing_of(call, request.text_of("SyncKey"))
    name = checked_name(request.text_of("DisplayName"))
    found = await collection(call, request.text_of("ServerId"))
    if found.folder.role is not FolderRole.NONE or not found.rights & Rights.OWNER:
        raise AccessDenied(f"folder {found.server_id} is not to be changed")
    parent = await _parent(call, found, request.text_of("ParentId", TOP))
    change = ChangeFolder(found.folder_id, name, parent)
    await call.services.store.apply(Commit((Batch(found.mailbox_id, (change,)),)))
    now = {one.server_id: one for one in await folders_shown(call)}
    known = [
        now.get(one.server_id, one) if one.server_id == found.server_id else one
        for one in standing.state.folders
    ]
    key = await told(call, standing, known)
    fields = (("Status", "1"), ("SyncKey", key.text))
    return Element(_SPACE, "FolderUpdate", [Element(_SPACE, tag, text) for tag, text in fields])


async def _parent(call: Call, found: Collection, server_id: str) -> FolderId | None:
    """The new parent; None: it stays where it is (a shared folder at the top)."""
    if server_id in (TOP, ""):
        if not found.is_own:
            return None
        root = await call.services.store.role_folder(call.mailbox_id, FolderRole.ROOT)
        return root.folder_id
    parent = await collection(call, server_id)
    if parent.mailbox_id != found.mailbox_id or not parent.rights & Rights.CREATE_SUBFOLDER:
        raise NotFound(f"{found.server_id} cannot be moved below {server_id}")
    return parent.folder_id
