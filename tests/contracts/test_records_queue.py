"""What every records engine promises about the outbound queue, receipts, repeats, and blob rows."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs
from tests.contracts.records_house import NOW, staged

from posthouse.model.batch import AddItem, Batch, ChangeMailbox, Commit, ExpungeItems, MakeFolder
from posthouse.model.blob import BlobLocation
from posthouse.model.errors import AlreadyExists, NotFound, Repeated
from posthouse.model.folder import FolderClass, FolderRole
from posthouse.model.item import ItemKind, NewItem
from posthouse.model.queue import NewQueued, Notify, QueuedRecipient, RecipientState

A = QueuedRecipient("a@x", Notify.SUCCESS | Notify.FAILURE, "rfc822;a@x", next_at=NOW)
B = QueuedRecipient("b@x", next_at=NOW)


def queue(h, text="out", recipients=(A, B), **more):
    blob = staged(text)
    message = NewQueued("s@x", recipients, blob.ref, NOW, **more)
    h.commit(Commit((), (blob,), (message,)))
    return h.run(h.records.queued(0, 2000))[-1].queue_id


def recipient(old, **more):
    values = {name: getattr(old, name) for name in _names(old)}
    return QueuedRecipient(**{**values, **more})


def _names(value):
    return getattr(value, "__struct_fields__", None) or tuple(value.__dataclass_fields__)


def entries(h):
    return h.run(h.records.queued(0, 2000))


def lease(h, now=NOW, lease_ms=1000, limit=10):
    return [q.queue_id for q in h.run(h.records.lease_queued(now, lease_ms, limit))]


def test_a_queued_message_is_read_back_whole(records_house):
    h = records_house
    queue_id = queue(
        h,
        prefix=b"Received: x\r\n",
        envelope_id="env",
        wants_headers_only=True,
        needs_smtputf8=True,
        is_8bit=True,
        submitted_by="alice",
    )
    (entry,) = entries(h)
    message = entry.message
    assert (entry.queue_id, entry.next_at, entry.leased_until) == (queue_id, NOW, 0)
    assert (message.sender, message.recipients, message.queued_at) == ("s@x", (A, B), NOW)
    assert (message.prefix, message.envelope_id) == (b"Received: x\r\n", "env")
    assert message.wants_headers_only
    assert message.needs_smtputf8
    assert message.is_8bit
    assert message.submitted_by == "alice"
    assert h.journal.written[message.blob.location] == staged("out").data
    assert h.blob(message.blob.blob_hash).references == 1
    plain = entries(h)[0] if queue(h, "plain") is None else entries(h)[1]
    assert not plain.message.wants_headers_only
    assert not plain.message.needs_smtputf8
    assert not plain.message.is_8bit


def test_a_leased_message_is_given_to_nobody_else(records_house):
    h = records_house
    one, two = queue(h, "one"), queue(h, "two")
    later = queue(h, "later", (recipient(A, next_at=NOW + 50),))
    assert lease(h, limit=1) == [one]
    assert lease(h) == [two]
    assert lease(h) == []
    assert lease(h, NOW + 60) == [later]
    assert entries(h)[0].leased_until == NOW + 1000
    h.run(h.records.release_queued(two))
    assert lease(h, NOW + 999) == [two]
    assert lease(h, NOW + 1000) == [one]


def test_when_the_next_is_due(records_house):
    h = records_house
    assert h.run(h.records.next_due()) == 0
    queue(h, "later", (recipient(A, next_at=NOW + 50), recipient(B, next_at=NOW + 40)))
    assert h.run(h.records.next_due()) == NOW + 40
    assert lease(h, NOW + 40, 500) != []
    assert h.run(h.records.next_due()) == NOW + 540
    queue(h, "at once", (recipient(A, next_at=0),))
    assert h.run(h.records.next_due()) == 1


def test_settling_stores_how_recipients_stand(records_house):
    h = records_house
    queue_id = queue(h)
    lease(h)
    new = recipient(B, attempts=1, next_at=NOW + 99, last_reply="451 later", delay_told_at=NOW)
    h.run(h.records.settle_queued(queue_id, (new,), None))
    (entry,) = entries(h)
    assert entry.message.recipients == (A, new)
    assert (entry.next_at, entry.leased_until) == (NOW, 0)
    done = recipient(A, state=RecipientState.DELIVERED, last_reply="250 ok")
    h.run(h.records.settle_queued(queue_id, (done, new), None))
    assert entries(h)[0].next_at == NOW + 99
    gone = recipient(new, state=RecipientState.FAILED)
    h.run(h.records.settle_queued(queue_id, (gone,), None))
    assert entries(h) == []
    assert h.blob(staged("out").ref.blob_hash).dead_since == NOW
    with pytest.raises(NotFound):
        h.run(h.records.settle_queued(queue_id, (gone,), None))


def test_an_address_given_twice_stands_twice(records_house):
    h = records_house
    twin = recipient(A, original="")
    queue_id = queue(h, recipients=(A, twin))
    h.run(
        h.records.settle_queued(
            queue_id,
            (recipient(A, state=RecipientState.DELIVERED), recipient(twin, attempts=3)),
            None,
        )
    )
    one, two = entries(h)[0].message.recipients
    assert (one.state, one.original) == (RecipientState.DELIVERED, A.original)
    assert (two.state, two.attempts, two.original) == (RecipientState.WAITING, 3, "")


def test_settling_applies_its_commit_in_the_same_go(records_house):
    h = records_house
    queue_id = queue(h)
    failed = tuple(recipient(r, state=RecipientState.FAILED) for r in (A, B))
    blob = staged("report")
    batch = Batch(h.box, (AddItem(h.inbox, NewItem(ItemKind.MESSAGE, blob.ref, NOW)),))
    bad = Batch(h.box, (*batch.operations, AddItem(4711, batch.operations[0].item)))
    with pytest.raises(NotFound):
        h.run(h.records.settle_queued(queue_id, failed, Commit((bad,), (blob,))))
    assert entries(h)[0].message.recipients == (A, B)
    report = NewQueued("", (A,), blob.ref, NOW)
    h.run(h.records.settle_queued(queue_id, failed, Commit((batch,), (blob,), (report,))))
    assert [entry.message.sender for entry in entries(h)] == [""]
    assert h.folder().item_count == 1
    with pytest.raises(NotFound):
        h.run(h.records.settle_queued(queue_id, failed, Commit((batch,), (blob,))))
    assert h.folder().item_count == 1


def test_retry_and_drop(records_house):
    h = records_house
    late = tuple(recipient(r, next_at=NOW + 10**6) for r in (A, B))
    one, two = queue(h, "one", late), queue(h, "two", late)
    assert h.run(h.records.retry_queued(two, NOW)) == 1
    assert lease(h) == [two]
    assert h.run(h.records.retry_queued(4711, NOW)) == 0
    assert h.run(h.records.retry_queued(None, NOW)) == 2
    assert lease(h) == [one]
    assert {r.next_at for r in entries(h)[0].message.recipients} == {NOW}
    h.run(h.records.drop_queued(one))
    assert [entry.queue_id for entry in entries(h)] == [two]
    assert h.run(h.records.queued(two, 5)) == []
    with pytest.raises(NotFound):
        h.run(h.records.drop_queued(one))
    assert h.blob(staged("one").ref.blob_hash).dead_since == NOW
    assert queue(h, "three") > two


def test_receipts(records_house):
    h = records_house
    h.commit(Commit((), receipt=b"one"))
    h.clock.now += 10
    h.commit(Commit((), receipt=b"two"))
    h.commit(Commit((), receipt=b"one"))
    assert h.run(h.records.receipt_stands(b"one"))
    h.commit(Commit((Batch(h.box, (ChangeMailbox(),)),), settled=(b"two", b"unknown")))
    assert not h.run(h.records.receipt_stands(b"two"))
    assert h.run(h.records.forget_receipts(NOW)) == 0
    assert h.run(h.records.forget_receipts(NOW + 1)) == 1
    assert not h.run(h.records.receipt_stands(b"one"))


def test_a_repeat_is_refused_while_the_receipt_stands(records_house):
    h = records_house
    h.commit(Commit((), receipt=b"one", refuses_repeat=True))
    with pytest.raises(Repeated):
        h.commit(Commit((), receipt=b"one", refuses_repeat=True))
    h.commit(Commit((), receipt=b"one", settled=(b"one",)))
    assert h.run(h.records.receipt_stands(b"one")), "it stands again, for the new message"
    h.commit(Commit((), settled=(b"one",)))
    h.commit(Commit((), receipt=b"one", refuses_repeat=True))


def test_a_repeat_is_refused_while_its_receipt_stands(records_house):
    h = records_house
    blob = staged("once")
    batch = Batch(h.box, (AddItem(h.inbox, NewItem(ItemKind.MESSAGE, blob.ref, NOW)),))
    commit = Commit((batch,), (blob,), receipt=b"r", refuses_repeat=True)

    async def at_once():
        again = (h.records.apply(commit) for _ in range(3))
        return await asyncio.gather(*again, return_exceptions=True)

    results = h.run(at_once())
    assert sum(isinstance(r, Repeated) for r in results) == 2
    with pytest.raises(Repeated):
        h.commit(commit)
    assert h.folder().item_count == 1
    h.commit(structs.replace(commit, settled=(b"r",)))
    assert h.run(h.records.receipt_stands(b"r"))
    h.commit(Commit((), settled=(b"r",)))
    h.commit(commit)
    assert h.folder().item_count == 3
    h.commit(structs.replace(commit, refuses_repeat=False))
    assert h.folder().item_count == 4


def test_a_failed_commit_leaves_no_receipt(records_house):
    h = records_house
    h.commit(Commit((), receipt=b"old"))
    bad = Batch(h.box, (AddItem(4711, NewItem(ItemKind.NOTE, None, NOW)),))
    with pytest.raises(NotFound):
        h.commit(Commit((bad,), receipt=b"new", settled=(b"old",)))
    assert not h.run(h.records.receipt_stands(b"new"))
    assert h.run(h.records.receipt_stands(b"old"))


def test_a_repeated_batch_gives_the_first_answer(records_house):
    h = records_house
    blob = staged("once")
    batch = Batch(
        h.box,
        (
            MakeFolder(h.inbox, "f", FolderClass.MAIL, FolderRole.NONE),
            AddItem(h.inbox, NewItem(ItemKind.MESSAGE, blob.ref, NOW)),
        ),
        idempotency_key=b"key",
    )
    message = NewQueued("s@x", (A,), blob.ref, NOW)
    commit = Commit((batch,), (blob,), (message,))
    (first,) = h.commit(commit)
    (again,) = h.commit(commit)
    assert (first.was_replayed, again.was_replayed) == (False, True)
    assert structs.replace(again, was_replayed=False) == first
    assert (h.folder().item_count, len(entries(h))) == (1, 1)
    other = h.create().mailbox_id
    assert not h.do(*batch.operations, box=other, idempotency_key=b"key").was_replayed
    h.clock.now += 1
    assert h.run(h.records.forget_receipts(NOW + 1)) == 2
    with pytest.raises(AlreadyExists):
        h.commit(commit)


def test_a_failed_batch_may_be_tried_again_under_its_key(records_house):
    h = records_house
    with pytest.raises(NotFound):
        h.do(AddItem(4711, NewItem(ItemKind.NOTE, None, NOW)), idempotency_key=b"k")
    result = h.do(AddItem(h.inbox, NewItem(ItemKind.NOTE, None, NOW)), idempotency_key=b"k")
    assert not result.was_replayed


def test_blob_rows(records_house):
    h = records_house
    ids = [h.add(text) for text in ("a", "b", "c")]
    rows = h.run(h.records.blob_rows(b"", 10))
    assert [r.ref.blob_hash for r in rows] == sorted(staged(t).ref.blob_hash for t in "abc")
    assert h.run(h.records.blob_rows(rows[0].ref.blob_hash, 1)) == rows[1:2]
    in_pack = h.run(h.records.blob_rows_in_pack(1, -1, 10))
    assert [r.ref.location.offset for r in in_pack] == [0, 1, 2]
    assert h.run(h.records.blob_rows_in_pack(1, 0, 1)) == in_pack[1:2]
    assert h.run(h.records.blob_rows_in_pack(2, -1, 10)) == []
    assert h.run(h.records.pack_usage()) == [(1, sum(r.ref.stored_bytes for r in rows))]
    assert h.records.locate(b"x" * 32) is None
    h.do(ExpungeItems(h.inbox, (ids[0],), NOW, is_final=True))
    h.clock.now += 10
    h.do(ExpungeItems(h.inbox, (ids[2],), NOW, is_final=True))
    assert h.run(h.records.dead_blobs(NOW, 10)) == []
    dead = h.run(h.records.dead_blobs(NOW + 100, 10))
    assert [r.ref for r in dead] == [staged("a").ref, staged("c").ref]
    assert h.run(h.records.dead_blobs(NOW + 100, 1)) == dead[:1]


def test_only_dead_blobs_are_forgotten(records_house):
    h = records_house
    for item_id in (h.add("dead"), h.add("back")):
        h.do(ExpungeItems(h.inbox, (item_id,), NOW, is_final=True))
    dead = h.run(h.records.dead_blobs(NOW + 1, 10))
    h.add("back")
    assert len(dead) == 2
    gone = h.run(h.records.forget_blobs(dead))
    assert [row.ref for row in gone] == [staged("dead").ref]
    assert h.run(h.records.forget_blobs(dead)) == []
    assert h.records.locate(staged("dead").ref.blob_hash) is None
    h.add("dead")
    assert len(h.journal.written) == 3


def test_blobs_move_only_from_where_they_were(records_house):
    h = records_house
    a = h.add("a")
    row, to = h.blob(staged("a").ref.blob_hash), BlobLocation(2, 40)
    assert h.run(h.records.move_blobs([(row, to)])) == [(row, to)]
    assert h.run(h.records.move_blobs([(row, BlobLocation(3, 0))])) == []
    assert h.records.locate(row.ref.blob_hash) == h.item(a).blob.location == to
    assert h.run(h.records.forget_blobs([row])) == []
