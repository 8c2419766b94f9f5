"""What every records engine promises about mailboxes and folders."""

from __future__ import annotations

import pytest
from tests.contracts.records_house import GUID, NOW, staged

from posthouse.model.batch import (
    ChangeFlags,
    ChangeFolder,
    ChangeMailbox,
    ChangeProperties,
    DropSyncStates,
    EpochIs,
    ExpungeItems,
    FolderUnchanged,
    GrantRights,
    HideItems,
    KeepRules,
    KeepSyncState,
    MakeFolder,
    NameProperties,
    RemoveFolder,
    ShowItems,
)
from posthouse.model.errors import AlreadyExists, Conflict, NotFound, SyncPointExpired
from posthouse.model.folder import DEFAULT_FOLDERS, FolderClass, FolderRole, MailboxKind
from posthouse.model.item import Flags, ItemColumns
from posthouse.model.rights import Rights
from posthouse.ports.records import Grant


def make(h, name, parent=None, **more):
    operation = MakeFolder(
        h.inbox if parent is None else parent, name, FolderClass.MAIL, FolderRole.NONE, **more
    )
    return h.one(operation).folder_id


def names(h):
    return [f.name for f in h.run(h.records.folders(h.box)) if not f.role]


def test_a_new_mailbox_has_its_special_folders(records_house):
    h = records_house
    mailbox = h.create(quota_bytes=5)
    assert mailbox == h.run(h.records.mailbox(mailbox.mailbox_id))
    assert (mailbox.guid, mailbox.kind, mailbox.quota_bytes) == (GUID, MailboxKind.USER, 5)
    assert (mailbox.epoch, mailbox.settings) == (1, "{}")
    folders = h.run(h.records.folders(mailbox.mailbox_id))
    assert folders[0].role is FolderRole.ROOT
    assert folders[0].parent_id == 0
    assert [(f.role, f.name, f.folder_class) for f in folders[1:]] == list(DEFAULT_FOLDERS)
    assert {f.parent_id for f in folders[1:]} == {folders[0].folder_id}
    assert {f.uid_validity for f in folders} == {77}
    assert max(f.changed_cn for f in folders) == mailbox.highest_cn
    assert len({f.changed_cn for f in folders}) == len(folders)
    assert all(f.uid_next == 1 and f.highest_cn for f in folders)


def test_mailboxes_in_order(records_house):
    h = records_house
    ids = [h.box, *(h.create().mailbox_id for _ in range(3))]
    assert h.run(h.records.mailbox_ids(0, 10)) == ids
    assert h.run(h.records.mailbox_ids(ids[1], 1)) == [ids[2]]


def test_a_deleted_mailbox_is_gone_and_its_blobs_are_dead(records_house):
    h = records_house
    other = h.create().mailbox_id
    a, shared = h.add("a", box=other), staged("shared").ref.blob_hash
    h.add("shared", box=other)
    h.add("shared")
    h.do(HideItems(3, (a,)), box=other)
    h.run(h.records.delete_mailbox(other))
    for read in (
        h.records.mailbox(other),
        h.records.folders(other),
        h.records.folder(other, h.inbox),
        h.records.folder_changes(other, 0),
        h.records.changes_since(other, h.inbox, 0, 10),
        h.records.delete_mailbox(other),
    ):
        with pytest.raises(NotFound):
            h.run(read)
    with pytest.raises(NotFound):
        h.add("x", box=other)
    assert h.blob(staged("a").ref.blob_hash).dead_since == NOW
    assert h.blob(shared).references == 1
    assert h.run(h.records.mailbox_ids(0, 10)) == [h.box]
    assert h.create().mailbox_id > other


@pytest.mark.parametrize("nobody", [0, 4711])
def test_no_such_mailbox(records_house, nobody):
    h = records_house
    with pytest.raises(NotFound):
        h.run(h.records.mailbox(nobody))
    with pytest.raises(NotFound):
        h.do(ChangeMailbox(), box=nobody or 4711)
    assert h.run(h.records.places(nobody, h.inbox, 0, 10)) == []


