"""What every records engine promises about items and their places."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs
from tests.contracts.records_house import NOW, staged

from posthouse.model.batch import (
    AddItem,
    Batch,
    ChangeContent,
    ChangeFlags,
    ChangeMailbox,
    ChangeProperties,
    Commit,
    CopyItems,
    ExpungeItems,
    ItemUnchanged,
    Made,
    MakeFolder,
    MessageIdAbsent,
    MoveItems,
    RemoveFolder,
    RestoreItems,
)
from posthouse.model.blob import BlobForm, BlobLocation, BlobRef
from posthouse.model.errors import Conflict, NotFound, QuotaExceeded
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.ids import BlobHash
from posthouse.model.item import Flags, ItemColumns, ItemKind, NewItem


def test_an_added_item_is_read_back_whole(records_house):
    h = records_house
    columns = ItemColumns(
        1, "a@b", "Ünïcode", "Alice <a@b>", "Bob", 2**62, "IPM.X", 2, True, 3, 4, "uid", "n.txt"
    )
    blob = staged("hello")
    new = NewItem(
        ItemKind.FILE,
        blob.ref,
        NOW,
        prefix=b"Received: x\r\n",
        flags=Flags.FLAGGED,
        columns=columns,
        bag=b"{}",
        uidl="old-uidl",
    )
    result = h.do(AddItem(h.inbox, new), blobs=(blob,))
    (item_id,) = result.results[0].item_ids
    item = h.item(item_id)
    assert (item.kind, item.columns, item.bag, item.uidl) == (
        ItemKind.FILE,
        columns,
        b"{}",
        "old-uidl",
    )
    assert (item.prefix, item.received_at, item.card) == (b"Received: x\r\n", NOW, b"")
    assert item.blob == blob.ref
    assert item.changed_cn == result.highest_cn
    assert h.journal.written[item.blob.location] == blob.data
    place = h.place(item_id)
    assert (place.folder_id, place.uid, place.flags) == (h.inbox, 1, Flags.FLAGGED)
    assert place.size_bytes == new.size_bytes == 13 + 7
    assert place.created_cn == place.changed_cn == result.highest_cn
    assert place.read_cn == 0
    assert h.records.locate(blob.ref.blob_hash) == item.blob.location
    assert isinstance(item.columns.has_attachments, bool)


def test_blob_shapes_survive(records_house):
    h = records_house
    blob = staged("..dots")
    for n, ref in enumerate(
        (
            BlobRef(BlobHash(bytes([n]) * 32), form, 5, 9, dots, eol)
            for n, (form, dots, eol) in enumerate(
                [
                    (BlobForm.RAW, False, False),
                    (BlobForm.WIRE, True, False),
                    (BlobForm.WIRE, False, True),
                ]
            )
        )
    ):
        other = type(blob)(ref, blob.data, None, b"")
        result = h.one(AddItem(h.inbox, NewItem(ItemKind.MESSAGE, ref, n)), blobs=(other,))
        assert h.item(result.item_ids[0]).blob == ref
        assert (
            h.place(result.item_ids[0]).size_bytes
            == ref.served_bytes
            == 5 + 2 * ref.lacks_final_eol
        )
        (content,) = h.run(h.records.contents(h.box, result.item_ids))
        assert content.blob == ref
        assert content.blob.location == h.item(result.item_ids[0]).blob.location


def test_an_item_without_blob(records_house):
    h = records_house
    result = h.one(AddItem(h.inbox, NewItem(ItemKind.NOTE, None, NOW, bag=b"[1]")))
    item = h.item(result.item_ids[0])
    assert item.blob is None
    (content,) = h.run(h.records.contents(h.box, result.item_ids))
    assert (content.item_id, content.prefix, content.blob) == (item.item_id, b"", None)
    assert h.folder().size_bytes == 0
    h.do(ExpungeItems(h.inbox, result.item_ids, NOW, is_final=True))


def test_counters_are_exact(records_house):
    h = records_house
    h.add("one", prefix=b"12345")
    h.add("twice", flags=Flags.SEEN)
    folder, mailbox = h.folder(), h.mailbox()
    assert (folder.item_count, folder.unread_count, folder.uid_next) == (2, 1, 3)
    assert folder.size_bytes == mailbox.size_bytes == 5 + 5 + 7
    assert (mailbox.item_count, mailbox.recoverable_bytes) == (2, 0)
    assert folder.highest_cn == mailbox.highest_cn


def test_items_come_in_the_order_asked_for(records_house):
    h = records_house
    ids = h.add_many(5)
    wanted = [ids[3], ids[0], 999_999, ids[4]]
    items = h.run(h.records.items(h.box, wanted))
    assert [item.item_id for item in items] == [ids[3], ids[0], ids[4]]
    assert h.run(h.records.items(h.box, ())) == []


def test_contents_are_what_the_items_say(records_house):
    h = records_house
    ids = [h.add(f"text {n}", prefix=b"X: %d\r\n" % n) for n in range(5)]
    wanted = [ids[3], ids[0], 999_999, ids[4]]
    contents = h.run(h.records.contents(h.box, wanted))
    items = h.run(h.records.items(h.box, wanted))
    assert [one.item_id for one in contents] == [ids[3], ids[0], ids[4]]
    assert [(c.item_id, c.prefix, c.blob) for c in contents] == [
        (i.item_id, i.prefix, i.blob) for i in items
    ]
    assert [c.blob.location for c in contents] == [i.blob.location for i in items]
    assert h.run(h.records.contents(h.box, ())) == []
    other = h.create().mailbox_id
    assert h.run(h.records.contents(other, ids)) == []


def test_a_blob_is_the_same_wherever_it_lies():
    ref = BlobRef(BlobHash(b"a" * 32), BlobForm.WIRE, 5, 9, location=BlobLocation(1, 48))
    elsewhere = structs.replace(ref, location=None)
    assert ref == elsewhere
    assert hash(ref) == hash(elsewhere)
    assert ref != structs.replace(ref, size_bytes=6)
    assert ref != structs.replace(ref, lacks_final_eol=True)
    assert ref != structs.replace(ref, blob_hash=BlobHash(b"b" * 32))
    assert ref != "a"


def test_items_of_another_mailbox_are_not_there(records_house):
    h = records_house
    item_id = h.add("mine")
    other = h.create().mailbox_id
    assert h.run(h.records.items(other, (item_id,))) == []
    assert h.run(h.records.item_places(other, item_id)) == []
    for operation in (
        ChangeProperties(item_id, bag=b"x"),
        CopyItems(h.inbox, (item_id,), h.trash),
    ):
        with pytest.raises(NotFound):
            h.do(operation, box=other)
    h.do(ChangeFlags(h.inbox, (item_id,), Flags.SEEN, Flags.NONE), box=other)
    h.do(ExpungeItems(h.inbox, (item_id,), NOW, is_final=True), box=other)
    with pytest.raises(Conflict):
        h.do(
            ChangeMailbox(),
            box=other,
            preconditions=(ItemUnchanged(item_id, h.item(item_id).changed_cn),),
        )
    assert h.ids() == [item_id]
    assert h.place(item_id).flags == Flags.NONE


def test_places_are_read_in_slices(records_house):
    h = records_house
    ids = h.add_many(5)
    first = h.run(h.records.places(h.box, h.inbox, 0, 3))
    rest = h.run(h.records.places(h.box, h.inbox, first[-1].uid, 3))
    assert [place.item_id for place in (*first, *rest)] == ids
    columns = h.run(h.records.place_columns(h.box, h.inbox, first[0].uid, 3))
    wanted = [(p.uid, p.item_id, p.size_bytes, p.received_at) for p in h.places()[1:4]]
    assert [tuple(column) for column in columns] == list(zip(*wanted, strict=True))
    columns = h.run(h.records.place_columns(h.box, h.inbox, 99, 3))
    assert [list(column) for column in columns] == [[], [], [], []]


def test_same_content_is_kept_once(records_house):
    h = records_house
    h.add("same")
    h.add("same")
    blob = staged("same")
    assert h.blob(blob.ref.blob_hash).references == 2
    assert len(h.journal.written) == 1


def test_same_content_twice_in_one_commit(records_house):
    h = records_house
    blob = staged("twice")
    other = h.create().mailbox_id
    new = NewItem(ItemKind.MESSAGE, blob.ref, NOW)
    h.commit(
        Commit(
            (Batch(h.box, (AddItem(h.inbox, new),)), Batch(other, (AddItem(2, new),))), (blob, blob)
        )
    )
    assert h.blob(blob.ref.blob_hash).references == 2
    assert len(h.journal.written) == 1


def test_a_blob_must_be_staged_or_known(records_house):
    h = records_house
    with pytest.raises(NotFound):
        h.do(AddItem(h.inbox, NewItem(ItemKind.MESSAGE, staged("ghost").ref, NOW)))
    h.add("known")
    h.do(AddItem(h.inbox, NewItem(ItemKind.MESSAGE, staged("known").ref, NOW)))
    assert h.blob(staged("known").ref.blob_hash).references == 2


def test_a_staged_blob_that_nothing_names_is_given_back(records_house):
    h = records_house
    h.do(ChangeMailbox(), blobs=(staged("unused"),))
    assert h.blob(staged("unused").ref.blob_hash) is None
    assert len(h.journal.dropped) == 1


def test_a_failed_commit_leaves_nothing(records_house):
    h = records_house
    h.add("before")
    before = h.mailbox(), h.folder(), h.places()
    blob = staged("never")
    with pytest.raises(NotFound):
        h.do(
            AddItem(h.inbox, NewItem(ItemKind.MESSAGE, blob.ref, NOW)),
            MakeFolder(h.inbox, "Never", FolderClass.MAIL, FolderRole.NONE),
            ChangeFlags(h.inbox, (h.ids()[0],), Flags.SEEN, Flags.NONE),
            AddItem(987, NewItem(ItemKind.MESSAGE, blob.ref, NOW)),
            blobs=(blob,),
        )
    assert (h.mailbox(), h.folder(), h.places()) == before
    assert h.blob(blob.ref.blob_hash) is None
    assert len(h.journal.dropped) == 1
    h.add("never")
    assert h.folder().item_count == 2


def test_copies_share_the_blob(records_house):
    h = records_house
    a, b = h.add("a", flags=Flags.SEEN, uidl="x"), h.add("b")
    h.do(ChangeProperties(a, card=b"card of a"))
    result = h.one(CopyItems(h.inbox, (b, a), h.trash))
    copies = [h.item(item_id) for item_id in result.item_ids]
    assert [c.blob.blob_hash for c in copies] == [staged(t).ref.blob_hash for t in "ba"]
    assert [h.place(c.item_id).uid for c in copies] == list(result.uids) == [1, 2]
    assert (copies[1].card, copies[1].uidl) == (b"card of a", "")
    assert h.place(copies[1].item_id).flags == Flags.SEEN
    assert h.blob(copies[1].blob.blob_hash).references == 2
    assert (h.folder(h.trash).item_count, h.folder(h.trash).unread_count) == (2, 1)
    assert h.ids() == [a, b]
    with pytest.raises(NotFound):
        h.do(CopyItems(h.inbox, (a, 4711), h.trash))


def test_a_copy_into_the_same_folder(records_house):
    h = records_house
    a = h.add("a")
    result = h.one(CopyItems(h.inbox, (a,), h.inbox))
    assert h.ids() == [a, *result.item_ids]


def test_moved_items_keep_their_id(records_house):
    h = records_house
    ids = h.add_many(3)
    before = h.mailbox().highest_cn
    result = h.one(MoveItems(h.inbox, (ids[2], 4711, ids[0]), h.trash))
    assert result.item_ids == (ids[2], ids[0])
    assert result.uids == (1, 2)
    assert h.ids() == [ids[1]]
    assert h.ids(h.trash) == [ids[2], ids[0]]
    gone = h.changes(before).vanished
    assert [(v.uid, v.item_id) for v in gone] == [(3, ids[2]), (1, ids[0])]
    came = h.changes(before, h.trash).places
    assert [place.item_id for place in came] == [ids[2], ids[0]]
    assert h.one(MoveItems(h.inbox, (ids[0],), h.trash)).item_ids == ()
    assert h.mailbox().item_count == 3


def test_a_move_within_a_folder_gives_new_uids(records_house):
    h = records_house
    ids = h.add_many(2)
    before = h.mailbox().highest_cn
    assert h.one(MoveItems(h.inbox, (ids[0],), h.inbox)).uids == (3,)
    page = h.changes(before)
    assert [p.uid for p in page.places] == [3]
    assert [v.uid for v in page.vanished] == [1]
    assert page.vanished[0].change_number != page.places[0].changed_cn


def test_expunged_items_can_be_recovered(records_house):
    h = records_house
    projects = h.one(MakeFolder(h.inbox, "P", FolderClass.MAIL, FolderRole.NONE)).folder_id
    a, b = h.add("a"), h.add("b", folder=projects)
    h.do(ExpungeItems(h.inbox, (a, b), NOW), ExpungeItems(projects, (b,), NOW))
    mailbox = h.mailbox()
    assert (mailbox.item_count, mailbox.size_bytes) == (0, 0)
    assert mailbox.recoverable_bytes == 6
    assert h.ids(h.lost) == [a, b]
    assert h.changes(0).vanished[0].item_id == a
    result = h.one(RestoreItems((b, a), h.trash))
    assert result.item_ids == (b, a)
    assert (h.ids(), h.ids(projects), h.ids(h.lost)) == ([a], [b], [])
    assert h.mailbox().recoverable_bytes == 0


def test_recovered_items_of_a_removed_folder_go_to_the_target(records_house):
    h = records_house
    projects = h.one(MakeFolder(h.inbox, "P", FolderClass.MAIL, FolderRole.NONE)).folder_id
    a = h.add("a", folder=projects)
    h.do(RemoveFolder(projects))
    assert h.ids(h.lost) == [a]
    h.do(RestoreItems((a,), h.trash))
    assert h.ids(h.trash) == [a]


def test_recoverable_items_have_their_own_ways(records_house):
    h = records_house
    a, b, c = h.add_many(3)
    h.do(ExpungeItems(h.inbox, (a, b), NOW))
    with pytest.raises(Conflict):
        h.do(ExpungeItems(h.lost, (a,), NOW))
    with pytest.raises(Conflict):
        h.do(CopyItems(h.inbox, (c,), h.lost))
    with pytest.raises(Conflict):
        h.do(RestoreItems((a,), h.lost))
    h.do(ExpungeItems(h.lost, (a,), NOW, is_final=True))
    h.do(MoveItems(h.lost, (b,), h.trash))
    h.do(MoveItems(h.inbox, (c,), h.lost))
    assert (h.ids(h.lost), h.ids(h.trash)) == ([c], [b])
    h.do(RestoreItems((c,), h.trash))
    assert h.ids() == [c]


def test_a_final_expunge_takes_the_blob_reference(records_house):
    h = records_house
    a, b = h.add("same"), h.add("same")
    h.do(ChangeProperties(a, card=b"c"))
    blob_hash = staged("same").ref.blob_hash
    h.do(ExpungeItems(h.inbox, (a,), NOW, is_final=True))
    assert (h.blob(blob_hash).references, h.blob(blob_hash).dead_since) == (1, 0)
    h.do(ExpungeItems(h.inbox, (b,), NOW, is_final=True))
    assert (h.blob(blob_hash).references, h.blob(blob_hash).dead_since) == (0, NOW)
    assert h.run(h.records.items(h.box, (a, b))) == []
    h.add("same")
    assert (h.blob(blob_hash).references, h.blob(blob_hash).dead_since) == (1, 0)
    assert len(h.journal.written) == 1


def test_item_ids_and_uids_are_never_used_again(records_house):
    h = records_house
    a = h.add("a")
    h.do(ExpungeItems(h.inbox, (a,), NOW, is_final=True))
    b = h.add("b")
    assert b > a
    assert h.place(b).uid == 2


def test_expired_items_go_for_good(records_house):
    h = records_house
    ids = h.add_many(4)
    h.do(ExpungeItems(h.inbox, (ids[0],), NOW), ExpungeItems(h.inbox, (ids[1],), NOW + 5))
    h.do(ExpungeItems(h.inbox, (ids[2],), NOW + 10))
    assert h.run(h.records.expire_recoverable(NOW, 10)) == 0
    assert h.run(h.records.expire_recoverable(NOW + 100, 2)) == 2
    assert h.ids(h.lost) == [ids[2]]
    assert h.run(h.records.expire_recoverable(NOW + 10, 10)) == 0
    assert h.mailbox().recoverable_bytes == h.folder(h.lost).size_bytes > 0


def test_flags_and_the_read_state(records_house):
    h = records_house
    a, b = h.add_many(2)
    at = h.mailbox().highest_cn
    h.do(ChangeFlags(h.inbox, (a, b, 4711), Flags.SEEN, Flags.NONE))
    place = h.place(a)
    assert (place.flags, place.changed_cn, place.read_cn) == (Flags.SEEN, at - 1, at + 1)
    assert h.place(b).read_cn == at + 2
    assert h.folder().unread_count == 0
    assert h.folder().highest_cn == at + 2
    h.do(ChangeFlags(h.inbox, (a,), Flags.FLAGGED, Flags.SEEN))
    place = h.place(a)
    assert (place.flags, place.changed_cn, place.read_cn) == (Flags.FLAGGED, at + 3, at + 3)
    assert h.folder().unread_count == 1
    h.do(ChangeFlags(h.inbox, (a, b), Flags.NONE, Flags.ANSWERED))
    assert h.mailbox().highest_cn == at + 3
    h.do(ChangeFlags(h.inbox, (a,), Flags.JUNK, Flags.NONE))
    assert (h.place(a).changed_cn, h.place(a).read_cn) == (at + 4, at + 3)


def test_flags_unchanged_since(records_house):
    h = records_house
    a, b, c = h.add_many(3)
    at = h.mailbox().highest_cn
    h.do(ChangeFlags(h.inbox, (b,), Flags.SEEN, Flags.NONE))
    result = h.one(ChangeFlags(h.inbox, (a, b, c), Flags.FLAGGED, Flags.NONE, unchanged_since=at))
    assert result.item_ids == (b,)
    assert [p.flags for p in h.places()] == [Flags.FLAGGED, Flags.SEEN, Flags.FLAGGED]


def test_properties(records_house):
    h = records_house
    a = h.add("a", columns=ItemColumns(subject="old", message_id="m1"))
    at = h.mailbox().highest_cn
    h.do(ChangeProperties(a, card=b"rendered"))
    assert h.item(a).card == b"rendered"
    assert h.mailbox().highest_cn == at
    h.do(ChangeProperties(a, columns=ItemColumns(subject="new", message_id="m2"), bag=b"bag"))
    item = h.item(a)
    assert (item.columns.subject, item.bag, item.card) == ("new", b"bag", b"rendered")
    assert item.changed_cn == h.place(a).changed_cn == h.folder().highest_cn == at + 1
    assert h.run(h.records.by_message_id(h.box, h.inbox, "m1")) == []
    assert h.run(h.records.by_message_id(h.box, h.inbox, "m2")) == [a]
    with pytest.raises(NotFound):
        h.do(ChangeProperties(4711, bag=b""))


def test_content_changes_under_a_new_uid(records_house):
    h = records_house
    a = h.add("draft", flags=Flags.DRAFT)
    h.do(ChangeProperties(a, card=b"c"))
    at = h.mailbox().highest_cn
    blob = staged("draft, longer")
    operation = ChangeContent(h.inbox, a, blob.ref, b"P\r\n", ItemColumns(subject="s"), b"b")
    assert h.one(operation, blobs=(blob,)).uids == (2,)
    item, place = h.item(a), h.place(a)
    assert (item.blob, item.prefix, item.columns.subject, item.bag) == (
        blob.ref,
        b"P\r\n",
        "s",
        b"b",
    )
    assert item.card == b""
    assert (place.flags, place.size_bytes) == (Flags.DRAFT, 15 + 3)
    page = h.changes(at)
    assert [p.uid for p in page.places] == [2]
    assert [v.uid for v in page.vanished] == [1]
    assert h.folder().size_bytes == h.mailbox().size_bytes == 18
    assert h.blob(staged("draft").ref.blob_hash).dead_since == NOW
    with pytest.raises(NotFound):
        h.do(ChangeContent(h.trash, a, blob.ref, b"", ItemColumns(), b""))
    h.do(operation, blobs=(blob,))
    assert h.blob(blob.ref.blob_hash).references == 1


def test_quota(records_house):
    h = records_house
    box = h.create(quota_bytes=10).mailbox_id
    a = h.add("12345678", box=box)
    with pytest.raises(QuotaExceeded):
        h.add("1", box=box)
    for operation in (
        CopyItems(h.inbox, (a,), h.trash),
        ChangeContent(h.inbox, a, staged("123456789").ref, b"", ItemColumns(), b""),
    ):
        with pytest.raises(QuotaExceeded):
            h.do(operation, box=box, blobs=(staged("123456789"),))
    h.do(MoveItems(h.inbox, (a,), h.trash), box=box)
    h.do(ExpungeItems(h.trash, (a,), NOW), box=box)
    b = h.add("87654321", box=box)
    with pytest.raises(QuotaExceeded):
        h.do(RestoreItems((a,), h.inbox), box=box)
    with pytest.raises(QuotaExceeded):
        h.do(MoveItems(h.lost, (a,), h.inbox), box=box)
    h.do(ChangeMailbox(quota_bytes=1), box=box)
    h.do(MoveItems(h.inbox, (b,), h.trash), box=box)
    h.do(ChangeMailbox(quota_bytes=0), box=box)
    h.do(RestoreItems((a,), h.inbox), box=box)


def test_quota_says_which_batch(records_house):
    h = records_house
    full = h.create(quota_bytes=5).mailbox_id
    blob = staged("too much")
    new = NewItem(ItemKind.MESSAGE, blob.ref, NOW)
    with pytest.raises(QuotaExceeded) as caught:
        h.commit(
            Commit(
                (Batch(h.box, (AddItem(h.inbox, new),)), Batch(full, (AddItem(2, new),))), (blob,)
            )
        )
    assert caught.value.batch_index == 1
    assert h.ids() == []


def test_items_by_message_id_and_name(records_house):
    h = records_house
    ids = [h.add(str(n), columns=ItemColumns(message_id="m@x", name=f"n{n}")) for n in range(2)]
    h.add("other", columns=ItemColumns(message_id="other"))
    h.add("none")
    assert h.run(h.records.by_message_id(h.box, h.inbox, "m@x")) == ids
    assert h.run(h.records.by_message_id(h.box, h.trash, "m@x")) == []
    assert h.run(h.records.by_message_id(h.box, h.inbox, "")) == []
    assert h.run(h.records.by_name(h.box, h.inbox, "n1")).item_id == ids[1]
    assert h.run(h.records.by_name(h.box, h.inbox, "nx")) is None
    assert h.run(h.records.by_name(h.box, h.inbox, "")) is None
    h.do(MoveItems(h.inbox, (ids[1],), h.trash))
    assert h.run(h.records.by_name(h.box, h.trash, "n1")).item_id == ids[1]
    assert h.run(h.records.by_message_id(h.box, h.inbox, "m@x")) == ids[:1]


def test_items_by_ical_uid(records_house):
    h = records_house
    first = h.add("1", columns=ItemColumns(ical_uid="a@x"))
    h.add("2", columns=ItemColumns(ical_uid="b@x"))
    h.add("3")
    last = h.add("4", columns=ItemColumns(ical_uid="a@x"))
    assert h.run(h.records.by_ical_uid(h.box, "a@x")) == [first, last]
    assert h.run(h.records.by_ical_uid(h.box, "A@x")) == []
    assert h.run(h.records.by_ical_uid(h.box, "")) == []
    other = h.create().mailbox_id
    assert h.run(h.records.by_ical_uid(other, "a@x")) == []
    h.do(MoveItems(h.inbox, (first,), h.trash))
    assert h.run(h.records.by_ical_uid(h.box, "a@x")) == [first, last]
    h.do(ExpungeItems(h.inbox, (last,), NOW, is_final=True))
    assert h.run(h.records.by_ical_uid(h.box, "a@x")) == [first]


def test_imported_uidls(records_house):
    h = records_house
    ids = [h.add(str(n), uidl=f"u{n}" if n % 2 else "") for n in range(6)]
    known = h.run(h.records.imported_uidls(h.box, 0, 2))
    assert known == [(ids[1], "u1"), (ids[3], "u3")]
    assert h.run(h.records.imported_uidls(h.box, ids[3], 2)) == [(ids[5], "u5")]


def test_preconditions(records_house):
    h = records_house
    a = h.add("a", columns=ItemColumns(message_id="m"))
    at = h.item(a).changed_cn
    unchanged, absent = (ItemUnchanged(a, at),), (MessageIdAbsent(h.inbox, "m"),)
    h.do(ChangeFlags(h.inbox, (a,), Flags.SEEN, Flags.NONE), preconditions=unchanged)
    h.do(ChangeProperties(a, bag=b"1"), preconditions=unchanged)
    with pytest.raises(Conflict):
        h.do(ChangeProperties(a, bag=b"2"), preconditions=unchanged)
    with pytest.raises(Conflict):
        h.do(ChangeProperties(a, bag=b"2"), preconditions=absent)
    h.do(
        ChangeMailbox(), preconditions=(MessageIdAbsent(h.trash, "m"), MessageIdAbsent(h.inbox, ""))
    )
    assert h.item(a).bag == b"1"


def test_a_message_id_is_absent_only_once(records_house):
    h = records_house
    blob = staged("sent")
    new = NewItem(ItemKind.MESSAGE, blob.ref, NOW, columns=ItemColumns(message_id="m"))
    batch = Batch(h.box, (AddItem(h.inbox, new),), (MessageIdAbsent(h.inbox, "m"),))

    async def both():
        one, two = (
            h.records.apply(Commit((batch,), (blob,))),
            h.records.apply(Commit((batch,), (blob,))),
        )
        return await asyncio.gather(one, two, return_exceptions=True)

    results = h.run(both())
    assert sum(isinstance(r, Conflict) for r in results) == 1
    assert len(h.ids()) == 1


def test_operations_refer_to_earlier_ones(records_house):
    h = records_house
    blob = staged("x")
    result = h.do(
        MakeFolder(h.inbox, "New", FolderClass.MAIL, FolderRole.NONE),
        MakeFolder(Made(0), "Below", FolderClass.MAIL, FolderRole.NONE),
        AddItem(Made(1), NewItem(ItemKind.MESSAGE, blob.ref, NOW)),
        blobs=(blob,),
    )
    below = result.results[1].folder_id
    assert h.ids(below) == list(result.results[2].item_ids)
    assert h.folder(below).parent_id == result.results[0].folder_id
    with pytest.raises(NotFound):
        h.do(AddItem(Made(0), NewItem(ItemKind.NOTE, None, NOW)))


def test_long_lists_of_items(records_house):
    h = records_house
    ids = [
        r.item_ids[0]
        for r in h.do(
            *(AddItem(h.inbox, NewItem(ItemKind.NOTE, None, NOW)) for _ in range(1300))
        ).results
    ]
    h.do(ChangeFlags(h.inbox, tuple(ids), Flags.SEEN, Flags.NONE))
    assert h.folder().unread_count == 0
    assert len(h.run(h.records.items(h.box, ids))) == 1300
    h.do(MoveItems(h.inbox, tuple(ids[100:]), h.trash))
    h.do(CopyItems(h.trash, tuple(ids[100:]), h.inbox))
    h.do(ExpungeItems(h.trash, tuple(ids), NOW, is_final=True))
    assert h.folder().item_count == 1300
    first = h.changes(0)
    rest = h.changes(first.upto)
    assert (first.has_more, rest.has_more) == (True, False)
    assert len(first.places) + len(first.vanished) == 2000
    assert len(first.places) + len(rest.places) == 1300
    assert len(first.vanished) + len(rest.vanished) == 1200
