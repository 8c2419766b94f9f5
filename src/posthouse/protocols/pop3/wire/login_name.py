r"""Login names: who, and what the session is to show.

Notes:
    ``alice@example.org``               the inbox (with the folders that the mailbox adds)
    ``alice+Projects@example.org``      that folder; ``alice+Projects/2026@example.org`` one below
    ``recent:alice@example.org``        the last 30 days, whatever the device has put away
    Each also without domain, and with ``DOMAIN\`` before the name. The domain begins at the last
    ``@``, so a folder's name may hold one.

    ``alice@example.org\support@example.org``  a mailbox that is shared with Alice, as Exchange has
    it; with folder and ``recent:`` as above, ``EXAMPLE\alice\support`` for short. A backslash
    stands before the mailbox when what is before it is a whole login name, that is, holds an ``@``
    or another backslash; ``EXAMPLE\alice`` stays Alice of the domain EXAMPLE. Behind a ``+`` a
    backslash belongs to the folder's name.
"""

from __future__ import annotations

import re

from msgspec import Struct

RECENT = "recent:"
FOLDER_SEPARATOR = "+"
_SHARED = re.compile(r"([^+\\@]*\\[^+\\]+|[^+\\]+@[^+\\]*)\\(.+)", re.DOTALL)


class LoginName(Struct, frozen=True):
    """A login name taken apart.

    Attributes:
        address: what the directory is asked for.
        folder: path of the folder to show, "" the inbox.
        is_recent: only what came in the last 30 days, hidden items too.
        mailbox: address or short name of the shared mailbox to open, "" the person's own.
    """

    address: str
    folder: str = ""
    is_recent: bool = False
    mailbox: str = ""


def login_name_from_text(text: str) -> LoginName:
    """Take a login name apart; every text is one, whether anybody has it or not."""
    name = text.strip()
    is_recent = name[: len(RECENT)].casefold() == RECENT
    if is_recent:
        name = name[len(RECENT) :]
    shared = None if name.startswith('"') else _SHARED.fullmatch(name)
    if shared is None:
        address, folder = _address_and_folder(name)
        return LoginName(address, folder, is_recent)
    mailbox, folder = _address_and_folder(shared[2])
    return LoginName(shared[1], folder, is_recent, mailbox)


def _address_and_folder(name: str) -> tuple[str, str]:
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = name, ""
    if local.startswith('"'):
        return name, ""
    base, _, folder = local.partition(FOLDER_SEPARATOR)
    if not base:
        return name, ""
    return f"{base}{at}{domain}", folder.strip("/ ")