def test_folder_names_are_unique_without_regard_to_case(records_house):
    h = records_house
    straße = make(h, "Straße")
    for name in ("Straße", "STRASSE", "strasse"):
        with pytest.raises(AlreadyExists):
            make(h, name)
    below = make(h, "strasse", parent=straße)
    with pytest.raises(AlreadyExists):
        h.do(ChangeFolder(below, parent=h.inbox))
    h.do(ChangeFolder(straße, name="STRASSE"))
    assert names(h) == ["STRASSE", "strasse"]
    with pytest.raises(AlreadyExists):
        h.do(MakeFolder(h.inbox, "Second", FolderClass.MAIL, FolderRole.SENT))
    for name in ("", "x" * 256):
        with pytest.raises(Conflict):
            make(h, name)
    with pytest.raises(NotFound):
        make(h, "x", parent=4711)
    with pytest.raises(Conflict):
        make(h, "x", parent=h.lost)


def test_folders_move_but_not_below_themselves(records_house):
    h = records_house
    a = make(h, "a")
    b = make(h, "b", parent=a)
    c = make(h, "c", parent=b)
    for parent in (a, b, c):
        with pytest.raises(Conflict):
            h.do(ChangeFolder(a, parent=parent))
    before = h.folder(b).changed_cn
    h.do(ChangeFolder(b, parent=h.trash, bag=b"{}"))
    folder = h.folder(b)
    assert (folder.parent_id, folder.name, folder.bag) == (h.trash, "b", b"{}")
    assert folder.changed_cn == h.mailbox().highest_cn > before
    tree = h.run(h.records.folders(h.box))
    order = [f.folder_id for f in tree]
    assert all(order.index(f.parent_id) < order.index(f.folder_id) for f in tree if f.parent_id)
    for role in (FolderRole.ROOT, FolderRole.RECOVERABLE):
        with pytest.raises(Conflict):
            h.do(ChangeFolder(h.roles[role], name="x"))
    with pytest.raises(NotFound):
        h.do(ChangeFolder(4711, name="x"))


def test_removed_folders_leave_their_items_recoverable(records_house):
    h = records_house
    a = make(h, "a")
    b = make(h, "b", parent=a)
    items = [h.add("in a", folder=a), h.add("in b", folder=b)]
    h.do(GrantRights(a, 5, Rights.READ_ANY))
    at = h.mailbox().highest_cn
    h.do(RemoveFolder(a))
    assert names(h) == []
    assert sorted(h.ids(h.lost)) == items
    changes = h.run(h.records.folder_changes(h.box, at))
    assert set(changes.removed) == {a, b}
    assert changes.folders == ()
    assert h.run(h.records.grants(h.box)) == []
    with pytest.raises(NotFound):
        h.changes(0, a)
    with pytest.raises(NotFound):
        h.do(RemoveFolder(a))
    for folder in (h.inbox, h.roles[FolderRole.ROOT]):
        with pytest.raises(Conflict):
            h.do(RemoveFolder(folder))


def test_a_name_used_again_has_another_uid_validity(records_house):
    h = records_house
    first = h.folder(make(h, "again"))
    h.do(RemoveFolder(first.folder_id))
    second = h.folder(make(h, "again"))
    assert second.uid_validity != first.uid_validity
    assert second.folder_id > first.folder_id


def test_folder_changes(records_house):
    h = records_house
    at = h.mailbox().highest_cn
    whole = h.run(h.records.folder_changes(h.box, 0))
    assert len(whole.folders) == len(DEFAULT_FOLDERS) + 1
    assert whole.upto == at
    a = make(h, "a")
    h.add("content is no change of a folder")
    changes = h.run(h.records.folder_changes(h.box, at))
    assert [f.folder_id for f in changes.folders] == [a]
    assert changes.upto == h.mailbox().highest_cn
    again = h.run(h.records.folder_changes(h.box, changes.upto))
    assert (again.folders, again.removed, again.upto) == ((), (), changes.upto)


def test_the_horizon_of_the_tree(records_house):
    h = records_house
    a, at = make(h, "a"), h.mailbox().highest_cn
    h.do(RemoveFolder(a))
    upto = h.mailbox().highest_cn
    assert h.run(h.records.raise_horizon(NOW, 10)) == 0
    assert h.run(h.records.raise_horizon(NOW + 1, 10)) == 1
    with pytest.raises(SyncPointExpired):
        h.run(h.records.folder_changes(h.box, at))
    assert h.run(h.records.folder_changes(h.box, upto)).removed == ()
    assert h.run(h.records.folder_changes(h.box, 0)).removed == ()


