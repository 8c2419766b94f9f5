"""What a mailbox has settled about POP3.

Notes:
    Kept in ``Mailbox.settings`` (JSON). What is missing or not understood is the default, so that a
    mailbox stays open when a newer or older version wrote its settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import msgspec


class DeletePolicy(StrEnum):
    """What DELE and QUIT do.

    HIDE: out of this device's sight; everybody else sees it as before.
    TRASH: into Deleted Items, for all.
    EXPUNGE: deleted for all (recoverable for a while).
    """

    HIDE = "hide"
    TRASH = "trash"
    EXPUNGE = "expunge"


@dataclass(frozen=True, slots=True)
class PopPolicy:
    """The policy.

    Attributes:
        delete: what DELE and QUIT do.
        folders: paths of folders shown besides the inbox.
    """

    delete: DeletePolicy = DeletePolicy.HIDE
    folders: tuple[str, ...] = ()


_DEFAULT = PopPolicy()


@lru_cache(maxsize=256)
def policy_from_settings(settings: str) -> PopPolicy:
    """Read the policy out of a mailbox's settings."""
    try:
        values = msgspec.json.decode(settings or "{}")
    except msgspec.DecodeError:
        return _DEFAULT
    if not isinstance(values, dict):
        return _DEFAULT
    chosen = str(values.get("pop_delete", ""))
    delete = DeletePolicy(chosen) if chosen in tuple(DeletePolicy) else DeletePolicy.HIDE
    folders = values.get("pop_folders", [])
    names = folders if isinstance(folders, list) else []
    return PopPolicy(delete, tuple(name for name in names if isinstance(name, str)))
