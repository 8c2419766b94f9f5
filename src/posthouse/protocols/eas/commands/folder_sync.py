"""FOLDERSYNC: which folders there are, or what has become of them.

Spec: [MS-ASCMD] §2.2.1.5; §2.2.3.186.3 (Type).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posthouse.model.errors import RemoteProtocolError
from posthouse.protocols.eas.collections import folders_shown
from posthouse.protocols.eas.hierarchy import begun, standing_of, told
from posthouse.protocols.eas.synckey import START
from posthouse.protocols.eas.wire.element import Element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from posthouse.protocols.eas.session import Call
    from posthouse.protocols.eas.synckey import FolderShown

_SPACE = "FolderHierarchy"


async def handle(call: Call, request: Element | None) -> Element:
    """All folders for SyncKey 0, else what differs from what the device has.

    Raises:
        InvalidSyncPoint: the key is not known.
    """
    if request is None or request.child("SyncKey") is None:
        raise RemoteProtocolError("no SyncKey", "content")
    sync_key = request.text_of("SyncKey")
    now = await folders_shown(call)
    if sync_key == START:
        key = await begun(call, now)
        return _answer(key.text, [_shown("Add", one) for one in now])
    standing = await standing_of(call, sync_key)
    changes = _changes(standing.state.folders, now)
    if not changes:
        return _answer(sync_key, [])
    key = await told(call, standing, now)
    return _answer(key.text, changes)


def _changes(before: Sequence[FolderShown], now: Sequence[FolderShown]) -> list[Element]:
    """In the schema's order: Update, Delete, Add."""
    had = {one.server_id: one for one in before}
    has = {one.server_id: one for one in now}
    updates = [
        _shown("Update", one) for one in now if one.server_id in had and had[one.server_id] != one
    ]
    deletes = [
        Element(_SPACE, "Delete", [Element(_SPACE, "ServerId", one.server_id)])
        for one in before
        if one.server_id not in has
    ]
    adds = [_shown("Add", one) for one in now if one.server_id not in had]
    return updates + deletes + adds


def _shown(tag: str, one: FolderShown) -> Element:
    fields = (
        ("ServerId", one.server_id),
        ("ParentId", one.parent_id),
        ("DisplayName", one.name),
        ("Type", str(one.kind)),
    )
    return Element(_SPACE, tag, [Element(_SPACE, name, text) for name, text in fields])


def _answer(sync_key: str, changes: list[Element]) -> Element:
    count = Element(_SPACE, "Count", str(len(changes)))
    return Element(
        _SPACE,
        "FolderSync",
        [
            Element(_SPACE, "Status", "1"),
            Element(_SPACE, "SyncKey", sync_key),
            Element(_SPACE, "Changes", [count, *changes]),
        ],
    )
