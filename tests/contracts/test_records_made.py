"""Contract of the records: an item may be moved in the batch that adds it."""

from __future__ import annotations

import pytest

from posthouse.model.batch import AddItem, Batch, ChangeMailbox, Commit, Made, MoveItems
from posthouse.model.errors import NotFound
from posthouse.model.folder import FolderRole
from posthouse.model.item import ItemKind, NewItem


def folder_of(h, role):
    return next(f for f in h.run(h.records.folders(h.box)) if f.role is role)


def moved_on(h, target):
    add = AddItem(h.inbox, NewItem(ItemKind.NOTE, None, 5))
    move = MoveItems(h.inbox, (Made(1),), target)
    commit = Commit((Batch(h.box, (ChangeMailbox(settings="{}"), add, move)),))
    return h.run(h.records.apply(commit))[0].results


@pytest.mark.parametrize("role", [FolderRole.ARCHIVE, FolderRole.RECOVERABLE])
def test_an_item_moves_in_the_batch_that_adds_it(records_house, role):
    h = records_house
    target = folder_of(h, role)
    before = folder_of(h, FolderRole.INBOX)
    _, added, moved = moved_on(h, target.folder_id)
    (item_id,) = added.item_ids
    assert moved.item_ids == (item_id,)
    assert [p.folder_id for p in h.run(h.records.item_places(h.box, item_id))] == [target.folder_id]
    inbox = folder_of(h, FolderRole.INBOX)
    assert (inbox.item_count, inbox.unread_count) == (0, 0)
    assert inbox.uid_next == before.uid_next + 1
    page = h.run(h.records.changes_since(h.box, h.inbox, before.highest_cn, 10))
    assert [(one.uid, one.item_id) for one in page.vanished] == [(before.uid_next, item_id)]
    (item,) = h.run(h.records.items(h.box, (item_id,)))
    assert item.changed_cn == page.vanished[0].created_cn
    assert not h.run(h.records.check())


@pytest.mark.parametrize("index", [0, 2, 9])
def test_made_names_only_what_was_added_before(records_house, index):
    h = records_house
    add = AddItem(h.inbox, NewItem(ItemKind.NOTE, None, 5))
    move = MoveItems(h.inbox, (Made(index),), h.inbox)
    batch = Batch(h.box, (ChangeMailbox(settings="{}"), add, move))
    with pytest.raises(NotFound):
        h.run(h.records.apply(Commit((batch,))))
    assert folder_of(h, FolderRole.INBOX).item_count == 0
