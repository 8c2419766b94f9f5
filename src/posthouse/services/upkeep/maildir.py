"""Maildirs: their folders, file names and flags, read and written.

Spec: the Maildir and Maildir++ conventions (cr.yp.to/proto/maildir.html, Courier's Maildir++).

Notes:
    Folders are directories ``.Sub.Folder`` beside ``cur`` (names in modified UTF-7) or, as some
    servers lay them out, plain subdirectories that hold a ``cur`` of their own. A Dovecot
    ``dovecot-uidlist`` gives the POP3 UIDLs that clients know; ``dovecot-keywords`` names the flags
    a to z.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from posthouse.formats import modified_utf7
from posthouse.model.item import Flags
from posthouse.services.upkeep.finds import INBOX, Found, FoundFolder, Unreadable, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FLAG_LETTERS: Mapping[str, Flags] = {
    "D": Flags.DRAFT,
    "F": Flags.FLAGGED,
    "P": Flags.FORWARDED,
    "R": Flags.ANSWERED,
    "S": Flags.SEEN,
    "T": Flags.DELETED,
}
_KEYWORDS = {
    "$forwarded": Flags.FORWARDED,
    "$junk": Flags.JUNK,
    "junk": Flags.JUNK,
    "$notjunk": Flags.NOT_JUNK,
    "nonjunk": Flags.NOT_JUNK,
    "$mdnsent": Flags.MDN_SENT,
}
_DEPTH_MAX = 50
_OWN_DIRECTORIES = frozenset({"cur", "new", "tmp"})
_INDEX_BYTES_MAX = 1 << 30


def is_maildir(path: Path) -> bool:
    """Whether the directory is a Maildir."""
    return (path / "cur").is_dir() or (path / "new").is_dir()


def folders_below(root: Path) -> Iterator[tuple[FoundFolder, Path]]:
    """The Maildir's folders, itself first as the inbox, in order of name."""
    yield INBOX, root
    waiting: list[tuple[tuple[str, ...], Path]] = [((), root)]
    while waiting:
        names, directory = waiting.pop()
        for child in sorted(directory.iterdir(), reverse=True):
            if child.name in _OWN_DIRECTORIES or child.is_symlink() or not is_maildir(child):
                continue
            parts = child.name[1:].split(".") if child.name.startswith(".") else [child.name]
            path = (*names, *(modified_utf7.decode(part) for part in parts if part))
            if path and len(path) <= _DEPTH_MAX:
                yield FoundFolder(path), child
                waiting.append((path, child))


def read_maildir(root: Path) -> Iterator[Found | Unreadable]:
    """All messages of a Maildir and its folders, oldest name first in each."""
    for folder, directory in folders_below(root):
        yield from _read_folder(folder, directory)


def _read_folder(folder: FoundFolder, directory: Path) -> Iterator[Found | Unreadable]:
    uidls = _dovecot_uidls(directory / "dovecot-uidlist")
    keywords = _dovecot_keywords(directory / "dovecot-keywords")
    entries = sorted(_entries(directory), key=lambda e: uidls.get(e.base, _NO_UID).uid)
    for entry in entries:
        path = directory / entry.subdirectory / entry.name
        read = read_file(path)
        if isinstance(read, Unreadable):
            yield read
            continue
        content, changed_at = read
        yield Found(
            where=str(path),
            folder=folder,
            content=content,
            flags=flags_from_name(entry.name, keywords),
            received_at=changed_at,
            uidl=uidls.get(entry.base, _NO_UID).uidl,
        )


class _Entry(NamedTuple):
    base: str
    name: str
    subdirectory: str


def _entries(directory: Path) -> list[_Entry]:
    found = []
    for subdirectory in ("cur", "new"):
        try:
            names = [path.name for path in (directory / subdirectory).iterdir()]
        except OSError:
            continue
        found += [
            _Entry(_base(name), name, subdirectory) for name in names if not name.startswith(".")
        ]
    return sorted(found)


def _base(name: str) -> str:
    """The part of a name that stays when flags change."""
    for mark in (":2,", ";2,", "!2,"):
        if mark in name:
            return name.partition(mark)[0]
    return name


def flags_from_name(name: str, keywords: Mapping[str, Flags] | None = None) -> Flags:
    """The marks behind ``:2,`` (or what stands for the colon on other file systems)."""
    flags = Flags.NONE
    for letter in name[len(_base(name)) :][3:]:
        flags |= FLAG_LETTERS.get(letter, Flags.NONE)
        if keywords and letter.islower():
            flags |= keywords.get(letter, Flags.NONE)
    return flags


def name_suffix(flags: Flags) -> str:
    """The end of a file name in ``cur`` for these marks."""
    return ":2," + "".join(letter for letter, flag in FLAG_LETTERS.items() if flags & flag)


def directory_name(path: tuple[str, ...]) -> str:
    """The Maildir++ directory of a folder; "" is the inbox."""
    return "".join("." + modified_utf7.encode(part, "./") for part in path)


class _Uid(NamedTuple):
    uid: int
    uidl: str


_NO_UID = _Uid(1 << 40, "")


def _dovecot_uidls(path: Path) -> dict[str, _Uid]:
    """File base name -> uid and UIDL: the one set by name, else Dovecot's usual ``%08Xu%08Xv``."""
    found: dict[str, _Uid] = {}
    validity = 0
    for number, line in enumerate(_lines(path)):
        words = line.split(" ")
        if number == 0:
            validity = next((int(w[1:]) for w in words if w[:1] == "V" and _is_number(w[1:])), 0)
            continue
        head, colon, name = line.partition(" :")
        uid, *settings = head.split(" ")
        if not colon or not _is_number(uid):
            continue
        own = next((s[1:] for s in settings if s.startswith("P")), "")
        uidl = own or (f"{int(uid):08x}{validity:08x}" if validity else "")
        found[_base(name)] = _Uid(int(uid), uidl if _is_uidl(uidl) else "")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 11


def _is_uidl(text: str) -> bool:
    """RFC 1939 §7: one to 70 characters in 0x21 to 0x7E."""
    return 0 < len(text) <= 70 and all("!" <= c <= "~" for c in text)


def _dovecot_keywords(path: Path) -> dict[str, Flags]:
    found: dict[str, Flags] = {}
    for line in _lines(path):
        number, _, name = line.partition(" ")
        flag = _KEYWORDS.get(name.lower())
        if flag is not None and _is_number(number) and int(number) < 26:
            found[chr(ord("a") + int(number))] = flag
    return found


def _lines(path: Path) -> list[str]:
    read = read_file(path, _INDEX_BYTES_MAX)
    return [] if isinstance(read, Unreadable) else read[0].decode("utf-8", "replace").splitlines()