def test_preconditions_on_folder_and_mailbox(records_house):
    h = records_house
    at = h.folder().changed_cn
    h.add("content")
    h.do(ChangeFolder(h.inbox, bag=b"1"), preconditions=(FolderUnchanged(h.inbox, at), EpochIs(1)))
    for precondition in (FolderUnchanged(h.inbox, at), EpochIs(2)):
        with pytest.raises(Conflict):
            h.do(ChangeFolder(h.inbox, bag=b"2"), preconditions=(precondition,))
    assert h.folder().bag == b"1"


def test_policy_and_rules(records_house):
    h = records_house
    at = h.mailbox().highest_cn
    h.do(ChangeMailbox(quota_bytes=7))
    h.do(ChangeMailbox(settings='{"pop_delete": "trash"}'))
    assert h.run(h.records.rules(h.box)) == ""
    h.do(KeepRules("[1]"))
    mailbox = h.mailbox()
    assert (mailbox.quota_bytes, mailbox.settings) == (7, '{"pop_delete": "trash"}')
    assert h.run(h.records.rules(h.box)) == "[1]"
    assert mailbox.highest_cn == at + 3


def test_grants(records_house):
    h = records_house
    other = h.create().mailbox_id
    h.do(GrantRights(h.inbox, 5, Rights.READ_ANY), GrantRights(h.inbox, 6, Rights.ALL))
    h.do(GrantRights(h.trash, 5, Rights.EDITOR), box=other)
    h.do(GrantRights(h.inbox, 5, Rights.REVIEWER), GrantRights(h.inbox, 6, Rights.NONE))
    mine = Grant(h.box, h.inbox, 5, Rights.REVIEWER)
    assert h.run(h.records.grants(h.box)) == [mine]
    theirs = Grant(other, h.trash, 5, Rights.EDITOR)
    assert h.run(h.records.granted_to((7, 5))) == [mine, theirs]
    assert h.run(h.records.granted_to(())) == []
    assert h.folder().changed_cn == h.mailbox().highest_cn


def test_hidden_items(records_house):
    h = records_house
    ids = [h.add(str(n)) for n in range(4)]
    at = h.mailbox().highest_cn
    assert h.run(h.records.hidden_version(h.box, 3)) == 0
    h.do(HideItems(3, (ids[2], ids[0], 4711)))
    h.do(HideItems(3, (ids[2], ids[3])))
    assert h.run(h.records.hidden_items(h.box, 3, 0, 2)) == [ids[0], ids[2]]
    assert h.run(h.records.hidden_items(h.box, 3, ids[2], 2)) == [ids[3]]
    assert h.run(h.records.hidden_items(h.box, 4, 0, 2)) == []
    assert h.run(h.records.hidden_version(h.box, 3)) == 2
    assert h.mailbox().highest_cn == at
    h.do(ExpungeItems(h.inbox, (ids[0],), NOW, is_final=True))
    h.do(ShowItems(3, (ids[3],)))
    assert h.run(h.records.hidden_items(h.box, 3, 0, 9)) == [ids[2]]
    h.do(ShowItems(3))
    assert h.run(h.records.hidden_items(h.box, 3, 0, 9)) == []
    assert h.run(h.records.hidden_version(h.box, 3)) == 4


def keep(h, key, state=b"s", device=1, collection="c"):
    h.do(KeepSyncState(device, collection, key, state))


def states(h, device=1, collection="c"):
    return [(s.key, s.state) for s in h.run(h.records.sync_states(h.box, device, collection))]


def test_two_generations_of_sync_states(records_house):
    h = records_house
    for key in (1, 2, 3):
        keep(h, key, b"%d" % key)
    assert states(h) == [(3, b"3"), (2, b"2")]
    keep(h, 3, b"again")
    assert states(h) == [(3, b"again"), (2, b"2")]
    h.run(h.records.confirm_sync_state(h.box, 1, "c", 3))
    assert states(h) == [(3, b"again")]
    h.run(h.records.confirm_sync_state(h.box, 1, "c", 9))
    assert states(h) == [(3, b"again")]
    keep(h, 1, b"from the start")
    assert states(h) == [(1, b"from the start")]


