"""Import from every kind of source; never twice; nothing lost on the way."""

import os

import pytest

from posthouse.formats.mbox import mbox_entry
from posthouse.model.batch import Batch, ChangeMailbox, Commit
from posthouse.model.errors import NotFound, QuotaExceeded
from posthouse.model.item import Flags
from posthouse.services.upkeep.import_mail import Importer
from posthouse.services.upkeep.sources import read_source


def message(number: int, body: str = "body", extra: str = "") -> bytes:
    text = f"From: a@b.c\nSubject: {number}\nMessage-ID: <{number}@x>\n{extra}\n{body}\n"
    return text.encode()


def take(site, path, **limits):
    return site.run(Importer(site.store, site.mailbox_id, **limits).run(read_source(path)))


def write_maildir(root):
    for name in ("cur", "new", ".Sent", ".Entw&APw-rfe.Alt&AC4-s"):
        (root / name).mkdir(parents=True)
    for name in (".Sent", ".Entw&APw-rfe.Alt&AC4-s"):
        (root / name / "cur").mkdir()
    (root / "cur" / "100.a:2,RS").write_bytes(message(1))
    (root / "cur" / "101.b:2,FTa").write_bytes(message(2).replace(b"\n", b"\r\n"))
    (root / "new" / "102.c").write_bytes(message(3, ".dot\n..two"))
    (root / ".Sent" / "cur" / "1.d;2,PDS").write_bytes(message(4))
    (root / ".Entw&APw-rfe.Alt&AC4-s" / "cur" / "1.e").write_bytes(message(5))
    (root / "dovecot-keywords").write_text("0 $Forwarded\n")
    (root / "dovecot-uidlist").write_text("3 V99 N3 Gabc\n1 :100.a\n2 Pold-id W12 :101.b\n")
    os.utime(root / "cur" / "100.a:2,RS", (1000, 1000))
    return root


def test_maildir(site, tmp_path):
    report = take(site, write_maildir(tmp_path / "Maildir"))
    assert (report.added, report.known, report.unreadable) == (5, 0, [])
    inbox = site.listing("Inbox")
    assert [item.columns.subject for _, _, item in inbox] == ["1", "2", "3"]
    assert [place.flags for _, place, _ in inbox] == [
        Flags.SEEN | Flags.ANSWERED,
        Flags.FLAGGED | Flags.DELETED | Flags.FORWARDED,
        Flags.NONE,
    ]
    assert [item.uidl for _, _, item in inbox] == ["0000000100000063", "old-id", ""]
    assert inbox[0][1].received_at == 1_000_000
    assert inbox[2][0] == message(3, ".dot\n..two").replace(b"\n", b"\r\n")
    ((_, sent, _),) = site.listing("Sent Items")
    assert sent.flags == Flags.FORWARDED | Flags.DRAFT | Flags.SEEN
    folder = site.folders()["Alt.s"]
    assert folder.parent_id == site.folders()["Drafts"].folder_id
    assert folder.item_count == 1


def test_repeating_adds_nothing(site, tmp_path):
    root = write_maildir(tmp_path / "Maildir")
    (root / "cur" / "103.nameless").write_bytes(b"Subject: x\n\nno Message-ID\n")
    take(site, root)
    (root / "cur" / "104.twin").write_bytes(b"Subject: x\n\nno Message-ID\n")
    (root / "cur" / "105.other").write_bytes(message(1, "another body"))
    report = take(site, root)
    assert (report.added, report.known) == (1, 7)


def test_twins_in_one_batch_are_one(site, tmp_path):
    root = tmp_path / "M"
    (root / "cur").mkdir(parents=True)
    for name in ("1", "2"):
        (root / "cur" / name).write_bytes(message(1))
        (root / "cur" / f"n{name}").write_bytes(b"Subject: x\n\ny\n")
    report = take(site, root)
    assert (report.added, report.known) == (2, 2)


def test_mbox_with_status_and_from_line(site, tmp_path):
    path = tmp_path / "old.mbox"
    first = message(1, "From here\n", "Status: RO\nX-Status: AF\n")
    second = message(2, extra="X-Mozilla-Status: 1001\n")
    path.write_bytes(mbox_entry(first, "a@b", 5_000) + mbox_entry(second, "a@b", 6_000))
    assert take(site, path).added == 2
    (one, place, _), (_, other, _) = site.listing("Inbox")
    assert one == first.replace(b"\n", b"\r\n")
    assert place.flags == Flags.SEEN | Flags.ANSWERED | Flags.FLAGGED
    assert (place.received_at, other.received_at) == (5_000, 6_000)
    assert other.flags == Flags.SEEN | Flags.FORWARDED


def test_tree_of_files(site, tmp_path):
    root = tmp_path / "tree"
    (root / "Work.sbd").mkdir(parents=True)
    (root / "one.eml").write_bytes(message(1, extra="Date: Thu, 1 Jan 1970 00:00:07 +0000\n"))
    (root / "Work").write_bytes(mbox_entry(message(2), "a", 0))
    (root / "Work.msf").write_bytes(b"index")
    (root / "Work.sbd" / "Deep").write_bytes(mbox_entry(message(3), "a", 0))
    (root / "junk.bin").write_bytes(b"\0\1\2")
    (root / "link.eml").symlink_to(root / "one.eml")
    (root / "empty.eml").write_bytes(b"")
    report = take(site, root)
    assert report.added == 3
    assert {u.where.rpartition("/")[2] for u in report.unreadable} == {
        "junk.bin",
        "link.eml",
        "empty.eml",
    }
    assert site.listing("Inbox")[0][1].received_at == 7_000
    assert site.folders()["Deep"].parent_id == site.folders()["Work"].folder_id


def test_single_message_is_byte_exact(site, tmp_path):
    mixed = b"Subject: a\r\n\r\nbare\nline\rends\r\n.\r\nno end"
    path = tmp_path / "x.eml"
    path.write_bytes(mixed)
    assert take(site, path).added == 1
    assert site.listing("Inbox")[0][0] == mixed
    assert take(site, path).known == 1


def test_a_full_mailbox_stops_the_import_and_a_repeat_finishes_it(site, tmp_path):
    root = tmp_path / "M"
    (root / "cur").mkdir(parents=True)
    for number in range(20):
        (root / "cur" / f"{number:03}").write_bytes(message(number))

    def quota(size):
        batch = Batch(site.mailbox_id, (ChangeMailbox(quota_bytes=size),))
        site.run(site.store.apply(Commit((batch,))))

    quota(600)
    with pytest.raises(QuotaExceeded):
        take(site, root, batch_items=3)
    kept = len(site.listing("Inbox"))
    assert 0 < kept < 20
    quota(0)
    report = take(site, root, batch_items=3)
    assert (report.added, report.known) == (20 - kept, kept)


def test_no_such_path(site, tmp_path):
    with pytest.raises(NotFound):
        take(site, tmp_path / "nowhere")
