"""What operations on folders and on the mailbox itself do to the memory engine's dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from posthouse.backends.memory.state import changed
from posthouse.model.batch import (
    ChangeFolder,
    ChangeMailbox,
    DropSyncStates,
    GrantRights,
    KeepRules,
    KeepSyncState,
    MakeFolder,
    NameProperties,
    OperationResult,
    RemoveFolder,
)
from posthouse.model.errors import AlreadyExists, Conflict
from posthouse.model.folder import Folder, FolderRole
from posthouse.model.ids import ChangeNumber, FolderId

if TYPE_CHECKING:
    from collections.abc import Callable

    from posthouse.backends.memory.operations import Work
    from posthouse.backends.memory.state import Box

FIRST_NAMED = 0x8000
NAME_CHARACTERS_MAX = 255


def insert_folder(box: Box, parent: FolderId, operation: MakeFolder, uid_validity: int) -> FolderId:
    """Put a folder in whose name and role are known to be free."""
    cn = box.next_cn()
    folder_id = FolderId(cn)
    box.folders[folder_id] = Folder(
        box.head.mailbox_id,
        folder_id,
        parent,
        operation.role,
        operation.folder_class,
        operation.name,
        uid_validity,
        1,
        cn,
        cn,
        ChangeNumber(0),
        0,
        0,
        0,
        operation.bag,
    )
    return folder_id


def _require_free(box: Box, parent: FolderId, name: str, own: FolderId | None = None) -> None:
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX:
        raise Conflict("a folder name has 1 to 255 characters")
    for folder in box.folders.values():
        if (
            folder.parent_id == parent
            and folder.name.casefold() == name.casefold()
            and folder.folder_id != own
        ):
            raise AlreadyExists(f"folder {name!r}")


def _make_folder(work: Work, operation: MakeFolder) -> OperationResult:
    box = work.box
    parent = work.folder_id(operation.parent)
    box.require_ordinary(parent)
    _require_free(box, parent, operation.name)
    if operation.role and any(f.role is operation.role for f in box.folders.values()):
        raise AlreadyExists(f"a {operation.role.name} folder")
    base = box.folders[box.role_folder(FolderRole.ROOT)].uid_validity
    validity = (base + box.head.highest_cn) % ((1 << 32) - 1) + 1
    return OperationResult(folder_id=insert_folder(box, parent, operation, validity))


def _change_folder(work: Work, operation: ChangeFolder) -> OperationResult:
    box = work.box
    folder = box.folder(operation.folder)
    parent = folder.parent_id if operation.parent is None else operation.parent
    name = folder.name if operation.name is None else operation.name
    if (parent, name) != (folder.parent_id, folder.name):
        if folder.role in {FolderRole.ROOT, FolderRole.RECOVERABLE}:
            raise Conflict("root and Recoverable Items stay as they are")
        if parent != folder.parent_id:
            box.require_ordinary(parent)
        if parent in box.tree(folder.folder_id):
            raise Conflict("a folder cannot lie below itself")
        _require_free(box, parent, name, folder.folder_id)
    box.folders[folder.folder_id] = changed(
        folder,
        parent_id=parent,
        name=name,
        bag=folder.bag if operation.bag is None else operation.bag,
        changed_cn=box.next_cn(),
    )
    return OperationResult()


def _remove_folder(work: Work, operation: RemoveFolder) -> OperationResult:
    box = work.box
    work.folder_id(operation.folder)
    tree = box.tree(operation.folder)
    if any(box.folders[folder_id].role for folder_id in tree):
        raise Conflict("a special folder stays")
    for folder_id in reversed(tree):
        for place in box.in_folder(folder_id):
            box.move(place, box.role_folder(FolderRole.RECOVERABLE), work.now)
        del box.folders[folder_id]
        box.tombstones = tuple(t for t in box.tombstones if t.folder_id != folder_id)
        box.grants = {key: rights for key, rights in box.grants.items() if key[0] != folder_id}
        box.removed += ((box.next_cn(), folder_id, work.now),)
    return OperationResult()


def _grant_rights(work: Work, operation: GrantRights) -> OperationResult:
    box = work.box
    folder = box.folder(operation.folder)
    key = (folder.folder_id, operation.principal_id)
    box.grants.pop(key, None)
    if operation.rights:
        box.grants[key] = operation.rights
    box.folders[folder.folder_id] = changed(box.folders[folder.folder_id], changed_cn=box.next_cn())
    return OperationResult()


def _change_mailbox(work: Work, operation: ChangeMailbox) -> OperationResult:
    head = work.box.head
    work.box.head = changed(
        head,
        quota_bytes=head.quota_bytes if operation.quota_bytes is None else operation.quota_bytes,
        settings=head.settings if operation.settings is None else operation.settings,
    )
    work.box.next_cn()
    return OperationResult()


def _keep_rules(work: Work, operation: KeepRules) -> OperationResult:
    work.box.rules = operation.rules
    work.box.next_cn()
    return OperationResult()


def _keep_sync_state(work: Work, operation: KeepSyncState) -> OperationResult:
    key = (operation.device_id, operation.collection)
    older = {k: s for k, s in work.box.sync_states.get(key, {}).items() if k < operation.key}
    kept = {k: older[k] for k in sorted(older)[-1:]}
    work.box.sync_states[key] = {**kept, operation.key: operation.state}
    return OperationResult()


def _drop_sync_states(work: Work, operation: DropSyncStates) -> OperationResult:
    for device_id, collection in list(work.box.sync_states):
        if device_id == operation.device_id and operation.collection in {None, collection}:
            del work.box.sync_states[device_id, collection]
    return OperationResult()


def _name_properties(work: Work, operation: NameProperties) -> OperationResult:
    box = work.box
    for name in operation.names:
        if name not in box.names:
            box.names += (name,)
    return OperationResult(
        numbers=tuple(FIRST_NAMED + box.names.index(name) for name in operation.names)
    )


MAILBOX_OPERATIONS: dict[type, Callable[[Work, Any], OperationResult]] = {
    MakeFolder: _make_folder,
    ChangeFolder: _change_folder,
    RemoveFolder: _remove_folder,
    GrantRights: _grant_rights,
    ChangeMailbox: _change_mailbox,
    KeepSyncState: _keep_sync_state,
    DropSyncStates: _drop_sync_states,
    NameProperties: _name_properties,
    KeepRules: _keep_rules,
}
