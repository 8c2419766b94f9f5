"""FOLDERDELETE: removes a folder with all in it.

Spec: [MS-ASCMD] §2.2.1.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.batch import Batch, Commit, RemoveFolder
from posthouse.model.errors import AccessDenied, RemoteProtocolError
from posthouse.model.folder import FolderRole
from posthouse.model.rights import Rights
from posthouse.protocols.eas.collections import collection
from posthouse.protocols.eas.hierarchy import standing_of, told
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Iterable

    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import FolderShown

_SPACE = "FolderHierarchy"


async def handle(call: Call, request: Element | None) -> Element:
    """Remove it; its items can be recovered until retention takes them.

    Raises:
        InvalidSyncPoint: the key is not known.
        NotFound: there is no such folder.
        AccessDenied: a special folder, or not the person's to remove.
    """
    if request is None:
        raise RemoteProtocolError("no body", "content")
    standing = await standing_of(call, request.text_of("SyncKey"))
    found = await collection(call, request.text_of("ServerId"))
    if found.folder.role is not FolderRole.NONE or not found.rights & Rights.OWNER:
        raise AccessDenied(f"folder {found.server_id} is not to be removed")
    remove = RemoveFolder(found.folder_id)
    await call.services.store.apply(Commit((Batch(found.mailbox_id, (remove,)),)))
    key = await told(call, standing, _without(standing.state.folders, found.server_id))
    fields = (("Status", "1"), ("SyncKey", key.text))
    return Element(_SPACE, "FolderDelete", [Element(_SPACE, tag, text) for tag, text in fields])


def _without(folders: Iterable[FolderShown], server_id: str) -> list[FolderShown]:
    """Without a folder and all below it."""
    gone = {server_id}
    left = list(folders)
    while below := [one for one in left if one.server_id in gone or one.parent_id in gone]:
        gone.update(one.server_id for one in below)
        left = [one for one in left if one not in below]
    return left
