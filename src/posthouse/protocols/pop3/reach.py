"""Which mailbox a login means, its own or a shared one, and what it may do there.

Notes:
    What a device put out of its sight is kept in the mailbox under a number: its own in the
    person's mailbox; elsewhere the person's number comes before it, since device numbers of
    different people are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from posthouse.model.errors import NotFound
from posthouse.model.ids import ViewId
from posthouse.model.rights import Rights
from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.people import Login
    from posthouse.protocols.pop3.wire.login_name import LoginName
    from posthouse.services.sharing.access import Access

_DEVICE_BITS = 20


class Reach(NamedTuple):
    """A mailbox as a login reaches it.

    Attributes:
        mailbox_id: which.
        view: what is out of sight of this device there.
        rights: by folder; None: everything, it is the person's own.
    """

    mailbox_id: MailboxId
    view: ViewId
    rights: Mapping[FolderId, Rights] | None = None

    def may_read(self, folder_id: FolderId) -> bool:
        """Whether its messages may be seen."""
        return self.rights is None or bool(self.rights.get(folder_id, 0) & Rights.READ_ANY)

    def may_delete(self, folder_ids: Iterable[FolderId]) -> bool:
        """Whether messages may be deleted for everybody, in all of these folders."""
        rights = self.rights
        return rights is None or all(rights.get(n, 0) & Rights.DELETE_ANY for n in folder_ids)


def view_of(login: Login, mailbox_id: MailboxId) -> ViewId:
    """Under which number a device's hidden items are kept in a mailbox."""
    principal = login.principal
    if mailbox_id == principal.mailbox_id:
        return ViewId(login.device_id)
    return ViewId(principal.principal_id << _DEVICE_BITS | login.device_id)


async def reach_of(login: Login, name: LoginName, access: Access | None) -> Reach:
    """Find the mailbox that a login name means.

    Raises:
        Refused: it is another one, and nothing there is shared with this person.
    """
    own = login.principal
    if not name.mailbox:
        return Reach(own.mailbox_id, ViewId(login.device_id))
    address = name.mailbox.casefold()
    if "@" not in address:
        address = f"{address}@{own.address.rpartition('@')[2]}"
    if address == own.address:
        return Reach(own.mailbox_id, ViewId(login.device_id))
    if access is None:
        raise Refused(Text.NO_SHARED, Code.SYS_PERM)
    try:
        opened = await access.opened(own, address)
    except NotFound as e:
        raise Refused(Text.NO_SHARED, Code.SYS_PERM) from e
    rights = {folder.folder_id: rights for folder, rights in opened.folders}
    return Reach(opened.mailbox_id, view_of(login, opened.mailbox_id), rights)
