"""QUIT: goodbye; after login what was marked is put away first.

Spec: RFC 1939 §5, §6 (the UPDATE state).

Notes:
    All that was marked goes in one batch, so all of it goes or nothing does; ``+OK`` is said when
    it is durable. Items that another session took away meanwhile are skipped by the store. ``hide``
    writes only the device's own list. ``trash`` moves to Deleted Items, but deletes what lies there
    already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from posthouse.model.batch import Batch, Commit, ExpungeItems, HideItems, MoveItems, Operation
from posthouse.model.folder import FolderRole
from posthouse.protocols.pop3.policy import DeletePolicy
from posthouse.protocols.pop3.reach import view_of
from posthouse.protocols.pop3.wire.grammar import State
from posthouse.protocols.pop3.wire.machine import Step
from posthouse.protocols.pop3.wire.texts_table import Text

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from posthouse.model.ids import FolderId, ItemId
    from posthouse.protocols.pop3.maildrop import Maildrop
    from posthouse.protocols.pop3.session import Pop3Session
    from posthouse.protocols.pop3.wire.grammar import Quit


def handle(session: Pop3Session, _command: Quit) -> bytes | Coroutine[Any, Any, bytes]:
    """Put away what was marked and end the session; it ends even when that fails."""
    session.end("quit")
    if session.machine.state is State.AUTHORIZATION:
        return session.ok(Text.BYE)
    session.machine.advance(Step.UPDATING)
    marked = session.marked
    return _put_away(session, marked) if marked else session.ok(Text.BYE)


async def _put_away(session: Pop3Session, marked: set[int]) -> bytes:
    """Do what DELE promised.

    Raises:
        Unavailable: nothing was put away.
    """
    maildrop = session.drop()
    operations = await _operations(session, maildrop, maildrop.marked_items(marked))
    if operations:
        batch = Batch(maildrop.mailbox_id, operations)
        await session.services.store.apply(Commit((batch,)))
    session.deleted = len(marked)
    return session.ok(Text.BYE_KEPT, count=len(marked))


async def _operations(
    session: Pop3Session, maildrop: Maildrop, items: dict[FolderId, list[ItemId]]
) -> tuple[Operation, ...]:
    store = session.services.store
    match maildrop.delete:
        case DeletePolicy.HIDE:
            if not maildrop.hides or session.login is None:
                return ()
            every = tuple([item_id for some in items.values() for item_id in some])
            return (HideItems(view_of(session.login, maildrop.mailbox_id), every),)
        case DeletePolicy.EXPUNGE:
            now = store.clock.now_ms()
            return tuple([ExpungeItems(one, tuple(ids), now) for one, ids in items.items()])
        case DeletePolicy.TRASH:
            now = store.clock.now_ms()
            trash = (await store.role_folder(maildrop.mailbox_id, FolderRole.DELETED)).folder_id
            return tuple(
                [
                    ExpungeItems(one, tuple(ids), now)
                    if one == trash
                    else MoveItems(one, tuple(ids), trash)
                    for one, ids in items.items()
                ]
            )
