"""The manifest of an export: what lies in it, and what a Maildir cannot say.

Notes:
    One JSON object, so that any program may read it; we write one item a line, so that we need not
    hold it whole. The files below the manifest are what it promises by their SHA-256; names in it
    never lead outside.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from posthouse.model.errors import ConfigurationError
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import Flags, ItemColumns, ItemKind
from posthouse.services.upkeep.finds import Found, FoundFolder, Unreadable, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

MANIFEST_NAME = "manifest.json"
FORMAT = "posthouse-export"
VERSION = 1
_LINE_BYTES_MAX = 16 << 20


class ManifestFolder(msgspec.Struct, frozen=True):
    """One folder.

    Attributes:
        folder_id: its number there.
        path: names from the top; empty is the inbox.
        role: see FolderRole.
        folder_class: what it holds.
        directory: below the manifest.
        uid_validity: IMAP's, for the record.
        bag: other properties.
    """

    folder_id: int
    path: list[str]
    role: int
    folder_class: str
    directory: str
    uid_validity: int
    bag: str = ""


class ManifestItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item in one folder.

    Attributes:
        file: below the manifest; "" for an item without content.
        folder_id: the folder.
        item_id: its number there.
        uid: IMAP's, for the record.
        received_at: ms.
        sha256: of the file.
        flags: all marks, also those a Maildir has no letter for.
        prefix_bytes: how much of the file is the recipient's own header lines.
        uidl: POP3's unique id as clients know it.
        kind: see ItemKind.
        bag: other properties.
        columns: for items that are no messages.
    """

    file: str
    folder_id: int
    item_id: int
    uid: int
    received_at: int
    sha256: str = ""
    flags: int = 0
    prefix_bytes: int = 0
    uidl: str = ""
    kind: int = 1
    bag: str = ""
    columns: ItemColumns | None = None


class ManifestHead(msgspec.Struct, frozen=True):
    """What stands before the items.

    Attributes:
        format: always "posthouse-export".
        version: of this form.
        made_at: ms.
        address: whose mailbox.
        mailbox: guid, kind, quota_bytes.
        settings: JSON text of the mailbox's policy.
        rules: JSON text of its rules.
        folders: all of them, parents first.
    """

    format: str
    version: int
    made_at: int
    address: str
    mailbox: dict[str, str | int]
    settings: str
    rules: str
    folders: list[ManifestFolder]


class _Whole(ManifestHead, frozen=True):
    items: list[ManifestItem] = []


class ManifestWriter:
    """Writes a manifest item by item."""

    def __init__(self, file: BinaryIO, head: ManifestHead) -> None:
        self._file = file
        self._separator = b"\n"
        file.write(msgspec.json.encode(head)[:-1] + b',\n"items":[')

    def add(self, item: ManifestItem) -> None:
        """One more item."""
        self._file.write(self._separator + msgspec.json.encode(item))
        self._separator = b",\n"

    def close(self) -> None:
        """The manifest is whole; the file stays open."""
        self._file.write(b"\n]}\n")
        self._file.flush()


def read_manifest(path: Path) -> tuple[ManifestHead, Iterator[ManifestItem]]:
    """Head and items of a manifest.

    Raises:
        ConfigurationError: it is none, or of a newer version.
    """
    with path.open("rb") as file:
        line = file.readline(_LINE_BYTES_MAX)
        try:
            if line.endswith(b",\n") and file.readline(64) == b'"items":[\n':
                head = msgspec.json.decode(line[:-2] + b"}", type=ManifestHead)
                items = _items_by_line(path)
            else:
                # Some program laid it out anew: then it is read whole.
                whole = msgspec.json.decode(path.read_bytes(), type=_Whole)
                head, items = whole, iter(whole.items)
        except msgspec.MsgspecError as e:
            raise ConfigurationError(f"{path} is no manifest of an export: {e}") from e
    if head.format != FORMAT or head.version > VERSION:
        raise ConfigurationError(f"{path} is of another program or a newer version")
    return head, items


def _items_by_line(path: Path) -> Iterator[ManifestItem]:
    decoder = msgspec.json.Decoder(ManifestItem)
    with path.open("rb") as file:
        file.readline(_LINE_BYTES_MAX)
        file.readline(64)
        while (line := file.readline(_LINE_BYTES_MAX)) and not line.startswith(b"]"):
            if text := line.rstrip(b",\r\n"):
                yield decoder.decode(text)


def read_export(root: Path) -> Iterator[Found | Unreadable]:
    """Everything an export holds; files that are damaged or gone come out as unreadable.

    Raises:
        ConfigurationError: the manifest cannot be used.
    """
    head, items = read_manifest(root / MANIFEST_NAME)
    folders = {folder.folder_id: _found_folder(folder) for folder in head.folders}
    try:
        for item in items:
            folder = folders.get(item.folder_id)
            if folder is None:
                yield Unreadable(f"item {item.item_id}", "its folder is not in the manifest")
            else:
                yield _found(root, folder, item)
    except msgspec.MsgspecError as e:
        raise ConfigurationError(f"{root / MANIFEST_NAME} is damaged: {e}") from e


def _found_folder(folder: ManifestFolder) -> FoundFolder:
    is_known = folder.role in FolderRole.__members__.values()
    known_class = folder.folder_class in FolderClass.__members__.values()
    return FoundFolder(
        path=tuple(folder.path),
        role=FolderRole(folder.role) if is_known else FolderRole.NONE,
        folder_class=FolderClass(folder.folder_class) if known_class else FolderClass.MAIL,
        is_exact=True,
    )


def _found(root: Path, folder: FoundFolder, item: ManifestItem) -> Found | Unreadable:
    content = b""
    if item.file:
        path = root / item.file
        if ".." in item.file.split("/") or item.file.startswith("/"):
            return Unreadable(item.file, "leads outside the export")
        read = read_file(path)
        if isinstance(read, Unreadable):
            return read
        content = read[0]
        if item.sha256 and hashlib.sha256(content).hexdigest() != item.sha256:
            return Unreadable(str(path), "damaged: its SHA-256 is not that of the manifest")
    return Found(
        where=item.file or f"item {item.item_id}",
        folder=folder,
        content=content,
        flags=Flags(item.flags & sum(Flags)),
        received_at=item.received_at,
        uidl=item.uidl,
        prefix_bytes=min(max(item.prefix_bytes, 0), len(content)),
        is_exact=True,
        kind=ItemKind(item.kind) if item.kind in ItemKind.__members__.values() else ItemKind.FILE,
        columns=item.columns,
        bag=item.bag.encode(),
    )
