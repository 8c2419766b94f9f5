"""Positions in the change log, and what lies behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from posthouse.model.folder import Folder
    from posthouse.model.ids import ChangeNumber, FolderId, ItemId, MailboxId, Uid
    from posthouse.model.item import Place


@dataclass(frozen=True, slots=True)
class SyncPoint:
    """Everything up to ``change_number`` of this mailbox has been seen.

    Attributes:
        guid: the mailbox's; a point of another guid is invalid.
        change_number: 0 is "nothing seen yet".
    """

    guid: bytes
    change_number: ChangeNumber


@dataclass(frozen=True, slots=True)
class Vanished:
    """A place that is no more.

    Attributes:
        uid: what it was.
        item_id: the item, which may live on elsewhere.
        change_number: when it went.
        created_cn: when it had come: a reader who never saw it may ignore it.
    """

    uid: Uid
    item_id: ItemId
    change_number: ChangeNumber
    created_cn: ChangeNumber


@dataclass(frozen=True, slots=True)
class ChangePage:
    """What changed in a folder since a point, in order of change numbers.

    Attributes:
        places: created (``created_cn > since``) and changed ones, each once, as they stand now. A
            place whose ``changed_cn <= since`` but ``read_cn > since`` changed only in its read
            state.
        vanished: those gone.
        upto: where the next page begins.
        has_more: whether to ask again at once.
    """

    places: tuple[Place, ...]
    vanished: tuple[Vanished, ...]
    upto: ChangeNumber
    has_more: bool


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """What changed in the folder tree since a point.

    Attributes:
        folders: created and changed ones.
        removed: those gone.
        upto: where the next question begins.
    """

    folders: tuple[Folder, ...]
    removed: tuple[FolderId, ...]
    upto: ChangeNumber


class Hint(Struct, frozen=True):
    """Says that a mailbox has advanced. Carries no data; may be lost; the log is the truth."""

    mailbox_id: MailboxId
    folder_id: FolderId
    change_number: ChangeNumber
