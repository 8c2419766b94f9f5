"""Cards: as kept, or rendered once and kept, never for content that has changed meanwhile."""

import pytest

from posthouse.formats.mime.card import CARD_VERSION, card_from_message, read_card, render
from posthouse.formats.mime.dots import stuff
from posthouse.model.batch import (
    AddItem,
    Batch,
    ChangeContent,
    ChangeProperties,
    Commit,
    ExpungeItems,
)
from posthouse.model.blob import BlobForm
from posthouse.model.errors import ParserFailed, Unavailable
from posthouse.model.folder import FolderRole, MailboxKind
from posthouse.model.item import ItemColumns, ItemKind, NewItem
from posthouse.services.cards.keeping import Rendered, keep_cards
from posthouse.services.cards.rendering import SMALL_BYTES, Cards

BIG = b"Subject: big\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx" + (
    b"y" * 70 + b"\r\n"
) * (SMALL_BYTES // 70)


def message(number):
    return b"Subject: s%d\r\n\r\nwords %d\r\n" % (number, number)


def staged(site, plain):
    wire, has_dot_lines, lacks_final_eol = stuff(plain)
    return site.store.blobs.stage_bytes(
        wire, BlobForm.WIRE, has_dot_lines=has_dot_lines, lacks_final_eol=lacks_final_eol
    )


def inbox(site):
    return site.run(site.store.role_folder(site.mailbox_id, FolderRole.INBOX)).folder_id


def apply(site, *operations, blobs=()):
    return site.run(site.store.apply(Commit((Batch(site.mailbox_id, operations),), blobs=blobs)))


def add(site, *contents, kind=ItemKind.MESSAGE):
    blobs = [staged(site, plain) for plain in contents]
    folder_id = inbox(site)
    operations = [AddItem(folder_id, NewItem(kind, blob.ref, 1)) for blob in blobs]
    (result,) = apply(site, *operations, blobs=tuple(blobs))
    return [one.item_ids[0] for one in result.results]


def items(site, ids):
    return site.run(site.records.items(site.mailbox_id, ids))


class Pool:
    """A parse pool that says what it is told to."""

    def __init__(self, answer=None):
        self.answer = answer
        self.count = 0

    async def __call__(self, plain):
        self.count += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return render(plain) if self.answer is None else self.answer


@pytest.fixture
def commits(site):
    seen = []
    apply_really = site.records.apply

    async def counted(commit):
        seen.append(commit)
        return await apply_really(commit)

    site.records.apply = counted
    return seen


def test_rendered_once_and_kept_in_one_commit(site, commits):
    ids = add(site, *(message(n) for n in range(30)))
    commits.clear()
    highest = site.run(site.records.mailbox(site.mailbox_id)).highest_cn
    cards = Cards(site.store)
    found = site.run(cards.of(items(site, ids), site.mailbox_id))
    assert [card.envelope.subject for card in found] == [f"s{n}" for n in range(30)]
    assert len(commits) == 1
    assert site.run(site.records.mailbox(site.mailbox_id)).highest_cn == highest
    kept = items(site, ids)
    assert [read_card(item.card) for item in kept] == found
    site.store.blobs = None
    assert site.run(cards.of(list(reversed(kept)), site.mailbox_id)) == found[::-1]
    assert len(commits) == 1


def test_only_what_is_missing_or_of_an_older_version_is_rendered(site):
    ids = add(site, *(message(n) for n in range(3)))
    good = render(message(77))
    old = render(message(1)).replace(b'"version":%d' % CARD_VERSION, b'"version":0')
    apply(site, ChangeProperties(ids[0], card=good), ChangeProperties(ids[1], card=old))
    found = site.run(Cards(site.store).of(items(site, ids), site.mailbox_id))
    assert [card.envelope.subject for card in found] == ["s77", "s1", "s2"]
    assert [item.card for item in items(site, ids)] == [
        good, render(message(1)), render(message(2)),
    ]  # fmt: skip


def test_what_is_no_message_has_an_empty_card_that_is_not_kept(site):
    ids = add(site, b"BEGIN:VCALENDAR", kind=ItemKind.APPOINTMENT)
    apply(site, AddItem(inbox(site), NewItem(ItemKind.MESSAGE, None, 1)))
    (other,) = {place.item_id for place in places(site)} - set(ids)
    found = site.run(Cards(site.store).of(items(site, [*ids, other]), site.mailbox_id))
    assert found == [card_from_message(b"")] * 2
    assert [item.card for item in items(site, [*ids, other])] == [b"", b""]


def places(site):
    return site.run(site.records.places(site.mailbox_id, inbox(site), 0, 100))


def test_large_messages_go_to_the_pool(site):
    ids = add(site, message(1), BIG)
    pool = Pool()
    found = site.run(Cards(site.store, pool).of(items(site, ids), site.mailbox_id))
    assert pool.count == 1
    assert found == [card_from_message(message(1)), card_from_message(BIG)]
    assert site.run(Cards(site.store).of(items(site, add(site, BIG)), site.mailbox_id)) == found[1:]


@pytest.mark.parametrize("answer", [ParserFailed("died"), b"rubbish", b""])
def test_where_the_parser_fails_the_header_is_told(site, answer):
    ids = add(site, BIG)
    pool = Pool(answer)
    cards = Cards(site.store, pool)
    (found,) = site.run(cards.of(items(site, ids), site.mailbox_id))
    assert found.envelope.subject == "big"
    assert found.structure.parts == []
    assert site.run(cards.of(items(site, ids), site.mailbox_id)) == [found]
    assert pool.count == 1


def test_a_busy_pool_is_asked_again(site):
    ids = add(site, BIG)
    pool = Pool(Unavailable("busy"))
    cards = Cards(site.store, pool)
    (found,) = site.run(cards.of(items(site, ids), site.mailbox_id))
    assert found.envelope.subject == "big"
    pool.answer = None
    (found,) = site.run(cards.of(items(site, ids), site.mailbox_id))
    assert len(found.structure.parts) == 1


class CountingBlobs:
    def __init__(self, blobs):
        self.blobs = blobs
        self.count = 0

    def read_plain(self, ref):
        self.count += 1
        return self.blobs.read_plain(ref)


def test_the_same_content_is_rendered_once(site):
    ids = add(site, *[message(1)] * 20)
    site.store.blobs = CountingBlobs(site.store.blobs)
    site.run(Cards(site.store).of(items(site, ids), site.mailbox_id))
    assert site.store.blobs.count == 1
    assert all(item.card for item in items(site, ids))


def test_a_store_that_cannot_write_hinders_nobody(site):
    ids = add(site, message(1))

    async def refuse(commit):
        raise Unavailable("full")

    site.records.apply = refuse
    (found,) = site.run(Cards(site.store).of(items(site, ids), site.mailbox_id))
    assert found.envelope.subject == "s1"


def test_a_card_never_meets_content_it_is_not_of(site, commits):
    ids = add(site, *(message(n) for n in range(4)))
    before = items(site, ids)
    folder_id = inbox(site)
    new = staged(site, message(99))
    apply(
        site,
        ChangeContent(folder_id, ids[1], new.ref, b"", ItemColumns(), b""),
        ExpungeItems(folder_id, (ids[2],), 5, is_final=True),
        blobs=(new,),
    )
    rendered = [
        Rendered(site.mailbox_id, item, render(message(n))) for n, item in enumerate(before)
    ]
    assert site.run(keep_cards(site.store, rendered)) == 2
    kept = {item.item_id: item.card for item in items(site, ids)}
    assert kept == {ids[0]: render(message(0)), ids[1]: b"", ids[3]: render(message(3))}


def test_cards_of_several_mailboxes_are_one_commit(make_site):
    site = make_site()
    other = site.run(site.records.create_mailbox(MailboxKind.USER, b"h" * 16, 7)).mailbox_id
    mine, theirs = site.mailbox_id, other
    (a,) = add(site, message(1))
    site.mailbox_id = theirs
    (b,) = add(site, message(2))
    (item_a,) = site.run(site.records.items(mine, [a]))
    (item_b,) = site.run(site.records.items(theirs, [b]))
    rendered = [Rendered(theirs, item_b, render(message(2))), Rendered(mine, item_a, b"x")]
    assert site.run(keep_cards(site.store, rendered)) == 2
    site.run(site.records.delete_mailbox(theirs))
    assert site.run(keep_cards(site.store, rendered)) == 1
    assert site.run(keep_cards(site.store, [])) == 0
