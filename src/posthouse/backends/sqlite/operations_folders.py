"""Operations on folders: make, change, remove, grant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.backends.sqlite.rows import FolderRow, rows_of
from posthouse.backends.sqlite.work import SLICE
from posthouse.model.batch import OperationResult
from posthouse.model.errors import AlreadyExists, Conflict
from posthouse.model.folder import FolderRole
from posthouse.model.ids import FolderId

if TYPE_CHECKING:
    from posthouse.backends.sqlite.work import Work
    from posthouse.model.batch import ChangeFolder, GrantRights, MakeFolder, RemoveFolder

NAME_CHARACTERS_MAX = 255

_INSERT = (
    "INSERT INTO folder (mailbox_id, folder_id, parent_id, role, uid_validity, changed_cn, "
    "highest_cn, folder_class, name, name_key, bag) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OWN = "SELECT parent_id, name FROM folder WHERE mailbox_id = ? AND folder_id = ?"
_TAKEN = "SELECT folder_id FROM folder WHERE mailbox_id = ? AND parent_id = ? AND name_key = ?"
_ROLE_TAKEN = "SELECT folder_id FROM folder WHERE mailbox_id = ? AND role = ? AND role <> 0"
_PARENTS = "SELECT folder_id, parent_id FROM folder WHERE mailbox_id = ?"
_VALIDITY = "SELECT uid_validity FROM folder WHERE mailbox_id = ? AND role = ?"
_VALIDITY_MAX = (1 << 32) - 1


def make_folder(work: Work, operation: MakeFolder) -> OperationResult:
    """MakeFolder."""
    parent = work.folder(operation.parent)
    work.require_ordinary(parent)
    connection = work.books.direct()
    _require_free(work, parent.folder_id, operation.name)
    role = operation.role.value
    if connection.execute(_ROLE_TAKEN, (work.mailbox_id, role)).get is not None:
        raise AlreadyExists(f"mailbox {work.mailbox_id} has its {operation.role.name} folder")
    base = connection.execute(_VALIDITY, (work.mailbox_id, FolderRole.ROOT.value)).get
    row = insert_folder(work, parent.folder_id, operation, _validity(base, work))
    return OperationResult(folder_id=row.folder_id)


def _validity(base: int, work: Work) -> int:
    """Another one for each folder, so that a name used again does not bring old uids back."""
    return (base + work.mailbox.highest_cn) % _VALIDITY_MAX + 1


def insert_folder(
    work: Work, parent_id: FolderId, operation: MakeFolder, uid_validity: int
) -> FolderRow:
    """Insert a folder whose name and role are known to be free."""
    cn = work.next_cn()
    folder_id, role = FolderId(cn), operation.role.value
    work.books.direct().execute(
        _INSERT,
        (
            work.mailbox_id,
            folder_id,
            parent_id,
            role,
            uid_validity,
            cn,
            cn,
            operation.folder_class.value,
            operation.name,
            operation.name.casefold(),
            operation.bag,
        ),
    )
    row = FolderRow(work.mailbox_id, folder_id, role, uid_validity, 1, cn, cn, 0, 0, 0)
    work.books.enter_folder(row)
    return row


def _require_free(work: Work, parent_id: FolderId, name: str, own_id: int = 0) -> None:
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX:
        raise Conflict("a folder name has 1 to 255 characters")
    key = (work.mailbox_id, parent_id, name.casefold())
    taken = work.books.direct().execute(_TAKEN, key).get
    if taken is not None and taken != own_id:
        raise AlreadyExists(f"folder {name!r} in mailbox {work.mailbox_id}")


def change_folder(work: Work, operation: ChangeFolder) -> OperationResult:
    """ChangeFolder."""
    folder = work.folder(operation.folder)
    connection = work.books.direct()
    key = (work.mailbox_id, folder.folder_id)
    parent_id, name = rows_of(connection.execute(_OWN, key))[0]
    new_parent = parent_id if operation.parent is None else operation.parent
    new_name = name if operation.name is None else operation.name
    if (new_parent, new_name) != (parent_id, name):
        if folder.role in {FolderRole.ROOT, FolderRole.RECOVERABLE}:
            raise Conflict("root and Recoverable Items stay as they are")
        if new_parent != parent_id:
            work.require_ordinary(work.folder(new_parent))
            if new_parent in _tree(work, folder.folder_id):
                raise Conflict("a folder cannot lie below itself")
        _require_free(work, new_parent, new_name, folder.folder_id)
        connection.execute(
            "UPDATE folder SET parent_id = ?, name = ?, name_key = ? WHERE mailbox_id = ? "
            "AND folder_id = ?",
            (new_parent, new_name, new_name.casefold(), *key),
        )
    if operation.bag is not None:
        connection.execute(
            "UPDATE folder SET bag = ? WHERE mailbox_id = ? AND folder_id = ?",
            (operation.bag, *key),
        )
    folder.changed_cn = work.next_cn()
    return OperationResult()


def _tree(work: Work, top: FolderId) -> list[FolderId]:
    """A folder and all below it, parents before children."""
    children: dict[int, list[FolderId]] = {}
    for folder_id, parent_id in work.books.direct().execute(_PARENTS, (work.mailbox_id,)):
        children.setdefault(parent_id, []).append(folder_id)
    out = [top]
    for folder_id in out:  # grows while we walk
        out.extend(children.get(folder_id, ()))
    return out


def remove_folder(work: Work, operation: RemoveFolder) -> OperationResult:
    """RemoveFolder: from the leaves up."""
    work.folder(operation.folder)
    tree = [work.folder(folder_id) for folder_id in reversed(_tree(work, operation.folder))]
    if any(folder.role for folder in tree):
        raise Conflict("a special folder stays")
    for folder in tree:
        _remove_one(work, folder)
    return OperationResult()


def _remove_one(work: Work, folder: FolderRow) -> None:
    books, mailbox_id, folder_id = work.books, work.mailbox_id, folder.folder_id
    while places := work.folder_places(folder_id, 0, SLICE):
        work.make_recoverable(folder, places, books.now)
    connection = books.direct()
    key = (mailbox_id, folder_id)
    connection.execute("DELETE FROM tombstone WHERE mailbox_id = ? AND folder_id = ?", key)
    connection.execute("DELETE FROM folder_grant WHERE mailbox_id = ? AND folder_id = ?", key)
    connection.execute("DELETE FROM folder WHERE mailbox_id = ? AND folder_id = ?", key)
    connection.execute(
        "INSERT INTO folder_tombstone (mailbox_id, cn, folder_id, made_at) VALUES (?, ?, ?, ?)",
        (mailbox_id, work.next_cn(), folder_id, books.now),
    )
    books.strike_folder(mailbox_id, folder_id)


def grant_rights(work: Work, operation: GrantRights) -> OperationResult:
    """GrantRights. It takes a number, so that caches of rights may be keyed by it."""
    folder = work.folder(operation.folder)
    connection = work.books.direct()
    key = (work.mailbox_id, folder.folder_id, operation.principal_id)
    if operation.rights:
        connection.execute(
            "INSERT INTO folder_grant (mailbox_id, folder_id, principal_id, rights) "
            "VALUES (?, ?, ?, ?) ON CONFLICT (mailbox_id, folder_id, principal_id) DO UPDATE "
            "SET rights = excluded.rights",
            (*key, operation.rights.value),
        )
    else:
        connection.execute(
            "DELETE FROM folder_grant WHERE mailbox_id = ? AND folder_id = ? AND principal_id = ?",
            key,
        )
    folder.changed_cn = work.next_cn()
    return OperationResult()
