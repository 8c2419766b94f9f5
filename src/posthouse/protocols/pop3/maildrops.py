"""Opens maildrops: which folders a login shows, less what its device has put away.

Notes:
    The store is asked in this order: listings, imported ids, what is hidden. So every item of a
    listing has its id, and an item hidden meanwhile is at worst left out a moment early. What was
    made is kept for the next session with the same view (bounded); a part whose chunk, number and
    hidden set are the same as before is taken over as it is. Who comes back while neither the
    mailbox's change log nor the hidden set has moved costs two reads. Long work is cut at each
    chunk, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from posthouse.model.errors import NotFound
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import ItemId, ViewId
from posthouse.protocols.pop3.errors import Refused
from posthouse.protocols.pop3.maildrop import Maildrop, Part, Rows
from posthouse.protocols.pop3.policy import DeletePolicy, PopPolicy, policy_from_settings
from posthouse.protocols.pop3.reach import reach_of
from posthouse.protocols.pop3.wire.codes import Code
from posthouse.protocols.pop3.wire.content import folder_tag
from posthouse.protocols.pop3.wire.texts_table import Text
from posthouse.protocols.pop3.wire.uidl import ImportedUidls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.model.folder import Folder, Mailbox
    from posthouse.model.ids import FolderId, MailboxId
    from posthouse.model.people import Login
    from posthouse.protocols.pop3.reach import Reach
    from posthouse.protocols.pop3.wire.login_name import LoginName
    from posthouse.services.sharing.access import Access
    from posthouse.store.listing import Chunk, Listing
    from posthouse.store.store import Store

RECENT_DAYS = 30
_DAY_MS = 86_400_000
_PAGE = 2000
_HIDDEN_SETS_MAX = 64
_HIDDEN_ITEMS_MAX = 500_000


class _View(NamedTuple):
    """What one maildrop shows.

    Attributes:
        mailbox_id: of which mailbox.
        folders: folder and tag of each, in order.
        since: nothing older, ms; 0 everything.
        hidden_by: the view whose hidden items are left out; -1 none are.
        delete: policy.
    """

    mailbox_id: MailboxId
    folders: tuple[tuple[FolderId, bytes], ...]
    since: int
    hidden_by: int
    delete: DeletePolicy


@dataclass(frozen=True, slots=True)
class _Kept:
    """A maildrop, and what it was made from: good while that is the same."""

    maildrop: Maildrop
    listings: tuple[Listing, ...]
    hidden_version: int
    filtered: dict[int, tuple[Chunk, Part]]


class Maildrops:
    """Makes maildrops and remembers them. One per process.

    Args:
        store: where the mail is.
        access: who may open others' mailboxes; None: nobody.
        kept_max: maildrops remembered.
        filtered_max: messages in remembered maildrops that leave something out (about 20 octets
            each).
    """

    def __init__(
        self,
        store: Store,
        access: Access | None = None,
        *,
        kept_max: int = 1024,
        filtered_max: int = 2_000_000,
    ) -> None:
        self._store = store
        self._access = access
        self._kept_max = kept_max
        self._filtered_max = filtered_max
        self._kept: OrderedDict[_View, _Kept] = OrderedDict()
        self._filtered_count = 0
        self._opened: OrderedDict[tuple[object, ...], tuple[tuple[object, ...], _View]] = (
            OrderedDict()
        )
        self._imported: OrderedDict[MailboxId, tuple[int, ImportedUidls]] = OrderedDict()
        self._hidden: OrderedDict[tuple[MailboxId, int], tuple[int, frozenset[int]]] = OrderedDict()

    async def open(self, login: Login, name: LoginName) -> Maildrop:
        """Give the maildrop of a login.

        Raises:
            Refused: there is no such mailbox or folder, or it is not shared with them.
            Unavailable: the store cannot be read now.
        """
        reach = await reach_of(login, name, self._access)
        try:
            mailbox = await self._store.records.mailbox(reach.mailbox_id)
        except NotFound as e:
            raise Refused(Text.NO_MAILBOX, Code.SYS_PERM) from e
        since = self._since(is_recent=name.is_recent)
        asked = (reach.mailbox_id, reach.view, name.folder, since, mailbox.settings)
        version = 0 if since else await self._hidden_version(reach)
        stands = (mailbox.guid, mailbox.epoch, mailbox.highest_cn, version, reach.rights)
        opened = self._opened.get(asked)
        if opened is not None and opened[0] == stands:
            known = self._kept.get(opened[1])
            if known is not None:
                self._kept.move_to_end(opened[1])
                self._opened.move_to_end(asked)
                return known.maildrop
        view, maildrop = await self._open(reach, name.folder, since, mailbox)
        self._opened[asked] = (stands, view)
        self._opened.move_to_end(asked)
        if len(self._opened) > self._kept_max:
            self._opened.popitem(last=False)
        return maildrop

    async def _open(
        self, reach: Reach, path: str, since: int, mailbox: Mailbox
    ) -> tuple[_View, Maildrop]:
        """Look at all that a maildrop is made of."""
        mailbox_id = mailbox.mailbox_id
        policy = policy_from_settings(mailbox.settings)
        folders = await self._folders(reach, path, policy)
        delete = policy.delete
        if not reach.may_delete(one for one, _ in folders):
            delete = DeletePolicy.HIDE
        listings = tuple([await self._store.listing(mailbox_id, one) for one, _ in folders])
        imported = await self._imported_uidls(mailbox_id, max(one.highest_cn for one in listings))
        version = 0 if since else await self._hidden_version(reach)
        hidden_by = reach.view if version else -1
        view = _View(mailbox_id, folders, since, hidden_by, delete)
        kept = self._kept.get(view)
        if (
            kept is None
            or kept.hidden_version != version
            or any(a is not b for a, b in zip(kept.listings, listings, strict=True))
        ):
            hidden = await self._hidden_items(view, version) if version else frozenset[int]()
            kept = await self._make(view, listings, version, hidden, imported)
            self._keep(view, kept)
        self._kept.move_to_end(view)
        return view, kept.maildrop

    async def _hidden_version(self, reach: Reach) -> int:
        return await self._store.records.hidden_version(reach.mailbox_id, reach.view)

    def _since(self, *, is_recent: bool) -> int:
        """The first moment shown: the beginning of a day, so that sessions of a day share it."""
        if not is_recent:
            return 0
        return (self._store.clock.now_ms() // _DAY_MS - RECENT_DAYS) * _DAY_MS or 1

    async def _folders(
        self, reach: Reach, path: str, policy: PopPolicy
    ) -> tuple[tuple[FolderId, bytes], ...]:
        mailbox_id = reach.mailbox_id
        if not path:
            inbox = await self._store.role_folder(mailbox_id, FolderRole.INBOX)
            shown = [(inbox.folder_id, b"")]
            if policy.folders:
                every = await self._store.records.folders(mailbox_id)
                for extra in policy.folders:
                    found = folder_by_path(every, extra)
                    if found is not None and found[0].folder_id not in [one for one, _ in shown]:
                        shown.append((found[0].folder_id, folder_tag(found[1])))
        else:
            found = folder_by_path(await self._store.records.folders(mailbox_id), path)
            shown = [(found[0].folder_id, b"")] if found is not None else []
        readable = tuple([one for one in shown if reach.may_read(one[0])])
        if not readable:
            raise Refused(Text.NO_FOLDER, Code.SYS_PERM)
        return readable

    async def _imported_uidls(self, mailbox_id: MailboxId, upto: int) -> ImportedUidls:
        """The ids brought along, read as far as change number ``upto`` at least."""
        seen, imported = self._imported.get(mailbox_id) or (-1, ImportedUidls())
        if seen >= upto:
            return imported
        while True:
            page = await self._store.records.imported_uidls(
                mailbox_id, ItemId(imported.last_item_id), _PAGE
            )
            imported.add(page)
            if len(page) < _PAGE:
                break
        self._imported[mailbox_id] = (upto, imported)
        self._imported.move_to_end(mailbox_id)
        if len(self._imported) > self._kept_max:
            self._imported.popitem(last=False)
        return imported

    async def _hidden_items(self, view: _View, version: int) -> frozenset[int]:
        key = (view.mailbox_id, view.hidden_by)
        known = self._hidden.get(key)
        if known is not None and known[0] == version:
            return known[1]
        found: list[int] = []
        while True:
            page = await self._store.records.hidden_items(
                view.mailbox_id, ViewId(view.hidden_by), ItemId(found[-1] if found else 0), _PAGE
            )
            found.extend(page)
            if len(page) < _PAGE:
                break
        hidden = frozenset(found)
        self._hidden[key] = (version, hidden)
        self._hidden.move_to_end(key)
        # A set is wanted again only when the listing grows before more is hidden: few are enough.
        while len(self._hidden) > 1 and (
            len(self._hidden) > _HIDDEN_SETS_MAX
            or sum(len(one) for _, one in self._hidden.values()) > _HIDDEN_ITEMS_MAX
        ):
            self._hidden.popitem(last=False)
        return hidden

    async def _make(
        self,
        view: _View,
        listings: tuple[Listing, ...],
        version: int,
        hidden: frozenset[int],
        imported: ImportedUidls,
    ) -> _Kept:
        before = self._kept.get(view)
        reusable = before.filtered if before and before.hidden_version == version else {}
        is_filtered = bool(view.since or version)
        filtered: dict[int, tuple[Chunk, Part]] = {}
        parts: list[Part] = []
        first_no, octets = 1, 0
        for (folder_id, tag), listing in zip(view.folders, listings, strict=True):
            for chunk in listing.chunks:
                known = reusable.get(id(chunk))
                part = known[1] if known else None
                if part is None or part.first_no != first_no:
                    # Nothing to suspend for in a mailbox of one chunk, which most are.
                    if is_filtered and parts:
                        await asyncio.sleep(0)
                    rows = _rows(chunk, view.since, hidden)
                    part = Part(folder_id, first_no, tag, rows, imported.by_item)
                if is_filtered:
                    filtered[id(chunk)] = (chunk, part)
                    octets += part.octets
                if len(part):
                    parts.append(part)
                    first_no += len(part)
            if not is_filtered:
                octets += listing.total_bytes + len(tag) * listing.count
        hides = view.delete is DeletePolicy.HIDE and not view.since
        maildrop = Maildrop(view.mailbox_id, parts, octets, view.delete, hides=hides)
        return _Kept(maildrop, listings, version, filtered)

    def _keep(self, view: _View, kept: _Kept) -> None:
        self._forget(view)
        self._kept[view] = kept
        self._filtered_count += kept.maildrop.count if kept.filtered else 0
        while len(self._kept) > 1 and (
            len(self._kept) > self._kept_max or self._filtered_count > self._filtered_max
        ):
            self._forget(next(iter(self._kept)))

    def _forget(self, view: _View) -> None:
        kept = self._kept.pop(view, None)
        if kept is not None and kept.filtered:
            self._filtered_count -= kept.maildrop.count


def _rows(chunk: Chunk, since: int, hidden: frozenset[int]) -> Rows:
    """Items and sizes of a chunk, less what is left out."""
    item_ids, sizes = chunk.item_ids, chunk.sizes
    if since:
        left = [i for i, at in enumerate(chunk.received_at) if at >= since]
    elif hidden:
        left = [i for i, item_id in enumerate(item_ids) if item_id not in hidden]
    else:
        earlier = chunk.earlier_rendered
        return Rows(item_ids, sizes, chunk.rendered, earlier, chunk.earlier_count)
    kept_ids = array("Q", [item_ids[i] for i in left])
    return Rows(kept_ids, array("Q", [sizes[i] for i in left]), {}, {}, 0)


def folder_by_path(folders: Sequence[Folder], path: str) -> tuple[Folder, str] | None:
    """The mail folder of that path (``Projects/2026``), and its path as it is written.

    Args:
        folders: of the mailbox, parents before children.
        path: names with "/" between them, without the root's.
    """
    wanted = path.strip("/").casefold()
    paths: dict[FolderId, str] = {}
    for folder in folders:
        if folder.role is FolderRole.ROOT or folder.role is FolderRole.RECOVERABLE:
            continue
        above = paths.get(folder.parent_id, "")
        own = paths[folder.folder_id] = f"{above}/{folder.name}" if above else folder.name
        if folder.folder_class == FolderClass.MAIL and own.casefold() == wanted:
            return folder, own
    return None
