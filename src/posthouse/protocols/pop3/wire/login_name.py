r"""Login names: who, and what the session is to show.

Notes:
    ``alice@example.org``               the inbox (with the folders that the mailbox adds)
    ``alice+Projects@example.org``      that folder; ``alice+Projects/2026@example.org`` one below
    ``recent:alice@example.org``        the last 30 days, whatever the device has put away
    Each also without domain, and with ``DOMAIN\`` before the name. The domain begins at the last
    ``@``, so a folder's name may hold one.
"""

from __future__ import annotations

from msgspec import Struct

RECENT = "recent:"
FOLDER_SEPARATOR = "+"


class LoginName(Struct, frozen=True):
    """A login name taken apart.

    Attributes:
        address: what the directory is asked for.
        folder: path of the folder to show, "" the inbox.
        is_recent: only what came in the last 30 days, hidden items too.
    """

    address: str
    folder: str = ""
    is_recent: bool = False


def login_name_from_text(text: str) -> LoginName:
    """Take a login name apart; every text is one, whether anybody has it or not."""
    name = text.strip()
    is_recent = name[: len(RECENT)].casefold() == RECENT
    if is_recent:
        name = name[len(RECENT) :]
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = name, ""
    if local.startswith('"'):
        return LoginName(name, is_recent=is_recent)
    base, _, folder = local.partition(FOLDER_SEPARATOR)
    if not base:
        return LoginName(name, is_recent=is_recent)
    return LoginName(f"{base}{at}{domain}", folder.strip("/ "), is_recent)