def test_sync_states_are_dropped(records_house):
    h = records_house
    for device, collection in ((1, "c"), (1, "d"), (2, "c")):
        keep(h, 1, device=device, collection=collection)
    h.do(DropSyncStates(1, "c"))
    assert (states(h), states(h, collection="d")) == ([], [(1, b"s")])
    h.do(DropSyncStates(1))
    assert (states(h, collection="d"), states(h, device=2)) == ([], [(1, b"s")])


def test_named_properties_keep_their_numbers(records_house):
    h = records_house
    a, b, c = ("guid", "a"), ("guid", "b"), ("other", "a")
    assert h.one(NameProperties((a, b, a))).numbers == (0x8000, 0x8001, 0x8000)
    assert h.one(NameProperties((c, b))).numbers == (0x8002, 0x8001)
    known = h.run(h.records.property_names(h.box, (0x8002, 0x9000, 0x8000)))
    assert known == [c, None, a]


def test_a_change_page_is_in_order_and_complete(records_house):
    h = records_house
    at = h.mailbox().highest_cn
    ids = [h.add(str(n)) for n in range(6)]
    h.do(ChangeFlags(h.inbox, (ids[1], ids[3]), Flags.SEEN, Flags.NONE))
    h.do(ExpungeItems(h.inbox, (ids[2],), NOW))
    h.do(ChangeProperties(ids[0], columns=ItemColumns(subject="s")))
    seen, gone, since = [], [], at
    while True:
        page = h.changes(since, limit=2)
        assert since < page.upto
        for place in page.places:
            assert since < max(place.changed_cn, place.read_cn) <= page.upto
        seen += [place.item_id for place in page.places]
        gone += [v.item_id for v in page.vanished]
        since = page.upto
        if not page.has_more:
            break
    assert seen == [ids[4], ids[5], ids[1], ids[3], ids[0]]
    assert gone == [ids[2]]
    assert since == h.folder().highest_cn
    page = h.changes(since)
    assert (page.places, page.vanished, page.upto, page.has_more) == ((), (), since, False)
    ahead = h.changes(since + 5)
    assert (ahead.places, ahead.upto) == ((), since + 5)


def test_changes_of_the_read_state_alone_can_be_told(records_house):
    h = records_house
    a, since = h.add("a"), h.mailbox().highest_cn
    h.do(ChangeFlags(h.inbox, (a,), Flags.SEEN, Flags.NONE))
    (place,) = h.changes(since).places
    assert place.changed_cn <= since < place.read_cn


def test_the_horizon_of_a_folder(records_house):
    h = records_house
    ids = [h.add(str(n)) for n in range(4)]
    at = h.mailbox().highest_cn
    h.do(ExpungeItems(h.inbox, (ids[0],), NOW))
    h.clock.now += 10
    h.do(ExpungeItems(h.inbox, (ids[1],), NOW))
    assert h.run(h.records.raise_horizon(NOW + 1, 10)) == 1
    with pytest.raises(SyncPointExpired):
        h.changes(at)
    page = h.changes(at + 1)
    assert [v.item_id for v in page.vanished] == [ids[1]]
    assert h.folder().horizon_cn == at + 1
    assert [place.item_id for place in h.changes(0).places] == ids[2:]
    assert h.run(h.records.raise_horizon(NOW + 100, 1)) == 1
    assert h.run(h.records.raise_horizon(NOW + 100, 1)) == 0


def test_hints_and_the_sweep(records_house):
    h = records_house
    other = h.create().mailbox_id
    known = {h.box: h.mailbox().highest_cn, other: h.mailbox().highest_cn, 4711: 0}
    h.hints.clear()
    h.add("a")
    (hint,) = h.hints
    assert (hint.mailbox_id, hint.folder_id) == (h.box, h.inbox)
    assert hint.change_number == h.mailbox().highest_cn
    assert h.run(h.records.advanced_since(known)) == [h.box]
    assert h.run(h.records.advanced_since({})) == []
    h.hints.clear()
    h.do(KeepRules("r"))
    assert [(x.mailbox_id, x.folder_id) for x in h.hints] == [(h.box, 0)]
    h.hints.clear()
    h.do(HideItems(1, ()))
    with pytest.raises(NotFound):
        h.add("x", folder=4711)
    assert h.hints == []
