"""Export: a whole mailbox in open formats.

Notes:
    Mail folders become Maildir++ (the inbox at the top), so any mail program opens the export as it
    is. What lies in other folders goes to ``other/<folder>/`` as .ics, .vcf or .bin.
    ``manifest.json`` says what neither can: see manifest.py. It is written under another name and
    renamed last: without it the export is not whole. Recoverable Items stay behind.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posthouse.model.errors import AlreadyExists, StoreError
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import Uid
from posthouse.model.item import ItemKind
from posthouse.services.upkeep.finds import Unreadable
from posthouse.services.upkeep.maildir import directory_name, name_suffix
from posthouse.services.upkeep.manifest import (
    FORMAT,
    MANIFEST_NAME,
    VERSION,
    ManifestFolder,
    ManifestHead,
    ManifestItem,
    ManifestWriter,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from posthouse.model.folder import Folder, Mailbox
    from posthouse.model.ids import FolderId, ItemId, MailboxId
    from posthouse.model.item import Item, Place
    from posthouse.store.store import Store

_SLICE = 500
_SUFFIXES = {
    ItemKind.APPOINTMENT: ".ics",
    ItemKind.TASK: ".ics",
    ItemKind.CONTACT: ".vcf",
    ItemKind.NOTE: ".eml",
}


@dataclass(slots=True)
class ExportReport:
    """What an export did.

    Attributes:
        items: written.
        written_bytes: of content.
        total: items the mailbox holds, for progress.
        unreadable: what could not be read (salvage only).
    """

    items: int = 0
    written_bytes: int = 0
    total: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


class Exporter:
    """Writes one mailbox into one directory.

    Args:
        store: the store.
        mailbox_id: the mailbox.
        address: whose it is, for the manifest.
        uidl_of: the POP3 id of an item that brought none.
        salvages: leave out what cannot be read, and list it, instead of stopping.
    """

    def __init__(
        self,
        store: Store,
        mailbox_id: MailboxId,
        address: str,
        uidl_of: Callable[[ItemId], str],
        *,
        salvages: bool = False,
    ) -> None:
        self._store = store
        self._mailbox_id = mailbox_id
        self._address = address
        self._uidl_of = uidl_of
        self._salvages = salvages
        self._report = ExportReport()

    async def run(
        self, target: Path, tell: Callable[[ExportReport], None] = lambda _: None
    ) -> ExportReport:
        """Write everything.

        Raises:
            AlreadyExists: the target is not an empty directory.
            StoreError: something could not be read, and nobody said to salvage.
        """
        records = self._store.records
        mailbox = await records.mailbox(self._mailbox_id)
        folders = [
            folder
            for folder in await records.folders(self._mailbox_id)
            if folder.role not in (FolderRole.ROOT, FolderRole.RECOVERABLE)
        ]
        self._report.total = sum(folder.item_count for folder in folders)
        _prepare(target)
        all_folders = await records.folders(self._mailbox_id)
        entries = [_manifest_folder(folder, all_folders) for folder in folders]
        rules = await records.rules(self._mailbox_id)
        partial = target / f"{MANIFEST_NAME}.partial"
        with partial.open("xb") as file:
            writer = ManifestWriter(file, self._head(mailbox, rules, entries))
            for folder, entry in zip(folders, entries, strict=True):
                await self._export_folder(folder, target / entry.directory, target, writer, tell)
            writer.close()
            os.fsync(file.fileno())
        partial.rename(target / MANIFEST_NAME)
        return self._report

    def _head(self, mailbox: Mailbox, rules: str, folders: list[ManifestFolder]) -> ManifestHead:
        return ManifestHead(
            format=FORMAT,
            version=VERSION,
            made_at=self._store.clock.now_ms(),
            address=self._address,
            mailbox={
                "guid": mailbox.guid.hex(),
                "kind": int(mailbox.kind),
                "quota_bytes": mailbox.quota_bytes,
            },
            settings=mailbox.settings,
            rules=rules,
            folders=folders,
        )

    async def _export_folder(
        self,
        folder: Folder,
        directory: Path,
        root: Path,
        writer: ManifestWriter,
        tell: Callable[[ExportReport], None],
    ) -> None:
        is_mail = folder.folder_class is FolderClass.MAIL
        _make_directory(directory, is_maildir=is_mail)
        records = self._store.records
        after = Uid(0)
        while places := await records.places(self._mailbox_id, folder.folder_id, after, _SLICE):
            after = places[-1].uid
            ids = [place.item_id for place in places]
            items = {item.item_id: item for item in await records.items(self._mailbox_id, ids)}
            for place in places:
                item = items.get(place.item_id)
                # One that went away between the two questions is no loss: it was deleted.
                if item is not None:
                    entry = self._export_item(place, item, directory, root, is_mail=is_mail)
                    if entry is not None:
                        writer.add(entry)
                    tell(self._report)

    def _export_item(
        self, place: Place, item: Item, directory: Path, root: Path, *, is_mail: bool
    ) -> ManifestItem | None:
        try:
            content = self._content(item)
        except StoreError as e:
            where = f"item {item.item_id} of {item.columns.sender or 'unknown'}"
            if not self._salvages:
                raise
            self._report.unreadable.append(Unreadable(where, str(e) or type(e).__name__))
            return None
        file = ""
        if content is not None:
            is_message = is_mail and item.kind is ItemKind.MESSAGE
            path = directory / _file_name(place, item, len(content), is_message=is_message)
            path.write_bytes(content)
            os.utime(path, ns=(place.received_at * 1_000_000,) * 2)
            file = path.relative_to(root).as_posix()
            self._report.written_bytes += len(content)
        self._report.items += 1
        return ManifestItem(
            file=file,
            folder_id=place.folder_id,
            item_id=item.item_id,
            uid=place.uid,
            received_at=place.received_at,
            sha256=hashlib.sha256(content).hexdigest() if content is not None else "",
            flags=int(place.flags),
            prefix_bytes=len(item.prefix),
            uidl=item.uidl or self._uidl_of(item.item_id),
            kind=int(item.kind),
            bag=item.bag.decode("utf-8", "replace"),
            columns=item.columns if item.kind is not ItemKind.MESSAGE else None,
        )

    def _content(self, item: Item) -> bytes | None:
        """The bytes as doors serve them, checked against their name.

        Raises:
            StoreError: they cannot be read or are damaged.
        """
        if item.blob is None:
            return item.prefix or None
        stored = self._store.blobs.read(item.blob)
        if hashlib.sha256(stored).digest() != item.blob.blob_hash:
            raise StoreError("its content is damaged")
        return item.prefix + self._store.blobs.read_plain(item.blob)


def _prepare(target: Path) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise AlreadyExists(f"{target} is not empty: an export needs a directory of its own")


def _make_directory(directory: Path, *, is_maildir: bool) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_maildir:
        for name in ("cur", "new", "tmp"):
            (directory / name).mkdir(mode=0o700, exist_ok=True)


def _manifest_folder(folder: Folder, folders: Sequence[Folder]) -> ManifestFolder:
    path = _path(folder, {one.folder_id: one for one in folders})
    if folder.folder_class is not FolderClass.MAIL:
        directory = f"other/{folder.folder_id}"
    elif folder.role is FolderRole.INBOX:
        directory = "."
    else:
        directory = directory_name(path)
        if len(directory.encode()) > 240:
            directory = f"other/{folder.folder_id}"
    return ManifestFolder(
        folder_id=folder.folder_id,
        path=list(path),
        role=int(folder.role),
        folder_class=folder.folder_class.value,
        directory=directory,
        uid_validity=folder.uid_validity,
        bag=folder.bag.decode("utf-8", "replace"),
    )


def _path(folder: Folder, by_id: dict[FolderId, Folder]) -> tuple[str, ...]:
    """Names from the top, the root left out; the inbox is the empty path."""
    if folder.role is FolderRole.INBOX:
        return ()
    names: list[str] = []
    at: Folder | None = folder
    while at is not None and at.role is not FolderRole.ROOT and len(names) < 100:
        names.append(at.name)
        at = by_id.get(at.parent_id)
    return tuple(reversed(names))


def _file_name(place: Place, item: Item, size: int, *, is_message: bool) -> str:
    """Sorts by time of arrival; the same item gets the same name each time."""
    seconds, ms = divmod(place.received_at, 1_000)
    if not is_message:
        return f"{item.item_id}{_SUFFIXES.get(item.kind, '.bin')}"
    base = f"{seconds:010}.M{ms:03}P{place.uid}.posthouse,S={size}"
    return f"cur/{base}{name_suffix(place.flags)}"
