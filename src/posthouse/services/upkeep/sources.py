"""What an import may be given: a message, mbox, Maildir, export, or a directory of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.formats import mbox
from posthouse.formats.mime.headers import fields, header_block, unfold
from posthouse.model.errors import NotFound
from posthouse.model.item import Flags
from posthouse.services.upkeep.finds import INBOX, Found, FoundFolder, Unreadable, read_file
from posthouse.services.upkeep.maildir import is_maildir, read_maildir
from posthouse.services.upkeep.manifest import MANIFEST_NAME, read_export

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOT_MAIL_SUFFIXES = frozenset({".msf", ".dat", ".json", ".idx", ".html", ".db", ".lock"})
_NOT_MAIL_NAMES = ("dovecot", "courier", "subscriptions", "maildir", ".")
_DEPTH_MAX = 50
_HEAD_BYTES = 64 << 10
_STATUS_LETTERS = {"R": Flags.SEEN, "A": Flags.ANSWERED, "F": Flags.FLAGGED, "D": Flags.DELETED}
_MOZILLA_BITS = (
    (1, Flags.SEEN),
    (2, Flags.ANSWERED),
    (4, Flags.FLAGGED),
    (0x1000, Flags.FORWARDED),
)


def read_source(path: Path) -> Iterator[Found | Unreadable]:
    """Everything at a path, one at a time.

    Raises:
        NotFound: there is no such path.
    """
    if not path.exists():
        raise NotFound(f"no such file or directory: {path}")
    # Links inside a source are not followed; the path itself was the operator's choice.
    path = path.resolve()
    if path.is_dir():
        return _read_directory(path)
    return _read_file(path, INBOX)


def _read_directory(root: Path) -> Iterator[Found | Unreadable]:
    if (root / MANIFEST_NAME).is_file():
        yield from read_export(root)
    elif is_maildir(root):
        yield from read_maildir(root)
    else:
        yield from _read_tree(root)


def _read_tree(root: Path) -> Iterator[Found | Unreadable]:
    """Files below a directory; subdirectories are folders, an mbox is a folder of its own name."""
    waiting: list[tuple[tuple[str, ...], Path]] = [((), root)]
    while waiting:
        names, directory = waiting.pop()
        try:
            children = sorted(directory.iterdir())
        except OSError as e:
            yield Unreadable(str(directory), e.strerror or str(e))
            continue
        for child in children:
            if child.name.lower().startswith(_NOT_MAIL_NAMES):
                continue
            if child.is_dir() and not child.is_symlink():
                name = child.name.removesuffix(".sbd").removesuffix(".mbox")
                if is_maildir(child):
                    yield from _below((*names, name), read_maildir(child))
                elif len(names) < _DEPTH_MAX:
                    waiting.append(((*names, name), child))
            elif child.suffix.lower() not in _NOT_MAIL_SUFFIXES:
                yield from _read_file(child, FoundFolder(names) if names else INBOX, names)


def _below(
    names: tuple[str, ...], found: Iterator[Found | Unreadable]
) -> Iterator[Found | Unreadable]:
    for one in found:
        if isinstance(one, Found):
            one = _moved(one, FoundFolder(names + one.folder.path))
        yield one


def _moved(found: Found, folder: FoundFolder) -> Found:
    return Found(
        where=found.where,
        folder=folder,
        content=found.content,
        flags=found.flags,
        received_at=found.received_at,
        uidl=found.uidl,
    )


def _read_file(
    path: Path, folder: FoundFolder, names: tuple[str, ...] | None = None
) -> Iterator[Found | Unreadable]:
    """One file: an mbox (inside a tree a folder of its own name) or one message."""
    try:
        with path.open("rb") as file:
            head = b"" if path.is_symlink() else file.read(_HEAD_BYTES)
            if mbox.is_mbox(head):
                if names is not None:
                    stem = path.stem if path.suffix.lower() in (".mbox", ".mbx") else path.name
                    folder = FoundFolder((*names, stem))
                file.seek(0)
                yield from _read_mbox(path, file, folder)
                return
    except OSError as e:
        yield Unreadable(str(path), e.strerror or str(e))
        return
    read = read_file(path)
    if isinstance(read, Unreadable):
        yield read
    elif not _looks_like_mail(read[0]):
        yield Unreadable(str(path), "neither a message nor an mbox")
    else:
        yield Found(str(path), folder, read[0], flags=_flags_from_head(read[0]))


def _read_mbox(
    path: Path, file: mbox.Readable, folder: FoundFolder
) -> Iterator[Found | Unreadable]:
    for number, message in enumerate(mbox.read_mbox(file), 1):
        where = f"{path}, message {number}"
        if message.is_too_large:
            yield Unreadable(where, "too large")
        elif not message.content:
            yield Unreadable(where, "empty")
        else:
            flags = _flags_from_head(message.content)
            yield Found(where, folder, message.content, flags, message.received_at)


def _looks_like_mail(content: bytes) -> bool:
    """A header field must stand in the first lines."""
    return b"\0" not in content[:512] and bool(fields(content[:_HEAD_BYTES]))


def _flags_from_head(content: bytes) -> Flags:
    """Marks that mail programs keep in the header of files: Status, X-Status, X-Mozilla-Status."""
    flags = Flags.NONE
    head = content[: min(header_block(content[:_HEAD_BYTES]), _HEAD_BYTES)]
    if b"tatus:" not in head:
        return flags
    for item in fields(head):
        if item.name in (b"status", b"x-status"):
            for letter in unfold(item.value).decode("ascii", "replace"):
                flags |= _STATUS_LETTERS.get(letter, Flags.NONE)
        elif item.name == b"x-mozilla-status":
            text = unfold(item.value)
            bits = int(text, 16) if len(text) == 4 and text.isalnum() and _is_hex(text) else 0
            for bit, flag in _MOZILLA_BITS:
                flags |= flag if bits & bit else Flags.NONE
    return flags


def _is_hex(text: bytes) -> bool:
    return not text.translate(None, b"0123456789abcdefABCDEF")
